//! What can go wrong with a store, in words that say what to do.

use crate::store::Revision;
use std::path::PathBuf;

/// Why a store did not do what it was asked.
///
/// Unless said otherwise, the outcome of a transaction that ended with one of these is unknown: read back before
/// concluding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The request can never succeed, on any store. Nothing was written.
    #[error("store request refused: {0}")]
    Invalid(String),
    /// The watch asks for changes that are no longer kept: read the range anew, then watch from that revision.
    #[error("changes before revision {oldest} are gone")]
    Compacted {
        /// The first revision that can still be watched from.
        oldest: Revision,
    },
    /// No room is left. Nothing that was confirmed is lost.
    #[error("no room left for the store; free space on its disk, it goes on by itself then")]
    Full,
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
    /// The store is closed, or was not reachable.
    #[error("store not available: {0}")]
    Unavailable(String),
    /// A row is not what its key promises.
    #[error("row {key}: {what}; restore it from a backup")]
    BadRow {
        /// Key of the row.
        key: String,
        /// What is wrong.
        what: String,
    },
}
