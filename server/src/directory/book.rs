//! The configuration in memory: what the store's rows say, with the indexes that calls and pages need.

use std::collections::{BTreeMap, HashMap};

use ipdect_cluster::Revision;
use ipdect_dect::identity::Ipei;
use ipdect_proto::cluster::v1 as rows;

/// A row with the revision that wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept<T> {
    /// The row.
    pub row: T,
    /// Revision of its last change.
    pub revision: Revision,
}

/// All configuration, indexed. Written by the directory only.
#[derive(Debug, Default)]
pub struct Book {
    pub(super) users: BTreeMap<String, Kept<rows::UserRow>>,
    pub(super) handsets: BTreeMap<Ipei, Kept<rows::HandsetRow>>,
    pub(super) devices: BTreeMap<String, Kept<rows::DeviceRow>>,
    pub(super) settings: BTreeMap<String, Kept<rows::SettingsRow>>,
    pub(super) tokens: BTreeMap<String, Kept<rows::TokenRow>>,
    pub(super) accounts: BTreeMap<String, Kept<rows::AccountRow>>,
    by_aor: HashMap<String, String>,
    by_handset: HashMap<Ipei, String>,
    by_key: HashMap<String, Ipei>,
    by_tpui: HashMap<u32, Ipei>,
}

/// `user@domain`, as keys of the store have it.
#[must_use]
pub fn aor(username: &str, domain: &str) -> String {
    format!("{username}@{}", domain.to_ascii_lowercase())
}

impl Book {
    /// The user of this id.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<&Kept<rows::UserRow>> {
        self.users.get(id)
    }

    /// Id of the user with this name, in this domain (empty: the default one).
    #[must_use]
    pub fn user_named(&self, username: &str, domain: &str) -> Option<&str> {
        self.by_aor.get(&aor(username, domain)).map(String::as_str)
    }

    /// Id of the user whose handset this is.
    #[must_use]
    pub fn user_of(&self, ipei: Ipei) -> Option<&str> {
        self.by_handset.get(&ipei).map(String::as_str)
    }

    /// The handset's row.
    #[must_use]
    pub fn handset(&self, ipei: Ipei) -> Option<&Kept<rows::HandsetRow>> {
        self.handsets.get(&ipei)
    }

    /// The handset with this key in its Contact.
    #[must_use]
    pub fn handset_by_key(&self, key: &str) -> Option<Ipei> {
        self.by_key.get(key).copied()
    }

    /// The handset with this temporary identity.
    #[must_use]
    pub fn handset_by_tpui(&self, tpui: u32) -> Option<Ipei> {
        self.by_tpui.get(&tpui).copied()
    }

    /// The handset of a user.
    #[must_use]
    pub fn handset_of(&self, id: &str) -> Option<Ipei> {
        self.users
            .get(id)
            .and_then(|u| u.row.user.as_ref())
            .and_then(|u| u.ipei.parse().ok())
    }

    /// Every handset that a user has, in order.
    #[must_use]
    pub fn handsets_in_use(&self) -> Vec<Ipei> {
        let mut all: Vec<Ipei> = self.by_handset.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// The device of this name.
    #[must_use]
    pub fn device(&self, node: &str) -> Option<&Kept<rows::DeviceRow>> {
        self.devices.get(node)
    }

    /// The token of this hash (hexadecimal).
    #[must_use]
    pub fn token(&self, hash: &str) -> Option<&Kept<rows::TokenRow>> {
        self.tokens.get(hash)
    }

    /// All tokens, by hash.
    pub fn tokens(&self) -> impl Iterator<Item = (&String, &Kept<rows::TokenRow>)> {
        self.tokens.iter()
    }

    /// All devices, by name.
    pub fn devices(&self) -> impl Iterator<Item = (&String, &Kept<rows::DeviceRow>)> {
        self.devices.iter()
    }

    /// Whether an account of this role exists.
    #[must_use]
    pub fn has_accounts(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// The first radio part number that no base station has.
    #[must_use]
    pub fn free_rpn(&self) -> Option<u32> {
        let taken: Vec<u32> = self
            .devices
            .values()
            .filter(|d| d.row.has_rpn)
            .map(|d| d.row.rpn)
            .collect();
        (0..=255).find(|rpn| !taken.contains(rpn))
    }

    pub(super) fn put_user(&mut self, id: &str, kept: Kept<rows::UserRow>) {
        self.drop_user(id);
        if let Some(user) = &kept.row.user {
            self.by_aor
                .insert(aor(&user.username, &user.domain), id.into());
            if let Ok(ipei) = user.ipei.parse() {
                self.by_handset.insert(ipei, id.into());
            }
        }
        self.users.insert(id.into(), kept);
    }

    pub(super) fn drop_user(&mut self, id: &str) {
        let Some(user) = self.users.remove(id).and_then(|k| k.row.user) else {
            return;
        };
        self.by_aor.remove(&aor(&user.username, &user.domain));
        if let Ok(ipei) = user.ipei.parse::<Ipei>()
            && self.by_handset.get(&ipei).is_some_and(|owner| owner == id)
        {
            self.by_handset.remove(&ipei);
        }
    }

    pub(super) fn put_handset(&mut self, ipei: Ipei, kept: Kept<rows::HandsetRow>) {
        self.drop_handset(ipei);
        if let Some(handset) = &kept.row.handset {
            self.by_key.insert(handset.handset_key.clone(), ipei);
            if handset.tpui != 0 {
                self.by_tpui.insert(handset.tpui, ipei);
            }
        }
        self.handsets.insert(ipei, kept);
    }

    pub(super) fn drop_handset(&mut self, ipei: Ipei) {
        let Some(handset) = self.handsets.remove(&ipei).and_then(|k| k.row.handset) else {
            return;
        };
        self.by_key.remove(&handset.handset_key);
        if self.by_tpui.get(&handset.tpui) == Some(&ipei) {
            self.by_tpui.remove(&handset.tpui);
        }
    }
}
