//! An open link, alike on both sides: bounded queues, heartbeat, one reason for its end. Source: contracts 5.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use ipdect_proto::link::v1::{Ping, Pong};
use parking_lot::Mutex;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::contract::{Control, Envelope};

/// Messages that may wait in one direction; a peer that lets them fill is disconnected.
pub const QUEUE: usize = 256;
/// Unanswered pings after which the link is dead.
const MISSED_PINGS: u32 = 3;

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkEnd {
    /// This side closed it.
    #[error("closed by this side")]
    Closed,
    /// The peer closed it, or the connection broke.
    #[error("closed by the peer: {0}")]
    PeerClosed(String),
    /// Three pings were not answered.
    #[error("the peer does not answer")]
    Silent,
    /// The peer does not take what is sent to it.
    #[error("the peer takes nothing any more")]
    Stalled,
    /// This side's own program took nothing, so that the peer was not heard either.
    #[error("this side took no message in time")]
    Overrun,
    /// The peer said what has no place on an open link.
    #[error("the peer broke the contract: {0}")]
    Protocol(&'static str),
    /// The same process of the peer linked anew.
    #[error("replaced by a newer link of the same node")]
    Replaced,
}

/// What both halves of a link share.
#[derive(Debug)]
struct Shared {
    cancel: CancellationToken,
    end: Mutex<Option<LinkEnd>>,
    heard: Mutex<Instant>,
    round_trip_us: AtomicU32,
    own_load: AtomicU32,
    peer_load: AtomicU32,
}

/// Watches and ends a link; may be cloned.
#[derive(Clone, Debug)]
pub struct LinkHandle(Arc<Shared>);

impl LinkHandle {
    /// A link that also ends with `parent`.
    pub(crate) fn new(parent: &CancellationToken) -> Self {
        Self(Arc::new(Shared {
            cancel: parent.child_token(),
            end: Mutex::new(None),
            heard: Mutex::new(Instant::now()),
            round_trip_us: AtomicU32::new(0),
            own_load: AtomicU32::new(0),
            peer_load: AtomicU32::new(0),
        }))
    }

    /// Ends the link, unless it has ended; the first reason stays.
    pub fn end(&self, reason: LinkEnd) {
        self.0.end.lock().get_or_insert(reason);
        self.0.cancel.cancel();
    }

    /// Waits for the end.
    pub async fn ended(&self) -> LinkEnd {
        self.0.cancel.cancelled().await;
        self.0.end.lock().clone().unwrap_or(LinkEnd::Closed)
    }

    /// Why the link ended; `None` while it stands.
    #[must_use]
    pub fn reason(&self) -> Option<LinkEnd> {
        self.0
            .cancel
            .is_cancelled()
            .then(|| self.0.end.lock().clone().unwrap_or(LinkEnd::Closed))
    }

    /// Time since anything was heard of the peer.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        self.0.heard.lock().elapsed()
    }

    /// Round trip of the last heartbeat; zero before the first.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        Duration::from_micros(self.0.round_trip_us.load(Ordering::Relaxed).into())
    }

    /// Load that the peer told last, 0 idle to 1 full.
    #[must_use]
    pub fn peer_load(&self) -> f32 {
        f32::from_bits(self.0.peer_load.load(Ordering::Relaxed))
    }

    /// Sets the load told to the peer, 0 idle to 1 full.
    pub fn set_load(&self, load: f32) {
        self.0.own_load.store(load.to_bits(), Ordering::Relaxed);
    }

    /// Whether both are handles of the same link.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn token(&self) -> CancellationToken {
        self.0.cancel.clone()
    }

    fn own_load(&self) -> f32 {
        f32::from_bits(self.0.own_load.load(Ordering::Relaxed))
    }
}

/// The link is over; the message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link is over: {0}")]
pub struct LinkClosed(pub LinkEnd);

/// Sending half of a link; may be cloned.
#[derive(Clone, Debug)]
pub struct LinkSender<E: Envelope> {
    queue: mpsc::Sender<E>,
    handle: LinkHandle,
}

impl<E: Envelope> LinkSender<E> {
    /// Queues a message with its trace, without waiting.
    ///
    /// # Errors
    /// [`LinkClosed`] if the link is over, or is now because 256 messages wait already.
    pub fn send(&self, trace: Bytes, body: E::Body) -> Result<(), LinkClosed> {
        self.send_envelope(E::pack(trace, body))
    }

    /// Queues a whole envelope, without waiting.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_envelope(&self, envelope: E) -> Result<(), LinkClosed> {
        if let Some(end) = self.handle.reason() {
            return Err(LinkClosed(end));
        }
        self.queue.try_send(envelope).map_err(|error| {
            self.handle.end(match error {
                mpsc::error::TrySendError::Full(_) => LinkEnd::Stalled,
                mpsc::error::TrySendError::Closed(_) => {
                    LinkEnd::PeerClosed("the stream is closed".into())
                }
            });
            LinkClosed(self.handle.reason().unwrap_or(LinkEnd::Closed))
        })
    }

    /// The link itself.
    #[must_use]
    pub fn handle(&self) -> &LinkHandle {
        &self.handle
    }
}

