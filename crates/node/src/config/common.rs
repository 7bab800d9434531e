//! The keys that every program has.

use super::key::Key;
use super::reader::Scope;
use crate::telemetry::check_level;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Values of the common keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Node id; without one the program uses what enrolment gives it.
    pub node_id: Option<String>,
    /// Directory for all files of the program.
    pub data_dir: PathBuf,
    /// Site, for bandwidth limits and display.
    pub site: String,
    /// Where probes and metrics are served.
    pub probe_listen: SocketAddr,
    /// What is logged, such as `info` or `info,ipdect_sip=debug`.
    pub log_level: String,
    /// How it is written.
    pub log_format: LogFormat,
    /// Where traces go; empty for nowhere.
    pub otlp_endpoint: String,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `probe.listen` with the program's own port.
#[must_use]
pub const fn probe_listen(default: &'static str) -> Key {
    Key::address(
        "probe.listen",
        "Where /livez, /readyz, /startupz and /metrics are served.",
    )
    .default(default)
}

/// `node.data_dir` with the program's own directory: two programs of one machine must not share one.
#[must_use]
pub const fn data_dir(default: &'static str) -> Key {
    Key::path(
        "node.data_dir",
        "Directory for all files of this program, and of no other.",
    )
    .default(default)
}

impl Common {
    /// The keys, but for those whose defaults differ: [`probe_listen`] and [`data_dir`].
    pub const KEYS: &'static [Key] = &[
        Key::node_id("node.id", "Name of this node; without it enrolment gives one.").optional(),
        Key::text("node.site", "Site that this node stands at.").default("\"main\""),
        Key::text("log.level", "What is logged: off, error, warn, info, debug, trace, also by module (info,ipdect_sip=debug).")
            .default("\"info\""),
        Key::choice("log.format", &["text", "json"], "Form of log lines.").default("\"text\""),
        Key::text("trace.otlp_endpoint", "Collector that traces go to by OTLP over gRPC; empty for none.").default("\"\""),
    ];

    /// Reads them.
    #[must_use]
    pub fn read(scope: &Scope) -> Common {
        let common = Common {
            node_id: scope.get("node.id"),
            data_dir: scope.get("node.data_dir"),
            site: scope.get("node.site"),
            probe_listen: scope.get("probe.listen"),
            log_level: scope.get("log.level"),
            log_format: if scope.get::<String>("log.format") == "json" {
                LogFormat::Json
            } else {
                LogFormat::Text
            },
            otlp_endpoint: scope.get("trace.otlp_endpoint"),
        };
        if let Err(what) = check_level(&common.log_level) {
            scope.mistake(
                "log.level",
                what,
                "write a level such as \"info\", or \"info,ipdect_sip=debug\"",
            );
        }
        let endpoint = &common.otlp_endpoint;
        if !endpoint.is_empty()
            && !endpoint.starts_with("http://")
            && !endpoint.starts_with("https://")
        {
            scope.mistake(
                "trace.otlp_endpoint",
                "no URL",
                "write one such as \"http://collector:4317\", or \"\" for none",
            );
        }
        common
    }
}
