//! Moves all rows of one store into another: a single server's file into etcd, and back.
//!
//! Both stores are marked first, and servers do not work with a marked store; so a move that was interrupted is seen by
//! all, and the same command takes it up again. The old store's member rows go in the very transaction that marks it: a
//! server that still runs there ends at its next renewal. When every row was copied and read back, the era rises in the
//! new store, so that devices take orders under its lower revisions (`takeover.md` 3.10), and the old store is left
//! alone for good.

mod marker;
mod rows;

pub use marker::{check, reopen};

use crate::error::StoreError;
use crate::keys::{Key, prefix};
use crate::member::encode;
use crate::membership::era_of;
use crate::store::{Revision, Row, Store};
use crate::txn::{Commit, Txn};
use ipdect_proto::cluster::v1::EraRow;
use marker::{MoveRow, Phase};
use rows::{Renumbering, Rows};

/// Rows of one transaction; it has as many guards.
const BATCH_ROWS: usize = 100;
/// Octets after which a transaction is sent.
const BATCH_OCTETS: usize = 256 * 1024;

/// What to move, in words, and how far one may go.
#[derive(Debug, Clone)]
pub struct Orders {
    /// The old store, for people: a path, or endpoints.
    pub from: String,
    /// The new store, likewise.
    pub to: String,
    /// Remove what is in the new store. Not needed if its rows were moved away before, or if a move into it was
    /// interrupted.
    pub overwrite: bool,
    /// Highest era that any device is known to have; 0: none is known.
    pub reported_era: u64,
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Rows copied and read back.
    pub rows: u64,
    /// Octets of their values.
    pub octets: u64,
    /// The new era.
    pub era: u64,
}

impl Report {
    const fn of(era: u64) -> Report {
        Report {
            rows: 0,
            octets: 0,
            era,
        }
    }

    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.octets += row.value.len() as u64;
    }
}

/// Why nothing was moved, or not everything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// One of the stores failed. Run the move again when it is well.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The old store has no rows. Nothing was changed.
    #[error("{0} has nothing to be moved; is it the right one?")]
    Nothing(String),
    /// The new store has rows. Nothing was changed.
    #[error(
        "{to} is not empty: it has {key}; choose an empty store, or say that its rows may be overwritten"
    )]
    NotEmpty {
        /// The new store.
        to: String,
        /// One of its rows.
        key: String,
    },
    /// Both stores are the same. Nothing was changed.
    #[error("{0} is both the old and the new store; name two")]
    SameStore(String),
    /// Somebody writes one of the stores.
    #[error(
        "{store} was written by somebody else meanwhile ({what}); stop all servers, then move again"
    )]
    InUse {
        /// The store.
        store: String,
        /// What was noticed.
        what: String,
    },
    /// What was read back is not what was written.
    #[error(
        "{to} does not hold what was copied ({key}); it cannot be used, see to it, then move again"
    )]
    Differs {
        /// The new store.
        to: String,
        /// The first row that differs.
        key: String,
    },
}

/// Moves all rows from one store into another. All servers of both must have been stopped.
///
/// # Errors
/// [`MoveError`]. The same call again takes up what was begun; [`reopen`] takes the old store back into use instead.
pub async fn migrate(
    from: &dyn Store,
    to: &dyn Store,
    orders: &Orders,
) -> Result<Report, MoveError> {
    Move { from, to, orders }.run().await
}

struct Move<'s> {
    from: &'s dyn Store,
    to: &'s dyn Store,
    orders: &'s Orders,
}

