//! International portable equipment identity: the number printed under the battery.

use std::fmt;
use std::str::FromStr;

const PSN_BITS: u32 = 20;
const PSN_MAX: u32 = (1 << PSN_BITS) - 1;

/// International portable equipment identity: 16 bits of maker (EMC, never 0) and 20 bits of serial number (PSN).
///
/// Prints as on the handset, with its check digit: `05003 0070387 8`.
/// Source: EN 300 175-6 section 10 and annex C.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipei(u64);

/// Why a text or number is no IPEI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IpeiError {
    /// Neither 12 digits, 13 characters with check digit, nor 9 or 10 hexadecimal digits.
    #[error(
        "an IPEI has 12 digits, or 13 characters with its check digit (or 9 hexadecimal digits); this has {0}"
    )]
    Length(usize),
    /// A character that does not belong there; position counts from 1, spaces not counted.
    #[error("character {character:?} at position {position} of the IPEI is no digit")]
    Character {
        /// The character found.
        character: char,
        /// Its position, from 1, spaces not counted.
        position: usize,
    },
    /// The printed check digit does not fit the other twelve.
    #[error("check digit of the IPEI is {found}, expected {expected}")]
    CheckDigit {
        /// What the text has.
        found: char,
        /// What the twelve digits ask for.
        expected: char,
    },
    /// The first five digits, the maker, are outside 1..=65535.
    #[error("the first 5 digits of an IPEI (maker) are 00001 to 65535, not {0:05}")]
    Emc(u64),
    /// The last seven digits, the serial number, are above 1048575.
    #[error("the last 7 digits of an IPEI (serial number) are at most 1048575, not {0:07}")]
    Psn(u64),
}

impl Ipei {
    /// Makes an IPEI from maker code and serial number.
    ///
    /// # Errors
    /// [`IpeiError::Emc`] for maker 0, [`IpeiError::Psn`] for a serial number of more than 20 bits.
    pub const fn new(emc: u16, psn: u32) -> Result<Self, IpeiError> {
        if emc == 0 {
            return Err(IpeiError::Emc(0));
        }
        if psn > PSN_MAX {
            return Err(IpeiError::Psn(psn as u64));
        }
        Ok(Self(((emc as u64) << PSN_BITS) | psn as u64))
    }

    /// Makes an IPEI from its 36 bits.
    ///
    /// # Errors
    /// [`IpeiError::Emc`] if the upper 16 bits are 0 or do not fit.
    pub const fn from_bits(bits: u64) -> Result<Self, IpeiError> {
        let emc = bits >> PSN_BITS;
        if emc == 0 || emc > u16::MAX as u64 {
            return Err(IpeiError::Emc(emc));
        }
        Ok(Self(bits))
    }

    /// The identity as a 36-bit number.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Equipment maker code, 1..=65535.
    pub const fn emc(self) -> u16 {
        (self.0 >> PSN_BITS) as u16
    }

    /// Portable serial number, 0..=1048575.
    pub const fn psn(self) -> u32 {
        (self.0 & PSN_MAX as u64) as u32
    }

    /// The twelve digits without spaces and without check digit: the form of keys and file names.
    pub fn digits(self) -> String {
        format!("{:05}{:07}", self.emc(), self.psn())
    }

    /// Check digit, `0`..=`9` or `*`: the sum of digit times position, modulo 11.
    pub fn check_digit(self) -> char {
        check_digit(&self.digits())
    }
}

fn check_digit(twelve: &str) -> char {
    let sum: u32 = twelve
        .bytes()
        .zip(1..)
        .map(|(digit, position)| u32::from(digit - b'0') * position)
        .sum();
    char::from_digit(sum % 11, 10).unwrap_or('*')
}

impl fmt::Display for Ipei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:05} {:07} {}",
            self.emc(),
            self.psn(),
            self.check_digit()
        )
    }
}

impl fmt::Debug for Ipei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ipei({self})")
    }
}

impl FromStr for Ipei {
    type Err = IpeiError;

