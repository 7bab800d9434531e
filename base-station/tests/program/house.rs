//! A server as small as can be: a door that enrols and links base stations, with the test as its mind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use ipdect_link::accept::{
    Accepted, Admitted, Applicant, Attach, Door, Enroller, Enrolments, Gatekeeper, Rejection, Terms,
};
use ipdect_link::contract::{Envelope, RadioLink};
use ipdect_link::identity::PeerIdentity;
use ipdect_link::negotiate::Offer;
use ipdect_link::pki::ca::{CertificateAuthority, Subject};
use ipdect_link::pki::credentials::Credentials;
use ipdect_link::pki::tls::server_config;
use ipdect_link::role::Role;
use ipdect_link::token::EnrolToken;
use ipdect_proto::link::v1::enrolment_server::EnrolmentServer;
use ipdect_proto::link::v1::{
    Fence, FenceFloor, Floor, Hello, Order, OrderResult, OrderStatus, Refusal,
};
use ipdect_proto::radio::v1::radio_server::RadioServer;
use ipdect_proto::radio::v1::{Configure, base_to_server, server_to_base};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const CLUSTER: &str = "5f0c2c2e-6a52-4b1f-9d57-000000000001";
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

struct State {
    authority: Arc<CertificateAuthority>,
    address: Mutex<String>,
    token: Mutex<Option<EnrolToken>>,
    devices: Mutex<Vec<Vec<u8>>>,
}

impl Gatekeeper for State {
    fn knows(&self, identity: &PeerIdentity) -> bool {
        self.devices.lock().contains(&identity.certificate_serial)
    }

    fn offer(&self) -> Offer {
        Offer::of(CLUSTER)
    }

    fn terms(&self) -> Terms {
        let node_id: ipdect_link::role::NodeId = "server-1".parse().unwrap();
        Terms {
            servers: vec![(node_id.clone(), self.address.lock().clone())],
            node_id,
            boot_id: 1,
            store_id: "store".into(),
            heartbeat: Duration::from_secs(1),
            orphan_grace: Duration::from_secs(900),
        }
    }

    fn refused(&self, _: &PeerIdentity, _: SocketAddr, _: &Hello, refusal: &Refusal) {
        panic!("refused: {refusal:?}");
    }
}

#[async_trait::async_trait]
impl Enroller for State {
    fn authority(&self) -> Arc<CertificateAuthority> {
        self.authority.clone()
    }

    async fn admit(&self, applicant: Applicant) -> Result<Admitted, Rejection> {
        let token = self
            .token
            .lock()
            .take_if(|token| token.hash() == applicant.token_hash);
        token.ok_or(Rejection::WrongToken)?;
        self.devices.lock().push(applicant.certificate_serial);
        Ok(Admitted {
            node_id: "base-1".parse().unwrap(),
            cluster_id: CLUSTER.into(),
            server_addresses: vec![self.address.lock().clone()],
            secret_key: None,
        })
    }

    async fn renew(&self, _: &PeerIdentity, _: Vec<u8>) -> Result<(), Rejection> {
        Err(Rejection::WrongToken)
    }

    fn rejected(&self, _: SocketAddr, _: Role, _: &str, _: &str) {}
}

/// The server, and the link that its base station has now.
pub(crate) struct House {
    pub(crate) address: String,
    state: Arc<State>,
    links: mpsc::Receiver<Accepted<RadioLink>>,
    link: Option<Accepted<RadioLink>>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    order_id: u64,
}

