//! A small server: enrolment and media links, over real TLS on the loopback.
// Helpers of tests are tests, which clippy cannot see.
#![allow(clippy::unwrap_used)]
// A message that is not the one waited for comes back whole.
#![allow(clippy::result_large_err)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ipdect_link::accept::{
    Accepted, Admitted, Applicant, Attach, Door, Enroller, Enrolments, Gatekeeper, Rejection, Terms,
};
use ipdect_link::contract::{Envelope, MediaLink};
use ipdect_link::identity::PeerIdentity;
use ipdect_link::negotiate::Offer;
use ipdect_link::pki::ca::{CertificateAuthority, Subject};
use ipdect_link::pki::credentials::Credentials;
use ipdect_link::pki::tls::server_config;
use ipdect_link::role::Role;
use ipdect_link::token::EnrolToken;
use ipdect_media_resource::{Config, config, metrics, start};
use ipdect_node::config::{Document, Section};
use ipdect_node::{Environment, Metrics, Running};
use ipdect_proto::link::v1::enrolment_server::EnrolmentServer;
use ipdect_proto::link::v1::{Fence, FenceFloor, Floor, Hello, Order, OrderResult, Refusal};
use ipdect_proto::media::v1::media_server::MediaServer;
use ipdect_proto::media::v1::media_to_server::Body as Up;
use ipdect_proto::media::v1::server_to_media::Body as Down;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const CLUSTER: &str = "5f0c2c2e-6a52-4b1f-9d57-000000000002";
const PATIENCE: Duration = Duration::from_secs(20);

struct State {
    authority: Arc<CertificateAuthority>,
    address: Mutex<String>,
    devices: Mutex<Vec<Vec<u8>>>,
    token: EnrolToken,
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
            node_id: "server-1".parse().unwrap(),
            boot_id: 1,
            store_id: "store".into(),
            heartbeat: Duration::from_millis(500),
            orphan_grace: Duration::from_secs(900),
            servers: vec![("server-1".parse().unwrap(), self.address.lock().clone())],
        }
    }

    fn refused(&self, _: &PeerIdentity, _: SocketAddr, _: &Hello, refusal: &Refusal) {
        panic!("{refusal:?}");
    }
}

#[async_trait::async_trait]
impl Enroller for State {
    fn authority(&self) -> Arc<CertificateAuthority> {
        self.authority.clone()
    }

    async fn admit(&self, applicant: Applicant) -> Result<Admitted, Rejection> {
        if applicant.token_hash != self.token.hash() {
            return Err(Rejection::WrongToken);
        }
        self.devices.lock().push(applicant.certificate_serial);
        Ok(Admitted {
            node_id: "media-1".parse().unwrap(),
            cluster_id: CLUSTER.into(),
            server_addresses: vec![self.address.lock().clone()],
            secret_key: None,
        })
    }

    async fn renew(&self, _: &PeerIdentity, serial: Vec<u8>) -> Result<(), Rejection> {
        self.devices.lock().push(serial);
        Ok(())
    }

    fn rejected(&self, _: SocketAddr, _: Role, _: &str, _: &str) {}
}

/// A running server.
pub(crate) struct House {
    state: Arc<State>,
    media: mpsc::Receiver<Accepted<MediaLink>>,
    stop: CancellationToken,
}

