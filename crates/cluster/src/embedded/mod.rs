//! The store in one file, for one server: redb below, one thread that writes.
//!
//! Every commit reaches the disk before it is confirmed. Transactions that wait at the same time share one write to the
//! disk; each keeps its own guards and its own revision. After an error of the disk the file is opened anew, because
//! only the file knows then what came to be; watches are told to read again.

mod file;
mod writer;

pub use file::{Opener, open_file};

use crate::error::StoreError;
use crate::store::{Page, Revision, Row, Store, Watch};
use crate::txn::{Commit, Txn};
use crate::watch_log::{KEPT, WatchLog};
use async_trait::async_trait;
use file::File;
use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};
use writer::{Job, Writer};

/// Transactions that may wait for the writer; more make their senders wait.
const QUEUE: usize = 1024;

/// A store in one file; clones are the same store. It closes when [`Embedded::close`] is called or the last clone is
/// dropped.
#[derive(Debug, Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What readers and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// `None` while the file cannot be opened again after an error.
    file: RwLock<Option<File>>,
    log: WatchLog,
}

impl Embedded {
    /// Opens the file, or makes it if there is none; checks all of it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::InUse`], [`StoreError::NewerFormat`], [`StoreError::Full`],
    /// [`StoreError::Io`].
    pub fn open(path: &Path) -> Result<Embedded, StoreError> {
        let file = path.to_owned();
        Embedded::open_with(path, Box::new(move || open_file(&file)), KEPT)
    }

    /// Opens a database by other means, such as a test's storage that fails on purpose. `path` is for errors,
    /// `kept` how many changes watches reach back.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn open_with(path: &Path, opener: Opener, kept: usize) -> Result<Embedded, StoreError> {
        let path: PathBuf = path.to_owned();
        let file = File::open(&path, &opener)?;
        let latest = file.revision(&path)?;
        let shared = Arc::new(Shared {
            file: RwLock::new(Some(file)),
            log: WatchLog::new(latest, kept),
        });
        let (jobs, queue) = mpsc::channel(QUEUE);
        let mut writer = Writer::new(shared.clone(), path, opener, latest);
        let thread = std::thread::Builder::new()
            .name("ipdect-store".into())
            .spawn(move || writer.run(queue))
            .map_err(StoreError::Io)?;
        Ok(Embedded {
            shared,
            jobs,
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    /// Closes the file when all transactions that wait are done; other clones then answer
    /// [`StoreError::Unavailable`]. Waits for it.
    pub async fn close(self) {
        // The writer ends at this job; none behind it is taken.
        let _ = self.jobs.send(Job::Close).await;
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the store's writer panicked");
            }
        }
    }

    /// Reads from the file, if it is open.
    fn read<T>(&self, read: impl FnOnce(&File) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match &*self.shared.file.read() {
            Some(file) => read(file),
            None => Err(closed()),
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable(
        "its file is closed, or could not be opened again after an error".to_owned(),
    )
}

#[async_trait]
impl Store for Embedded {
    async fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        self.read(|file| file.get(key))
    }

    async fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.read(|file| file.range(prefix, after, limit))
    }

    async fn txn(&self, txn: Txn) -> Result<Commit, StoreError> {
        txn.check()?;
        let (reply, answer) = oneshot::channel();
        self.jobs
            .send(Job::Txn { txn, reply })
            .await
            .map_err(|_| closed())?;
        let lost = |_| StoreError::Unknown("it was closed meanwhile".to_owned());
        answer.await.map_err(lost)?
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        Ok(self.shared.log.watch(prefix, from))
    }
}
