//! A value of a configuration together with the place where it was written.

use super::mistake::{Mistake, Place};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its key and place.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Key with all its tables, such as `initial.settings.sip.local_port`.
    pub key: String,
    /// The last part of the key, such as `local_port`.
    pub name: String,
    /// Where the value stands.
    pub place: Place,
    /// Where the key stands.
    pub key_place: Place,
    /// The value.
    pub content: Content,
}

/// A value as TOML knows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Text.
    Text(String),
    /// Whole number.
    Integer(i64),
    /// Number with a point; also a whole number too large for 64 bits.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Date or time, as written.
    Time(String),
    /// List.
    List(Vec<Entry>),
    /// Table, in the order of the file.
    Table(Vec<Entry>),
}

impl Entry {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Content::Text(text) = &self.content {
            Some(text)
        } else {
            None
        }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub const fn as_i64(&self) -> Option<i64> {
        if let Content::Integer(number) = self.content {
            Some(number)
        } else {
            None
        }
    }

    /// The number, whole or not, if it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self.content {
            Content::Float(number) => Some(number),
            // Beyond 2^53 the nearest number is meant.
            Content::Integer(number) => Some(number as f64),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Content::Bool(truth) = self.content {
            Some(truth)
        } else {
            None
        }
    }

    /// The list's values; none when it is no list.
    #[must_use]
    pub fn list(&self) -> &[Entry] {
        if let Content::List(list) = &self.content {
            list
        } else {
            &[]
        }
    }

    /// The table's entries in the order of the file; none when it is no table.
    #[must_use]
    pub fn table(&self) -> &[Entry] {
        if let Content::Table(table) = &self.content {
            table
        } else {
            &[]
        }
    }

    /// The table's entry of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.table().iter().find(|entry| entry.name == name)
    }

    /// A mistake in this value.
    #[must_use]
    pub fn mistake(&self, what: impl Into<String>, remedy: impl Into<String>) -> Mistake {
        Mistake {
            place: self.place.clone(),
            key: self.key.clone(),
            value: Some(self.shown()),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The type in words.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self.content {
            Content::Text(_) => "text",
            Content::Integer(_) => "a whole number",
            Content::Float(_) => "a number",
            Content::Bool(_) => "a truth value",
            Content::Time(_) => "a date or time",
            Content::List(_) => "a list",
            Content::Table(_) => "a table",
        }
    }

    /// The value as written, cut after 60 characters.
    fn shown(&self) -> String {
        let whole = self.content.to_string();
        match whole.char_indices().nth(60) {
            Some((cut, _)) => format!("{}...", &whole[..cut]),
            None => whole,
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Text(text) => write!(f, "{text:?}"),
            Content::Integer(number) => write!(f, "{number}"),
            Content::Float(number) => write!(f, "{number:?}"),
            Content::Bool(truth) => write!(f, "{truth}"),
            Content::Time(time) => f.write_str(time),
            Content::List(list) => {
                let parts: Vec<String> = list.iter().map(|e| e.content.to_string()).collect();
                write!(f, "[{}]", parts.join(", "))
            }
            Content::Table(_) => f.write_str("{...}"),
        }
    }
}

/// Turns byte offsets of a text into places.
pub(super) enum Source<'a> {
    /// A file of this name.
    File { name: Arc<str>, text: &'a str },
    /// A variable of the environment, which is one place.
    Variable(&'a str),
}

impl Source<'_> {
    /// The place of a span's first octet.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let (name, text) = match self {
            Source::File { name, text } => (name, text),
            Source::Variable(variable) => return Place::Environment((*variable).to_owned()),
        };
        let start = (0..=span.start.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at));
        let before = &text[..start.unwrap_or(0)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::File {
            name: name.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// A table with all that is in it, ordered by place.
    pub(super) fn table(&self, prefix: &str, table: &DeTable<'_>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(name, value)| {
                let key = join(prefix, name.get_ref());
                self.entry(key, name.get_ref(), self.place(&name.span()), value)
            })
            .collect();
        entries.sort_by(|a, b| a.key_place.cmp(&b.key_place));
        entries
    }

    /// One value with all that is in it.
    pub(super) fn entry(
        &self,
        key: String,
        name: &str,
        key_place: Place,
        value: &Spanned<DeValue<'_>>,
    ) -> Entry {
        let place = self.place(&value.span());
        let content = match value.get_ref() {
            DeValue::String(text) => Content::Text(text.to_string()),
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                i64::from_str_radix(&digits, number.radix()).map_or_else(
                    |_| Content::Float(digits.parse().unwrap_or(f64::MAX)),
                    Content::Integer,
                )
            }
            DeValue::Float(number) => {
                Content::Float(number.as_str().replace('_', "").parse().unwrap_or(f64::NAN))
            }
            DeValue::Boolean(truth) => Content::Bool(*truth),
            DeValue::Datetime(time) => Content::Time(time.to_string()),
            DeValue::Array(list) => Content::List(
                list.iter()
                    .enumerate()
                    .map(|(at, item)| {
                        let place = self.place(&item.span());
                        self.entry(format!("{key}[{at}]"), &at.to_string(), place, item)
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Content::Table(self.table(&key, table)),
        };
        Entry {
            key,
            name: name.to_owned(),
            place,
            key_place,
            content,
        }
    }
}

/// Joins tables and key by a dot.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}
