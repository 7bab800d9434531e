//! Key, certificate and root of one node, and the files that hold them: `pki/{ca.pem,node.pem,node.key}`.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rand_core::RngCore;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    PkiError,
    ca::{self, CertificateAuthority, CheckedRequest, Subject},
};
use crate::identity::PeerIdentity;

/// A node's private key, ECDSA P-256.
pub struct NodeKey(KeyPair);

impl NodeKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`PkiError::Making`] if the random source fails.
    pub fn make() -> Result<Self, PkiError> {
        Ok(Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?))
    }

    /// A certificate request for this key, PKCS#10 in DER. It names nobody: the issuer decides on the names.
    ///
    /// # Errors
    /// [`PkiError::Making`] if it cannot be signed.
    pub fn request(&self) -> Result<Vec<u8>, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(&self.0)?.der().to_vec())
    }

    /// The key as PKCS#8 in DER.
    #[must_use]
    pub fn pkcs8(&self) -> Vec<u8> {
        self.0.serialize_der()
    }
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeKey(..)")
    }
}

/// What a node needs to prove who it is and to know whom to believe.
pub struct Credentials {
    /// Who it is.
    pub identity: PeerIdentity,
    /// The cluster's root.
    pub ca: CertificateDer<'static>,
    /// Its certificate, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key, PKCS#8.
    key: Vec<u8>,
    valid: (SystemTime, SystemTime),
}

impl Credentials {
    /// Puts together what enrolment brought.
    ///
    /// # Errors
    /// [`PkiError`] if the certificate names nobody, or is not for this key.
    pub fn new(
        ca: CertificateDer<'static>,
        chain: Vec<CertificateDer<'static>>,
        key_pkcs8: Vec<u8>,
    ) -> Result<Self, PkiError> {
        let leaf = chain
            .first()
            .ok_or_else(|| PkiError::malformed("certificate chain", "it is empty"))?;
        let identity = PeerIdentity::from_certificate(leaf)
            .map_err(|error| PkiError::malformed("certificate", error))?;
        let valid = validity(leaf)?;
        check_key(leaf, &key_pkcs8)?;
        Ok(Self {
            identity,
            ca,
            chain,
            key: key_pkcs8,
            valid,
        })
    }

    /// Issues credentials to oneself, as the server does that holds the authority.
    ///
    /// # Errors
    /// [`PkiError::Making`] if key or certificate cannot be made.
    pub fn issue(
        authority: &CertificateAuthority,
        subject: &Subject,
        now: SystemTime,
        rng: &mut dyn RngCore,
    ) -> Result<Self, PkiError> {
        let key = NodeKey::make()?;
        let request = CheckedRequest::read(&key.request()?)?;
        let leaf = authority.issue(&request, subject, &ca::serial_number(rng), now)?;
        Self::new(authority.certificate().clone(), vec![leaf], key.pkcs8())
    }

    /// The private key for TLS.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// When to ask for a new certificate: after two thirds of this one's life.
    #[must_use]
    pub fn renew_at(&self) -> SystemTime {
        let (from, to) = self.valid;
        from + to.duration_since(from).unwrap_or_default() * 2 / 3
    }

    /// Life left; nothing if it is over.
    #[must_use]
    pub fn life_left(&self, now: SystemTime) -> Duration {
        self.valid.1.duration_since(now).unwrap_or_default()
    }

    /// Reads the three files in a folder; `None` if none of them exists: the node has not enrolled.
    ///
    /// # Errors
    /// [`PkiError`] if some are missing or cannot be read.
    pub fn load(folder: &Path) -> Result<Option<Self>, PkiError> {
        let [ca, node, key] = paths(folder);
        if [&ca, &node, &key].iter().all(|path| !path.exists()) {
            return Ok(None);
        }
        let root = certificates(&ca)?.into_iter().next();
        let root = root.ok_or_else(|| PkiError::malformed("ca.pem", "it holds no certificate"))?;
        let chain = certificates(&node)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&read(&key)?)
            .map_err(|error| PkiError::malformed("node.key", error))?;
        Self::new(root, chain, key.secret_pkcs8_der().to_vec()).map(Some)
    }

    /// Writes the three files, mode 0600, each whole or not at all; the folder is made if need be.
    ///
    /// # Errors
    /// [`PkiError::File`] if one cannot be written.
    pub fn store(&self, folder: &Path) -> Result<(), PkiError> {
        fs::create_dir_all(folder).map_err(|source| PkiError::File {
            path: folder.into(),
            source,
        })?;
        let [ca, node, key] = paths(folder);
        let chain: String = self
            .chain
            .iter()
            .map(|certificate| pem("CERTIFICATE", certificate))
            .collect();
        // The certificate last: with it in place the node counts as enrolled.
        write_secret(&key, pem("PRIVATE KEY", &self.key).as_bytes())?;
        write_secret(&ca, pem("CERTIFICATE", &self.ca).as_bytes())?;
        write_secret(&node, chain.as_bytes())
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Reads the first certificate of a PEM file, as for `enrol.ca_file`.
///
/// # Errors
/// [`PkiError`] if there is none.
pub fn read_root(path: &Path) -> Result<CertificateDer<'static>, PkiError> {
    certificates(path)?
        .into_iter()
        .next()
        .ok_or_else(|| PkiError::malformed("root certificate", "the file holds no certificate"))
}

