//! The service of servers: takes their orders, tells them what happens.
//!
//! An order is judged and handed to its worker under one lock; the answer is awaited without it. The messages of one
//! link are dealt with one after the other.

mod told;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipdect_link::contract::{Envelope, MediaLink};
use ipdect_link::dial::Opened;
use ipdect_link::fence::Start;
use ipdect_link::live::LinkSender;
use ipdect_link::orders::result;
use ipdect_media::session::{LegId, LegStats, OrderError};
use ipdect_media::tones::Region;
use ipdect_node::Environment;
use ipdect_proto::link::v1::{Fence, OrderResult, OrderStatus};
use ipdect_proto::media::v1::media_to_server::Body as Up;
use ipdect_proto::media::v1::server_to_media::Body as Down;
use ipdect_proto::media::v1::{self as wire, MediaToServer};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::{Instrument, debug, info, warn};

use crate::book::{Book, Held, Step};
use crate::convert::{self, Ordered};
use crate::metrics::{Handles, LegKind};
use crate::session::ports::Ports;
use crate::session::{Act, Command, Done, Failure, Hands, SessionKey, SessionState};

/// Sessions in one part of an inventory.
const PART: usize = 64;
/// How long sessions live without any server until one has said otherwise.
const ORPHAN_GRACE: Duration = Duration::from_secs(15 * 60);

/// A worker that told nothing for this long is stuck, or its thread is gone.
const STUCK: Duration = Duration::from_secs(10);

/// A link that stands.
struct Link {
    start: Start,
    sender: LinkSender<MediaToServer>,
}

/// What the last `Configure` said.
#[derive(Debug, Clone, Copy, Default)]
struct Configured {
    revision: u64,
    region: Region,
}

/// The service; shared by all links.
pub(crate) struct Service {
    pub(crate) book: Mutex<Book>,
    hands: Vec<Hands>,
    ports: Ports,
    base_ports: Vec<u16>,
    links: Mutex<Vec<Link>>,
    configured: Mutex<Configured>,
    orphaned: Mutex<(Option<Instant>, Duration)>,
    drops: Mutex<BTreeMap<u16, u64>>,
    /// When each worker told of its last second, and its busy part.
    busy: Mutex<BTreeMap<usize, (Instant, f64)>>,
    pub(crate) handles: Handles,
    environment: Environment,
}

/// An order's answer, and what goes before it on the same link.
struct Answered {
    before: Vec<Up>,
    result: OrderResult,
}

/// An order that a worker carries out.
struct Handed {
    key: SessionKey,
    /// Leg that the order makes; it is forgotten if that fails.
    new_leg: Option<LegId>,
    answer: oneshot::Receiver<Result<Done, Failure>>,
}

impl Service {
    pub(crate) fn new(
        hands: Vec<Hands>,
        ports: Ports,
        base: &[std::net::SocketAddr],
        capacity: usize,
        environment: Environment,
    ) -> Service {
        let handles = Handles::new(&environment.metrics);
        let now = environment.clock.now();
        let busy = (0..hands.len())
            .map(|worker| (worker, (now, 0.0)))
            .collect();
        Service {
            book: Mutex::new(Book::new(hands.len(), capacity)),
            hands,
            ports,
            base_ports: base.iter().map(std::net::SocketAddr::port).collect(),
            links: Mutex::default(),
            configured: Mutex::default(),
            orphaned: Mutex::new((Some(now), ORPHAN_GRACE)),
            drops: Mutex::new(ipdect_node::drops::read()),
            busy: Mutex::new(busy),
            handles,
            environment,
        }
    }

    /// Serves one server until its link ends.
    pub(crate) fn serve(
        self: Arc<Self>,
        link: Opened<MediaLink>,
    ) -> impl Future<Output = ()> + Send {
        let Opened {
            welcome,
            sender,
            mut receiver,
            ..
        } = link;
        let start = Start {
            node_id: welcome.node_id,
            boot_id: welcome.boot_id,
        };
        let grace = Duration::from_millis(welcome.orphan_grace_ms.into());
        self.linked(
            Link {
                start: start.clone(),
                sender: sender.clone(),
            },
            grace,
        );
        async move {
            self.tell_inventory(&sender, 0, None).await;
            while let Some(envelope) = receiver.recv().await {
                let (trace, body) = envelope.unpack();
                match body {
                    Some(body) => self.heard(&sender, &start, trace, body).await,
                    // A later generation may say more than we know.
                    None => debug!("message without known content"),
                }
            }
            self.unlinked(&sender);
        }
    }

