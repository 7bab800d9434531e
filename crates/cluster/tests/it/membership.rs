//! Who owns what: starts, claims, eviction and era, on every store.

use crate::disk::Disk;
use ipdect_cluster::keys::prefix;
use ipdect_cluster::membership::{Membership, ensure_era, load, raise_era, start_alone};
use ipdect_cluster::placement::SHARDS;
use ipdect_cluster::view::{Start, View, decode};
use ipdect_cluster::{
    Commit, Key, Memory, Page, Row, Store, StoreError, Token, Txn, Watch, member,
};
use ipdect_proto::cluster::v1::{EvictedRow, MemberRow, ShardRow};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn row(node: &str, boot_id: u64) -> MemberRow {
    MemberRow {
        node_id: node.into(),
        boot_id,
        weight: 100,
        ..MemberRow::default()
    }
}

async fn start(store: &dyn Store, boot: u64) -> (Membership, View) {
    start_alone(store, row("server-1", boot), 1_000)
        .await
        .unwrap()
}

fn tokens(view: &View) -> Vec<Token> {
    (0..SHARDS)
        .map(|shard| view.token(shard).expect("every shard is claimed"))
        .collect()
}

#[tokio::test]
async fn each_start_evicts_its_predecessor_and_raises_every_token() {
    let disk = Disk::default();
    let mut before: Option<Vec<Token>> = None;
    for boot in 1..=3 {
        let store = disk.open().unwrap();
        let (own, view) = start(&store, boot).await;
        assert_eq!(
            own.start(),
            Start {
                node: "server-1".into(),
                boot
            }
        );
        assert_eq!(
            load(&store).await.unwrap().0,
            view,
            "what it believes is what is written"
        );
        assert_eq!(view.members().keys().collect::<Vec<_>>(), [&own.start()]);
        assert_eq!(view.shards_of(&own.start()).count(), usize::from(SHARDS));
        assert!((0..SHARDS).all(|shard| {
            view.claim(shard)
                .is_some_and(|claim| claim.generation == boot)
        }));
        let now = tokens(&view);
        if let Some(before) = before {
            assert!(
                now.iter().zip(&before).all(|(now, before)| now > before),
                "tokens rise across restarts"
            );
        }
        before = Some(now);
        store.close().await;
    }
    let store = disk.open().unwrap();
    let evicted = store.range(prefix::EVICTED, None, 0).await.unwrap().rows;
    assert_eq!(evicted.len(), 2);
    let note: EvictedRow = decode(&evicted[0]).unwrap();
    assert_eq!(
        (note.by_node_id.as_str(), note.at_utc_ms),
        ("server-1", 1_000)
    );
    assert!(note.evidence.starts_with("E1"));
    store.close().await;
}

#[tokio::test]
async fn a_claim_fails_while_the_owner_lives_or_the_row_has_changed() {
    let store = Memory::new();
    let (_, view) = start(&store, 1).await;
    let rival = row("server-2", 9);
    let own = member::start_of(&rival);
    assert!(store.txn(member::join(&rival)).await.unwrap().is_done());
    let claim = |view: &View| member::claim(view, &own, 0..SHARDS, "evicted");
    for order in claim(&view) {
        assert!(
            !store.txn(order.txn).await.unwrap().is_done(),
            "the owner lives"
        );
    }
    let victim = Start {
        node: "server-1".into(),
        boot: 1,
    };
    let seen = view.members()[&victim].revision;
    let note = EvictedRow {
        by_node_id: "server-2".into(),
        evidence: "E2".into(),
        at_utc_ms: 5,
    };
    assert!(
        !store
            .txn(member::evict(Some(&own), &victim, seen + 1, &note))
            .await
            .unwrap()
            .is_done(),
        "it renewed"
    );
    assert!(
        store
            .txn(member::evict(Some(&own), &victim, seen, &note))
            .await
            .unwrap()
            .is_done()
    );
    let mut after = view.clone();
    for order in claim(&view) {
        assert!(order.shards.len() <= member::CLAIM_SHARDS);
        let commit = store.txn(order.txn.clone()).await.unwrap();
        assert!(commit.is_done());
        order.done(&mut after, &own, commit.revision());
    }
    assert!(
        tokens(&after)
            .iter()
            .zip(tokens(&view))
            .all(|(now, before)| *now > before)
    );
    for order in claim(&view) {
        assert!(
            !store.txn(order.txn).await.unwrap().is_done(),
            "rows are no longer as read"
        );
    }
}

