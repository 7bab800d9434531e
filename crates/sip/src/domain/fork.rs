//! One request on its way to one or several phones: response context of the proxy. Source: RFC 3261 sections 16.7 to 16.10.

use std::time::{Duration, Instant};

use crate::message::Message;
use crate::transaction::{Hop, TransactionKey, code};

/// How long an INVITE may ring (Timer C): 180 s.
pub(super) const TIMER_C: Duration = Duration::from_secs(180);

/// A request of a phone and all that was made of it.
#[derive(Debug)]
pub(super) struct Fork {
    pub(super) server: TransactionKey,
    pub(super) request: Message,
    pub(super) branches: Vec<Branch>,
    /// A final response went back.
    pub(super) done: bool,
}

/// The request at one target.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) key: TransactionKey,
    pub(super) request: Message,
    pub(super) hop: Hop,
    /// Timer C, or the end of patience after a CANCEL.
    pub(super) until: Option<Instant>,
    pub(super) rings: bool,
    /// A CANCEL is to go, with this Reason, as soon as a 1xx allows it.
    pub(super) cancel: Option<Cancel>,
    pub(super) last: Option<Last>,
}

/// A CANCEL for one branch.
#[derive(Debug, Clone)]
pub(super) struct Cancel {
    pub(super) reason: Option<String>,
    pub(super) sent: bool,
}

/// How a branch ended.
#[derive(Debug, Clone)]
pub(super) enum Last {
    /// With this response, our Via already taken off.
    Response(Message),
    /// Without one: as if with this status.
    Nothing(u16),
}

impl Last {
    pub(super) fn status(&self) -> u16 {
        match self {
            Last::Response(message) => code(message),
            Last::Nothing(status) => *status,
        }
    }
}

impl Fork {
    pub(super) fn branch(&mut self, key: &TransactionKey) -> Option<&mut Branch> {
        self.branches.iter_mut().find(|b| &b.key == key)
    }

    /// Tells whether every branch has ended.
    pub(super) fn is_complete(&self) -> bool {
        self.branches.iter().all(|b| b.last.is_some())
    }

    /// The best of the final responses: 6xx above all, else the lowest class, in it the one that tells most.
    ///
    /// Source: RFC 3261 section 16.7 step 6.
    pub(super) fn best(&self) -> Option<&Last> {
        let rank = |last: &&Last| match last.status() {
            status @ 600.. => (0, status),
            // The caller can act on these (section 16.7 step 6).
            status @ (401 | 407 | 415 | 420 | 484) => (status / 100, 0),
            // A phone that is gone says less than one that answered.
            status @ (408 | 480 | 487 | 503) => (status / 100, 1000 + status),
            status => (status / 100, status),
        };
        self.branches
            .iter()
            .filter_map(|b| b.last.as_ref())
            .min_by_key(rank)
    }

    /// The earliest timer of its branches.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.branches
            .iter()
            .filter(|b| b.last.is_none())
            .filter_map(|b| b.until)
            .min()
    }
}
