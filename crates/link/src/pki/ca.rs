//! The certificate authority of a cluster: ECDSA P-256, made with the store.

use std::time::{Duration, SystemTime};

use rand_core::RngCore;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::PkiError;
use crate::{
    identity,
    role::{NodeId, Role},
    token::Pin,
};

/// Life of a leaf certificate: one year.
pub const LEAF_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Life of the root: 30 years; it is pinned, not expected to be renewed.
const ROOT_LIFE: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
/// Certificates begin a little earlier, for units whose clocks lag.
const CLOCK_SLACK: Duration = Duration::from_secs(24 * 3600);

/// Whom a leaf certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// UUID of the cluster.
    pub cluster_id: String,
    /// What it is.
    pub role: Role,
    /// Its name.
    pub node_id: NodeId,
}

/// A certificate request whose sender was shown to hold the key.
#[derive(Debug)]
pub struct CheckedRequest(rcgen::PublicKey);

impl CheckedRequest {
    /// Reads a PKCS#10 request in DER and checks its signature. Names that it asks for are ignored.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] or [`PkiError::RequestSignature`].
    pub fn read(csr_der: &[u8]) -> Result<Self, PkiError> {
        let request = CertificateSigningRequestDer::from(csr_der);
        match CertificateSigningRequestParams::from_der(&request) {
            Ok(request) => Ok(Self(request.public_key)),
            Err(rcgen::Error::InvalidCertificationRequestSignature) => {
                Err(PkiError::RequestSignature)
            }
            Err(error) => Err(PkiError::malformed("certificate request", error)),
        }
    }
}

/// A random serial number for a certificate: 16 octets, the first not 0 and below 128.
pub fn serial_number(rng: &mut dyn RngCore) -> Vec<u8> {
    let mut serial = vec![0; 16];
    rng.fill_bytes(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

/// The root and its key.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateAuthority")
            .finish_non_exhaustive()
    }
}

impl CertificateAuthority {
    /// Makes a new root for a cluster.
    ///
    /// # Errors
    /// [`PkiError::Making`] if the random source or the key fails.
    pub fn make(cluster_id: &str, now: SystemTime) -> Result<Self, PkiError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("ipdect {cluster_id}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = (now - CLOCK_SLACK).into();
        params.not_after = (now + ROOT_LIFE).into();
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    /// Takes up the root from the store.
    ///
    /// # Errors
    /// [`PkiError`] if certificate or key cannot be read.
    pub fn from_parts(certificate_der: &[u8], key_pkcs8_der: &[u8]) -> Result<Self, PkiError> {
        let certificate = CertificateDer::from(certificate_der.to_vec());
        let key = PrivatePkcs8KeyDer::from(key_pkcs8_der);
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256)
            .map_err(|error| PkiError::malformed("key of the certificate authority", error))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| PkiError::malformed("certificate of the authority", error))?;
        Ok(Self {
            issuer,
            certificate,
        })
    }

    /// The root certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The root's key as PKCS#8 in DER: a secret, to be sealed before it is stored.
    #[must_use]
    pub fn key_pkcs8(&self) -> Vec<u8> {
        self.issuer.key().serialize_der()
    }

    /// The pin that tokens carry.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] if the root cannot be read.
    pub fn pin(&self) -> Result<Pin, PkiError> {
        pin_of(&self.certificate)
    }

    /// Issues a leaf certificate of one year for a checked request, with a serial number that the caller drew, so that
    /// the device record can be written first.
    ///
    /// # Errors
    /// [`PkiError::Making`] if it cannot be signed.
    pub fn issue(
        &self,
        request: &CheckedRequest,
        subject: &Subject,
        serial: &[u8],
        now: SystemTime,
    ) -> Result<CertificateDer<'static>, PkiError> {
        let params = leaf_params(subject, serial, now)?;
        Ok(params.signed_by(&request.0, &self.issuer)?.der().clone())
    }
}

/// The pin of a root certificate in DER.
///
/// # Errors
/// [`PkiError::Malformed`] if it is no certificate.
pub fn pin_of(root: &CertificateDer<'_>) -> Result<Pin, PkiError> {
    let (_, certificate) = X509Certificate::from_der(root)
        .map_err(|error| PkiError::malformed("root certificate", error))?;
    Ok(Pin::of(certificate.public_key().raw))
}

fn leaf_params(
    subject: &Subject,
    serial: &[u8],
    now: SystemTime,
) -> Result<CertificateParams, PkiError> {
    let uri = identity::uri(&subject.cluster_id, subject.role, &subject.node_id);
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name = named(subject.node_id.as_str());
    params.subject_alt_names = vec![
        SanType::URI(uri.try_into()?),
        SanType::DnsName(identity::dns_name(subject.role).try_into()?),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    params.not_before = (now - CLOCK_SLACK).into();
    params.not_after = (now + LEAF_LIFE).into();
    Ok(params)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{identity::PeerIdentity, pki::credentials::NodeKey};

    fn subject() -> Subject {
        Subject {
            cluster_id: "c-1".into(),
            role: Role::Base,
            node_id: "base-1".parse().unwrap(),
        }
    }

    #[test]
    fn a_leaf_names_cluster_role_node_and_serial() {
        let now = SystemTime::now();
        let authority = CertificateAuthority::make("c-1", now).unwrap();
        let key = NodeKey::make().unwrap();
        let request = CheckedRequest::read(&key.request().unwrap()).unwrap();
        let serial = serial_number(&mut rand::rng());
        let leaf = authority.issue(&request, &subject(), &serial, now).unwrap();
        assert_eq!(
            PeerIdentity::from_certificate(&leaf).unwrap(),
            PeerIdentity {
                cluster_id: "c-1".into(),
                role: Role::Base,
                node_id: "base-1".parse().unwrap(),
                certificate_serial: serial,
            }
        );
        assert_eq!(
            PeerIdentity::from_certificate(authority.certificate()),
            Err(identity::IdentityError::NoUri)
        );
    }

    #[test]
    fn the_authority_survives_the_store() {
        let authority = CertificateAuthority::make("c-1", SystemTime::now()).unwrap();
        let again =
            CertificateAuthority::from_parts(authority.certificate(), &authority.key_pkcs8())
                .unwrap();
        assert_eq!(again.certificate(), authority.certificate());
        assert_eq!(again.pin().unwrap(), authority.pin().unwrap());
        assert!(CertificateAuthority::from_parts(authority.certificate(), b"junk").is_err());
        assert!(CertificateAuthority::from_parts(b"junk", &authority.key_pkcs8()).is_err());
    }

    #[test]
    fn a_request_signed_with_another_key_is_refused() {
        let mut request = NodeKey::make().unwrap().request().unwrap();
        let last = request.len() - 1;
        request[last] ^= 1;
        assert!(matches!(
            CheckedRequest::read(&request),
            Err(PkiError::RequestSignature)
        ));
        assert!(matches!(
            CheckedRequest::read(b"junk"),
            Err(PkiError::Malformed { .. })
        ));
        assert!(matches!(
            CheckedRequest::read(&[]),
            Err(PkiError::Malformed { .. })
        ));
    }
}
