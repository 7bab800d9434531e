//! The certificate of the web GUI: the operator's, or one made at the first start.

use std::path::Path;
use std::sync::Arc;

use ipdect_link::pki::credentials::write_secret;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;

/// Reads `web.pem` and `web.key`, made at the first start, for HTTPS.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn config(folder: &Path) -> Result<ServerConfig, String> {
    let (chain_file, key_file) = (folder.join("web.pem"), folder.join("web.key"));
    if !chain_file.exists() || !key_file.exists() {
        make(&chain_file, &key_file)?;
    }
    let chain = ipdect_node::tls::certificates(&chain_file).map_err(|e| e.to_string())?;
    let key = ipdect_node::tls::private_key(&key_file).map_err(|e| e.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|b| b.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|e| format!("{}: {e}", chain_file.display()))
}

/// A certificate that nobody vouches for: browsers ask once.
fn make(chain_file: &Path, key_file: &Path) -> Result<(), String> {
    let failed = |e: rcgen::Error| format!("a certificate could not be made: {e}");
    let names = vec!["localhost".to_string(), "127.0.0.1".into(), "::1".into()];
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "ipdect admin");
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    write_secret(key_file, key.serialize_pem().as_bytes()).map_err(|e| e.to_string())?;
    write_secret(chain_file, certificate.pem().as_bytes()).map_err(|e| e.to_string())
}
