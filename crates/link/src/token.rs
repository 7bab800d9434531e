//! Enrolment tokens, `<role>.<secret>.<pin>`. Source: contracts 4.

use std::{fmt, str::FromStr};

use rand_core::RngCore;
use sha2::{Digest, Sha256};

use crate::role::{Role, role_name, role_named};

/// Digits of our base 32: Crockford's, lower case, without i, l, o and u.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// First 128 bits of SHA-256 of a root's SubjectPublicKeyInfo.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 16]);

impl Pin {
    /// The pin of a SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn of(subject_public_key_info: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(subject_public_key_info).into();
        let mut pin = [0; 16];
        pin.copy_from_slice(&digest[..16]);
        Self(pin)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// A one-time token that lets a unit of one role into a cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolToken {
    /// For which role.
    pub role: Role,
    /// 16 to 64 letters and digits; 26 of base 32 (128 bits) when made by us.
    secret: String,
    /// Names the cluster's root; without it the unit needs the root itself.
    pub pin: Option<Pin>,
}

/// Why a text is no token. The text itself is never repeated: it may be a secret with one slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not two or three parts.
    #[error("a token is <role>.<secret>.<pin>")]
    Shape,
    /// The first part is no role.
    #[error("the token begins with none of server, media, base, admin, host")]
    Role,
    /// The second part is no secret.
    #[error("the secret has 16 to 64 letters and digits")]
    Secret,
    /// The third part is no pin.
    #[error("the pin has 26 letters and digits")]
    Pin,
}

impl EnrolToken {
    /// Makes a token with a random secret of 128 bits.
    pub fn make(role: Role, pin: Option<Pin>, rng: &mut dyn RngCore) -> Self {
        let mut secret = [0; 16];
        rng.fill_bytes(&mut secret);
        Self {
            role,
            secret: base32(secret),
            pin,
        }
    }

    /// Makes a token of a secret that the operator chose.
    ///
    /// # Errors
    /// [`TokenError::Secret`] if it has not 16 to 64 ASCII letters and digits.
    pub fn with_secret(role: Role, secret: &str, pin: Option<Pin>) -> Result<Self, TokenError> {
        let fits = (16..=64).contains(&secret.len())
            && secret.bytes().all(|octet| octet.is_ascii_alphanumeric());
        if fits {
            Ok(Self {
                role,
                secret: secret.to_owned(),
                pin,
            })
        } else {
            Err(TokenError::Secret)
        }
    }

    /// What the store keeps: SHA-256 of the secret.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }

    /// The whole text, to be shown once to whoever made it, or sent to the server.
    #[must_use]
    pub fn reveal(&self) -> String {
        let role = role_name(self.role);
        match self.pin {
            Some(pin) => format!("{role}.{}.{pin}", self.secret),
            None => format!("{role}.{}", self.secret),
        }
    }
}

impl FromStr for EnrolToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.trim().split('.').collect();
        let (role, secret, pin) = match parts[..] {
            [role, secret] => (role, secret, None),
            [role, secret, pin] => (role, secret, Some(pin)),
            _ => return Err(TokenError::Shape),
        };
        let role = role_named(role).ok_or(TokenError::Role)?;
        let pin = pin
            .map(|pin| from_base32(pin).map(Pin).ok_or(TokenError::Pin))
            .transpose()?;
        Self::with_secret(role, secret, pin)
    }
}

impl fmt::Debug for EnrolToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolToken")
            .field("role", &self.role)
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

/// 128 bits as 26 digits, highest first; the last digit holds 3 bits.
fn base32(octets: [u8; 16]) -> String {
    let value = u128::from_be_bytes(octets);
    (0..26)
        .map(|place| {
            let shift = 123 - 5 * place;
            let digit = if shift >= 0 {
                value >> shift
            } else {
                value << -shift
            };
            char::from(DIGITS[(digit & 31) as usize])
        })
        .collect()
}

/// Reads 26 digits in either case; `o` is 0, `i` and `l` are 1, as Crockford asks.
fn from_base32(text: &str) -> Option<[u8; 16]> {
    if text.len() != 26 {
        return None;
    }
    let mut value: u128 = 0;
    for (place, octet) in text.bytes().enumerate() {
        let digit = match octet.to_ascii_lowercase() {
            b'o' => 0,
            b'i' | b'l' => 1,
            octet => DIGITS.iter().position(|known| *known == octet)? as u128,
        };
        if place < 25 {
            value = value << 5 | digit;
        } else if digit & 3 == 0 {
            value = value << 3 | digit >> 2;
        } else {
            return None;
        }
    }
    Some(value.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that counts.
    struct Counting(u8);

    impl RngCore for Counting {
        fn next_u32(&mut self) -> u32 {
            rand_core::impls::next_u32_via_fill(self)
        }
        fn next_u64(&mut self) -> u64 {
            rand_core::impls::next_u64_via_fill(self)
        }
        fn fill_bytes(&mut self, octets: &mut [u8]) {
            for octet in octets {
                self.0 = self.0.wrapping_add(1);
                *octet = self.0;
            }
        }
    }

    #[test]
    fn what_is_made_reads_back() {
        let pin = Pin::of(b"a key");
        let token = EnrolToken::make(Role::Base, Some(pin), &mut Counting(0));
        let text = token.reveal();
        assert_eq!(
            text.split('.').map(str::len).collect::<Vec<_>>(),
            [4, 26, 26]
        );
        assert_eq!(text.parse::<EnrolToken>().unwrap(), token);
        assert_eq!(text.parse::<EnrolToken>().unwrap().hash(), token.hash());
        let without = EnrolToken { pin: None, ..token };
        assert_eq!(without.reveal().parse::<EnrolToken>().unwrap(), without);
    }

    #[test]
    fn base_32_holds_every_bit() {
        for octets in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            assert_eq!(from_base32(&base32(octets)), Some(octets));
        }
        for bit in 0..128 {
            let octets = (1u128 << bit).to_be_bytes();
            assert_eq!(from_base32(&base32(octets).to_uppercase()), Some(octets));
        }
        assert_eq!(base32([0xff; 16]), "zzzzzzzzzzzzzzzzzzzzzzzzzw");
        assert_eq!(from_base32("zzzzzzzzzzzzzzzzzzzzzzzzzz"), None);
    }

    #[test]
    fn each_slip_has_its_own_error() {
        let secret = "a".repeat(26);
        for (text, error) in [
            ("", TokenError::Shape),
            ("base", TokenError::Shape),
            ("base.a.b.c", TokenError::Shape),
            (&format!("radio.{secret}"), TokenError::Role),
            ("base.short", TokenError::Secret),
            (&format!("base.{secret}-"), TokenError::Secret),
            (&format!("base.{secret}.abc"), TokenError::Pin),
            (
                &format!("base.{secret}.{}", "ü".repeat(13)),
                TokenError::Pin,
            ),
        ] {
            assert_eq!(text.parse::<EnrolToken>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_token_does_not_print_its_secret() {
        let token = EnrolToken::with_secret(Role::Media, "0123456789abcdef", None).unwrap();
        assert!(!format!("{token:?}").contains("0123456789"));
    }
}
