//! The store's rows of configuration, read into the book.

use ipdect_cluster::keys::prefix;
use ipdect_cluster::{Key, Revision, Row, Store, StoreError};
use ipdect_dect::identity::Ipei;

use super::book::{Book, Kept};
use super::plan::Effect;

/// Rows read at a time.
const PAGE: usize = 500;

/// Reads all rows of configuration.
pub(super) async fn read_all(store: &dyn Store) -> Result<Book, StoreError> {
    let mut book = Book::default();
    let folders = [
        prefix::USERS,
        prefix::HANDSETS,
        prefix::DEVICES,
        prefix::SETTINGS,
        prefix::TOKENS,
        prefix::ACCOUNTS,
    ];
    for folder in folders {
        for row in range(store, folder).await? {
            read(&mut book, &row)?;
        }
    }
    Ok(book)
}

fn read(book: &mut Book, row: &Row) -> Result<(), StoreError> {
    match Key::parse(&row.key) {
        Some(Key::User(id)) => book.put_user(&id, decode(row)?),
        Some(Key::Handset(digits)) => {
            let ipei: Ipei = digits.parse().map_err(|e| bad(&row.key, format!("{e}")))?;
            book.put_handset(ipei, decode(row)?);
        }
        Some(Key::Device(node)) => drop(book.devices.insert(node, decode(row)?)),
        Some(Key::Settings(scope)) => drop(book.settings.insert(scope, decode(row)?)),
        Some(Key::Token(hash)) => drop(book.tokens.insert(hash, decode(row)?)),
        Some(Key::Account(name)) => drop(book.accounts.insert(name, decode(row)?)),
        _ => return Err(bad(&row.key, "its key is not understood".into())),
    }
    Ok(())
}

/// All rows below a prefix.
pub(crate) async fn range(store: &dyn Store, prefix: &str) -> Result<Vec<Row>, StoreError> {
    let mut all: Vec<Row> = Vec::new();
    loop {
        let after = all.last().map(|r| r.key.clone());
        let page = store.range(prefix, after.as_deref(), PAGE).await?;
        all.extend(page.rows);
        if !page.more {
            return Ok(all);
        }
    }
}

/// Takes one written row into the book.
pub(super) fn take(book: &mut Book, effect: Effect, revision: Revision) {
    match effect {
        Effect::User(id, row) => book.put_user(&id, Kept { row, revision }),
        Effect::NoUser(id) => book.drop_user(&id),
        Effect::Handset(ipei, row) => book.put_handset(ipei, Kept { row, revision }),
        Effect::NoHandset(ipei) => book.drop_handset(ipei),
        Effect::Device(node, row) => drop(book.devices.insert(node, Kept { row, revision })),
        Effect::NoDevice(node) => drop(book.devices.remove(&node)),
        Effect::Settings(scope, row) => drop(book.settings.insert(scope, Kept { row, revision })),
        Effect::Token(hash, row) => drop(book.tokens.insert(hash, Kept { row, revision })),
        Effect::NoToken(hash) => drop(book.tokens.remove(&hash)),
        Effect::Account(name, row) => drop(book.accounts.insert(name, Kept { row, revision })),
        Effect::NoAccount(name) => drop(book.accounts.remove(&name)),
        Effect::Audit(..) => {}
    }
}

fn decode<T: prost::Message + Default>(row: &Row) -> Result<Kept<T>, StoreError> {
    let decoded = T::decode(row.value.clone()).map_err(|e| bad(&row.key, e.to_string()))?;
    Ok(Kept {
        row: decoded,
        revision: row.mod_revision,
    })
}

fn bad(key: &str, what: String) -> StoreError {
    StoreError::BadRow {
        key: key.into(),
        what,
    }
}
