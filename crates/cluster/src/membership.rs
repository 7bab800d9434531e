//! Joins the pure parts to a store: reading the view, the era, and the start of a server with a store of its own.

use crate::error::StoreError;
use crate::keys::{Key, prefix};
use crate::member::{claim, encode, evict, join, renew, start_of};
use crate::migrate;
use crate::placement::SHARDS;
use crate::store::{Revision, Store};
use crate::txn::{Commit, Txn};
use crate::view::{Start, View, decode};
use ipdect_proto::cluster::v1::{EraRow, EvictedRow, MemberRow};

/// How often a lost race is run again.
const TRIES: usize = 5;

/// Reads members, shards and era. Watch from the revision after the one given to miss nothing.
///
/// # Errors
/// If the store cannot be read, or a row of it.
pub async fn load(store: &dyn Store) -> Result<(View, Revision), StoreError> {
    let mut view = View::new();
    let mut oldest = Revision::MAX;
    for rows in [
        Key::Era.to_string().as_str(),
        prefix::MEMBERS,
        prefix::SHARDS,
    ] {
        let page = store.range(rows, None, 0).await?;
        oldest = oldest.min(page.revision);
        for row in &page.rows {
            view.take(row)?;
        }
    }
    Ok((view, oldest))
}

/// The stored era; 0 if there is none.
///
/// # Errors
/// If the store cannot be read.
pub async fn era_of(store: &dyn Store) -> Result<u64, StoreError> {
    let row = store.get(&Key::Era.to_string()).await?;
    let row = row.as_ref().map(decode::<EraRow>).transpose()?;
    Ok(row.map_or(0, |row| row.era))
}

/// The era; writes 1 into a store that has none.
///
/// # Errors
/// If the store cannot be read or written.
pub async fn ensure_era(store: &dyn Store) -> Result<u64, StoreError> {
    for _ in 0..TRIES {
        if let Some(row) = store.get(&Key::Era.to_string()).await? {
            return Ok(decode::<EraRow>(&row)?.era);
        }
        store.txn(write_era(0, 1, "new store")).await?;
    }
    Err(lost_race("the era"))
}

/// Raises the era above the stored one and the highest that any device or server reports: for a store that was
/// restored, imported or moved, or that cannot explain a reported floor.
///
/// # Errors
/// If the store cannot be read or written.
pub async fn raise_era(store: &dyn Store, reported: u64, why: &str) -> Result<u64, StoreError> {
    for _ in 0..TRIES {
        let row = store.get(&Key::Era.to_string()).await?;
        let stored = row
            .as_ref()
            .map(decode::<EraRow>)
            .transpose()?
            .map_or(0, |row| row.era);
        let era = stored.max(reported) + 1;
        let seen = row.map_or(0, |row| row.mod_revision);
        if store.txn(write_era(seen, era, why)).await?.is_done() {
            return Ok(era);
        }
    }
    Err(lost_race("the era"))
}

fn write_era(seen: Revision, era: u64, why: &str) -> Txn {
    let key = Key::Era.to_string();
    Txn::new().if_unchanged(key.as_str(), seen).put(
        key,
        encode(&EraRow {
            era,
            why: why.to_owned(),
        }),
    )
}

/// A server's own row in the store.
#[derive(Debug, Clone)]
pub struct Membership {
    row: MemberRow,
    revision: Revision,
}

impl Membership {
    /// This start.
    #[must_use]
    pub fn start(&self) -> Start {
        start_of(&self.row)
    }

    /// Renews the row. Returns false if it is gone or not ours: the server is evicted and must end.
    ///
    /// With an embedded store nobody else can evict, so nothing has to be renewed.
    ///
    /// # Errors
    /// If the store did not answer; the outcome is unknown, and the next renewal finds out.
    pub async fn renew(&mut self, store: &dyn Store) -> Result<bool, StoreError> {
        self.row.renewals += 1;
        for _ in 0..TRIES {
            match store.txn(renew(&self.row, self.revision)).await? {
                Commit::Done(revision) => {
                    self.revision = revision;
                    return Ok(true);
                }
                Commit::Refused { .. } => {
                    let Some(revision) = self.earlier_write(store).await? else {
                        return Ok(false);
                    };
                    self.revision = revision;
                }
            }
        }
        Err(lost_race("the own row"))
    }

    /// The revision of an own write whose answer was lost; `None` if the row is gone or written by somebody else.
    async fn earlier_write(&self, store: &dyn Store) -> Result<Option<Revision>, StoreError> {
        let Some(row) = store.get(&Key::Member(self.start()).to_string()).await? else {
            return Ok(None);
        };
        let found: MemberRow = decode(&row)?;
        let ours = MemberRow {
            renewals: found.renewals,
            ..self.row.clone()
        } == found;
        Ok(
            (ours && found.renewals < self.row.renewals && row.mod_revision > self.revision)
                .then_some(row.mod_revision),
        )
    }
}

/// Starts the one server of an embedded store: evicts its predecessor, joins, and claims all shards anew, so that
/// every token rises. `at_utc_ms` is the time for the eviction's note, milliseconds since 1970.
///
/// # Errors
/// [`StoreError::Unfinished`], [`StoreError::MovedAway`] after a move of its rows; or if the store cannot be read or
/// written.
pub async fn start_alone(
    store: &dyn Store,
    row: MemberRow,
    at_utc_ms: u64,
) -> Result<(Membership, View), StoreError> {
    migrate::check(store).await?;
    let own = start_of(&row);
    let era = ensure_era(store).await?;
    let (seen, _) = load(store).await?;
    for (start, member) in seen.members() {
        let note = EvictedRow {
            by_node_id: own.node.clone(),
            evidence: "E1: its store has one opener, and that is another start".to_owned(),
            at_utc_ms,
        };
        must(
            store
                .txn(evict(None, start, member.revision, &note))
                .await?,
            "a predecessor's row",
        )?;
    }
    let revision = must(store.txn(join(&row)).await?, "the own row")?;
    let (mut view, _) = load(store).await?;
    for order in claim(&view.clone(), &own, 0..SHARDS, "start") {
        let revision = must(store.txn(order.txn.clone()).await?, "shards")?;
        order.done(&mut view, &own, revision);
    }
    view.set_era(era);
    Ok((Membership { row, revision }, view))
}

/// The revision of a transaction that nobody else can have spoilt.
fn must(commit: Commit, what: &str) -> Result<Revision, StoreError> {
    match commit {
        Commit::Done(revision) => Ok(revision),
        Commit::Refused { .. } => Err(lost_race(what)),
    }
}

fn lost_race(what: &str) -> StoreError {
    StoreError::Unavailable(format!(
        "{what} changed under our hands; is another server using this store?"
    ))
}
