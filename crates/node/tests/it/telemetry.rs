//! Log lines and traces as they come out.

use ipdect_node::config::LogFormat;
use ipdect_node::telemetry::{Settings, subscriber};
use ipdect_node::{Redacted, trace};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing::{debug, info, info_span};
use tracing_subscriber::fmt::MakeWriter;

/// Collects what is written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Lines;

    fn make_writer(&'w self) -> Lines {
        self.clone()
    }
}

/// Runs something under a subscriber of its own; gives the lines.
fn logged(level: &str, format: LogFormat, run: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let settings = Settings {
        program: "test",
        node_id: String::new(),
        level: level.into(),
        format,
        otlp_endpoint: String::new(),
    };
    let provider = SdkTracerProvider::builder().build();
    tracing::subscriber::with_default(
        subscriber(&settings, &provider, lines.clone(), false).unwrap(),
        run,
    );
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn personal_data_shows_from_debug_down_only() {
    let lines = logged("debug", LogFormat::Text, || {
        let span = info_span!("call", from = %Redacted("1001"));
        span.in_scope(|| {
            info!(to = %Redacted("1002"), "calls");
            debug!(to = %Redacted("1003"), name = ?Redacted("Ann"), "calls");
        });
    });
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].contains("to=…") && !lines[0].contains("1002"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains("to=1003") && lines[1].contains("name=\"Ann\""),
        "{}",
        lines[1]
    );
    assert!(
        lines
            .iter()
            .all(|line| line.contains("from=…") && !line.contains("1001")),
        "{lines:?}"
    );
    assert_eq!(
        format!("{} {:?}", Redacted(5), Redacted("x")),
        "… …",
        "outside a subscriber"
    );
}

#[test]
fn json_lines_are_objects_with_the_same_redaction() {
    let lines = logged("info,ipdect_none=trace", LogFormat::Json, || {
        info!(number = %Redacted("1002"), shard = 7, "rings");
        debug!("not wanted");
    });
    assert_eq!(lines.len(), 1);
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(
        (&line["message"], &line["number"], &line["shard"]),
        (&"rings".into(), &"…".into(), &7.into())
    );
    assert_eq!(line["level"], "INFO");
}

#[test]
fn a_trace_goes_on_over_a_link_without_a_collector() {
    logged("info", LogFormat::Text, || {
        let here = info_span!("key press");
        let octets = trace::of_span(&here);
        assert_eq!(octets.len(), trace::TRACE_OCTETS);
        let there = info_span!("handle");
        trace::set_parent(&there, &octets);
        assert_eq!(trace::trace_id(&there), trace::trace_id(&here));
        assert_ne!(
            trace::of_span(&there)[16..24],
            octets[16..24],
            "a span of its own"
        );
        let apart = info_span!("another");
        trace::set_parent(&apart, &octets[..24]);
        trace::set_parent(&apart, &[0; 25]);
        trace::set_parent(&apart, &[]);
        assert_ne!(trace::trace_id(&apart), trace::trace_id(&here));
    });
    assert_eq!(trace::of_span(&info_span!("nobody listens")), [0; 0]);
}

#[test]
fn octets_are_read_as_written() {
    let octets: Vec<u8> = (1..=24).chain([1]).collect();
    let context = trace::from_octets(&octets).unwrap();
    assert!(context.is_remote() && context.is_sampled());
    assert_eq!(trace::to_octets(&context).to_vec(), octets);
    assert_eq!(
        context.trace_id().to_string(),
        "0102030405060708090a0b0c0d0e0f10"
    );
    let mut other_flags = octets.clone();
    other_flags[24] = 0xFE;
    assert_eq!(
        trace::to_octets(&trace::from_octets(&other_flags).unwrap())[24],
        0
    );
    for wrong in [&octets[..24], &[octets.clone(), vec![0]].concat(), &[0; 25]] {
        assert!(trace::from_octets(wrong).is_none(), "{wrong:?}");
    }
}

#[test]
fn a_level_that_is_none_is_refused() {
    for level in ["loud", "info,loud", "info,ipdect_sip=loud", "info,=,"] {
        assert!(
            ipdect_node::telemetry::check_level(level).is_err(),
            "{level}"
        );
    }
    for level in [
        "info",
        "OFF",
        "warn,ipdect_sip=trace,ipdect_server::sip=debug",
    ] {
        ipdect_node::telemetry::check_level(level).unwrap();
    }
}
