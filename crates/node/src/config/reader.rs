//! Checks a document against the declared keys and lends typed values.

use super::document::{Document, PREFIX, variable_entry};
use super::entry::{Content, Entry, join};
use super::key::{Default, Key, Kind};
use super::mistake::{ConfigErrors, Mistake, Place, nearest};
use super::value::{FromValue, Value, check};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Keys that a document may have, at its root or below a table.
#[derive(Debug, Clone, Copy)]
pub struct Section<'k> {
    /// Table that they stand below; empty for the root.
    pub prefix: &'static str,
    /// The keys, with paths relative to it.
    pub keys: &'k [Key],
}

impl<'k> Section<'k> {
    /// Keys at the root.
    #[must_use]
    pub const fn root(keys: &'k [Key]) -> Section<'k> {
        Section { prefix: "", keys }
    }

    /// Keys below a table.
    #[must_use]
    pub const fn under(prefix: &'static str, keys: &'k [Key]) -> Section<'k> {
        Section { prefix, keys }
    }
}

/// What was found for one key.
#[derive(Debug)]
struct Slot {
    kind: Kind,
    entry: Option<Entry>,
    value: Option<Value>,
}

type Mistakes = Arc<Mutex<Vec<Mistake>>>;

/// A checked document.
#[derive(Debug)]
pub struct Reader {
    root: Scope,
}

/// The values below one table; what programs read from.
#[derive(Debug, Clone)]
pub struct Scope {
    name: Arc<str>,
    slots: Arc<BTreeMap<String, Slot>>,
    prefix: String,
    mistakes: Mistakes,
}

impl Reader {
    pub(super) fn new(document: Document, sections: &[Section]) -> Reader {
        let known: BTreeMap<String, Key> = sections
            .iter()
            .flat_map(|s| s.keys.iter().map(|key| (join(s.prefix, key.path), *key)))
            .collect();
        let mut mistakes = Vec::new();
        let whole = document.syntax.is_empty();
        let mut found = BTreeMap::new();
        walk(&document.entries, &known, &mut found, &mut mistakes);
        for (variable, raw) in &document.variables {
            take_variable(variable, raw, &known, &mut found, &mut mistakes);
        }
        let slots = fill(&document.name, &known, found, whole, &mut mistakes);
        if let Some(first) = document.syntax.iter().map(|mistake| &mistake.place).min() {
            // Behind the first error of TOML a file is full of mistakes that are none.
            mistakes.retain(|mistake| {
                mistake.place < *first || !matches!(mistake.place, Place::File { .. })
            });
            mistakes.extend(document.syntax);
        }
        Reader {
            root: Scope {
                name: document.name,
                slots: Arc::new(slots),
                prefix: String::new(),
                mistakes: Arc::new(Mutex::new(mistakes)),
            },
        }
    }

    /// The values at the root.
    #[must_use]
    pub fn root(&self) -> Scope {
        self.root.clone()
    }

    /// The values below a table.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Scope {
        self.root.under(prefix)
    }

    /// Gives what was made of the values, if nothing was wrong.
    ///
    /// # Errors
    /// All mistakes, in the order of their places.
    pub fn finish<T>(self, config: T) -> Result<T, ConfigErrors> {
        let mut mistakes = self
            .root
            .mistakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if mistakes.is_empty() {
            return Ok(config);
        }
        mistakes.sort_by(|a, b| (&a.place, &a.key).cmp(&(&b.place, &b.key)));
        Err(ConfigErrors(mistakes))
    }
}

