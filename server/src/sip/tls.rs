//! TLS of one SIP listening point: our certificate, whom we trust, and the switch `TLS allow insecure` (G2).

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Our certificate and key, and the roots that peers must chain to.
pub struct TlsMaterial {
    /// Chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Key of the leaf.
    pub key: PrivateKeyDer<'static>,
    /// Local CA bundle; empty: the built-in list of common CAs alone.
    pub roots: Vec<CertificateDer<'static>>,
    /// Takes any certificate of a peer. Off by default; a warning says so when it is on.
    pub allow_insecure: bool,
}

struct Sides {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

/// Both sides of TLS, replaceable while running; running connections keep theirs.
#[derive(Clone)]
pub struct TlsSides(Arc<ArcSwap<Sides>>);

impl TlsSides {
    /// Builds both sides.
    ///
    /// # Errors
    /// [`rustls::Error`] if key and certificate do not belong together.
    pub fn new(material: TlsMaterial) -> Result<Self, rustls::Error> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(sides(material)?))))
    }

    /// Replaces certificate, roots and switch for new connections.
    ///
    /// # Errors
    /// [`rustls::Error`] if key and certificate do not belong together; the old ones stay.
    pub fn replace(&self, material: TlsMaterial) -> Result<(), rustls::Error> {
        self.0.store(Arc::new(sides(material)?));
        Ok(())
    }

    pub(super) async fn accept(
        &self,
        tcp: TcpStream,
    ) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
        let acceptor = self.0.load().acceptor.clone();
        acceptor.accept(tcp).await
    }

    pub(super) async fn connect(
        &self,
        name: ServerName<'static>,
        tcp: TcpStream,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let connector = self.0.load().connector.clone();
        connector.connect(name, tcp).await
    }
}

fn sides(material: TlsMaterial) -> Result<Sides, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(material.chain.clone(), material.key.clone_key())?;
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = if material.allow_insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TakesAny(provider)))
    } else {
        builder.with_root_certificates(roots(material.roots))
    };
    let client = builder.with_client_auth_cert(material.chain, material.key)?;
    Ok(Sides {
        acceptor: TlsAcceptor::from(Arc::new(server)),
        connector: TlsConnector::from(Arc::new(client)),
    })
}

fn roots(local: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    store.add_parsable_certificates(local);
    store
}

/// The verifier of `TLS allow insecure`: signatures are checked, names and chains are not.
#[derive(Debug)]
struct TakesAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakesAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
