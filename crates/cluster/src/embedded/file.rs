//! The file: two redb tables, rows and numbers, and what its errors mean.

use crate::error::StoreError;
use crate::store::{Change, Page, Revision, Row};
use crate::txn::{Commit, Rows, Txn, apply};
use bytes::Bytes;
use redb::{
    CommitError, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, Table,
    TableDefinition, TableError, TransactionError,
};
use std::fs;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Key to (create revision, modification revision, value).
const ROWS: TableDefinition<&str, (u64, u64, &[u8])> = TableDefinition::new("rows");
/// `revision`: the latest one; `format`: of this file.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
const REVISION: &str = "revision";
const FORMAT: &str = "format";
/// The format that this release writes, and the newest that it reads.
const KNOWN_FORMAT: u64 = 1;
/// Octets of the file that redb keeps in memory.
const CACHE: usize = 32 * 1024 * 1024;

/// Opens the database, at first and again after errors.
pub type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// Opens a database file, readable for its owner only, and checks every page of it. A new one gets its name only when
/// it is whole: a power failure while it is made leaves no damaged file.
///
/// # Errors
/// redb's.
pub fn open_file(path: &Path) -> Result<Database, DatabaseError> {
    if !path.try_exists()? {
        make(path)?;
    }
    open_named(path)
}

fn open_named(path: &Path) -> Result<Database, DatabaseError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    builder().create_with_backend(redb::backends::FileBackend::new(file)?)
}

/// Makes an empty store beside and gives it its name, unless another process was first.
fn make(path: &Path) -> Result<(), DatabaseError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    // Left there by a process of the same number that did not come to its end.
    let _ = fs::remove_file(&beside);
    let file = File(open_named(&beside)?);
    file.found_empty().map_err(|failure| match failure {
        Failure::Storage(error) => DatabaseError::Storage(error),
        Failure::Other(what) => io::Error::other(what).into(),
    })?;
    drop(file);
    // A link, other than a rename, never replaces a store that came to be meanwhile.
    let named = fs::hard_link(&beside, path).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        // File systems without links.
        _ => fs::rename(&beside, path),
    });
    let _ = fs::remove_file(&beside);
    named?;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    Ok(fs::File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?)
}

/// How every database is opened: checked whole, so that damage is an error and no surprise later.
pub(crate) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder
        .set_cache_size(CACHE)
        .set_check_integrity_on_open(true);
    builder
}

/// An open file.
#[derive(Debug)]
pub(crate) struct File(Database);

impl File {
    /// Opens it, and writes format and revision 0 into a new one.
    pub(crate) fn open(path: &Path, opener: &Opener) -> Result<File, StoreError> {
        // redb promises errors for damage found by its check; what lies outside may still make it panic.
        let database = catch_unwind(AssertUnwindSafe(opener))
            .unwrap_or_else(|_| Err(StorageError::Corrupted("unreadable structure".into()).into()))
            .map_err(|error| of_database(path, error))?;
        let file = File(database);
        match file.number(FORMAT).map_err(|error| at(path, error))? {
            None => file.found_empty().map_err(|error| at(path, error))?,
            Some(format) if format > KNOWN_FORMAT => {
                return Err(StoreError::NewerFormat {
                    path: path.to_owned(),
                    found: format,
                    known: KNOWN_FORMAT,
                });
            }
            Some(_) => {}
        }
        Ok(file)
    }

