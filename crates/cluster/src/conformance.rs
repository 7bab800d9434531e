//! What every store must do, as checks that run against any of them.
//!
//! A store's own tests call [`all`] with a way to make empty stores. The checks panic with what was wrong.

use crate::error::StoreError;
use crate::store::{Change, Changes, Revision, Row, Store, Watch};
use crate::txn::{Commit, MAX_KEY, MAX_OCTETS, MAX_PARTS, Txn};
use bytes::Bytes;
use futures_util::StreamExt;
use std::future::Future;
use std::time::Duration;

/// Longest wait for a change that must come.
const SOON: Duration = Duration::from_secs(5);

/// Runs every check, each on an empty store. Stores must keep 16 changes or more for watches, and fewer than 400.
///
/// # Panics
/// At the first check that fails.
pub async fn all<S: Store, F: Future<Output = S>>(mut empty: impl FnMut() -> F) {
    rows_are_read_as_written(&empty().await).await;
    revisions_count_changes_only(&empty().await).await;
    ranges_come_in_pages_in_order(&empty().await).await;
    guards_decide_for_all_operations(&empty().await).await;
    impossible_requests_write_nothing(&empty().await).await;
    watches_tell_every_change_once(&empty().await).await;
    watches_begin_in_the_past(&empty().await).await;
    watches_tell_when_the_past_is_gone(&empty().await).await;
    one_of_many_rivals_wins(empty().await).await;
    increments_are_never_lost(empty().await).await;
}

/// Puts, overwrites, deletes and puts again; the revisions of the row say so.
pub async fn rows_are_read_as_written(store: &impl Store) {
    assert_eq!(get(store, "/a").await, None, "an empty store");
    let first = put(store, "/a", "one").await;
    assert_eq!(get(store, "/a").await, Some(row("/a", "one", first, first)));
    let second = put(store, "/a", "").await;
    assert!(second > first, "revisions rise");
    assert_eq!(
        get(store, "/a").await,
        Some(row("/a", "", first, second)),
        "an empty value is a value"
    );
    store.delete("/a").await.expect("delete");
    assert_eq!(get(store, "/a").await, None);
    let third = put(store, "/a", "again").await;
    assert_eq!(
        get(store, "/a").await,
        Some(row("/a", "again", third, third)),
        "made anew"
    );
    assert_eq!(get(store, "/").await, None, "a prefix is no key");
}

/// One counter for the whole store; what changes nothing does not count.
pub async fn revisions_count_changes_only(store: &impl Store) {
    let first = put(store, "/a", "1").await;
    let second = put(store, "/b", "1").await;
    assert_eq!(second, first + 1, "one counter for all keys");
    assert_eq!(
        store.delete("/none").await.expect("delete"),
        second,
        "deleting nothing"
    );
    assert_eq!(
        done(store, Txn::new()).await,
        second,
        "an empty transaction"
    );
    let refused = store
        .txn(Txn::new().if_absent("/a").put("/c", "1"))
        .await
        .expect("txn");
    assert_eq!(
        refused,
        Commit::Refused {
            revision: second,
            keys: vec!["/a".into()]
        }
    );
    let many = done(store, Txn::new().put("/x", "1").put("/y", "1").delete("/a")).await;
    assert_eq!(many, second + 1, "one revision a transaction");
    let page = store.range("/", None, 0).await.expect("range");
    let revisions: Vec<_> = page
        .rows
        .iter()
        .map(|row| (row.key.as_str(), row.mod_revision))
        .collect();
    assert_eq!(revisions, [("/b", second), ("/x", many), ("/y", many)]);
    assert_eq!(page.revision, many);
}

/// Prefix, order by octets, limit, continuation.
pub async fn ranges_come_in_pages_in_order(store: &impl Store) {
    for key in [
        "/calls/10/b",
        "/calls/1/a",
        "/calls/1/b",
        "/callsign",
        "/calls/2/ü",
        "/calls/1/c",
    ] {
        put(store, key, key).await;
    }
    let keys = async |prefix: &str, after: Option<&str>, limit| {
        let page = store.range(prefix, after, limit).await.expect("range");
        (
            page.rows.into_iter().map(|row| row.key).collect::<Vec<_>>(),
            page.more,
        )
    };
    let all = [
        "/calls/1/a",
        "/calls/1/b",
        "/calls/1/c",
        "/calls/10/b",
        "/calls/2/ü",
    ]
    .map(String::from);
    assert_eq!(keys("/calls/", None, 0).await, (all.to_vec(), false));
    assert_eq!(
        keys("/calls/", None, 5).await,
        (all.to_vec(), false),
        "exactly full"
    );
    assert_eq!(
        keys("/calls/1/", None, 0).await,
        (all[..3].to_vec(), false),
        "1 is not 10"
    );
    assert_eq!(keys("/calls/", None, 2).await, (all[..2].to_vec(), true));
    assert_eq!(
        keys("/calls/", Some("/calls/1/b"), 2).await,
        (all[2..4].to_vec(), true)
    );
    assert_eq!(
        keys("/calls/", Some("/calls/10/b"), 2).await,
        (all[4..].to_vec(), false)
    );
    assert_eq!(
        keys("/calls/", Some("/a"), 1).await,
        (all[..1].to_vec(), true),
        "after a key before the prefix"
    );
    assert_eq!(
        keys("/calls/", Some("/calls/1/bb"), 1).await,
        (all[2..3].to_vec(), true),
        "after no row"
    );
    assert_eq!(
        keys("/calls/", Some("/z"), 0).await,
        (vec![], false),
        "after a key behind the prefix"
    );
    assert_eq!(keys("/none", None, 0).await, (vec![], false));
}

