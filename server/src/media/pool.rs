//! The media resources linked to this server: which one takes a session, and the way of orders and events.

mod ordering;
mod reports;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipdect_dect::identity::Ipei;
use ipdect_handset::{Event, LegId, MediaId, Outcome, SessionId, Tag};
use ipdect_link::live::{LinkHandle, LinkSender};
use ipdect_proto::media::v1 as media;
use ipdect_proto::media::v1::server_to_media::Body as Down;
use parking_lot::{Mutex, RwLock};

use crate::fence::Fences;
use crate::line::Line;

/// A media resource whose link has not come back for so long is given up: one that lives redials within a second or two.
const GONE: Duration = Duration::from_secs(5);

/// What the pool needs of the rest of the server.
pub trait Owners: Send + Sync + 'static {
    /// Tells a handset something.
    fn tell(&self, ipei: Ipei, event: Event);
    /// Tells a handset the result of its own order.
    fn answer(&self, ipei: Ipei, event: Event);
    /// The load of a media resource.
    fn load(&self, node: &str, report: &media::LoadReport);
    /// Figures of a leg, for live views.
    fn figures(&self, session: SessionId, stats: &media::LegStats);
    /// A leg opened: for live views.
    fn placed(&self, session: SessionId, node: &str);
    /// A session is closed: no more figures of it.
    fn closed(&self, session: SessionId);
    /// A session of a handset's call is held, with this record, sealed.
    fn holds(&self, ipei: Ipei, resource: &MediaId, record: &[u8]);
    /// A media resource has said all that it holds.
    fn counted(&self, resource: &MediaId);
    /// A record as it may leave the process: sealed.
    fn seal(&self, ipei: Ipei, record: &[u8]) -> Bytes;
}

/// Who asked for an order, and for what.
struct Asked {
    ipei: Ipei,
    tag: Option<Tag>,
    kind: Kind,
}

/// What an order asked for: its result is told differently.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    OpenSession { session: SessionId },
    OpenLeg { session: SessionId, leg: LegId },
}

struct State {
    line: Line<media::ServerToMedia, Asked>,
    sessions: HashMap<SessionId, Ipei>,
    opening: HashMap<(SessionId, LegId), (Ipei, Tag)>,
    /// Sessions that stood before the link did, and of which its inventory has not told yet.
    untold: HashSet<SessionId>,
    capacity: u32,
    /// Since when its link does not stand.
    away_since: Option<Instant>,
}

/// One media resource, linked or lately so.
pub struct Resource {
    id: MediaId,
    boot: u64,
    state: Mutex<State>,
}

/// All media resources of this server.
pub struct Pool {
    resources: RwLock<HashMap<String, Arc<Resource>>>,
    homes: RwLock<HashMap<SessionId, Arc<Resource>>>,
    /// Sessions that a former start was just opening, nobody knows where.
    astray: Mutex<HashMap<SessionId, Ipei>>,
    fences: Fences,
    owners: RwLock<Option<Arc<dyn Owners>>>,
    settings: RwLock<Marks>,
}

/// Settings of the media page that orders carry.
#[derive(Clone, Debug)]
pub struct Marks {
    /// DiffServ code point.
    pub dscp: u32,
    /// Country of tones.
    pub region: String,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(fences: Fences) -> Self {
        Self {
            resources: RwLock::default(),
            homes: RwLock::default(),
            astray: Mutex::default(),
            fences,
            owners: RwLock::new(None),
            settings: RwLock::new(Marks {
                dscp: 46,
                region: "DE".into(),
            }),
        }
    }

    /// Sets whom events go to.
    pub fn set_owners(&self, owners: Arc<dyn Owners>) {
        *self.owners.write() = Some(owners);
    }

    /// Sets what orders carry from now on.
    pub fn set_marks(&self, marks: Marks) {
        *self.settings.write() = marks;
    }

    /// A session that a former start of this server opened for `ipei`; false if another start of the media resource is
    /// known by now, and the session is gone with the one that had it.
    pub fn expect(&self, id: &MediaId, boot: u64, session: SessionId, ipei: Ipei) -> bool {
        let mut resources = self.resources.write();
        let resource = resources.entry(id.0.clone()).or_insert_with(|| {
            let resource = fresh(&id.0, boot);
            resource.state.lock().away_since = Some(Instant::now());
            resource
        });
        if resource.boot != boot {
            return false;
        }
        resource.state.lock().sessions.insert(session, ipei);
        self.homes.write().insert(session, resource.clone());
        true
    }

