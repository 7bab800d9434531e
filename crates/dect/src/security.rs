//! Keys and authentication: DSAA2 (made of AES-128) and the coding of access codes.
//!
//! Names of processes (A11, A12, A21, A22) are those of EN 300 175-7 sections 4 and 5. In key allocation the second session key KS' is made
//! from an RS of its own, because DSAA2 forbids that one serves twice.

use std::fmt;
use std::str::FromStr;

use aes::Aes128;
use aes::cipher::{Block, BlockEncrypt, KeyInit};
use rand_core::RngCore;

/// A 128-bit key: UAK, session key or derived cipher key. Never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 16]);

impl Key {
    /// Takes the 16 octets.
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The 16 octets, for sealing and for the base station.
    pub const fn octets(&self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Access code typed for a subscription: up to 8 decimal digits. Never printed.
///
/// Coded as BCD, right-aligned in 32 bits and filled with `F` (EN 300 444 section 14.2): "9124" is `FF FF 91 24`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccessCode([u8; 4]);

/// Why a text is no access code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an access code has up to 8 decimal digits and nothing else")]
pub struct AccessCodeError;

impl FromStr for AccessCode {
    type Err = AccessCodeError;

    /// Reads up to 8 digits; none at all is the code of a system without one.
    ///
    /// # Errors
    /// [`AccessCodeError`] for more digits or other characters.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AccessCodeError);
        }
        let bcd = text
            .bytes()
            .fold(u32::MAX, |bcd, digit| bcd << 4 | u32::from(digit - b'0'));
        Ok(Self(bcd.to_be_bytes()))
    }
}

impl AccessCode {
    /// The 32 bits as coded.
    pub const fn octets(&self) -> [u8; 4] {
        self.0
    }

    /// Authentication key K made of the code alone (process B1): the code repeated to 128 bits.
    pub fn key(&self) -> Key {
        let mut key = [0; 16];
        for part in key.chunks_mut(4) {
            part.copy_from_slice(&self.0);
        }
        Key(key)
    }
}

impl fmt::Debug for AccessCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessCode(..)")
    }
}

/// Value that one side draws for one authentication, 64 bits.
pub type Rand = [u8; 8];
/// Value that the fixed part draws for a session key, 128 bits with DSAA2; never used twice.
pub type Rs = [u8; 16];
/// Answer to an authentication, 32 bits.
pub type Res = [u8; 4];

/// Draws `N` octets.
pub fn draw<const N: usize>(rng: &mut dyn RngCore) -> [u8; N] {
    let mut octets = [0; N];
    rng.fill_bytes(&mut octets);
    octets
}

/// Session key from an authentication key, DSAA2-1: process A11 (KS), and A21 (KS') with another `rs`.
pub fn session_key(key: &Key, rs: &Rs) -> Key {
    Key(encrypted(key, encrypted(key, *rs)))
}

/// Process A12: what the portable answers (RES1), and the cipher key (DCK) that both derive with it.
pub fn portable_answer(ks: &Key, rand_f: &Rand, rand_p: &Rand) -> (Res, Key) {
    let (tag, derived) = answer_and_key(ks, rand_f, rand_p);
    (first_word(&tag), Key(derived))
}

/// Process A22: what the fixed part answers (RES2), made with KS'.
pub fn fixed_answer(ks: &Key, rand_p: &Rand, rand_f: &Rand) -> Res {
    first_word(&answer_and_key(ks, rand_p, rand_f).0)
}

/// Compares answers in a time that does not depend on where they differ.
pub fn same(a: &Res, b: &Res) -> bool {
    a.iter().zip(b).fold(0, |sum, (x, y)| sum | (x ^ y)) == 0
}

/// DSAA2-2: W = AES(first, second) whose first word is the answer, and AES of W with its last bit turned, the cipher key.
fn answer_and_key(key: &Key, first: &Rand, second: &Rand) -> ([u8; 16], [u8; 16]) {
    let mut both = [0; 16];
    both[..8].copy_from_slice(first);
    both[8..].copy_from_slice(second);
    let w = encrypted(key, both);
    let mut turned = w;
    turned[15] ^= 1;
    (w, encrypted(key, turned))
}

fn encrypted(key: &Key, block: [u8; 16]) -> [u8; 16] {
    let mut block: Block<Aes128> = block.into();
    Aes128::new(&key.0.into()).encrypt_block(&mut block);
    block.into()
}

fn first_word(octets: &[u8; 16]) -> Res {
    [octets[0], octets[1], octets[2], octets[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text.replace(' ', ""))
            .unwrap()
            .try_into()
            .unwrap()
    }

    #[test]
    fn a_session_key_is_that_of_annex_l3() {
        let key = Key(hex("42025EE3 39743AF6 47B57780 25E9B66D"));
        let rs = hex("A0F3624E 949640A0 17DA4751 F5B2B180");
        assert_eq!(
            session_key(&key, &rs),
            Key(hex("294016C0 34CD1A55 76081826 366A7E4A"))
        );
    }

    #[test]
    fn an_answer_is_the_first_word_of_one_encryption() {
        // W of annex L.3 is the single encryption of these two values.
        let key = Key(hex("42025EE3 39743AF6 47B57780 25E9B66D"));
        let (d2, d3) = (hex("A0F3624E 949640A0"), hex("17DA4751 F5B2B180"));
        let (res, dck) = portable_answer(&key, &d2, &d3);
        assert_eq!(res, hex("FAA865E7"));
        assert_eq!(fixed_answer(&key, &d2, &d3), res);
        // The cipher key is the encryption of W with its last bit turned.
        assert_eq!(
            encrypted(&key, hex("FAA865E7 D215652B 07C045C8 EA8F3326")),
            dck.0
        );
    }

    #[test]
    fn access_codes_are_right_aligned_digits() {
        let code: AccessCode = "9124".parse().unwrap();
        assert_eq!(code.octets(), [0xFF, 0xFF, 0x91, 0x24]);
        assert_eq!(code.key().octets()[12..], [0xFF, 0xFF, 0x91, 0x24]);
        assert_eq!("".parse::<AccessCode>().unwrap().octets(), [0xFF; 4]);
        assert_eq!(
            "12345678".parse::<AccessCode>().unwrap().octets(),
            [0x12, 0x34, 0x56, 0x78]
        );
        assert_eq!("123456789".parse::<AccessCode>(), Err(AccessCodeError));
        assert_eq!("12a4".parse::<AccessCode>(), Err(AccessCodeError));
    }

    #[test]
    fn secrets_are_not_printed() {
        let code: AccessCode = "9124".parse().unwrap();
        assert_eq!(
            format!("{:?} {code:?}", code.key()),
            "Key(..) AccessCode(..)"
        );
    }

    #[test]
    fn answers_differ_in_any_bit() {
        assert!(same(&[1, 2, 3, 4], &[1, 2, 3, 4]));
        assert!(!same(&[1, 2, 3, 4], &[1, 2, 3, 5]));
        assert!(!same(&[1, 2, 3, 4], &[0x81, 2, 3, 4]));
    }
}
