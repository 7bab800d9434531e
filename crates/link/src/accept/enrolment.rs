//! The server's side of enrolment: token and request are checked, a certificate is issued. Source: contracts 4.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use ipdect_proto::link::v1::{
    EnrolRequest, EnrolResponse, RenewRequest, RenewResponse, enrolment_server::Enrolment,
};
use parking_lot::Mutex;
use tonic::{Request, Response, Status};
use tracing::{info, warn};

use super::PeerInfo;
use crate::{
    identity::PeerIdentity,
    pki::{
        PkiError,
        ca::{CertificateAuthority, CheckedRequest, Subject, serial_number},
    },
    role::{NodeId, Role, role_name},
    token::EnrolToken,
};

/// Failures a minute that one address may have.
const FAILURES: usize = 5;
/// The minute.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses whose failures are remembered.
const ADDRESSES: usize = 4096;

/// A unit that shows a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// Key of the token's row.
    pub token_hash: [u8; 32],
    /// What the unit is.
    pub role: Role,
    /// Its serial number, 128 characters at most.
    pub serial: String,
    /// Its release, 32 characters at most, as told.
    pub release: String,
    /// Name that it would like; `None`: the server chooses.
    pub wished_name: Option<NodeId>,
    /// Serial number of the certificate that it will get; goes into the device record.
    pub certificate_serial: Vec<u8>,
    /// From where it asks.
    pub address: SocketAddr,
}

/// A unit that was let in: its device record is written, one use of the token burnt.
#[derive(Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The name given.
    pub node_id: NodeId,
    /// UUID of the cluster.
    pub cluster_id: String,
    /// Host and port of each server's link port.
    pub server_addresses: Vec<String>,
    /// The sealing key; asked for and passed on for roles server and admin only.
    pub secret_key: Option<Vec<u8>>,
}

impl std::fmt::Debug for Admitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admitted")
            .field("node_id", &self.node_id)
            .finish_non_exhaustive()
    }
}

/// Why a unit was not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No such token, or for another role.
    #[error("the token is wrong")]
    WrongToken,
    /// All its uses are burnt.
    #[error("the token was used before")]
    UsedToken,
    /// Its time is over.
    #[error("the token has expired")]
    ExpiredToken,
    /// The unit may not be in this cluster, for another reason.
    #[error("{0}")]
    Denied(String),
    /// The store cannot be asked; the token is not burnt.
    #[error("the store is away: {0}")]
    Unavailable(String),
}

/// What the server program does for enrolment.
#[async_trait::async_trait]
pub trait Enroller: Send + Sync + 'static {
    /// The cluster's certificate authority.
    fn authority(&self) -> Arc<CertificateAuthority>;

    /// Lets a unit in, in one transaction: checks the token's hash, role, uses and time; chooses the name; writes the
    /// device record with the certificate's serial number; burns one use.
    async fn admit(&self, applicant: Applicant) -> Result<Admitted, Rejection>;

    /// Adds the serial number of a new certificate to a device record.
    async fn renew(
        &self,
        identity: &PeerIdentity,
        certificate_serial: Vec<u8>,
    ) -> Result<(), Rejection>;

    /// A unit was not let in: an event.
    fn rejected(&self, address: SocketAddr, role: Role, serial: &str, why: &str);
}

/// The service `link.v1.Enrolment`.
pub struct Enrolments {
    enroller: Arc<dyn Enroller>,
    failures: Mutex<Failures>,
}

impl std::fmt::Debug for Enrolments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolments").finish_non_exhaustive()
    }
}

impl Enrolments {
    /// The service over the program's own enroller.
    #[must_use]
    pub fn new(enroller: Arc<dyn Enroller>) -> Self {
        Self {
            enroller,
            failures: Mutex::default(),
        }
    }

    async fn admit(
        &self,
        address: SocketAddr,
        request: &EnrolRequest,
    ) -> Result<EnrolResponse, Status> {
        let rng = || rand::rng();
        let token: EnrolToken = request
            .token
            .parse()
            .map_err(|error| Status::permission_denied(format!("the token is wrong: {error}")))?;
        if token.role != request.role() {
            return Err(Status::permission_denied(format!(
                "the token is wrong: it is for the role {}",
                role_name(token.role)
            )));
        }
        let key = CheckedRequest::read(&request.csr_der)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let wished_name = match request.wished_name.as_str() {
            "" => None,
            name => Some(
                name.parse()
                    .map_err(|error| Status::invalid_argument(format!("wished name: {error}")))?,
            ),
        };
        let certificate_serial = serial_number(&mut rng());
        let applicant = Applicant {
            token_hash: token.hash(),
            role: token.role,
            serial: request.serial.chars().take(128).collect(),
            release: request.release.chars().take(32).collect(),
            wished_name,
            certificate_serial: certificate_serial.clone(),
            address,
        };
        let admitted = self
            .enroller
            .admit(applicant)
            .await
            .map_err(|rejection| status(&rejection))?;
        let subject = Subject {
            cluster_id: admitted.cluster_id.clone(),
            role: token.role,
            node_id: admitted.node_id.clone(),
        };
        let chain = self.issue(&key, &subject, &certificate_serial)?;
        let trusted = matches!(token.role, Role::Server | Role::Admin);
        Ok(EnrolResponse {
            node_id: admitted.node_id.to_string(),
            cluster_id: admitted.cluster_id,
            certificate_chain: chain,
            ca: self.root(),
            server_addresses: admitted.server_addresses,
            secret_key: admitted
                .secret_key
                .filter(|_| trusted)
                .unwrap_or_default()
                .into(),
        })
    }

