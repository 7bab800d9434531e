//! The rows of a store one after the other, and what becomes of each in a move.

use crate::error::StoreError;
use crate::keys::Key;
use crate::store::{Row, Store};
use std::collections::VecDeque;

/// Rows of one read.
const PAGE: usize = 256;

/// Reads all rows below a prefix, in order.
pub(super) struct Rows<'s> {
    store: &'s dyn Store,
    prefix: &'s str,
    page: VecDeque<Row>,
    last: Option<String>,
    more: bool,
}

impl<'s> Rows<'s> {
    pub(super) fn below(store: &'s dyn Store, prefix: &'s str) -> Rows<'s> {
        Rows {
            store,
            prefix,
            page: VecDeque::new(),
            last: None,
            more: true,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Row>, StoreError> {
        if self.page.is_empty() && self.more {
            let page = self
                .store
                .range(self.prefix, self.last.as_deref(), PAGE)
                .await?;
            self.more = page.more;
            self.last = page.rows.last().map(|row| row.key.clone());
            self.page = page.rows.into();
        }
        Ok(self.page.pop_front())
    }

    /// The next row that goes along.
    pub(super) async fn next_to_copy(&mut self) -> Result<Option<Row>, StoreError> {
        while let Some(row) = self.next().await? {
            if goes_along(&row.key) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }
}

/// Whether a row is copied.
///
/// Members and evictions are about starts that end with the old store; the era is written anew; the marker, and which
/// revisions may be forgotten, belong to a store itself. Claims go along, although their owners do not: they count
/// how often a shard was claimed, and the numbers of SIP requests rise with that (`takeover.md` 5.4).
pub(super) fn goes_along(key: &str) -> bool {
    !matches!(
        Key::parse(key),
        Some(Key::Member(_) | Key::Evicted(_) | Key::Era | Key::Move | Key::Compaction)
    )
}

/// Gives the rows of `/history/` new numbers.
///
/// Their keys end in revisions of the old store. The new store's revisions may be lower, and what is written there
/// later must still come behind: so they count from 1 in each scope.
#[derive(Debug, Default)]
pub(super) struct Renumbering {
    scope: String,
    count: u64,
}

impl Renumbering {
    /// The key in the new store. Keys must come in order.
    pub(super) fn key(&mut self, key: &str) -> String {
        let Some(Key::History(scope, _)) = Key::parse(key) else {
            return key.to_owned();
        };
        if scope != self.scope {
            *self = Renumbering {
                scope: scope.clone(),
                count: 0,
            };
        }
        self.count += 1;
        Key::History(scope, self.count).to_string()
    }
}
