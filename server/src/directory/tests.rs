use super::*;
use crate::directory::plan::Effect;
use ipdect_cluster::Memory;
use ipdect_proto::cluster::v1::resource::Value;
use ipdect_proto::cluster::v1::{Change, Kind, Resource, change::Act};

/// Seals by turning every octet over: enough to see that nothing is stored in the clear.
struct Turned;

impl Seal for Turned {
    fn seal(&self, _: &str, secret: &[u8]) -> Bytes {
        secret.iter().map(|o| !o).collect::<Vec<u8>>().into()
    }
}

impl Unseal for Turned {
    fn open(&self, _: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        Some(sealed.iter().map(|o| !o).collect())
    }
}

pub(crate) async fn empty() -> Directory {
    let store = Arc::new(Memory::new());
    Directory::open(store, Arc::new(Turned), Random::seeded(1))
        .await
        .unwrap()
}

pub(crate) fn put(kind: Kind, key: &str, expected_revision: u64, value: Value) -> Change {
    let resource = Resource {
        key: key.into(),
        revision: 0,
        value: Some(value),
    };
    Change {
        kind: kind.into(),
        key: key.into(),
        expected_revision,
        act: Some(Act::Put(resource)),
    }
}

pub(crate) fn user(name: &str, ipei: &str) -> admin::User {
    admin::User {
        username: name.into(),
        ipei: ipei.into(),
        access_code: "1234".into(),
        ..Default::default()
    }
}

pub(crate) async fn apply(directory: &Directory, changes: Vec<Change>) -> Applied {
    let request = rows_v1::ApplyRequest {
        actor: "anna".into(),
        changes,
        ..Default::default()
    };
    directory.apply(request, 1_000).await.unwrap()
}

async fn done(directory: &Directory, change: Change) -> Vec<Effect> {
    match apply(directory, vec![change]).await {
        Applied::Done { effects, .. } => effects,
        Applied::Refused(mistakes) => panic!("{mistakes:?}"),
    }
}

async fn refused(directory: &Directory, change: Change) -> Vec<String> {
    match apply(directory, vec![change]).await {
        Applied::Done { .. } => panic!("it was done"),
        Applied::Refused(mistakes) => mistakes.into_iter().map(|m| m.field).collect(),
    }
}

fn add(name: &str, ipei: &str) -> Change {
    put(Kind::User, "", 0, Value::User(user(name, ipei)))
}

