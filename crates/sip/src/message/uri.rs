//! SIP, SIPS and tel URIs; others are carried as they are.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::error::SyntaxError;
use super::grammar;
use super::params::Params;

/// What a URI starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`, TLS on every hop.
    Sips,
    /// `tel:`, a telephone number (RFC 3966).
    Tel,
    /// Any other scheme, in lower case.
    Other(Box<str>),
}

impl Scheme {
    /// The scheme without its colon.
    pub fn as_str(&self) -> &str {
        match self {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            Scheme::Other(name) => name,
        }
    }
}

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
        let inside = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(inside) = inside {
            return parse_v6(inside).map(Host::V6);
        }
        if let Ok(address) = text.parse() {
            return Ok(Host::V4(address));
        }
        if text.contains(':') {
            return parse_v6(text).map(Host::V6);
        }
        let good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
        if text.is_empty() || !text.bytes().all(good) {
            return Err(SyntaxError("host is neither a name nor an address"));
        }
        Ok(Host::Name(text.into()))
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

/// A URI. For SIP and SIPS all parts are read; a tel URI has its number as user; of others only the scheme is.
///
/// Equality is that of RFC 3261 section 19.1.4, which is not transitive, hence no `Eq`.
#[derive(Debug, Clone)]
pub struct Uri {
    scheme: Scheme,
    user: Option<Box<str>>,
    password: Option<Box<str>>,
    host: Option<Host>,
    port: Option<u16>,
    params: Params,
    headers: Option<Box<str>>,
}

impl Uri {
    /// A SIP URI of a user at a host; the user part is escaped where it must be.
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Uri {
        Uri {
            scheme: Scheme::Sip,
            user: user.map(|user| escape_user(user).into()),
            password: None,
            host: Some(host),
            port,
            params: Params::new(),
            headers: None,
        }
    }

    /// The scheme.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether it is a SIP or SIPS URI, so that it has a host.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// User part as written, escapes kept; the number of a tel URI; everything of an unknown scheme.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// User part with its escapes resolved once, lossy where that is not UTF-8.
    pub fn user_unescaped(&self) -> Option<String> {
        self.user().map(unescape)
    }

    /// Password, as written.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Host; always there in SIP and SIPS URIs.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// Port, if written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Value of a parameter, empty for a flag.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }

    /// Whether it has `lr`: a loose router (RFC 3261 section 19.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.params.contains("lr")
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<&str> {
        self.params.get("transport")
    }

    /// Headers behind the question mark, as written: `Replaces=a%40b&Subject=x`.
    pub fn headers(&self) -> Option<&str> {
        self.headers.as_deref()
    }

    /// Value of one header behind the question mark, escapes resolved.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut all = self
            .headers()?
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        all.find(|(found, _)| unescape(found).eq_ignore_ascii_case(name))
            .map(|(_, value)| unescape(value))
    }

    /// The same URI with a parameter set; `None` sets a flag such as `lr`.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Uri {
        self.params.set(name, value);
        self
    }

    /// The same URI without a parameter.
    #[must_use]
    pub fn without_param(mut self, name: &str) -> Uri {
        self.params.remove(name);
        self
    }

    /// The same URI with another user part, escaped where it must be.
    #[must_use]
    pub fn with_user(mut self, user: Option<&str>) -> Uri {
        self.user = user.map(|user| escape_user(user).into());
        self
    }

    /// The same URI at another port.
    #[must_use]
    pub fn with_port(mut self, port: Option<u16>) -> Uri {
        self.port = port;
        self
    }

    /// The same URI at another host.
    #[must_use]
    pub fn with_host(mut self, host: Host) -> Uri {
        self.host = Some(host);
        self
    }

    /// The same URI with another scheme.
    #[must_use]
    pub fn with_scheme(mut self, scheme: Scheme) -> Uri {
        self.scheme = scheme;
        self
    }

    /// The same URI with headers behind the question mark; values are escaped.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Uri {
        let pair = format!("{}={}", escape(name, b""), escape(value, b"[]/?:+$"));
        self.headers = Some(match self.headers.take() {
            Some(before) => format!("{before}&{pair}").into(),
            None => pair.into(),
        });
        self
    }

    /// The same URI without headers, as it goes into a Request-URI (RFC 3261 section 19.1.1, table 1).
    #[must_use]
    pub fn without_headers(mut self) -> Uri {
        self.headers = None;
        self
    }
}