/// All or nothing, for each kind of guard, alone and together.
pub async fn guards_decide_for_all_operations(store: &impl Store) {
    let old = put(store, "/row", "1").await;
    let new = put(store, "/row", "2").await;
    let refused = async |txn: Txn, keys: &[&str]| {
        let answer = store
            .txn(txn.put("/trace", "written").delete("/row"))
            .await
            .expect("txn");
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(
            answer,
            Commit::Refused {
                revision: new,
                keys
            }
        );
        assert_eq!(
            get(store, "/trace").await,
            None,
            "a refused transaction writes nothing"
        );
        assert!(get(store, "/row").await.is_some(), "and deletes nothing");
    };
    refused(Txn::new().if_absent("/row"), &["/row"]).await;
    refused(Txn::new().if_present("/none"), &["/none"]).await;
    refused(Txn::new().if_unchanged("/row", old), &["/row"]).await;
    refused(Txn::new().if_unchanged("/none", new), &["/none"]).await;
    refused(Txn::new().if_unchanged("/row", 0), &["/row"]).await;
    refused(
        Txn::new()
            .if_unchanged("/row", new)
            .if_present("/none")
            .if_absent("/row"),
        &["/none", "/row"],
    )
    .await;
    let all = Txn::new()
        .if_unchanged("/row", new)
        .if_present("/row")
        .if_absent("/none")
        .if_unchanged("/none", 0);
    let revision = done(store, all.put("/none", "x").delete("/row")).await;
    assert_eq!(
        get(store, "/none").await,
        Some(row("/none", "x", revision, revision))
    );
    assert_eq!(get(store, "/row").await, None);
    // Guards see the rows from before the transaction.
    let swap = Txn::new()
        .if_present("/none")
        .if_absent("/row")
        .delete("/none")
        .put("/row", "3");
    done(store, swap).await;
}

/// Too much, twice the same, strange keys: [`StoreError::Invalid`], and nothing is written.
pub async fn impossible_requests_write_nothing(store: &impl Store) {
    let fold = |count: usize, part: fn(Txn, String) -> Txn| {
        (0..count).fold(Txn::new(), |t, n| part(t, format!("/k{n}")))
    };
    let full = fold(MAX_PARTS, |txn, key| {
        txn.if_absent(key.clone()).put(key, "v")
    });
    let before = done(store, full).await;
    for txn in [
        fold(MAX_PARTS + 1, |txn, key| txn.put(key, "v")),
        fold(MAX_PARTS + 1, |txn, key| txn.if_present(key)),
        Txn::new().put("/twice", "1").put("/twice", "2"),
        Txn::new().put("/twice", "1").delete("/twice"),
        Txn::new().put("", "v"),
        Txn::new().put("none", "v"),
        Txn::new().if_absent("none").put("/k", "v"),
        Txn::new().put(format!("/{}", "x".repeat(MAX_KEY)), "v"),
        Txn::new().put("/long", vec![0; MAX_OCTETS]),
    ] {
        let answer = store.txn(txn.clone()).await;
        assert!(matches!(answer, Err(StoreError::Invalid(_))), "{answer:?}");
    }
    assert_eq!(
        put(store, "/big", vec![7; MAX_OCTETS - 4]).await,
        before + 1,
        "the largest value"
    );
    assert_eq!(
        get(store, "/big").await.map(|row| row.value.len()),
        Some(MAX_OCTETS - 4)
    );
}

/// Below the prefix only, in order, one item a revision, the row as it became.
pub async fn watches_tell_every_change_once(store: &impl Store) {
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
pub async fn watches_begin_in_the_past(store: &impl Store) {
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
pub async fn watches_tell_when_the_past_is_gone(store: &impl Store) {
    let first = put(store, "/a", "1").await;
    let mut slow = store.watch("/", first).await.expect("watch");
    for _ in 0..400 {
        put(store, "/a", "1").await;
    }
    let oldest = gone(&mut slow).await;
    let mut late = store.watch("/", first).await.expect("watch");
    assert_eq!(gone(&mut late).await, oldest);
    let mut good = store.watch("/", oldest).await.expect("watch");
    assert_eq!(next(&mut good).await.revision, oldest);
}

/// Put-if-absent by many at once: exactly one gets it, and all know who.
pub async fn one_of_many_rivals_wins<S: Store>(store: S) {
    let store = std::sync::Arc::new(store);
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
pub async fn increments_are_never_lost<S: Store>(store: S) {
    let store = std::sync::Arc::new(store);
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

async fn next(watch: &mut Watch) -> Changes {
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
