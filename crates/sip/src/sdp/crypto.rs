//! SDES keys: `a=crypto` (RFC 4568).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sdp_types::Media;

use super::attribute::values;
use crate::message::SyntaxError;
use crate::message::grammar::number;

/// Crypto suites with keys of 30 octets (RFC 4568 section 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`
    AesCm128HmacSha1_32,
}

impl Suite {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }
}

/// Master key (16 octets) and master salt (14), in this order; prints as redacted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeySalt(pub [u8; 30]);

impl KeySalt {
    /// Base64, as in SDP.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl fmt::Debug for KeySalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySalt(redacted)")
    }
}

/// Master key identifier in every packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mki {
    /// Its value.
    pub value: u64,
    /// Octets it takes in a packet, 1 to 128.
    pub octets: u8,
}

/// One key offered or answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    /// Tag; the answer repeats that of the offer.
    pub tag: u32,
    /// The suite.
    pub suite: Suite,
    /// Key and salt of the side that writes it.
    pub key: KeySalt,
    /// Packets the key may protect; `None` is the limit of the suite, 2^48.
    pub lifetime_packets: Option<u64>,
    /// Identifier in every packet, if any.
    pub mki: Option<Mki>,
}

impl FromStr for Crypto {
    type Err = SyntaxError;

    /// Reads the value of one attribute. A session parameter that changes the packets makes the line unusable, as
    /// RFC 4568 section 6.3 asks; so do several keys in a line.
    fn from_str(text: &str) -> Result<Crypto, SyntaxError> {
        let mut words = text.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9).and_then(number);
        let suite = words.next().ok_or(SyntaxError("crypto without a suite"))?;
        let key = words.next().ok_or(SyntaxError("crypto without a key"))?;
        // A window size hint may be ignored, nothing else may (RFC 4568 section 6.3.7).
        if !words.all(|word| word.len() > 4 && word[..4].eq_ignore_ascii_case("WSH=")) {
            return Err(SyntaxError(
                "crypto with a session parameter not known here",
            ));
        }
        let suites = [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32];
        let suite = suites
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(suite));
        let (key, lifetime_packets, mki) = parse_key(key)?;
        Ok(Crypto {
            tag: tag.ok_or(SyntaxError(
                "crypto tag is not a number of up to nine digits",
            ))?,
            suite: suite.ok_or(SyntaxError("crypto suite not known here"))?,
            key,
            lifetime_packets,
            mki,
        })
    }
}

type Key = (KeySalt, Option<u64>, Option<Mki>);

/// `inline:key||salt|lifetime|mki:length`
fn parse_key(text: &str) -> Result<Key, SyntaxError> {
    let inline = text
        .get(..7)
        .filter(|method| method.eq_ignore_ascii_case("inline:"));
    inline.ok_or(SyntaxError("crypto key is not inline"))?;
    let mut fields = text[7..].split('|');
    let key = fields.next().unwrap_or_default().trim_end_matches('=');
    let octets = STANDARD_NO_PAD
        .decode(key)
        .map_err(|_| SyntaxError("crypto key is not base64"))?;
    let key = octets
        .try_into()
        .map_err(|_| SyntaxError("crypto key is not 30 octets"))?;
    let (mut lifetime, mut mki) = (None, None);
    for field in fields {
        match field.split_once(':') {
            Some((value, octets)) if mki.is_none() => mki = Some(parse_mki(value, octets)?),
            None if lifetime.is_none() && mki.is_none() => lifetime = Some(parse_lifetime(field)?),
            _ => return Err(SyntaxError("crypto key with a field too many")),
        }
    }
    Ok((KeySalt(key), lifetime, mki))
}

/// `2^31` or a number, 1 to 2^48 packets.
fn parse_lifetime(text: &str) -> Result<u64, SyntaxError> {
    let packets = match text.strip_prefix("2^") {
        Some(power) => number::<u32>(power).and_then(|power| 1_u64.checked_shl(power)),
        None => number(text),
    };
    let good = packets.filter(|packets| (1..=1 << 48).contains(packets));
    good.ok_or(SyntaxError(
        "crypto lifetime is not within 1 to 2^48 packets",
    ))
}

fn parse_mki(value: &str, octets: &str) -> Result<Mki, SyntaxError> {
    let (value, octets) = (number::<u64>(value), number::<u8>(octets));
    let mki = value
        .zip(octets)
        .map(|(value, octets)| Mki { value, octets });
    let fits = |mki: &Mki| match mki.octets {
        1..=7 => mki.value >> (u32::from(mki.octets) * 8) == 0,
        8..=128 => true,
        _ => false,
    };
    mki.filter(fits).ok_or(SyntaxError(
        "crypto MKI does not fit its length of 1 to 128 octets",
    ))
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} inline:{}",
            self.tag,
            self.suite.as_str(),
            self.key.to_base64()
        )?;
        match self.lifetime_packets {
            Some(packets) if packets.is_power_of_two() => {
                write!(f, "|2^{}", packets.trailing_zeros())?
            }
            Some(packets) => write!(f, "|{packets}")?,
            None => {}
        }
        match self.mki {
            Some(mki) => write!(f, "|{}:{}", mki.value, mki.octets),
            None => Ok(()),
        }
    }
}

/// The keys of a media line that can be used here, in the order of preference.
pub fn cryptos(media: &Media) -> Vec<Crypto> {
    values(media, "crypto")
        .filter_map(|value| value.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "2qE0ZbrQdk1tVhy8ZqGk5o3wS2cXr0eI3pJmYw9L";

    #[test]
    fn lines_are_read_and_written_alike() {
        for tail in ["", "|2^31", "|2^31|1:1", "|1000|258:2", "|1:4"] {
            let text = format!("2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{tail}");
            assert_eq!(text.parse::<Crypto>().unwrap().to_string(), text);
        }
        let rfc = "1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32 WSH=128";
        let crypto: Crypto = rfc.parse().unwrap();
        assert_eq!(crypto.lifetime_packets, Some(1 << 20));
        assert_eq!(
            crypto.mki,
            Some(Mki {
                value: 1,
                octets: 32
            })
        );
    }

    #[test]
    fn keys_do_not_print() {
        let crypto: Crypto = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")
            .parse()
            .unwrap();
        assert!(!format!("{crypto:?}").contains("2qE0"));
    }

    #[test]
    fn unusable_lines_are_refused() {
        for bad in [
            String::new(),
            "1 AES_CM_128_HMAC_SHA1_80".into(),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}AAAA"),
            format!("1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^49"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^99"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|256:1"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 prompt:{KEY}"),
        ] {
            assert!(bad.parse::<Crypto>().is_err(), "{bad}");
        }
    }
}
