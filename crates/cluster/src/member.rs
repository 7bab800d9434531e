//! The transactions by which servers join, evict and claim. Pure: they are made here and sent elsewhere.

use crate::keys::Key;
use crate::store::Revision;
use crate::txn::{MAX_PARTS, Txn};
use crate::view::{Claim, Start, View};
use bytes::Bytes;
use ipdect_proto::cluster::v1::{EvictedRow, MemberRow, ShardRow};
use prost::Message;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Most shards of one claim.
pub const CLAIM_SHARDS: usize = 120;
/// How often a member row is renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(1);
/// A member whose last successful renewal was sent longer ago has lapsed.
pub const HOLDS_FOR: Duration = Duration::from_secs(6);

/// Whether a member may count itself as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its last renewal is fresh.
    Holding,
    /// Its last renewal is old: it commits every act at a device first.
    Lapsed,
}

/// The standing of a member whose last successful renewal was *sent* at `sent`. `now` must not stand still in suspend
/// (`CLOCK_BOOTTIME`).
#[must_use]
pub fn standing(sent: Instant, now: Instant) -> Standing {
    if now.saturating_duration_since(sent) < HOLDS_FOR {
        Standing::Holding
    } else {
        Standing::Lapsed
    }
}

/// The start that a member row is about.
#[must_use]
pub fn start_of(row: &MemberRow) -> Start {
    Start {
        node: row.node_id.clone(),
        boot: row.boot_id,
    }
}

/// Writes the own row, which must not be there.
#[must_use]
pub fn join(row: &MemberRow) -> Txn {
    let key = Key::Member(start_of(row)).to_string();
    Txn::new().if_absent(key.as_str()).put(key, encode(row))
}

/// Writes the own row again, guarded by one's own last write.
#[must_use]
pub fn renew(row: &MemberRow, last: Revision) -> Txn {
    let key = Key::Member(start_of(row)).to_string();
    Txn::new()
        .if_unchanged(key.as_str(), last)
        .put(key, encode(row))
}

/// Removes a member whose row is unchanged since it was seen, and notes who did it and why. The accuser's own row must
/// be there; a server that is about to join has none and gives no accuser.
#[must_use]
pub fn evict(accuser: Option<&Start>, victim: &Start, seen: Revision, note: &EvictedRow) -> Txn {
    let row = Key::Member(victim.clone()).to_string();
    let txn = Txn::new()
        .if_unchanged(row.as_str(), seen)
        .delete(row)
        .put(Key::Evicted(victim.clone()), encode(note));
    match accuser {
        Some(start) => txn.if_present(Key::Member(start.clone())),
        None => txn,
    }
}

/// Some shards' claim: the transaction, and what it makes of the view if it is done.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimOrder {
    /// To be sent.
    pub txn: Txn,
    /// Shards with their new generation.
    pub shards: Vec<(u16, u64)>,
}

impl ClaimOrder {
    /// Notes in a view that the claim was done in this revision.
    pub fn done(&self, view: &mut View, owner: &Start, revision: Revision) {
        for (shard, generation) in &self.shards {
            view.claimed(
                *shard,
                Claim {
                    owner: owner.clone(),
                    generation: *generation,
                    revision,
                },
            );
        }
    }
}

/// Claims shards for a start, 120 a transaction at most: each row as read, its named owner gone, the own row there.
#[must_use]
pub fn claim(
    view: &View,
    own: &Start,
    shards: impl IntoIterator<Item = u16>,
    why: &str,
) -> Vec<ClaimOrder> {
    let mut orders = Vec::new();
    let mut open = Open::new(own);
    for shard in shards {
        let claim = view.claim(shard);
        if !open.has_room(claim) {
            orders.extend(open.close());
            open = Open::new(own);
        }
        open.add(shard, claim, why);
    }
    orders.extend(open.close());
    orders
}

/// A claim being put together.
struct Open<'a> {
    own: &'a Start,
    order: ClaimOrder,
    owners: BTreeSet<Start>,
}

impl<'a> Open<'a> {
    fn new(own: &'a Start) -> Open<'a> {
        let txn = Txn::new().if_present(Key::Member(own.clone()));
        Open {
            own,
            order: ClaimOrder {
                txn,
                shards: Vec::new(),
            },
            owners: BTreeSet::new(),
        }
    }

    /// Whether another shard fits; one with an owner not named yet takes two guards.
    fn has_room(&self, claim: Option<&Claim>) -> bool {
        let new_owner = claim.is_some_and(|claim| !self.owners.contains(&claim.owner));
        let guards = self.order.txn.guards.len() + 1 + usize::from(new_owner);
        self.order.shards.len() < CLAIM_SHARDS && guards <= MAX_PARTS
    }

    fn add(&mut self, shard: u16, claim: Option<&Claim>, why: &str) {
        let key = Key::Shard(shard).to_string();
        let generation = claim.map_or(0, |claim| claim.generation) + 1;
        let row = ShardRow {
            node_id: self.own.node.clone(),
            boot_id: self.own.boot,
            generation,
            why: why.to_owned(),
        };
        let mut txn = std::mem::take(&mut self.order.txn)
            .if_unchanged(key.as_str(), claim.map_or(0, |claim| claim.revision))
            .put(key, encode(&row));
        if let Some(owner) = claim
            .map(|claim| &claim.owner)
            .filter(|owner| *owner != self.own)
            && self.owners.insert(owner.clone())
        {
            txn = txn.if_absent(Key::Member(owner.clone()));
        }
        self.order.txn = txn;
        self.order.shards.push((shard, generation));
    }

    fn close(self) -> Option<ClaimOrder> {
        (!self.order.shards.is_empty()).then_some(self.order)
    }
}

/// A message as a row's value.
pub(crate) fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}
