//! Suites, master keys and their identifiers.

use std::fmt;

use smallvec::SmallVec;
use zeroize::Zeroizing;

use super::SrtpError;

/// Longest MKI that SDES allows (RFC 4568 section 6.1).
pub(super) const MAX_MKI: usize = 128;

/// A crypto suite, named as in SDES.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`, RFC 4568 section 6.2.1.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`, RFC 4568 section 6.2.2.
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`, RFC 6188.
    AesCm256HmacSha1_80,
    /// `AEAD_AES_128_GCM`, RFC 7714.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`, RFC 7714.
    AeadAes256Gcm,
}

impl Suite {
    /// All suites, in the order in which we prefer them.
    pub const ALL: [Suite; 5] = [
        Suite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32,
        Suite::AesCm256HmacSha1_80,
        Suite::AeadAes128Gcm,
        Suite::AeadAes256Gcm,
    ];

    /// Name in SDES.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The suite of that name in SDES, if we speak it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Octets of the master key.
    #[must_use]
    pub fn key_length(self) -> usize {
        match self {
            Suite::AesCm256HmacSha1_80 | Suite::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    /// Octets of the master salt.
    #[must_use]
    pub fn salt_length(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    pub(super) fn is_aead(self) -> bool {
        matches!(self, Suite::AeadAes128Gcm | Suite::AeadAes256Gcm)
    }

    pub(super) fn rtp_tag(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_32 => 4,
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 16,
            _ => 10,
        }
    }
}

/// Master key and salt of one direction. Prints without its octets and wipes them when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyMaterial {
    suite: Suite,
    octets: Zeroizing<Vec<u8>>,
}

impl KeyMaterial {
    /// Takes the master key followed by the master salt, as in an SDES `inline:` parameter after base64.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`] if the octets are not as many as the suite needs.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Result<KeyMaterial, SrtpError> {
        let expected = suite.key_length() + suite.salt_length();
        if key_and_salt.len() != expected {
            return Err(SrtpError::KeyLength {
                expected,
                given: key_and_salt.len(),
            });
        }
        Ok(KeyMaterial {
            suite,
            octets: Zeroizing::new(key_and_salt.to_vec()),
        })
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.octets[..self.suite.key_length()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.octets[self.suite.key_length()..]
    }

    /// Key and salt in one, for whoever must hand them on.
    #[must_use]
    pub fn key_and_salt(&self) -> &[u8] {
        &self.octets
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyMaterial({}, redacted)", self.suite.name())
    }
}

/// Master key identifier of 0 to 128 octets; empty means that packets carry none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mki(SmallVec<[u8; 4]>);

impl Mki {
    /// Takes the identifier as it stands in the packet.
    ///
    /// Answers `None` if it is longer than 128 octets.
    #[must_use]
    pub fn new(octets: &[u8]) -> Option<Mki> {
        (octets.len() <= MAX_MKI).then(|| Mki(SmallVec::from_slice(octets)))
    }

    /// The identifier as it stands in the packet.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
