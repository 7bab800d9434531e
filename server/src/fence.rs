//! The tokens of the shards that this start of the server owns.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ipdect_dect::identity::{Ipei, SHARDS, shard};
use ipdect_proto::link::v1 as link;

/// Claim of one shard: who owns it, and with which token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Store revision of the claim.
    pub revision: u64,
    /// How often the shard was claimed.
    pub generation: u32,
    /// Node id of the owner.
    pub node: String,
    /// The owner's start.
    pub boot: u64,
}

/// Era and claims of all shards, as read last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The store's era.
    pub era: u64,
    /// One for each shard, in order.
    pub shards: Vec<Claim>,
}

/// The claims, readable without a lock.
#[derive(Clone)]
pub struct Fences(Arc<ArcSwap<Claims>>);

impl Fences {
    /// Over the claims as made at start.
    #[must_use]
    pub fn new(claims: Claims) -> Self {
        debug_assert_eq!(claims.shards.len(), usize::from(SHARDS));
        Self(Arc::new(ArcSwap::from_pointee(claims)))
    }

    /// The fence that orders about `ipei` carry.
    #[must_use]
    pub fn of(&self, ipei: Ipei) -> link::Fence {
        let claims = self.0.load();
        let shard = shard(ipei);
        let revision = claims.shards[usize::from(shard)].revision;
        link::Fence {
            shard: u32::from(shard),
            era: claims.era,
            revision,
        }
    }

    /// How often the shard of `ipei` was claimed.
    #[must_use]
    pub fn generation(&self, ipei: Ipei) -> u32 {
        self.0.load().shards[usize::from(shard(ipei))].generation
    }

    /// The store's era.
    #[must_use]
    pub fn era(&self) -> u64 {
        self.0.load().era
    }

    /// The floors that every device is told, for all shards, whoever owns them.
    #[must_use]
    pub fn floors(&self) -> link::FenceFloor {
        let claims = self.0.load();
        let floors = (0u32..)
            .zip(&claims.shards)
            .map(|(shard, claim)| link::Floor {
                fence: Some(link::Fence {
                    shard,
                    era: claims.era,
                    revision: claim.revision,
                }),
                node_id: claim.node.clone(),
                boot_id: claim.boot,
            })
            .collect();
        link::FenceFloor { floors }
    }
}
