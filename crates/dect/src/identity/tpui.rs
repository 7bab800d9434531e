//! Short identities: TPUI (network layer, for paging) and PMID (MAC layer).

use std::fmt;
use std::str::FromStr;

use rand_core::RngCore;

use super::{Ipei, Ipui};

/// Temporary portable user identity, 20 bits. Prints as five hexadecimal digits.
///
/// Source: EN 300 175-6 section 6.3 and table 6.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tpui(u32);

/// What a TPUI stands for, told by its leading digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TpuiKind {
    /// Given to one handset by the system.
    Assigned,
    /// A connectionless group, or all (`CCFFF`).
    ConnectionlessGroup,
    /// A call group.
    CallGroup,
    /// What a handset has before one is assigned.
    DefaultIndividual,
    /// For emergency calls.
    Emergency,
    /// A combination that the standard does not use.
    Unusable,
}

/// Why a number or text is no TPUI of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TpuiError {
    /// More than 20 bits.
    #[error("a TPUI has 20 bits, {0:X} has more")]
    Range(u32),
    /// Not five hexadecimal digits.
    #[error("a TPUI is five hexadecimal digits, not {0:?}")]
    Text(String),
    /// An assigned TPUI has 0 to B as both first digits.
    #[error("{0} cannot be assigned to a handset: its first two digits must be 0 to B")]
    NotAssignable(Tpui),
}

impl Tpui {
    /// Number of TPUIs that a system hands out: first digit 0, second 0 to B.
    pub const ASSIGNABLE: u32 = 0xC000;

    /// Takes the 20 bits.
    ///
    /// # Errors
    /// [`TpuiError::Range`] if there are more.
    pub const fn from_bits(bits: u32) -> Result<Self, TpuiError> {
        if bits >> 20 == 0 {
            Ok(Self(bits))
        } else {
            Err(TpuiError::Range(bits))
        }
    }

    /// Takes 20 bits that may be assigned to a handset.
    ///
    /// # Errors
    /// [`TpuiError::Range`], or [`TpuiError::NotAssignable`] for another kind.
    pub fn assigned(bits: u32) -> Result<Self, TpuiError> {
        let tpui = Self::from_bits(bits)?;
        match tpui.kind() {
            TpuiKind::Assigned => Ok(tpui),
            _ => Err(TpuiError::NotAssignable(tpui)),
        }
    }

    /// A random TPUI of the kind that our systems assign: first digit 0, second 0 to B. Whether it is free, the store says.
    pub fn random(rng: &mut dyn RngCore) -> Self {
        Self(rng.next_u32() % Self::ASSIGNABLE)
    }

    /// What a handset answers to before it is given one: `E` and the low 16 bits of its IPEI.
    pub const fn default_of(ipei: Ipei) -> Self {
        Self(0xE_0000 | (ipei.bits() & 0xFFFF) as u32)
    }

    /// What a handset of any identity answers to before it is given one.
    pub const fn default_of_ipui(ipui: Ipui) -> Self {
        Self(0xE_0000 | ipui.low28() & 0xFFFF)
    }

    /// The 20 bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The 16 low bits, which a short page carries.
    pub const fn low16(self) -> u16 {
        (self.0 & 0xFFFF) as u16
    }

    /// What it stands for.
    pub const fn kind(self) -> TpuiKind {
        match (self.0 >> 16, self.0 >> 12 & 0xF) {
            (0..=0xB, 0..=0xB) => TpuiKind::Assigned,
            (0xC, 0xC) => TpuiKind::ConnectionlessGroup,
            (0xD, 0xD) => TpuiKind::CallGroup,
            (0xE, _) => TpuiKind::DefaultIndividual,
            (0xF, 1) => TpuiKind::Emergency,
            _ => TpuiKind::Unusable,
        }
    }
}

impl fmt::Display for Tpui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05X}", self.0)
    }
}

impl fmt::Debug for Tpui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tpui({self})")
    }
}

impl FromStr for Tpui {
    type Err = TpuiError;

    /// Reads five hexadecimal digits.
    ///
    /// # Errors
    /// [`TpuiError::Text`] for anything else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || TpuiError::Text(text.to_owned());
        if text.len() != 5 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let bits = u32::from_str_radix(text, 16).map_err(|_| wrong())?;
        Self::from_bits(bits).map_err(|_| wrong())
    }
}

/// MAC identity of a portable, 20 bits: its assigned TPUI, or `E` and 16 random bits for one access.
///
/// Source: EN 300 175-6 section 10, EN 300 175-3 section 11.7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pmid(u32);

impl Pmid {
    /// The PMID of a portable that was given a TPUI.
    pub const fn assigned(tpui: Tpui) -> Self {
        Self(tpui.0)
    }

    /// A PMID for one access of a portable without TPUI.
    pub fn default_random(rng: &mut dyn RngCore) -> Self {
        Self(0xE_0000 | (rng.next_u32() & 0xFFFF))
    }

    /// Takes the 20 bits as a datagram carries them; `None` if there are more.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits >> 20 == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The 20 bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The TPUI that this PMID is, if it is an assigned one.
    pub const fn tpui(self) -> Option<Tpui> {
        match Tpui(self.0).kind() {
            TpuiKind::Assigned => Some(Tpui(self.0)),
            _ => None,
        }
    }

    /// Link signature: the 16 low bits of an assigned PMID, else 0 (EN 300 175-4 section 10.3.1).
    pub const fn lsig(self) -> u16 {
        match self.tpui() {
            Some(tpui) => tpui.low16(),
            None => 0,
        }
    }
}

impl fmt::Display for Pmid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:05X}", self.0)
    }
}

impl fmt::Debug for Pmid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pmid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn the_guides_handset_has_its_default_tpui() {
        let ipei: Ipei = "05003 0070387".parse().unwrap();
        let tpui = Tpui::default_of(ipei);
        assert_eq!(tpui.bits(), 0xE12F3);
        assert_eq!(tpui.kind(), TpuiKind::DefaultIndividual);
        assert_eq!(Tpui::default_of_ipui(ipei.into()), tpui);
    }

    #[test]
    fn leading_digits_tell_the_kind() {
        for (bits, kind) in [
            (0x01234, TpuiKind::Assigned),
            (0xBB000, TpuiKind::Assigned),
            (0x0C000, TpuiKind::Unusable),
            (0xCCFFF, TpuiKind::ConnectionlessGroup),
            (0xDD001, TpuiKind::CallGroup),
            (0xF0000, TpuiKind::Unusable),
            (0xF1234, TpuiKind::Emergency),
        ] {
            assert_eq!(Tpui(bits).kind(), kind, "{bits:05X}");
        }
        assert!(Tpui::assigned(0x0C000).is_err());
        assert!(Tpui::from_bits(1 << 20).is_err());
        assert_eq!("0AB12".parse(), Ok(Tpui(0x0AB12)));
        assert!("+AB12".parse::<Tpui>().is_err());
    }

    #[test]
    fn drawn_identities_are_of_their_kind() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..1000 {
            let tpui = Tpui::random(&mut rng);
            assert_eq!(tpui.kind(), TpuiKind::Assigned);
            assert!(tpui.bits() < Tpui::ASSIGNABLE);
            let pmid = Pmid::default_random(&mut rng);
            assert_eq!((pmid.tpui(), pmid.lsig()), (None, 0));
            let pmid = Pmid::assigned(tpui);
            assert_eq!((pmid.tpui(), pmid.lsig()), (Some(tpui), tpui.low16()));
        }
    }
}
