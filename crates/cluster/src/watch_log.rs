//! The latest changes in memory, from which watches are served.
//!
//! A watch reads at its own pace; one that falls behind the log is told so and reads the range anew, like one that
//! asks for compacted revisions of etcd. No watch can make the store keep more.

use crate::error::StoreError;
use crate::store::{Change, Changes, Revision, Watch};
use futures_util::stream;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;

/// Changes that are kept, unless told otherwise.
pub(crate) const KEPT: usize = 10_000;

/// The log of one store.
#[derive(Debug)]
pub(crate) struct WatchLog {
    shared: Arc<Mutex<Log>>,
    latest: watch::Sender<Revision>,
    kept: usize,
}

#[derive(Debug)]
struct Log {
    /// First revision that is wholly known.
    oldest: Revision,
    entries: VecDeque<Changes>,
    /// Sum of the entries' changes.
    count: usize,
    closed: bool,
}

impl Log {
    fn after(latest: Revision) -> Log {
        Log {
            oldest: latest + 1,
            entries: VecDeque::new(),
            count: 0,
            closed: false,
        }
    }
}

impl WatchLog {
    /// A log that begins behind revision `latest` and keeps this many changes.
    pub(crate) fn new(latest: Revision, kept: usize) -> WatchLog {
        WatchLog {
            shared: Arc::new(Mutex::new(Log::after(latest))),
            latest: watch::Sender::new(latest),
            kept,
        }
    }

    /// Adds what one revision changed. Revisions come in order.
    pub(crate) fn push(&self, revision: Revision, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        let mut log = self.shared.lock();
        log.count += changes.len();
        log.entries.push_back(Changes { revision, changes });
        while log.count > self.kept && log.entries.len() > 1 {
            if let Some(gone) = log.entries.pop_front() {
                log.count -= gone.changes.len();
                log.oldest = gone.revision + 1;
            }
        }
        drop(log);
        self.latest.send_replace(revision);
    }

    /// Forgets everything: the store is at `latest`, and what led there is not known.
    pub(crate) fn restart(&self, latest: Revision) {
        *self.shared.lock() = Log::after(latest);
        self.latest.send_replace(latest);
    }

    /// Ends every watch, once it has told what is known.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.latest.send_modify(|_| {});
    }

    /// Changes below `prefix` from a revision on; 0: from now on.
    pub(crate) fn watch(&self, prefix: &str, from: Revision) -> Watch {
        let latest = self.latest.subscribe();
        let next = if from == 0 {
            *latest.borrow() + 1
        } else {
            from
        };
        let reader = Reader {
            shared: self.shared.clone(),
            latest,
            prefix: prefix.to_owned(),
            next,
            ended: false,
        };
        Box::pin(stream::unfold(reader, |mut reader| async move {
            reader.next().await.map(|item| (item, reader))
        }))
    }
}

/// One watch.
struct Reader {
    shared: Arc<Mutex<Log>>,
    latest: watch::Receiver<Revision>,
    prefix: String,
    next: Revision,
    ended: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Changes, StoreError>> {
        while !self.ended {
            self.latest.borrow_and_update();
            match self.take() {
                Ok(Some(changes)) => return Some(Ok(changes)),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                // The store is gone: so is the watch.
                Ok(None) => {
                    let closed = self.shared.lock().closed;
                    self.ended = closed || self.latest.changed().await.is_err();
                }
            }
        }
        None
    }

    /// The next changes that are about the prefix, if they are there.
    fn take(&mut self) -> Result<Option<Changes>, StoreError> {
        let log = self.shared.lock();
        if self.next < log.oldest {
            return Err(StoreError::Compacted { oldest: log.oldest });
        }
        let start = log
            .entries
            .partition_point(|entry| entry.revision < self.next);
        for entry in log.entries.range(start..) {
            self.next = entry.revision + 1;
            let ours = |change: &&Change| change.key().starts_with(&self.prefix);
            let changes: Vec<Change> = entry.changes.iter().filter(ours).cloned().collect();
            if !changes.is_empty() {
                return Ok(Some(Changes {
                    revision: entry.revision,
                    changes,
                }));
            }
        }
        Ok(None)
    }
}
