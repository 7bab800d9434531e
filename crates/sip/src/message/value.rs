//! One header value, untyped.

use std::borrow::Cow;
use std::fmt;

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
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
