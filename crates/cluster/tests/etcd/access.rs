//! Who is let in, and what those are told who are not.

use crate::kit::{Cluster, user};
use ipdect_cluster::etcd::{Config, Limits};
use ipdect_cluster::{Etcd, Store, StoreError, Txn};
use std::time::Duration;

/// The refusal's text.
async fn denied(config: &Config) -> String {
    match Etcd::connect(config).await {
        Err(error @ StoreError::Denied { .. }) => error.to_string(),
        other => panic!("wanted to be denied, got {other:?}"),
    }
}

#[tokio::test]
async fn certificates_decide_who_is_let_in() {
    let cluster = Cluster::three();
    let store = cluster.store().await;
    store.put("/a", "1".into()).await.unwrap();

    let nobody = denied(&cluster.with_tls(|pki| pki.nobody())).await;
    assert!(
        nobody.contains("give the store a client certificate"),
        "{nobody}"
    );
    let stranger = denied(&cluster.with_tls(|pki| pki.stranger())).await;
    assert!(stranger.contains("--trusted-ca-file"), "{stranger}");
    let mistaken = denied(&cluster.with_tls(|pki| pki.mistaken())).await;
    assert!(mistaken.contains("the store's ca"), "{mistaken}");
    assert!(mistaken.contains(&cluster.endpoints()[0]), "{mistaken}");
}

#[tokio::test]
async fn passwords_decide_who_is_let_in() {
    let cluster = Cluster::single(&["--auth-token=simple"]);
    let mut raw = cluster.raw().await;
    let root = user("root", "hush");
    raw.user_add("root", "hush", None).await.unwrap();
    raw.role_add("root").await.unwrap();
    raw.user_grant_role("root", "root").await.unwrap();
    raw.user_add("ipdect", "secret", None).await.unwrap();
    raw.role_add("ipdect").await.unwrap();
    let all_of_ours = etcd_client::Permission::read_write("/").with_prefix();
    raw.role_grant_permission("ipdect", all_of_ours)
        .await
        .unwrap();
    raw.user_grant_role("ipdect", "ipdect").await.unwrap();
    raw.auth_enable().await.unwrap();

    let with = |user| Config {
        user,
        ..cluster.config()
    };
    for wrong in [None, user("ipdect", "guess"), user("nobody", "secret")] {
        let text = denied(&with(wrong)).await;
        assert!(text.contains("check user and password"), "{text}");
    }
    let store = Etcd::connect(&with(user("ipdect", "secret")))
        .await
        .unwrap();
    let before = store.put("/a", "1".into()).await.unwrap();
    let mut watch = store.watch("/", before).await.unwrap();
    assert_eq!(crate::kit::next(&mut watch).await.revision, before);
    assert!(store.health().await.members[0].state.is_ok());
    store.compact(before).await.unwrap();

    // Outside of its role; and what it had is taken away while the connection stands.
    let mut beyond = etcd_client::Client::connect(
        cluster.endpoints(),
        Some(etcd_client::ConnectOptions::new().with_user("root", "hush")),
    )
    .await
    .unwrap();
    beyond
        .role_revoke_permission("ipdect", "/", None)
        .await
        .unwrap_err();
    let everything = etcd_client::RoleRevokePermissionOptions::new().with_prefix();
    beyond
        .role_revoke_permission("ipdect", "/", Some(everything))
        .await
        .unwrap();
    let error = store.put("/a", "2".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    assert!(error.nothing_done());
    let everyone = Etcd::connect(&with(root)).await.unwrap();
    assert_eq!(everyone.get("/a").await.unwrap().unwrap().value, "1");
}

#[tokio::test]
async fn a_login_that_has_run_out_is_renewed() {
    let mut cluster = Cluster::single(&[]);
    let mut raw = cluster.raw().await;
    raw.user_add("root", "hush", None).await.unwrap();
    raw.role_add("root").await.unwrap();
    raw.user_grant_role("root", "root").await.unwrap();
    raw.auth_enable().await.unwrap();
    let config = Config {
        user: user("root", "hush"),
        ..cluster.config()
    };
    let store = Etcd::connect(&config).await.unwrap();
    let before = store.put("/a", "1".into()).await.unwrap();
    let mut watch = store.watch("/", before + 1).await.unwrap();
    // A member that starts anew knows no token that it gave away before, and changed roles make tokens old.
    cluster.kill(0);
    cluster.restart(0);
    let later = store
        .with_limits(Limits {
            call: crate::kit::PATIENCE,
            ..Limits::default()
        })
        .txn_certain(Txn::new().if_unchanged("/a", before).put("/a", "2"))
        .await
        .unwrap();
    assert!(later.is_done());
    let root = Some(etcd_client::ConnectOptions::new().with_user("root", "hush"));
    let mut raw = etcd_client::Client::connect(cluster.endpoints(), root)
        .await
        .unwrap();
    raw.user_add("another", "secret", None).await.unwrap();
    let latest = store.put("/a", "3".into()).await.unwrap();
    assert_eq!(
        crate::kit::next(&mut watch).await.revision,
        later.revision()
    );
    assert_eq!(crate::kit::next(&mut watch).await.revision, latest);
}

#[tokio::test]
async fn a_member_of_another_cluster_is_not_believed() {
    let (ours, other) = (Cluster::single(&[]), Cluster::single(&[]));
    let (own, theirs) = (ours.store().await, other.store().await);
    own.put("/whose", "ours".into()).await.unwrap();
    theirs.put("/whose", "theirs".into()).await.unwrap();
    let mut ours = ours;
    let endpoints = [ours.endpoints(), other.endpoints()].concat();
    let store = Etcd::connect(&Config {
        limits: Limits {
            call: Duration::from_secs(2),
            ..Limits::default()
        },
        ..Config::new(endpoints)
    })
    .await
    .unwrap();
    let health = store.health().await;
    let told = health.members[1].state.as_ref().unwrap_err();
    assert!(told.contains("belongs to cluster"), "{told}");
    assert_eq!(store.get("/whose").await.unwrap().unwrap().value, "ours");
    ours.kill(0);
    let error = store.get("/whose").await.unwrap_err();
    assert!(error.to_string().contains("belongs to cluster"), "{error}");
}
