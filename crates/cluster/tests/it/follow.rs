//! A view that follows its store.

use crate::membership::row;
use ipdect_cluster::keys::prefix;
use ipdect_cluster::membership::{load, raise_era, start_alone};
use ipdect_cluster::placement::SHARDS;
use ipdect_cluster::view::Touched;
use ipdect_cluster::{Follower, Key, Memory, Seen, Store, member};
use std::sync::Arc;

#[tokio::test]
async fn it_takes_in_what_changes_and_nothing_else() {
    let store = Memory::new();
    let (mut own, view) = start_alone(&store, row("server-1", 1), 1).await.unwrap();
    let mut follower = Follower::new(Arc::new(store.clone())).await.unwrap();
    assert_eq!(*follower.view(), view);
    assert!(own.renew(&store).await.unwrap());
    store.put("/calls/1/2", "row".into()).await.unwrap();
    assert_eq!(
        follower.next().await.unwrap(),
        Seen::Touched(vec![Touched::Member(own.start())])
    );
    raise_era(&store, 6, "test").await.unwrap();
    assert_eq!(
        follower.next().await.unwrap(),
        Seen::Touched(vec![Touched::Era])
    );
    assert_eq!(follower.view().era(), 7);
    let rival = row("server-2", 2);
    store.txn(member::join(&rival)).await.unwrap();
    follower.next().await.unwrap();
    let order = member::claim(follower.view(), &own.start(), [3, 4], "again").remove(0);
    store.txn(order.txn).await.unwrap();
    assert_eq!(
        follower.next().await.unwrap(),
        Seen::Touched(vec![Touched::Shard(3), Touched::Shard(4)])
    );
    assert_eq!(*follower.view(), load(&store).await.unwrap().0);
}

#[tokio::test]
async fn it_reads_anew_when_changes_are_gone() {
    let store = Memory::keeping(50);
    start_alone(&store, row("server-1", 1), 1).await.unwrap();
    let mut follower = Follower::new(Arc::new(store.clone())).await.unwrap();
    // A second start claims 1,024 shards: more than is kept. The first one's member row goes, unseen.
    start_alone(&store, row("server-1", 2), 1).await.unwrap();
    assert_eq!(follower.next().await.unwrap(), Seen::Anew);
    let now = load(&store).await.unwrap().0;
    assert_eq!(*follower.view(), now);
    assert_eq!(now.members().len(), 1);
    store
        .put(&Key::Shard(SHARDS).to_string(), "none of ours".into())
        .await
        .unwrap();
    assert_eq!(
        follower.next().await.unwrap(),
        Seen::Touched(vec![Touched::Nothing])
    );
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_told_until_it_is_mended() {
    let store = Memory::new();
    let (own, _) = start_alone(&store, row("server-1", 1), 1).await.unwrap();
    let mut follower = Follower::new(Arc::new(store.clone())).await.unwrap();
    let key = Key::Member(own.start()).to_string();
    assert!(key.starts_with(prefix::MEMBERS));
    store.put(&key, vec![0xFF].into()).await.unwrap();
    follower.next().await.unwrap_err();
    follower.next().await.unwrap_err();
    store.delete(&key).await.unwrap();
    assert_eq!(follower.next().await.unwrap(), Seen::Anew);
    assert!(follower.view().members().is_empty());
}
