//! The power fails at every step that the file is written in: nothing confirmed is lost, nothing is half there.

use crate::disk::Disk;
use ipdect_cluster::{Commit, Embedded, Store, Txn};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;

/// Cases in all; each step of the writes gets as many as fit.
const CASES: u64 = 1_000;
/// Threads that share the cases.
const LANES: usize = 4;
/// Transactions of a case.
const TXNS: usize = 14;

type Rows = BTreeMap<String, Vec<u8>>;

/// The n-th transaction: two rows that belong together, one that grows, one that goes.
fn txn(n: usize) -> Txn {
    let value = vec![n as u8; 40 + 700 * (n % 5)];
    let txn = Txn::new()
        .put("/pair/a", vec![n as u8])
        .put("/pair/b", vec![n as u8]);
    let txn = txn.put(format!("/rows/{n}"), value);
    if n % 3 == 2 {
        txn.delete(format!("/rows/{}", n / 2))
    } else {
        txn
    }
}

/// What must be there after each number of transactions.
fn models() -> Vec<Rows> {
    let mut models = vec![Rows::new()];
    for n in 0..TXNS {
        let mut rows = models[n].clone();
        for op in txn(n).ops {
            match op {
                ipdect_cluster::Op::Put(key, value) => rows.insert(key, value.to_vec()),
                ipdect_cluster::Op::Delete(key) => rows.remove(&key),
            };
        }
        models.push(rows);
    }
    models
}

/// Writes until the power fails; tells how many transactions were confirmed.
async fn write(disk: &Disk) -> usize {
    let Ok(store) = disk.open() else { return 0 };
    let mut confirmed = 0;
    while confirmed < TXNS && matches!(store.txn(txn(confirmed)).await, Ok(Commit::Done(_))) {
        confirmed += 1;
    }
    store.close().await;
    confirmed
}

async fn rows(store: &Embedded) -> (Rows, u64) {
    let page = store.range("/", None, 0).await.unwrap();
    (
        page.rows
            .into_iter()
            .map(|row| (row.key, row.value.to_vec()))
            .collect(),
        page.revision,
    )
}

/// An empty store: a file gets its name only when it is one.
async fn made() -> Vec<u8> {
    let disk = Disk::default();
    disk.open().unwrap().close().await;
    disk.image()
}

async fn survives(empty: &[u8], step: u64, seed: u64, models: &[Rows]) {
    let disk = Disk::holding(empty.to_vec());
    disk.fail_at(step);
    let confirmed = write(&disk).await;
    let image = disk.after_power_loss(&mut ChaCha8Rng::seed_from_u64(seed));
    let what = format!("step {step}, seed {seed}, {confirmed} confirmed");
    let store = Disk::holding(image)
        .open()
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let (found, revision) = rows(&store).await;
    // The one that was under way may have come through; then it is there as a whole.
    let there = revision as usize;
    assert!(
        there == confirmed || there == confirmed + 1,
        "{what}: revision {revision}"
    );
    assert_eq!(found, models[there], "{what}");
    let next = store.txn(Txn::new().put("/after", "x")).await.unwrap();
    assert_eq!(next, Commit::Done(revision + 1), "{what}");
    store.close().await;
}

/// Runs every `LANES`th case, from `lane` on.
async fn lane(lane: u64) {
    let empty = made().await;
    let whole = Disk::holding(empty.clone());
    assert_eq!(write(&whole).await, TXNS);
    let (steps, models) = (whole.steps(), models());
    assert!(steps > 50, "{steps} steps");
    for case in (lane..CASES).step_by(LANES) {
        survives(&empty, case % steps, case, &models).await;
    }
}

#[test]
fn nothing_confirmed_is_lost_wherever_the_power_fails() {
    std::thread::scope(|scope| {
        for number in 0..LANES as u64 {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                runtime.block_on(lane(number));
            });
        }
    });
}
