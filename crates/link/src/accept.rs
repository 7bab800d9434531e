//! The server's side of links: handshake, heartbeat, and the port that all services share. Source: contracts 4, 5.

pub mod door;
pub mod enrolment;

use std::{collections::BTreeMap, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, future, stream};
use ipdect_proto::{
    link::v1::{Hello, Refusal, ServerAddress, Welcome},
    media::v1::media_server::Media,
    radio::v1::radio_server::Radio,
};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::{info, warn};

use crate::{
    contract::{Contract, Control, Envelope, MediaLink, RadioLink},
    identity::PeerIdentity,
    live::{self, LinkEnd, LinkHandle, LinkReceiver, LinkSender, QUEUE},
    negotiate::{Agreement, Caller, Offer, negotiate},
    release::Release,
    role::NodeId,
};

pub use door::{Door, PeerInfo};
pub use enrolment::{Admitted, Applicant, Enroller, Enrolments, Rejection};

/// How long a device may take to say `Hello`.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Accepted links that may wait for the program to take them.
const WAITING_LINKS: usize = 64;

/// What a server tells each device that it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The server.
    pub node_id: NodeId,
    /// The server's start.
    pub boot_id: u64,
    /// UUID of the store.
    pub store_id: String,
    /// Distance of two pings.
    pub heartbeat: Duration,
    /// How long a device without any server keeps what carries speech.
    pub orphan_grace: Duration,
    /// All servers of the cluster: node id and address of the link port.
    pub servers: Vec<(NodeId, String)>,
}

/// What the server program knows and the handshake asks. Called often, must not block.
pub trait Gatekeeper: Send + Sync + 'static {
    /// Whether the store's device record names this certificate's serial number, and is not disabled.
    fn knows(&self, identity: &PeerIdentity) -> bool;

    /// What the server brings into the handshake now.
    fn offer(&self) -> Offer;

    /// What it tells devices now.
    fn terms(&self) -> Terms;

    /// A device was refused: to be shown with reason and remedy until it is gone for 24 h.
    fn refused(
        &self,
        identity: &PeerIdentity,
        address: SocketAddr,
        hello: &Hello,
        refusal: &Refusal,
    );
}

/// A link that stands, as the server program gets it.
#[derive(Debug)]
pub struct Accepted<C: Contract> {
    /// Who dialled, by certificate.
    pub identity: PeerIdentity,
    /// From where.
    pub address: SocketAddr,
    /// What it said.
    pub hello: Hello,
    /// Its release.
    pub release: Release,
    /// Generation spoken.
    pub generation: u32,
    /// It was let in although nothing is stated about its release: to be shown as a warning.
    pub not_stated: bool,
    /// To the device.
    pub sender: LinkSender<C::Down>,
    /// From the device.
    pub receiver: LinkReceiver<C::Up>,
}

/// Stream that a handler answers with.
pub type DownStream<C> = Pin<Box<dyn Stream<Item = Result<<C as Contract>::Down, Status>> + Send>>;

/// The `Attach` service of one kind of link.
#[derive(Debug)]
pub struct Attach<C: Contract>(Arc<Inner<C>>);

impl<C: Contract> Clone for Attach<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Inner<C: Contract> {
    gate: Arc<dyn Gatekeeper>,
    stop: CancellationToken,
    linked: Mutex<BTreeMap<NodeId, (u64, LinkHandle)>>,
    links: mpsc::Sender<Accepted<C>>,
}

impl<C: Contract> std::fmt::Debug for Inner<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attach")
            .field("linked", &self.linked.lock().len())
            .finish_non_exhaustive()
    }
}

impl<C: Contract> Attach<C> {
    /// A service whose links come out of the receiver, and all end with `stop`.
    #[must_use]
    pub fn new(
        gate: Arc<dyn Gatekeeper>,
        stop: &CancellationToken,
    ) -> (Self, mpsc::Receiver<Accepted<C>>) {
        let (links, accepted) = mpsc::channel(WAITING_LINKS);
        let linked = Mutex::default();
        (
            Self(Arc::new(Inner {
                gate,
                stop: stop.clone(),
                linked,
                links,
            })),
            accepted,
        )
    }