    /// Why no calls can be carried now; empty if they can.
    pub(crate) fn hindrances(&self) -> Vec<String> {
        let now = self.environment.clock.now();
        let stuck = |at: &Instant| now.saturating_duration_since(*at) > STUCK;
        let busy = self.busy.lock();
        let mut reasons: Vec<String> = (busy.iter())
            .filter(|(_, (at, _))| stuck(at))
            .map(|(worker, _)| format!("worker {worker} does not turn"))
            .collect();
        if self.links() == 0 {
            reasons.push("no server is linked".to_owned());
        }
        reasons
    }

    /// Links that stand.
    pub(crate) fn links(&self) -> usize {
        self.links.lock().len()
    }

    fn linked(&self, link: Link, grace: Duration) {
        let mut links = self.links.lock();
        // A newer link of the same server takes the place of the old one.
        links.retain(|other| other.start.node_id != link.start.node_id);
        links.push(link);
        *self.orphaned.lock() = (None, if grace.is_zero() { ORPHAN_GRACE } else { grace });
    }

    fn unlinked(&self, sender: &LinkSender<MediaToServer>) {
        let mut links = self.links.lock();
        links.retain(|link| !link.sender.handle().is(sender.handle()));
        if links.is_empty() {
            self.orphaned.lock().0 = Some(self.environment.clock.now());
        }
    }

    async fn heard(
        &self,
        sender: &LinkSender<MediaToServer>,
        start: &Start,
        trace: Bytes,
        body: Down,
    ) {
        match body {
            Down::FenceFloor(floors) => {
                let learnt = self.book.lock().floors.learn(&floors);
                if !learnt.disputed.is_empty() {
                    warn!(shards = ?learnt.disputed, "one token is claimed by two starts");
                }
            }
            Down::Query(query) => {
                let shards = query.fences.iter().map(|f| f.shard).collect();
                self.tell_inventory(sender, query.query_id, Some(shards))
                    .await;
            }
            Down::Configure(configure) => self.configure(&configure),
            body => {
                let region = self.configured.lock().region;
                if let Some(ordered) = convert::order(body, region) {
                    let session = ordered.head.session.clone();
                    let span = span_of(&ordered, &trace);
                    let answered = self.obey(start, ordered).instrument(span).await;
                    self.book.lock().keep_trace(&session, &trace);
                    self.answer(sender, trace, answered);
                }
            }
        }
    }

    fn answer(&self, sender: &LinkSender<MediaToServer>, trace: Bytes, answered: Answered) {
        self.handles.order(answered.result.status().as_str_name());
        let result = Up::OrderResult(answered.result);
        for body in answered.before.into_iter().chain([result]) {
            // A link that is over has nobody who waits; the next owner asks for the inventory.
            let _ = sender.send(trace.clone(), body);
        }
    }

    fn configure(&self, configure: &wire::Configure) {
        let mut configured = self.configured.lock();
        if configure.revision >= configured.revision {
            let region = Region::from_code(&configure.tone_region);
            *configured = Configured {
                revision: configure.revision,
                region,
            };
        }
    }

    /// Judges an order, has it carried out, and keeps what it brought.
    async fn obey(&self, from: &Start, ordered: Ordered) -> Answered {
        let order_id = ordered.head.order_id;
        let head = ordered.head.clone();
        let Handed {
            key,
            new_leg,
            answer,
        } = match self.hand_on(from, ordered) {
            Ok(handed) => handed,
            Err(result) => {
                if result.status() == OrderStatus::Done {
                    self.book.lock().keep_record(&head);
                }
                return Answered {
                    before: vec![],
                    result,
                };
            }
        };
        let outcome = answer.await.unwrap_or(Err(Failure::NoSocket));
        match outcome {
            Ok(done) => {
                let before = self.note(key, done, &head.session);
                self.book.lock().keep_record(&head);
                Answered {
                    before,
                    result: result(order_id, OrderStatus::Done, ""),
                }
            }
            Err(failure) => {
                if let Some(leg) = new_leg {
                    self.book.lock().leg_closed(key, leg);
                }
                let result = result(order_id, status(failure), &failure.to_string());
                Answered {
                    before: vec![],
                    result,
                }
            }
        }
    }

