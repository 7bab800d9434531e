//! The declared keys as text: for `--help`, and as a commented file with every default.

use super::entry::join;
use super::key::{Default, Key, Kind};
use super::reader::Section;
use std::collections::BTreeMap;
use std::fmt::Write;

/// All keys with kind, default, release, variable and meaning; one paragraph a key.
#[must_use]
pub fn key_list(sections: &[Section]) -> String {
    let mut text = String::new();
    for (path, key) in flat(sections) {
        let default = match key.default {
            Default::Written(written) => format!("default {written}"),
            _ if key.is_required() => "required".to_owned(),
            _ => "optional".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{path}\n    {}\n    {}; {default}; since {}; {}",
            key.doc,
            key.kind.words(),
            key.since,
            variable(&path)
        );
    }
    text
}

/// A file with every key, each explained; defaults are commented out, required keys are left to fill in.
#[must_use]
pub fn default_file(title: &str, sections: &[Section]) -> String {
    let mut text = format!("# {title}\n# Every key with its default; a line without # is read.\n");
    let mut tables: BTreeMap<String, Vec<(String, Key)>> = BTreeMap::new();
    for (path, key) in flat(sections) {
        let (table, name) = path.rsplit_once('.').unwrap_or(("", &path));
        tables
            .entry(table.to_owned())
            .or_default()
            .push((name.to_owned(), key));
    }
    for (table, keys) in tables {
        let (raw, plain): (Vec<_>, Vec<_>) = keys
            .into_iter()
            .partition(|(_, key)| matches!(key.kind, Kind::Table | Kind::Tables));
        if !plain.is_empty() && !table.is_empty() {
            let _ = writeln!(text, "\n[{table}]");
        }
        plain
            .iter()
            .for_each(|(name, key)| write_key(&mut text, name, key));
        raw.iter()
            .for_each(|(name, key)| write_raw(&mut text, &join(&table, name), key));
    }
    text
}

fn write_key(text: &mut String, name: &str, key: &Key) {
    let _ = writeln!(
        text,
        "# {} ({}; since {})",
        key.doc,
        key.kind.words(),
        key.since
    );
    let _ = match key.default {
        Default::Written(written) => writeln!(text, "#{name} = {written}"),
        _ if key.is_required() => writeln!(text, "#{name} =    # required"),
        _ => writeln!(text, "#{name} ="),
    };
}

fn write_raw(text: &mut String, path: &str, key: &Key) {
    let _ = writeln!(text, "\n# {} (since {})", key.doc, key.since);
    let _ = match key.kind {
        Kind::Tables => writeln!(text, "#[[{path}]]"),
        _ => writeln!(text, "#[{path}]"),
    };
}

/// The variable of the environment that overrides a key.
fn variable(path: &str) -> String {
    format!("IPDECT_{}", path.to_ascii_uppercase().replace('.', "__"))
}

fn flat(sections: &[Section]) -> Vec<(String, Key)> {
    sections
        .iter()
        .flat_map(|s| s.keys.iter().map(|key| (join(s.prefix, key.path), *key)))
        .collect()
}
