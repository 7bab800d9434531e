//! The base stations linked to this server, and the way from a connection to its handset and back.
//!
//! The anchor part: a NWK message goes to the owner of its handset, named by `<<PORTABLE-IDENTITY>>` of the first message on a connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ipdect_dect::identity::Ipei;
use ipdect_handset::{BaseId, Event, Held, Link, NwkUp, Outcome, Radio, Tag, Trace};
use ipdect_link::live::{LinkEnd, LinkHandle, LinkSender};
use ipdect_link::orders::Outstanding;
use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::base_to_server::Body as Up;
use ipdect_proto::radio::v1::server_to_base::Body as Down;
use parking_lot::{Mutex, RwLock};
use tracing::{debug, warn};

use super::convert;
use crate::fence::Fences;

/// What the pool needs of the rest of the server.
pub trait Owners: Send + Sync + 'static {
    /// Tells a handset something; starts a temporary one if nobody knows the IPEI.
    fn tell(&self, ipei: Ipei, event: Event);
    /// Tells a handset the result of its own order.
    fn answer(&self, ipei: Ipei, event: Event);
    /// Whose the identity in a NWK message is, if that can be told.
    fn whose(&self, pdu: &[u8]) -> Option<Ipei>;
    /// A cell's load changed.
    fn cell(&self, base: &str, report: &radio::CellReport);
}

/// Who asked for an order.
struct Asked {
    ipei: Ipei,
    tag: Option<Tag>,
}

struct Connection {
    ipei: Ipei,
}

struct State {
    down: Option<LinkSender<radio::ServerToBase>>,
    orders: Outstanding<Asked>,
    connections: HashMap<u64, Connection>,
    /// Connections whose owner is unknown: nobody could be told yet.
    unclaimed: HashMap<u64, Instant>,
}

/// One base station, linked or lately so.
pub struct Base {
    id: BaseId,
    boot: u64,
    rpn: u8,
    speech: SocketAddr,
    state: Mutex<State>,
}

/// All base stations of this server.
pub struct Pool {
    bases: RwLock<HashMap<String, Arc<Base>>>,
    fences: Fences,
    owners: RwLock<Option<Arc<dyn Owners>>>,
    /// DiffServ code point of speech packets.
    dscp: std::sync::atomic::AtomicU32,
}

