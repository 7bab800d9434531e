//! Transactions whose answer may be lost on the way: what became of them, and when they may be sent again.
//!
//! A lost answer leaves three ways open: the transaction was done, was refused, or is still under way. It is safe to
//! send it again if it can be done only once, which is so if it writes a row that it guards: once done, its own guard
//! no longer holds. So the answer to the repetition tells all but one thing: refused by the guard of its own row, was
//! it the first copy that changed the row, or somebody else? Then the rows are read back. What is there is ours if it
//! is what we would have written; rows that rivals write must name their writer, as claims and member rows do.
//!
//! One copy may still be under way when all is over. It does no harm while the guarded row stays changed. A guard
//! [`Guard::Absent`] holds again when somebody removes the row: whoever removes rows that others make must be ready to
//! remove them twice.

use crate::error::StoreError;
use crate::store::{Revision, Store};
use crate::txn::{Commit, Guard, Op, Txn};
use futures_util::future::try_join_all;

/// How often a transaction is sent at the most. Stores take their time before they give up, so this is not counted in
/// milliseconds.
const TRIES: usize = 5;

/// [`Store::txn_certain`], or [`Store::txn_settled`] if `lost` is what became of an earlier copy.
pub(crate) async fn run<S: Store + ?Sized>(
    store: &S,
    txn: Txn,
    mut lost: Option<StoreError>,
) -> Result<Commit, StoreError> {
    txn.check()?;
    if !is_done_once(&txn) {
        return Err(StoreError::Invalid(
            "the transaction guards no row that it writes, so its outcome could not be read back"
                .to_owned(),
        ));
    }
    for _ in 0..TRIES {
        match (store.txn(txn.clone()).await, &lost) {
            (Ok(Commit::Refused { revision, keys }), Some(_)) => {
                return match in_effect(store, &txn).await {
                    Ok(Some(ours)) => Ok(Commit::Done(ours)),
                    Ok(None) => Ok(Commit::Refused { revision, keys }),
                    Err(error) => Err(unknown(&error)),
                };
            }
            (Ok(commit), _) => return Ok(commit),
            (Err(error), None) if error.nothing_done() => return Err(error),
            (Err(error), _) => {
                tracing::debug!(%error, "answer to a transaction lost");
                lost = Some(error);
            }
        }
    }
    match lost {
        // Want of room is worth more words than an unknown outcome.
        Some(error @ (StoreError::Full | StoreError::Quota { .. } | StoreError::Io(_))) => {
            Err(error)
        }
        Some(error) => Err(unknown(&error)),
        None => Err(StoreError::Unknown("not sent".to_owned())),
    }
}

fn unknown(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unknown(what) => StoreError::Unknown(what.clone()),
        error => StoreError::Unknown(error.to_string()),
    }
}

/// Whether the transaction, once done, makes one of its own guards fail.
fn is_done_once(txn: &Txn) -> bool {
    txn.ops.iter().any(|op| {
        txn.guards.iter().any(|guard| match (op, guard) {
            (Op::Put(key, _), Guard::Absent(own) | Guard::Unchanged(own, _))
            | (Op::Delete(key), Guard::Present(own) | Guard::Unchanged(own, _)) => key == own,
            _ => false,
        })
    })
}

/// The revision that made the rows what the transaction makes them; `None` if they are anything else. With deletions
/// only it is the latest one read: the true one or a later one.
async fn in_effect<S: Store + ?Sized>(
    store: &S,
    txn: &Txn,
) -> Result<Option<Revision>, StoreError> {
    let rows = try_join_all(txn.ops.iter().map(|op| store.get(op.key()))).await?;
    let mut written = None;
    for (op, row) in txn.ops.iter().zip(rows) {
        match (op, row) {
            (Op::Delete(_), None) => {}
            (Op::Put(_, value), Some(row)) if row.value == *value => {
                // One transaction has one revision, and it is none that the guards knew.
                if written.is_some_and(|known| known != row.mod_revision)
                    || row.mod_revision <= guarded(txn)
                {
                    return Ok(None);
                }
                written = Some(row.mod_revision);
            }
            _ => return Ok(None),
        }
    }
    match written {
        Some(revision) => Ok(Some(revision)),
        None => Ok(Some(store.range("/sys/", None, 1).await?.revision)),
    }
}

/// The latest revision that the guards name.
fn guarded(txn: &Txn) -> Revision {
    let named = txn.guards.iter().map(|guard| match guard {
        Guard::Unchanged(_, revision) => *revision,
        Guard::Absent(_) | Guard::Present(_) => 0,
    });
    named.max().unwrap_or(0)
}
