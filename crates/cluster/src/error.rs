//! What can go wrong with a store, in words that say what to do.

use crate::store::Revision;
use std::path::PathBuf;

/// Why a store did not do what it was asked.
///
/// Whether a transaction that ended with one of these was done is told by [`StoreError::nothing_done`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The request can never succeed, on any store. Nothing was written.
    #[error("store request refused: {0}")]
    Invalid(String),
    /// What was configured can never work.
    #[error("store configuration: {0}")]
    Config(String),
    /// The watch asks for changes that are no longer kept: read the range anew, then watch from that revision.
    #[error("changes before revision {oldest} are gone")]
    Compacted {
        /// The first revision that can still be watched from.
        oldest: Revision,
    },
    /// No room is left. Nothing that was confirmed is lost.
    #[error("no room left for the store; free space on its disk, it goes on by itself then")]
    Full,
    /// etcd has used up the space it allows itself, and takes no more rows until somebody makes room. Reading and
    /// [`crate::Store::delete`] go on. The transaction that meets the limit first may have been done all the same.
    #[error(
        "etcd at {endpoint} has used up its quota and takes no more rows; when old revisions are compacted (the servers \
         do so each minute), run `etcdctl defrag` on each member, raise --quota-backend-bytes if that does not \
         help, then `etcdctl alarm disarm`"
    )]
    Quota {
        /// Who said so.
        endpoint: String,
    },
    /// The store does not let us in. Nothing was written.
    #[error("etcd at {endpoint} refused: {what}; {remedy}")]
    Denied {
        /// Who said so.
        endpoint: String,
        /// What it said.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An endpoint belongs to another etcd than the one that answered first. Nothing was written.
    #[error(
        "etcd at {endpoint} belongs to cluster {found:016x}, until now it was {known:016x}; list the members of one \
         etcd only; if it was restored from a backup, start the servers anew"
    )]
    OtherCluster {
        /// The endpoint.
        endpoint: String,
        /// Its cluster.
        found: u64,
        /// The cluster of the first answer.
        known: u64,
    },
    /// No answer came. Whether the transaction was done is not known: read back, or use
    /// [`crate::Store::txn_certain`].
    #[error("the store did not answer ({0}); whether it was written is not known, read it back")]
    Unknown(String),
    /// Reading or writing the file failed. Nothing that was confirmed is lost.
    #[error("store file: {0}; see the system's log for the disk")]
    Io(#[source] std::io::Error),
    /// The file is damaged.
    #[error("store file {}: {what}; put a backup in its place, or move it away to begin with an empty store", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Another process has the file open.
    #[error("store file {} is in use by another process; an embedded store has one server, stop the other one", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later release.
    #[error("store file {} has format {found}, this release reads up to {known}; start the later release", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// The store is closed, or was not reachable. Nothing was written.
    #[error("store not available: {0}")]
    Unavailable(String),
    /// A move of all rows between this store and another was interrupted.
    #[error(
        "a move of all rows between this store and {other} was not finished; start the same move again (or, if the rows \
         were leaving this store, take it back into use)"
    )]
    Unfinished {
        /// The other store.
        other: String,
    },
    /// The rows live in another store.
    #[error(
        "the rows of this store were moved to {to}; start the servers with that one, move its rows back, or take this one \
         into use again if the other is lost"
    )]
    MovedAway {
        /// The other store.
        to: String,
    },
    /// A row is not what its key promises.
    #[error("row {key}: {what}; restore it from a backup")]
    BadRow {
        /// Key of the row.
        key: String,
        /// What is wrong.
        what: String,
    },
}

impl StoreError {
    /// Whether a transaction that ended with this was surely not done. If not, it may have been.
    #[must_use]
    pub const fn nothing_done(&self) -> bool {
        !matches!(
            self,
            // A commit whose error came late may stand in the file; and a member of etcd looks at its room behind the
            // commit once more.
            StoreError::Unknown(_)
                | StoreError::Quota { .. }
                | StoreError::Io(_)
                | StoreError::Full
                | StoreError::Corrupt { .. }
        )
    }
}
