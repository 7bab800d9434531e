//! From wanted changes to one transaction: what is wrong, what is guarded, what is written.
//!
//! Pure over the book: nothing is read or written here.

mod accounts;
mod devices;
mod documents;
mod handsets;
mod users;

use bytes::Bytes;
use ipdect_cluster::{Key, Revision, Txn};
use ipdect_dect::identity::Ipei;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::resource::Value;

use super::book::Book;
use super::mistake::Mistakes;

/// Seals one secret for the row of a key.
pub trait Seal {
    /// The sealed secret.
    fn seal(&self, key: &str, secret: &[u8]) -> Bytes;
}

/// Draws what new rows need.
pub trait Draw {
    /// A UUID.
    fn id(&mut self) -> String;
    /// A password of 128 random bits.
    fn password(&mut self) -> String;
    /// The random part of a handset key: base32.
    fn handset_key(&mut self) -> String;
    /// What tells two audit entries of one millisecond apart, 0 to 9999.
    fn within_a_millisecond(&mut self) -> u16;
}

/// Rows to be written, and the book's entries that follow from them once they are.
#[derive(Debug, Default)]
pub struct Plan {
    /// The transaction.
    pub txn: Txn,
    /// What changes, in order.
    pub effects: Vec<Effect>,
    /// Mistakes of all changes.
    pub mistakes: Vec<admin::Mistake>,
}

/// One row of the book that changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A user is as follows.
    User(String, rows::UserRow),
    /// A user is gone.
    NoUser(String),
    /// A handset is as follows.
    Handset(Ipei, rows::HandsetRow),
    /// A handset is gone.
    NoHandset(Ipei),
    /// A device is as follows.
    Device(String, rows::DeviceRow),
    /// A device is gone.
    NoDevice(String),
    /// A scope of settings is as follows.
    Settings(String, rows::SettingsRow),
    /// A token is as follows.
    Token(String, rows::TokenRow),
    /// A token is gone.
    NoToken(String),
    /// An account is as follows.
    Account(String, rows::AccountRow),
    /// An account is gone.
    NoAccount(String),
    /// An audit entry was written.
    Audit(String, rows::AuditRow),
}

/// Plans one change after another into one transaction.
pub struct Planner<'a> {
    book: &'a Book,
    seal: &'a dyn Seal,
    draw: &'a mut dyn Draw,
    now_ms: u64,
    plan: Plan,
    names: Vec<String>,
    handsets: Vec<Ipei>,
    notes: Vec<String>,
}

