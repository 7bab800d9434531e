//! Identifiers and keys that the owner of a handset issues (`contracts.md` section 2).

use std::time::{SystemTime, UNIX_EPOCH};

use rand_core::RngCore;

use crate::event::Tag;
use crate::media::{SRTP_KEY_LENGTH, SrtpKey};

/// Counts orders.
#[derive(Debug, Default)]
pub(crate) struct Tags(u64);

impl Tags {
    /// A tag that was never used before.
    pub(crate) fn fresh(&mut self) -> Tag {
        self.0 += 1;
        Tag(self.0)
    }
}

/// A UUIDv7 (RFC 9562 section 5.7): milliseconds of UTC, then chance.
pub(crate) fn uuid_v7(wall: SystemTime, rng: &mut dyn RngCore) -> u128 {
    let ms = wall
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis())
        & 0xffff_ffff_ffff;
    let a = u128::from(rng.next_u64() & 0xfff);
    let b = u128::from(rng.next_u64() >> 2);
    ms << 80 | 0x7 << 76 | a << 64 | 0b10 << 62 | b
}

/// A master key and salt.
pub(crate) fn srtp_key(rng: &mut dyn RngCore) -> SrtpKey {
    let mut key = vec![0; SRTP_KEY_LENGTH];
    rng.fill_bytes(&mut key);
    SrtpKey(key)
}

/// Two SSRCs that differ, one for each way.
pub(crate) fn ssrc_pair(rng: &mut dyn RngCore) -> (u32, u32) {
    let first = rng.next_u32();
    let second = rng.next_u32();
    (first, if second == first { !first } else { second })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::media::CallRef;

    #[test]
    fn an_identifier_begins_with_its_time_and_says_version_7() {
        let wall = UNIX_EPOCH + Duration::from_millis(0x0123_4567_89ab);
        let text = CallRef(uuid_v7(wall, &mut ChaCha8Rng::seed_from_u64(1))).to_string();
        assert_eq!(
            (&text[..13], &text[14..15], text.len()),
            ("01234567-89ab", "7", 36)
        );
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
    }
}
