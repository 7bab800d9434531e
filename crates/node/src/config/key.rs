//! What a key of a configuration file is called, holds and means.

use std::time::Duration;

/// One key of a configuration file: path, kind with unit and range, default, release and meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Tables and key, joined by dots, such as `radio.virtual.listen`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What holds without it.
    pub default: Default,
    /// Release that brought the key.
    pub since: &'static str,
    /// One sentence for the administrator.
    pub doc: &'static str,
}

/// What a key holds without being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing: leaving it out is a mistake.
    Required,
    /// Nothing, and that is fine.
    Absent,
    /// This value, as it would be written in the file (TOML).
    Written(&'static str),
}

/// Type, unit and range of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// Whole number from `min` to `max`, in `unit` (empty: a plain count).
    Integer {
        min: i64,
        max: i64,
        unit: &'static str,
    },
    /// Number from `min` to `max`, in `unit`.
    Float {
        min: f64,
        max: f64,
        unit: &'static str,
    },
    /// Exactly `count` numbers in `unit`, such as a position.
    Floats { count: usize, unit: &'static str },
    /// Time such as `"250ms"`, `"5s"`, `"15min"`, `"24h"`.
    Duration { min: Duration, max: Duration },
    /// Address and port, such as `"127.0.0.1:7460"` or `"[::1]:7460"`.
    Address,
    /// List of those.
    Addresses,
    /// Address without port.
    Ip,
    /// Host name or address, with port.
    HostPort,
    /// List of those.
    HostPorts,
    /// File or directory.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// UDP ports, such as `"16384-24575"`.
    Ports,
    /// Text of at most `max` characters.
    Text { max: usize },
    /// Text that is never printed.
    Secret { max: usize },
    /// List of texts.
    Texts,
    /// `[a-z0-9-]{1,63}`.
    NodeId,
    /// A table whose keys this program checks by itself.
    Table,
    /// Tables in a row (`[[...]]`).
    Tables,
}

/// Makes a constructor for a kind without parameters.
macro_rules! plain {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        $($(#[$doc])* #[must_use] pub const fn $name(path: &'static str, doc: &'static str) -> Key {
            Key::of(path, Kind::$kind, doc)
        })*
    };
}

impl Key {
    /// A required key of this kind, since the first release.
    #[must_use]
    pub const fn of(path: &'static str, kind: Kind, doc: &'static str) -> Key {
        Key {
            path,
            kind,
            default: Default::Required,
            since: "PCS16_",
            doc,
        }
    }

    plain! {
        /// `true` or `false`.
        bool => Bool;
        /// Address and port.
        address => Address;
        /// List of addresses with ports.
        addresses => Addresses;
        /// Address without port.
        ip => Ip;
        /// Host and port.
        host_port => HostPort;
        /// List of hosts with ports.
        host_ports => HostPorts;
        /// File or directory.
        path => Path;
        /// Range of ports.
        ports => Ports;
        /// List of texts.
        texts => Texts;
        /// Node id.
        node_id => NodeId;
        /// Table that the program checks by itself; absent unless written.
        table => Table;
        /// Array of tables; empty unless written.
        tables => Tables;
    }

    /// Whole number within a range, in a unit.
    #[must_use]
    pub const fn integer(
        path: &'static str,
        min: i64,
        max: i64,
        unit: &'static str,
        doc: &'static str,
    ) -> Key {
        Key::of(path, Kind::Integer { min, max, unit }, doc)
    }

    /// Number within a range, in a unit.
    #[must_use]
    pub const fn float(
        path: &'static str,
        min: f64,
        max: f64,
        unit: &'static str,
        doc: &'static str,
    ) -> Key {
        Key::of(path, Kind::Float { min, max, unit }, doc)
    }

    /// A fixed count of numbers in a unit.
    #[must_use]
    pub const fn floats(
        path: &'static str,
        count: usize,
        unit: &'static str,
        doc: &'static str,
    ) -> Key {
        Key::of(path, Kind::Floats { count, unit }, doc)
    }

    /// Time within a range.
    #[must_use]
    pub const fn duration(
        path: &'static str,
        min: Duration,
        max: Duration,
        doc: &'static str,
    ) -> Key {
        Key::of(path, Kind::Duration { min, max }, doc)
    }

