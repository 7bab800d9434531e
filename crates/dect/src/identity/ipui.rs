//! International portable user identity: type (PUT) and number (PUN).

use std::fmt;

use super::Ipei;

/// Longest IPUI: 4 bits of type and 96 of number.
const MAX_BITS: u8 = 100;
/// An IPUI of type N: 4 bits of type and the 36 of the IPEI.
const N_BITS: u8 = 40;
const N: u8 = 0;
const O: u8 = 1;

/// International portable user identity. Type N (the IPEI) is understood; the other types are carried as they are.
///
/// Source: EN 300 175-6 section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ipui {
    /// Type N: the handset's own IPEI.
    N(Ipei),
    /// Types O to U, uninterpreted.
    Other(OtherIpui),
}

/// An IPUI of another type than N, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OtherIpui {
    put: u8,
    bits: u8,
    number: u128,
}

/// Why octets are no IPUI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IpuiError {
    /// Fewer than 4 or more than 100 bits.
    #[error("an IPUI has 4 to 100 bits, not {0}")]
    Bits(u8),
    /// Fewer octets than the bits need.
    #[error("IPUI cut short")]
    Short,
}

impl OtherIpui {
    /// Type of the identity (PUT): 1 = O, 2 = P, 3 = Q, 4 = R, 5 = S, 6 = T, 7 = U.
    pub const fn put(self) -> u8 {
        self.put
    }

    /// The number (PUN), right-aligned.
    pub const fn number(self) -> u128 {
        self.number
    }
}

impl Ipui {
    /// Reads `bits` bits, type first, left-aligned in `octets` as `<<PORTABLE-IDENTITY>>` has them.
    ///
    /// # Errors
    /// [`IpuiError`] if the length is impossible or octets are missing.
    pub fn decode(bits: u8, octets: &[u8]) -> Result<Self, IpuiError> {
        if !(4..=MAX_BITS).contains(&bits) {
            return Err(IpuiError::Bits(bits));
        }
        let count = usize::from(bits.div_ceil(8));
        let octets = octets.get(..count).ok_or(IpuiError::Short)?;
        let whole = octets
            .iter()
            .fold(0u128, |sum, &o| sum << 8 | u128::from(o));
        let whole = whole >> (count * 8 - usize::from(bits));
        let put = (whole >> (bits - 4)) as u8;
        let number = whole & ((1u128 << (bits - 4)) - 1);
        if put == N
            && bits == N_BITS
            && let Ok(ipei) = Ipei::from_bits(number as u64)
        {
            return Ok(Self::N(ipei));
        }
        Ok(Self::Other(OtherIpui { put, bits, number }))
    }

    /// Length in bits, type included.
    pub const fn bits(self) -> u8 {
        match self {
            Self::N(_) => N_BITS,
            Self::Other(other) => other.bits,
        }
    }

    /// The octets, type first, left-aligned, unused low bits 0.
    pub fn encode(self) -> Vec<u8> {
        let bits = usize::from(self.bits());
        let whole = match self {
            Self::N(ipei) => u128::from(ipei.bits()),
            Self::Other(other) => u128::from(other.put) << (bits - 4) | other.number,
        };
        let count = bits.div_ceil(8);
        (whole << (128 - bits)).to_be_bytes()[..count].to_vec()
    }

    /// The IPEI, for type N only.
    pub const fn ipei(self) -> Option<Ipei> {
        match self {
            Self::N(ipei) => Some(ipei),
            Self::Other(_) => None,
        }
    }

    /// Low 28 bits of the number, as a full page carries them.
    pub const fn low28(self) -> u32 {
        (self.number() & 0x0FFF_FFFF) as u32
    }

    /// Type of the identity (PUT); 0 = N.
    pub const fn put(self) -> u8 {
        match self {
            Self::N(_) => N,
            Self::Other(other) => other.put,
        }
    }

    const fn number(self) -> u128 {
        match self {
            Self::N(ipei) => ipei.bits() as u128,
            Self::Other(other) => other.number,
        }
    }

    /// Says whether both name the same user. A binary number (type O) counts by value, whatever its padding.
    pub fn matches(self, other: Self) -> bool {
        self == other || (self.put() == O && other.put() == O && self.number() == other.number())
    }
}

impl From<Ipei> for Ipui {
    fn from(ipei: Ipei) -> Self {
        Self::N(ipei)
    }
}

impl fmt::Display for Ipui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::N(ipei) => write!(f, "N {ipei}"),
            Self::Other(other) => {
                let letter = char::from(b'N' + other.put);
                write!(f, "{letter} {:X}", other.number)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_n_is_the_ipei_behind_four_zero_bits() {
        let ipui = Ipui::N("05003 0070387".parse().unwrap());
        assert_eq!(ipui.encode(), [0x01, 0x38, 0xB1, 0x12, 0xF3]);
        assert_eq!(Ipui::decode(40, &ipui.encode()), Ok(ipui));
        assert_eq!(ipui.low28(), 0x8B1_12F3);
    }

    #[test]
    fn other_types_pass_through_bit_by_bit() {
        let ipui = Ipui::decode(20, &[0x12, 0x61, 0x20]).unwrap();
        assert_eq!(ipui.put(), 1);
        assert_eq!(ipui.to_string(), "O 2612");
        assert_eq!(ipui.encode(), [0x12, 0x61, 0x20]);
        assert_eq!(ipui.ipei(), None);
    }

    #[test]
    fn a_binary_number_matches_whatever_its_padding() {
        let short = Ipui::decode(40, &[0x11, 0x38, 0xB1, 0x12, 0xF3]).unwrap();
        let long = Ipui::decode(48, &[0x10, 0x01, 0x38, 0xB1, 0x12, 0xF3]).unwrap();
        assert!(short.matches(long) && long.matches(short));
        assert!(!short.matches(Ipui::N("05003 0070387".parse().unwrap())));
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert_eq!(Ipui::decode(3, &[0; 20]), Err(IpuiError::Bits(3)));
        assert_eq!(Ipui::decode(101, &[0; 20]), Err(IpuiError::Bits(101)));
        assert_eq!(Ipui::decode(40, &[0; 4]), Err(IpuiError::Short));
        let longest = Ipui::decode(100, &[0x7F; 13]).unwrap();
        assert_eq!(Ipui::decode(100, &longest.encode()), Ok(longest));
    }
}