impl House {
    pub(crate) async fn open() -> Self {
        let authority = Arc::new(CertificateAuthority::make(CLUSTER, SystemTime::now()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State {
            authority,
            address: Mutex::new(address.clone()),
            token: Mutex::default(),
            devices: Mutex::default(),
        });
        Self::serve(state, listener, address).await
    }

    async fn serve(state: Arc<State>, listener: TcpListener, address: String) -> Self {
        let subject = Subject {
            cluster_id: CLUSTER.into(),
            role: Role::Server,
            node_id: "server-1".parse().unwrap(),
        };
        let own = Credentials::issue(
            &state.authority,
            &subject,
            SystemTime::now(),
            &mut rand::rng(),
        )
        .unwrap();
        let tls = Arc::new(ArcSwap::new(server_config(&own).unwrap()));
        let stop = CancellationToken::new();
        let (radio, links) = Attach::<RadioLink>::new(state.clone(), &stop);
        let door = Door::new(listener, tls, state.clone())
            .with(EnrolmentServer::new(Enrolments::new(state.clone())))
            .with(RadioServer::new(radio));
        let serving = door.serve(stop.clone());
        let serving = tokio::spawn(async move { serving.await.unwrap() });
        Self {
            address,
            state,
            links,
            link: None,
            stop,
            serving,
            order_id: 0,
        }
    }

    pub(crate) fn token(&self) -> EnrolToken {
        let pin = self.state.authority.pin().unwrap();
        let token = EnrolToken::make(Role::Base, Some(pin), &mut rand::rng());
        self.state.token.lock().replace(token.clone());
        token
    }

    /// Ends all links and the listening, and waits until nobody is served any more.
    pub(crate) async fn close(self) -> Closed {
        self.stop.cancel();
        self.serving.await.expect("the door closes");
        Closed {
            address: self.address,
            state: self.state,
        }
    }

    /// Waits for the base to link, and tells it floors and configuration.
    pub(crate) async fn welcome(&mut self) -> Hello {
        let link = tokio::time::timeout(PATIENCE, self.links.recv())
            .await
            .expect("a link in time")
            .unwrap();
        let hello = link.hello.clone();
        self.link = Some(link);
        let floors = (0..1024).map(|shard| Floor {
            fence: Some(fence(shard)),
            node_id: "server-1".into(),
            boot_id: 1,
        });
        self.tell(server_to_base::Body::FenceFloor(FenceFloor {
            floors: floors.collect(),
        }));
        self.tell(server_to_base::Body::Configure(Configure {
            revision: 1,
            park: vec![0x22, 0x00, 0x46, 0x8A, 0x00].into(),
            park_length_bits: 31,
            rpn: 0x2A,
            capabilities: 0x30_0000_0000,
            ..Configure::default()
        }));
        hello
    }

    fn tell(&self, body: server_to_base::Body) {
        let link = self.link.as_ref().expect("a link");
        link.sender
            .send(Default::default(), body)
            .expect("the link stands");
    }

    /// The next message of the base that `wanted` takes; others are passed over.
    pub(crate) async fn hears<T>(
        &mut self,
        wanted: impl Fn(base_to_server::Body) -> Option<T>,
    ) -> T {
        let link = self.link.as_mut().expect("a link");
        let find = async {
            loop {
                let (_, body) = link
                    .receiver
                    .recv()
                    .await
                    .expect("the link stands")
                    .unpack();
                if let Some(found) = body.and_then(&wanted) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, find)
            .await
            .expect("a message in time")
    }

    /// Gives an order that `make` builds around its head, and waits for DONE.
    pub(crate) async fn orders(
        &mut self,
        make: impl FnOnce(Option<Order>) -> server_to_base::Body,
    ) {
        self.order_id += 1;
        let order_id = self.order_id;
        self.tell(make(Some(Order {
            order_id,
            fence: Some(fence(331)),
        })));
        let result = self
            .hears(|body| match body {
                base_to_server::Body::OrderResult(result) if result.order_id == order_id => {
                    Some(result)
                }
                _ => None,
            })
            .await;
        assert_eq!(
            result,
            OrderResult {
                order_id,
                status: OrderStatus::Done.into(),
                ..OrderResult::default()
            }
        );
    }
}

/// A server that is down; its store lives on.
pub(crate) struct Closed {
    address: String,
    state: Arc<State>,
}

impl Closed {
    /// Begins anew at the same address.
    pub(crate) async fn open(self) -> House {
        let listener = loop {
            match TcpListener::bind(&self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        House::serve(self.state, listener, self.address).await
    }
}

fn fence(shard: u32) -> Fence {
    Fence {
        shard,
        era: 1,
        revision: 10,
    }
}
