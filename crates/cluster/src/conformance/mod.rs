//! What every store must do, as checks that run against any of them.
//!
//! A store's own tests call [`all`] with a way to make empty stores. The checks panic with what was wrong.

mod large;
mod outcomes;
mod rivals;
mod rows;
mod watches;

use crate::store::{Change, Changes, Revision, Row, Store};
use crate::txn::{Commit, Txn};
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;

/// Longest wait for a change that must come.
const SOON: Duration = Duration::from_secs(20);

/// Runs every check, each on an empty store.
///
/// Stores that forget by themselves must keep 40 changes or more for watches, and fewer than 400; `forget` makes one
/// forget what is before a revision that forgets only when told.
///
/// # Panics
/// At the first check that fails.
pub async fn all<S: Store, F: Future<Output = S>>(
    mut empty: impl FnMut() -> F,
    forget: impl AsyncFn(&S, Revision),
) {
    rows::are_read_as_written(&empty().await).await;
    rows::revisions_count_changes_only(&empty().await).await;
    rows::ranges_come_in_pages_in_order(&empty().await).await;
    rows::guards_decide_for_all_operations(&empty().await).await;
    rows::impossible_requests_write_nothing(&empty().await).await;
    large::ranges_come_whole(&empty().await).await;
    large::changes_come_whole(&empty().await).await;
    watches::tell_every_change_once(&empty().await).await;
    watches::begin_in_the_past(&empty().await).await;
    watches::tell_when_the_past_is_gone(&empty().await, forget).await;
    rivals::one_of_many_wins(empty().await).await;
    rivals::increments_are_never_lost(empty().await).await;
    outcomes::lost_answers_are_found_out(empty().await).await;
    outcomes::rivals_are_not_taken_for_oneself(empty().await).await;
    outcomes::an_unknown_outcome_is_settled_later(empty().await).await;
    outcomes::what_could_not_be_found_out_is_not_begun(empty().await).await;
}

async fn get(store: &impl Store, key: &str) -> Option<Row> {
    store.get(key).await.expect("get")
}

async fn put(store: &impl Store, key: &str, value: impl Into<Bytes>) -> Revision {
    store.put(key, value.into()).await.expect("put")
}

async fn done(store: &impl Store, txn: Txn) -> Revision {
    match store.txn(txn).await.expect("txn") {
        Commit::Done(revision) => revision,
        refused => panic!("{refused:?}"),
    }
}

fn row(key: &str, value: &str, create_revision: Revision, mod_revision: Revision) -> Row {
    Row {
        key: key.to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
        create_revision,
        mod_revision,
    }
}

fn changes(revision: Revision, changes: impl IntoIterator<Item = Change>) -> Changes {
    Changes {
        revision,
        changes: changes.into_iter().collect(),
    }
}
