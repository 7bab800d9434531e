//! Seals secrets one by one, so that a copy of the store tells none of them.
//!
//! A sealed secret is: version 1, key id (4 octets), nonce (12), AES-256-GCM ciphertext and tag. The associated data is
//! the place where it belongs, so that none can be moved to another row or field. The key is in a file of its own,
//! `secret.key`, never in the store.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fmt, str};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 12;
const TAG: usize = 16;
/// Octets that sealing adds.
pub const OVERHEAD: usize = 1 + KEY_ID + NONCE + TAG;
/// First word of the key file.
const FILE_MARK: &str = "ipdect-secret-key-1";

/// Why a secret or its key could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The sealed octets are cut short or of a later release.
    #[error("not a sealed secret of this release; restore the row from a backup")]
    Malformed,
    /// It was sealed under another key.
    #[error(
        "sealed under another key ({0:02x?}); put the secret.key that belongs to this store in its place"
    )]
    OtherKey([u8; KEY_ID]),
    /// It was changed, or moved from another place.
    #[error("sealed secret does not belong here or was changed; restore the row from a backup")]
    Forged,
    /// The key file cannot be read or written.
    #[error("{}: {source}; make it readable and writable for this user", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file can be read or written by others.
    #[error("{} has mode {mode:03o}; others could read it: chmod 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The key file holds no key.
    #[error("{} holds no key; restore it from a backup: without it the store's secrets are lost", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
}

/// The key under which secrets are sealed. It is wiped from memory when dropped, and never printed.
#[derive(Clone)]
pub struct SecretKey {
    octets: Zeroizing<[u8; 32]>,
    id: [u8; KEY_ID],
}

impl SecretKey {
    /// A key of these octets.
    #[must_use]
    pub fn new(octets: [u8; 32]) -> SecretKey {
        let digest = Sha256::new()
            .chain_update(b"ipdect key id")
            .chain_update(octets)
            .finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        SecretKey {
            octets: Zeroizing::new(octets),
            id,
        }
    }

