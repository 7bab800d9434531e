//! More than fits into one message of etcd (2 MiB when watching, 4 MiB when reading).

use super::watches::next;
use super::{done, put};
use crate::store::{Change, Store};
use crate::txn::Txn;

/// Messages of watches end behind 7 or 10 of these, within a transaction of 3.
const VALUE: usize = 200_000;

/// All rows of a range come, and are those of one revision, however large they are.
pub(super) async fn ranges_come_whole(store: &impl Store) {
    for n in 10..40 {
        put(store, &format!("/large/{n}"), vec![n; VALUE]).await;
    }
    for page in 0..8 {
        let rows = (0..100).fold(Txn::new(), |txn, n| {
            txn.put(format!("/many/{page}{n:02}"), "v")
        });
        done(store, rows).await;
    }
    let latest = put(store, "/mark", "1").await;
    let large = store.range("/large/", None, 0).await.expect("range");
    assert_eq!((large.revision, large.more), (latest, false));
    let found: Vec<(u8, usize)> = large
        .rows
        .iter()
        .map(|row| (row.value[VALUE - 1], row.value.len()))
        .collect();
    assert_eq!(found, (10..40).map(|n| (n, VALUE)).collect::<Vec<_>>());
    let many = store.range("/many/", None, 0).await.expect("range");
    assert_eq!((many.rows.len(), many.more), (800, false));
    let some = store
        .range("/many/", Some("/many/010"), 700)
        .await
        .expect("range");
    assert_eq!((some.rows.len(), some.more), (700, true));
    assert_eq!(some.rows[0].key, "/many/011");
}

/// One transaction is one item of a watch, also if a message ends within it.
pub(super) async fn changes_come_whole(store: &impl Store) {
    let first = put(store, "/mark", "1").await;
    let mut written = Vec::new();
    for _ in 0..8 {
        let rows = (0..3).fold(Txn::new(), |txn, n| {
            txn.put(format!("/large/{n}"), vec![n; VALUE])
        });
        written.push(done(store, rows).await);
    }
    let mut watch = store.watch("/large/", first).await.expect("watch");
    for revision in written {
        let changes = next(&mut watch).await;
        assert_eq!(changes.revision, revision);
        let keys: Vec<&str> = changes.changes.iter().map(Change::key).collect();
        assert_eq!(keys, ["/large/0", "/large/1", "/large/2"]);
    }
}
