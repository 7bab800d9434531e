//! Radio fixed part identity: what a base station broadcasts.

use std::fmt;

use super::{Ari, AriClass, AriError};

/// Radio fixed part number: which base station of its system, 0..=255 (0..=7 in class A).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rpn(pub u8);

impl fmt::Display for Rpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Radio fixed part identity: 40 bits of E flag, primary ARI and radio number.
///
/// Prints as ten hexadecimal digits. Source: EN 300 175-6 section 5.6 and 7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rfpi([u8; 5]);

impl Rfpi {
    /// Makes the identity of one base station; of a class A radio number the low 3 bits count.
    pub const fn new(ari: Ari, rpn: Rpn) -> Self {
        let bits = match ari.class() {
            AriClass::A => ari.bits() << 3 | (rpn.0 & 7) as u64,
            _ => ari.bits() << 8 | rpn.0 as u64,
        };
        let b = bits.to_be_bytes();
        Self([b[3], b[4], b[5], b[6], b[7]])
    }

    /// The same identity with the E flag set: a list of secondary identities is broadcast too.
    #[must_use]
    pub const fn with_secondary_list(mut self) -> Self {
        self.0[0] |= 0x80;
        self
    }

    /// Takes the five octets as broadcast.
    pub const fn from_octets(octets: [u8; 5]) -> Self {
        Self(octets)
    }

    /// The five octets as broadcast.
    pub const fn octets(self) -> [u8; 5] {
        self.0
    }

    /// Primary access rights identity.
    ///
    /// # Errors
    /// [`AriError::Class`] if its class is undefined.
    pub const fn ari(self) -> Result<Ari, AriError> {
        let bits = self.bits() & 0x7F_FFFF_FFFF;
        match bits >> 36 {
            0 => Ari::from_bits(36, bits >> 3),
            _ => Ari::from_bits(31, bits >> 8),
        }
    }

    /// Number of the base station within its system.
    pub const fn rpn(self) -> Rpn {
        match self.bits() >> 36 & 7 {
            0 => Rpn(self.0[4] & 7),
            _ => Rpn(self.0[4]),
        }
    }

    /// The 12 low bits, which MAC messages carry (FMID).
    pub const fn fmid(self) -> u16 {
        (self.bits() & 0xFFF) as u16
    }

    const fn bits(self) -> u64 {
        let o = self.0;
        u64::from_be_bytes([0, 0, 0, o[0], o[1], o[2], o[3], o[4]])
    }
}

impl fmt::Display for Rfpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010X}", self.bits())
    }
}

impl fmt::Debug for Rfpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rfpi({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_has_its_octets() {
        let ari = Ari::class_b(0x1002, 0x345).unwrap();
        let rfpi = Rfpi::new(ari, Rpn(0x2A));
        assert_eq!(rfpi.octets(), [0x11, 0x00, 0x23, 0x45, 0x2A]);
        assert_eq!(
            rfpi.with_secondary_list().octets(),
            [0x91, 0x00, 0x23, 0x45, 0x2A]
        );
        assert_eq!(rfpi.fmid(), 0x52A);
        assert_eq!(rfpi.ari(), Ok(ari));
        assert_eq!(rfpi.with_secondary_list().ari(), Ok(ari));
        assert_eq!(rfpi.rpn(), Rpn(0x2A));
    }

    #[test]
    fn a_class_a_identity_keeps_three_bits_of_radio_number() {
        let ari = Ari::from_bits(36, 0x0_1234_5678).unwrap();
        let rfpi = Rfpi::new(ari, Rpn(5));
        assert_eq!(rfpi.ari(), Ok(ari));
        assert_eq!(rfpi.rpn(), Rpn(5));
    }

    #[test]
    fn an_undefined_class_is_an_error_not_a_panic() {
        assert!(Rfpi::from_octets([0x7F; 5]).ari().is_err());
    }
}
