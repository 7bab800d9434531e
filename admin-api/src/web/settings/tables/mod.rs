//! The fields of each scope: name, default and what it does.

/// A line of text.
macro_rules! text {
    ($field:ident, $label:literal, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Text,
            default: $default,
            help: $help,
            read: |d| d.$field.clone(),
            write: |d, text| {
                d.$field = text.into();
                Ok(())
            },
        }
    };
}

/// Several words in one line.
macro_rules! words {
    ($field:ident, $label:literal, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Text,
            default: $default,
            help: $help,
            read: |d| d.$field.join(", "),
            write: |d, text| {
                d.$field = list(text);
                Ok(())
            },
        }
    };
}

/// A whole number.
macro_rules! whole {
    ($field:ident, $label:literal, $least:literal..=$most:literal, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Number($least, $most),
            default: $default,
            help: $help,
            read: |d| d.$field.to_string(),
            write: |d, text| {
                d.$field = number(text, $least, $most)?;
                Ok(())
            },
        }
    };
}

/// On or off.
macro_rules! switch {
    ($field:ident, $label:literal, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Switch,
            default: $default,
            help: $help,
            read: |d| if d.$field { "on".into() } else { String::new() },
            write: |d, text| {
                d.$field = !text.is_empty();
                Ok(())
            },
        }
    };
}

/// One of an enumeration; its zero means the first of the list.
macro_rules! choice {
    ($field:ident, $label:literal, $first:literal, $options:expr, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Choice($options.to_vec()),
            default: $default,
            help: $help,
            read: |d| d.$field.max($first).to_string(),
            write: |d, text| {
                let known = $options.iter().any(|(value, _)| *value == text);
                let value = text.parse().ok().filter(|_| known);
                d.$field = value.ok_or_else(|| "choose one of the list".to_string())?;
                Ok(())
            },
        }
    };
}

mod radio;
mod sip;
mod system;

pub(super) use radio::{DECT, MEDIA};
pub(super) use sip::{PROXIES, SIP};
pub(super) use system::{DOMAIN, GENERAL, LINKS};

const NEXT_START: &str = " Takes effect at the next start of the server.";
const NO_EFFECT: &str = " Stored, without effect in this release.";
const NOT_YET: &str = " Not available in this release.";

/// Fields that do not act at once: page, names, what to say of them.
pub(super) const EXCEPTIONS: &[(&str, &[&str], &str)] = &[
    (
        "sip",
        &["local_port", "type_of_service", "tls_allow_insecure"],
        NEXT_START,
    ),
    ("sip", &["priority_8021p", "session_interval_s"], NO_EFFECT),
    ("sip", &["register_separate_ports"], NOT_YET),
    (
        "domain",
        &["enabled", "port", "name", "aliases"],
        NEXT_START,
    ),
    (
        "domain",
        &[
            "expires_default_s",
            "expires_min_s",
            "expires_max_s",
            "routes",
        ],
        NO_EFFECT,
    ),
    ("dect", &["authenticate_calls", "cipher_calls"], NOT_YET),
    ("dect", &["local_tones"], NO_EFFECT),
    ("media", &["ice"], NOT_YET),
    ("media", &["latch"], NO_EFFECT),
    ("links", &["token_hours"], NO_EFFECT),
    ("general", &["syslog_host"], NOT_YET),
    (
        "general",
        &[
            "system_name",
            "host_name",
            "domain_name",
            "dns_servers",
            "time_zone",
            "syslog_level",
            "syslog_transport",
        ],
        NO_EFFECT,
    ),
];

/// When a change of a field takes effect, if not at once.
pub(super) fn takes_effect(page: &str, name: &str) -> &'static str {
    let found = EXCEPTIONS
        .iter()
        .find(|(p, names, _)| *p == page && names.contains(&name));
    found.map_or("", |(_, _, said)| said)
}
