//! A single server's file moved into etcd and back, and a view that follows a store in etcd.

use crate::kit::{Cluster, soon};
use ipdect_cluster::membership::{load, start_alone};
use ipdect_cluster::migrate::{Orders, check};
use ipdect_cluster::seal::SecretKey;
use ipdect_cluster::view::{Token, View};
use ipdect_cluster::{Embedded, Follower, Key, Seen, Store, StoreError, migrate};
use ipdect_proto::cluster::v1::MemberRow;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;

fn row(boot_id: u64) -> MemberRow {
    MemberRow {
        node_id: "server-1".into(),
        boot_id,
        weight: 100,
        ..MemberRow::default()
    }
}

fn tokens(view: &View) -> Vec<(Token, u64)> {
    let claims = (0..1024).map(|shard| (view.token(shard), view.claim(shard)));
    claims
        .map(|(token, claim)| (token.unwrap(), claim.unwrap().generation))
        .collect()
}

#[tokio::test]
async fn a_file_moves_into_etcd_and_back_and_devices_take_the_next_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = Embedded::open(&folder.path().join("store.redb")).unwrap();
    let cluster = Cluster::three_with_users().await;
    let etcd = cluster.store().await;
    let into = Orders {
        from: "store.redb".into(),
        to: cluster.endpoints().join(","),
        overwrite: false,
        reported_era: 0,
    };
    let back = Orders {
        from: into.to.clone(),
        to: into.from.clone(),
        ..into.clone()
    };
    let rng = &mut ChaCha20Rng::seed_from_u64(7);
    let key = SecretKey::random(rng);
    let place = Key::User("7".into()).to_string();
    let sealed = key.seal(rng, &place, b"tone");
    file.put(&place, sealed.into()).await.unwrap();
    for number in 0..2_000 {
        let call = Key::Call(number % 1024, format!("{number:012}"));
        file.put(&call.to_string(), vec![1; 3_000].into())
            .await
            .unwrap();
    }
    let (_, view) = start_alone(&file, row(1), 1).await.unwrap();
    let mut before = tokens(&view);
    let stores: [&dyn Store; 2] = [&file, &etcd];
    for (turn, orders) in [&into, &back, &into].into_iter().enumerate() {
        let (from, to) = (stores[turn % 2], stores[1 - turn % 2]);
        let report = migrate(from, to, orders).await.unwrap();
        assert_eq!((report.era, report.rows), (turn as u64 + 2, 2_001 + 1_024));
        let gone = check(from).await.unwrap_err();
        assert!(matches!(gone, StoreError::MovedAway { .. }), "{gone}");
        let secret = to.get(&place).await.unwrap().unwrap().value;
        assert_eq!(&**key.open(&place, &secret).unwrap(), b"tone");
        // Devices refuse what is not above the token they know, and peers numbers that fall.
        let (_, view) = start_alone(to, row(turn as u64 + 2), 1).await.unwrap();
        let now = tokens(&view);
        assert!(
            now.iter()
                .zip(&before)
                .all(|(now, before)| now.0 > before.0 && now.1 > before.1)
        );
        before = now;
    }
    file.close().await;
}

#[tokio::test]
async fn a_view_is_read_anew_after_a_compaction_that_it_missed() {
    let mut cluster = Cluster::single(&[]);
    let etcd = cluster.store().await;
    start_alone(&etcd, row(1), 1).await.unwrap();
    let mut follower = Follower::new(Arc::new(etcd.clone())).await.unwrap();
    let (mut own, _) = start_alone(&etcd, row(2), 1).await.unwrap();
    soon("a change", follower.next()).await.unwrap();
    cluster.kill(0);
    cluster.restart(0);
    let etcd = cluster.store().await;
    assert!(own.renew(&etcd).await.unwrap());
    start_alone(&etcd, row(3), 1).await.unwrap();
    let latest = etcd.latest().await.unwrap();
    etcd.compact(latest).await.unwrap();
    while soon("a change", follower.next()).await.unwrap() != Seen::Anew {}
    assert_eq!(*follower.view(), load(&etcd).await.unwrap().0);
    assert!(own.renew(&etcd).await.is_ok_and(|holds| !holds), "evicted");
}
