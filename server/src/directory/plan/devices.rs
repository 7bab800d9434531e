//! Devices, and the tokens they enrol with.

use ipdect_cluster::{Key, Revision};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;

use super::{Effect, Planner, fresh};
use crate::directory::mistake::Mistakes;

impl Planner<'_> {
    pub(super) fn put_device(
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

    pub(super) fn delete_device(&mut self, key: &str, expected: Revision, mistakes: &mut Mistakes) {
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

    pub(super) fn put_token(&mut self, token: admin::Token, mistakes: &mut Mistakes) {
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

    pub(super) fn delete_token(&mut self, key: &str, mistakes: &mut Mistakes) {
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
}
