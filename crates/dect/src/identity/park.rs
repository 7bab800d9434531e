//! Access rights identities: which system (ARI), and which systems a subscription opens (PARK).

use std::fmt;
use std::str::FromStr;

/// Class of an access rights identity (its three leading bits, ARC). Ours are class B.
///
/// Source: EN 300 175-6 section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AriClass {
    /// Residential, 36 bits, 3-bit radio numbers.
    A,
    /// Private multi-cell: 16 bits of installer code and 12 of system, 8-bit radio numbers.
    B,
    /// Public.
    C,
    /// Public, together with a GSM network.
    D,
    /// Portable to portable.
    E,
}

/// Access rights identity: the name of one system.
///
/// Prints as one octal number, the form in which administrators enter it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ari {
    class: AriClass,
    /// All bits, class included, right-aligned.
    bits: u64,
}

/// Portable access rights key: an ARI of which the first `pli` bits count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Park {
    ari: Ari,
    pli: u8,
}

/// Why a text or octets are no ARI or PARK.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AriError {
    /// Class bits 101, 110 or 111, which the standard leaves undefined, or a wrong length for the class.
    #[error("no known class of access rights identity")]
    Class,
    /// More than 12 bits of system number.
    #[error("the system number of a class B identity has 12 bits at most (4095), not {0}")]
    System(u16),
    /// Not an octal number of 31 or 36 bits.
    #[error("an ARI is one octal number of at most 12 digits, not {0:?}")]
    Octal(String),
    /// Fewer octets than the identity needs.
    #[error("access rights identity cut short")]
    Short,
    /// A PARK length indicator outside 1..=36.
    #[error("a PARK has 1 to 36 significant bits, not {0}")]
    Pli(u8),
}

impl AriClass {
    const fn from_arc(arc: u8) -> Option<Self> {
        Some(match arc {
            0 => Self::A,
            1 => Self::B,
            2 => Self::C,
            3 => Self::D,
            4 => Self::E,
            _ => return None,
        })
    }

    /// Length of an identity of this class, class bits included: 36 for A, else 31.
    pub const fn bits(self) -> u8 {
        match self {
            Self::A => 36,
            _ => 31,
        }
    }
}

impl Ari {
    /// Makes a class B identity from installer code (EIC) and system number (FPN and FPS, 12 bits).
    ///
    /// # Errors
    /// [`AriError::System`] if the system number has more than 12 bits.
    pub const fn class_b(eic: u16, system: u16) -> Result<Self, AriError> {
        if system > 0xFFF {
            return Err(AriError::System(system));
        }
        let bits = 0b001 << 28 | (eic as u64) << 12 | system as u64;
        Ok(Self {
            class: AriClass::B,
            bits,
        })
    }

    /// Makes an identity from all its bits, class included; `length` is 31, or 36 for class A.
    ///
    /// # Errors
    /// [`AriError::Class`] for an undefined class or a length that the class does not have.
    pub const fn from_bits(length: u8, bits: u64) -> Result<Self, AriError> {
        if length < 3 || length > 36 || bits >> length != 0 {
            return Err(AriError::Class);
        }
        match AriClass::from_arc((bits >> (length - 3)) as u8) {
            Some(class) if class.bits() == length => Ok(Self { class, bits }),
            _ => Err(AriError::Class),
        }
    }

    /// Class of the identity.
    pub const fn class(self) -> AriClass {
        self.class
    }

    /// All bits, class included, right-aligned.
    pub const fn bits(self) -> u64 {
        self.bits
    }

    /// Length in bits: 31, or 36 for class A.
    pub const fn length(self) -> u8 {
        self.class.bits()
    }

    /// The PARK that opens exactly this system.
    pub const fn park(self) -> Park {
        Park {
            ari: self,
            pli: self.class.bits(),
        }
    }
}