impl Scope {
    /// The values below a table of this scope.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Scope {
        Scope {
            prefix: join(&self.prefix, prefix),
            ..self.clone()
        }
    }

    /// The value of a key, its default, or a stand-in when it is mistaken (then `finish` fails).
    ///
    /// # Panics
    /// If the program asks for a key that it did not declare, or as a type that the key's kind does not fit.
    #[must_use]
    pub fn get<T: FromValue>(&self, path: &str) -> T {
        let slot = self.slot(path);
        match &slot.value {
            Some(value) => T::from_value(value)
                .unwrap_or_else(|| panic!("key {path:?} does not hold this type")),
            None => T::from_absent().unwrap_or_else(T::stand_in),
        }
    }

    /// Whether the key was written in the file or the environment.
    ///
    /// # Panics
    /// If the program did not declare the key.
    #[must_use]
    pub fn is_set(&self, path: &str) -> bool {
        self.slot(path).entry.is_some()
    }

    /// The table of a [`Kind::Table`] key, with places, for the program to check.
    ///
    /// # Panics
    /// If the program did not declare the key.
    #[must_use]
    pub fn table(&self, path: &str) -> Option<Entry> {
        match &self.slot(path).value {
            Some(Value::Raw(entry)) => Some(entry.clone()),
            _ => None,
        }
    }

    /// The tables of a [`Kind::Tables`] key, with places, in the order of the file.
    ///
    /// # Panics
    /// If the program did not declare the key.
    #[must_use]
    pub fn tables(&self, path: &str) -> Vec<Entry> {
        self.table(path)
            .map(|entry| entry.list().to_vec())
            .unwrap_or_default()
    }

    /// Reads a table that was passed through against keys of its own; its mistakes join the others.
    #[must_use]
    pub fn inside(&self, table: &Entry, keys: &[Key]) -> Scope {
        let known = keys
            .iter()
            .map(|key| (join(&table.key, key.path), *key))
            .collect();
        let mut found = BTreeMap::new();
        let mut mistakes = Vec::new();
        walk(table.table(), &known, &mut found, &mut mistakes);
        let slots = fill(&self.name, &known, found, true, &mut mistakes);
        for mistake in &mut mistakes {
            if let Place::Missing { .. } = mistake.place {
                mistake.place = table.place.clone();
            }
        }
        mistakes
            .into_iter()
            .for_each(|mistake| self.report(mistake));
        Scope {
            slots: Arc::new(slots),
            prefix: table.key.clone(),
            ..self.clone()
        }
    }

    /// Adds a mistake that the program found in a key's value.
    ///
    /// # Panics
    /// If the program did not declare the key.
    pub fn mistake(&self, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let slot = self.slot(path);
        let mistake = match &slot.entry {
            Some(entry) => hide(&slot.kind, entry.mistake(what, remedy)),
            None => missing(
                &self.name,
                &join(&self.prefix, path),
                what.into(),
                remedy.into(),
            ),
        };
        self.report(mistake);
    }

    /// Adds a mistake that the program found elsewhere, such as in a table that was passed through.
    pub fn report(&self, mistake: Mistake) {
        self.mistakes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(mistake);
    }

    fn slot(&self, path: &str) -> &Slot {
        let full = join(&self.prefix, path);
        self.slots
            .get(&full)
            .unwrap_or_else(|| panic!("key {full:?} was not declared"))
    }
}

type Known = BTreeMap<String, Key>;

/// Sorts the entries of a table into known ones and mistakes.
fn walk(
    entries: &[Entry],
    known: &Known,
    found: &mut BTreeMap<String, Entry>,
    mistakes: &mut Vec<Mistake>,
) {
    for entry in entries {
        if known.contains_key(&entry.key) {
            found.insert(entry.key.clone(), entry.clone());
        } else if is_table_of(known, &entry.key) {
            match &entry.content {
                Content::Table(inner) => walk(inner, known, found, mistakes),
                _ => mistakes.push(entry.mistake(
                    format!("{} where a table is wanted", entry.type_name()),
                    format!("write its keys below [{}]", entry.key),
                )),
            }
        } else {
            mistakes.push(unknown(entry, known));
        }
    }
}

fn is_table_of(known: &Known, key: &str) -> bool {
    let prefix = format!("{key}.");
    known
        .range(prefix.clone()..)
        .next()
        .is_some_and(|(path, _)| path.starts_with(&prefix))
}

