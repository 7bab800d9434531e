//! Values checked against the kind of their key, and their Rust types.

use super::entry::Entry;
use super::key::Kind;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// [`Kind::Bool`].
    Bool(bool),
    /// [`Kind::Integer`].
    Integer(i64),
    /// [`Kind::Float`].
    Float(f64),
    /// [`Kind::Floats`].
    Floats(Vec<f64>),
    /// [`Kind::Duration`].
    Duration(Duration),
    /// [`Kind::Address`].
    Address(SocketAddr),
    /// [`Kind::Addresses`].
    Addresses(Vec<SocketAddr>),
    /// [`Kind::Ip`].
    Ip(IpAddr),
    /// [`Kind::HostPort`].
    HostPort(HostPort),
    /// [`Kind::HostPorts`].
    HostPorts(Vec<HostPort>),
    /// [`Kind::Path`].
    Path(PathBuf),
    /// [`Kind::Choice`], [`Kind::Text`], [`Kind::Secret`], [`Kind::NodeId`].
    Text(String),
    /// [`Kind::Texts`].
    Texts(Vec<String>),
    /// [`Kind::Ports`].
    Ports(PortRange),
    /// [`Kind::Table`], [`Kind::Tables`]: read through the scope, with places.
    Raw(Entry),
}

/// Ports from first to last, both included; 0 to 0 asks for any free ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest.
    pub first: u16,
    /// Highest.
    pub last: u16,
}

impl PortRange {
    /// Whether any free ports will do.
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.last == 0
    }

    /// How many ports the range has; 0 when any will do.
    #[must_use]
    pub const fn count(self) -> usize {
        if self.is_any() {
            0
        } else {
            (self.last - self.first) as usize + 1
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            f.write_str("0")
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// A host by name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Name or address, an IPv6 address without brackets.
    pub host: String,
    /// Port, 0 to 65535.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl std::str::FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<HostPort, String> {
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
        let port = port
            .parse()
            .map_err(|_| format!("{port:?} is no port from 0 to 65535"))?;
        let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(v6) => {
                v6.parse::<std::net::Ipv6Addr>()
                    .map_err(|_| format!("{v6:?} is no IPv6 address"))?;
                v6
            }
            None if is_host_name(host) => host,
            None => return Err(format!("{host:?} is no host name")),
        };
        Ok(HostPort {
            host: host.to_owned(),
            port,
        })
    }
}

/// Letters, digits, hyphens and dots, no empty label.
fn is_host_name(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

/// Checks a value against its kind.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn check(kind: &Kind, entry: &Entry) -> Result<Value, String> {
    let text = || {
        entry
            .as_str()
            .ok_or_else(|| format!("{} where text in quotes is wanted", entry.type_name()))
    };
    match kind {
        Kind::Bool => entry
            .as_bool()
            .map(Value::Bool)
            .ok_or_else(|| wrong_type(entry)),
        Kind::Integer { min, max, .. } => {
            let number = entry.as_i64().ok_or_else(|| wrong_type(entry))?;
            in_range(number, *min, *max).map(Value::Integer)
        }
        Kind::Float { min, max, .. } => {
            let number = entry.as_f64().ok_or_else(|| wrong_type(entry))?;
            in_range(number, *min, *max).map(Value::Float)
        }
        Kind::Floats { count, .. } => floats(entry, *count),
        Kind::Duration { min, max } => duration(text()?, *min, *max),
        Kind::Address => address(text()?).map(Value::Address),
        Kind::Addresses => each(entry, address).map(Value::Addresses),
        Kind::Ip => text()?
            .parse()
            .map(Value::Ip)
            .map_err(|_| "no address".to_owned()),
        Kind::HostPort => text()?.parse().map(Value::HostPort),
        Kind::HostPorts => each(entry, str::parse).map(Value::HostPorts),
        Kind::Path => Some(text()?)
            .filter(|p| !p.is_empty())
            .map(|p| Value::Path(p.into()))
            .ok_or("empty".into()),
        Kind::Choice(words) => words
            .contains(&text()?)
            .then(|| Value::Text(entry.as_str().unwrap_or_default().to_owned()))
            .ok_or_else(|| "not one of the words".to_owned()),
        Kind::Ports => ports(text()?).map(Value::Ports),
        Kind::Text { max } | Kind::Secret { max } => short(text()?, *max),
        Kind::Texts => each(entry, |t| Ok(t.to_owned())).map(Value::Texts),
        Kind::NodeId => node_id(text()?),
        Kind::Table => table(entry),
        Kind::Tables => tables(entry),
    }
}

fn wrong_type(entry: &Entry) -> String {
    format!("{} where another type is wanted", entry.type_name())
}

fn in_range<T: PartialOrd + fmt::Display>(number: T, min: T, max: T) -> Result<T, String> {
    if number < min {
        Err(format!("less than {min}"))
    } else if number > max {
        Err(format!("more than {max}"))
    } else if number >= min {
        Ok(number)
    } else {
        Err("not a number".to_owned())
    }
}

