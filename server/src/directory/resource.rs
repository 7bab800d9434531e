//! Rows as the admin API sees them.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::Kind;
use ipdect_proto::cluster::v1::resource::Value;

use super::Directory;
use super::plan::Effect;
use ipdect_cluster::{Key, Revision};

impl Directory {
    /// One resource of a kind, or nothing.
    #[must_use]
    pub fn resource(&self, kind: Kind, key: &str) -> Option<rows::Resource> {
        if kind == Kind::Settings {
            return super::settings::SCOPES
                .contains(&key)
                .then(|| self.settings_resource(key));
        }
        let book = self.book();
        match kind {
            Kind::User => {
                let id = if book.user(key).is_some() {
                    key
                } else {
                    book.user_named(key, "")?
                };
                let kept = book.user(id)?;
                Some(self.user_resource(id, &kept.row, kept.revision))
            }
            Kind::Handset => {
                let ipei = key.parse().ok()?;
                let kept = book.handset(ipei)?;
                let username = book
                    .user_of(ipei)
                    .and_then(|id| book.user(id))
                    .map(|k| name_of(&k.row));
                Some(handset_resource(
                    &kept.row,
                    kept.revision,
                    username.unwrap_or_default(),
                ))
            }
            Kind::Device => book
                .device(key)
                .map(|k| device_resource(key, &k.row, k.revision)),
            Kind::Token => book
                .tokens
                .get(key)
                .map(|k| token_resource(key, &k.row, k.revision)),
            Kind::Account => book
                .accounts
                .get(key)
                .map(|k| self.account_resource(key, &k.row, k.revision)),
            _ => None,
        }
    }

    /// The keys of a kind that is kept in memory, in order.
    #[must_use]
    pub fn keys(&self, kind: Kind) -> Vec<String> {
        let book = self.book();
        match kind {
            Kind::User => book.users.keys().cloned().collect(),
            Kind::Handset => book.handsets.keys().map(|i| i.digits()).collect(),
            Kind::Device => book.devices.keys().cloned().collect(),
            Kind::Settings => super::settings::SCOPES
                .iter()
                .map(|s| (*s).to_string())
                .collect(),
            Kind::Token => book.tokens.keys().cloned().collect(),
            Kind::Account => book.accounts.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// What an effect shows: kind, resource, and whether it is gone.
    #[must_use]
    pub fn shown(&self, effect: &Effect, revision: Revision) -> (Kind, rows::Resource, bool) {
        let gone = |kind, key: &str| {
            (
                kind,
                rows::Resource {
                    key: key.into(),
                    revision,
                    value: None,
                },
                true,
            )
        };
        let here = |kind: Kind, key: &str| {
            let found = self.resource(kind, key);
            let resource = found.unwrap_or(rows::Resource {
                key: key.into(),
                revision,
                value: None,
            });
            (kind, resource, false)
        };
        match effect {
            Effect::User(id, _) => here(Kind::User, id),
            Effect::NoUser(id) => gone(Kind::User, id),
            Effect::Handset(ipei, _) => here(Kind::Handset, &ipei.digits()),
            Effect::NoHandset(ipei) => gone(Kind::Handset, &ipei.digits()),
            Effect::Device(node, _) => here(Kind::Device, node),
            Effect::NoDevice(node) => gone(Kind::Device, node),
            Effect::Settings(scope, _) => here(Kind::Settings, scope),
            Effect::Token(hash, _) => here(Kind::Token, hash),
            Effect::NoToken(hash) => gone(Kind::Token, hash),
            Effect::Account(name, _) => here(Kind::Account, name),
            Effect::NoAccount(name) => gone(Kind::Account, name),
            Effect::Audit(key, row) => {
                let value = row.entry.clone().map(Value::Audit);
                (
                    Kind::Audit,
                    rows::Resource {
                        key: key.clone(),
                        revision,
                        value,
                    },
                    false,
                )
            }
        }
    }

    fn user_resource(&self, id: &str, row: &rows::UserRow, revision: Revision) -> rows::Resource {
        let mut user = row.user.clone().unwrap_or_default();
        // The code is what a user types at his handset; whoever may manage users must be able to tell it.
        user.access_code = self.user_secrets(id, row).1;
        user.revision = revision;
        rows::Resource {
            key: id.into(),
            revision,
            value: Some(Value::User(user)),
        }
    }

    fn account_resource(
        &self,
        name: &str,
        row: &rows::AccountRow,
        revision: Revision,
    ) -> rows::Resource {
        let mut account = row.account.clone().unwrap_or_default();
        account.revision = revision;
        account.password_hash = self.secret(
            &Key::Account(name.into()).to_string(),
            &row.sealed_password_hash,
        );
        rows::Resource {
            key: name.into(),
            revision,
            value: Some(Value::Account(account)),
        }
    }

    fn settings_resource(&self, scope: &str) -> rows::Resource {
        let (document, revision) = self.settings(scope);
        let value = Value::Settings(admin::SettingsDocument {
            revision,
            scope: Some(document),
        });
        rows::Resource {
            key: scope.into(),
            revision,
            value: Some(value),
        }
    }
}

fn handset_resource(
    row: &rows::HandsetRow,
    revision: Revision,
    username: String,
) -> rows::Resource {
    let mut handset = row.handset.clone().unwrap_or_default();
    handset.revision = revision;
    handset.username = username;
    rows::Resource {
        key: handset.ipei.clone(),
        revision,
        value: Some(Value::Handset(handset)),
    }
}

fn device_resource(node: &str, row: &rows::DeviceRow, revision: Revision) -> rows::Resource {
    let mut device = row.device.clone().unwrap_or_default();
    device.revision = revision;
    device.rpn = row.rpn;
    rows::Resource {
        key: node.into(),
        revision,
        value: Some(Value::Device(device)),
    }
}

fn token_resource(hash: &str, row: &rows::TokenRow, revision: Revision) -> rows::Resource {
    let value = row.token.clone().map(Value::Token);
    rows::Resource {
        key: hash.into(),
        revision,
        value,
    }
}

fn name_of(row: &rows::UserRow) -> String {
    row.user
        .as_ref()
        .map(|u| u.username.clone())
        .unwrap_or_default()
}

/// What the audit log calls a set of changes, such as `users.put` or `users.put +2`.
pub(super) fn action(changes: &[rows::Change]) -> String {
    let Some(first) = changes.first() else {
        return String::new();
    };
    let kind = Kind::try_from(first.kind).unwrap_or(Kind::Unspecified);
    let noun = kind
        .as_str_name()
        .trim_start_matches("KIND_")
        .to_ascii_lowercase();
    let verb = if matches!(first.act, Some(rows::change::Act::Delete(_))) {
        "delete"
    } else {
        "put"
    };
    let more = if changes.len() > 1 {
        format!(" +{}", changes.len() - 1)
    } else {
        String::new()
    };
    format!("{noun}.{verb}{more}")
}

/// Whom a set of changes is about.
pub(super) fn subject(changes: &[rows::Change]) -> String {
    let name = |change: &rows::Change| match &change.act {
        Some(rows::change::Act::Put(rows::Resource {
            value: Some(Value::User(user)),
            ..
        })) => user.username.clone(),
        Some(rows::change::Act::Put(rows::Resource {
            value: Some(Value::Account(a)),
            ..
        })) => a.name.clone(),
        _ => change.key.clone(),
    };
    let names: Vec<String> = changes.iter().take(5).map(name).collect();
    names.join(", ")
}
