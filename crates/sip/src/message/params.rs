//! Parameters behind a semicolon, of URIs and of header values.

use std::borrow::Cow;
use std::fmt;

use super::error::SyntaxError;
use super::grammar;
use super::octets::{PARAM_NAME, PARAM_VALUE};

/// Parameters as they stand in the message: `;name=value;flag`.
///
/// Names match without regard to case. The text is kept, so what is not understood is forwarded as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    text: Box<str>,
}

impl Params {
    /// No parameters.
    pub fn new() -> Params {
        Params::default()
    }

    /// Reads parameters; the text is empty or starts with a semicolon, blanks allowed around `;` and `=`.
    ///
    /// # Errors
    /// A quoted string that does not end, a name that is no token, text after a quoted value.
    pub fn parse(text: &str) -> Result<Params, SyntaxError> {
        ParamsView::read(text).map(Params::from)
    }

    /// Name and value of each parameter in order; the value without its quotes, `None` for a flag.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        named(&self.text)
    }

    /// Value of a parameter without its quotes; empty for a flag, `None` if it is not there.
    pub fn get(&self, name: &str) -> Option<&str> {
        find(&self.text, name)
    }

    /// Value of a parameter with the backslashes of its quoted string resolved.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        Pieces(&self.text)
            .map(split)
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| grammar::unquote(value.unwrap_or("")))
    }

    /// Whether a parameter is there, with or without a value.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Sets a parameter, in its place if it is there, else at the end; `None` sets a flag.
    ///
    /// The value is written as given; see [`Params::set_quoted`] for free text.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let new = match value {
            Some(value) => format!(";{}={}", clean(name), clean(value)),
            None => format!(";{}", clean(name)),
        };
        let mut done = false;
        let mut text = String::with_capacity(self.text.len() + new.len());
        for piece in Pieces(&self.text) {
            if !split(piece).0.eq_ignore_ascii_case(name) {
                text.push(';');
                text.push_str(piece);
            } else if !done {
                text.push_str(&new);
                done = true;
            }
        }
        if !done {
            text.push_str(&new);
        }
        self.text = text.into();
    }

    /// Sets a parameter to a quoted string.
    pub fn set_quoted(&mut self, name: &str, value: &str) {
        self.set(name, Some(&grammar::quote(&grammar::one_line(value))));
    }

    /// Takes a parameter away, wherever it stands.
    pub fn remove(&mut self, name: &str) {
        let mut text = String::with_capacity(self.text.len());
        for piece in Pieces(&self.text) {
            if !split(piece).0.eq_ignore_ascii_case(name) {
                text.push(';');
                text.push_str(piece);
            }
        }
        self.text = text.into();
    }

    /// The text as it goes on the wire.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Parameters that were read and still stand where they stood.
#[derive(Debug)]
pub(super) struct ParamsView<'a> {
    text: Cow<'a, str>,
}

impl<'a> ParamsView<'a> {
    /// [`Params::parse`] without a copy.
    pub(super) fn read(text: &'a str) -> Result<ParamsView<'a>, SyntaxError> {
        let text = grammar::trim_str(text);
        check(text)?;
        Ok(ParamsView { text: text.into() })
    }

    /// [`ParamsView::read`] of a text made for it.
    pub(super) fn read_owned(text: String) -> Result<ParamsView<'a>, SyntaxError> {
        check(&text)?;
        Ok(ParamsView { text: text.into() })
    }

    /// [`Params::get`].
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        find(&self.text, name)
    }
}

impl From<ParamsView<'_>> for Params {
    fn from(view: ParamsView<'_>) -> Params {
        Params {
            text: view.text.into(),
        }
    }
}

fn named(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    Pieces(text).filter_map(|piece| {
        let (name, value) = split(piece);
        (!name.is_empty()).then(|| (name, value.map(strip_quotes)))
    })
}

fn find<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    named(text)
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.unwrap_or(""))
}

/// Text between the semicolons that stand outside quotes, the first semicolon skipped.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.strip_prefix(';')?;
        let end = plain_len(text.as_bytes())
            .or_else(|| grammar::find_unquoted(text.as_bytes(), b';'))
            .unwrap_or(text.len());
        self.0 = &text[end..];
        Some(&text[..end])
    }
}

