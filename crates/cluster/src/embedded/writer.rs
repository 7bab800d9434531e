//! The one thread that writes the file.

use super::Shared;
use super::file::{File, Opener, at};
use crate::error::StoreError;
use crate::store::Revision;
use crate::txn::{Commit, Txn};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Most transactions that share one write to the disk.
const BATCH: usize = 256;

type Reply = oneshot::Sender<Result<Commit, StoreError>>;

/// What the writer is asked.
#[derive(Debug)]
pub(crate) enum Job {
    Txn { txn: Txn, reply: Reply },
    Close,
}

/// The writer's state.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    path: PathBuf,
    opener: Opener,
    latest: Revision,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        path: PathBuf,
        opener: Opener,
        latest: Revision,
    ) -> Writer {
        Writer {
            shared,
            path,
            opener,
            latest,
        }
    }

    /// Works until the store is closed or forgotten.
    pub(crate) fn run(&mut self, mut queue: mpsc::Receiver<Job>) {
        let mut open = true;
        while open && let Some(first) = queue.blocking_recv() {
            let mut batch = Vec::new();
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Txn { txn, reply } => batch.push((txn, reply)),
                    Job::Close => {
                        open = false;
                        break;
                    }
                }
                next = if batch.len() < BATCH {
                    queue.try_recv().ok()
                } else {
                    None
                };
            }
            self.work(batch);
        }
        self.shared.file.write().take();
        self.shared.log.close();
    }

    fn work(&mut self, batch: Vec<(Txn, Reply)>) {
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.ensure_open() {
            return fail(batch, &error);
        }
        let committed = match &*self.shared.file.read() {
            Some(file) => file.commit(self.latest, batch.iter().map(|(txn, _)| txn)),
            None => return fail(batch, &super::closed()),
        };
        match committed {
            Ok(answers) => {
                for ((_, reply), (commit, changes)) in batch.into_iter().zip(answers) {
                    if let (Commit::Done(revision), false) = (&commit, changes.is_empty()) {
                        self.latest = *revision;
                        self.shared.log.push(*revision, changes);
                    }
                    // A caller that has gone away has its answer in the store.
                    let _ = reply.send(Ok(commit));
                }
            }
            Err(failure) => {
                let error = match at(&self.path, failure) {
                    StoreError::Unavailable(what) => StoreError::Unknown(what),
                    error => error,
                };
                tracing::error!(%error, path = %self.path.display(), "store not written");
                self.shared.file.write().take();
                // Readers go on at once where that is possible.
                let _ = self.ensure_open();
                fail(batch, &error);
            }
        }
    }

    /// Opens the file again if an error closed it. What it then says is the truth: a commit whose error came late
    /// may stand in it.
    fn ensure_open(&mut self) -> Result<(), StoreError> {
        if self.shared.file.read().is_some() {
            return Ok(());
        }
        let file = File::open(&self.path, &self.opener)?;
        let found = file.revision(&self.path)?;
        if found != self.latest {
            self.latest = found;
            self.shared.log.restart(found);
        }
        self.shared.file.write().replace(file);
        tracing::info!(revision = self.latest, "store opened again");
        Ok(())
    }
}

fn fail(batch: Vec<(Txn, Reply)>, error: &StoreError) {
    for (_, reply) in batch {
        let _ = reply.send(Err(again(error)));
    }
}

/// The same error once more; system errors cannot be cloned.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Invalid(what) => StoreError::Invalid(what.clone()),
        StoreError::Full => StoreError::Full,
        StoreError::Io(source) => {
            StoreError::Io(std::io::Error::new(source.kind(), source.to_string()))
        }
        StoreError::Corrupt { path, what } => StoreError::Corrupt {
            path: path.clone(),
            what: what.clone(),
        },
        StoreError::InUse { path } => StoreError::InUse { path: path.clone() },
        StoreError::Unknown(what) => StoreError::Unknown(what.clone()),
        error => StoreError::Unavailable(error.to_string()),
    }
}