    /// A random key.
    #[must_use]
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> SecretKey {
        let mut octets = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *octets);
        SecretKey::new(*octets)
    }

    /// Names the key without telling it.
    #[must_use]
    pub const fn id(&self) -> [u8; KEY_ID] {
        self.id
    }

    /// A key of another purpose that every start with this one has: 32 octets.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"ipdect key for ")
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(self.octets.as_slice())
            .finalize()
            .into()
    }

    /// The file's text, for enrolling another server.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let digits: Zeroizing<String> = Zeroizing::new(
            self.octets
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect(),
        );
        Zeroizing::new(format!("{FILE_MARK} {}\n", *digits))
    }

    /// Reads the file's text.
    #[must_use]
    pub fn from_text(text: &str) -> Option<SecretKey> {
        let digits = text
            .trim_end()
            .strip_prefix(FILE_MARK)?
            .strip_prefix(' ')?
            .as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut octets = Zeroizing::new([0; 32]);
        for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
            *octet = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(SecretKey::new(*octets))
    }

    /// Reads the key file. The group may read it (a mounted secret), others nothing.
    ///
    /// # Errors
    /// [`SealError::File`], [`SealError::Open`], [`SealError::NoKey`].
    pub fn load(path: &Path) -> Result<SecretKey, SealError> {
        let file = |source| SealError::File {
            path: path.to_owned(),
            source,
        };
        let mode = fs::metadata(path).map_err(file)?.permissions().mode() & 0o777;
        if mode & 0o027 != 0 {
            return Err(SealError::Open {
                path: path.to_owned(),
                mode,
            });
        }
        let text = Zeroizing::new(fs::read(path).map_err(file)?);
        let key = str::from_utf8(&text).ok().and_then(SecretKey::from_text);
        key.ok_or_else(|| SealError::NoKey {
            path: path.to_owned(),
        })
    }

    /// Writes the key to a new file, for its owner only, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`SealError::File`], also if there is a file already: a key in use must never be overwritten.
    pub fn create(&self, path: &Path) -> Result<(), SealError> {
        let written = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(self.to_text().as_bytes())?;
            file.sync_all()
        };
        written().map_err(|source| SealError::File {
            path: path.to_owned(),
            source,
        })
    }

    /// Seals a secret for one place: its row's key, and `#field` behind it where a row has several.
    #[must_use]
    pub fn seal(&self, rng: &mut (impl CryptoRng + ?Sized), place: &str, secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let payload = Payload {
            msg: secret,
            aad: place.as_bytes(),
        };
        let ciphertext = self
            .cipher()
            .encrypt(Nonce::from_slice(&nonce), payload)
            .expect("fails only beyond 64 GiB, and a row holds 1 MiB");
        let mut sealed = Vec::with_capacity(OVERHEAD + secret.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed
    }

    /// Opens what was sealed for the same place.
    ///
    /// # Errors
    /// [`SealError::Malformed`], [`SealError::OtherKey`], [`SealError::Forged`].
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (&version, rest) = sealed.split_first().ok_or(SealError::Malformed)?;
        let (id, rest) = rest
            .split_first_chunk::<KEY_ID>()
            .ok_or(SealError::Malformed)?;
        let (nonce, ciphertext) = rest
            .split_first_chunk::<NONCE>()
            .ok_or(SealError::Malformed)?;
        if version != VERSION || ciphertext.len() < TAG {
            return Err(SealError::Malformed);
        }
        if *id != self.id {
            return Err(SealError::OtherKey(*id));
        }
        let payload = Payload {
            msg: ciphertext,
            aad: place.as_bytes(),
        };
        let opened = self.cipher().decrypt(Nonce::from_slice(nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| SealError::Forged)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.octets).into())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({:02x?})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    fn rng() -> impl CryptoRng {
        rand_chacha::ChaCha20Rng::seed_from_u64(7)
    }

    #[test]
    fn a_secret_opens_only_in_its_place_and_under_its_key() {
        let (rng, place) = (&mut rng(), "/users/7#auth_password");
        let key = SecretKey::random(rng);
        let sealed = key.seal(rng, place, b"tone");
        assert_eq!(sealed.len(), OVERHEAD + 4);
        assert_eq!(&**key.open(place, &sealed).unwrap(), b"tone");
        assert!(matches!(
            key.open("/users/8#auth_password", &sealed),
            Err(SealError::Forged)
        ));
        let other = SecretKey::random(rng);
        assert!(
            matches!(other.open(place, &sealed), Err(SealError::OtherKey(id)) if id == key.id())
        );
        assert_ne!(
            key.seal(rng, place, b"tone"),
            sealed,
            "a nonce is used once"
        );
    }

    #[test]
    fn no_octet_can_be_changed_or_cut() {
        let rng = &mut rng();
        let key = SecretKey::random(rng);
        let sealed = key.seal(rng, "/sys/ca_key", b"");
        assert_eq!(&**key.open("/sys/ca_key", &sealed).unwrap(), b"");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("/sys/ca_key", &changed).is_err(), "octet {at}");
            assert!(
                key.open("/sys/ca_key", &sealed[..at]).is_err(),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn the_key_file_is_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.key");
        let key = SecretKey::random(&mut rng());
        key.create(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(SecretKey::load(&path).unwrap().octets, key.octets);
        assert!(matches!(key.create(&path), Err(SealError::File { .. })));
        for (mode, fine) in [
            (0o640, true),
            (0o644, false),
            (0o660, false),
            (0o604, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(SecretKey::load(&path).is_ok(), fine, "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_holds_no_key_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.key");
        assert!(matches!(
            SecretKey::load(&path),
            Err(SealError::File { .. })
        ));
        for content in [
            "",
            "ipdect-secret-key-1 00",
            "00",
            &format!("ipdect-secret-key-1 {}", "g".repeat(64)),
        ] {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(
                matches!(SecretKey::load(&path), Err(SealError::NoKey { .. })),
                "{content:?}"
            );
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = SecretKey::new([0xAB; 32]);
        assert_eq!(format!("{key:?}"), format!("SecretKey({:02x?})", key.id()));
    }
}