    /// Answers at once with the server's stream; the handshake goes on beside it.
    fn open(&self, request: Request<Streaming<C::Up>>) -> Result<Response<DownStream<C>>, Status> {
        let peer = request.extensions().get::<PeerInfo>().cloned();
        let PeerInfo {
            address,
            identity: Some(identity),
        } = peer.ok_or_else(|| Status::internal("this service stands behind no door"))?
        else {
            return Err(Status::unauthenticated(
                "a certificate of the cluster is needed; enrol first",
            ));
        };
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let (last_words, end) = oneshot::channel();
        let handle = LinkHandle::new(&self.0.stop);
        let messages = ReceiverStream::new(queue)
            .map(Ok)
            .take_until(handle.token().cancelled_owned());
        let end = stream::once(end)
            .filter_map(|status: Result<Status, _>| future::ready(status.ok().map(Err)));
        let handshake = Handshake {
            inner: self.0.clone(),
            identity,
            address,
            outgoing,
            handle,
        };
        tokio::spawn(handshake.run(request.into_inner(), last_words));
        Ok(Response::new(Box::pin(messages.chain(end))))
    }
}

/// One device that has opened the stream and not said `Hello` yet.
struct Handshake<C: Contract> {
    inner: Arc<Inner<C>>,
    identity: PeerIdentity,
    address: SocketAddr,
    outgoing: mpsc::Sender<C::Down>,
    handle: LinkHandle,
}

impl<C: Contract> Handshake<C> {
    async fn run(self, mut incoming: Streaming<C::Up>, last_words: oneshot::Sender<Status>) {
        let status = match self.hello(&mut incoming).await {
            Err(status) => status,
            Ok(hello) => match self.decide(&hello) {
                Ok(agreement) => match self.welcome(agreement, hello, incoming).await {
                    Ok(()) => return,
                    Err(status) => status,
                },
                Err(refusal) => self.refuse(&hello, refusal),
            },
        };
        // The device may be gone already; then nobody needs the last words.
        let _ = last_words.send(status);
    }

    async fn hello(&self, incoming: &mut Streaming<C::Up>) -> Result<Hello, Status> {
        let stop = self.handle.token();
        let first = tokio::select! {
            first = tokio::time::timeout(HELLO_TIMEOUT, incoming.message()) => first,
            () = stop.cancelled() => return Err(Status::unavailable("the server stops")),
        };
        match first {
            Err(_) => Err(Status::deadline_exceeded("no Hello within 5 s")),
            Ok(Err(status)) => Err(status),
            Ok(Ok(None)) => Err(Status::cancelled("the stream ended before Hello")),
            Ok(Ok(Some(envelope))) => match envelope.sort() {
                Ok(Control::Hello(hello)) => Ok(hello),
                _ => Err(Status::invalid_argument("the first message must be Hello")),
            },
        }
    }

    /// Asks the pure verdict; a link of the same process that went unnoticed makes place.
    fn decide(&self, hello: &Hello) -> Result<Agreement, Refusal> {
        let gate = &self.inner.gate;
        let heartbeat = gate.terms().heartbeat;
        let mut linked = self.inner.linked.lock();
        let other = linked.get(&self.identity.node_id);
        let answering =
            other.filter(|(_, link)| link.reason().is_none() && link.silent_for() < 3 * heartbeat);
        let caller = Caller {
            identity: &self.identity,
            known: gate.knows(&self.identity),
            link_role: C::ROLE,
            linked_as: answering.map(|(boot_id, _)| *boot_id),
        };
        let agreement = negotiate(&gate.offer(), caller, hello)?;
        let now = (hello.boot_id, self.handle.clone());
        if let Some((_, old)) = linked.insert(self.identity.node_id.clone(), now) {
            old.end(LinkEnd::Replaced);
        }
        Ok(agreement)
    }

