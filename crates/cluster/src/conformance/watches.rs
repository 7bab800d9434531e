//! Watches: everything once, in order, also from the past, as long as it is kept.

use super::{SOON, changes, done, put, row};
use crate::error::StoreError;
use crate::store::{Change, Changes, Revision, Store, Watch};
use crate::txn::Txn;
use futures_util::StreamExt;

/// Below the prefix only, in order, one item a revision, the row as it became.
pub(super) async fn tell_every_change_once(store: &impl Store) {
    let mut below = store.watch("/w/", 0).await.expect("watch");
    let mut everything = store.watch("/", 0).await.expect("watch");
    let first = done(
        store,
        Txn::new().put("/w/a", "1").put("/v", "1").put("/w/b", "1"),
    )
    .await;
    let second = put(store, "/other", "1").await;
    let third = done(
        store,
        Txn::new().delete("/w/a").put("/w/b", "2").delete("/w/none"),
    )
    .await;
    let put_of =
        |key: &str, value: &str, create, modified| Change::Put(row(key, value, create, modified));
    assert_eq!(
        next(&mut below).await,
        changes(
            first,
            [
                put_of("/w/a", "1", first, first),
                put_of("/w/b", "1", first, first)
            ]
        )
    );
    let gone = Change::Delete { key: "/w/a".into() };
    assert_eq!(
        next(&mut below).await,
        changes(third, [gone, put_of("/w/b", "2", first, third)])
    );
    let revisions = [
        next(&mut everything).await,
        next(&mut everything).await,
        next(&mut everything).await,
    ];
    assert_eq!(
        revisions.map(|changes| changes.revision),
        [first, second, third]
    );
    store
        .txn(Txn::new().if_present("/none").put("/w/c", "1"))
        .await
        .expect("txn");
    let fourth = put(store, "/w/d", "1").await;
    assert_eq!(
        next(&mut below).await.revision,
        fourth,
        "refused transactions are not told"
    );
}

/// A range and then a watch from the revision after it miss nothing and repeat nothing.
pub(super) async fn begin_in_the_past(store: &impl Store) {
    put(store, "/a", "1").await;
    let read = store.range("/", None, 0).await.expect("range").revision;
    let second = put(store, "/b", "1").await;
    let third = put(store, "/a", "2").await;
    let mut from_read = store.watch("/", read + 1).await.expect("watch");
    assert_eq!(next(&mut from_read).await.revision, second);
    assert_eq!(next(&mut from_read).await.revision, third);
    let mut from_third = store.watch("/", third).await.expect("watch");
    assert_eq!(
        next(&mut from_third).await.revision,
        third,
        "the revision asked for is included"
    );
    let mut future = store.watch("/", third + 2).await.expect("watch");
    put(store, "/a", "3").await;
    let fifth = put(store, "/a", "4").await;
    assert_eq!(
        next(&mut future).await.revision,
        fifth,
        "nothing before the revision asked for"
    );
}

/// A watch from too far back, or one that is too slow, gets [`StoreError::Compacted`] and then its end; one from the
/// revision named there works.
pub(super) async fn tell_when_the_past_is_gone<S: Store>(
    store: &S,
    forget: impl AsyncFn(&S, Revision),
) {
    let first = put(store, "/a", "1").await;
    let mut slow = store.watch("/", first).await.expect("watch");
    let mut latest = first;
    for _ in 0..400 {
        latest = put(store, "/a", "1").await;
    }
    forget(store, latest - 10).await;
    let oldest = gone(&mut slow).await;
    let mut late = store.watch("/", first).await.expect("watch");
    assert_eq!(gone(&mut late).await, oldest);
    let mut good = store.watch("/", oldest).await.expect("watch");
    assert_eq!(next(&mut good).await.revision, oldest);
}

pub(super) async fn next(watch: &mut Watch) -> Changes {
    let item = tokio::time::timeout(SOON, watch.next())
        .await
        .expect("a change comes soon");
    item.expect("the watch goes on").expect("no error")
}

async fn gone(watch: &mut Watch) -> Revision {
    let oldest = match tokio::time::timeout(SOON, watch.next())
        .await
        .expect("an answer comes soon")
    {
        Some(Err(StoreError::Compacted { oldest })) => oldest,
        other => panic!("wanted Compacted, got {other:?}"),
    };
    assert!(watch.next().await.is_none(), "the watch ends");
    oldest
}
