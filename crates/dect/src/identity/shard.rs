//! Which of the 1,024 shards a handset belongs to.

use super::Ipei;

/// Number of shards; a shard is 0..=1023.
pub const SHARDS: u16 = 1024;

/// SplitMix64's output function of `x + 0x9E3779B97F4A7C15`.
pub const fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Shard of a handset, 0..=1023: the top 10 bits of the mixed IPEI.
pub const fn shard(ipei: Ipei) -> u16 {
    (mix(ipei.bits()) >> 54) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_those_that_every_node_computes() {
        let of = |text: &str| text.parse::<Ipei>().unwrap();
        assert_eq!(mix(of("05003 0070387").bits()), 0x52ca_7628_9113_9320);
        assert_eq!(shard(of("05003 0070387")), 331);
        assert_eq!(mix(of("65535 0000001").bits()), 0xb32a_2a3f_0990_f4f3);
        assert_eq!(shard(of("65535 0000001")), 716);
        assert_eq!(shard(of("65535 0000002")), 232);
    }
}
