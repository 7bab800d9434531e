//! Links to servers: what the fleet of `ipdect_link` tells, made into events of the cell, in one queue.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use ipdect_link::compat::{MAX_GENERATION, MIN_GENERATION};
use ipdect_link::contract::{Envelope, RadioLink};
use ipdect_link::dial::Opened;
use ipdect_link::dial::fleet::{Dialling, LinkEvent, Policy, keep};
use ipdect_link::live::LinkSender;
use ipdect_link::pki::credentials::Credentials;
use ipdect_link::release::Release;
use ipdect_proto::link::v1::{Hello, LinkUse};
use ipdect_proto::radio::v1::{BaseToServer, base_to_server, server_to_base};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::cell::LinkId;
use crate::cell::fence::{Fence, Start};
use crate::convert;

/// Messages of servers that may wait for the cell.
const QUEUE: usize = 256;
/// Duplex bearers, told in `Hello`.
const CAPACITY: u32 = ipdect_dect::mac::BEARERS as u32;

/// What a `Hello` says; floors change while the device runs.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) serial: String,
    pub(crate) boot_id: u64,
    pub(crate) speech_address: SocketAddr,
    pub(crate) floors: Mutex<(u64, Vec<Fence>)>,
}

impl Greeting {
    fn hello(&self, link_use: LinkUse) -> Hello {
        let (era, floors) = self.floors.lock().clone();
        Hello {
            min_generation: MIN_GENERATION,
            max_generation: MAX_GENERATION,
            release: Release::ours().to_string(),
            serial: self.serial.clone(),
            boot_id: self.boot_id,
            link_use: link_use.into(),
            speech_address: self.speech_address.to_string(),
            capacity: CAPACITY,
            era,
            floors: floors.into_iter().map(convert::fence).collect(),
            ..Hello::default()
        }
    }
}

/// What links bring.
// Most of them are messages, so a box would cost more than the room.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub(crate) enum Event {
    /// A link stands.
    Up {
        link: LinkId,
        sender: LinkSender<BaseToServer>,
        start: Start,
        active: bool,
        orphan_grace: Duration,
    },
    /// A server says something.
    Message {
        link: LinkId,
        trace: Bytes,
        body: server_to_base::Body,
    },
    /// A link is gone.
    Down { link: LinkId },
}

/// Dials servers until `stop`, and tells what happens.
pub(crate) fn start(
    servers: Vec<String>,
    credentials: Arc<ArcSwap<Credentials>>,
    greeting: Arc<Greeting>,
    stop: CancellationToken,
) -> mpsc::Receiver<Event> {
    let (events, receiver) = mpsc::channel(QUEUE);
    let hello = Arc::new(move |link_use| greeting.hello(link_use));
    let dialling = Dialling {
        policy: Policy::ActiveStandby,
        servers,
        credentials,
        hello,
    };
    tokio::spawn(run(keep::<RadioLink>(dialling, stop), events));
    receiver
}

async fn run(mut fleet: mpsc::Receiver<LinkEvent<RadioLink>>, events: mpsc::Sender<Event>) {
    let mut links: BTreeMap<String, LinkId> = BTreeMap::new();
    let mut last: LinkId = 0;
    while let Some(event) = fleet.recv().await {
        let told = match event {
            LinkEvent::Up { link_use, link } => {
                last += 1;
                links.insert(link.address.clone(), last);
                up(last, link_use != LinkUse::Standby, link, &events).await
            }
            LinkEvent::Down { address, .. } => match links.remove(&address) {
                Some(link) => events.send(Event::Down { link }).await.is_ok(),
                None => true,
            },
            // The cell promotes its standby by itself when the active link is gone.
            LinkEvent::Promoted { .. }
            | LinkEvent::Refused { .. }
            | LinkEvent::Unreachable { .. } => true,
        };
        if !told {
            return;
        }
    }
}

async fn up(
    link: LinkId,
    active: bool,
    opened: Opened<RadioLink>,
    events: &mpsc::Sender<Event>,
) -> bool {
    let Opened {
        welcome,
        sender,
        mut receiver,
        ..
    } = opened;
    let up = Event::Up {
        link,
        sender,
        start: Start {
            node_id: welcome.node_id,
            boot_id: welcome.boot_id,
        },
        active,
        orphan_grace: Duration::from_millis(welcome.orphan_grace_ms.into()),
    };
    if events.send(up).await.is_err() {
        return false;
    }
    let events = events.clone();
    // One task a link, one queue for all: what a server says after `Welcome` comes after `Up`.
    tokio::spawn(async move {
        while let Some(envelope) = receiver.recv().await {
            let (trace, body) = envelope.unpack();
            let Some(body) = body else { continue };
            if events
                .send(Event::Message { link, trace, body })
                .await
                .is_err()
            {
                return;
            }
        }
    });
    true
}

/// The links that stand, to tell servers on.
#[derive(Debug, Default)]
pub(crate) struct Senders(BTreeMap<LinkId, LinkSender<BaseToServer>>);

impl Senders {
    pub(crate) fn add(&mut self, link: LinkId, sender: LinkSender<BaseToServer>) {
        self.0.insert(link, sender);
    }

    pub(crate) fn remove(&mut self, link: LinkId) {
        self.0.remove(&link);
    }

    /// Sets the load that heartbeats tell, 0 idle to 1 full.
    pub(crate) fn set_load(&self, load: f32) {
        self.0
            .values()
            .for_each(|sender| sender.handle().set_load(load));
    }

    /// Queues a message. On a link that is over it is lost, and its `Down` is on the way.
    pub(crate) fn tell(&self, link: LinkId, trace: Bytes, body: base_to_server::Body) {
        if let Some(sender) = self.0.get(&link)
            && let Err(error) = sender.send(trace, body)
        {
            tracing::debug!(link, %error, "server not told");
        }
    }
}
