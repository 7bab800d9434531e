//! Moving all rows from one store into another, wherever it is interrupted.

use crate::membership::row;
use ipdect_cluster::membership::{era_of, start_alone};
use ipdect_cluster::migrate::{MoveError, Orders, Report, check, reopen};
use ipdect_cluster::{Commit, Key, Memory, Page, Row, Store, StoreError, Txn, Watch, migrate};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn orders() -> Orders {
    Orders {
        from: "the file".into(),
        to: "the cluster".into(),
        overwrite: false,
        reported_era: 0,
    }
}

/// A store of a server that has run for a while: 1,024 claims, history, records, what stays behind.
async fn old() -> Memory {
    let store = Memory::new();
    store.put("/sys/cluster", "c".into()).await.unwrap();
    for number in 0..300 {
        let key = format!("/users/{number}");
        store.put(&key, key.clone().into()).await.unwrap();
    }
    for (number, scope) in [(7, "sip"), (40_000, "dect"), (300, "dect"), (8, "sip")] {
        let key = Key::History(scope.into(), number).to_string();
        store.put(&key, number.to_string().into()).await.unwrap();
    }
    store
        .put("/calls/7/1", vec![7; 300_000].into())
        .await
        .unwrap();
    store
        .put("/calls/7/2", vec![8; 300_000].into())
        .await
        .unwrap();
    start_alone(&store, row("server-1", 1), 1).await.unwrap();
    start_alone(&store, row("server-1", 2), 1).await.unwrap();
    store
}

async fn rows(store: &Memory) -> Vec<(String, Vec<u8>)> {
    let page = store.range("/", None, 0).await.unwrap();
    let kept = page.rows.into_iter().filter(|row| {
        !["/members/", "/evicted/", "/sys/era", "/sys/move"]
            .iter()
            .any(|left| row.key.starts_with(left))
    });
    kept.map(|row| (row.key, row.value.to_vec())).collect()
}

/// The rows as they are after the move.
async fn expected(from: &Memory) -> Vec<(String, Vec<u8>)> {
    let mut counts = std::collections::BTreeMap::new();
    let renamed = rows(from).await.into_iter().map(|(key, value)| {
        let key = match Key::parse(&key) {
            Some(Key::History(scope, _)) => {
                let count = counts.entry(scope.clone()).or_insert(0);
                *count += 1;
                Key::History(scope, *count).to_string()
            }
            _ => key,
        };
        (key, value)
    });
    renamed.collect()
}

#[tokio::test]
async fn all_rows_arrive_and_the_era_rises() {
    let (from, to) = (old().await, Memory::new());
    to.put("/sys/era", "".into()).await.unwrap();
    to.delete("/sys/era").await.unwrap();
    let wanted = expected(&from).await;
    let report = migrate(
        &from,
        &to,
        &Orders {
            reported_era: 5,
            ..orders()
        },
    )
    .await
    .unwrap();
    let octets = wanted.iter().map(|(_, value)| value.len() as u64).sum();
    assert_eq!(
        report,
        Report {
            rows: wanted.len() as u64,
            octets,
            era: 6
        }
    );
    assert_eq!(rows(&to).await, wanted);
    assert_eq!(era_of(&to).await.unwrap(), 6);
    assert!(
        to.range("/members/", None, 0)
            .await
            .unwrap()
            .rows
            .is_empty()
    );
    // History keeps its order, and what is written next comes behind it.
    let settings = to.put("/settings/sip", "now".into()).await.unwrap();
    assert!(settings > 2);
    let old_now = check(&from).await.unwrap_err();
    assert!(matches!(&old_now, StoreError::MovedAway { to } if to == "the cluster"));
    let started = start_alone(&from, row("server-1", 3), 1).await;
    assert!(
        matches!(started, Err(StoreError::MovedAway { .. })),
        "{started:?}"
    );
    // The generations of claims go on: they are part of numbers that peers have seen.
    let (own, view) = start_alone(&to, row("server-1", 3), 1).await.unwrap();
    assert!(view.shards_of(&own.start()).count() == 1024);
    assert_eq!(view.claim(7).unwrap().generation, 3);
}

#[tokio::test]
async fn there_and_back_without_being_told_to_overwrite() {
    let (file, etcd) = (old().await, Memory::new());
    let wanted = expected(&file).await;
    migrate(&file, &etcd, &orders()).await.unwrap();
    let report = migrate(&etcd, &file, &orders()).await.unwrap();
    assert_eq!(report.era, 3);
    assert_eq!(rows(&file).await, wanted);
    check(&file).await.unwrap();
    check(&etcd).await.unwrap_err();
    let again = migrate(&file, &etcd, &orders()).await.unwrap();
    assert_eq!(again.era, 4);
}

#[tokio::test]
async fn wrong_orders_change_nothing() {
    let (from, other) = (old().await, old().await);
    let before = from.range("/", None, 0).await.unwrap();
    let error = migrate(&from, &other, &orders()).await.unwrap_err();
    assert!(matches!(error, MoveError::NotEmpty { .. }), "{error}");
    let told = Orders {
        overwrite: true,
        ..orders()
    };
    let error = migrate(&from, &from, &told).await.unwrap_err();
    assert!(matches!(error, MoveError::SameStore(_)), "{error}");
    let error = migrate(&Memory::new(), &from, &told).await.unwrap_err();
    assert!(matches!(error, MoveError::Nothing(_)), "{error}");
    assert_eq!(from.range("/", None, 0).await.unwrap().rows, before.rows);
    check(&from).await.unwrap();
    check(&other).await.unwrap();
    migrate(&from, &other, &told).await.unwrap();
    assert_eq!(rows(&other).await, expected(&from).await);
    let error = migrate(&other, &other, &told).await.unwrap_err();
    assert!(matches!(error, MoveError::SameStore(_)), "{error}");
    check(&other).await.unwrap();
}