fn shown(directory: &Directory, name: &str) -> admin::User {
    match directory.resource(Kind::User, name).and_then(|r| r.value) {
        Some(Value::User(user)) => user,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_new_user_gets_an_id_a_password_and_his_handset_a_key() {
    let directory = empty().await;
    done(&directory, add("1001", "65535 0000001 3")).await;
    let user = shown(&directory, "1001");
    assert_eq!(
        (
            user.ipei.as_str(),
            user.access_code.as_str(),
            user.auth_password_set
        ),
        ("655350000001", "1234", true)
    );
    assert_eq!(user.auth_password, "", "a password is written only");
    let ipei: Ipei = "65535 0000001".parse().unwrap();
    let (_, handset) = directory.of_handset(ipei);
    let key = handset.unwrap().row.handset.unwrap().handset_key;
    assert!(key.starts_with("716-") && key.len() == 12, "{key}");
    assert_eq!(directory.book().handset_by_key(&key), Some(ipei));
    let id = directory.book().user_named("1001", "").unwrap().to_string();
    let row = directory.book().user(&id).unwrap().row.clone();
    let (password, _) = directory.user_secrets(&id, &row);
    assert_eq!(password.len(), 22, "128 bits in base64");
    assert!(
        !row.sealed_auth_password
            .windows(4)
            .any(|w| password.as_bytes().starts_with(w))
    );
}

#[tokio::test]
async fn two_users_share_neither_name_nor_handset() {
    let directory = empty().await;
    done(&directory, add("1001", "65535 0000001 3")).await;
    assert_eq!(refused(&directory, add("1001", "")).await, ["username"]);
    assert_eq!(
        refused(&directory, add("1002", "65535 0000001")).await,
        ["ipei"]
    );
    let both = vec![add("1003", "65535 0000003"), add("1003", "65535 0000003")];
    let Applied::Refused(mistakes) = apply(&directory, both).await else {
        panic!("it was done")
    };
    let told: Vec<(u32, String)> = mistakes.into_iter().map(|m| (m.change, m.field)).collect();
    assert_eq!(told, [(1, "username".into()), (1, "ipei".into())]);
    assert!(
        directory.resource(Kind::User, "1003").is_none(),
        "all or nothing"
    );
}

#[tokio::test]
async fn a_change_on_top_of_an_old_state_is_refused() {
    let directory = empty().await;
    done(&directory, add("1001", "")).await;
    let read = shown(&directory, "1001");
    let mut changed = read.clone();
    changed.display_name = "Anna".into();
    done(
        &directory,
        put(
            Kind::User,
            &read.id,
            read.revision,
            Value::User(changed.clone()),
        ),
    )
    .await;
    assert_eq!(
        refused(
            &directory,
            put(Kind::User, &read.id, read.revision, Value::User(changed))
        )
        .await,
        ["revision"]
    );
    assert_eq!(shown(&directory, "1001").display_name, "Anna");
}

#[tokio::test]
async fn a_removed_user_leaves_name_and_handset_free() {
    let directory = empty().await;
    done(&directory, add("1001", "65535 0000001 3")).await;
    let id = shown(&directory, "1001").id;
    let gone = Change {
        kind: Kind::User.into(),
        key: id.clone(),
        expected_revision: 0,
        act: Some(Act::Delete(true)),
    };
    done(&directory, gone.clone()).await;
    assert_eq!(refused(&directory, gone).await, ["id"]);
    done(&directory, add("1001", "65535 0000001 3")).await;
}

#[tokio::test]
async fn everything_is_there_again_after_a_restart() {
    let store = Arc::new(Memory::new());
    let first = Directory::open(store.clone(), Arc::new(Turned), Random::seeded(1))
        .await
        .unwrap();
    done(&first, add("1001", "65535 0000001 3")).await;
    let before = shown(&first, "1001");
    let second = Directory::open(store, Arc::new(Turned), Random::seeded(2))
        .await
        .unwrap();
    assert_eq!(shown(&second, "1001"), before);
    assert_eq!(
        second.book().handsets_in_use(),
        ["65535 0000001".parse().unwrap()]
    );
}

#[tokio::test]
async fn settings_keep_their_history_and_their_secret() {
    let directory = empty().await;
    let (scope, revision) = directory.settings("dect");
    assert_eq!(revision, 0);
    let admin::settings_document::Scope::Dect(mut dect) = scope else {
        panic!("dect")
    };
    dect.access_code = "0815".into();
    let write = |dect: &admin::DectSettings, revision| {
        let scope = Some(admin::settings_document::Scope::Dect(dect.clone()));
        put(
            Kind::Settings,
            "dect",
            revision,
            Value::Settings(admin::SettingsDocument { revision, scope }),
        )
    };
    done(&directory, write(&dect, 0)).await;
    assert_eq!(refused(&directory, write(&dect, 0)).await, ["revision"]);
    let (admin::settings_document::Scope::Dect(now), revision) = directory.settings("dect") else {
        panic!("dect")
    };
    assert_eq!(
        (now.access_code.as_str(), now.access_code_set),
        ("0815", true)
    );
    dect.subscription_window_s = 5;
    assert_eq!(
        refused(&directory, write(&dect, revision)).await,
        ["subscription_window_s"]
    );
    dect.subscription_window_s = 60;
    dect.access_code.clear();
    done(&directory, write(&dect, revision)).await;
    let (admin::settings_document::Scope::Dect(now), _) = directory.settings("dect") else {
        panic!("dect")
    };
    assert_eq!(
        now.access_code, "0815",
        "an empty code leaves the stored one"
    );
    let kept = range(directory.store().as_ref(), "/history/dect/")
        .await
        .unwrap();
    assert_eq!(kept.len(), 1);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let directory = empty().await;
    let account = |name: &str, role: admin::AccountRole| {
        let account = admin::Account {
            name: name.into(),
            role: role.into(),
            password_hash: "h".into(),
            ..Default::default()
        };
        put(Kind::Account, name, 0, Value::Account(account))
    };
    done(
        &directory,
        account("admin", admin::AccountRole::Administrator),
    )
    .await;
    done(
        &directory,
        account("ward@north", admin::AccountRole::Operator),
    )
    .await;
    let delete = |name: &str| Change {
        kind: Kind::Account.into(),
        key: name.into(),
        expected_revision: 0,
        act: Some(Act::Delete(true)),
    };
    assert_eq!(refused(&directory, delete("admin")).await, ["name"]);
    done(&directory, delete("ward@north")).await;
    assert_eq!(
        refused(
            &directory,
            account("not a name", admin::AccountRole::Viewer)
        )
        .await,
        ["name"]
    );
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_every_change_is_audited() {
    let directory = empty().await;
    let request = rows_v1::ApplyRequest {
        actor: "anna".into(),
        dry_run: true,
        changes: vec![add("1001", "")],
        ..Default::default()
    };
    assert!(matches!(
        directory.apply(request, 1_000).await.unwrap(),
        Applied::Done { revision: 0, .. }
    ));
    assert!(directory.resource(Kind::User, "1001").is_none());
    assert_eq!(
        range(directory.store().as_ref(), "/audit/")
            .await
            .unwrap()
            .len(),
        0
    );
    done(&directory, add("1001", "")).await;
    let audit = range(directory.store().as_ref(), "/audit/").await.unwrap();
    let entry = rows_v1::AuditRow::decode(audit[0].value.clone())
        .unwrap()
        .entry
        .unwrap();
    assert_eq!(
        (
            entry.actor.as_str(),
            entry.action.as_str(),
            entry.subject.as_str()
        ),
        ("anna", "user.put", "1001")
    );
}

#[tokio::test]
async fn the_audit_log_says_what_changed() {
    let directory = empty().await;
    done(&directory, add("1001", "")).await;
    let mut changed = shown(&directory, "1001");
    changed.display_name = "Anna".into();
    let (id, revision) = (changed.id.clone(), changed.revision);
    done(
        &directory,
        put(Kind::User, &id, revision, Value::User(changed)),
    )
    .await;
    let audit = range(directory.store().as_ref(), "/audit/").await.unwrap();
    let told: Vec<String> = audit
        .iter()
        .map(|r| {
            rows_v1::AuditRow::decode(r.value.clone())
                .unwrap()
                .entry
                .unwrap()
                .change
        })
        .collect();
    assert!(
        told.contains(&r#"display_name: "" → "Anna""#.to_string()),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|t| t.contains("1234")),
        "secrets stay out: {told:?}"
    );
}
