//! A small server program: a door with enrolment, radio and media links, and its state in memory.
// Helpers of tests are tests, which clippy cannot see.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use ipdect_link::{
    accept::{
        Accepted, Admitted, Applicant, Attach, Door, Enroller, Enrolments, Gatekeeper, Rejection,
        Terms,
    },
    contract::{Contract, MediaLink, RadioLink},
    dial::fleet::{self, Dialling, LinkEvent, Policy},
    enrol::Enrolling,
    identity::PeerIdentity,
    negotiate::Offer,
    pki::{
        ca::{CertificateAuthority, Subject},
        credentials::Credentials,
        tls::server_config,
    },
    release::Release,
    role::Role,
    token::{EnrolToken, Pin},
};
use ipdect_proto::{
    link::v1::{Fence, Hello, Refusal, enrolment_server::EnrolmentServer},
    media::v1::media_server::MediaServer,
    radio::v1::radio_server::RadioServer,
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const CLUSTER: &str = "5f0c2c2e-6a52-4b1f-9d57-000000000001";

/// What a server would keep in its store.
struct State {
    node_id: &'static str,
    authority: Arc<CertificateAuthority>,
    address: Mutex<String>,
    boot_id: AtomicU64,
    tokens: Mutex<BTreeMap<[u8; 32], (Role, u32, Instant)>>,
    devices: Arc<Mutex<Vec<Vec<u8>>>>,
    refusals: Mutex<Vec<(String, Refusal)>>,
    rejections: Mutex<Vec<String>>,
}

impl Gatekeeper for State {
    fn knows(&self, identity: &PeerIdentity) -> bool {
        self.devices.lock().contains(&identity.certificate_serial)
    }

    fn offer(&self) -> Offer {
        Offer::of(CLUSTER)
    }

    fn terms(&self) -> Terms {
        Terms {
            node_id: self.node_id.parse().unwrap(),
            boot_id: self.boot_id.load(Ordering::Relaxed),
            store_id: "store".into(),
            heartbeat: Duration::from_millis(300),
            orphan_grace: Duration::from_secs(900),
            servers: vec![(self.node_id.parse().unwrap(), self.address.lock().clone())],
        }
    }

    fn refused(&self, identity: &PeerIdentity, _: SocketAddr, _: &Hello, refusal: &Refusal) {
        self.refusals
            .lock()
            .push((identity.node_id.to_string(), refusal.clone()));
    }
}

#[async_trait::async_trait]
impl Enroller for State {
    fn authority(&self) -> Arc<CertificateAuthority> {
        self.authority.clone()
    }

    async fn admit(&self, applicant: Applicant) -> Result<Admitted, Rejection> {
        let mut tokens = self.tokens.lock();
        let (role, uses, expires) = tokens
            .get_mut(&applicant.token_hash)
            .ok_or(Rejection::WrongToken)?;
        if *role != applicant.role {
            return Err(Rejection::WrongToken);
        }
        if *uses == 0 {
            return Err(Rejection::UsedToken);
        }
        if *expires <= Instant::now() {
            return Err(Rejection::ExpiredToken);
        }
        *uses -= 1;
        let mut devices = self.devices.lock();
        devices.push(applicant.certificate_serial);
        Ok(Admitted {
            node_id: format!("unit-{}", devices.len()).parse().unwrap(),
            cluster_id: CLUSTER.into(),
            server_addresses: vec![self.address.lock().clone()],
            secret_key: Some(vec![42; 32]),
        })
    }

    async fn renew(&self, _: &PeerIdentity, certificate_serial: Vec<u8>) -> Result<(), Rejection> {
        self.devices.lock().push(certificate_serial);
        Ok(())
    }

    fn rejected(&self, _: SocketAddr, _: Role, _: &str, why: &str) {
        self.rejections.lock().push(why.to_owned());
    }
}

/// A running server, and what comes out of it.
pub(crate) struct House {
    pub(crate) address: String,
    pub(crate) authority: Arc<CertificateAuthority>,
    pub(crate) radio: mpsc::Receiver<Accepted<RadioLink>>,
    pub(crate) media: mpsc::Receiver<Accepted<MediaLink>>,
    state: Arc<State>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl House {
    /// Opens on a free port, with a certificate authority of its own.
    pub(crate) async fn open() -> Self {
        let authority = Arc::new(CertificateAuthority::make(CLUSTER, SystemTime::now()).unwrap());
        let state = Arc::new(State {
            node_id: "server-1",
            authority: authority.clone(),
            address: Mutex::default(),
            boot_id: AtomicU64::new(1),
            tokens: Mutex::default(),
            devices: Arc::default(),
            refusals: Mutex::default(),
            rejections: Mutex::default(),
        });
        Self::start(state, "127.0.0.1:0").await
    }

    async fn start(state: Arc<State>, listen: &str) -> Self {
        let listener = TcpListener::bind(listen).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        state.address.lock().clone_from(&address);
        let authority = state.authority.clone();
        let subject = Subject {
            cluster_id: CLUSTER.into(),
            role: Role::Server,
            node_id: "server-1".parse().unwrap(),
        };
        let own =
            Credentials::issue(&authority, &subject, SystemTime::now(), &mut rand::rng()).unwrap();
        let tls = Arc::new(ArcSwap::new(server_config(&own).unwrap()));
        let stop = CancellationToken::new();
        let (radio_service, radio) = Attach::<RadioLink>::new(state.clone(), &stop);
        let (media_service, media) = Attach::<MediaLink>::new(state.clone(), &stop);
        let door = Door::new(listener, tls, state.clone())
            .with(EnrolmentServer::new(Enrolments::new(state.clone())))
            .with(RadioServer::new(radio_service))
            .with(MediaServer::new(media_service));
        let serving = door.serve(stop.clone());
        let serving = tokio::spawn(async move { serving.await.unwrap() });
        Self {
            address,
            authority,
            radio,
            media,
            state,
            stop,
            serving,
        }
    }

    /// Another server of the same cluster, whose store knows the same units.
    pub(crate) async fn sibling(&self) -> Self {
        let state = State {
            node_id: "server-2",
            authority: self.authority.clone(),
            address: Mutex::default(),
            boot_id: AtomicU64::new(1),
            tokens: Mutex::default(),
            devices: self.state.devices.clone(),
            refusals: Mutex::default(),
            rejections: Mutex::default(),
        };
        Self::start(Arc::new(state), "127.0.0.1:0").await
    }

    /// Ends the process, as it were.
    pub(crate) async fn close(&mut self) {
        self.stop.cancel();
        (&mut self.serving).await.unwrap();
    }

    /// Ends the process, as it were, and begins a new one on the same port with the same store.
    pub(crate) async fn restart(&mut self) {
        self.close().await;
        self.state.boot_id.fetch_add(1, Ordering::Relaxed);
        *self = Self::start(self.state.clone(), &self.address).await;
    }

    pub(crate) fn pin(&self) -> Pin {
        self.authority.pin().unwrap()
    }

    pub(crate) fn token(&self, role: Role, uses: u32, valid: Duration) -> EnrolToken {
        let token = EnrolToken::make(role, Some(self.pin()), &mut rand::rng());
        self.state
            .tokens
            .lock()
            .insert(token.hash(), (role, uses, Instant::now() + valid));
        token
    }

    pub(crate) fn enrolling(&self, token: EnrolToken, folder: &Path) -> Enrolling {
        Enrolling {
            servers: vec![self.address.clone()],
            token,
            root: None,
            serial: "0001".into(),
            release: Release::ours(),
            wished_name: String::new(),
            folder: folder.join("pki"),
        }
    }

    /// Credentials of a unit that has enrolled.
    pub(crate) fn credentials(&self, role: Role, node_id: &str) -> Credentials {
        let subject = Subject {
            cluster_id: CLUSTER.into(),
            role,
            node_id: node_id.parse().unwrap(),
        };
        let issued = Credentials::issue(
            &self.authority,
            &subject,
            SystemTime::now(),
            &mut rand::rng(),
        )
        .unwrap();
        self.state
            .devices
            .lock()
            .push(issued.identity.certificate_serial.clone());
        issued
    }

    /// Strikes a unit out.
    pub(crate) fn forget(&self, credentials: &Credentials) {
        self.state
            .devices
            .lock()
            .retain(|serial| *serial != credentials.identity.certificate_serial);
    }

    /// Keeps links to this server as a media resource does.
    pub(crate) fn keep<C: Contract>(
        &self,
        credentials: &Credentials,
    ) -> (mpsc::Receiver<LinkEvent<C>>, CancellationToken) {
        keep(
            credentials,
            std::slice::from_ref(&self.address),
            Policy::Every,
        )
    }

    pub(crate) fn refusals(&self) -> Vec<(String, Refusal)> {
        self.state.refusals.lock().clone()
    }

    pub(crate) fn rejections(&self) -> Vec<String> {
        self.state.rejections.lock().clone()
    }
}

/// Keeps links as a device does; each link after the first reports a floor.
pub(crate) fn keep<C: Contract>(
    credentials: &Credentials,
    servers: &[String],
    policy: Policy,
) -> (mpsc::Receiver<LinkEvent<C>>, CancellationToken) {
    let again = Credentials::new(
        credentials.ca.clone(),
        credentials.chain.clone(),
        key_of(credentials),
    )
    .unwrap();
    let template = hello(credentials, 7);
    let links = AtomicU64::new(0);
    let dialling = Dialling {
        policy,
        servers: servers.to_vec(),
        credentials: Arc::new(ArcSwap::from_pointee(again)),
        hello: Arc::new(move |link_use| Hello {
            floors: (0..links.fetch_add(1, Ordering::Relaxed).min(1))
                .map(|_| Fence::default())
                .collect(),
            link_use: link_use.into(),
            ..template.clone()
        }),
    };
    let stop = CancellationToken::new();
    (fleet::keep(dialling, stop.clone()), stop)
}

fn key_of(credentials: &Credentials) -> Vec<u8> {
    credentials.key().secret_der().to_vec()
}

/// What a unit of our own release says.
pub(crate) fn hello(credentials: &Credentials, boot_id: u64) -> Hello {
    Hello {
        min_generation: 2,
        max_generation: 3,
        release: Release::ours().to_string(),
        role: credentials.identity.role.into(),
        node_id: credentials.identity.node_id.to_string(),
        cluster_id: credentials.identity.cluster_id.clone(),
        boot_id,
        ..Hello::default()
    }
}

/// Waits for a condition, 10 s at most.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition did not come true in 10 s");
}