impl Move<'_> {
    async fn run(&self) -> Result<Report, MoveError> {
        let (left, left_seen) = marker::read(self.from).await?;
        let (come, come_seen) = marker::read(self.to).await?;
        let leaves = matches!(left.phase(), Phase::Leaving | Phase::Gone);
        if leaves && come.phase() == Phase::Arrived && left.id == come.id {
            // All is done, but for the last step perhaps. The new store may be in use already.
            if left.phase() == Phase::Leaving {
                self.leave_for_good(&left, left_seen, come.era).await?;
            }
            return self.count(come.era).await;
        }
        let begun = match left.phase() {
            Phase::Coming => return Err(StoreError::Unfinished { other: left.other }.into()),
            Phase::Gone => return Err(StoreError::MovedAway { to: left.other }.into()),
            Phase::Leaving => true,
            Phase::Arrived | Phase::Unspecified => false,
        };
        if Rows::below(self.from, "/").next_to_copy().await?.is_none() {
            return Err(MoveError::Nothing(self.orders.from.clone()));
        }
        let ready = matches!(come.phase(), Phase::Coming | Phase::Gone);
        if !ready && !self.orders.overwrite {
            self.must_be_empty().await?;
        }
        let id = if begun { left.id } else { rand::random() };
        let era = self.highest_era(&[&left, &come]).await?;
        let coming = MoveRow {
            id,
            phase: Phase::Coming.into(),
            other: self.orders.from.clone(),
            era,
        };
        let come_seen = self
            .mark(self.to, &self.orders.to, &coming, come_seen)
            .await?;
        if marker::read(self.from).await?.0 == coming {
            self.unmark(&left, come_seen).await?;
            return Err(MoveError::SameStore(self.orders.to.clone()));
        }
        let leaving = MoveRow {
            phase: Phase::Leaving.into(),
            other: self.orders.to.clone(),
            ..coming.clone()
        };
        let left_seen = self.leave(&leaving, left_seen).await?;
        self.empty().await?;
        self.copy().await?;
        let report = self.compare(era + 1).await?;
        self.must_be_unchanged(left_seen).await?;
        self.arrive(&coming, come_seen, era + 1).await?;
        self.leave_for_good(&leaving, left_seen, era + 1).await?;
        Ok(report)
    }

    async fn must_be_empty(&self) -> Result<(), MoveError> {
        match self.to.range("/", None, 1).await?.rows.pop() {
            None => Ok(()),
            Some(row) => Err(MoveError::NotEmpty {
                to: self.orders.to.clone(),
                key: row.key,
            }),
        }
    }

    /// The highest era that anyone knows.
    async fn highest_era(&self, markers: &[&MoveRow]) -> Result<u64, MoveError> {
        let stored = [era_of(self.from).await?, era_of(self.to).await?];
        let noted = markers.iter().map(|marker| marker.era);
        let known = noted.chain(stored).max().unwrap_or(0);
        Ok(known.max(self.orders.reported_era))
    }

    async fn mark(
        &self,
        store: &dyn Store,
        name: &str,
        marker: &MoveRow,
        seen: Revision,
    ) -> Result<Revision, MoveError> {
        done(store.txn_certain(marker::write(marker, seen)).await?, name)
    }

    /// Undoes the mark in a store that turned out to be the old one too.
    async fn unmark(&self, before: &MoveRow, seen: Revision) -> Result<(), MoveError> {
        let txn = if *before == MoveRow::default() {
            let key = Key::Move.to_string();
            Txn::new().if_unchanged(key.as_str(), seen).delete(key)
        } else {
            marker::write(before, seen)
        };
        done(self.to.txn_certain(txn).await?, &self.orders.to).map(|_| ())
    }

    /// Marks the old store and removes its members, each unchanged since it was read.
    async fn leave(&self, leaving: &MoveRow, seen: Revision) -> Result<Revision, MoveError> {
        let members = self.from.range(prefix::MEMBERS, None, 0).await?;
        let mut txn = marker::write(leaving, seen);
        // More than a transaction takes are refused: clusters have a few.
        for member in members.rows {
            txn = txn
                .if_unchanged(member.key.as_str(), member.mod_revision)
                .delete(member.key);
        }
        done(self.from.txn_certain(txn).await?, &self.orders.from)
    }

    /// Removes all rows of the new store but the marker.
    async fn empty(&self) -> Result<(), MoveError> {
        let mut rows = Rows::below(self.to, "/");
        let mut txn = Txn::new();
        while let Some(row) = rows.next().await? {
            if row.key == Key::Move.to_string() {
                continue;
            }
            txn = txn
                .if_unchanged(row.key.as_str(), row.mod_revision)
                .delete(row.key);
            if txn.ops.len() >= BATCH_ROWS {
                self.write(std::mem::take(&mut txn)).await?;
            }
        }
        self.write(txn).await
    }

    /// Copies what goes along. History first and one row a transaction, so that its numbers are lower than any revision
    /// that the rows behind it get.
    async fn copy(&self) -> Result<(), MoveError> {
        let mut numbers = Renumbering::default();
        let mut rows = Rows::below(self.from, HISTORY);
        while let Some(row) = rows.next_to_copy().await? {
            let key = numbers.key(&row.key);
            let txn = Txn::new().if_absent(key.as_str()).put(key, row.value);
            self.write(txn).await?;
        }
        let mut rows = Rows::below(self.from, "/");
        let (mut txn, mut octets) = (Txn::new(), 0);
        while let Some(row) = rows.next_to_copy().await? {
            if row.key.starts_with(HISTORY) {
                continue;
            }
            octets += row.key.len() + row.value.len();
            if octets > BATCH_OCTETS || txn.ops.len() >= BATCH_ROWS {
                self.write(std::mem::take(&mut txn)).await?;
                octets = row.key.len() + row.value.len();
            }
            txn = txn.if_absent(row.key.as_str()).put(row.key, row.value);
        }
        self.write(txn).await
    }

    async fn write(&self, txn: Txn) -> Result<(), MoveError> {
        if txn.ops.is_empty() {
            return Ok(());
        }
        done(self.to.txn_certain(txn).await?, &self.orders.to).map(|_| ())
    }

    /// What went along.
    async fn count(&self, era: u64) -> Result<Report, MoveError> {
        let mut report = Report::of(era);
        let mut rows = Rows::below(self.from, "/");
        while let Some(row) = rows.next_to_copy().await? {
            report.add(&row);
        }
        Ok(report)
    }

    /// Reads both stores again and compares them row by row.
    async fn compare(&self, era: u64) -> Result<Report, MoveError> {
        let (mut numbers, mut report) = (Renumbering::default(), Report::of(era));
        let (mut old, mut new) = (Rows::below(self.from, "/"), Rows::below(self.to, "/"));
        loop {
            match (old.next_to_copy().await?, new.next_to_copy().await?) {
                (None, None) => return Ok(report),
                (Some(old), Some(new))
                    if numbers.key(&old.key) == new.key && old.value == new.value =>
                {
                    report.add(&new);
                }
                (old, new) => return Err(self.differs(old.or(new))),
            }
        }
    }

    fn differs(&self, row: Option<Row>) -> MoveError {
        MoveError::Differs {
            to: self.orders.to.clone(),
            key: row.map_or_else(String::new, |row| row.key),
        }
    }

    async fn must_be_unchanged(&self, since: Revision) -> Result<(), MoveError> {
        let now = self.from.range("/", None, 1).await?.revision;
        if now == since {
            return Ok(());
        }
        Err(MoveError::InUse {
            store: self.orders.from.clone(),
            what: format!("revision {now} after {since}"),
        })
    }

    /// The new store is whole: from here on it is the one.
    async fn arrive(&self, coming: &MoveRow, seen: Revision, era: u64) -> Result<(), MoveError> {
        let arrived = MoveRow {
            phase: Phase::Arrived.into(),
            era,
            ..coming.clone()
        };
        let row = EraRow {
            era,
            why: format!("moved from {}", self.orders.from),
        };
        let txn = marker::write(&arrived, seen).put(Key::Era, encode(&row));
        self.write(txn).await
    }

    async fn leave_for_good(
        &self,
        leaving: &MoveRow,
        seen: Revision,
        era: u64,
    ) -> Result<(), MoveError> {
        let gone = MoveRow {
            phase: Phase::Gone.into(),
            era,
            ..leaving.clone()
        };
        self.mark(self.from, &self.orders.from, &gone, seen)
            .await
            .map(|_| ())
    }
}

