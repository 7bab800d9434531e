//! Certificates of the peers: one root, one server, one client, one server of a root that nobody trusts.

use std::path::Path;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Writes `ca.pem`, `server.{pem,key}` and `client.{pem,key}` into a folder.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "peers of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key)?;
    std::fs::write(folder.join("ca.pem"), root.pem())?;
    let issuer = Issuer::new(params, key);
    for (name, names) in [
        (
            "server",
            &["localhost", "sip.test", "127.0.0.1", "198.18.0.1"][..],
        ),
        ("client", &["client.test"][..]),
    ] {
        leaf(folder, name, names, &issuer).with_context(|| name.to_string())?;
    }
    Ok(())
}

fn leaf(folder: &Path, name: &str, names: &[&str], issuer: &Issuer<'_, KeyPair>) -> Result<()> {
    let key = KeyPair::generate()?;
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, issuer)?;
    std::fs::write(folder.join(format!("{name}.pem")), certificate.pem())?;
    std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
    Ok(())
}