/// Name and raw value of one parameter.
fn split(piece: &str) -> (&str, Option<&str>) {
    match grammar::split_once(piece, b'=') {
        Some((name, value)) => (grammar::trim_str(name), Some(grammar::trim_str(value))),
        None => (grammar::trim_str(piece), None),
    }
}

fn strip_quotes(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}

/// Keeps a caller's value from ending the line it is written on.
fn clean(text: &str) -> Cow<'_, str> {
    grammar::one_line(text)
}

/// Length of the parameter at the start of the text, up to `;` or the end, if nothing in it needs a second look:
/// no blank, no quote, the name a good one.
fn plain_len(text: &[u8]) -> Option<usize> {
    let name = PARAM_NAME.span(text);
    let end = match text.get(name) {
        Some(b'=') if name > 0 => name + 1 + PARAM_VALUE.span(&text[name + 1..]),
        _ => name,
    };
    matches!(text.get(end), None | Some(b';')).then_some(end)
}

fn check(text: &str) -> Result<(), SyntaxError> {
    if !text.is_empty() && !text.starts_with(';') {
        return Err(SyntaxError(
            "text where a parameter should start; put ';' before it",
        ));
    }
    let mut rest = text;
    while let Some(inside) = rest.strip_prefix(';') {
        let end = match plain_len(inside.as_bytes()) {
            Some(end) => end,
            None => check_odd(inside)?,
        };
        rest = &inside[end..];
    }
    Ok(())
}

/// Checks the parameter at the start of the text; its length.
fn check_odd(text: &str) -> Result<usize, SyntaxError> {
    let end = grammar::find_unquoted(text.as_bytes(), b';').unwrap_or(text.len());
    let (name, value) = split(&text[..end]);
    match value {
        // Empty parameters (";;") are common and harmless.
        None if name.is_empty() => return Ok(end),
        None => {}
        Some(value)
            if value.starts_with('"') && grammar::quoted_len(value) == Some(value.len()) => {}
        Some(value) if value.starts_with('"') => {
            return Err(SyntaxError(
                "quoted parameter value does not end where the parameter does",
            ));
        }
        Some(value) if !PARAM_VALUE.all(value.as_bytes()) => {
            return Err(SyntaxError(
                "blank or quote inside a parameter value; quote the value",
            ));
        }
        Some(_) => {}
    }
    if name.is_empty() || !PARAM_NAME.all(name.as_bytes()) {
        return Err(SyntaxError("parameter name is not a token"));
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name_in_any_case() {
        let params = Params::parse(r#" ; Tag = a1;lr ;+sip.instance="<urn:uuid:1;2>""#).unwrap();
        assert_eq!(params.get("tag"), Some("a1"));
        assert_eq!(params.get("LR"), Some(""));
        assert_eq!(params.get("+sip.instance"), Some("<urn:uuid:1;2>"));
        assert_eq!(params.get("x"), None);
        assert_eq!(params.iter().count(), 3);
    }

    #[test]
    fn setting_keeps_the_rest_as_it_was() {
        let mut params = Params::parse(";a=1;rport;b=\"x;y\"").unwrap();
        params.set("rport", Some("5060"));
        params.set("received", Some("192.0.2.1"));
        assert_eq!(
            params.as_str(),
            ";a=1;rport=5060;b=\"x;y\";received=192.0.2.1"
        );
        params.remove("a");
        params.set("lr", None);
        assert_eq!(
            params.as_str(),
            ";rport=5060;b=\"x;y\";received=192.0.2.1;lr"
        );
    }

    #[test]
    fn a_value_cannot_break_out_of_its_line() {
        let mut params = Params::new();
        params.set_quoted("text", "a\r\nb \"c\"");
        assert_eq!(params.as_str(), r#";text="a  b \"c\"""#);
        assert_eq!(params.unquoted("text").unwrap(), "a  b \"c\"");
    }

    #[test]
    fn broken_parameters_are_refused() {
        for bad in ["x", ";a=\"open", ";a=\"b\"c", ";a b", ";=v", ";a=b c"] {
            assert!(Params::parse(bad).is_err(), "{bad}");
        }
    }
}
