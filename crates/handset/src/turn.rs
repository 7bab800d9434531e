//! What is given to one event's handling: the time, chance, and the message that caused it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ipdect_sip::transaction::Flow;
use rand_core::RngCore;

use crate::event::{Link, Trace};

/// One call of [`crate::State::handle`].
pub(crate) struct Turn<'a> {
    /// Now, for timers.
    pub(crate) now: Instant,
    /// Now, for people.
    pub(crate) wall: SystemTime,
    /// Source of identifiers and keys.
    pub(crate) rng: &'a mut dyn RngCore,
    /// The way of the SIP message being handled.
    pub(crate) flow: Option<Flow>,
    /// Its trace.
    pub(crate) trace: Trace,
    /// The NWK message being handled, until it is acknowledged.
    pub(crate) unacked: Option<(Link, u64)>,
    /// The NWK message being handled: names what is done once only.
    pub(crate) cause: Option<(Link, u64)>,
}

impl Turn<'_> {
    /// Seconds of UTC.
    pub(crate) fn utc_s(&self) -> u64 {
        utc_s(self.wall)
    }
}

/// Seconds of UTC; 0 for times before 1970.
pub(crate) fn utc_s(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
