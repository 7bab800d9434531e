//! Users: their names are their own, and so is a handset.

use bytes::Bytes;
use ipdect_cluster::{Key, Revision};
use ipdect_dect::identity::Ipei;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;

use super::{Effect, Planner, difference, fresh};
use crate::directory::book::aor;
use crate::directory::mistake::Mistakes;
use crate::directory::user;

impl Planner<'_> {
    pub(super) fn put_user(
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

    pub(super) fn delete_user(&mut self, key: &str, expected: Revision, mistakes: &mut Mistakes) {
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
}
