//! Links to servers: which one is active, and what was answered on each.
//!
//! Orders are obeyed on any link, in the name of the start at its other end; what happens on the air is told to the
//! active one (the anchor). When that is lost the standby takes its place, and learns so from an `Inventory`
//! that it did not ask for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::connection::ADOPTION;
use super::fence::Start;
use super::message::{Order, Outcome};
use super::state::{Action, Cell, LinkId};

/// Orders remembered on each link, to answer a repetition alike.
const MAX_REMEMBERED: usize = 64;

/// All links that stand.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: BTreeMap<LinkId, Link>,
    active: Option<LinkId>,
}

#[derive(Debug)]
struct Link {
    start: Start,
    answered: VecDeque<(Order, Outcome)>,
}

impl Links {
    /// The link that reports go to.
    pub(super) fn active(&self) -> Option<LinkId> {
        self.active
    }

    /// The start at the other end of a link.
    pub(super) fn start(&self, link: LinkId) -> Option<&Start> {
        self.links.get(&link).map(|l| &l.start)
    }

    /// What a repeated order was answered, or that another one had its number.
    pub(super) fn answered(&self, link: LinkId, order: &Order) -> Option<Outcome> {
        let answered = &self.links.get(&link)?.answered;
        let (known, outcome) = answered
            .iter()
            .find(|(known, _)| known.order_id == order.order_id)?;
        if known == order {
            Some(outcome.clone())
        } else {
            Some(Outcome::Conflict(format!(
                "order {} was another one",
                order.order_id
            )))
        }
    }

    /// Keeps an order and its answer.
    pub(super) fn remember(&mut self, link: LinkId, order: Order, outcome: Outcome) {
        let Some(link) = self.links.get_mut(&link) else {
            return;
        };
        if link.answered.len() == MAX_REMEMBERED {
            link.answered.pop_front();
        }
        link.answered.push_back((order, outcome));
    }
}

impl Cell {
    pub(super) fn link_up(
        &mut self,
        now: Instant,
        link: LinkId,
        start: Start,
        active: bool,
        out: &mut Vec<Action>,
    ) {
        self.links.links.insert(
            link,
            Link {
                start,
                answered: VecDeque::new(),
            },
        );
        self.orphaned_since = None;
        if active || self.links.active.is_none() {
            self.activate(now, link, out);
        }
    }

    pub(super) fn link_down(&mut self, now: Instant, link: LinkId, out: &mut Vec<Action>) {
        self.links.links.remove(&link);
        if self.links.active == Some(link) {
            self.links.active = None;
            if let Some(standby) = self.links.links.keys().next().copied() {
                self.activate(now, standby, out);
            }
        }
        if self.links.links.is_empty() {
            self.orphaned_since = Some(now);
        }
    }

    /// Tells the server what is here; whoever is not adopted in time is released by the watch.
    fn activate(&mut self, now: Instant, link: LinkId, out: &mut Vec<Action>) {
        self.links.active = Some(link);
        self.reported = None;
        for connection in self.connections.values_mut() {
            connection.claim_by = Some(now + ADOPTION);
        }
        self.tell_inventory(now, link, out);
        self.repeat_handovers(link, out);
    }
}