impl House {
    pub(crate) async fn open() -> House {
        let authority = Arc::new(CertificateAuthority::make(CLUSTER, SystemTime::now()).unwrap());
        let pin = Some(authority.pin().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(State {
            authority: authority.clone(),
            address: Mutex::new(listener.local_addr().unwrap().to_string()),
            devices: Mutex::default(),
            token: EnrolToken::make(Role::Media, pin, &mut rand::rng()),
        });
        let subject = Subject {
            cluster_id: CLUSTER.into(),
            role: Role::Server,
            node_id: "server-1".parse().unwrap(),
        };
        let own =
            Credentials::issue(&authority, &subject, SystemTime::now(), &mut rand::rng()).unwrap();
        let tls = Arc::new(ArcSwap::new(server_config(&own).unwrap()));
        let stop = CancellationToken::new();
        let (service, media) = Attach::<MediaLink>::new(state.clone(), &stop);
        let door = Door::new(listener, tls, state.clone())
            .with(EnrolmentServer::new(Enrolments::new(state.clone())))
            .with(MediaServer::new(service));
        tokio::spawn(door.serve(stop.clone()));
        House { state, media, stop }
    }

    /// Configuration of a media resource of this house.
    pub(crate) fn config(&self, data_dir: &Path, token: &str) -> Config {
        let text = format!(
            "[node]\ndata_dir = '{}'\n[enrol]\nservers = ['{}']\ntoken = '{token}'\n\
             [rtp]\nbind = '127.0.0.1'\nports = '0'\nbase_ports = '0'\nworkers = 1\n",
            data_dir.display(),
            self.state.address.lock()
        );
        let keys = config::keys();
        let reader = Document::parse("media.toml", &text).read(&[Section::root(&keys)]);
        let config = Config::read(&reader.root());
        reader.finish(config).unwrap()
    }

    pub(crate) fn token(&self) -> String {
        self.state.token.reveal()
    }

    pub(crate) async fn media_resource(&self, data_dir: &Path) -> Running {
        let config = self.config(data_dir, &self.token());
        let environment = Environment::system(Metrics::new(&[metrics::METRICS]));
        start(config, environment).await.unwrap()
    }

    /// The next link of a media resource, floors told.
    pub(crate) async fn linked(&mut self) -> Owner {
        let link = tokio::time::timeout(PATIENCE, self.media.recv())
            .await
            .unwrap()
            .unwrap();
        let owner = Owner {
            link,
            next: 1,
            revision: 10,
            aside: vec![],
        };
        owner.floors(10);
        owner
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The server's end of one link.
pub(crate) struct Owner {
    pub(crate) link: Accepted<MediaLink>,
    next: u64,
    pub(crate) revision: u64,
    /// What came while something else was waited for.
    aside: Vec<Up>,
}

impl Owner {
    /// Tells the floors of all shards.
    pub(crate) fn floors(&self, revision: u64) {
        let floor = |shard| Floor {
            fence: Some(Fence {
                shard,
                era: 1,
                revision,
            }),
            node_id: "server-1".into(),
            boot_id: 1,
        };
        let floors = (0..1024).map(floor).collect();
        self.say(Down::FenceFloor(FenceFloor { floors }));
    }

    pub(crate) fn say(&self, body: Down) {
        self.link.sender.send(Bytes::new(), body).unwrap();
    }

    /// Gives an order; answers its result.
    pub(crate) async fn order(&mut self, make: impl FnOnce(Option<Order>) -> Down) -> OrderResult {
        let order_id = self.next;
        self.next += 1;
        let fence = Some(Fence {
            shard: 5,
            era: 1,
            revision: self.revision,
        });
        self.say(make(Some(Order { order_id, fence })));
        self.wait(|up| match up {
            Up::OrderResult(result) if result.order_id == order_id => Ok(result),
            other => Err(other),
        })
        .await
    }

    /// Waits for a message; others are kept for later.
    pub(crate) async fn wait<T>(&mut self, mut pick: impl FnMut(Up) -> Result<T, Up>) -> T {
        for kept in std::mem::take(&mut self.aside) {
            match pick(kept) {
                // What was kept behind it is rarely needed again; tests ask in order.
                Ok(found) => return found,
                Err(other) => self.aside.push(other),
            }
        }
        loop {
            let receiver = &mut self.link.receiver;
            let envelope = tokio::time::timeout(PATIENCE, receiver.recv())
                .await
                .unwrap()
                .unwrap();
            let Some(body) = envelope.unpack().1 else {
                continue;
            };
            match pick(body) {
                Ok(found) => return found,
                Err(other) => self.aside.push(other),
            }
        }
    }
}

/// A socket of a peer on the loopback.
pub(crate) fn peer() -> std::net::UdpSocket {
    let socket = std::net::UdpSocket::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket
}