    /// One of some words.
    #[must_use]
    pub const fn choice(
        path: &'static str,
        words: &'static [&'static str],
        doc: &'static str,
    ) -> Key {
        Key::of(path, Kind::Choice(words), doc)
    }

    /// Text of at most 255 characters.
    #[must_use]
    pub const fn text(path: &'static str, doc: &'static str) -> Key {
        Key::of(path, Kind::Text { max: 255 }, doc)
    }

    /// Text that is never printed, of at most 1024 characters.
    #[must_use]
    pub const fn secret(path: &'static str, doc: &'static str) -> Key {
        Key::of(path, Kind::Secret { max: 1024 }, doc)
    }

    /// The same key with a default, written as in the file: `"\"info\""`, `"24"`.
    #[must_use]
    pub const fn default(self, written: &'static str) -> Key {
        Key {
            default: Default::Written(written),
            ..self
        }
    }

    /// The same key, which may be left out.
    #[must_use]
    pub const fn optional(self) -> Key {
        Key {
            default: Default::Absent,
            ..self
        }
    }

    /// The same key, brought by a later release.
    #[must_use]
    pub const fn since(self, release: &'static str) -> Key {
        Key {
            since: release,
            ..self
        }
    }

    /// Whether leaving it out is a mistake.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        matches!(self.default, Default::Required)
            && !matches!(self.kind, Kind::Table | Kind::Tables)
    }
}

impl Kind {
    /// The kind in words, with unit and range, as the listing and the remedies say it.
    #[must_use]
    pub fn words(&self) -> String {
        let unit = |u: &str| {
            if u.is_empty() {
                String::new()
            } else {
                format!(" {u}")
            }
        };
        match self {
            Kind::Bool => "true or false".into(),
            Kind::Integer { min, max, unit: u } => {
                format!("whole number {min} to {max}{}", unit(u))
            }
            Kind::Float { min, max, unit: u } => format!("number {min} to {max}{}", unit(u)),
            Kind::Floats { count, unit: u } => format!("list of {count} numbers{}", unit(u)),
            Kind::Duration { min, max } => {
                format!(
                    "time from {min:?} to {max:?}, such as \"250ms\", \"5s\", \"15min\" or \"24h\""
                )
            }
            Kind::Address => {
                "address and port, such as \"127.0.0.1:7460\" or \"[::1]:7460\"".into()
            }
            Kind::Addresses => "list of addresses with ports, such as [\"127.0.0.1:7460\"]".into(),
            Kind::Ip => "address without port, such as \"192.0.2.5\"".into(),
            Kind::HostPort => "host and port, such as \"server.example:7460\"".into(),
            Kind::HostPorts => "list of hosts with ports, such as [\"server.example:7460\"]".into(),
            Kind::Path => "path of a file or directory".into(),
            Kind::Choice(words) => format!("one of {}", quoted(words)),
            Kind::Ports => "range of ports, such as \"16384-24575\"".into(),
            Kind::Text { max } => format!("text of at most {max} characters"),
            Kind::Secret { max } => format!("secret text of at most {max} characters"),
            Kind::Texts => "list of texts".into(),
            Kind::NodeId => "1 to 63 of a-z, 0-9 and -".into(),
            Kind::Table => "table".into(),
            Kind::Tables => "tables in a row, each under [[...]]".into(),
        }
    }

    /// Whether a bare word of the environment is taken as it stands, without TOML's quotes.
    pub(super) const fn is_text(&self) -> bool {
        matches!(
            self,
            Kind::Duration { .. }
                | Kind::Address
                | Kind::Ip
                | Kind::HostPort
                | Kind::Path
                | Kind::Choice(_)
                | Kind::Ports
                | Kind::Text { .. }
                | Kind::Secret { .. }
                | Kind::NodeId
        )
    }

    /// Whether it holds a list, which the environment may separate by commas.
    pub(super) const fn is_list(&self) -> bool {
        matches!(
            self,
            Kind::Addresses | Kind::HostPorts | Kind::Texts | Kind::Floats { .. }
        )
    }
}

/// Words in quotes, with commas.
fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|w| format!("\"{w}\""))
        .collect::<Vec<_>>()
        .join(", ")
}
