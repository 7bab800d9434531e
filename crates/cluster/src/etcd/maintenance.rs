//! Keeps etcd small: forgets old revisions, and tells when room runs out.
//!
//! Every server runs this; a row says who did the work last, so that one does it. The row keeps the revisions of the
//! last minutes, each noted by a server that saw the row unchanged for a whole period on its own clock. So "5 minutes
//! ago" needs no agreement on the time, and no clock can make us forget what is younger.

use super::Etcd;
use super::convert::signed;
use super::health::{DEFAULT_QUOTA, Room};
use super::pool::{Effect, Failure};
use crate::error::StoreError;
use crate::keys::Key;
use crate::member::encode;
use crate::store::{Revision, Store};
use crate::txn::{Commit, Txn};
use crate::view::decode;
use etcd_client::CompactionOptions;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

/// Revisions that are kept in the row, one a period: what is five periods old is forgotten.
const MARKS: usize = 6;

/// What maintenance has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Revisions up to this one are no longer kept.
    Compacted(Revision),
    /// More or less room than before.
    Room {
        /// What it is now.
        now: Room,
        /// Octets of the largest database file.
        database: u64,
        /// Octets in use in it.
        in_use: u64,
    },
}

/// Value of `/sys/compaction`.
#[derive(Clone, PartialEq, prost::Message)]
struct CompactionRow {
    /// Who noted the last mark.
    #[prost(string, tag = "1")]
    by: String,
    /// Latest revision at each mark, oldest first; one more than a minute.
    #[prost(uint64, repeated, tag = "2")]
    marks: Vec<u64>,
}

/// The maintenance of one server.
#[derive(Debug)]
pub struct Maintenance {
    etcd: Etcd,
    name: String,
    quota: u64,
    /// The row's revision at the last turn; `None` before the first.
    seen: Option<Revision>,
    /// The latest revision at the last turn.
    was: Revision,
    room: Room,
}

impl Maintenance {
    /// Time between two turns: one minute.
    pub const PERIOD: Duration = Duration::from_secs(60);

    /// For the server of this name. `quota`, in octets, is what etcd was started with (`--quota-backend-bytes`); `None`
    /// for its default.
    #[must_use]
    pub fn new(etcd: Etcd, name: &str, quota: Option<u64>) -> Maintenance {
        Maintenance {
            etcd,
            name: name.to_owned(),
            quota: quota.unwrap_or(DEFAULT_QUOTA),
            seen: None,
            was: 0,
            room: Room::Plenty,
        }
    }

    /// Takes a turn each [`Maintenance::PERIOD`] and tells what happens, until nobody listens.
    pub async fn run(mut self, told: mpsc::Sender<Notice>) {
        let mut turns = interval(Maintenance::PERIOD);
        // Two turns must lie a whole period apart: that is what the marks mean.
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = turns.tick() => {}
                () = told.closed() => return,
            }
            let notices = match self.turn().await {
                Ok(notices) => notices,
                Err(error) => {
                    tracing::warn!(%error, "etcd not maintained this minute");
                    continue;
                }
            };
            for notice in notices {
                if told.send(notice).await.is_err() {
                    return;
                }
            }
        }
    }

    /// One turn; to be called once a [`Maintenance::PERIOD`].
    ///
    /// # Errors
    /// If the store cannot be read or written; the next turn makes up for it.
    pub async fn turn(&mut self) -> Result<Vec<Notice>, StoreError> {
        // Room first: without any, no mark can be written.
        let mut notices: Vec<Notice> = self.look_for_room().await.into_iter().collect();
        match self.mark().await {
            Ok(forgotten) => notices.extend(forgotten.map(Notice::Compacted)),
            Err(error) if notices.is_empty() => return Err(error),
            Err(error) => tracing::warn!(%error, "etcd not compacted"),
        }
        Ok(notices)
    }

    async fn look_for_room(&mut self) -> Option<Notice> {
        let health = self.etcd.health().await;
        let fullest = health.states().max_by_key(|state| state.database)?;
        let (database, in_use) = (fullest.database, fullest.in_use);
        let now = health.room(self.quota);
        if now == self.room {
            return None;
        }
        self.room = now;
        match now {
            Room::Plenty => tracing::info!(database, in_use, "etcd has room again"),
            Room::Scarce => tracing::warn!(
                database,
                in_use,
                quota = self.quota,
                "etcd's database has reached half of its quota; run `etcdctl defrag` on each member if little of it is \
                 in use, else raise --quota-backend-bytes"
            ),
            Room::None => tracing::error!(
                database,
                in_use,
                quota = self.quota,
                "etcd takes no more rows; run `etcdctl defrag` on each member, raise --quota-backend-bytes if that does \
                 not help, then `etcdctl alarm disarm`"
            ),
        }
        Some(Notice::Room {
            now,
            database,
            in_use,
        })
    }

    /// Notes a mark if nobody did so for a whole period, and forgets what is older than the oldest mark.
    async fn mark(&mut self) -> Result<Option<Revision>, StoreError> {
        let key = Key::Compaction.to_string();
        let latest = self.etcd.latest().await?;
        let was = std::mem::replace(&mut self.was, latest);
        let found = self.etcd.get(&key).await?;
        let now = found.as_ref().map_or(0, |row| row.mod_revision);
        if self.seen.replace(now) != Some(now) {
            return Ok(None);
        }
        let mut row: CompactionRow = found.as_ref().map(decode).transpose()?.unwrap_or_default();
        row.by = self.name.clone();
        // Marks of a time that a restored backup does not know.
        row.marks.retain(|mark| *mark <= latest);
        row.marks.push(latest);
        let surplus = row.marks.len().saturating_sub(MARKS);
        row.marks.drain(..surplus);
        let oldest = (row.marks.len() == MARKS).then(|| row.marks[0]);
        let txn = Txn::new()
            .if_unchanged(key.as_str(), now)
            .put(key, encode(&row));
        let forget = match self.etcd.txn_certain(txn).await {
            Ok(Commit::Refused { .. }) => return Ok(None),
            Ok(Commit::Done(revision)) => {
                self.seen = Some(revision);
                oldest
            }
            // Without room no mark can be written, nor many rows: what is a period old may go.
            Err(StoreError::Quota { .. }) => Some(was),
            Err(error) => return Err(error),
        };
        if let Some(revision) = forget {
            self.etcd.compact(revision).await?;
        }
        Ok(forget)
    }
}

impl Etcd {
    /// Forgets all revisions before this one, as far as watches are concerned also this one itself. Waits until the
    /// member that is asked has removed them from its database, as far as the limits allow.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn compact(&self, revision: Revision) -> Result<(), StoreError> {
        let compacted = self
            .ask(
                Effect::Repeatable,
                "a compaction",
                |mut client| async move {
                    let options = CompactionOptions::new().with_physical();
                    client.compact(signed(revision), Some(options)).await
                },
            )
            .await;
        match compacted {
            // Somebody else was there first.
            Ok(_) | Err(Failure::Compacted) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }
}