    /// Makes the tables. Only a database without rows may lack the numbers.
    fn found_empty(&self) -> Result<(), Failure> {
        let transaction = self.0.begin_write()?;
        {
            transaction.open_table(ROWS)?;
            let mut numbers = transaction.open_table(NUMBERS)?;
            numbers.insert(FORMAT, KNOWN_FORMAT)?;
            numbers.insert(REVISION, 0)?;
        }
        Ok(transaction.commit()?)
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        match self.0.begin_read()?.open_table(NUMBERS) {
            Ok(numbers) => Ok(numbers.get(name)?.map(|number| number.value())),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The latest revision.
    pub(crate) fn revision(&self, path: &Path) -> Result<Revision, StoreError> {
        let revision = self.number(REVISION).map_err(|error| at(path, error))?;
        revision.ok_or_else(|| corrupt(path, "it has no revision"))
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        let read = || -> Result<Option<Row>, Failure> {
            let rows = self.0.begin_read()?.open_table(ROWS)?;
            Ok(rows.get(key)?.map(|found| row(key, found.value())))
        };
        read().map_err(|error| at(Path::new(""), error))
    }

    pub(crate) fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let limit = if limit == 0 { usize::MAX } else { limit };
        let read = || -> Result<Page, Failure> {
            let transaction = self.0.begin_read()?;
            let revision = transaction
                .open_table(NUMBERS)?
                .get(REVISION)?
                .map_or(0, |number| number.value());
            let mut page = Page {
                rows: Vec::new(),
                revision,
                more: false,
            };
            for found in transaction
                .open_table(ROWS)?
                .range::<&str>((start, Bound::Unbounded))?
            {
                let (key, value) = found?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                if page.rows.len() == limit {
                    page.more = true;
                    break;
                }
                page.rows.push(row(key.value(), value.value()));
            }
            Ok(page)
        };
        read().map_err(|error| at(Path::new(""), error))
    }

    /// Carries out transactions one after the other on top of revision `latest`, and brings all to the disk at once.
    pub(crate) fn commit<'t>(
        &self,
        latest: Revision,
        txns: impl Iterator<Item = &'t Txn>,
    ) -> Result<Vec<(Commit, Vec<Change>)>, Failure> {
        let transaction = self.0.begin_write()?;
        let mut revision = latest;
        let mut answers = Vec::new();
        {
            let mut rows = InTable(transaction.open_table(ROWS)?);
            for txn in txns {
                let (commit, changes) = apply(&mut rows, revision, txn)?;
                revision = commit.clone().revision();
                answers.push((commit, changes));
            }
            if revision != latest {
                transaction
                    .open_table(NUMBERS)?
                    .insert(REVISION, revision)?;
            }
        }
        if revision == latest {
            transaction.abort()?;
        } else {
            transaction.commit()?;
        }
        Ok(answers)
    }
}

fn row(key: &str, (create_revision, mod_revision, value): (u64, u64, &[u8])) -> Row {
    Row {
        key: key.to_owned(),
        value: Bytes::copy_from_slice(value),
        create_revision,
        mod_revision,
    }
}

/// The rows' table within a transaction that writes.
struct InTable<'t>(Table<'t, &'static str, (u64, u64, &'static [u8])>);

impl Rows for InTable<'_> {
    type Error = Failure;

    fn revisions(&self, key: &str) -> Result<Option<(Revision, Revision)>, Failure> {
        Ok(self
            .0
            .get(key)?
            .map(|found| (found.value().0, found.value().1)))
    }

    fn write(&mut self, row: &Row) -> Result<(), Failure> {
        let value = (row.create_revision, row.mod_revision, row.value.as_ref());
        self.0.insert(row.key.as_str(), value)?;
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<(), Failure> {
        self.0.remove(key)?;
        Ok(())
    }
}

/// An error of redb, whichever call it came from.
#[derive(Debug)]
pub(crate) enum Failure {
    Storage(StorageError),
    Other(String),
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Failure::Storage(error)
    }
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => Failure::Storage(error),
            error => Failure::Other(error.to_string()),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => Failure::Storage(error),
            // Another shape of table, or none: not our file, or a damaged one.
            error => Failure::Storage(StorageError::Corrupted(error.to_string())),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => Failure::Storage(error),
            error => Failure::Other(error.to_string()),
        }
    }
}

/// What a failure means to the caller.
pub(crate) fn at(path: &Path, failure: Failure) -> StoreError {
    match failure {
        Failure::Storage(StorageError::Corrupted(what)) => corrupt(path, &what),
        Failure::Storage(StorageError::Io(error)) => of_io(path, error),
        Failure::Storage(StorageError::ValueTooLarge(octets)) => {
            StoreError::Invalid(format!("a value of {octets} octets"))
        }
        Failure::Storage(error) => StoreError::Unavailable(error.to_string()),
        Failure::Other(what) => StoreError::Unavailable(what),
    }
}

fn of_database(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse {
            path: path.to_owned(),
        },
        DatabaseError::Storage(error) => at(path, Failure::Storage(error)),
        error => corrupt(path, &error.to_string()),
    }
}

fn of_io(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full
        }
        // redb says so of files that are none of its own, or cut short.
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            corrupt(path, &error.to_string())
        }
        _ => StoreError::Io(error),
    }
}

fn corrupt(path: &Path, what: &str) -> StoreError {
    StoreError::Corrupt {
        path: path.to_owned(),
        what: format!("damaged, or no store at all ({what})"),
    }
}