const HISTORY: &str = "/history/";

/// The revision of a transaction that only somebody else's writes can spoil.
fn done(commit: Commit, store: &str) -> Result<Revision, MoveError> {
    match commit {
        Commit::Done(revision) => Ok(revision),
        Commit::Refused { keys, .. } => Err(MoveError::InUse {
            store: store.to_owned(),
            what: keys.join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::rows::{Renumbering, goes_along};

    #[test]
    fn what_belongs_to_a_start_or_to_a_store_stays_behind() {
        for (key, goes) in [
            ("/sys/store_id", true),
            ("/sys/cluster", true),
            ("/sys/ca_key", true),
            ("/sys/era", false),
            ("/sys/move", false),
            ("/sys/compaction", false),
            ("/members/server-1/00000000000000ab", false),
            ("/evicted/server-1/00000000000000ab", false),
            ("/shards/7", true),
            ("/calls/7/050030070387", true),
            ("/presence/7/050030070387", true),
            ("/contacts/a/b", true),
            ("/of/a/later/release", true),
        ] {
            assert_eq!(goes_along(key), goes, "{key}");
        }
    }

    #[test]
    fn history_is_counted_anew_in_its_order() {
        let mut numbers = Renumbering::default();
        let keys = [
            "/handsets/1",
            "/history/dect/00000000000000000007",
            "/history/dect/00000000000000040000",
            "/history/sip/00000000000000000009",
        ];
        assert_eq!(
            keys.map(|key| numbers.key(key)),
            [
                "/handsets/1",
                "/history/dect/00000000000000000001",
                "/history/dect/00000000000000000002",
                "/history/sip/00000000000000000001",
            ]
        );
    }
}