impl<'a> Planner<'a> {
    /// A planner over the book as it is.
    pub fn new(book: &'a Book, seal: &'a dyn Seal, draw: &'a mut dyn Draw, now_ms: u64) -> Self {
        Self {
            book,
            seal,
            draw,
            now_ms,
            plan: Plan::default(),
            names: Vec::new(),
            handsets: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds one change; its position names it in mistakes.
    pub fn change(&mut self, position: u32, change: rows::Change) {
        let mut mistakes = Mistakes::default();
        let kind = rows::Kind::try_from(change.kind).unwrap_or(rows::Kind::Unspecified);
        match change.act {
            Some(rows::change::Act::Put(resource)) => {
                self.put(
                    kind,
                    &change.key,
                    change.expected_revision,
                    resource.value,
                    &mut mistakes,
                );
            }
            Some(rows::change::Act::Delete(_)) => {
                self.delete(kind, &change.key, change.expected_revision, &mut mistakes)
            }
            None => mistakes.add("act", "", "say what to do: put or delete"),
        }
        self.plan.mistakes.extend(mistakes.into_list(position));
    }

    /// What changes, in words for the audit log; secrets are left out.
    #[must_use]
    pub fn notes(&self) -> String {
        self.notes.join("; ")
    }

    /// The whole plan.
    #[must_use]
    pub fn finish(self) -> Plan {
        self.plan
    }

    fn put(
        &mut self,
        kind: rows::Kind,
        key: &str,
        expected: Revision,
        value: Option<Value>,
        mistakes: &mut Mistakes,
    ) {
        match (kind, value) {
            (rows::Kind::User, Some(Value::User(user))) => {
                self.put_user(key, expected, user, mistakes)
            }
            (rows::Kind::Handset, Some(Value::Handset(handset))) => {
                self.put_handset(key, expected, &handset, mistakes)
            }
            (rows::Kind::Device, Some(Value::Device(device))) => {
                self.put_device(key, expected, device, mistakes)
            }
            (rows::Kind::Settings, Some(Value::Settings(document))) => {
                self.put_settings(key, expected, document, mistakes);
            }
            (rows::Kind::Token, Some(Value::Token(token))) => self.put_token(token, mistakes),
            (rows::Kind::Account, Some(Value::Account(account))) => {
                self.put_account(expected, account, mistakes)
            }
            (rows::Kind::Audit, Some(Value::Audit(entry))) => self.audit(entry),
            _ => mistakes.add(
                "kind",
                kind.as_str_name(),
                "the value is of another kind, or this kind cannot be written",
            ),
        }
    }

    fn delete(&mut self, kind: rows::Kind, key: &str, expected: Revision, mistakes: &mut Mistakes) {
        match kind {
            rows::Kind::User => self.delete_user(key, expected, mistakes),
            rows::Kind::Handset => self.delete_handset(key, expected, mistakes),
            rows::Kind::Device => self.delete_device(key, expected, mistakes),
            rows::Kind::Token => self.delete_token(key, mistakes),
            rows::Kind::Account => self.delete_account(key, expected, mistakes),
            _ => mistakes.add("kind", kind.as_str_name(), "this kind cannot be removed"),
        }
    }

    /// Appends to the audit log; time and a counter make the key.
    pub fn audit(&mut self, entry: admin::AuditEntry) {
        let key = Key::Audit(entry.at_utc_ms, self.draw.within_a_millisecond()).to_string();
        let row = rows::AuditRow { entry: Some(entry) };
        self.write(&key, &row);
        self.plan.effects.push(Effect::Audit(key, row));
    }

    fn guard(&mut self, key: &str, revision: Revision) {
        self.plan.txn = std::mem::take(&mut self.plan.txn).if_unchanged(key, revision);
    }

    fn write(&mut self, key: &str, row: &impl prost::Message) {
        self.plan.txn = std::mem::take(&mut self.plan.txn).put(key, row.encode_to_vec());
    }

    fn remove(&mut self, key: &str) {
        self.plan.txn = std::mem::take(&mut self.plan.txn).delete(key);
    }
}

/// Fields that differ, as `name: old → new`; nothing for something new.
fn difference<T: std::fmt::Debug>(old: Option<&T>, new: &T) -> Vec<String> {
    let Some(old) = old else { return Vec::new() };
    let lines = |value: &T| -> Vec<String> {
        let text = format!("{value:#?}");
        text.lines()
            .map(|l| l.trim().trim_end_matches(',').to_string())
            .collect()
    };
    let (old, new) = (lines(old), lines(new));
    if old.len() != new.len() {
        return vec!["a list has become longer or shorter".into()];
    }
    let changed = old.iter().zip(&new).filter(|(o, n)| o != n);
    let told = changed.map(|(o, n)| match (o.split_once(": "), n.split_once(": ")) {
        (Some((name, before)), Some((_, after))) => format!("{name}: {before} → {after}"),
        _ => format!("{o} → {n}"),
    });
    told.take(20).collect()
}

/// Store key of a handset.
#[must_use]
pub fn handset_key(ipei: Ipei) -> String {
    Key::Handset(ipei.digits()).to_string()
}

/// Store key of a temporary identity.
#[must_use]
pub fn tpui_key(tpui: u32) -> String {
    Key::Tpui(tpui).to_string()
}

/// Whether a change was made on top of what is there; 0 means: nothing was there.
fn fresh(found: Option<Revision>, expected: Revision, mistakes: &mut Mistakes) -> bool {
    match (found, expected) {
        (None, 0) => true,
        (Some(revision), expected) if revision == expected => true,
        (Some(_), 0) => {
            mistakes.add(
                "key",
                "",
                "exists already; choose another, or change that one",
            );
            false
        }
        (None, _) => {
            mistakes.add("key", "", "was removed meanwhile; reload");
            false
        }
        (Some(_), _) => {
            stale(mistakes);
            false
        }
    }
}

fn stale(mistakes: &mut Mistakes) {
    mistakes.add(
        "revision",
        "",
        "somebody changed it meanwhile; reload, and change it again",
    );
}