    fn refuse(&self, hello: &Hello, refusal: Refusal) -> Status {
        let Refusal { rule, remedy, .. } = &refusal;
        let reason = refusal.reason().as_str_name();
        warn!(node = %self.identity.node_id, %reason, %rule, %remedy, "link refused");
        let peer_kind = crate::role::role_name(C::ROLE);
        let short = reason.trim_start_matches("REFUSAL_REASON_");
        metrics::counter!("ipdect_link_rejected_total", "peer_kind" => peer_kind, "reason" => short)
            .increment(1);
        self.inner
            .gate
            .refused(&self.identity, self.address, hello, &refusal);
        let status = Status::failed_precondition(remedy.clone());
        if let Some(envelope) = C::Down::control(Control::Refusal(refusal)) {
            // The queue is empty and its reader alive, or the device is gone.
            let _ = self.outgoing.try_send(envelope);
        }
        status
    }

    async fn welcome(
        self,
        agreement: Agreement,
        hello: Hello,
        incoming: Streaming<C::Up>,
    ) -> Result<(), Status> {
        let gate = &self.inner.gate;
        let (terms, offer) = (gate.terms(), gate.offer());
        let heartbeat = terms.heartbeat;
        let welcome = welcome(agreement, &offer, terms);
        let gone = |_| Status::cancelled("the device is gone");
        if let Some(envelope) = C::Down::control(Control::Welcome(welcome)) {
            self.outgoing.try_send(envelope).map_err(gone)?;
        }
        info!(node = %self.identity.node_id, generation = agreement.generation, "link opened");
        let (sender, receiver) =
            live::start(incoming, self.outgoing, self.handle.clone(), heartbeat);
        let node_id = self.identity.node_id.clone();
        let accepted = Accepted {
            identity: self.identity,
            address: self.address,
            hello,
            release: agreement.release,
            generation: agreement.generation,
            not_stated: agreement.not_stated,
            sender,
            receiver,
        };
        if self.inner.links.send(accepted).await.is_err() {
            self.handle.end(LinkEnd::Closed);
        }
        let end = self.handle.ended().await;
        info!(node = %node_id, %end, "link over");
        self.inner.forget(&node_id, &self.handle);
        Ok(())
    }
}

impl<C: Contract> Inner<C> {
    fn forget(&self, node_id: &NodeId, handle: &LinkHandle) {
        let mut linked = self.linked.lock();
        if linked
            .get(node_id)
            .is_some_and(|(_, known)| known.is(handle))
        {
            linked.remove(node_id);
        }
    }
}

fn welcome(agreement: Agreement, offer: &Offer, terms: Terms) -> Welcome {
    let millis = |span: Duration| u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
    let address = |(node_id, address): (NodeId, String)| ServerAddress {
        node_id: node_id.to_string(),
        address,
    };
    Welcome {
        generation: agreement.generation,
        release: offer.release.to_string(),
        node_id: terms.node_id.to_string(),
        boot_id: terms.boot_id,
        cluster_id: offer.cluster_id.clone(),
        store_id: terms.store_id,
        heartbeat_ms: millis(terms.heartbeat),
        orphan_grace_ms: millis(terms.orphan_grace),
        servers: terms.servers.into_iter().map(address).collect(),
    }
}

#[tonic::async_trait]
impl Radio for Attach<RadioLink> {
    type AttachStream = DownStream<RadioLink>;

    async fn attach(
        &self,
        request: Request<Streaming<<RadioLink as Contract>::Up>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        self.open(request)
    }
}

#[tonic::async_trait]
impl Media for Attach<MediaLink> {
    type AttachStream = DownStream<MediaLink>;

    async fn attach(
        &self,
        request: Request<Streaming<<MediaLink as Contract>::Up>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        self.open(request)
    }
}
