//! The SIP side of a start: certificates, the handsets' listening point, the embedded domain, the way to proxies.

use std::net::SocketAddr;
use std::sync::Arc;

use ipdect_node::{Environment, StartError};
use ipdect_proto::admin::v1 as admin;
use ipdect_sip::user_agent::SentBy;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::foundation::Foundation;
use super::{SEE_PKI, addresses};
use crate::config::Config;
use crate::handset::registry::Handsets;
use crate::profile::Documents;
use crate::sip::dispatch::Dispatch;
use crate::sip::domain;
use crate::sip::resolve::{DnsMethod, Resolver};
use crate::sip::sender::{Routes, Sender};
use crate::sip::tls::{TlsMaterial, TlsSides};
use crate::sip::transport::{Bound, Sink, Transports};
use crate::trust::{Trust, other};

/// The open SIP side.
pub(super) struct SipSide {
    /// The settings it was opened with.
    pub(super) documents: Documents,
    /// Where the handsets' user agents listen.
    pub(super) bound: Bound,
    /// Where the embedded domain listens, if it is on.
    pub(super) domain: Option<Bound>,
    /// What Via and Contact show.
    pub(super) sent_by: SentBy,
    dispatch: Arc<Dispatch>,
    transports: Transports,
}

impl SipSide {
    /// Binds all SIP ports. Messages are taken in; nothing is sent before [`SipSide::sender`].
    ///
    /// # Errors
    /// [`StartError`] if a certificate cannot be used or a port cannot be bound.
    pub(super) async fn open(
        config: &Config,
        ground: &Foundation,
        handsets: &Handsets,
        env: &Environment,
        stop: &CancellationToken,
    ) -> Result<Self, StartError> {
        let directory = &ground.directory;
        let documents = Documents::read(directory);
        let tls = certificates(&ground.trust, &documents)?;
        let dispatch = Arc::new(Dispatch::new(directory.clone(), handsets.clone()));
        let (transports, bound) =
            open_user_agents(config, &documents, &tls, &dispatch, stop).await?;
        let host = addresses::sip_host(config);
        // Routes of calls through the domain outlive its start.
        let secret = ground.trust.key.derived("routes of the embedded domain");
        let ways = domain::Ways {
            host: &host,
            tls: &tls,
            secret: secret.to_vec(),
        };
        let domain = domain::open(config, &documents, ways, directory, env, stop).await?;
        Ok(Self {
            documents,
            sent_by: bound.sent_by(&host),
            bound,
            domain: domain.map(|d| d.bound),
            dispatch,
            transports,
        })
    }

    /// The UDP port of the embedded domain; 0 if it is off.
    pub(super) fn domain_port(&self) -> u16 {
        self.domain.as_ref().map_or(0, |bound| bound.udp.port())
    }

    /// What sends for all handsets, and answers strangers from now on.
    pub(super) fn sender(&self, env: &Environment) -> Sender {
        let sender = Sender::new(
            self.transports.clone(),
            Resolver::from_system(),
            routes(&self.documents, self.domain_port()),
            env.random.clone(),
        );
        self.dispatch.set_sender(sender.clone());
        sender
    }

    /// Every address bound, by name.
    pub(super) fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let named = |side: &str, bound: &Bound| {
            let all = [
                Some(("udp", bound.udp)),
                Some(("tcp", bound.tcp)),
                bound.tls.map(|at| ("tls", at)),
            ];
            let all = all.into_iter().flatten();
            all.map(|(transport, at)| (format!("{side}.{transport}"), at))
                .collect::<Vec<_>>()
        };
        let mut addresses = named("sip", &self.bound);
        addresses.extend(self.domain.iter().flat_map(|bound| named("domain", bound)));
        addresses
    }
}

fn certificates(trust: &Trust, documents: &Documents) -> Result<TlsSides, StartError> {
    let material = TlsMaterial {
        chain: trust.credentials.chain.clone(),
        key: trust.credentials.key(),
        roots: vec![trust.authority.certificate().clone()],
        allow_insecure: documents.sip.tls_allow_insecure,
    };
    if documents.sip.tls_allow_insecure {
        warn!("TLS allow insecure is on: certificates of SIP peers are not verified");
    }
    TlsSides::new(material).map_err(|e| other(e.to_string(), SEE_PKI))
}

async fn open_user_agents(
    config: &Config,
    documents: &Documents,
    tls: &TlsSides,
    dispatch: &Arc<Dispatch>,
    stop: &CancellationToken,
) -> Result<(Transports, Bound), StartError> {
    let port = u16::try_from(documents.sip.local_port).unwrap_or(0);
    let at = SocketAddr::new(config.sip_bind, port);
    let tls_at = SocketAddr::new(config.sip_bind, if port == 0 { 0 } else { port + 1 });
    let dispatch = dispatch.clone();
    let sink: Sink = Arc::new(move |happened| dispatch.happened(happened));
    Transports::open(
        "sip.bind (SIP page, local_port)",
        at,
        Some(tls_at),
        documents.sip.type_of_service,
        tls.clone(),
        sink,
        stop.clone(),
    )
    .await
}

/// The way of messages that belong to no flow: proxies, how their names resolve, transport.
pub(super) fn routes(documents: &Documents, domain_port: u16) -> Routes {
    Routes {
        proxies: documents.trunk(domain_port),
        dns: match documents.sip.dns_method() {
            admin::DnsMethod::Srv => DnsMethod::Srv,
            admin::DnsMethod::NaptrSrv => DnsMethod::NaptrSrv,
            admin::DnsMethod::A | admin::DnsMethod::Unspecified => DnsMethod::ARecords,
        },
        transport: documents.transport(),
    }
}