/// Two stores that share a line; it breaks after some transactions.
#[derive(Debug, Clone)]
struct Breaking {
    store: Memory,
    left: Arc<AtomicUsize>,
    /// The last transaction arrives, but its answer does not.
    answers: bool,
}

#[async_trait::async_trait]
impl Store for Breaking {
    async fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        self.store.get(key).await
    }

    async fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store.range(prefix, after, limit).await
    }

    async fn txn(&self, txn: Txn) -> Result<Commit, StoreError> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        match (left, self.answers) {
            (0, _) => {}
            (1, true) => {
                self.store.txn(txn).await?;
            }
            _ => return self.store.txn(txn).await,
        }
        Err(StoreError::Unknown("broken".into()))
    }

    async fn watch(&self, prefix: &str, from: u64) -> Result<Watch, StoreError> {
        self.store.watch(prefix, from).await
    }
}

#[tokio::test]
async fn wherever_it_is_interrupted_it_is_seen_and_taken_up_again() {
    for answers in [false, true] {
        let mut unfinished = 0;
        for steps in 0.. {
            let (from, to) = (old().await, Memory::new());
            let wanted = expected(&from).await;
            let left = Arc::new(AtomicUsize::new(steps));
            let breaking = |store: &Memory| Breaking {
                store: store.clone(),
                left: left.clone(),
                answers,
            };
            let first = migrate(&breaking(&from), &breaking(&to), &orders()).await;
            let usable = (check(&from).await.is_ok(), check(&to).await.is_ok());
            let whole = rows(&to).await == wanted;
            assert!(!usable.1 || whole || rows(&to).await.is_empty(), "{steps}");
            assert!(
                !(usable.0 && usable.1 && whole),
                "{steps}: two stores at once"
            );
            if let Ok(report) = first {
                assert_eq!((usable, whole, report.era), ((false, true), true, 2));
                assert!(unfinished > 10, "{unfinished}");
                break;
            }
            unfinished += usize::from(!usable.0);
            let report = migrate(&from, &to, &orders()).await.unwrap();
            assert_eq!(
                (report.rows, report.era),
                (wanted.len() as u64, 2),
                "{steps}"
            );
            assert_eq!(rows(&to).await, wanted, "{steps}");
            assert_eq!(era_of(&to).await.unwrap(), 2);
            check(&to).await.unwrap();
            check(&from).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn the_old_store_can_be_taken_into_use_again() {
    let (from, to) = (old().await, Memory::new());
    let breaking = |store: &Memory, steps| Breaking {
        store: store.clone(),
        left: Arc::new(AtomicUsize::new(steps)),
        answers: false,
    };
    migrate(&from, &breaking(&to, 4), &orders())
        .await
        .unwrap_err();
    let error = start_alone(&from, row("server-1", 3), 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Unfinished { .. }), "{error}");
    let error = reopen(&to, 0).await.unwrap_err();
    assert!(matches!(error, StoreError::Unfinished { .. }), "{error}");
    assert_eq!(reopen(&from, 8).await.unwrap(), 9);
    start_alone(&from, row("server-1", 3), 1).await.unwrap();
    let report = migrate(&from, &to, &orders()).await.unwrap();
    assert_eq!(report.era, 10);
    assert_eq!(reopen(&from, 0).await.unwrap(), 11);
}

/// A store that a server still writes while its rows are read.
#[derive(Debug)]
struct Lively(Memory, AtomicUsize);

#[async_trait::async_trait]
impl Store for Lively {
    async fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        self.0.get(key).await
    }

    async fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        if self.1.fetch_add(1, Ordering::Relaxed) == 5 {
            self.0.put("/calls/1/1", "late".into()).await?;
        }
        self.0.range(prefix, after, limit).await
    }

    async fn txn(&self, txn: Txn) -> Result<Commit, StoreError> {
        self.0.txn(txn).await
    }

    async fn watch(&self, prefix: &str, from: u64) -> Result<Watch, StoreError> {
        self.0.watch(prefix, from).await
    }
}

#[tokio::test]
async fn a_server_that_still_runs_is_noticed_and_ends() {
    let from = old().await;
    let (mut own, _) = start_alone(&from, row("server-1", 3), 1).await.unwrap();
    let to = Memory::new();
    let lively = Lively(from.clone(), AtomicUsize::new(0));
    let error = migrate(&lively, &to, &orders()).await.unwrap_err();
    assert!(
        matches!(error, MoveError::InUse { .. } | MoveError::Differs { .. }),
        "{error}"
    );
    assert!(!own.renew(&from).await.unwrap(), "it is evicted");
    check(&to).await.unwrap_err();
    let report = migrate(&lively, &to, &orders()).await.unwrap();
    assert_eq!(report.rows, expected(&from).await.len() as u64);
}