    /// The same, where it is not known which media resource was asked.
    pub fn expect_anywhere(&self, session: SessionId, ipei: Ipei) {
        self.astray.lock().insert(session, ipei);
    }

    /// A media resource's link stands.
    pub fn attached(
        &self,
        node: &str,
        boot: u64,
        capacity: u32,
        down: LinkSender<media::ServerToMedia>,
    ) -> Arc<Resource> {
        let before = self.resources.read().get(node).cloned();
        let same = before.clone().filter(|before| before.boot == boot);
        let resource = same.unwrap_or_else(|| fresh(node, boot));
        {
            let mut state = resource.state.lock();
            state.line.connect(down);
            state.untold = state.sessions.keys().copied().collect();
            state.capacity = capacity;
            state.away_since = None;
        }
        self.resources.write().insert(node.into(), resource.clone());
        // Another start: all sessions of the former one are gone, and may move to this one at once.
        if let Some(dead) = before.filter(|before| before.boot != boot) {
            self.lost(&dead);
        }
        resource
    }

    /// The link of a media resource is dead. Speech goes on without it; results are unknown.
    pub fn detached(&self, resource: &Arc<Resource>, link: &LinkHandle) {
        let (abandoned, opening) = {
            let mut state = resource.state.lock();
            let Some(abandoned) = state.line.disconnect(link) else {
                return;
            };
            state.away_since = Some(Instant::now());
            (abandoned, std::mem::take(&mut state.opening))
        };
        let asked = abandoned.into_iter().map(|a| (a.ipei, a.tag));
        let opening = opening.into_values().map(|(ipei, tag)| (ipei, Some(tag)));
        for (ipei, tag) in asked.chain(opening) {
            self.done(ipei, tag, Outcome::Unreachable);
        }
    }

    /// Gives up media resources that have been away for 5 s, if another one is there for their sessions.
    pub fn give_up_absent(&self, now: Instant) {
        if self.linked() == 0 {
            return;
        }
        let resources: Vec<Arc<Resource>> = self.resources.read().values().cloned().collect();
        for resource in resources {
            let away_since = resource.state.lock().away_since;
            if away_since.is_some_and(|at| now.saturating_duration_since(at) >= GONE) {
                self.lost(&resource);
            }
        }
    }

    /// The media resource is gone for good, with its sessions.
    fn lost(&self, resource: &Arc<Resource>) {
        let mut owners_of: Vec<Ipei> = {
            let mut state = resource.state.lock();
            std::mem::take(&mut state.sessions).into_values().collect()
        };
        self.homes
            .write()
            .retain(|_, home| !Arc::ptr_eq(home, resource));
        owners_of.sort_unstable();
        owners_of.dedup();
        if let Some(owners) = self.owners() {
            for ipei in owners_of {
                owners.answer(
                    ipei,
                    Event::MediaLost {
                        resource: resource.id.clone(),
                    },
                );
            }
        }
    }

    /// Media resources with a link now.
    #[must_use]
    pub fn linked(&self) -> usize {
        self.resources
            .read()
            .values()
            .filter(|r| r.state.lock().line.stands())
            .count()
    }

    /// Sessions that stand.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.homes.read().len()
    }

    /// Sends something that is no order to every linked media resource.
    pub fn tell_all(&self, body: &Down) {
        for resource in self.resources.read().values() {
            let state = resource.state.lock();
            state.line.tell(&resource.id, body.clone());
        }
    }

    /// Ends the link of a device that may no longer have one.
    pub fn cut(&self, node: &str) {
        if let Some(resource) = self.resources.read().get(node) {
            resource.state.lock().line.cut();
        }
    }

    /// Ends the links whose oldest order waits too long for its result.
    pub fn end_overdue(&self, now: Instant) {
        for one in self.resources.read().values() {
            one.state.lock().line.end_if_overdue(now, &one.id);
        }
    }

    fn home(&self, session: SessionId) -> Option<Arc<Resource>> {
        self.homes.read().get(&session).cloned()
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

fn fresh(node: &str, boot: u64) -> Arc<Resource> {
    let state = State {
        line: Line::new(),
        sessions: HashMap::new(),
        opening: HashMap::new(),
        untold: HashSet::new(),
        capacity: 0,
        away_since: None,
    };
    Arc::new(Resource {
        id: MediaId(node.into()),
        boot,
        state: Mutex::new(state),
    })
}
