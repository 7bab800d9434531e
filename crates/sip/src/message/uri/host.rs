//! Hosts and ports of URIs and Vias.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::message::error::SyntaxError;
use crate::message::grammar;
use crate::message::octets::HOST;

/// Host of a URI or a Via.
#[derive(Debug, Clone)]
pub enum Host {
    /// A domain name; compared without regard to case.
    Name(Box<str>),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets on the wire.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host name or address; an IPv6 address with or without brackets.
    ///
    /// # Errors
    /// Anything that is neither an address nor made of letters, digits, `-`, `_` and dots.
    pub fn parse(text: &str) -> Result<Host, SyntaxError> {
        HostView::read(text).map(Host::from)
    }

    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some((*address).into()),
            Host::V6(address) => Some((*address).into()),
        }
    }
}

/// A host that was read; a name still stands where it stood.
#[derive(Debug)]
pub(in crate::message) enum HostView<'a> {
    Name(&'a str),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'a> HostView<'a> {
    /// [`Host::parse`] without a copy.
    fn read(text: &'a str) -> Result<HostView<'a>, SyntaxError> {
        // Addresses end in a digit, most names do not.
        if text.ends_with(|c: char| c.is_ascii_digit())
            && let Ok(address) = text.parse()
        {
            return Ok(HostView::V4(address));
        }
        if !text.is_empty() && HOST.all(text.as_bytes()) {
            return Ok(HostView::Name(text));
        }
        let inside = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(address) = inside.or(text.contains(':').then_some(text)) {
            return parse_v6(address).map(HostView::V6);
        }
        Err(SyntaxError("host is neither a name nor an address"))
    }
}

impl From<HostView<'_>> for Host {
    fn from(view: HostView<'_>) -> Host {
        match view {
            HostView::Name(name) => Host::Name(name.into()),
            HostView::V4(address) => Host::V4(address),
            HostView::V6(address) => Host::V6(address),
        }
    }
}

/// Reads an IPv6 address; the grammar of RFC 3261 lets `:::` through, which RFC 5118 section 4.10
/// asks receivers to take as `::`.
fn parse_v6(text: &str) -> Result<Ipv6Addr, SyntaxError> {
    text.replacen(":::", "::", 1)
        .parse()
        .map_err(|_| SyntaxError("not an IPv6 address"))
}

impl PartialEq for Host {
    fn eq(&self, other: &Host) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a.ip().is_some() && a.ip() == b.ip(),
        }
    }
}

impl Eq for Host {}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Host {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => address.fmt(f),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Reads `host`, `host:port` or `[address]:port`.
pub(in crate::message) fn read_hostport(
    text: &str,
) -> Result<(HostView<'_>, Option<u16>), SyntaxError> {
    let name = HOST.span(text.as_bytes());
    let split = match text.as_bytes().get(name) {
        None | Some(b':') => name,
        Some(_) => match text.rfind(']') {
            Some(end) => end + 1,
            None => text.find(':').unwrap_or(text.len()),
        },
    };
    let (host, port) = text.split_at(split);
    let host = HostView::read(grammar::trim_str(host))?;
    let port = grammar::trim_str(port);
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(
            grammar::number(grammar::trim_str(digits))
                .ok_or(SyntaxError("port is not a number up to 65535"))?,
        ),
        None if port.is_empty() => None,
        None => return Err(SyntaxError("text after the host")),
    };
    Ok((host, port))
}
