//! TLS 1.3 of the link port, both sides, with the ring provider and no globals.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{PkiError, ca::pin_of, credentials::Credentials};
use crate::token::Pin;

/// The application protocol of gRPC.
const H2: &[u8] = b"h2";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn roots(ca: &CertificateDer<'static>) -> Result<Arc<RootCertStore>, PkiError> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone())?;
    Ok(Arc::new(roots))
}

/// The server side: asks for a client certificate of the cluster but does not insist, since enrolment has none.
/// The root is sent along, for clients that know only its pin.
///
/// # Errors
/// [`PkiError::Tls`] if key or certificates do not fit.
pub fn server_config(credentials: &Credentials) -> Result<Arc<ServerConfig>, PkiError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(&credentials.ca)?, provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| PkiError::malformed("root certificate", error))?;
    let mut chain = credentials.chain.clone();
    chain.push(credentials.ca.clone());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, credentials.key())?;
    config.alpn_protocols = vec![H2.to_vec()];
    Ok(Arc::new(config))
}

/// The client side of an enrolled node: verifies the server by the root, shows its own certificate.
///
/// # Errors
/// [`PkiError::Tls`] if key or certificates do not fit.
pub fn client_config(credentials: &Credentials) -> Result<Arc<ClientConfig>, PkiError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots(&credentials.ca)?)
        .with_client_auth_cert(credentials.chain.clone(), credentials.key())?;
    config.alpn_protocols = vec![H2.to_vec()];
    Ok(Arc::new(config))
}

/// How a node that has not enrolled yet knows its cluster.
#[derive(Clone, Debug)]
pub enum Anchor {
    /// By the pin in its token.
    Pin(Pin),
    /// By the root itself (`enrol.ca_file`).
    Root(CertificateDer<'static>),
}

/// The client side of a node that enrols, and the verifier that keeps the root it saw.
///
/// # Errors
/// [`PkiError::Tls`] if the anchor cannot be used.
pub fn enrolling_config(
    anchor: Anchor,
) -> Result<(Arc<ClientConfig>, Arc<AnchorVerifier>), PkiError> {
    let provider = provider();
    let verifier = Arc::new(AnchorVerifier {
        anchor,
        algorithms: provider.signature_verification_algorithms,
        provider: provider.clone(),
        seen: Mutex::new(None),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![H2.to_vec()];
    Ok((Arc::new(config), verifier))
}

/// Accepts only a chain that ends in the anchor; everything else is checked as ever.
#[derive(Debug)]
pub struct AnchorVerifier {
    anchor: Anchor,
    algorithms: WebPkiSupportedAlgorithms,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<CertificateDer<'static>>>,
}

impl AnchorVerifier {
    /// The root of the last chain accepted.
    #[must_use]
    pub fn root(&self) -> Option<CertificateDer<'static>> {
        self.seen.lock().clone()
    }

    /// The root that the anchor means, out of what the server sent.
    fn choose(&self, sent: &[CertificateDer<'_>]) -> Option<CertificateDer<'static>> {
        match &self.anchor {
            Anchor::Root(root) => Some(root.clone()),
            Anchor::Pin(pin) => sent
                .iter()
                .find(|certificate| pin_of(certificate).is_ok_and(|found| found == *pin))
                .map(|certificate| certificate.clone().into_owned()),
        }
    }
}

impl ServerCertVerifier for AnchorVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let root = self
            .choose(intermediates)
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(root.clone())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
        let verified = verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        *self.seen.lock() = Some(root);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("this port speaks TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
