//! The small words of the grammar: tokens, blanks, quoted strings, lists (RFC 3261 section 25.1).

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::error::SyntaxError;
use super::octets::{BLANK, TOKEN};

/// Whether a text is a token: at least one octet, all of them token characters.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && TOKEN.all(text)
}

/// The text without blanks at both ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let text = &text[BLANK.span(text)..];
    let end = text.iter().rposition(|octet| !BLANK.has(*octet));
    &text[..end.map_or(0, |last| last + 1)]
}

/// [`trim`] for text.
pub(crate) fn trim_str(text: &str) -> &str {
    // Blanks are ASCII, so that whole characters are left.
    let text = &text[BLANK.span(text.as_bytes())..];
    let last = text.bytes().rposition(|octet| !BLANK.has(octet));
    &text[..last.map_or(0, |last| last + 1)]
}

/// The text on one line: every fold becomes one space, octets that are not UTF-8 show as U+FFFD.
pub(crate) fn unfold(raw: &[u8]) -> Cow<'_, str> {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(raw),
    };
    if memchr2(b'\r', b'\n', raw).is_none() {
        return text;
    }
    let lines = text
        .split(['\r', '\n'])
        .map(|line| line.trim_matches([' ', '\t']));
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    Cow::Owned(lines.join(" "))
}

/// The text before and after the first of an octet; for short texts, which a search by words does not pay for.
pub(crate) fn split_once(text: &str, octet: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|found| found == octet)?;
    Some((&text[..at], &text[at + 1..]))
}

/// The text before its parameters, and these from their first semicolon on.
pub(crate) fn split_params(text: &str) -> (&str, &str) {
    let at = text.bytes().position(|found| found == b';');
    text.split_at(at.unwrap_or(text.len()))
}

/// Where the first octet of `wanted` stands outside quoted strings and angle brackets.
pub(crate) fn find_bare(text: &[u8], wanted: u8) -> Option<usize> {
    let first = memchr(wanted, text)?;
    if memchr2(b'"', b'<', &text[..first]).is_none() {
        return Some(first);
    }
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, octet) in text.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            octet if *octet == wanted && (!bracketed || wanted == b'>') => return Some(at),
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            _ => {}
        }
    }
    None
}

/// Where the first octet of `wanted` stands outside quoted strings.
pub(crate) fn find_unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let first = memchr(wanted, text)?;
    if memchr(b'"', &text[..first]).is_none() {
        return Some(first);
    }
    let (mut quoted, mut escaped) = (false, false);
    text.iter().position(|octet| {
        let plain = !quoted && !escaped;
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        plain && *octet == wanted
    })
}

/// Elements of a comma-separated list, trimmed; empty ones are left out.
pub(crate) struct List<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> List<'a> {
    /// The elements of one header value.
    pub(crate) fn new(text: &'a [u8]) -> List<'a> {
        List { rest: Some(text) }
    }
}

impl<'a> Iterator for List<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let text = self.rest.take()?;
            let element = match find_bare(text, b',') {
                Some(at) => {
                    self.rest = Some(&text[at + 1..]);
                    &text[..at]
                }
                None => text,
            };
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// Length of the quoted string at the start of the text, both quotes counted; `None` if it does not end.
pub(crate) fn quoted_len(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The inside of a quoted string with its backslashes resolved; a text without quotes as it is.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inside) = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return Cow::Borrowed(text);
    };
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let mut plain = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' {
            chars.next().unwrap_or('\\')
        } else {
            c
        });
    }
    Cow::Owned(plain)
}

/// The text as a quoted string, quotes and backslashes escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// The text with every octet that could end a line, or the message, made a space.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\r', '\n', '\0']) {
        Cow::Owned(text.replace(['\r', '\n', '\0'], " "))
    } else {
        Cow::Borrowed(text)
    }
}

/// Type and subtype of a media type, its parameters left out.
pub(crate) fn media_type(text: &str) -> Result<(&str, &str), SyntaxError> {
    let (kind, sub) = split_once(split_params(text).0, b'/').unwrap_or_default();
    let (kind, sub) = (trim_str(kind), trim_str(sub));
    match is_token(kind.as_bytes()) && is_token(sub.as_bytes()) {
        true => Ok((kind, sub)),
        false => Err(SyntaxError(
            "it must be type/subtype, such as application/sdp",
        )),
    }
}

/// Reads digits only: no sign, no blank; leading zeros count for nothing.
pub(crate) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_outside_quotes_and_brackets() {
        let all: Vec<&[u8]> = List::new(br#" "a, \" b" <sip:a,b@c>;x=1 ,, <sip:d> "#).collect();
        assert_eq!(all, [&br#""a, \" b" <sip:a,b@c>;x=1"#[..], b"<sip:d>"]);
    }

    #[test]
    fn folds_become_one_space() {
        assert_eq!(unfold(b"a\r\n\t  b \r\n c"), "a b c");
        assert_eq!(unfold(b"plain"), "plain");
        assert_eq!(unfold(b"L\xe4rm"), "L\u{fffd}rm");
    }

    #[test]
    fn quoting_is_undone_by_unquoting() {
        let odd = r#"say "\" , twice"#;
        assert_eq!(unquote(&quote(odd)), odd);
        assert_eq!(quoted_len(r#""a\"b" c"#), Some(6));
        assert_eq!(quoted_len(r#""open"#), None);
    }

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(number::<u8>("0070"), Some(70));
        assert_eq!(number::<u8>("256"), None);
        assert_eq!(number::<u32>("+1"), None);
        assert_eq!(number::<u32>(""), None);
    }
}
