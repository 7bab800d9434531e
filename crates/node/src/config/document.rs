//! A configuration file as text and the environment beside it, before any key is known.

use super::entry::{Content, Entry, Source};
use super::mistake::{ConfigErrors, Mistake, Place};
use super::reader::{Reader, Section};
use std::path::Path;
use std::sync::Arc;
use toml::de::DeTable;

/// Prefix of the variables that stand for keys.
pub(super) const PREFIX: &str = "IPDECT_";

/// A parsed file and the variables that override it.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) name: Arc<str>,
    pub(super) entries: Vec<Entry>,
    pub(super) syntax: Vec<Mistake>,
    pub(super) variables: Vec<(String, String)>,
}

impl Document {
    /// Reads and parses a file. Errors of TOML are kept, to be told together with all others.
    ///
    /// # Errors
    /// One mistake if the file cannot be read.
    pub fn load(path: &Path) -> Result<Document, ConfigErrors> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Document::parse(&name, &text)),
            Err(error) => Err(ConfigErrors::one(Mistake {
                place: Place::Missing { name: name.into() },
                key: String::new(),
                value: None,
                what: format!("cannot be read: {error}"),
                remedy:
                    "name a readable TOML file with --config, or leave the option out for defaults"
                        .into(),
            })),
        }
    }

    /// Parses a text; `name` is how mistakes call it.
    #[must_use]
    pub fn parse(name: &str, text: &str) -> Document {
        let source = Source::File {
            name: name.into(),
            text,
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let syntax = errors
            .iter()
            .map(|error| Mistake {
                place: source.place(&error.span().unwrap_or(0..0)),
                key: String::new(),
                value: None,
                what: format!("not TOML: {}", error.message().replace('\n', ", ")),
                remedy: "mend the line; texts need quotes, tables stand in [brackets]".into(),
            })
            .collect();
        let entries = source.table("", table.get_ref());
        Document {
            name: name.into(),
            entries,
            syntax,
            variables: Vec::new(),
        }
    }

    /// An empty file, for a program that was given none.
    #[must_use]
    pub fn empty(name: &str) -> Document {
        Document::parse(name, "")
    }

    /// Puts variables on top, such as `IPDECT_LINK__LISTEN`; those without the prefix are left out.
    #[must_use]
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Document {
        self.variables = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        self.variables.sort();
        self
    }

    /// Puts this process' environment on top. Variables that are no Unicode are left out.
    #[must_use]
    pub fn with_process_environment(self) -> Document {
        self.with_environment(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// Checks everything against the keys that the program knows.
    #[must_use]
    pub fn read(self, sections: &[Section]) -> Reader {
        Reader::new(self, sections)
    }
}

/// The table of a variable's value: its text as TOML where the kind is not text, else the text itself.
pub(super) fn variable_entry(variable: &str, key: &str, raw: &str, kind: &super::Kind) -> Entry {
    let source = Source::Variable(variable);
    let place = Place::Environment(variable.to_owned());
    let name = key.rsplit('.').next().unwrap_or(key);
    let plain = |content| Entry {
        key: key.to_owned(),
        name: name.to_owned(),
        place: place.clone(),
        key_place: place.clone(),
        content,
    };
    if kind.is_text() {
        return plain(Content::Text(raw.to_owned()));
    }
    if let Ok(value) = toml::de::DeValue::parse(raw.trim()) {
        return source.entry(key.to_owned(), name, place.clone(), &value);
    }
    if kind.is_list() {
        let parts = raw
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        return plain(Content::List(
            parts.map(|part| plain(scalar(part))).collect(),
        ));
    }
    plain(Content::Text(raw.to_owned()))
}

/// A member of a list that was written with commas only.
fn scalar(text: &str) -> Content {
    text.parse()
        .map(Content::Float)
        .unwrap_or_else(|_| Content::Text(text.to_owned()))
}
