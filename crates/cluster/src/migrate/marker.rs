//! The row that says that a store takes part in a move, and what servers make of it.

use crate::error::StoreError;
use crate::keys::Key;
use crate::member::encode;
use crate::membership::raise_era;
use crate::store::{Revision, Store};
use crate::txn::Txn;
use crate::view::decode;

/// Where a store is in a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Phase {
    /// No phase of this release.
    Unspecified = 0,
    /// The rows are being copied from here.
    Leaving = 1,
    /// They were copied, and live elsewhere.
    Gone = 2,
    /// They are being copied into here.
    Coming = 3,
    /// They have all come; this is the store.
    Arrived = 4,
}

/// Value of `/sys/move`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct MoveRow {
    /// The same in both stores of a move, and in no other.
    #[prost(fixed64, tag = "1")]
    pub(super) id: u64,
    #[prost(enumeration = "Phase", tag = "2")]
    pub(super) phase: i32,
    /// The other store, for people.
    #[prost(string, tag = "3")]
    pub(super) other: String,
    /// Highest era that the move knows of.
    #[prost(uint64, tag = "4")]
    pub(super) era: u64,
}

/// A marker with the revision of its row; without one revision 0.
pub(super) type Found = (MoveRow, Revision);

pub(super) async fn read(store: &dyn Store) -> Result<Found, StoreError> {
    let row = store.get(&Key::Move.to_string()).await?;
    Ok(match &row {
        Some(row) => (decode(row)?, row.mod_revision),
        None => (MoveRow::default(), 0),
    })
}

/// Writes a marker in place of the one seen.
pub(super) fn write(marker: &MoveRow, seen: Revision) -> Txn {
    let key = Key::Move.to_string();
    Txn::new()
        .if_unchanged(key.as_str(), seen)
        .put(key, encode(marker))
}

/// Whether servers may work with this store.
///
/// # Errors
/// [`StoreError::Unfinished`] or [`StoreError::MovedAway`] if not; or if the store cannot be read.
pub async fn check(store: &dyn Store) -> Result<(), StoreError> {
    let (marker, _) = read(store).await?;
    match marker.phase() {
        Phase::Unspecified | Phase::Arrived => Ok(()),
        Phase::Gone => Err(StoreError::MovedAway { to: marker.other }),
        Phase::Leaving | Phase::Coming => Err(StoreError::Unfinished {
            other: marker.other,
        }),
    }
}

/// Takes a store into use again whose rows were copied elsewhere, or were about to be: for when the other one is lost.
/// What was written there since is lost too. Gives the new era, above `reported`, the highest that any device knows.
///
/// # Errors
/// [`StoreError::Unfinished`] if rows were being copied into it, so that it is not whole; or if the store cannot be
/// read or written.
pub async fn reopen(store: &dyn Store, reported: u64) -> Result<u64, StoreError> {
    let (marker, seen) = read(store).await?;
    if marker.phase() == Phase::Coming {
        return Err(StoreError::Unfinished {
            other: marker.other,
        });
    }
    let reported = reported.max(marker.era);
    let era = raise_era(
        store,
        reported,
        "taken into use again after its rows were moved",
    )
    .await?;
    if seen != 0 {
        let key = Key::Move.to_string();
        let gone = Txn::new().if_unchanged(key.as_str(), seen).delete(key);
        store.txn_certain(gone).await?;
    }
    Ok(era)
}
