//! A store in memory, for tests and simulation. It behaves as the others but forgets everything.

use crate::error::StoreError;
use crate::store::{Page, Revision, Row, Store, Watch};
use crate::txn::{Commit, Rows, Txn, apply};
use crate::watch_log::{KEPT, WatchLog};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::Arc;

/// A store in memory; clones are the same store.
#[derive(Debug, Clone)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    log: Arc<WatchLog>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<String, Row>,
    revision: Revision,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Memory {
        Memory::keeping(KEPT)
    }

    /// An empty store whose watches reach back this many changes.
    #[must_use]
    pub fn keeping(changes: usize) -> Memory {
        Memory {
            state: Arc::default(),
            log: Arc::new(WatchLog::new(0, changes)),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

impl Rows for BTreeMap<String, Row> {
    type Error = Infallible;

    fn revisions(&self, key: &str) -> Result<Option<(Revision, Revision)>, Infallible> {
        Ok(self
            .get(key)
            .map(|row| (row.create_revision, row.mod_revision)))
    }

    fn write(&mut self, row: &Row) -> Result<(), Infallible> {
        self.insert(row.key.clone(), row.clone());
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<(), Infallible> {
        BTreeMap::remove(self, key);
        Ok(())
    }
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        Ok(self.state.lock().rows.get(key).cloned())
    }

    async fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let state = self.state.lock();
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let limit = if limit == 0 { usize::MAX } else { limit };
        let mut found = state
            .rows
            .range::<str, _>((start, Bound::Unbounded))
            .map(|(_, row)| row)
            .take_while(|row| row.key.starts_with(prefix));
        let rows = found.by_ref().take(limit).cloned().collect();
        Ok(Page {
            rows,
            revision: state.revision,
            more: found.next().is_some(),
        })
    }

    async fn txn(&self, txn: Txn) -> Result<Commit, StoreError> {
        txn.check()?;
        let mut state = self.state.lock();
        let latest = state.revision;
        let Ok((commit, changes)) = apply(&mut state.rows, latest, &txn);
        if let (Commit::Done(revision), false) = (&commit, changes.is_empty()) {
            state.revision = *revision;
            // Inside the lock, so that revisions reach the log in order.
            self.log.push(*revision, changes);
        }
        Ok(commit)
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        // Inside the lock: "from now on" is then exact.
        let _state = self.state.lock();
        Ok(self.log.watch(prefix, from))
    }
}