/// A page in flight would need no state here: each base forgets it after its life.
impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(fences: Fences) -> Self {
        Self {
            bases: RwLock::default(),
            fences,
            owners: RwLock::new(None),
            dscp: std::sync::atomic::AtomicU32::new(46),
        }
    }

    /// Sets whom events go to.
    pub fn set_owners(&self, owners: Arc<dyn Owners>) {
        *self.owners.write() = Some(owners);
    }

    /// Sets the DiffServ code point that base stations mark speech with.
    pub fn set_dscp(&self, dscp: u32) {
        self.dscp.store(dscp, std::sync::atomic::Ordering::Relaxed);
    }

    /// A base station's active link stands. Connections of the same start (boot id) live on.
    pub fn attached(
        &self,
        node: &str,
        boot: u64,
        rpn: u8,
        speech: SocketAddr,
        down: LinkSender<radio::ServerToBase>,
    ) -> Arc<Base> {
        let mut bases = self.bases.write();
        let before = bases
            .get(node)
            .filter(|b| b.boot == boot && b.speech == speech)
            .cloned();
        let base = before.unwrap_or_else(|| {
            Arc::new(Base {
                id: BaseId(node.into()),
                boot,
                rpn,
                speech,
                state: Mutex::new(State {
                    down: None,
                    orders: Outstanding::new(),
                    connections: HashMap::new(),
                    unclaimed: HashMap::new(),
                }),
            })
        });
        {
            let mut state = base.state.lock();
            state.down = Some(down);
            // A new link counts its orders anew.
            state.orders = Outstanding::new();
        }
        bases.insert(node.into(), base.clone());
        base
    }

    /// The link of a base station is dead; whoever waits for a result learns that it is unknown.
    pub fn detached(&self, base: &Arc<Base>, link: &LinkHandle) {
        // A newer link of the same unit is none of the old one's business.
        if base
            .state
            .lock()
            .down
            .as_ref()
            .is_some_and(|d| !d.handle().is(link))
        {
            return;
        }
        let (abandoned, mut owners_of) = {
            let mut state = base.state.lock();
            state.down = None;
            let owners: Vec<Ipei> = state.connections.values().map(|c| c.ipei).collect();
            (
                std::mem::replace(&mut state.orders, Outstanding::new()).abandon(),
                owners,
            )
        };
        let Some(owners) = self.owners() else { return };
        for asked in abandoned {
            if let Some(tag) = asked.tag {
                owners.answer(
                    asked.ipei,
                    Event::Done {
                        tag,
                        outcome: Outcome::Unreachable,
                    },
                );
            }
        }
        owners_of.sort_unstable();
        owners_of.dedup();
        for ipei in owners_of {
            owners.answer(
                ipei,
                Event::BaseLost {
                    base: base.id.clone(),
                },
            );
        }
    }

    /// Base stations with a link now.
    #[must_use]
    pub fn linked(&self) -> usize {
        self.bases
            .read()
            .values()
            .filter(|b| b.state.lock().down.is_some())
            .count()
    }

    /// Connections of handsets at all base stations.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.bases
            .read()
            .values()
            .map(|b| b.state.lock().connections.len())
            .sum()
    }

    /// Sends each linked base station what is made for its number, and is no order.
    pub fn tell_each(&self, make: impl Fn(u8) -> Down) {
        for base in self.bases.read().values() {
            send(base, Bytes::new(), make(base.rpn));
        }
    }

    /// Ends the link of a device that may no longer have one.
    pub fn cut(&self, node: &str) {
        if let Some(down) = self
            .bases
            .read()
            .get(node)
            .and_then(|b| b.state.lock().down.clone())
        {
            down.handle().end(LinkEnd::Closed);
        }
    }

    /// Ends the links whose oldest order waits too long for its result.
    pub fn end_overdue(&self, now: Instant) {
        for one in self.bases.read().values() {
            let state = one.state.lock();
            if let Some(down) = state.down.as_ref().filter(|_| state.orders.overdue(now)) {
                warn!(node = %one.id, "an order has had no result for 2 s; its link counts as dead");
                down.handle().end(LinkEnd::Silent);
            }
        }
    }

    /// Carries an order of the handset `ipei` to its base station.
    pub fn order(&self, now: Instant, ipei: Ipei, trace: &Trace, order: Radio) {
        match order {
            Radio::Page {
                tag,
                page,
                identity,
                header,
                except,
            } => {
                let told = self.page(now, ipei, trace, &except, |order| {
                    Down::Page(convert::page(order, page, identity, header))
                });
                let outcome = if told == 0 {
                    Outcome::Unreachable
                } else {
                    Outcome::Done
                };
                self.done(ipei, tag, outcome);
            }
            Radio::CancelPage { page } => {
                self.page(now, ipei, trace, &[], |order| {
                    Down::CancelPage(radio::CancelPage {
                        order: Some(order),
                        page_id: page,
                    })
                });
            }
            other => self.order_one(now, ipei, trace, other),
        }
    }

    fn order_one(&self, now: Instant, ipei: Ipei, trace: &Trace, order: Radio) {
        let (link, tag) = target(&order);
        let link = link.clone();
        let base = self.bases.read().get(&link.base.0).cloned();
        let Some(base) = base else {
            if let Some(tag) = tag {
                self.done(ipei, tag, Outcome::Unreachable);
            }
            return;
        };
        if let Radio::ReleaseConnection { .. } = &order {
            base.state.lock().unclaimed.remove(&link.connection);
        }
        let dscp = self.dscp.load(std::sync::atomic::Ordering::Relaxed);
        let sent = self.send_order(&base, now, ipei, tag, trace, |o| body(order, o, ipei, dscp));
        if !sent && let Some(tag) = tag {
            self.done(ipei, tag, Outcome::Unreachable);
        }
    }

    fn page(
        &self,
        now: Instant,
        ipei: Ipei,
        trace: &Trace,
        except: &[BaseId],
        make: impl Fn(link::Order) -> Down,
    ) -> usize {
        let bases: Vec<Arc<Base>> = self
            .bases
            .read()
            .values()
            .filter(|b| !except.contains(&b.id))
            .cloned()
            .collect();
        bases
            .iter()
            .filter(|base| self.send_order(base, now, ipei, None, trace, &make))
            .count()
    }

    fn send_order(
        &self,
        base: &Arc<Base>,
        now: Instant,
        ipei: Ipei,
        tag: Option<Tag>,
        trace: &Trace,
        make: impl FnOnce(link::Order) -> Down,
    ) -> bool {
        let mut state = base.state.lock();
        let Some(down) = state.down.clone() else {
            return false;
        };
        let order_id = state.orders.issue(now, Asked { ipei, tag });
        let body = make(link::Order {
            order_id,
            fence: Some(self.fences.of(ipei)),
        });
        if down.send(trace_bytes(trace), body).is_err() {
            state.orders.answered(order_id);
            return false;
        }
        true
    }

    fn done(&self, ipei: Ipei, tag: Tag, outcome: Outcome) {
        if let Some(owners) = self.owners() {
            owners.answer(ipei, Event::Done { tag, outcome });
        }
    }

    fn owners(&self) -> Option<Arc<dyn Owners>> {
        self.owners.read().clone()
    }

    /// Takes in a message of a base station.
    pub fn received(&self, base: &Arc<Base>, message: radio::BaseToServer) {
        let Some(owners) = self.owners() else { return };
        let trace = Trace(message.trace.as_ref().try_into().ok());
        match message.body {
            Some(Up::OrderResult(result)) => self.result(base, &owners, &result),
            Some(Up::ConnectionUp(up)) => {
                base.state
                    .lock()
                    .unclaimed
                    .insert(up.connection_id, Instant::now());
            }
            Some(Up::NwkUp(up)) => self.nwk_up(base, &owners, up, trace),
            Some(Up::ConnectionDown(down)) => self.down(base, &owners, &down),
            Some(Up::Inventory(inventory)) => self.inventory(base, &owners, inventory),
            Some(Up::CellReport(report)) => owners.cell(&base.id.0, &report),
            Some(Up::ConnectionReport(report)) => {
                metrics::counter!("ipdect_radio_frames_total").increment(u64::from(report.frames));
                metrics::counter!("ipdect_radio_bad_frames_total")
                    .increment(u64::from(report.bad_b));
            }
            // The base denies a handover by itself when nobody grants it in time.
            Some(Up::HandoverRequested(wanted)) => {
                debug!(base = %base.id, connection = wanted.connection_id, "handover between base stations is not available in this release");
            }
            Some(Up::HandoverDone(_) | Up::LapcContext(_) | Up::CipherState(_)) => {}
            Some(Up::Hello(_) | Up::Ping(_) | Up::Pong(_)) | None => {}
        }
    }

    fn result(&self, base: &Arc<Base>, owners: &Arc<dyn Owners>, result: &link::OrderResult) {
        let asked = base.state.lock().orders.answered(result.order_id);
        let Some(asked) = asked else { return };
        let outcome = convert::outcome(result.status);
        if outcome != Outcome::Done {
            debug!(base = %base.id, ?outcome, detail = %result.detail, "an order was refused");
            metrics::counter!("ipdect_radio_orders_refused_total").increment(1);
        }
        if let Some(tag) = asked.tag {
            owners.answer(asked.ipei, Event::Done { tag, outcome });
        }
    }

    fn nwk_up(&self, base: &Arc<Base>, owners: &Arc<dyn Owners>, up: radio::NwkUp, trace: Trace) {
        let known = base
            .state
            .lock()
            .connections
            .get(&up.connection_id)
            .map(|c| c.ipei);
        let ipei = known.or_else(|| owners.whose(&up.pdu));
        let Some(ipei) = ipei else {
            warn!(base = %base.id, connection = up.connection_id, "the first message on a connection names no handset");
            metrics::counter!("ipdect_radio_unidentified_total").increment(1);
            return;
        };
        {
            let mut state = base.state.lock();
            state.unclaimed.remove(&up.connection_id);
            state
                .connections
                .entry(up.connection_id)
                .or_insert(Connection { ipei });
        }
        owners.tell(ipei, Event::Nwk(nwk(base, &up, trace)));
    }

    fn down(&self, base: &Arc<Base>, owners: &Arc<dyn Owners>, down: &radio::ConnectionDown) {
        let known = {
            let mut state = base.state.lock();
            state.unclaimed.remove(&down.connection_id);
            state.connections.remove(&down.connection_id)
        };
        if let Some(connection) = known {
            let link = Link {
                base: base.id.clone(),
                connection: down.connection_id,
            };
            let reason = convert::down(down.reason);
            owners.tell(connection.ipei, Event::ConnectionDown { link, reason });
        }
    }

    /// What a base station holds: connections of handsets that are known again, and what was said meanwhile.
    fn inventory(&self, base: &Arc<Base>, owners: &Arc<dyn Owners>, inventory: radio::Inventory) {
        let mut by_handset: HashMap<Ipei, Vec<Held>> = HashMap::new();
        let before: Vec<Ipei> = base
            .state
            .lock()
            .connections
            .values()
            .map(|c| c.ipei)
            .collect();
        for ipei in before {
            by_handset.entry(ipei).or_default();
        }
        for held in &inventory.connections {
            let Some(ipei) = self.owner_of(base, owners, held) else {
                continue;
            };
            base.state
                .lock()
                .connections
                .insert(held.connection_id, Connection { ipei });
            by_handset
                .entry(ipei)
                .or_default()
                .push(held_of(base, held));
        }
        for ended in &inventory.ended {
            let down = radio::ConnectionDown {
                connection_id: ended.connection_id,
                reason: ended.reason,
                last_report: None,
            };
            self.down(base, owners, &down);
        }
        let mut all: Vec<(Ipei, Vec<Held>)> = by_handset.into_iter().collect();
        all.sort_by_key(|(ipei, _)| *ipei);
        for (ipei, connections) in all {
            owners.tell(
                ipei,
                Event::BaseBack {
                    base: base.id.clone(),
                    same_boot: true,
                    connections,
                },
            );
        }
    }

    fn owner_of(
        &self,
        base: &Arc<Base>,
        owners: &Arc<dyn Owners>,
        held: &radio::HeldConnection,
    ) -> Option<Ipei> {
        held.ipei
            .parse()
            .ok()
            .or_else(|| {
                base.state
                    .lock()
                    .connections
                    .get(&held.connection_id)
                    .map(|c| c.ipei)
            })
            .or_else(|| held.unacked.first().and_then(|up| owners.whose(&up.pdu)))
    }
}

