//! Transactions: guards on rows, and what to write if all of them hold.

use crate::error::StoreError;
use crate::store::{Change, Revision, Row};
use bytes::Bytes;
use std::collections::BTreeSet;

/// Most guards, and most operations, of one transaction: etcd's default limit.
pub const MAX_PARTS: usize = 128;
/// Longest key, in octets.
pub const MAX_KEY: usize = 512;
/// Most octets of all keys and values of one transaction; etcd's default is 1.5 MiB for the whole request.
pub const MAX_OCTETS: usize = 1024 * 1024;

/// A condition on one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// There is no such row.
    Absent(String),
    /// There is one, whatever is in it.
    Present(String),
    /// It was last written by this revision.
    Unchanged(String, Revision),
}

impl Guard {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Guard::Absent(key) | Guard::Present(key) | Guard::Unchanged(key, _) => key,
        }
    }

    /// Whether it holds for a row last written by `found`, or absent.
    #[must_use]
    pub fn holds(&self, found: Option<Revision>) -> bool {
        match self {
            Guard::Absent(_) => found.is_none(),
            Guard::Present(_) => found.is_some(),
            Guard::Unchanged(_, revision) => found == Some(*revision),
        }
    }
}

/// A write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Write a row, whatever was there.
    Put(String, Bytes),
    /// Remove a row; none there is no error.
    Delete(String),
}

impl Op {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Op::Put(key, _) | Op::Delete(key) => key,
        }
    }

    fn octets(&self) -> usize {
        match self {
            Op::Put(key, value) => key.len() + value.len(),
            Op::Delete(key) => key.len(),
        }
    }
}

/// A transaction: all operations if all guards hold, else none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Txn {
    /// Conditions; none: always.
    pub guards: Vec<Guard>,
    /// What to write, each key once.
    pub ops: Vec<Op>,
}

impl Txn {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Txn {
        Txn {
            guards: Vec::new(),
            ops: Vec::new(),
        }
    }

    /// Only if there is no such row.
    #[must_use]
    pub fn if_absent(mut self, key: impl Into<String>) -> Txn {
        self.guards.push(Guard::Absent(key.into()));
        self
    }

    /// Only if there is such a row.
    #[must_use]
    pub fn if_present(mut self, key: impl Into<String>) -> Txn {
        self.guards.push(Guard::Present(key.into()));
        self
    }

    /// Only if the row was last written by this revision; 0: only if there is none.
    #[must_use]
    pub fn if_unchanged(mut self, key: impl Into<String>, revision: Revision) -> Txn {
        let key = key.into();
        self.guards.push(if revision == 0 {
            Guard::Absent(key)
        } else {
            Guard::Unchanged(key, revision)
        });
        self
    }

    /// Write a row.
    #[must_use]
    pub fn put(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Txn {
        self.ops.push(Op::Put(key.into(), value.into()));
        self
    }

    /// Remove a row.
    #[must_use]
    pub fn delete(mut self, key: impl Into<String>) -> Txn {
        self.ops.push(Op::Delete(key.into()));
        self
    }

    /// Whether every store could take it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`]: too many parts or octets, a key twice, or one that is empty, too long or without `/`.
    pub fn check(&self) -> Result<(), StoreError> {
        let invalid = |what: String| Err(StoreError::Invalid(what));
        if self.guards.len() > MAX_PARTS || self.ops.len() > MAX_PARTS {
            return invalid(format!("more than {MAX_PARTS} guards or operations"));
        }
        let octets: usize = self.ops.iter().map(Op::octets).sum();
        if octets > MAX_OCTETS {
            return invalid(format!("{octets} octets, {MAX_OCTETS} are possible"));
        }
        let mut written = BTreeSet::new();
        for key in self
            .guards
            .iter()
            .map(Guard::key)
            .chain(self.ops.iter().map(Op::key))
        {
            if !key.starts_with('/') || key.len() > MAX_KEY {
                return invalid(format!(
                    "key {key:?} has to begin with / and be {MAX_KEY} octets at most"
                ));
            }
        }
        match self
            .ops
            .iter()
            .map(Op::key)
            .find(|key| !written.insert(*key))
        {
            Some(key) => invalid(format!("key {key:?} is written twice")),
            None => Ok(()),
        }
    }
}

/// The answer to a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// All operations were done, in this revision. Where nothing changed it is the latest one.
    Done(Revision),
    /// Guards did not hold; nothing was done.
    Refused {
        /// Latest revision of the store.
        revision: Revision,
        /// Keys whose guards did not hold.
        keys: Vec<String>,
    },
}

impl Commit {
    /// The revision of the store afterwards.
    #[must_use]
    pub fn revision(self) -> Revision {
        match self {
            Commit::Done(revision) | Commit::Refused { revision, .. } => revision,
        }
    }

    /// Whether it was done.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self, Commit::Done(_))
    }
}

/// Rows that a transaction reads and writes. Tells a row's (create, modification) revisions.
pub(crate) trait Rows {
    type Error;
    fn revisions(&self, key: &str) -> Result<Option<(Revision, Revision)>, Self::Error>;
    fn write(&mut self, row: &Row) -> Result<(), Self::Error>;
    fn remove(&mut self, key: &str) -> Result<(), Self::Error>;
}

/// Carries out a checked transaction on top of revision `latest`; gives the answer and what changed.
pub(crate) fn apply<R: Rows>(
    rows: &mut R,
    latest: Revision,
    txn: &Txn,
) -> Result<(Commit, Vec<Change>), R::Error> {
    let mut keys = Vec::new();
    for guard in &txn.guards {
        let found = rows.revisions(guard.key())?.map(|(_, modified)| modified);
        if !guard.holds(found) {
            keys.push(guard.key().to_owned());
        }
    }
    if !keys.is_empty() {
        return Ok((
            Commit::Refused {
                revision: latest,
                keys,
            },
            Vec::new(),
        ));
    }
    let revision = latest + 1;
    let mut changes = Vec::new();
    for op in &txn.ops {
        let found = rows.revisions(op.key())?;
        match op {
            Op::Put(key, value) => {
                let create_revision = found.map_or(revision, |(created, _)| created);
                let row = Row {
                    key: key.clone(),
                    value: value.clone(),
                    create_revision,
                    mod_revision: revision,
                };
                rows.write(&row)?;
                changes.push(Change::Put(row));
            }
            Op::Delete(key) if found.is_some() => {
                rows.remove(key)?;
                changes.push(Change::Delete { key: key.clone() });
            }
            Op::Delete(_) => {}
        }
    }
    let revision = if changes.is_empty() { latest } else { revision };
    Ok((Commit::Done(revision), changes))
}
