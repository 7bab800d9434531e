//! What the admin API does, whoever asks: gRPC callers and the web GUI go through the same methods.

pub mod accounts;
pub mod caller;
pub mod calls;
pub mod devices;
pub mod import;
pub mod limits;
pub mod portables;
pub mod sessions;
pub mod settings;
pub mod upstream;
pub mod users;

use std::sync::Arc;

use ipdect_node::{Random, Redacted};

use caller::Caller;
use limits::Limits;
use portables::Portables;
use sessions::Sessions;
use upstream::Upstream;

/// The admin API of one process, cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    upstream: Upstream,
    sessions: Sessions,
    limits: Limits,
    portables: Portables,
    random: Random,
    bootstrap: Redacted<String>,
    /// How tokens for devices are pinned: the root's pin.
    pin: Option<ipdect_link::token::Pin>,
    /// One hash at a time per core: a login flood must not be a memory flood.
    hashing: tokio::sync::Semaphore,
}

impl Api {
    /// An API over a connection to the servers.
    #[must_use]
    pub fn new(
        upstream: Upstream,
        random: Random,
        bootstrap: Redacted<String>,
        pin: Option<ipdect_link::token::Pin>,
    ) -> Self {
        Self(Arc::new(Inner {
            upstream,
            sessions: Sessions::new(),
            limits: Limits::new(),
            portables: Portables::new(),
            random,
            bootstrap,
            pin,
            hashing: tokio::sync::Semaphore::new(2),
        }))
    }

    /// The way to the servers.
    #[must_use]
    pub fn upstream(&self) -> &Upstream {
        &self.0.upstream
    }

    /// The portables' hosts.
    #[must_use]
    pub fn portables(&self) -> &Portables {
        &self.0.portables
    }

    /// A session of an account, without login: for tests of what comes after it.
    #[cfg(test)]
    pub(crate) fn session_of(&self, account: &ipdect_proto::admin::v1::Account) -> String {
        self.0.sessions.open(&self.0.random, account)
    }

    /// Who has this session token.
    ///
    /// # Errors
    /// UNAUTHENTICATED without a session that stands.
    pub fn caller(&self, token: &str, address: std::net::IpAddr) -> Result<Caller, tonic::Status> {
        self.0.sessions.find(token, address)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An API without a server behind it.
    pub(crate) fn api() -> Api {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let tls = tls
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let upstream = Upstream::new(Vec::new(), Arc::new(tls));
        Api::new(upstream, Random::seeded(1), Redacted("ip6000".into()), None)
    }
}
