//! Digest authentication, both sides (RFC 7616 with the SIP rules of RFC 8760 and RFC 3261 section 22).
//!
//! MD5 and SHA-256, each with `-sess`, quality of protection `auth` (and `auth-int` or none where a server asks for it).

mod algorithm;
mod client;
mod credentials;
mod server;

pub use algorithm::{Algorithm, Digested};
pub use client::{Client, ClientError};
pub use credentials::{Challenge, Credentials, Qop};
pub use server::{Server, Verdict};

/// A password; prints as redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    /// Wraps a password.
    pub fn new(password: &str) -> Password {
        Password(password.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(redacted)")
    }
}
