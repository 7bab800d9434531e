//! The base stations linked to this server, and the way from a connection to its handset and back.
//!
//! The anchor part: a NWK message goes to the owner of its handset, named by `<<PORTABLE-IDENTITY>>` of the first message on a connection.

mod ordering;
mod reports;

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use ipdect_dect::identity::Ipei;
use ipdect_handset::{BaseId, Event, Link, Outcome, Tag};
use ipdect_link::live::{LinkHandle, LinkSender};
use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::server_to_base::Body as Down;
use parking_lot::{Mutex, RwLock};

use crate::fence::Fences;
use crate::line::Line;

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

struct State {
    line: Line<radio::ServerToBase, Asked>,
    /// Whose each connection is.
    connections: HashMap<u64, Ipei>,
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
    /// Connections that a former start of this server knew, until their base station links.
    expected: Mutex<HashMap<BaseId, HashMap<u64, Ipei>>>,
    fences: Fences,
    owners: RwLock<Option<Arc<dyn Owners>>>,
    /// DiffServ code point of speech packets.
    dscp: AtomicU32,
}

/// A page in flight would need no state here: each base forgets it after its life.
impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(fences: Fences) -> Self {
        Self {
            bases: RwLock::default(),
            expected: Mutex::default(),
            fences,
            owners: RwLock::new(None),
            dscp: AtomicU32::new(46),
        }
    }

    /// Sets whom events go to.
    pub fn set_owners(&self, owners: Arc<dyn Owners>) {
        *self.owners.write() = Some(owners);
    }

    /// Sets the DiffServ code point that base stations mark speech with.
    pub fn set_dscp(&self, dscp: u32) {
        self.dscp.store(dscp, Ordering::Relaxed);
    }

    /// A connection of a call that a former start of this server knew: its handset is told what became of it.
    pub fn expect(&self, link: &Link, ipei: Ipei) {
        let mut expected = self.expected.lock();
        let connections = expected.entry(link.base.clone()).or_default();
        connections.insert(link.connection, ipei);
    }

    /// Asks the base stations of a handset what they hold of it.
    pub fn ask(&self, ipei: Ipei) {
        let query = link::Query {
            query_id: ipei.bits(),
            fences: vec![self.fences.of(ipei)],
        };
        for base in self.bases.read().values() {
            let state = base.state.lock();
            if state.connections.values().any(|whose| *whose == ipei) {
                state.line.tell(&base.id, Down::Query(query.clone()));
            }
        }
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
                    line: Line::new(),
                    connections: self
                        .expected
                        .lock()
                        .remove(&BaseId(node.into()))
                        .unwrap_or_default(),
                }),
            })
        });
        base.state.lock().line.connect(down);
        let before = bases.insert(node.into(), base.clone());
        drop(bases);
        if let Some(former) = before.filter(|b| b.boot != boot) {
            self.started_anew(&former);
        }
        base
    }

    /// A base station that starts anew has lost the connections of its former start.
    fn started_anew(&self, former: &Base) {
        let connections = std::mem::take(&mut former.state.lock().connections);
        let handsets: BTreeSet<Ipei> = connections.into_values().collect();
        let Some(owners) = self.owners() else { return };
        for ipei in handsets {
            let event = Event::BaseBack {
                base: former.id.clone(),
                same_boot: false,
                connections: Vec::new(),
            };
            owners.answer(ipei, event);
        }
    }

    /// The link of a base station is dead; whoever waits for a result learns that it is unknown.
    pub fn detached(&self, base: &Arc<Base>, link: &LinkHandle) {
        let (abandoned, mut owners_of) = {
            let mut state = base.state.lock();
            let Some(abandoned) = state.line.disconnect(link) else {
                return;
            };
            let owners: Vec<Ipei> = state.connections.values().copied().collect();
            (abandoned, owners)
        };
        for asked in abandoned {
            self.done(asked.ipei, asked.tag, Outcome::Unreachable);
        }
        let Some(owners) = self.owners() else { return };
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
            .filter(|b| b.state.lock().line.stands())
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
            let body = make(base.rpn);
            base.state.lock().line.tell(&base.id, body);
        }
    }

    /// Ends the link of a device that may no longer have one.
    pub fn cut(&self, node: &str) {
        if let Some(base) = self.bases.read().get(node) {
            base.state.lock().line.cut();
        }
    }

    /// Ends the links whose oldest order waits too long for its result.
    pub fn end_overdue(&self, now: Instant) {
        for one in self.bases.read().values() {
            one.state.lock().line.end_if_overdue(now, &one.id);
        }
    }

    /// Tells the result of an order, if somebody waits for it.
    fn done(&self, ipei: Ipei, tag: Option<Tag>, outcome: Outcome) {
        if let (Some(owners), Some(tag)) = (self.owners(), tag) {
            owners.answer(ipei, Event::Done { tag, outcome });
        }
    }

    fn owners(&self) -> Option<Arc<dyn Owners>> {
        self.owners.read().clone()
    }
}
