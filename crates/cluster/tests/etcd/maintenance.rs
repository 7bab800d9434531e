//! Old revisions go, and want of room is told before and when it comes.

use crate::kit::{Cluster, item, soon};
use ipdect_cluster::etcd::{Alarm, Maintenance, Notice, Room};
use ipdect_cluster::{Store, StoreError, Txn};

const QUOTA: u64 = 4 * 1024 * 1024;

#[tokio::test]
async fn one_server_compacts_and_another_takes_its_place() {
    let cluster = Cluster::single(&[]);
    let store = cluster.store().await;
    let first = store.put("/a", "0".into()).await.unwrap();
    let mut one = Maintenance::new(store.clone(), "server-1", None);
    let mut two = Maintenance::new(store.clone(), "server-2", None);
    // The first turn only looks; then the first server marks each period, which the second sees.
    for turn in 0..6 {
        assert_eq!(one.turn().await.unwrap(), [], "turn {turn}");
        assert_eq!(two.turn().await.unwrap(), [], "turn {turn}");
        store.put("/a", "1".into()).await.unwrap();
    }
    let mut kept = store.watch("/", first).await.unwrap();
    assert_eq!(item(&mut kept).await.unwrap().revision, first);
    let notices = one.turn().await.unwrap();
    let [Notice::Compacted(oldest)] = notices[..] else {
        panic!("{notices:?}");
    };
    assert!(oldest > first);
    let mut late = store.watch("/", oldest).await.unwrap();
    let gone = item(&mut late).await;
    assert!(
        matches!(gone, Err(StoreError::Compacted { oldest: next }) if next == oldest + 1),
        "{gone:?}"
    );
    // The first server is gone: the second sees a period without a mark, and goes on where it ended.
    drop(one);
    let latest = store.put("/a", "2".into()).await.unwrap();
    assert_eq!(two.turn().await.unwrap(), [], "it sees the last mark");
    let notices = two.turn().await.unwrap();
    assert!(
        matches!(notices[..], [Notice::Compacted(next)] if next > oldest && next < latest),
        "{notices:?}"
    );
}

#[tokio::test]
async fn it_ends_when_nobody_listens() {
    let cluster = Cluster::single(&[]);
    let maintenance = Maintenance::new(cluster.store().await, "server-1", None);
    let (told, notices) = tokio::sync::mpsc::channel(1);
    let running = tokio::spawn(maintenance.run(told));
    drop(notices);
    soon("the end", running).await.unwrap();
}

#[tokio::test]
async fn room_that_runs_out_is_told_at_half_and_at_the_end_and_can_be_made() {
    let cluster = Cluster::single(&[&format!("--quota-backend-bytes={QUOTA}")]);
    let store = cluster.store().await;
    let mut maintenance = Maintenance::new(store.clone(), "server-1", Some(QUOTA));
    assert_eq!(maintenance.turn().await.unwrap(), []);
    let value = vec![7_u8; 100_000];
    let mut rooms = Vec::new();
    let mut rows = 0..;
    let error = loop {
        let key = format!("/rows/{}", rows.next().unwrap());
        match store.put(&key, value.clone().into()).await {
            Ok(_) => {}
            Err(error) => break error,
        }
        for notice in maintenance.turn().await.unwrap() {
            if let Notice::Room { now, database, .. } = notice {
                rooms.push((now, database));
            }
        }
    };
    let [(Room::Scarce, database)] = rooms[..] else {
        panic!("{rooms:?}");
    };
    assert!((QUOTA / 2..QUOTA).contains(&database), "{database}");
    assert!(matches!(error, StoreError::Quota { .. }), "{error}");
    assert!(!error.nothing_done(), "etcd may look behind the commit");
    let text = error.to_string();
    for part in [
        &cluster.endpoints()[0],
        "etcdctl defrag",
        "etcdctl alarm disarm",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let health = store.health().await;
    assert_eq!(
        (health.alarms.as_slice(), health.room(QUOTA)),
        (&[Alarm::NoSpace][..], Room::None)
    );
    let guarded = Txn::new().if_absent("/more").put("/more", value.clone());
    let error = store.txn_certain(guarded).await.unwrap_err();
    assert!(matches!(error, StoreError::Quota { .. }), "{error}");
    assert_eq!(store.get("/more").await.unwrap(), None);
    assert_eq!(store.get("/rows/0").await.unwrap().unwrap().value, value);
    let notices = maintenance.turn().await.unwrap();
    assert!(
        matches!(
            notices[0],
            Notice::Room {
                now: Room::None,
                ..
            }
        ),
        "{notices:?}"
    );
    assert!(
        matches!(notices[1..], [] | [Notice::Compacted(_)]),
        "{notices:?}"
    );

    // Somebody clears away what took the room, and follows the text. The servers compact each minute.
    for row in store.range("/rows/", None, 0).await.unwrap().rows {
        store.delete(&row.key).await.unwrap();
    }
    for _ in 0..2 {
        maintenance.turn().await.unwrap();
    }
    cluster.etcdctl(&["defrag"]);
    cluster.etcdctl(&["alarm", "disarm"]);
    store.put("/a", "small".into()).await.unwrap();
    let notices = maintenance.turn().await.unwrap();
    let Notice::Room {
        now: Room::Plenty,
        database,
        in_use,
    } = notices[0]
    else {
        panic!("{notices:?}");
    };
    assert!(in_use <= database && database < QUOTA / 2, "{notices:?}");
}
