//! AES in counter mode and HMAC-SHA1 (RFC 3711 section 4, RFC 6188), in place.

use aes::cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray};
use aes::{Aes128, Aes256, Block};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::{KeyMaterial, SrtpError};

/// Octets of the SRTCP tag, also of the suite whose RTP tag is short (RFC 3711 section 5.2).
pub(super) const RTCP_TAG: usize = 10;

/// Blocks that are encrypted at a time; the cipher overlaps them.
const STRIDE: usize = 8;

// Boxing the larger one would cost a step of indirection for each packet and save a quarter of a kilobyte.
#[allow(clippy::large_enum_variant)]
enum Aes {
    Short(Aes128),
    Long(Aes256),
}

impl Aes {
    fn new(key: &[u8]) -> Aes {
        match key.len() {
            32 => Aes::Long(Aes256::new(GenericArray::from_slice(key))),
            _ => Aes::Short(Aes128::new(GenericArray::from_slice(key))),
        }
    }

    fn encrypt(&self, blocks: &mut [Block]) {
        match self {
            Aes::Short(aes) => aes.encrypt_blocks(blocks),
            Aes::Long(aes) => aes.encrypt_blocks(blocks),
        }
    }

    /// Adds the key stream that starts at `counter` (its low 16 bits count blocks).
    fn key_stream(&self, counter: u128, octets: &mut [u8]) {
        let mut blocks = [Block::default(); STRIDE];
        for (stride, chunk) in octets.chunks_mut(16 * STRIDE).enumerate() {
            let used = chunk.len().div_ceil(16);
            for (n, block) in blocks[..used].iter_mut().enumerate() {
                let number = counter.wrapping_add((stride * STRIDE + n) as u128);
                *block = number.to_be_bytes().into();
            }
            self.encrypt(&mut blocks[..used]);
            for (octet, key) in chunk.iter_mut().zip(blocks.iter().flatten()) {
                *octet ^= key;
            }
        }
    }
}

/// Session keys of one direction.
pub(super) struct Keys {
    pub(super) rtp: Session,
    pub(super) rtcp: Session,
    rtp_tag: usize,
}

/// Session keys of RTP or of RTCP.
pub(super) struct Session {
    aes: Aes,
    /// Salt, already shifted to its place in the counter block.
    salt: u128,
    /// Keyed once; a clone of it authenticates a packet.
    mac: Hmac<Sha1>,
}

impl Keys {
    pub(super) fn derive(material: &KeyMaterial) -> Keys {
        Keys {
            rtp: Session::derive(material, 0),
            rtcp: Session::derive(material, 3),
            rtp_tag: material.suite().rtp_tag(),
        }
    }

    pub(super) fn rtp_tag(&self) -> usize {
        self.rtp_tag
    }
}

impl Session {
    /// Key derivation of RFC 3711 section 4.3 with rate 0; labels are those of key, authentication and salt in a row.
    fn derive(material: &KeyMaterial, first_label: u8) -> Session {
        let (mut key, mut mac, mut salt) = ([0; 32], [0; 20], [0; 16]);
        let length = material.suite().key_length();
        derive(material, first_label, &mut key[..length]);
        derive(material, first_label + 1, &mut mac);
        derive(material, first_label + 2, &mut salt[..14]);
        let session = Session {
            aes: Aes::new(&key[..length]),
            salt: u128::from_be_bytes(salt),
            mac: <Hmac<Sha1> as Mac>::new_from_slice(&mac).expect("HMAC takes any key length"),
        };
        zeroize::Zeroize::zeroize(&mut key);
        zeroize::Zeroize::zeroize(&mut mac);
        session
    }

    /// Encrypts or decrypts the payload of packet `index` (48 bits).
    pub(super) fn encrypt(&self, ssrc: u32, index: u64, payload: &mut [u8]) {
        let counter = self.salt ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16;
        self.aes.key_stream(counter, payload);
    }

    /// The whole HMAC of a packet and what is appended to it (the rollover counter, for RTP).
    pub(super) fn tag(&self, packet: &[u8], appended: &[u8]) -> [u8; 20] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(appended);
        mac.finalize().into_bytes().into()
    }

    pub(super) fn verify(
        &self,
        packet: &[u8],
        appended: &[u8],
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        let expected = self.tag(packet, appended);
        let equal: bool = expected[..tag.len()].ct_eq(tag).into();
        if equal { Ok(()) } else { Err(SrtpError::Auth) }
    }
}

fn derive(material: &KeyMaterial, label: u8, octets: &mut [u8]) {
    let mut block = [0; 16];
    block[..14].copy_from_slice(material.salt());
    block[7] ^= label;
    Aes::new(material.key()).key_stream(u128::from_be_bytes(block), octets);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::srtp::Suite;

    #[test]
    fn the_key_stream_is_that_of_rfc_3711_b2() {
        let vectors = crate::srtp::tests::vectors();
        let vector = vectors
            .iter()
            .find(|v| v["kind"] == "aes-cm-keystream")
            .unwrap();
        let octets = |key: &str| hex::decode(vector[key].as_str().unwrap()).unwrap();
        let mut salt = octets("session_salt");
        salt.extend([0, 0]);
        let counter = u128::from_be_bytes(salt.try_into().unwrap());
        let mut stream = vec![0; 16 * 0xFF03];
        Aes::new(&octets("session_key")).key_stream(counter, &mut stream);
        for (number, expected) in vector["blocks"].as_object().unwrap() {
            let at = 16 * usize::from_str_radix(number.trim_start_matches("0x"), 16).unwrap();
            assert_eq!(
                hex::encode(&stream[at..at + 16]),
                expected.as_str().unwrap()
            );
        }
    }

    #[test]
    fn session_keys_are_those_of_the_vectors() {
        let vectors = crate::srtp::tests::vectors();
        let mut checked = 0;
        for vector in vectors.iter().filter(|v| v["kind"] == "kdf") {
            let octets = |key: &str| hex::decode(vector[key].as_str().unwrap()).unwrap();
            let (key, salt) = (octets("master_key"), octets("master_salt"));
            let suite = match key.len() {
                16 => Suite::AesCm128HmacSha1_80,
                32 => Suite::AesCm256HmacSha1_80,
                _ => continue,
            };
            let material = KeyMaterial::new(suite, &[key, salt].concat()).unwrap();
            for (label, name) in [
                (0, "rtp_cipher_key"),
                (1, "rtp_auth_key"),
                (2, "rtp_cipher_salt"),
                (3, "rtcp_cipher_key"),
                (4, "rtcp_auth_key"),
                (5, "rtcp_cipher_salt"),
            ] {
                let Some(expected) = vector[name].as_str() else {
                    continue;
                };
                let mut derived = vec![0; expected.len() / 2];
                derive(&material, label, &mut derived);
                assert_eq!(hex::encode(derived), expected, "{name}");
                checked += 1;
            }
        }
        assert!(checked >= 3, "{checked}");
    }
}
