//! What programs share about TLS: the crypto provider and reading PEM files.

use crate::error::StartError;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// The crypto provider of all our connections; lent, so that no library needs a process default.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Makes it the process' default, for guests that look there. For `main` only; a second call changes nothing.
pub fn install_provider() {
    // Fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Reads the certificates of a PEM file, in their order.
///
/// # Errors
/// [`StartError::File`] if it cannot be read, [`StartError::Content`] if it holds none or a broken one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let content = read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&content)
        .collect::<Result<_, _>>()
        .map_err(|error| broken(path, &error.to_string()))?;
    if found.is_empty() {
        Err(broken(path, "no certificate in it"))
    } else {
        Ok(found)
    }
}

/// Reads the private key of a PEM file.
///
/// # Errors
/// As [`certificates`].
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, StartError> {
    let content = read(path)?;
    PrivateKeyDer::from_pem_slice(&content).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => broken(path, "no private key in it"),
        error => broken(path, &error.to_string()),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path)
        .map_err(|error| StartError::file(path, error, "make it readable for this user"))
}

fn broken(path: &Path, what: &str) -> StartError {
    StartError::Content {
        path: path.to_owned(),
        what: what.to_owned(),
        remedy: "put a PEM file there, or remove it together with its directory to enrol anew"
            .to_owned(),
    }
}