impl FromStr for Uri {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Uri, SyntaxError> {
        let bad = |octet: u8| octet <= b' ' || octet >= 0x7f || matches!(octet, b'<' | b'>' | b'"');
        if text.bytes().any(bad) {
            return Err(SyntaxError(
                "URI with a blank, quote, bracket or non-ASCII character; escape it as %HH",
            ));
        }
        let (scheme, rest) = text
            .split_once(':')
            .ok_or(SyntaxError("URI without a scheme"))?;
        let scheme = parse_scheme(scheme)?;
        match scheme {
            Scheme::Sip | Scheme::Sips => parse_sip(scheme, rest),
            Scheme::Tel => parse_tel(rest),
            Scheme::Other(_) => Ok(opaque(scheme, Some(rest.into()), Params::new())),
        }
    }
}

fn parse_scheme(text: &str) -> Result<Scheme, SyntaxError> {
    let good = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.');
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || !text.bytes().all(good) {
        return Err(SyntaxError("URI without a scheme"));
    }
    let lower = text.to_ascii_lowercase();
    Ok(match lower.as_str() {
        "sip" => Scheme::Sip,
        "sips" => Scheme::Sips,
        "tel" => Scheme::Tel,
        _ => Scheme::Other(lower.into()),
    })
}

fn opaque(scheme: Scheme, user: Option<Box<str>>, params: Params) -> Uri {
    Uri {
        scheme,
        user,
        password: None,
        host: None,
        port: None,
        params,
        headers: None,
    }
}

fn parse_tel(rest: &str) -> Result<Uri, SyntaxError> {
    let at = rest.find(';').unwrap_or(rest.len());
    let (number, params) = rest.split_at(at);
    if number.is_empty() {
        return Err(SyntaxError("tel URI without a number"));
    }
    Ok(opaque(
        Scheme::Tel,
        Some(number.into()),
        Params::parse(params)?,
    ))
}

fn parse_sip(scheme: Scheme, rest: &str) -> Result<Uri, SyntaxError> {
    check_escapes(rest)?;
    // '@' must be escaped in every part, so the first one ends the user (which may have ';' and '?').
    let (userinfo, rest) = match rest.split_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, rest),
    };
    let (user, password) = match userinfo.map(|all| {
        all.split_once(':')
            .map_or((all, None), |(u, p)| (u, Some(p)))
    }) {
        Some(("", _)) => return Err(SyntaxError("'@' without a user before it")),
        Some((user, password)) => (Some(user), password),
        None => (None, None),
    };
    let (rest, headers) = match rest.split_once('?') {
        Some((rest, headers)) => (rest, Some(headers)),
        None => (rest, None),
    };
    if rest.contains('@') {
        return Err(SyntaxError("second '@' in the URI; escape it as %40"));
    }
    let at = rest.find(';').unwrap_or(rest.len());
    let (hostport, params) = rest.split_at(at);
    let (host, port) = parse_hostport(hostport)?;
    Ok(Uri {
        scheme,
        user: user.map(Into::into),
        password: password.map(Into::into),
        host: Some(host),
        port,
        params: parse_params(params)?,
        headers: headers.map(Into::into),
    })
}

/// Reads parameters; escapes that hide an unreserved character mean that character (RFC 3261 section 19.1.2), so that
/// `%6C%72` is found as `lr`.
fn parse_params(text: &str) -> Result<Params, SyntaxError> {
    match text.contains('%') {
        true => Params::parse(&normal(text)),
        false => Params::parse(text),
    }
}

