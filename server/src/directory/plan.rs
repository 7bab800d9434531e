//! From wanted changes to one transaction: what is wrong, what is guarded, what is written.
//!
//! Pure over the book: nothing is read or written here.

use bytes::Bytes;
use ipdect_cluster::{Key, Revision, Txn};
use ipdect_dect::identity::Ipei;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::resource::Value;

use super::book::{Book, aor};
use super::mistake::Mistakes;
use super::{settings, user};

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

    fn put_user(
        &mut self,
        key: &str,
        expected: Revision,
        mut wanted: admin::User,
        mistakes: &mut Mistakes,
    ) {
        let before = self.book.users.get(key);
        if !fresh(before.map(|k| k.revision), expected, mistakes) {
            return;
        }
        user::check(&wanted, mistakes);
        let id = if key.is_empty() {
            self.draw.id()
        } else {
            key.to_string()
        };
        self.check_user_is_alone(&id, &wanted, mistakes);
        if !mistakes.is_empty() {
            return;
        }
        if let Some(ipei) = user::ipei(&wanted) {
            wanted.ipei = ipei.digits();
        }
        let store_key = Key::User(id.clone()).to_string();
        let old = before.map(|k| k.row.clone()).unwrap_or_default();
        let password = match (wanted.auth_password.as_str(), before) {
            ("", Some(_)) => old.sealed_auth_password.clone(),
            ("", None) => self.seal.seal(&store_key, self.draw.password().as_bytes()),
            (given, _) => self.seal.seal(&store_key, given.as_bytes()),
        };
        let code = match wanted.access_code.as_str() {
            "" => Bytes::new(),
            given => self.seal.seal(&store_key, given.as_bytes()),
        };
        self.move_aor(&id, old.user.as_ref(), &wanted);
        self.move_handset(&id, old.user.as_ref(), &wanted);
        wanted.id.clone_from(&id);
        wanted.auth_password.clear();
        wanted.auth_password_set = true;
        wanted.access_code.clear();
        wanted.revision = 0;
        self.notes.extend(difference(old.user.as_ref(), &wanted));
        let row = rows::UserRow {
            user: Some(wanted),
            sealed_auth_password: password,
            sealed_access_code: code,
        };
        self.guard(&store_key, before.map_or(0, |k| k.revision));
        self.write(&store_key, &row);
        self.plan.effects.push(Effect::User(id, row));
    }

    /// No other user has the name or the handset, in the book or in this plan.
    fn check_user_is_alone(&mut self, id: &str, wanted: &admin::User, mistakes: &mut Mistakes) {
        let name = aor(&wanted.username, &wanted.domain);
        let taken = self
            .book
            .user_named(&wanted.username, &wanted.domain)
            .is_some_and(|other| other != id);
        if taken || self.names.contains(&name) {
            mistakes.add(
                "username",
                &wanted.username,
                "another user has this name; choose another, or change that one",
            );
        }
        self.names.push(name);
        if let Some(ipei) = user::ipei(wanted) {
            let owner = self.book.user_of(ipei).filter(|other| *other != id);
            let owner = owner
                .and_then(|o| self.book.users.get(o))
                .and_then(|k| k.row.user.as_ref());
            if let Some(owner) = owner {
                let remedy = format!(
                    "this handset is user {}'s; take it from there first",
                    owner.username
                );
                mistakes.add("ipei", &wanted.ipei, remedy);
            } else if self.handsets.contains(&ipei) {
                mistakes.add(
                    "ipei",
                    &wanted.ipei,
                    "another user of this change has the same handset",
                );
            }
            self.handsets.push(ipei);
        }
    }

    fn move_aor(&mut self, id: &str, before: Option<&admin::User>, wanted: &admin::User) {
        let new = aor(&wanted.username, &wanted.domain);
        let old = before.map(|u| aor(&u.username, &u.domain));
        if old.as_deref() == Some(new.as_str()) {
            return;
        }
        let key = Key::Aor(new).to_string();
        self.plan.txn = std::mem::take(&mut self.plan.txn).if_absent(key.clone());
        self.write(&key, &rows::AorRow { user_id: id.into() });
        if let Some(old) = old {
            self.remove(&Key::Aor(old).to_string());
        }
    }

    fn move_handset(&mut self, id: &str, before: Option<&admin::User>, wanted: &admin::User) {
        let old: Option<Ipei> = before.and_then(|u| u.ipei.parse().ok());
        let new = user::ipei(wanted);
        if old == new {
            return;
        }
        if let Some(ipei) = old {
            self.link_handset(ipei, "");
        }
        if let Some(ipei) = new {
            self.link_handset(ipei, id);
        }
    }

    /// Writes the handset's row with its user; makes one for a handset never heard of.
    fn link_handset(&mut self, ipei: Ipei, user_id: &str) {
        let kept = self.book.handset(ipei);
        let mut row = kept.map_or_else(|| self.new_handset(ipei), |k| k.row.clone());
        if let Some(handset) = &mut row.handset {
            handset.user_id = user_id.into();
        }
        let key = handset_key(ipei);
        self.guard(&key, kept.map_or(0, |k| k.revision));
        self.write(&key, &row);
        self.plan.effects.push(Effect::Handset(ipei, row));
    }

    fn new_handset(&mut self, ipei: Ipei) -> rows::HandsetRow {
        let shard = ipdect_dect::identity::shard(ipei);
        rows::HandsetRow {
            handset: Some(admin::Handset {
                ipei: ipei.digits(),
                handset_key: format!("{shard}-{}", self.draw.handset_key()),
                ..Default::default()
            }),
            ipui: Bytes::copy_from_slice(&ipei.bits().to_be_bytes()[3..]),
            ..Default::default()
        }
    }

    /// The one thing people change of a handset: they end its subscription.
    fn put_handset(
        &mut self,
        key: &str,
        expected: Revision,
        wanted: &admin::Handset,
        mistakes: &mut Mistakes,
    ) {
        let Some((ipei, kept)) = self.known_handset(key, expected, mistakes) else {
            return;
        };
        if wanted.subscribed {
            mistakes.add(
                "subscribed",
                true,
                "a handset subscribes by itself; open subscription and use its menu",
            );
            return;
        }
        let mut row = kept.row.clone();
        row.sealed_uak = Bytes::new();
        if let Some(handset) = &mut row.handset {
            if handset.tpui != 0 {
                self.remove(&tpui_key(handset.tpui));
            }
            handset.subscribed = false;
            handset.subscribed_utc_ms = 0;
            handset.tpui = 0;
        }
        let store_key = handset_key(ipei);
        self.guard(&store_key, kept.revision);
        self.write(&store_key, &row);
        self.plan.effects.push(Effect::Handset(ipei, row));
    }

    fn known_handset(
        &self,
        key: &str,
        expected: Revision,
        mistakes: &mut Mistakes,
    ) -> Option<(Ipei, super::book::Kept<rows::HandsetRow>)> {
        let ipei = match key.parse::<Ipei>() {
            Ok(ipei) => ipei,
            Err(error) => {
                mistakes.add("ipei", key, error.to_string());
                return None;
            }
        };
        let Some(kept) = self.book.handset(ipei) else {
            mistakes.add(
                "ipei",
                key,
                "no such handset; the list of handsets has those that are known",
            );
            return None;
        };
        (expected == 0 || fresh(Some(kept.revision), expected, mistakes))
            .then(|| (ipei, kept.clone()))
    }

    fn put_device(
        &mut self,
        key: &str,
        expected: Revision,
        wanted: admin::Device,
        mistakes: &mut Mistakes,
    ) {
        let Some(kept) = self.book.device(key) else {
            mistakes.add(
                "node_id",
                key,
                "no such device; a device comes to be by enrolment with a token",
            );
            return;
        };
        if !fresh(Some(kept.revision), expected, mistakes) {
            return;
        }
        let mut row = kept.row.clone();
        if let Some(device) = &mut row.device {
            device.site = wanted.site;
            device.note = wanted.note;
            device.disabled = wanted.disabled;
        }
        let store_key = Key::Device(key.into()).to_string();
        self.guard(&store_key, kept.revision);
        self.write(&store_key, &row);
        self.plan.effects.push(Effect::Device(key.into(), row));
    }

    fn put_settings(
        &mut self,
        key: &str,
        expected: Revision,
        document: admin::SettingsDocument,
        mistakes: &mut Mistakes,
    ) {
        let Some(mut scope) = document.scope else {
            mistakes.add("scope", key, "the document is empty");
            return;
        };
        let name = settings::name(&scope);
        let before = self.book.settings.get(name);
        let revision = before.map_or(0, |k| k.revision);
        if revision != expected {
            stale(mistakes);
            return;
        }
        settings::check(&scope, mistakes);
        if !mistakes.is_empty() {
            return;
        }
        let store_key = Key::Settings(name.into()).to_string();
        let mut sealed = before.map(|k| k.row.sealed.clone()).unwrap_or_default();
        if let settings::Secret::Dect(dect) = settings::secrets(&mut scope)
            && !dect.access_code.is_empty()
        {
            sealed.insert(
                "access_code".into(),
                self.seal.seal(&store_key, dect.access_code.as_bytes()),
            );
            dect.access_code.clear();
        }
        let old = before
            .and_then(|k| k.row.document.as_ref())
            .and_then(|d| d.scope.clone());
        let old = old.or_else(|| settings::default_of(name));
        self.notes.extend(difference(old.as_ref(), &scope));
        let row = rows::SettingsRow {
            document: Some(admin::SettingsDocument {
                revision: 0,
                scope: Some(scope),
            }),
            sealed,
        };
        self.guard(&store_key, revision);
        self.write(&store_key, &row);
        self.plan.effects.push(Effect::Settings(name.into(), row));
    }

    fn put_token(&mut self, token: admin::Token, mistakes: &mut Mistakes) {
        if token.hash.len() != 32 {
            mistakes.add_secret("hash", "must be the SHA-256 of the secret, 32 octets");
            return;
        }
        if token.uses_left == 0 {
            mistakes.add("uses_left", 0, "a token is for one use at least");
        }
        if token.expires_utc_ms <= self.now_ms {
            mistakes.add("expires_utc_ms", token.expires_utc_ms, "is in the past");
        }
        let hash = hex::encode(&token.hash);
        let row = rows::TokenRow { token: Some(token) };
        let store_key = Key::Token(hash.clone()).to_string();
        self.plan.txn = std::mem::take(&mut self.plan.txn).if_absent(store_key.clone());
        self.write(&store_key, &row);
        self.plan.effects.push(Effect::Token(hash, row));
    }

    fn put_account(
        &mut self,
        expected: Revision,
        mut account: admin::Account,
        mistakes: &mut Mistakes,
    ) {
        let name = account.name.clone();
        if name.is_empty()
            || name.len() > 64
            || !name
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_.@".contains(&c))
        {
            mistakes.add(
                "name",
                &name,
                "an account's name has letters, digits and -_.@, 64 at most",
            );
        }
        if admin::AccountRole::try_from(account.role)
            .is_ok_and(|r| r == admin::AccountRole::Unspecified)
        {
            mistakes.add(
                "role",
                account.role,
                "use viewer, operator or administrator",
            );
        }
        let before = self.book.accounts.get(&name);
        if !fresh(before.map(|k| k.revision), expected, mistakes) || !mistakes.is_empty() {
            return;
        }
        let store_key = Key::Account(name.clone()).to_string();
        let hash = if account.password_hash.is_empty() {
            before
                .map(|k| k.row.sealed_password_hash.clone())
                .unwrap_or_default()
        } else {
            self.seal.seal(&store_key, account.password_hash.as_bytes())
        };
        account.password_hash.clear();
        let row = rows::AccountRow {
            account: Some(account),
            sealed_password_hash: hash,
        };
        self.guard(&store_key, before.map_or(0, |k| k.revision));
        self.write(&store_key, &row);
        self.plan.effects.push(Effect::Account(name, row));
    }

    /// Appends to the audit log; time and a counter make the key.
    pub fn audit(&mut self, entry: admin::AuditEntry) {
        let key = Key::Audit(entry.at_utc_ms, self.draw.within_a_millisecond()).to_string();
        let row = rows::AuditRow { entry: Some(entry) };
        self.write(&key, &row);
        self.plan.effects.push(Effect::Audit(key, row));
    }

    fn delete(&mut self, kind: rows::Kind, key: &str, expected: Revision, mistakes: &mut Mistakes) {
        match kind {
            rows::Kind::User => self.delete_user(key, expected, mistakes),
            rows::Kind::Handset => {
                let Some((ipei, kept)) = self.known_handset(key, expected, mistakes) else {
                    return;
                };
                if self.book.user_of(ipei).is_some() {
                    mistakes.add(
                        "ipei",
                        key,
                        "a user has this handset; take it from him first",
                    );
                    return;
                }
                if let Some(handset) = kept.row.handset.filter(|h| h.tpui != 0) {
                    self.remove(&tpui_key(handset.tpui));
                }
                self.guard(&handset_key(ipei), kept.revision);
                self.remove(&handset_key(ipei));
                self.plan.effects.push(Effect::NoHandset(ipei));
            }
            rows::Kind::Device => self.delete_device(key, expected, mistakes),
            rows::Kind::Token => {
                if !self.book.tokens.contains_key(key) {
                    mistakes.add(
                        "id",
                        key,
                        "no such token; it may have been used or have expired",
                    );
                    return;
                }
                self.remove(&Key::Token(key.into()).to_string());
                self.plan.effects.push(Effect::NoToken(key.into()));
            }
            rows::Kind::Account => self.delete_account(key, expected, mistakes),
            _ => mistakes.add("kind", kind.as_str_name(), "this kind cannot be removed"),
        }
    }

    fn delete_user(&mut self, key: &str, expected: Revision, mistakes: &mut Mistakes) {
        let Some(kept) = self.book.users.get(key) else {
            mistakes.add("id", key, "no such user; he may have been removed already");
            return;
        };
        if expected != 0 && !fresh(Some(kept.revision), expected, mistakes) {
            return;
        }
        let store_key = Key::User(key.into()).to_string();
        self.guard(&store_key, kept.revision);
        self.remove(&store_key);
        if let Some(user) = &kept.row.user {
            self.remove(&Key::Aor(aor(&user.username, &user.domain)).to_string());
            if let Ok(ipei) = user.ipei.parse() {
                self.link_handset(ipei, "");
            }
        }
        self.plan.effects.push(Effect::NoUser(key.into()));
    }

    fn delete_device(&mut self, key: &str, expected: Revision, mistakes: &mut Mistakes) {
        let Some(kept) = self.book.device(key) else {
            mistakes.add("node_id", key, "no such device");
            return;
        };
        if expected != 0 && !fresh(Some(kept.revision), expected, mistakes) {
            return;
        }
        if kept.row.has_rpn {
            self.remove(&Key::Rpn(u8::try_from(kept.row.rpn).unwrap_or(u8::MAX)).to_string());
        }
        let store_key = Key::Device(key.into()).to_string();
        self.guard(&store_key, kept.revision);
        self.remove(&store_key);
        self.plan.effects.push(Effect::NoDevice(key.into()));
    }

    fn delete_account(&mut self, key: &str, expected: Revision, mistakes: &mut Mistakes) {
        let Some(kept) = self.book.accounts.get(key) else {
            mistakes.add("name", key, "no such account");
            return;
        };
        if expected != 0 && !fresh(Some(kept.revision), expected, mistakes) {
            return;
        }
        let administrator = |k: &super::book::Kept<rows::AccountRow>| {
            k.row
                .account
                .as_ref()
                .is_some_and(|a| a.role() == admin::AccountRole::Administrator)
        };
        let others = self
            .book
            .accounts
            .iter()
            .any(|(name, k)| name != key && administrator(k));
        if administrator(kept) && !others {
            mistakes.add(
                "name",
                key,
                "is the only administrator; make another one first",
            );
            return;
        }
        let store_key = Key::Account(key.into()).to_string();
        self.guard(&store_key, kept.revision);
        self.remove(&store_key);
        self.plan.effects.push(Effect::NoAccount(key.into()));
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
