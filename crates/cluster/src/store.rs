//! The store's interface: rows under keys, one revision counter for all, transactions, watches.

use crate::certain;
use crate::error::StoreError;
use crate::txn::{Commit, Txn};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use std::fmt::Debug;
use std::pin::Pin;

/// Rises by one with each transaction that changed something; never falls, also across restarts.
pub type Revision = u64;

/// A row as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Bytes,
    /// Revision that made it.
    pub create_revision: Revision,
    /// Revision that last wrote it.
    pub mod_revision: Revision,
}

/// Rows of a range, as of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In order of their keys, octet by octet.
    pub rows: Vec<Row>,
    /// Revision of the whole store that was read. Watch from the next one to miss nothing.
    pub revision: Revision,
    /// Whether further rows exist behind the last one.
    pub more: bool,
}

/// One row's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Written; the row as it is now.
    Put(Row),
    /// Deleted.
    Delete {
        /// Key of the row that is gone.
        key: String,
    },
}

impl Change {
    /// The key of the row that changed.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Change::Put(row) => &row.key,
            Change::Delete { key } => key,
        }
    }
}

/// What one transaction changed below a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Its revision.
    pub revision: Revision,
    /// In the order of the transaction; never empty.
    pub changes: Vec<Change>,
}

/// Changes below a prefix, revision by revision. After an error the stream ends; it also ends with its store.
pub type Watch = Pin<Box<dyn Stream<Item = Result<Changes, StoreError>> + Send>>;

/// A store: etcd, an embedded file, or memory. All behave alike; [`crate::conformance`] says how.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// The row of a key.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn get(&self, key: &str) -> Result<Option<Row>, StoreError>;

    /// Rows whose keys begin with `prefix` and are greater than `after`, `limit` at most (0: all). Pages of one range
    /// may differ in revision: whoever needs one state watches from the first page's.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError>;

    /// Does all operations if all guards hold, else nothing. A commit has reached the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for what [`Txn::check`] refuses. Of others, [`StoreError::nothing_done`] tells whether
    /// the outcome is known.
    async fn txn(&self, txn: Txn) -> Result<Commit, StoreError>;

    /// As [`Store::txn`], but finds out what became of a transaction whose answer was lost, and repeats it where that
    /// is safe: see [`crate::certain`].
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if the transaction guards no row that it writes, and as [`Store::txn`];
    /// [`StoreError::Unknown`] if the store does not answer at all any more.
    async fn txn_certain(&self, txn: Txn) -> Result<Commit, StoreError> {
        certain::run(self, txn, None).await
    }

    /// As [`Store::txn_certain`], for a transaction that ended with [`StoreError::Unknown`] before: a copy of it may
    /// have been done, or may be under way.
    ///
    /// # Errors
    /// As [`Store::txn_certain`].
    async fn txn_settled(&self, txn: Txn) -> Result<Commit, StoreError> {
        let lost = StoreError::Unknown("an earlier answer was lost".to_owned());
        certain::run(self, txn, Some(lost)).await
    }

    /// Changes below `prefix` from a revision on, that one included; 0: from now on.
    ///
    /// Revisions that are no longer kept give [`StoreError::Compacted`] as first item.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError>;

    /// Writes a row, whatever was there.
    ///
    /// # Errors
    /// As [`Store::txn`].
    async fn put(&self, key: &str, value: Bytes) -> Result<Revision, StoreError> {
        self.txn(Txn::new().put(key, value))
            .await
            .map(Commit::revision)
    }

    /// Deletes a row; gives the revision of the store afterwards, whether there was one or not.
    ///
    /// # Errors
    /// As [`Store::txn`].
    async fn delete(&self, key: &str) -> Result<Revision, StoreError> {
        self.txn(Txn::new().delete(key)).await.map(Commit::revision)
    }
}
