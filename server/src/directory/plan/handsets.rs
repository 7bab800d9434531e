//! Handsets: whose each is, and the end of its subscription.

use bytes::Bytes;
use ipdect_cluster::Revision;
use ipdect_dect::identity::Ipei;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;

use super::{Effect, Planner, fresh, handset_key, tpui_key};
use crate::directory::book::Kept;
use crate::directory::mistake::Mistakes;

impl Planner<'_> {
    /// Writes the handset's row with its user; makes one for a handset never heard of.
    pub(super) fn link_handset(&mut self, ipei: Ipei, user_id: &str) {
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
    pub(super) fn put_handset(
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
    ) -> Option<(Ipei, Kept<rows::HandsetRow>)> {
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

    /// A handset that nobody has may go.
    pub(super) fn delete_handset(
        &mut self,
        key: &str,
        expected: Revision,
        mistakes: &mut Mistakes,
    ) {
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
}