/// Receiving half of a link. Control messages are answered below it. Dropping it ends the link.
#[derive(Debug)]
pub struct LinkReceiver<E: Envelope> {
    queue: mpsc::Receiver<E>,
    handle: LinkHandle,
}

impl<E: Envelope> LinkReceiver<E> {
    /// The next message; `None` when the link is over and all that came has been taken.
    pub async fn recv(&mut self) -> Option<E> {
        self.queue.recv().await
    }

    /// The link itself.
    #[must_use]
    pub fn handle(&self) -> &LinkHandle {
        &self.handle
    }
}

impl<E: Envelope> Drop for LinkReceiver<E> {
    fn drop(&mut self) {
        self.handle.end(LinkEnd::Closed);
    }
}

/// Starts the life of an open link: answers and sends pings, passes everything else on.
pub(crate) fn start<In: Envelope, Out: Envelope>(
    incoming: impl Stream<Item = Result<In, Status>> + Unpin + Send + 'static,
    outgoing: mpsc::Sender<Out>,
    handle: LinkHandle,
    heartbeat: Duration,
) -> (LinkSender<Out>, LinkReceiver<In>) {
    let (into, queue) = mpsc::channel(QUEUE);
    let sender = LinkSender {
        queue: outgoing,
        handle: handle.clone(),
    };
    let receiver = LinkReceiver {
        queue,
        handle: handle.clone(),
    };
    let pump = Pump {
        sender: sender.clone(),
        into,
        nonce: 0,
        sent: Instant::now(),
        unanswered: 0,
    };
    tokio::spawn(async move {
        let end = tokio::select! {
            end = pump.run(incoming, heartbeat) => end,
            end = handle.ended() => end,
        };
        handle.end(end);
    });
    (sender, receiver)
}

/// The task of one link.
struct Pump<In: Envelope, Out: Envelope> {
    sender: LinkSender<Out>,
    into: mpsc::Sender<In>,
    nonce: u64,
    sent: Instant,
    unanswered: u32,
}

impl<In: Envelope, Out: Envelope> Pump<In, Out> {
    async fn run(
        mut self,
        mut incoming: impl Stream<Item = Result<In, Status>> + Unpin,
        heartbeat: Duration,
    ) -> LinkEnd {
        let mut beat = tokio::time::interval(heartbeat.max(Duration::from_millis(10)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let into = self.into.clone();
            // Nothing is read while the queue is full: the peer's own queue then fills, or its pings go unanswered.
            let next = async {
                let permit = into.reserve().await.map_err(|_| LinkEnd::Closed)?;
                match incoming.next().await {
                    Some(Ok(envelope)) => Ok((permit, envelope)),
                    Some(Err(status)) => Err(LinkEnd::PeerClosed(status.message().to_owned())),
                    None => Err(LinkEnd::PeerClosed("end of stream".into())),
                }
            };
            let done = tokio::select! {
                got = next => got.and_then(|(permit, envelope)| self.take(permit, envelope)),
                _ = beat.tick() => self.ping(),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    fn take(&mut self, permit: mpsc::Permit<'_, In>, envelope: In) -> Result<(), LinkEnd> {
        let shared = &self.sender.handle.0;
        *shared.heard.lock() = Instant::now();
        match envelope.sort() {
            Err(message) => permit.send(message),
            Ok(Control::Ping(ping)) => {
                shared
                    .peer_load
                    .store(ping.load.to_bits(), Ordering::Relaxed);
                let load = self.sender.handle.own_load();
                self.say(Control::Pong(Pong {
                    nonce: ping.nonce,
                    load,
                }))?;
            }
            Ok(Control::Pong(pong)) if pong.nonce == self.nonce => {
                shared
                    .peer_load
                    .store(pong.load.to_bits(), Ordering::Relaxed);
                let round_trip = u32::try_from(self.sent.elapsed().as_micros()).unwrap_or(u32::MAX);
                shared.round_trip_us.store(round_trip, Ordering::Relaxed);
                self.unanswered = 0;
            }
            // An answer that comes after the next question still proves life.
            Ok(Control::Pong(pong)) if pong.nonce < self.nonce => self.unanswered = 0,
            Ok(Control::Pong(_)) => return Err(LinkEnd::Protocol("answer to a ping never sent")),
            Ok(Control::Hello(_) | Control::Welcome(_) | Control::Refusal(_)) => {
                return Err(LinkEnd::Protocol("handshake on an open link"));
            }
        }
        Ok(())
    }

    fn ping(&mut self) -> Result<(), LinkEnd> {
        if self.unanswered >= MISSED_PINGS {
            // With the queue full nothing is read, the answers to our pings neither: that is not the peer's fault.
            let full = self.into.capacity() == 0;
            return Err(if full {
                LinkEnd::Overrun
            } else {
                LinkEnd::Silent
            });
        }
        self.unanswered += 1;
        self.nonce += 1;
        self.sent = Instant::now();
        let load = self.sender.handle.own_load();
        self.say(Control::Ping(Ping {
            nonce: self.nonce,
            load,
        }))
    }

    fn say(&self, control: Control) -> Result<(), LinkEnd> {
        let envelope =
            Out::control(control).ok_or(LinkEnd::Protocol("no such message in this direction"))?;
        self.sender
            .send_envelope(envelope)
            .map_err(|LinkClosed(end)| end)
    }
}