impl Park {
    /// Makes a PARK of which the first `pli` bits count.
    ///
    /// # Errors
    /// [`AriError::Pli`] if `pli` is 0 or longer than the identity.
    pub const fn new(ari: Ari, pli: u8) -> Result<Self, AriError> {
        if pli == 0 || pli > ari.length() {
            return Err(AriError::Pli(pli));
        }
        Ok(Self { ari, pli })
    }

    /// The identity inside.
    pub const fn ari(self) -> Ari {
        self.ari
    }

    /// Number of leading bits that count (PLI).
    pub const fn pli(self) -> u8 {
        self.pli
    }

    /// Says whether this key opens the system named by `ari`.
    pub const fn opens(self, ari: Ari) -> bool {
        let shift = self.ari.length() - self.pli;
        self.ari.length() == ari.length() && self.ari.bits >> shift == ari.bits >> shift
    }
}

impl fmt::Display for Ari {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = usize::from(self.length().div_ceil(3));
        write!(f, "{:0width$o}", self.bits)
    }
}

impl fmt::Debug for Ari {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ari({self})")
    }
}

impl FromStr for Ari {
    type Err = AriError;

    /// Reads the octal number; 12 digits are class A, fewer are read as 31 bits.
    ///
    /// # Errors
    /// [`AriError::Octal`] if it is no octal number, [`AriError::Class`] if its class is undefined.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let octal = |_| AriError::Octal(text.to_owned());
        let bits = u64::from_str_radix(&digits, 8).map_err(octal)?;
        Self::from_bits(if digits.len() == 12 { 36 } else { 31 }, bits)
    }
}

impl fmt::Display for Park {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02} {}", self.pli, self.ari)
    }
}

impl fmt::Debug for Park {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Park({self})")
    }
}

impl FromStr for Park {
    type Err = AriError;

    /// Reads `31 10000221505`: significant bits in two decimal digits, then the ARI in octal; spaces are free.
    ///
    /// # Errors
    /// [`AriError`] as for the ARI, or [`AriError::Pli`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let octal = || AriError::Octal(text.to_owned());
        let (pli, ari) = digits.split_at_checked(2).ok_or_else(octal)?;
        let pli = pli.parse().map_err(|_| octal())?;
        Self::new(ari.parse()?, pli)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_example_of_class_b_has_its_bits() {
        let ari = Ari::class_b(0x1002, 0x345).unwrap();
        assert_eq!(ari.bits(), 0x1100_2345);
        assert_eq!(ari.length(), 31);
        assert_eq!(ari.to_string().parse(), Ok(ari));
        assert_eq!(ari.park().to_string().parse(), Ok(ari.park()));
        assert_eq!(Ari::from_bits(31, 0x1100_2345), Ok(ari));
    }

    #[test]
    fn a_shorter_park_opens_a_group_of_systems() {
        let ours = Ari::class_b(0x1002, 0x345).unwrap();
        let sister = Ari::class_b(0x1002, 0x346).unwrap();
        assert!(ours.park().opens(ours));
        assert!(!ours.park().opens(sister));
        assert!(Park::new(ours, 28).unwrap().opens(sister));
    }

    #[test]
    fn undefined_classes_and_lengths_are_refused() {
        assert_eq!(Ari::class_b(1, 0x1000), Err(AriError::System(0x1000)));
        assert_eq!(Ari::from_bits(31, 0x7000_0000), Err(AriError::Class));
        assert_eq!(
            Ari::from_bits(36, 0x1100_2345).map(Ari::class),
            Ok(AriClass::A)
        );
        assert_eq!(Ari::from_bits(30, 0x1100_2345), Err(AriError::Class));
        assert_eq!("98".parse::<Ari>(), Err(AriError::Octal("98".into())));
        let ours = Ari::class_b(0x1002, 0x345).unwrap();
        assert_eq!(Park::new(ours, 32), Err(AriError::Pli(32)));
        assert!("é".parse::<Park>().is_err());
    }
}