fn unknown(entry: &Entry, known: &Known) -> Mistake {
    let mut mistake = entry.mistake("unknown key", remedy_for_unknown(&entry.key, known));
    mistake.place = entry.key_place.clone();
    // An unknown key may be a misspelt secret.
    mistake.value = None;
    mistake
}

/// Names the key that was probably meant: same word in another table, or a similar path.
fn remedy_for_unknown(key: &str, known: &Known) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let tables = known
        .keys()
        .flat_map(|path| path.match_indices('.').map(|(at, _)| &path[..at]));
    let similar = nearest(key, known.keys().map(String::as_str).chain(tables));
    let elsewhere = known
        .keys()
        .find(|path| path.rsplit('.').next() == Some(last))
        .map(String::as_str);
    match similar.or(elsewhere) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "remove it; --help lists the keys".to_owned(),
    }
}

/// Takes a variable for the key that it names. Without `__` it counts only if it names one.
fn take_variable(
    variable: &str,
    raw: &str,
    known: &Known,
    found: &mut BTreeMap<String, Entry>,
    mistakes: &mut Vec<Mistake>,
) {
    let Some(rest) = variable.strip_prefix(PREFIX) else {
        return;
    };
    let path = rest.to_ascii_lowercase().replace("__", ".");
    if let Some(key) = known.get(&path) {
        found.insert(
            path.clone(),
            variable_entry(variable, &path, raw, &key.kind),
        );
    } else if rest.contains("__") {
        mistakes.push(Mistake {
            place: Place::Environment(variable.to_owned()),
            remedy: remedy_for_unknown(&path, known),
            key: path,
            value: None,
            what: "unknown key".to_owned(),
        });
    }
}

/// Checks what was found and puts defaults where nothing was.
fn fill(
    name: &Arc<str>,
    known: &Known,
    mut found: BTreeMap<String, Entry>,
    missing_counts: bool,
    mistakes: &mut Vec<Mistake>,
) -> BTreeMap<String, Slot> {
    let mut slots = BTreeMap::new();
    for (path, key) in known {
        let entry = found.remove(path);
        let value = match &entry {
            Some(entry) => match check(&key.kind, entry) {
                Ok(value) => Some(value),
                Err(what) => {
                    mistakes.push(hide(
                        &key.kind,
                        entry.mistake(what, format!("write {}", key.kind.words())),
                    ));
                    None
                }
            },
            None => {
                if key.is_required() && missing_counts {
                    let remedy = format!("add it: {} ({})", key.doc, key.kind.words());
                    mistakes.push(missing(
                        name,
                        path,
                        "required, but missing".to_owned(),
                        remedy,
                    ));
                }
                default_value(key)
            }
        };
        slots.insert(
            path.clone(),
            Slot {
                kind: key.kind,
                entry,
                value,
            },
        );
    }
    slots
}

/// A key's default as a value.
///
/// # Panics
/// If the declared default is no valid value of the key's kind.
fn default_value(key: &Key) -> Option<Value> {
    let Default::Written(written) = key.default else {
        return None;
    };
    let text = format!("x = {written}");
    let document = Document::parse("default", &text);
    let entry = document
        .entries
        .first()
        .unwrap_or_else(|| panic!("default of {} is no TOML", key.path));
    Some(check(&key.kind, entry).unwrap_or_else(|what| panic!("default of {}: {what}", key.path)))
}

fn missing(name: &Arc<str>, path: &str, what: String, remedy: String) -> Mistake {
    Mistake {
        place: Place::Missing { name: name.clone() },
        key: path.to_owned(),
        value: None,
        what,
        remedy,
    }
}

/// Takes the value out of a mistake about a secret.
fn hide(kind: &Kind, mut mistake: Mistake) -> Mistake {
    if matches!(kind, Kind::Secret { .. }) {
        mistake.value = None;
    }
    mistake
}
