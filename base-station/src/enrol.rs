//! How a base station gets its certificate, and keeps it fresh.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipdect_link::backoff::Backoff;
use ipdect_link::dial::connect;
use ipdect_link::enrol::{EnrolError, Enrolling, enrol, renew};
use ipdect_link::pki::credentials::{Credentials, read_root};
use ipdect_link::pki::tls::client_config;
use ipdect_link::release::Release;
use ipdect_node::run_file::write_whole;
use ipdect_node::{Environment, StartError};
use rand_core::RngCore;

use crate::config::Config;

/// Wait after a renewal that did not work.
const RENEW_AGAIN: Duration = Duration::from_secs(15 * 60);

/// Where the certificate lies.
pub(crate) fn folder(config: &Config) -> PathBuf {
    config.common.data_dir.join("pki")
}

/// The serial number of this unit: made once, kept in the data directory.
pub(crate) fn serial(config: &Config, rng: &mut dyn RngCore) -> Result<String, StartError> {
    let path = config.common.data_dir.join("serial");
    match std::fs::read_to_string(&path) {
        Ok(known) if !known.trim().is_empty() => return Ok(known.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(StartError::file(
                path,
                error,
                "make the file readable for this user",
            ));
        }
    }
    let serial = format!("VB{:012X}", rng.next_u64() >> 16);
    write_whole(&path, format!("{serial}\n").as_bytes(), 0o644).map_err(|error| {
        StartError::file(
            path,
            error,
            "make the data directory writable for this user",
        )
    })?;
    Ok(serial)
}

/// What is known of a unit when it starts.
pub(crate) enum Standing {
    /// It has a certificate.
    Enrolled(Arc<Credentials>),
    /// No server could be reached yet; enrolment goes on in the background.
    Waiting(Box<Enrolling>),
}

/// Reads the certificate, or enrols.
///
/// # Errors
/// [`StartError::Enrol`] if it never can: no token, no way to tell the server, or the server says no.
pub(crate) async fn begin(config: &Config, serial: &str) -> Result<Standing, StartError> {
    let folder = folder(config);
    if let Some(known) = Credentials::load(&folder).map_err(|error| unusable(&folder, &error))? {
        return Ok(Standing::Enrolled(Arc::new(known)));
    }
    let enrolling = enrolling(config, serial, folder)?;
    match enrol(&enrolling).await {
        Ok(enrolled) => Ok(Standing::Enrolled(enrolled.credentials)),
        Err(EnrolError::Unreachable(why)) => {
            tracing::warn!(%why, "no server to enrol at yet");
            Ok(Standing::Waiting(Box::new(enrolling)))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// Goes on enrolling until it works or can never work.
///
/// # Errors
/// What to say when it cannot.
pub(crate) async fn go_on(
    enrolling: &Enrolling,
    rng: &mut (dyn RngCore + Send),
) -> Result<Arc<Credentials>, String> {
    let mut wait = Backoff::default();
    loop {
        tokio::time::sleep(wait.unreachable(rng)).await;
        match enrol(enrolling).await {
            Ok(enrolled) => return Ok(enrolled.credentials),
            Err(EnrolError::Unreachable(why)) => {
                tracing::debug!(%why, "still no server to enrol at")
            }
            Err(error) => return Err(refused(&error).to_string()),
        }
    }
}

/// Renews the certificate after two thirds of its life, for ever.
pub(crate) async fn keep_fresh(
    credentials: Arc<ArcSwap<Credentials>>,
    servers: Vec<String>,
    folder: PathBuf,
    env: Environment,
) -> ! {
    loop {
        let now = env.clock.wall();
        let due = credentials
            .load()
            .renew_at()
            .duration_since(now)
            .unwrap_or_default();
        // Wakes at least daily: a sleep of months would trust the monotonic clock too far.
        tokio::time::sleep(due.min(Duration::from_secs(24 * 3600))).await;
        if credentials.load().renew_at() > env.clock.wall() {
            continue;
        }
        match renew_anywhere(&credentials.load_full(), &servers, &folder).await {
            Ok(fresh) => credentials.store(fresh),
            Err(why) => {
                tracing::warn!(why, "certificate not renewed");
                tokio::time::sleep(RENEW_AGAIN).await;
            }
        }
    }
}

async fn renew_anywhere(
    old: &Credentials,
    servers: &[String],
    folder: &Path,
) -> Result<Arc<Credentials>, String> {
    let tls = client_config(old).map_err(|error| error.to_string())?;
    let mut why = "no server is configured".to_owned();
    for server in servers {
        let channel = match connect(server, tls.clone()).await {
            Ok(channel) => channel,
            Err(error) => {
                why = error.to_string();
                continue;
            }
        };
        match renew(channel, old, folder).await {
            Ok(fresh) => return Ok(fresh),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

fn enrolling(config: &Config, serial: &str, folder: PathBuf) -> Result<Enrolling, StartError> {
    let token = config.token.clone().ok_or_else(|| StartError::Enrol {
        what: "this base station has no certificate and enrol.token is not set".into(),
        remedy: "make a token with: ipdect token create --role base, and set enrol.token".into(),
        usage: true,
    })?;
    let root = config
        .ca_file
        .as_ref()
        .map(|path| read_root(path).map_err(|error| unusable(path, &error)));
    Ok(Enrolling {
        servers: config.servers.iter().map(ToString::to_string).collect(),
        token,
        root: root.transpose()?,
        serial: serial.to_owned(),
        release: Release::ours(),
        wished_name: config.common.node_id.clone().unwrap_or_default(),
        folder,
    })
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> StartError {
    StartError::Content {
        path: path.to_owned(),
        what: error.to_string(),
        remedy: "remove the folder pki and enrol anew with a fresh token, or set enrol.ca_file to the right file".into(),
    }
}

fn refused(error: &EnrolError) -> StartError {
    let usage = matches!(error, EnrolError::NoAnchor | EnrolError::NoServer);
    let remedy = if usage {
        "use a token with its pin (base.<secret>.<pin>), or set enrol.ca_file"
    } else {
        "make a fresh token with: ipdect token create --role base, and set enrol.token"
    };
    StartError::Enrol {
        what: error.to_string(),
        remedy: remedy.into(),
        usage,
    }
}
