//! The way to the servers: enrolment, renewal of the certificate, links.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipdect_link::backoff::Backoff;
use ipdect_link::compat::{MAX_GENERATION, MIN_GENERATION};
use ipdect_link::dial::connect;
use ipdect_link::dial::fleet::{Dialling, Policy};
use ipdect_link::enrol::{EnrolError, Enrolling, enrol, renew};
use ipdect_link::pki::PkiError;
use ipdect_link::pki::credentials::{Credentials, read_root};
use ipdect_link::pki::tls::client_config;
use ipdect_link::release::Release;
use ipdect_link::role::Role;
use ipdect_link::token::EnrolToken;
use ipdect_node::{Environment, StartError};
use ipdect_proto::link::v1::{Hello, LinkUse};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::service::Service;

/// Waits after a renewal that failed.
const RENEW_AGAIN: Duration = Duration::from_secs(3600);

/// The node's credentials: those on disk, or those that the token brings. Waits for a server that is not there yet.
///
/// # Errors
/// [`StartError::Enrol`] if the server says no, or if there is neither certificate nor usable token.
pub(crate) async fn credentials(
    config: &Config,
    serial: &str,
    environment: &Environment,
) -> Result<Arc<Credentials>, StartError> {
    let folder = config.common.data_dir.join("pki");
    if let Some(known) = Credentials::load(&folder).map_err(pki)? {
        return Ok(Arc::new(known));
    }
    let enrolling = Enrolling {
        servers: servers(config),
        token: token(config)?,
        root: config
            .ca_file
            .as_deref()
            .map(read_root)
            .transpose()
            .map_err(pki)?,
        serial: serial.to_owned(),
        release: Release::ours(),
        wished_name: config.common.node_id.clone().unwrap_or_default(),
        folder,
    };
    let (mut backoff, mut rng) = (Backoff::new(), environment.random.generator());
    loop {
        match enrol(&enrolling).await {
            Ok(enrolled) => return Ok(enrolled.credentials),
            Err(EnrolError::Unreachable(why)) => {
                let wait = backoff.unreachable(&mut *rng);
                info!(%why, ?wait, "no server to enrol with yet");
                tokio::time::sleep(wait).await;
            }
            Err(error) => {
                return Err(StartError::Enrol {
                    what: error.to_string(),
                    remedy:
                        "make a new token (ipdect token create --role media) and set enrol.token"
                            .into(),
                    usage: matches!(error, EnrolError::NoAnchor | EnrolError::NoServer),
                });
            }
        }
    }
}

fn token(config: &Config) -> Result<EnrolToken, StartError> {
    let refused = |what: String| StartError::Enrol {
        what,
        remedy: "make one (ipdect token create --role media) and set enrol.token".into(),
        usage: true,
    };
    if config.token.0.is_empty() {
        return Err(refused("this node has no certificate and no token".into()));
    }
    let token: EnrolToken = config
        .token
        .0
        .parse()
        .map_err(|error| refused(format!("enrol.token: {error}")))?;
    match token.role {
        Role::Media => Ok(token),
        _ => Err(refused("enrol.token is for another role than media".into())),
    }
}

fn pki(error: PkiError) -> StartError {
    StartError::Enrol {
        what: error.to_string(),
        remedy: "restore the file, or remove the folder pki and enrol anew".into(),
        usage: false,
    }
}

pub(crate) fn servers(config: &Config) -> Vec<String> {
    config.servers.iter().map(ToString::to_string).collect()
}

/// Serial number of this unit: made once and kept in the data directory.
///
/// # Errors
/// [`StartError::File`] if it can neither be read nor written.
pub(crate) fn serial(data_dir: &Path, environment: &Environment) -> Result<String, StartError> {
    let path = data_dir.join("serial");
    if let Ok(text) = std::fs::read_to_string(&path) {
        let known = text.trim();
        if !known.is_empty() && known.len() <= 64 {
            return Ok(known.to_owned());
        }
    }
    let made = format!("MR{:012x}", environment.random.number() >> 16);
    ipdect_node::run_file::write_whole(&path, format!("{made}\n").as_bytes(), 0o600).map_err(
        |source| {
            StartError::file(
                &path,
                source,
                "make the data directory writable (node.data_dir)",
            )
        },
    )?;
    Ok(made)
}

/// What links are dialled with.
pub(crate) fn dialling(
    config: &Config,
    credentials: Arc<ArcSwap<Credentials>>,
    service: &Arc<Service>,
    serial: String,
    capacity: usize,
    boot_id: u64,
) -> Dialling {
    let service = service.clone();
    let hello = move |_: LinkUse| {
        let book = service.book.lock();
        Hello {
            min_generation: MIN_GENERATION,
            max_generation: MAX_GENERATION,
            release: Release::ours().to_string(),
            serial: serial.clone(),
            boot_id,
            capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
            era: book.floors.era(),
            floors: book.floors.fences(),
            ..Hello::default()
        }
    };
    Dialling {
        policy: Policy::Every,
        servers: servers(config),
        credentials,
        hello: Arc::new(hello),
    }
}

/// Renews the certificate when its time has come, until `stop`.
pub(crate) async fn keep_fresh(
    config: Config,
    credentials: Arc<ArcSwap<Credentials>>,
    environment: Environment,
    stop: CancellationToken,
) {
    loop {
        let due = credentials.load().renew_at();
        let wait = due
            .duration_since(environment.clock.wall())
            .unwrap_or_default();
        // Looked at daily, for the wall clock may be set meanwhile.
        let nap = wait.min(Duration::from_secs(24 * 3600));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(nap) => {}
        }
        if nap < wait {
            continue;
        }
        if let Err(error) = renew_once(&config, &credentials).await {
            warn!(%error, "certificate not renewed");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RENEW_AGAIN) => {}
            }
        }
    }
}

async fn renew_once(config: &Config, credentials: &ArcSwap<Credentials>) -> Result<(), EnrolError> {
    let old = credentials.load_full();
    let mut last = EnrolError::NoServer;
    for server in servers(config) {
        match connect(&server, client_config(&old)?).await {
            Ok(channel) => {
                let fresh = renew(channel, &old, &config.common.data_dir.join("pki")).await?;
                credentials.store(fresh);
                return Ok(());
            }
            Err(error) => last = EnrolError::Unreachable(error.to_string()),
        }
    }
    Err(last)
}
