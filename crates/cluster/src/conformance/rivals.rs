//! Many at once.

use super::get;
use crate::store::Store;
use crate::txn::Txn;
use std::sync::Arc;

/// Put-if-absent by many at once: exactly one gets it, and all know who.
pub(super) async fn one_of_many_wins<S: Store>(store: S) {
    let store = Arc::new(store);
    let rivals = (0..20).map(|rival: u32| {
        let store = store.clone();
        async move {
            let claim = Txn::new()
                .if_absent("/claim")
                .put("/claim", rival.to_string());
            store
                .txn(claim)
                .await
                .expect("txn")
                .is_done()
                .then_some(rival)
        }
    });
    let winners: Vec<u32> = futures_util::future::join_all(rivals)
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(winners.len(), 1);
    let value = get(&*store, "/claim").await.expect("the claim").value;
    assert_eq!(value, winners[0].to_string());
}

/// Read, add one, write if unchanged: concurrent counting loses nothing.
pub(super) async fn increments_are_never_lost<S: Store>(store: S) {
    let store = Arc::new(store);
    let workers = (0..8).map(|_| {
        let store = store.clone();
        async move {
            for _ in 0..10 {
                while !increment(&*store).await {}
            }
        }
    });
    futures_util::future::join_all(workers).await;
    let value = get(&*store, "/count").await.expect("the count").value;
    assert_eq!(value, "80");
}

async fn increment(store: &impl Store) -> bool {
    let found = get(store, "/count").await;
    let revision = found.as_ref().map_or(0, |row| row.mod_revision);
    let count: u32 = found.map_or(0, |row| {
        String::from_utf8_lossy(&row.value)
            .parse()
            .expect("a number")
    });
    let write = Txn::new()
        .if_unchanged("/count", revision)
        .put("/count", (count + 1).to_string());
    store.txn(write).await.expect("txn").is_done()
}
