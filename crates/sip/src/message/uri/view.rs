//! Reads URIs where they stand.

use super::Scheme;
use super::escape::{check_escapes, normal};
use super::host::{HostView, read_hostport};
use crate::message::error::SyntaxError;
use crate::message::grammar;
use crate::message::octets::{AT, NOT_URI, Octets, PERCENT, QUESTION_MARK, SCHEME, SEMICOLON};
use crate::message::params::ParamsView;

/// A URI that was read and still stands where it stood: the parts of a [`Uri`](super::Uri).
#[derive(Debug)]
pub(in crate::message) struct UriView<'a> {
    pub(super) scheme: Scheme,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a str>,
    pub(super) host: Option<HostView<'a>>,
    pub(super) port: Option<u16>,
    pub(super) params: ParamsView<'a>,
    pub(super) headers: Option<&'a str>,
}

impl<'a> UriView<'a> {
    /// Reads a URI, as [`Uri`](super::Uri) is read from text.
    pub(in crate::message) fn read(text: &'a str) -> Result<UriView<'a>, SyntaxError> {
        let met = Octets::met_in(text.as_bytes());
        if met.meets(NOT_URI) {
            return Err(SyntaxError(
                "URI with a blank, quote, bracket or non-ASCII character; escape it as %HH",
            ));
        }
        let (scheme, rest) = read_scheme(text).ok_or(SyntaxError("URI without a scheme"))?;
        match scheme {
            Scheme::Sip | Scheme::Sips => read_sip(scheme, rest, met),
            Scheme::Tel => read_tel(rest),
            Scheme::Other(_) => opaque(scheme, rest, ""),
        }
    }

    /// The scheme.
    pub(in crate::message) fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Whether there is something behind a question mark.
    pub(in crate::message) fn has_headers(&self) -> bool {
        self.headers.is_some()
    }
}

/// The scheme, and the text behind its colon.
fn read_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_at(SCHEME.span(text.as_bytes()));
    let rest = rest.strip_prefix(':')?;
    let known = [Scheme::Sip, Scheme::Sips, Scheme::Tel];
    let known = known
        .into_iter()
        .find(|known| scheme.eq_ignore_ascii_case(known.as_str()));
    let other = || {
        let good = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        good.then(|| Scheme::Other(scheme.to_ascii_lowercase().into()))
    };
    Some((known.or_else(other)?, rest))
}

/// A URI without a host: all before the parameters is the user.
fn opaque<'a>(scheme: Scheme, user: &'a str, params: &'a str) -> Result<UriView<'a>, SyntaxError> {
    Ok(UriView {
        scheme,
        user: Some(user),
        password: None,
        host: None,
        port: None,
        params: ParamsView::read(params)?,
        headers: None,
    })
}

fn read_tel(rest: &str) -> Result<UriView<'_>, SyntaxError> {
    let (number, params) = grammar::split_params(rest);
    if number.is_empty() {
        return Err(SyntaxError("tel URI without a number"));
    }
    opaque(Scheme::Tel, number, params)
}

/// Reads what is behind the colon; of what was not met in the whole URI nothing is looked for.
fn read_sip(scheme: Scheme, rest: &str, met: Octets) -> Result<UriView<'_>, SyntaxError> {
    if met.meets(PERCENT) {
        check_escapes(rest)?;
    }
    // '@' must be escaped in every part, so the first one ends the user (which may have ';' and '?').
    let at = met.meets(AT).then(|| grammar::split_once(rest, b'@'));
    let (user, password, rest) = match at.flatten() {
        Some((userinfo, rest)) => {
            let (user, password) = split_optional(userinfo, b':');
            (Some(user), password, rest)
        }
        None => (None, None, rest),
    };
    if user == Some("") {
        return Err(SyntaxError("'@' without a user before it"));
    }
    let (rest, headers) = match met.meets(QUESTION_MARK) {
        true => split_optional(rest, b'?'),
        false => (rest, None),
    };
    if user.is_some() && rest.bytes().any(|octet| octet == b'@') {
        return Err(SyntaxError("second '@' in the URI; escape it as %40"));
    }
    let (hostport, params) = match met.meets(SEMICOLON) {
        true => grammar::split_params(rest),
        false => (rest, ""),
    };
    let (host, port) = read_hostport(hostport)?;
    let params = match met.meets(PERCENT) {
        true => read_escaped_params(params)?,
        false => ParamsView::read(params)?,
    };
    Ok(UriView {
        scheme,
        user,
        password,
        host: Some(host),
        port,
        params,
        headers,
    })
}

/// The text before an octet, and that behind it if it is there.
fn split_optional(text: &str, octet: u8) -> (&str, Option<&str>) {
    match grammar::split_once(text, octet) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

/// Reads parameters; escapes that hide an unreserved character mean that character (RFC 3261 section 19.1.2), so that
/// `%6C%72` is found as `lr`.
fn read_escaped_params(text: &str) -> Result<ParamsView<'_>, SyntaxError> {
    match text.contains('%') {
        true => ParamsView::read_owned(normal(text)),
        false => ParamsView::read(text),
    }
}