/// Reads `host`, `host:port` or `[address]:port`.
pub(crate) fn parse_hostport(text: &str) -> Result<(Host, Option<u16>), SyntaxError> {
    let split = match text.rfind(']') {
        Some(end) => end + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(split);
    let host = Host::parse(grammar::trim_str(host))?;
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

fn check_escapes(text: &str) -> Result<(), SyntaxError> {
    let octets = text.as_bytes();
    let bad = |at: usize| {
        !octets
            .get(at + 1..at + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    if memchr::memchr_iter(b'%', octets).any(bad) {
        return Err(SyntaxError("'%' without two hexadecimal digits"));
    }
    Ok(())
}

/// Resolves `%HH` once; lossy where the result is not UTF-8.
pub(crate) fn unescape(text: &str) -> String {
    String::from_utf8_lossy(&unescape_octets(text)).into_owned()
}

fn unescape_octets(text: &str) -> Vec<u8> {
    let octets = text.as_bytes();
    let mut plain = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(octet) = octets.get(at) {
        let hex = |offset: usize| {
            octets
                .get(at + offset)
                .and_then(|digit| char::from(*digit).to_digit(16))
        };
        match (octet, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(
                    u8::try_from(high * 16 + low).expect("two hexadecimal digits make an octet"),
                );
                at += 3;
            }
            _ => {
                plain.push(*octet);
                at += 1;
            }
        }
    }
    plain
}

/// Escapes everything but unreserved characters and those named.
fn escape(text: &str, also: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet) || also.contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            escaped.push_str(&format!("%{octet:02X}"));
        }
    }
    escaped
}

/// Escapes a user part (RFC 3261 section 25.1, user-unreserved).
fn escape_user(user: &str) -> String {
    escape(user, b"&=+$,;?/")
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme.as_str())?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            if self.host.is_some() {
                f.write_str("@")?;
            }
        }
        if let Some(host) = &self.host {
            host.fmt(f)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

impl PartialEq for Uri {
    /// Compares as RFC 3261 section 19.1.4 says; URIs of other schemes octet by octet.
    fn eq(&self, other: &Uri) -> bool {
        self.scheme == other.scheme
            && same_text(self.user(), other.user(), false)
            && same_text(self.password(), other.password(), false)
            && self.host == other.host
            && self.port == other.port
            && same_params(&self.params, &other.params)
            && same_headers(self.headers(), other.headers())
    }
}

/// Compares with escapes resolved where they hide an unreserved character.
fn same_text(a: Option<&str>, b: Option<&str>, ignore_case: bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) if ignore_case => normal(a).eq_ignore_ascii_case(&normal(b)),
        (Some(a), Some(b)) => a == b || normal(a) == normal(b),
        (a, b) => a == b,
    }
}

/// The text with each escape either resolved (unreserved characters) or in capitals.
fn normal(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escaped) = rest.split_at(at);
        all.push_str(before);
        let Some(code) = escaped.get(..3) else {
            rest = escaped;
            break;
        };
        match unescape_octets(code).as_slice() {
            [octet] if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(octet) => {
                all.push(char::from(*octet))
            }
            _ => all.push_str(&code.to_ascii_uppercase()),
        }
        rest = &escaped[3..];
    }
    all.push_str(rest);
    all
}

/// Parameters in both must match; these few may not stand in one URI only.
fn same_params(a: &Params, b: &Params) -> bool {
    let telling = ["user", "ttl", "method", "maddr", "transport"];
    telling
        .iter()
        .all(|name| a.contains(name) == b.contains(name))
        && a.iter().all(|(name, _)| match b.get(name) {
            Some(other) => same_text(a.get(name), Some(other), true),
            None => true,
        })
}

/// Headers are never ignored; their order is.
fn same_headers(a: Option<&str>, b: Option<&str>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return a.unwrap_or("").is_empty() && b.unwrap_or("").is_empty();
    };
    let sorted = |text: &str| {
        let mut all: Vec<(String, String)> = text
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (unescape(name).to_ascii_lowercase(), unescape(value)))
            .collect();
        all.sort();
        all
    };
    sorted(a) == sorted(b)
}
