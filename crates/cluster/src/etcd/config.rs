//! Where etcd is, how it is trusted, and how long its answers are waited for.

use super::dial::Address;
use crate::error::StoreError;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How to reach an etcd.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its members, as `http://host:port` or `https://host:port`. The first is preferred.
    pub endpoints: Vec<String>,
    /// For `https`.
    pub tls: Option<Tls>,
    /// If etcd has authentication on.
    pub user: Option<User>,
    /// How long answers are waited for.
    pub limits: Limits,
}

impl Config {
    /// Members without TLS and user, with the usual limits.
    #[must_use]
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Config {
        Config {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            tls: None,
            user: None,
            limits: Limits::default(),
        }
    }
}

/// Whom to trust, and how to be trusted. PEM throughout.
#[derive(Clone)]
pub struct Tls {
    /// Certificates of the authority that signed those of the etcd members.
    pub ca: Vec<u8>,
    /// Own certificate with its chain, and its key; etcd asks for it with `--client-cert-auth`.
    pub identity: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("identity", &self.identity.is_some())
            .finish_non_exhaustive()
    }
}

/// Who we are to an etcd with authentication.
#[derive(Clone)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How long answers are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Opening a connection: TCP, TLS, login.
    pub connect: Duration,
    /// One request at one member; then another member is asked.
    pub attempt: Duration,
    /// One call of the store with all its attempts.
    pub call: Duration,
    /// Silence of a watch after which its member is asked whether it is still there; it has `attempt` to answer.
    pub quiet: Duration,
}

impl Limits {
    /// For renewals of member rows (`takeover.md` 3.1): who renews each second wants to know soon.
    pub const RENEWAL: Limits = Limits {
        connect: Duration::from_secs(1),
        attempt: Duration::from_millis(500),
        call: Duration::from_secs(3),
        quiet: Duration::from_millis(500),
    };
}

impl Default for Limits {
    /// For reading and writing what people configure, and for records.
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(2),
            attempt: Duration::from_secs(2),
            call: Duration::from_secs(8),
            quiet: Duration::from_secs(2),
        }
    }
}

/// The addresses of a configuration, ready to be dialled.
pub(super) fn addresses(config: &Config) -> Result<Vec<(String, Address)>, StoreError> {
    if config.endpoints.is_empty() {
        return Err(StoreError::Config(
            "no etcd endpoint; give one https://host:port for each member".to_owned(),
        ));
    }
    let tls = config.tls.as_ref().map(client_config).transpose();
    let tls = tls.map_err(|what| StoreError::Config(format!("etcd's TLS: {what}")))?;
    let addresses = config.endpoints.iter().map(|endpoint| {
        let address = Address::new(endpoint, tls.as_ref())
            .map_err(|what| StoreError::Config(format!("etcd endpoint {endpoint:?}: {what}")))?;
        Ok((endpoint.clone(), address))
    });
    addresses.collect()
}

fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca).map_err(|what| format!("ca: {what}"))? {
        roots
            .add(certificate)
            .map_err(|error| format!("ca: {error}"))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain).map_err(|what| format!("certificate: {what}"))?;
            let key =
                PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("key: {error}"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| format!("certificate and key: {error}"))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("no certificate in it; PEM is wanted".to_owned()),
        found => found.map_err(|error| error.to_string()),
    }
}

/// An error with all its causes.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Many layers repeat what lies below them.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(endpoints: &[&str], tls: Option<Tls>) -> String {
        let config = Config {
            tls,
            ..Config::new(endpoints.iter().copied())
        };
        match addresses(&config) {
            Err(error @ StoreError::Config(_)) => error.to_string(),
            other => panic!("wanted a mistake, got {other:?}"),
        }
    }

    #[test]
    fn mistakes_in_the_configuration_are_told_before_anything_is_dialled() {
        let tls = || {
            Some(Tls {
                ca: b"none".to_vec(),
                identity: None,
            })
        };
        assert!(refused(&[], None).contains("no etcd endpoint"));
        assert!(refused(&["10.0.0.1:2379"], None).contains("https://host:port"));
        assert!(refused(&["http://a:1", "http://"], None).contains("\"http://\""));
        assert!(refused(&["http://10.0.0.1"], None).contains("port"));
        assert!(refused(&["https://10.0.0.1:2379"], tls()).contains("ca: no certificate"));
        assert!(refused(&["https://10.0.0.1:2379"], None).contains("authority"));
        assert!(addresses(&Config::new(["http://10.0.0.1:2379"])).is_ok());
    }

    #[test]
    fn passwords_and_keys_are_never_printed() {
        let config = Config {
            tls: Some(Tls {
                ca: b"authority".to_vec(),
                identity: Some((
                    b"certificate".to_vec(),
                    Zeroizing::new(b"key of ours".to_vec()),
                )),
            }),
            user: Some(User {
                name: "ipdect".into(),
                password: Zeroizing::new("hush".into()),
            }),
            ..Config::new(["https://10.0.0.1:2379"])
        };
        let text = format!("{config:?}");
        assert!(text.contains("ipdect"), "{text}");
        assert!(!text.contains("hush") && !text.contains("key of"), "{text}");
        assert!(!text.contains(&format!("{:?}", b"key of ours")), "{text}");
    }
}
