//! etcd passes the suite that the other stores pass.

use crate::kit::Cluster;
use ipdect_cluster::{Etcd, conformance};

/// etcd forgets when it is told to.
async fn forget(store: &Etcd, before: u64) {
    store.compact(before - 1).await.unwrap();
}

#[tokio::test]
async fn etcd_conforms() {
    let cluster = Cluster::single(&[]);
    let etcd = cluster.store().await;
    conformance::all(
        async || {
            cluster.etcdctl(&["del", "", "--from-key=true"]);
            etcd.clone()
        },
        forget,
    )
    .await;
}
