//! The cell as a whole: what it knows, what it is told, what it orders.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use ipdect_dect::mac::BEARERS;
use rand_core::RngCore;

use super::connection::{Connection, DownReason, Happened};
use super::fence::{Fence, Floors, Start};
use super::links::Links;
use super::message::{CellState, Configuration, ConnectionId, Ended, Instruction, Outcome, Report};
use super::paging::Pages;
use crate::radio::{self, BearerNumber, SystemInfo};
use crate::speech::Speech;

/// Names a link to a server while it stands; chosen by whoever opened it, never used twice.
pub type LinkId = u64;

/// What a cell is given once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Boot id of this process; its low 32 bits begin each connection id.
    pub boot_id: u64,
    /// Orphan grace until a server says another one.
    pub orphan_grace: Duration,
}

/// What happens to a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The radio tells something. Frames and B-fields are not for [`Cell::handle`]: see [`Cell::speech_mut`].
    Radio(radio::Event),
    /// A link stands: `Welcome` was received.
    LinkUp {
        /// Its name.
        link: LinkId,
        /// The server's start.
        start: Start,
        /// Opened as the active one.
        active: bool,
        /// What the server says about orphans.
        orphan_grace: Duration,
    },
    /// A link is gone.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// A server says something.
    Told {
        /// On which link.
        link: LinkId,
        /// What.
        instruction: Instruction,
    },
    /// [`Cell::next_deadline`] has passed.
    Deadline,
    /// Leave service: take nothing new, release what is left at the given time.
    Drain {
        /// When.
        deadline: Instant,
    },
}

/// What must now be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Give the radio an order.
    Radio(radio::Order),
    /// Tell a server.
    Tell {
        /// On which link.
        link: LinkId,
        /// What.
        report: Report,
    },
    /// Mark our speech packets with this DSCP.
    MarkSpeech {
        /// 0..63.
        dscp: u8,
    },
    /// Nothing stands any more: the process may end.
    Drained,
}

/// The mind of one base station.
#[derive(Debug)]
pub struct Cell {
    pub(super) settings: Settings,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) bearers: [Option<ConnectionId>; BEARERS as usize],
    pub(super) counter: u32,
    pub(super) configuration: Option<Configuration>,
    pub(super) floors: Floors,
    pub(super) links: Links,
    pub(super) pages: Pages,
    pub(super) ended: VecDeque<(Instant, Ended)>,
    pub(super) speech: Speech,
    pub(super) orphaned_since: Option<Instant>,
    pub(super) draining: Option<Instant>,
    pub(super) drained: bool,
    pub(super) said: Option<SystemInfo>,
    pub(super) reported: Option<CellState>,
    pub(super) report_at: Option<Instant>,
}

/// Connections that ended are told for this long, in case a report of it got lost with its link.
const REMEMBER_ENDED: Duration = Duration::from_secs(120);
/// Most of them that are kept.
const MAX_ENDED: usize = 256;

impl Cell {
    /// A cell that has just booted: silent until it is configured, without floors, without links.
    pub fn new(now: Instant, settings: Settings) -> Self {
        Self {
            settings,
            connections: BTreeMap::new(),
            bearers: [None; BEARERS as usize],
            counter: 0,
            configuration: None,
            floors: Floors::default(),
            links: Links::default(),
            pages: Pages::default(),
            ended: VecDeque::new(),
            speech: Speech::default(),
            orphaned_since: Some(now),
            draining: None,
            drained: false,
            said: None,
            reported: None,
            report_at: None,
        }
    }

    /// Takes in one event and answers with what must now be done, in order.
    pub fn handle(&mut self, now: Instant, rng: &mut dyn RngCore, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        match event {
            Event::Radio(event) => self.radio(now, event, &mut out),
            Event::LinkUp {
                link,
                start,
                active,
                orphan_grace,
            } => {
                self.settings.orphan_grace = orphan_grace;
                self.link_up(now, link, start, active, &mut out);
            }
            Event::LinkDown { link } => self.link_down(now, link, &mut out),
            Event::Told { link, instruction } => self.told(now, rng, link, instruction, &mut out),
            Event::Deadline => {}
            Event::Drain { deadline } => self.draining = Some(deadline),
        }
        self.watch(now, &mut out);
        self.announce(now, &mut out);
        out
    }

    /// Speech, which goes past [`Cell::handle`] because it has no time for lists.
    pub fn speech_mut(&mut self) -> &mut Speech {
        &mut self.speech
    }

