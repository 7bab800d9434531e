//! Rows, revisions, ranges, guards.

use super::{done, get, put, row};
use crate::error::StoreError;
use crate::store::Store;
use crate::txn::{Commit, MAX_KEY, MAX_OCTETS, MAX_PARTS, Txn};

/// Puts, overwrites, deletes and puts again; the revisions of the row say so.
pub(super) async fn are_read_as_written(store: &impl Store) {
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
pub(super) async fn revisions_count_changes_only(store: &impl Store) {
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
pub(super) async fn ranges_come_in_pages_in_order(store: &impl Store) {
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
pub(super) async fn guards_decide_for_all_operations(store: &impl Store) {
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
pub(super) async fn impossible_requests_write_nothing(store: &impl Store) {
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