    fn issue(
        &self,
        key: &CheckedRequest,
        subject: &Subject,
        serial: &[u8],
    ) -> Result<Vec<Bytes>, Status> {
        let issued = self
            .enroller
            .authority()
            .issue(key, subject, serial, SystemTime::now());
        let leaf = issued.map_err(|error: PkiError| Status::internal(error.to_string()))?;
        Ok(vec![Bytes::copy_from_slice(&leaf)])
    }

    fn root(&self) -> Bytes {
        Bytes::copy_from_slice(self.enroller.authority().certificate())
    }
}

fn status(rejection: &Rejection) -> Status {
    match rejection {
        Rejection::Unavailable(_) => Status::unavailable(rejection.to_string()),
        _ => Status::permission_denied(rejection.to_string()),
    }
}

#[tonic::async_trait]
impl Enrolment for Enrolments {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let address = peer(&request)?.address;
        if self.failures.lock().too_many(address.ip(), Instant::now()) {
            return Err(Status::resource_exhausted(
                "too many failures from this address; wait a minute",
            ));
        }
        let request = request.into_inner();
        let role = request.role();
        match self.admit(address, &request).await {
            Ok(response) => {
                info!(node = %response.node_id, role = role_name(role), "enrolled");
                Ok(Response::new(response))
            }
            Err(status) => {
                if status.code() != tonic::Code::Unavailable {
                    self.failures.lock().note(address.ip(), Instant::now());
                }
                warn!(%address, role = role_name(role), why = status.message(), "enrolment rejected");
                metrics::counter!("ipdect_link_rejected_total", "peer_kind" => role_name(role), "reason" => "enrolment")
                    .increment(1);
                let serial: String = request.serial.chars().take(128).collect();
                self.enroller
                    .rejected(address, role, &serial, status.message());
                Err(status)
            }
        }
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let identity = peer(&request)?.identity.clone();
        let identity =
            identity.ok_or_else(|| Status::unauthenticated("a certificate is needed"))?;
        let key = CheckedRequest::read(&request.get_ref().csr_der)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let serial = serial_number(&mut rand::rng());
        self.enroller
            .renew(&identity, serial.clone())
            .await
            .map_err(|rejection| status(&rejection))?;
        let subject = Subject {
            cluster_id: identity.cluster_id,
            role: identity.role,
            node_id: identity.node_id,
        };
        let certificate_chain = self.issue(&key, &subject, &serial)?;
        Ok(Response::new(RenewResponse {
            certificate_chain,
            ca: self.root(),
        }))
    }
}

fn peer<T>(request: &Request<T>) -> Result<&PeerInfo, Status> {
    request
        .extensions()
        .get()
        .ok_or_else(|| Status::internal("this service stands behind no door"))
}

/// Failed enrolments of the last minute, by address.
#[derive(Debug, Default)]
struct Failures(BTreeMap<IpAddr, Vec<Instant>>);

impl Failures {
    fn too_many(&mut self, address: IpAddr, now: Instant) -> bool {
        self.0.get_mut(&address).is_some_and(|times| {
            times.retain(|at| now.duration_since(*at) < WINDOW);
            times.len() >= FAILURES
        })
    }

    fn note(&mut self, address: IpAddr, now: Instant) {
        if self.0.len() >= ADDRESSES {
            self.0
                .retain(|_, times| times.iter().any(|at| now.duration_since(*at) < WINDOW));
        }
        // Under attack from more addresses than that, the newest ones go unnoted rather than memory grow.
        if self.0.len() < ADDRESSES || self.0.contains_key(&address) {
            self.0.entry(address).or_default().push(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_a_minute_are_too_many() {
        let (mut failures, t0) = (Failures::default(), Instant::now());
        let address: IpAddr = [192, 0, 2, 1].into();
        for second in 0..5 {
            assert!(!failures.too_many(address, t0 + Duration::from_secs(second)));
            failures.note(address, t0 + Duration::from_secs(second));
        }
        assert!(failures.too_many(address, t0 + Duration::from_secs(59)));
        assert!(!failures.too_many([192, 0, 2, 2].into(), t0));
        assert!(!failures.too_many(address, t0 + Duration::from_secs(60)));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut failures, t0) = (Failures::default(), Instant::now());
        for number in 0..6000u32 {
            failures.note(std::net::Ipv4Addr::from(number).into(), t0);
        }
        assert_eq!(failures.0.len(), ADDRESSES);
        failures.note([192, 0, 2, 1].into(), t0 + WINDOW);
        assert_eq!(failures.0.len(), 1);
    }
}
