//! The device's side of enrolment and renewal. Source: contracts 4.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use ipdect_proto::link::v1::{
    EnrolRequest, EnrolResponse, RenewRequest, enrolment_client::EnrolmentClient,
};
use rustls_pki_types::CertificateDer;
use tonic::{Code, transport::Channel};
use tracing::info;

use crate::{
    dial::{DialError, connect},
    pki::{
        PkiError,
        credentials::{Credentials, NodeKey},
        tls::{Anchor, enrolling_config},
    },
    release::Release,
    token::EnrolToken,
};

/// What a unit enrols with.
#[derive(Clone, Debug)]
pub struct Enrolling {
    /// Servers, `host:port`, tried in this order.
    pub servers: Vec<String>,
    /// The token; its role is the unit's.
    pub token: EnrolToken,
    /// The cluster's root, where the token carries no pin (`enrol.ca_file`).
    pub root: Option<CertificateDer<'static>>,
    /// Serial number of the unit.
    pub serial: String,
    /// Release of the unit.
    pub release: Release,
    /// Wished node id; empty: the server chooses.
    pub wished_name: String,
    /// Folder of `ca.pem`, `node.pem`, `node.key`.
    pub folder: PathBuf,
}

/// What enrolment brought; the three files are written.
#[derive(Debug)]
pub struct Enrolled {
    /// Key, certificate, root.
    pub credentials: Arc<Credentials>,
    /// Host and port of each server's link port.
    pub server_addresses: Vec<String>,
    /// Roles server and admin: the sealing key, to be kept in a file of mode 0600.
    pub secret_key: Option<SecretKey>,
}

/// The sealing key of the cluster; does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub Vec<u8>);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Why a unit did not enrol.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Neither the token nor the configuration says which cluster it is.
    #[error(
        "the token has no pin and there is no enrol.ca_file: nothing tells the right server from a wrong one"
    )]
    NoAnchor,
    /// No server is configured.
    #[error("enrol.servers is empty")]
    NoServer,
    /// The server said no: the token is wrong, used or expired, as the text says. Trying again is useless.
    #[error("the server rejects the enrolment: {0}")]
    Rejected(String),
    /// No server could be reached, or none could answer now. Safe to retry.
    #[error("no server could be reached: {0}")]
    Unreachable(String),
    /// What the server sent cannot be used, or cannot be stored.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

/// Enrols: makes a key, opens TLS to a server that the anchor vouches for, shows the token, keeps what it gets.
///
/// # Errors
/// [`EnrolError`]; of unreachable servers the last one's reason.
pub async fn enrol(enrolling: &Enrolling) -> Result<Enrolled, EnrolError> {
    let anchor = match (&enrolling.root, enrolling.token.pin) {
        (Some(root), _) => Anchor::Root(root.clone()),
        (None, Some(pin)) => Anchor::Pin(pin),
        (None, None) => return Err(EnrolError::NoAnchor),
    };
    let key = NodeKey::make()?;
    let mut last = EnrolError::NoServer;
    for server in &enrolling.servers {
        match enrol_at(server, enrolling, &anchor, &key).await {
            Err(error @ EnrolError::Unreachable(_)) => last = error,
            done => return done,
        }
    }
    Err(last)
}

async fn enrol_at(
    server: &str,
    enrolling: &Enrolling,
    anchor: &Anchor,
    key: &NodeKey,
) -> Result<Enrolled, EnrolError> {
    let (tls, verifier) = enrolling_config(anchor.clone())?;
    let unreachable = |error: DialError| EnrolError::Unreachable(error.to_string());
    let channel = connect(server, tls).await.map_err(unreachable)?;
    let request = EnrolRequest {
        token: enrolling.token.reveal(),
        role: enrolling.token.role.into(),
        serial: enrolling.serial.clone(),
        release: enrolling.release.to_string(),
        wished_name: enrolling.wished_name.clone(),
        csr_der: key.request()?.into(),
    };
    let response = EnrolmentClient::new(channel)
        .enrol(request)
        .await
        .map_err(|status| failure(&status))?;
    let root = verifier
        .root()
        .ok_or_else(|| EnrolError::Unreachable("the server showed no root".into()))?;
    let enrolled = keep(response.into_inner(), root, key, &enrolling.folder)?;
    info!(node = %enrolled.credentials.identity.node_id, server, "enrolled");
    Ok(enrolled)
}

fn failure(status: &tonic::Status) -> EnrolError {
    match status.code() {
        Code::PermissionDenied | Code::InvalidArgument | Code::ResourceExhausted => {
            EnrolError::Rejected(status.message().to_owned())
        }
        _ => EnrolError::Unreachable(status.message().to_owned()),
    }
}

fn keep(
    response: EnrolResponse,
    root: CertificateDer<'static>,
    key: &NodeKey,
    folder: &Path,
) -> Result<Enrolled, EnrolError> {
    if response.ca != root.as_ref() {
        return Err(
            PkiError::Foreign("the server names another root than it showed".into()).into(),
        );
    }
    let credentials = assemble(root, response.certificate_chain, key)?;
    credentials.store(folder)?;
    let secret_key =
        (!response.secret_key.is_empty()).then(|| SecretKey(response.secret_key.to_vec()));
    Ok(Enrolled {
        credentials: Arc::new(credentials),
        server_addresses: response.server_addresses,
        secret_key,
    })
}

fn assemble(
    root: CertificateDer<'static>,
    chain: Vec<bytes::Bytes>,
    key: &NodeKey,
) -> Result<Credentials, PkiError> {
    let chain = chain
        .into_iter()
        .map(|der| CertificateDer::from(der.to_vec()))
        .collect();
    Credentials::new(root, chain, key.pkcs8())
}

/// Gets a fresh certificate for a new key over an open channel and keeps it.
///
/// # Errors
/// [`EnrolError`]; the old credentials stay good until their time is over.
pub async fn renew(
    channel: Channel,
    old: &Credentials,
    folder: &Path,
) -> Result<Arc<Credentials>, EnrolError> {
    let key = NodeKey::make()?;
    let request = RenewRequest {
        csr_der: key.request()?.into(),
    };
    let response = EnrolmentClient::new(channel)
        .renew(request)
        .await
        .map_err(|status| failure(&status))?;
    let credentials = assemble(
        old.ca.clone(),
        response.into_inner().certificate_chain,
        &key,
    )?;
    let same = credentials.identity.role == old.identity.role
        && credentials.identity.node_id == old.identity.node_id;
    if !same {
        return Err(PkiError::Foreign("the server renewed another node's".into()).into());
    }
    credentials.store(folder)?;
    info!(node = %credentials.identity.node_id, "certificate renewed");
    Ok(Arc::new(credentials))
}
