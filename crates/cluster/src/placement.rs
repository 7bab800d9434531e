//! Which server should run a shard: rendezvous hashing over live members, the same code everywhere.
//!
//! Only whole numbers are used, so that every machine comes to the same answer. A server of weight `w` draws `w` lots
//! for each shard; the highest lot gets it. So a member that leaves moves its own shards only, and shares follow the
//! weights.

/// Number of shards.
pub const SHARDS: u16 = 1024;
/// Version of this function; members tell it, and all use the lowest.
pub const PLACEMENT_VERSION: u32 = 1;
/// Highest weight; more counts as this.
pub const MAX_WEIGHT: u32 = 256;

/// The member that should run a shard; `None` if none has a weight.
#[must_use]
pub fn preferred<'m>(
    shard: u16,
    members: impl IntoIterator<Item = (&'m str, u32)>,
) -> Option<&'m str> {
    members
        .into_iter()
        .filter_map(|(node, weight)| Some((best_lot(shard, node, weight)?, node)))
        // Equal lots: the name decides, so that order never does.
        .max()
        .map(|(_, node)| node)
}

fn best_lot(shard: u16, node: &str, weight: u32) -> Option<u64> {
    let seed = mix(hash(node) ^ mix(u64::from(shard)));
    (0..weight.min(MAX_WEIGHT))
        .map(|lot| mix(seed.wrapping_add(u64::from(lot))))
        .max()
}

/// FNV-1a over the name's octets.
fn hash(node: &str) -> u64 {
    node.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// SplitMix64's output function of `x + 0x9E3779B97F4A7C15`, as for the shard of an IPEI.
pub(crate) const fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners(members: &[(&'static str, u32)]) -> Vec<&'static str> {
        (0..SHARDS)
            .map(|shard| preferred(shard, members.iter().copied()).unwrap())
            .collect()
    }

    fn share(owners: &[&str], node: &str) -> usize {
        owners.iter().filter(|owner| **owner == node).count()
    }

    #[test]
    fn the_mixer_is_the_contracts() {
        // IPEI 05003 0070387 and 65535 0000001 as 36-bit integers.
        assert_eq!(mix((5003 << 20) | 70387), 0x52ca_7628_9113_9320);
        assert_eq!(mix((65535 << 20) | 1), 0xb32a_2a3f_0990_f4f3);
    }

    #[test]
    fn the_function_is_frozen() {
        let owners = owners(&[("server-1", 100), ("server-2", 100), ("server-3", 100)]);
        let digits: String = owners[..64]
            .iter()
            .map(|node| &node["server-".len()..])
            .collect();
        assert_eq!(digits, FROZEN);
        let sum = owners
            .iter()
            .enumerate()
            .fold(0, |sum, (at, node)| mix(sum ^ hash(node) ^ at as u64));
        assert_eq!(sum, FROZEN_SUM, "{sum:#x}");
    }

    /// Last digits of the owners of shards 0 to 63, and a sum over all 1,024; computed by a second implementation.
    const FROZEN: &str = "3332123233121332223233131212123222312221222111312132111111233311";
    const FROZEN_SUM: u64 = 0x4a7e_008b_90c1_0d8c;

    #[test]
    fn a_member_that_leaves_moves_its_own_shards_only() {
        let all = owners(&[("a", 10), ("b", 10), ("c", 10), ("d", 10)]);
        let left = owners(&[("d", 10), ("c", 10), ("a", 10)]);
        for (before, after) in all.iter().zip(&left) {
            assert!(before == after || *before == "b");
        }
    }

    #[test]
    fn shares_follow_the_weights() {
        let owners = owners(&[("a", 100), ("b", 100), ("c", 200), ("idle", 0)]);
        assert_eq!(share(&owners, "idle"), 0);
        for (node, fair) in [("a", 256), ("b", 256), ("c", 512)] {
            let has = share(&owners, node);
            assert!(
                has.abs_diff(fair) < fair / 4,
                "{node} has {has}, {fair} would be fair"
            );
        }
    }

    #[test]
    fn nobody_runs_a_shard_where_nobody_can() {
        assert_eq!(preferred(0, []), None);
        assert_eq!(preferred(0, [("idle", 0)]), None);
        assert_eq!(preferred(0, [("huge", u32::MAX)]), Some("huge"));
    }
}
