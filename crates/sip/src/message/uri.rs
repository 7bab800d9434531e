//! SIP, SIPS and tel URIs; others are carried as they are.

mod escape;
mod host;
mod view;

use std::fmt;
use std::str::FromStr;

use escape::{escape, escape_user, normal, unescape};
pub use host::Host;
pub(super) use host::{HostView, read_hostport};
pub(super) use view::UriView;

use super::error::SyntaxError;
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
        UriView::read(text).map(Uri::from)
    }
}

impl From<UriView<'_>> for Uri {
    fn from(view: UriView<'_>) -> Uri {
        Uri {
            scheme: view.scheme,
            user: view.user.map(Into::into),
            password: view.password.map(Into::into),
            host: view.host.map(Host::from),
            port: view.port,
            params: view.params.into(),
            headers: view.headers.map(Into::into),
        }
    }
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

#[cfg(test)]
mod tests;