    /// Under the lock of the book: judges, and sends to the worker.
    fn hand_on(&self, from: &Start, ordered: Ordered) -> Result<Handed, OrderResult> {
        let Ordered { head, asked, act } = ordered;
        let now = self.environment.clock.now();
        let mut book = self.book.lock();
        let (key, worker) = match book.judge(now, &head, &asked, from) {
            Step::Run { key, worker, .. } => (key, worker),
            Step::Answer(result) => {
                if result.status() == OrderStatus::NoResource {
                    self.handles.rejected("sessions");
                }
                return Err(result);
            }
        };
        let invalid = |detail: &str| result(head.order_id, OrderStatus::Invalid, detail);
        let mut act = act
            .map_err(|d| invalid(&d))?
            .ok_or_else(|| invalid("nothing to do"))?;
        let opened = leg_kind(&act);
        let held = book.session(&head.session);
        let new = opened.filter(|(leg, _)| !held.is_some_and(|h| h.legs.contains_key(leg)));
        if let (Act::OpenSip { sockets, .. }, Some(_)) = (&mut act, new) {
            *sockets = Some(self.ports.lease().map_err(|_| {
                self.handles.rejected("ports");
                let detail = "no pair of RTP ports is free";
                result(head.order_id, OrderStatus::NoResource, detail)
            })?);
        }
        let (reply, answer) = oneshot::channel();
        if let Some(hands) = self.hands.get(worker) {
            hands.send(Command::Act {
                session: key,
                act,
                reply,
            });
        }
        if let Some((leg, kind)) = new {
            // The port follows with the answer; that the leg exists must be known before another order is judged.
            book.leg_opened(key, leg, kind, 0);
        }
        let new_leg = new.map(|(leg, _)| leg);
        Ok(Handed {
            key,
            new_leg,
            answer,
        })
    }

    /// Notes in the book what a worker did; answers what the server is told before the result.
    fn note(&self, key: SessionKey, done: Done, session_id: &str) -> Vec<Up> {
        let now = self.environment.clock.now();
        let mut book = self.book.lock();
        match done {
            Done::Done => vec![],
            Done::Opened { leg, rtp, rtcp } => {
                let kind = book
                    .session(session_id)
                    .and_then(|h| h.legs.get(&leg))
                    .map(|l| l.0);
                let sip = kind == Some(LegKind::Sip);
                let port = if sip { rtp.port() } else { 0 };
                book.leg_opened(key, leg, kind.unwrap_or(LegKind::Dect), port);
                vec![Up::LegOpened(wire::LegOpened {
                    session_id: session_id.to_owned(),
                    leg_id: leg,
                    address: rtp.ip().to_string(),
                    rtp_port: rtp.port().into(),
                    rtcp_port: rtcp.port().into(),
                    ice: None,
                })]
            }
            Done::LegClosed(stats) => {
                let told = stats.iter().map(|(leg, stats)| {
                    book.leg_closed(key, *leg);
                    Up::LegStats(convert::stats(session_id, *leg, stats, true))
                });
                told.collect()
            }
            Done::Closed(stats) => {
                self.count_one_way(&stats);
                let told = closed(session_id, &stats, "ordered");
                book.closed(now, key, stats);
                info!(session = session_id, "media session closed");
                vec![told]
            }
        }
    }

    fn count_one_way(&self, stats: &[(LegId, LegStats)]) {
        let heard = stats.iter().filter(|(_, s)| s.received > 0).count();
        let busy = stats.iter().any(|(_, s)| s.received > 50);
        if busy && heard > 0 && heard < stats.len() {
            self.handles.one_way.increment(1);
        }
    }

