//! Names of firmware releases, such as `PCS12A_`. Source: operations B2.

use std::{cmp::Ordering, fmt, str::FromStr};

/// One firmware release: number, letter, build.
///
/// Ordered by number, then letter (none before `A`), then build (none before any); the rules ignore the build, so they
/// compare [`Release::rank`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Release {
    number: u16,
    /// 0 for none, else the upper-case letter.
    letter: u8,
    build: Option<u64>,
}

/// Why a text is no release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no release; write it like PCS12A_")]
pub struct ReleaseError(pub String);

/// Release of this build, stamped by `IPDECT_RELEASE` at build time. A stamp that is no release does not compile.
const OURS: Release = match option_env!("IPDECT_RELEASE") {
    None => Release::named(16, None),
    Some(stamp) => match read(stamp.as_bytes()) {
        Some(release) => release,
        None => panic!("IPDECT_RELEASE is no release; write it like PCS16_"),
    },
};

impl Release {
    /// The release of this build.
    #[must_use]
    pub const fn ours() -> Self {
        OURS
    }

    /// A release without build; `number` is 1..=9999, `letter` an upper-case ASCII letter.
    ///
    /// # Panics
    /// If number or letter are out of range; meant for constants.
    #[must_use]
    pub const fn named(number: u16, letter: Option<char>) -> Self {
        assert!(
            number >= 1 && number <= 9999,
            "number of a release is 1..=9999"
        );
        let letter = match letter {
            None => 0,
            Some(letter) => {
                assert!(letter.is_ascii_uppercase(), "letter of a release is A..=Z");
                letter as u8
            }
        };
        Self {
            number,
            letter,
            build: None,
        }
    }

    /// What the compatibility rules compare: number and letter.
    #[must_use]
    pub const fn rank(self) -> (u16, u8) {
        (self.number, self.letter)
    }
}

/// Reads `^PCS0*([1-9][0-9]{0,3})([A-Z]?)(?:_([0-9]*))?$` without regard to case.
///
/// A build number beyond 64 bits is refused: nothing could order it.
const fn read(text: &[u8]) -> Option<Release> {
    if text.len() < 4
        || !text[0].eq_ignore_ascii_case(&b'P')
        || !text[1].eq_ignore_ascii_case(&b'C')
        || !text[2].eq_ignore_ascii_case(&b'S')
    {
        return None;
    }
    let mut at = 3;
    let mut number: u16 = 0;
    while at < text.len() && text[at].is_ascii_digit() {
        if number > 999 {
            return None;
        }
        number = number * 10 + (text[at] - b'0') as u16;
        at += 1;
    }
    if number == 0 {
        return None;
    }
    let mut letter = 0;
    if at < text.len() && text[at].is_ascii_alphabetic() {
        letter = text[at].to_ascii_uppercase();
        at += 1;
    }
    if at == text.len() {
        return Some(Release {
            number,
            letter,
            build: None,
        });
    }
    if text[at] != b'_' {
        return None;
    }
    match read_build(text, at + 1) {
        Some(build) => Some(Release {
            number,
            letter,
            build,
        }),
        None => None,
    }
}

/// Reads the digits after the underscore; `Some(None)` if there are none.
const fn read_build(text: &[u8], mut at: usize) -> Option<Option<u64>> {
    if at == text.len() {
        return Some(None);
    }
    let mut build: u64 = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            return None;
        }
        build = match build.checked_mul(10) {
            Some(tenfold) => match tenfold.checked_add((text[at] - b'0') as u64) {
                Some(sum) => sum,
                None => return None,
            },
            None => return None,
        };
        at += 1;
    }
    Some(Some(build))
}

impl FromStr for Release {
    type Err = ReleaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text.as_bytes()).ok_or_else(|| ReleaseError(text.chars().take(32).collect()))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PCS{:02}", self.number)?;
        if self.letter != 0 {
            write!(f, "{}", self.letter as char)?;
        }
        f.write_str("_")?;
        match self.build {
            Some(build) => write!(f, "{build}"),
            None => Ok(()),
        }
    }
}

impl Ord for Release {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank()
            .cmp(&other.rank())
            .then(self.build.cmp(&other.build))
    }
}

impl PartialOrd for Release {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn releases_come_in_the_order_of_the_guide() {
        let ordered = [
            "PCS07_", "PCS08_", "PCS08A_", "PCS08B_", "PCS09_", "PCS10_", "PCS12_", "PCS12A_",
            "PCS12B_", "PCS14_", "PCS14B_",
        ];
        for pair in ordered.windows(2) {
            assert!(release(pair[0]) < release(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn leading_zeros_case_and_underscore_do_not_count() {
        for text in ["PCS12_", "PCS012_", "PCS0012", "pcs12_", "Pcs12"] {
            assert_eq!(release(text), release("PCS12_"), "{text}");
            assert_eq!(release(text).to_string(), "PCS12_");
        }
        assert_eq!(release("pcs8b").to_string(), "PCS08B_");
        assert_eq!(release("PCS9999Z_").to_string(), "PCS9999Z_");
    }

    #[test]
    fn text_order_would_be_wrong_three_ways() {
        assert!("PCS12A_" < "PCS12_" && release("PCS12A_") > release("PCS12_"));
        assert!("PCS9_" > "PCS12_" && release("PCS9_") < release("PCS12_"));
        assert!("PCS012_" != "PCS12_" && release("PCS012_") == release("PCS12_"));
    }

    #[test]
    fn a_build_orders_but_does_not_rank() {
        assert!(release("PCS12_") < release("PCS12_0"));
        assert!(release("PCS12_9") < release("PCS12_10"));
        assert!(release("PCS12_99999") < release("PCS12A_"));
        assert_eq!(release("PCS12_7").rank(), release("PCS12_").rank());
        assert_eq!(release("PCS12A_0042").to_string(), "PCS12A_42");
    }

    #[test]
    fn anything_else_is_refused() {
        let wrong = [
            "",
            "P",
            "PCS",
            "PCS_",
            "PCS0_",
            "PCS000",
            "PCSA_",
            "PCS12AB_",
            "PCS12-",
            "PCS12_A",
            "PCS12_1A",
            "PCS10000_",
            "XPCS12_",
            " PCS12_",
            "PCS12_ ",
            "PCS12_\n",
            "PCS12__",
            "PCS1 2_",
            "PCS１２_",
            "PCS12Ä_",
            "PC",
            "12A",
            "PCS12_99999999999999999999",
        ];
        for text in wrong {
            assert!(text.parse::<Release>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_error_repeats_no_more_than_32_characters() {
        let error = "x".repeat(5000).parse::<Release>().unwrap_err();
        assert_eq!(error.0.len(), 32);
    }
}
