//! Members of etcd that die, stand still, or are all away.

use crate::kit::{Cluster, PATIENCE, item, next, soon};
use ipdect_cluster::etcd::{Config, Limits};
use ipdect_cluster::{Commit, Etcd, Revision, Store, StoreError, Txn, Watch};
use std::time::{Duration, Instant};

/// Writes a row again and again, each time only if its own last write stands, as a server renews its row.
struct Writer {
    store: Etcd,
    last: Revision,
    written: Vec<Revision>,
    /// Longest time that one write took.
    longest: Duration,
}

impl Writer {
    const KEY: &'static str = "/row";

    fn new(store: &Etcd) -> Writer {
        Writer {
            store: store.with_limits(Limits::RENEWAL),
            last: 0,
            written: Vec::new(),
            longest: Duration::ZERO,
        }
    }

    async fn write(&mut self, times: usize) {
        for _ in 0..times {
            let begun = Instant::now();
            let txn = Txn::new()
                .if_unchanged(Self::KEY, self.last)
                .put(Self::KEY, self.written.len().to_string());
            self.last = soon("a write", self.certainly(txn)).await;
            self.written.push(self.last);
            self.longest = self.longest.max(begun.elapsed());
        }
    }

    async fn certainly(&self, txn: Txn) -> Revision {
        let mut answer = self.store.txn_certain(txn.clone()).await;
        loop {
            match answer {
                Ok(Commit::Done(revision)) => return revision,
                Ok(refused) => panic!("nobody else writes: {refused:?}"),
                Err(StoreError::Unknown(_) | StoreError::Unavailable(_)) => {
                    answer = self.store.txn_settled(txn.clone()).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The watch has told each write once, in order, and nothing else.
    async fn all_were_told(&self, watch: &mut Watch) {
        for (n, revision) in self.written.iter().enumerate() {
            let changes = next(watch).await;
            assert_eq!(changes.revision, *revision, "write {n}");
            assert_eq!(changes.changes.len(), 1);
        }
    }
}

async fn watch(store: &Etcd) -> Watch {
    store
        .with_limits(Limits::RENEWAL)
        .watch("/", 0)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_leader_is_killed_and_starts_again() {
    let mut cluster = Cluster::three_with_users().await;
    let store = cluster.store().await;
    let mut told = watch(&store).await;
    let mut writer = Writer::new(&store);
    writer.write(10).await;
    for _ in 0..2 {
        let leader = cluster.leader().await;
        cluster.kill(leader);
        writer.write(20).await;
        cluster.restart(leader);
        writer.write(20).await;
    }
    writer.all_were_told(&mut told).await;
    println!("longest write: {:?}", writer.longest);
}

#[tokio::test]
async fn the_leader_stands_still_and_wakes() {
    let cluster = Cluster::three_with_users().await;
    let store = cluster.store().await;
    let mut told = watch(&store).await;
    let mut writer = Writer::new(&store);
    writer.write(10).await;
    for _ in 0..2 {
        let leader = cluster.leader().await;
        cluster.stop(leader);
        writer.write(20).await;
        cluster.wake(leader);
        writer.write(20).await;
    }
    writer.all_were_told(&mut told).await;
    println!("longest write: {:?}", writer.longest);
}

#[tokio::test]
async fn a_watch_leaves_a_member_that_stands_still_or_starts_again() {
    let mut cluster = Cluster::three();
    let store = cluster.store().await;
    let mut told = watch(&store).await;
    let mut writer = Writer::new(&store);
    writer.write(1).await;
    next(&mut told).await;
    let mut seen = 1;
    for member in [0, 1, 2] {
        // Whichever member the watch is at, one of these is it.
        cluster.stop(member);
        writer.write(3).await;
        for revision in &writer.written[seen..] {
            assert_eq!(next(&mut told).await.revision, *revision);
        }
        cluster.wake(member);
        seen = writer.written.len();
    }
    // Compacted to the last revision that it was told: nothing is missing yet.
    store.compact(writer.last).await.unwrap();
    for member in [0, 1, 2] {
        cluster.kill(member);
        writer.write(3).await;
        for revision in &writer.written[seen..] {
            assert_eq!(next(&mut told).await.revision, *revision);
        }
        cluster.restart(member);
        seen = writer.written.len();
    }
}

#[tokio::test]
async fn a_watch_that_missed_compacted_changes_says_so() {
    let mut cluster = Cluster::single(&[]);
    let store = cluster.store().await;
    let mut told = watch(&store).await;
    let mut writer = Writer::new(&store);
    writer.write(1).await;
    next(&mut told).await;
    writer.write(5).await;
    cluster.kill(0);
    cluster.restart(0);
    writer.write(1).await;
    store.compact(writer.last).await.unwrap();
    // What was on its way may still come; then it is told that something is missing.
    let oldest = loop {
        match item(&mut told).await {
            Ok(changes) => assert!(changes.revision < writer.last, "that one is gone"),
            Err(StoreError::Compacted { oldest }) => break oldest,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(oldest, writer.last + 1);
    let page = store.range("/", None, 0).await.unwrap();
    let mut again = store.watch("/", page.revision + 1).await.unwrap();
    writer.write(1).await;
    assert_eq!(next(&mut again).await.revision, writer.last);
}

#[tokio::test]
async fn all_members_are_away_and_come_back() {
    let mut cluster = Cluster::three();
    let store = cluster.store().await;
    let mut told = watch(&store).await;
    let mut writer = Writer::new(&store);
    writer.write(3).await;
    for member in 0..3 {
        cluster.kill(member);
    }
    let brief = store.with_limits(Limits {
        connect: Duration::from_millis(300),
        attempt: Duration::from_millis(300),
        call: Duration::from_secs(1),
        quiet: Duration::from_millis(300),
    });
    let text = match soon("an error", brief.get("/row")).await {
        Err(error @ StoreError::Unavailable(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    for endpoint in cluster.endpoints() {
        assert!(text.contains(&endpoint), "{text}");
    }
    let unsent = soon("an error", brief.put("/other", "1".into()))
        .await
        .unwrap_err();
    assert!(unsent.nothing_done(), "{unsent}");
    let unwatched = soon("an error", brief.watch("/", 0)).await;
    assert!(matches!(unwatched, Err(StoreError::Unavailable(_))));
    assert!(brief.health().await.states().next().is_none());
    for member in 0..3 {
        cluster.restart(member);
    }
    writer.write(3).await;
    writer.all_were_told(&mut told).await;
    let other = brief.with_limits(Limits::default()).get("/other").await;
    assert_eq!(other.unwrap(), None);
}

#[tokio::test]
async fn a_member_without_a_quorum_is_no_member() {
    let mut cluster = Cluster::three();
    let store = cluster.store().await;
    let mut writer = Writer::new(&store);
    writer.write(1).await;
    let mut told = store.watch("/", writer.last).await.unwrap();
    next(&mut told).await;
    cluster.kill(1);
    cluster.kill(2);
    let brief = Limits {
        call: Duration::from_secs(2),
        ..Limits::RENEWAL
    };
    let error = store.with_limits(brief).get(Writer::KEY).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    cluster.restart(1);
    writer.write(1).await;
    assert_eq!(next(&mut told).await.revision, writer.last);
    cluster.restart(2);
    let patient = Config {
        limits: Limits {
            call: PATIENCE,
            ..Limits::default()
        },
        ..Config {
            endpoints: vec![cluster.endpoints().remove(2)],
            ..cluster.config()
        }
    };
    let third = Etcd::connect(&patient).await.unwrap();
    assert_eq!(
        third.get(Writer::KEY).await.unwrap().unwrap().mod_revision,
        writer.last
    );
}