    /// Tells what is held, in parts; `None`: of all shards.
    async fn tell_inventory(
        &self,
        sender: &LinkSender<MediaToServer>,
        query_id: u64,
        shards: Option<Vec<u32>>,
    ) {
        let held: Vec<(String, Held)> = {
            let book = self.book.lock();
            book.held(shards.as_deref())
                .map(|(id, held)| (id.clone(), held.clone()))
                .collect()
        };
        let mut parts: Vec<Vec<(String, Held)>> = held.chunks(PART).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(vec![]);
        }
        let last = parts.len() - 1;
        for (n, part) in parts.into_iter().enumerate() {
            let states = self.describe(&part).await;
            let now = self.environment.clock.now();
            let sessions = part
                .iter()
                .map(|(id, held)| held_session(now, id, held, &states));
            let inventory = wire::Inventory {
                query_id,
                last: n == last,
                sessions: sessions.collect(),
            };
            if sender.send(Bytes::new(), Up::Inventory(inventory)).is_err() {
                return;
            }
        }
    }

    async fn describe(&self, part: &[(String, Held)]) -> BTreeMap<SessionKey, SessionState> {
        let mut states = BTreeMap::new();
        for (worker, hands) in self.hands.iter().enumerate() {
            let open = |held: &Held| held.worker == worker && held.closed().is_none();
            let sessions: Vec<_> = part
                .iter()
                .filter(|(_, h)| open(h))
                .map(|(_, h)| h.key)
                .collect();
            if sessions.is_empty() {
                continue;
            }
            let (reply, answer) = oneshot::channel();
            hands.send(Command::Describe { sessions, reply });
            states.extend(answer.await.unwrap_or_default());
        }
        states
    }
}

/// The span of an order, a child of the server's.
fn span_of(ordered: &Ordered, trace: &[u8]) -> tracing::Span {
    let session = &ordered.head.session;
    let span = match &ordered.act {
        Ok(Some(Act::Open | Act::OpenBase { .. } | Act::OpenSip { .. })) => {
            tracing::info_span!("media.open", %session)
        }
        _ => tracing::debug_span!("media.order", %session),
    };
    ipdect_node::trace::set_parent(&span, trace);
    span
}

fn leg_kind(act: &Act) -> Option<(LegId, LegKind)> {
    match act {
        Act::OpenBase { leg, .. } => Some((*leg, LegKind::Dect)),
        Act::OpenSip { leg, .. } => Some((*leg, LegKind::Sip)),
        _ => None,
    }
}

fn status(failure: Failure) -> OrderStatus {
    match failure {
        Failure::UnknownSession => OrderStatus::UnknownTarget,
        Failure::SsrcInUse => OrderStatus::Conflict,
        Failure::NoSocket => OrderStatus::NoResource,
        Failure::Order(OrderError::UnknownLeg | OrderError::UnknownPath) => {
            OrderStatus::UnknownTarget
        }
        Failure::Order(OrderError::Conflict) => OrderStatus::Conflict,
        Failure::Order(_) => OrderStatus::Invalid,
    }
}

fn closed(session_id: &str, stats: &[(LegId, LegStats)], reason: &str) -> Up {
    let final_stats = stats
        .iter()
        .map(|(leg, s)| convert::stats(session_id, *leg, s, true));
    Up::SessionClosed(wire::SessionClosed {
        session_id: session_id.to_owned(),
        final_stats: final_stats.collect(),
        reason: reason.to_owned(),
    })
}

fn held_session(
    now: Instant,
    id: &str,
    held: &Held,
    states: &BTreeMap<SessionKey, SessionState>,
) -> wire::HeldSession {
    let state = states.get(&held.key);
    let fence = Fence {
        shard: held.shard,
        era: held.token.era,
        revision: held.token.revision,
    };
    let final_stats = held.closed().unwrap_or_default();
    wire::HeldSession {
        session_id: id.to_owned(),
        call_ref: held.call_ref.clone(),
        fence: Some(fence),
        record: held.record.clone(),
        legs: state
            .map(|s| s.legs.iter().map(convert::held_leg).collect())
            .unwrap_or_default(),
        junctions: state
            .map(|s| convert::junctions(&s.junctions))
            .unwrap_or_default(),
        closed: held.closed().is_some(),
        final_stats: final_stats
            .iter()
            .map(|(l, s)| convert::stats(id, *l, s, true))
            .collect(),
        age_ms: u64::try_from(held.age(now).as_millis()).unwrap_or(u64::MAX),
        mixers: vec![],
    }
}