fn floats(entry: &Entry, count: usize) -> Result<Value, String> {
    let numbers: Option<Vec<f64>> = entry.list().iter().map(Entry::as_f64).collect();
    let numbers = numbers.ok_or("not all are numbers")?;
    if numbers.len() == count && numbers.iter().all(|n| n.is_finite()) {
        Ok(Value::Floats(numbers))
    } else {
        Err(format!("{} numbers", numbers.len()))
    }
}

fn duration(text: &str, min: Duration, max: Duration) -> Result<Value, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or("the unit is missing")?;
    let count: u64 = text[..unit_at]
        .parse()
        .map_err(|_| "no whole number before the unit")?;
    let unit_ms: u64 = match text[unit_at..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        other => return Err(format!("{other:?} is no unit")),
    };
    let time = Duration::from_millis(count.checked_mul(unit_ms).ok_or("too long")?);
    if time < min {
        Err(format!("less than {min:?}"))
    } else if time > max {
        Err(format!("more than {max:?}"))
    } else {
        Ok(Value::Duration(time))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        if text.parse::<IpAddr>().is_ok() {
            "the port is missing".to_owned()
        } else {
            "no address with port".to_owned()
        }
    })
}

fn ports(text: &str) -> Result<PortRange, String> {
    if text == "0" {
        return Ok(PortRange { first: 0, last: 0 });
    }
    let (first, last) = text.split_once('-').ok_or("no range of ports")?;
    let port = |p: &str| {
        p.trim()
            .parse::<u16>()
            .ok()
            .filter(|p| *p > 0)
            .ok_or(format!("{p:?} is no port from 1 to 65535"))
    };
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        Err("the first port is above the last".into())
    } else {
        Ok(PortRange { first, last })
    }
}

fn short(text: &str, max: usize) -> Result<Value, String> {
    let count = text.chars().count();
    if count > max {
        Err(format!("{count} characters"))
    } else {
        Ok(Value::Text(text.to_owned()))
    }
}

fn node_id(text: &str) -> Result<Value, String> {
    let fits = (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        Ok(Value::Text(text.to_owned()))
    } else {
        Err("no node id".into())
    }
}

fn table(entry: &Entry) -> Result<Value, String> {
    match entry.content {
        super::Content::Table(_) => Ok(Value::Raw(entry.clone())),
        _ => Err(format!("{} where a table is wanted", entry.type_name())),
    }
}

fn tables(entry: &Entry) -> Result<Value, String> {
    let super::Content::List(items) = &entry.content else {
        return Err(format!("{} where tables are wanted", entry.type_name()));
    };
    items.iter().try_for_each(|item| table(item).map(drop))?;
    Ok(Value::Raw(entry.clone()))
}

/// Every text of a list, parsed.
fn each<T>(entry: &Entry, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let super::Content::List(items) = &entry.content else {
        return Err(format!("{} where a list is wanted", entry.type_name()));
    };
    items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let text = item
                .as_str()
                .ok_or_else(|| format!("member {} is {}", at + 1, item.type_name()))?;
            parse(text).map_err(|what| format!("member {}: {what}", at + 1))
        })
        .collect()
}

/// A Rust type that a checked value turns into.
pub trait FromValue: Sized {
    /// The value as this type; `None` when the key's kind is another one.
    fn from_value(value: &Value) -> Option<Self>;

    /// What stands in for a value that was mistaken; the mistake is told by [`super::Reader::finish`].
    fn stand_in() -> Self;

    /// The value of a key that may be absent.
    #[must_use]
    fn from_absent() -> Option<Self> {
        None
    }
}

/// Implements [`FromValue`] for a type held as it is.
macro_rules! held {
    ($($type:ty, $variant:ident, $stand_in:expr;)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                if let Value::$variant(held) = value { Some(held.clone()) } else { None }
            }

            fn stand_in() -> Self {
                $stand_in
            }
        }
    )*};
}

held! {
    bool, Bool, false;
    f64, Float, 0.0;
    Vec<f64>, Floats, Vec::new();
    Duration, Duration, Duration::ZERO;
    SocketAddr, Address, SocketAddr::from(([127, 0, 0, 1], 0));
    Vec<SocketAddr>, Addresses, Vec::new();
    IpAddr, Ip, IpAddr::from([127, 0, 0, 1]);
    HostPort, HostPort, HostPort { host: "localhost".into(), port: 0 };
    Vec<HostPort>, HostPorts, Vec::new();
    PathBuf, Path, PathBuf::new();
    String, Text, String::new();
    Vec<String>, Texts, Vec::new();
    PortRange, Ports, PortRange { first: 0, last: 0 };
}

/// Implements [`FromValue`] for whole numbers; the key's range has to fit the type.
macro_rules! whole {
    ($($type:ty)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                if let Value::Integer(number) = value { (*number).try_into().ok() } else { None }
            }

            fn stand_in() -> Self {
                0
            }
        }
    )*};
}

whole! { u8 u16 u32 u64 usize i8 i16 i32 i64 }

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        T::from_value(value).map(Some)
    }

    fn stand_in() -> Self {
        None
    }

    fn from_absent() -> Option<Self> {
        Some(None)
    }
}
