//! The Via header.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::error::SyntaxError;
use super::grammar;
use super::octets::TOKEN;
use super::params::{Params, ParamsView};
use super::uri::{Host, HostView, read_hostport};

/// Start of every branch made after RFC 3261 (section 8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One hop: `SIP/2.0/UDP host:port;branch=...` (RFC 3261 section 20.42).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// Transport in capitals: `UDP`, `TCP`, `TLS`, ...
    pub transport: Box<str>,
    /// Host of sent-by.
    pub host: Host,
    /// Port of sent-by, if written.
    pub port: Option<u16>,
    /// Parameters.
    pub params: Params,
}

impl Via {
    /// A Via of ours; the branch must start with the magic cookie.
    pub fn new(transport: &str, host: Host, port: Option<u16>, branch: &str) -> Via {
        let mut params = Params::new();
        params.set("branch", Some(branch));
        Via {
            transport: transport.to_ascii_uppercase().into(),
            host,
            port,
            params,
        }
    }

    /// The branch.
    pub fn branch(&self) -> Option<&str> {
        self.params
            .get("branch")
            .filter(|branch| !branch.is_empty())
    }

    /// Whether the branch is unique as RFC 3261 asks, so that it alone finds the transaction.
    pub fn has_unique_branch(&self) -> bool {
        let cookie = MAGIC_COOKIE.as_bytes();
        self.branch().is_some_and(|branch| {
            branch.len() > cookie.len()
                && branch.as_bytes()[..cookie.len()].eq_ignore_ascii_case(cookie)
        })
    }

    /// Address the request came from, as its receiver wrote it; with or without brackets.
    pub fn received(&self) -> Option<IpAddr> {
        Host::parse(self.params.get("received")?).ok()?.ip()
    }

    /// Port the request came from (RFC 3581); `None` also while the flag has no value.
    pub fn rport(&self) -> Option<u16> {
        grammar::number(self.params.get("rport")?)
    }

    /// Whether the sender asks for answers at the port it sent from (RFC 3581).
    pub fn wants_rport(&self) -> bool {
        self.params.contains("rport")
    }

    /// The same Via with a parameter; `None` sets a flag.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Via {
        self.params.set(name, value);
        self
    }

    /// Writes down where the request really came from (RFC 3261 section 18.2.1, RFC 3581 section 4).
    pub fn note_source(&mut self, address: IpAddr, port: u16) {
        let asked = self.wants_rport();
        if asked {
            self.params.set("rport", Some(&port.to_string()));
        }
        if asked || self.host.ip() != Some(address) {
            self.params.set("received", Some(&address.to_string()));
        }
    }
}

impl FromStr for Via {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Via, SyntaxError> {
        ViaView::read(text).map(Via::from)
    }
}

impl From<ViaView<'_>> for Via {
    fn from(view: ViaView<'_>) -> Via {
        Via {
            transport: view.transport.to_ascii_uppercase().into(),
            host: view.host.into(),
            port: view.port,
            params: view.params.into(),
        }
    }
}

/// A Via that was read and still stands where it stood: the parts of a [`Via`].
#[derive(Debug)]
pub(super) struct ViaView<'a> {
    transport: &'a str,
    host: HostView<'a>,
    port: Option<u16>,
    pub(super) params: ParamsView<'a>,
}

impl<'a> ViaView<'a> {
    /// Reads one hop, as [`Via`] is read from text.
    pub(super) fn read(text: &'a str) -> Result<ViaView<'a>, SyntaxError> {
        let (head, params) = grammar::split_params(text);
        let rest = match head.strip_prefix("SIP/2.0/") {
            Some(rest) => rest,
            None => read_protocol(head)?,
        };
        let rest = grammar::trim_str(rest);
        let (transport, sent_by) = rest.split_at(TOKEN.span(rest.as_bytes()));
        match sent_by.as_bytes().first() {
            Some(b' ' | b'\t') => {}
            None => return Err(SyntaxError("no sent-by")),
            _ => return Err(SyntaxError("transport is not a token")),
        }
        let (host, port) = read_hostport(grammar::trim_str(sent_by))?;
        Ok(ViaView {
            transport,
            host,
            port,
            params: ParamsView::read(params)?,
        })
    }
}

/// The text behind a sent-protocol of SIP/2.0 that is written with blanks or small letters.
fn read_protocol(head: &str) -> Result<&str, SyntaxError> {
    let missing = SyntaxError("no sent-protocol");
    let (name, rest) = grammar::split_once(head, b'/').ok_or(missing)?;
    let (version, rest) = grammar::split_once(rest, b'/').ok_or(missing)?;
    let good =
        grammar::trim_str(name).eq_ignore_ascii_case("SIP") && grammar::trim_str(version) == "2.0";
    good.then_some(rest)
        .ok_or(SyntaxError("sent-protocol is not SIP/2.0"))
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}
