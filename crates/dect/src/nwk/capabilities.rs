//! Fixed part capabilities: what a system broadcasts of itself.

/// Fixed part capabilities, bits a8 to a47 of the broadcast with header Q_H = 3.
///
/// Source: EN 300 175-3 table 7.14 and EN 300 175-5 annex F.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPartCapabilities(pub [u8; 5]);

const Q_H: u64 = 3;
const FULL_SLOT: u8 = 17;
const PAGE_REPETITION: u8 = 19;
const BASIC_SET_UP: u8 = 23;
const IN_MINIMUM_DELAY: u8 = 27;
const ADPCM: u8 = 32;
const GAP_SPEECH: u8 = 33;
const LOCATION_REGISTRATION: u8 = 38;
const ACCESS_RIGHTS_REQUESTS: u8 = 44;
const CONNECTION_HANDOVER: u8 = 46;

impl FixedPartCapabilities {
    /// What our systems can do: narrowband speech with ADPCM, location registration, connection handover; subscription on request or not.
    pub fn ours(subscription_open: bool) -> Self {
        let always = [
            FULL_SLOT,
            PAGE_REPETITION,
            BASIC_SET_UP,
            IN_MINIMUM_DELAY,
            ADPCM,
            GAP_SPEECH,
            LOCATION_REGISTRATION,
            CONNECTION_HANDOVER,
        ];
        let open = subscription_open.then_some(ACCESS_RIGHTS_REQUESTS);
        let bits = always
            .into_iter()
            .chain(open)
            .fold(Q_H << 36, |bits, bit| bits | mask(bit));
        let [.., a, b, c, d, e] = bits.to_be_bytes();
        Self([a, b, c, d, e])
    }

    /// Whether handsets may subscribe now (bit a44).
    pub fn subscription_open(self) -> bool {
        let [a, b, c, d, e] = self.0;
        u64::from_be_bytes([0, 0, 0, a, b, c, d, e]) & mask(ACCESS_RIGHTS_REQUESTS) != 0
    }
}

/// Bit `a<number>`, where a47 is the last of the five octets.
const fn mask(number: u8) -> u64 {
    1 << (47 - number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_a44_opens_subscription() {
        let (open, closed) = (
            FixedPartCapabilities::ours(true),
            FixedPartCapabilities::ours(false),
        );
        assert!(open.subscription_open() && !closed.subscription_open());
        assert_eq!(open.0[4] ^ closed.0[4], 0x08);
        assert_eq!(open.0[..4], closed.0[..4]);
        assert_eq!(open.0[0] >> 4, 3);
    }
}
