//! Accounts of administrators, operators and viewers.

use ipdect_cluster::{Key, Revision};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;

use super::{Effect, Planner, fresh};
use crate::directory::book::Kept;
use crate::directory::mistake::Mistakes;

impl Planner<'_> {
    pub(super) fn put_account(
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

    pub(super) fn delete_account(
        &mut self,
        key: &str,
        expected: Revision,
        mistakes: &mut Mistakes,
    ) {
        let Some(kept) = self.book.accounts.get(key) else {
            mistakes.add("name", key, "no such account");
            return;
        };
        if expected != 0 && !fresh(Some(kept.revision), expected, mistakes) {
            return;
        }
        let administrator = |k: &Kept<rows::AccountRow>| {
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
}
