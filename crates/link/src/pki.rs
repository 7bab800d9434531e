//! The cluster's certificate authority and the credentials of a node. Source: contracts 4.

pub mod ca;
pub mod credentials;
pub mod tls;

/// Why certificates or keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What was read is not what it should be.
    #[error("{what} cannot be read: {why}")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        why: String,
    },
    /// The signature of a certificate request is wrong: its sender does not hold the key.
    #[error("the certificate request is not signed with its own key")]
    RequestSignature,
    /// A certificate or key cannot be made.
    #[error("cannot make a certificate: {0}")]
    Making(#[from] rcgen::Error),
    /// TLS cannot be set up with these.
    #[error("TLS cannot use these certificates: {0}")]
    Tls(#[from] rustls::Error),
    /// Key and certificate do not belong together, or the certificate to this cluster.
    #[error("the certificate is not this node's: {0}")]
    Foreign(String),
}

impl PkiError {
    fn malformed(what: &'static str, why: impl ToString) -> Self {
        Self::Malformed {
            what,
            why: why.to_string(),
        }
    }
}