    /// Reads an IPEI as printed, with or without check digit and spaces; also 9 hexadecimal digits (the 36 bits)
    /// and 10 with a leading 0 (an IPUI of type N), as found in exports of other systems.
    ///
    /// # Errors
    /// Each variant of [`IpeiError`]; a wrong check digit is named with the expected one.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        match text.len() {
            9 => from_hex(&text, 0),
            10 => match text[0] {
                '0' => from_hex(&text, 1),
                character => Err(IpeiError::Character {
                    character,
                    position: 1,
                }),
            },
            12 => from_digits(&text),
            13 => {
                let ipei = from_digits(&text[..12])?;
                let (found, expected) = (text[12], ipei.check_digit());
                if found == expected {
                    Ok(ipei)
                } else {
                    Err(IpeiError::CheckDigit { found, expected })
                }
            }
            other => Err(IpeiError::Length(other)),
        }
    }
}

fn from_hex(text: &[char], skip: usize) -> Result<Ipei, IpeiError> {
    number(text, skip, 16).and_then(Ipei::from_bits)
}

fn from_digits(text: &[char]) -> Result<Ipei, IpeiError> {
    let twelve = number(text, 0, 10)?;
    let (emc, psn) = (twelve / 10_000_000, twelve % 10_000_000);
    let emc = u16::try_from(emc).map_err(|_| IpeiError::Emc(emc))?;
    let psn = u32::try_from(psn).map_err(|_| IpeiError::Psn(psn))?;
    Ipei::new(emc, psn)
}

fn number(text: &[char], skip: usize, radix: u32) -> Result<u64, IpeiError> {
    text.iter()
        .enumerate()
        .skip(skip)
        .try_fold(0, |sum, (index, &character)| {
            let digit = character.to_digit(radix).ok_or(IpeiError::Character {
                character,
                position: index + 1,
            })?;
            Ok(sum * u64::from(radix) + u64::from(digit))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_forms_carry_the_check_digit_of_annex_c() {
        for (short, full) in [
            ("00012 0000137", "00012 0000137 9"),
            ("05003 0070387", "05003 0070387 8"),
            ("05003 0000007", "05003 0000007 *"),
            ("65535 0000001", "65535 0000001 3"),
            ("65535 0000002", "65535 0000002 4"),
        ] {
            let ipei: Ipei = short.parse().unwrap();
            assert_eq!(ipei.to_string(), full);
            assert_eq!(full.parse(), Ok(ipei));
            assert_eq!(full.replace(' ', "").parse(), Ok(ipei));
        }
    }

    #[test]
    fn bits_of_the_guides_handset_are_those_of_the_standard() {
        let ipei: Ipei = "050030070387".parse().unwrap();
        assert_eq!((ipei.emc(), ipei.psn()), (5003, 70387));
        assert_eq!(ipei.bits(), 0x1_38B1_12F3);
        assert_eq!("138B112F3".parse(), Ok(ipei));
        assert_eq!("0138b112f3".parse(), Ok(ipei));
        assert_eq!(Ipei::from_bits(0x1_38B1_12F3), Ok(ipei));
    }

    #[test]
    fn a_wrong_check_digit_is_answered_with_the_right_one() {
        let error = "05003 0070387 7".parse::<Ipei>().unwrap_err();
        assert_eq!(
            error,
            IpeiError::CheckDigit {
                found: '7',
                expected: '8'
            }
        );
        assert!(error.to_string().contains("expected 8"));
    }

    #[test]
    fn what_cannot_be_an_ipei_is_refused_with_the_reason() {
        let bad = |text: &str| text.parse::<Ipei>().unwrap_err();
        assert_eq!(bad("00000 0000001"), IpeiError::Emc(0));
        assert_eq!(bad("65536 0000001"), IpeiError::Emc(65536));
        assert_eq!(bad("05003 1048576"), IpeiError::Psn(1_048_576));
        assert_eq!(bad("0500"), IpeiError::Length(4));
        assert_eq!(bad(""), IpeiError::Length(0));
        assert_eq!(
            bad("05003 00A0387"),
            IpeiError::Character {
                character: 'A',
                position: 8
            }
        );
        assert_eq!(
            bad("1138B112F3"),
            IpeiError::Character {
                character: '1',
                position: 1
            }
        );
        assert!(Ipei::from_bits(1 << 36).is_err());
    }
}