fn nwk(base: &Base, up: &radio::NwkUp, trace: Trace) -> NwkUp {
    NwkUp {
        link: Link {
            base: base.id.clone(),
            connection: up.connection_id,
        },
        rpn: base.rpn,
        speech: base.speech,
        seq: up.seq,
        pdu: up.pdu.clone(),
        trace,
    }
}

fn held_of(base: &Base, held: &radio::HeldConnection) -> Held {
    Held {
        connection: held.connection_id,
        speech: held.path.is_some(),
        last_up_seq: held.last_up_seq,
        last_down_seq: held.last_down_seq,
        unacked: held
            .unacked
            .iter()
            .map(|up| nwk(base, up, Trace(None)))
            .collect(),
    }
}

/// The connection an order is for, and the tag that waits for its result.
fn target(order: &Radio) -> (&Link, Option<Tag>) {
    match order {
        Radio::Bind { link }
        | Radio::AckNwk { link, .. }
        | Radio::CloseSpeech { link }
        | Radio::Adopt { link }
        | Radio::ReleaseConnection { link, .. } => (link, None),
        Radio::SendNwk { tag, link, .. } | Radio::OpenSpeech { tag, link, .. } => {
            (link, Some(*tag))
        }
        Radio::Page { .. } | Radio::CancelPage { .. } => {
            unreachable!("pages go to every base station")
        }
    }
}