/// Writes a file of mode 0600 whole or not at all.
///
/// # Errors
/// [`PkiError::File`] if it cannot be written.
pub fn write_secret(path: &Path, content: &[u8]) -> Result<(), PkiError> {
    let failed = |source| PkiError::File {
        path: path.into(),
        source,
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

fn paths(folder: &Path) -> [PathBuf; 3] {
    ["ca.pem", "node.pem", "node.key"].map(|name| folder.join(name))
}

fn read(path: &Path) -> Result<Vec<u8>, PkiError> {
    fs::read(path).map_err(|source| PkiError::File {
        path: path.into(),
        source,
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| {
            PkiError::malformed("certificate file", format!("{}: {error}", path.display()))
        })
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.extend(line.iter().copied().map(char::from));
        out.push('\n');
    }
    out + &format!("-----END {label}-----\n")
}

fn parse(leaf: &CertificateDer<'_>) -> Result<(SystemTime, SystemTime, Vec<u8>), PkiError> {
    let (_, certificate) = X509Certificate::from_der(leaf)
        .map_err(|error| PkiError::malformed("certificate", error))?;
    let validity = certificate.validity();
    let at = |timestamp: i64| {
        SystemTime::UNIX_EPOCH + Duration::from_secs(timestamp.max(0).unsigned_abs())
    };
    let key = certificate.public_key().subject_public_key.data.to_vec();
    Ok((
        at(validity.not_before.timestamp()),
        at(validity.not_after.timestamp()),
        key,
    ))
}

fn validity(leaf: &CertificateDer<'_>) -> Result<(SystemTime, SystemTime), PkiError> {
    parse(leaf).map(|(from, to, _)| (from, to))
}

fn check_key(leaf: &CertificateDer<'_>, key_pkcs8: &[u8]) -> Result<(), PkiError> {
    let (_, _, public) = parse(leaf)?;
    let key = PrivatePkcs8KeyDer::from(key_pkcs8);
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
        .map_err(|error| PkiError::malformed("node key", error))?;
    if key.public_key_raw() == public {
        Ok(())
    } else {
        Err(PkiError::Foreign("it is for another key".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;
    use std::os::unix::fs::PermissionsExt;

    fn credentials(node_id: &str) -> Credentials {
        let now = SystemTime::now();
        let authority = CertificateAuthority::make("c-1", now).unwrap();
        let subject = Subject {
            cluster_id: "c-1".into(),
            role: Role::Media,
            node_id: node_id.parse().unwrap(),
        };
        Credentials::issue(&authority, &subject, now, &mut rand::rng()).unwrap()
    }

    #[test]
    fn what_is_stored_loads_again_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let pki = folder.path().join("pki");
        assert!(Credentials::load(&pki).unwrap().is_none());
        let made = credentials("media-1");
        made.store(&pki).unwrap();
        // A renewal overwrites.
        made.store(&pki).unwrap();
        let loaded = Credentials::load(&pki).unwrap().unwrap();
        assert_eq!(
            (&loaded.identity, &loaded.ca, &loaded.chain),
            (&made.identity, &made.ca, &made.chain)
        );
        assert_eq!(loaded.key, made.key);
        for name in ["ca.pem", "node.pem", "node.key"] {
            let mode = fs::metadata(pki.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::read_dir(&pki).unwrap().count(), 3);
    }

    #[test]
    fn damaged_or_mixed_files_are_errors_with_their_name() {
        let folder = tempfile::tempdir().unwrap();
        credentials("media-1").store(folder.path()).unwrap();
        let key = fs::read(folder.path().join("node.key")).unwrap();
        credentials("media-2").store(folder.path()).unwrap();
        fs::write(folder.path().join("node.key"), key).unwrap();
        assert!(matches!(
            Credentials::load(folder.path()),
            Err(PkiError::Foreign(_))
        ));
        fs::write(folder.path().join("node.key"), "junk").unwrap();
        assert!(matches!(
            Credentials::load(folder.path()),
            Err(PkiError::Malformed {
                what: "node.key",
                ..
            })
        ));
        fs::remove_file(folder.path().join("node.pem")).unwrap();
        let error = Credentials::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("node.pem"), "{error}");
    }

    #[test]
    fn renewal_is_due_after_two_thirds() {
        let made = credentials("media-1");
        let days = |span: Duration| span.as_secs() / 86_400;
        let now = SystemTime::now();
        assert!((242..=243).contains(&days(made.renew_at().duration_since(now).unwrap())));
        assert!((364..=365).contains(&days(made.life_left(now))));
        assert_eq!(
            made.life_left(now + Duration::from_secs(400 * 86_400)),
            Duration::ZERO
        );
    }
}
