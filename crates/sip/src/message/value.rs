//! One header value, untyped.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::error::SyntaxError;
use super::grammar;

/// A header value, or one element of a list, as it stands in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    raw: &'a [u8],
}

impl<'a> Value<'a> {
    pub(super) fn new(raw: &'a [u8]) -> Value<'a> {
        Value { raw }
    }

    /// The octets, folds included.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The text on one line; octets that are not UTF-8 show as U+FFFD.
    pub fn text(self) -> Cow<'a, str> {
        grammar::unfold(self.raw)
    }

    /// The elements of a comma-separated list.
    pub fn elements(self) -> impl Iterator<Item = Value<'a>> {
        grammar::List::new(self.raw).map(Value::new)
    }

    /// The value as a number in the range of its type.
    pub(super) fn number<T: FromStr>(self) -> Result<T, SyntaxError> {
        grammar::number(&self.text()).ok_or(SyntaxError("it must be a number in its range"))
    }

    /// The value as visible ASCII, at least one character.
    pub(super) fn visible(self) -> Result<&'a str, SyntaxError> {
        let good = !self.raw.is_empty() && self.raw.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(self.raw).ok().filter(|_| good);
        text.ok_or(SyntaxError("it must be visible ASCII without blanks"))
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
