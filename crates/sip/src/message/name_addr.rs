//! Addresses with a display name: From, To, Contact, Route and their like.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::error::SyntaxError;
use super::grammar;
use super::params::{Params, ParamsView};
use super::uri::{Uri, UriView};

/// `"Display" <uri>;params` (RFC 3261 section 20.10).
#[derive(Debug, Clone, PartialEq)]
pub struct NameAddr {
    /// Display name with quotes and backslashes resolved.
    pub display: Option<Box<str>>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// An address without name and parameters.
    pub fn new(uri: Uri) -> NameAddr {
        NameAddr {
            display: None,
            uri,
            params: Params::new(),
        }
    }

    /// The same address with a display name.
    #[must_use]
    pub fn with_display(mut self, display: &str) -> NameAddr {
        self.display = (!display.is_empty()).then(|| grammar::one_line(display).into());
        self
    }

    /// The same address with a header parameter; `None` sets a flag.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> NameAddr {
        self.params.set(name, value);
        self
    }

    /// The same address with a tag.
    #[must_use]
    pub fn with_tag(self, tag: &str) -> NameAddr {
        self.with_param("tag", Some(tag))
    }

    /// The tag of a From or To.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }
}

impl FromStr for NameAddr {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<NameAddr, SyntaxError> {
        NameAddrView::read(text).map(NameAddr::from)
    }
}

impl From<NameAddrView<'_>> for NameAddr {
    fn from(view: NameAddrView<'_>) -> NameAddr {
        NameAddr {
            display: view.display.map(Into::into),
            uri: view.uri.into(),
            params: view.params.into(),
        }
    }
}

/// An address that was read and still stands where it stood: the parts of a [`NameAddr`].
#[derive(Debug)]
pub(super) struct NameAddrView<'a> {
    display: Option<Cow<'a, str>>,
    uri: UriView<'a>,
    pub(super) params: ParamsView<'a>,
}

impl<'a> NameAddrView<'a> {
    /// Reads an address, as [`NameAddr`] is read from text.
    pub(super) fn read(text: &'a str) -> Result<NameAddrView<'a>, SyntaxError> {
        let text = grammar::trim_str(text);
        let (display, rest) = split_display(text)?;
        let Some(inside) = rest.strip_prefix('<') else {
            return bare(text);
        };
        let (uri, params) =
            grammar::split_once(inside, b'>').ok_or(SyntaxError("'<' without '>'"))?;
        Ok(NameAddrView {
            display,
            uri: UriView::read(uri)?,
            params: ParamsView::read(params)?,
        })
    }
}

/// Display name, if any, and the text from `<` on.
fn split_display(text: &str) -> Result<(Option<Cow<'_, str>>, &str), SyntaxError> {
    if text.starts_with('"') {
        let len = grammar::quoted_len(text).ok_or(SyntaxError("quote without its end"))?;
        let (quoted, rest) = text.split_at(len);
        let rest = grammar::trim_str(rest);
        if !rest.starts_with('<') {
            return Err(SyntaxError("no '<' after the display name"));
        }
        return Ok((Some(grammar::unquote(quoted)), rest));
    }
    let Some(at) = text.bytes().position(|octet| octet == b'<') else {
        return Ok((None, text));
    };
    let (display, rest) = text.split_at(at);
    let display = grammar::trim_str(display);
    // Unquoted words beyond tokens (accents, dots) are common and unambiguous; these are not.
    if display.contains(['"', ';', ',', ':', '@']) {
        return Err(SyntaxError(
            "display name with a special character; quote it",
        ));
    }
    Ok(((!display.is_empty()).then_some(display.into()), rest))
}

/// An address without brackets: its parameters belong to the header (RFC 3261 section 20.10).
fn bare(text: &str) -> Result<NameAddrView<'_>, SyntaxError> {
    let (uri, params) = grammar::split_params(text);
    let uri = UriView::read(grammar::trim_str(uri))?;
    if uri.has_headers() {
        return Err(SyntaxError("URI with '?' must stand in angle brackets"));
    }
    Ok(NameAddrView {
        display: None,
        uri,
        params: ParamsView::read(params)?,
    })
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", grammar::quote(&grammar::one_line(display)))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}