fn body(order: Radio, o: link::Order, ipei: Ipei, dscp: u32) -> Down {
    let order_field = Some(o);
    match order {
        Radio::Bind { link } => Down::Bind(radio::Bind {
            order: order_field,
            connection_id: link.connection,
            ipei: convert::ipei(ipei),
        }),
        Radio::SendNwk { link, seq, pdu, .. } => Down::NwkDown(radio::NwkDown {
            order: order_field,
            connection_id: link.connection,
            seq,
            pdu,
        }),
        Radio::AckNwk { link, seq } => Down::NwkAck(radio::NwkAck {
            order: order_field,
            connection_id: link.connection,
            seq,
        }),
        Radio::OpenSpeech { link, path, .. } => Down::OpenSpeech(radio::OpenSpeech {
            order: order_field,
            connection_id: link.connection,
            path: Some(convert::path(&path)),
            dscp,
        }),
        Radio::CloseSpeech { link } => Down::CloseSpeech(radio::CloseSpeech {
            order: order_field,
            connection_id: link.connection,
        }),
        Radio::Adopt { link } => Down::Adopt(radio::Adopt {
            order: order_field,
            connection_id: link.connection,
        }),
        Radio::ReleaseConnection { link, reason } => {
            Down::ReleaseConnection(radio::ReleaseConnection {
                order: order_field,
                connection_id: link.connection,
                reason: convert::cause(reason).into(),
            })
        }
        Radio::Page { .. } | Radio::CancelPage { .. } => {
            unreachable!("pages go to every base station")
        }
    }
}

fn send(base: &Arc<Base>, trace: Bytes, body: Down) {
    let down = base.state.lock().down.clone();
    if let Some(down) = down
        && down.send(trace, body).is_err()
    {
        warn!(base = %base.id, "a base station does not keep up");
    }
}

/// A trace as envelopes carry it.
pub(crate) fn trace_bytes(trace: &Trace) -> Bytes {
    trace
        .0
        .map_or_else(Bytes::new, |octets| Bytes::copy_from_slice(&octets))
}