    /// Speech, to look at.
    pub fn speech(&self) -> &Speech {
        &self.speech
    }

    /// Floors known, for a `Hello`.
    pub fn floors(&self) -> &Floors {
        &self.floors
    }

    /// Whether portables can be served: configured, with an active link, not draining.
    pub fn is_ready(&self) -> bool {
        self.configuration.is_some() && self.links.active().is_some() && self.draining.is_none()
    }

    /// Bearers in use and left, pages on the air.
    pub fn state(&self) -> CellState {
        let busy = self.bearers.iter().flatten().count() as u8;
        CellState {
            bearers_busy: busy,
            bearers_free: BEARERS - busy,
            page_queue: self.pages.len(),
        }
    }

    /// Whether a connection stands.
    pub fn stands(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    /// Connections that stand.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn told(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        link: LinkId,
        instruction: Instruction,
        out: &mut Vec<Action>,
    ) {
        match instruction {
            Instruction::Floors(floors) => {
                self.floors.learn(floors);
            }
            Instruction::Configure(new) => {
                if self
                    .configuration
                    .is_none_or(|known| new.revision >= known.revision)
                {
                    self.configuration = Some(new);
                }
            }
            Instruction::Query { query_id, fences } => {
                self.answer_query(now, link, query_id, &fences, out)
            }
            Instruction::Order(order) => {
                let order_id = order.order_id;
                let outcome = match self.links.answered(link, &order) {
                    Some(outcome) => outcome,
                    None => {
                        let outcome = self.obey(now, rng, link, &order, out);
                        self.links.remember(link, order, outcome.clone());
                        outcome
                    }
                };
                out.push(Action::Tell {
                    link,
                    report: Report::Result { order_id, outcome },
                });
            }
        }
    }

    /// Lets an order pass, or says why not.
    pub(super) fn admit(&mut self, link: LinkId, fence: Fence) -> Result<(), Outcome> {
        let Some(giver) = self.links.start(link) else {
            return Err(Outcome::Invalid("order on a link that is gone".into()));
        };
        let admitted = self.floors.admit(fence, giver);
        admitted.map_err(|fenced| Outcome::Fenced { seen: fenced.seen })
    }

    /// Tells whoever is active; without one it is left out, and `Inventory` says it later.
    pub(super) fn tell(&self, report: Report, out: &mut Vec<Action>) {
        if let Some(link) = self.links.active() {
            out.push(Action::Tell { link, report });
        }
    }

    /// Hands on what LAPC brought about, then whatever the radio can take.
    pub(super) fn happened(
        &mut self,
        id: ConnectionId,
        happened: Vec<Happened>,
        out: &mut Vec<Action>,
    ) {
        let mut failed = false;
        for happened in happened {
            match happened {
                Happened::Up(up) => self.tell(Report::NwkUp(up), out),
                Happened::Failed => failed = true,
            }
        }
        self.feed_radio(id, out);
        if failed && let Some(connection) = self.connections.get_mut(&id) {
            // Released by the watch of this same event.
            connection.releasing = Some((DownReason::DlcFailed, connection.since));
        }
    }

    /// Gives the radio the next segment, if it can take one.
    pub(super) fn feed_radio(&mut self, id: ConnectionId, out: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let bearer = connection.bearer;
        if let Some(segment) = connection.next_segment() {
            out.push(Action::Radio(radio::Order::Send {
                bearer,
                segment: Some(segment),
                b_field: None,
            }));
        }
    }

    /// Ends a connection whose bearers the radio still has, or has lost already.
    pub(super) fn end(
        &mut self,
        now: Instant,
        id: ConnectionId,
        reason: DownReason,
        out: &mut Vec<Action>,
    ) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        self.release_bearers(&connection, reason, out);
        let last = self.speech.close(now, id);
        let fence = connection.owner.map(|(_, fence)| fence);
        self.ended.push_back((
            now + REMEMBER_ENDED,
            Ended {
                connection: id,
                fence,
                reason,
            },
        ));
        if self.ended.len() > MAX_ENDED {
            self.ended.pop_front();
        }
        self.tell(
            Report::ConnectionDown {
                connection: id,
                reason,
                last,
            },
            out,
        );
    }

    /// The connection that has a bearer.
    pub(super) fn on_bearer(&mut self, bearer: BearerNumber) -> Option<&mut Connection> {
        let id = (*self.bearers.get(usize::from(bearer).checked_sub(1)?)?)?;
        self.connections.get_mut(&id)
    }
}