#[tokio::test]
async fn a_server_without_a_row_can_neither_claim_nor_evict() {
    let store = Memory::new();
    let (_, view) = start(&store, 1).await;
    let stranger = Start {
        node: "server-2".into(),
        boot: 9,
    };
    let victim = Start {
        node: "server-1".into(),
        boot: 1,
    };
    let note = EvictedRow::default();
    let evict = member::evict(
        Some(&stranger),
        &victim,
        view.members()[&victim].revision,
        &note,
    );
    assert!(!store.txn(evict).await.unwrap().is_done());
    let nobody = member::claim(&View::new(), &stranger, [3], "start").remove(0);
    assert!(!Memory::new().txn(nobody.txn).await.unwrap().is_done());
}

#[tokio::test]
async fn claims_from_many_owners_keep_to_the_limits() {
    let store = Memory::new();
    for shard in 0..SHARDS {
        let row = ShardRow {
            node_id: format!("old-{shard}"),
            boot_id: 1,
            generation: 4,
            why: "start".into(),
        };
        store
            .put(
                &Key::Shard(shard).to_string(),
                prost::Message::encode_to_vec(&row).into(),
            )
            .await
            .unwrap();
    }
    let (own, view) = start(&store, 2).await;
    assert_eq!(view.shards_of(&own.start()).count(), usize::from(SHARDS));
    assert_eq!(view.claim(77).unwrap().generation, 5);
}

/// A store whose answer to the next transaction is lost on the way.
#[derive(Debug)]
struct Mute(Memory, AtomicBool);

#[async_trait::async_trait]
impl Store for Mute {
    async fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        self.0.get(key).await
    }

    async fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.0.range(prefix, after, limit).await
    }

    async fn txn(&self, txn: Txn) -> Result<Commit, StoreError> {
        let answer = self.0.txn(txn).await;
        if self.1.swap(false, Ordering::Relaxed) {
            Err(StoreError::Unavailable("no answer".into()))
        } else {
            answer
        }
    }

    async fn watch(&self, prefix: &str, from: u64) -> Result<Watch, StoreError> {
        self.0.watch(prefix, from).await
    }
}

#[tokio::test]
async fn a_renewal_recognises_its_own_write_whose_answer_was_lost() {
    let store = Mute(Memory::new(), AtomicBool::new(false));
    let (mut own, _) = start(&store, 1).await;
    assert!(own.renew(&store).await.unwrap());
    store.1.store(true, Ordering::Relaxed);
    own.renew(&store).await.unwrap_err();
    assert!(
        own.renew(&store).await.unwrap(),
        "the row is our own, one write ahead"
    );
    assert!(own.renew(&store).await.unwrap());
}

#[tokio::test]
async fn a_renewal_finds_that_it_was_evicted_or_replaced() {
    let store = Memory::new();
    let (mut own, _) = start(&store, 1).await;
    let key = Key::Member(own.start()).to_string();
    let other = MemberRow {
        link_address: "192.0.2.9:7460".into(),
        ..row("server-1", 1)
    };
    store
        .put(&key, prost::Message::encode_to_vec(&other).into())
        .await
        .unwrap();
    assert!(
        !own.renew(&store).await.unwrap(),
        "somebody else wrote the row"
    );
    store.delete(&key).await.unwrap();
    assert!(!own.renew(&store).await.unwrap(), "the row is gone");
}

#[tokio::test]
async fn the_era_rises_above_all_that_anyone_knows() {
    let store = Memory::new();
    assert_eq!(ensure_era(&store).await.unwrap(), 1);
    assert_eq!(ensure_era(&store).await.unwrap(), 1);
    assert_eq!(raise_era(&store, 0, "restored").await.unwrap(), 2);
    assert_eq!(
        raise_era(&store, 7, "a device reports more").await.unwrap(),
        8
    );
    let (_, view) = start(&store, 1).await;
    assert!(tokens(&view).iter().all(|token| token.era == 8));
}

#[tokio::test]
async fn a_lost_and_made_anew_store_gives_higher_tokens_once_the_era_is_raised() {
    let (_, old) = start(&Memory::new(), 1).await;
    let anew = Memory::new();
    anew.txn(Txn::new().put("/sys/store_id", "2"))
        .await
        .unwrap();
    raise_era(&anew, old.era(), "restored").await.unwrap();
    let (_, new) = start(&anew, 2).await;
    assert!(
        tokens(&new)
            .iter()
            .zip(tokens(&old))
            .all(|(new, old)| *new > old)
    );
}
