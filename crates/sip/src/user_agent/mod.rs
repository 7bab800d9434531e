//! The user agent of one address of record: registration, calls, and the way of each message to its transaction or dialog.
//!
//! A value without clock, socket or chance of its own: each method takes `now` and `rng`, and answers with what must be
//! done, in order. Commit, then speak (`takeover.md` section 5): what a peer cannot take back is sent only when the owner
//! says so ([`UserAgent::invite`], [`UserAgent::answer`], [`UserAgent::ack`], [`UserAgent::bye`], ...). On its own it sends
//! only what needs no commit: 100, repetitions, 200 to BYE, CANCEL and OPTIONS, session refreshes, registration refreshes.
//!
//! Orders about an unknown call, or that come too late, are ignored: crossed messages are normal.

mod config;
mod output;
mod route_key;

pub use config::{Config, SentBy};
pub use output::{By, Call, Event, Extra, Output, Reason, Transmit};
pub use route_key::{RouteKey, route_key};

use std::time::Instant;

use bytes::Bytes;
use rand_core::RngCore;

use crate::dialog::DialogRecord;
use crate::message::{Message, Uri};
use crate::transaction::{Flow, TransactionKey};
use crate::trunk::TrunkHealth;

/// The user agent of one address of record.
#[derive(Debug)]
pub struct UserAgent {
    config: Config,
}

impl UserAgent {
    /// A user agent that is not registered and has no calls.
    pub fn new(config: Config) -> UserAgent {
        UserAgent { config }
    }

    /// Takes new settings. Calls go on; a registration is renewed at once if anything that it shows has changed.
    pub fn configure(&mut self, now: Instant, rng: &mut dyn RngCore, config: Config) -> Vec<Output> {
        let _ = (now, rng);
        self.config = config;
        vec![]
    }

    /// When [`UserAgent::deadline`] wants to be called next, if ever: the earliest of all timers.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// Does what is due at `now`. Too early a call does nothing.
    pub fn deadline(&mut self, now: Instant, rng: &mut dyn RngCore) -> Vec<Output> {
        let _ = (now, rng);
        vec![]
    }

    /// Registers, and keeps registered until [`UserAgent::unregister`].
    pub fn register(&mut self, now: Instant, rng: &mut dyn RngCore) -> Vec<Output> {
        let _ = (now, rng);
        vec![]
    }

    /// Removes the binding (never others: no `Contact: *`); calls go on.
    pub fn unregister(&mut self, now: Instant, rng: &mut dyn RngCore) -> Vec<Output> {
        let _ = (now, rng);
        vec![]
    }

    /// Calls `to` with an offer. `extra` are header fields to add. A number in use is ignored.
    ///
    /// The INVITE goes to the proxies in turn until one answers; challenges are answered.
    pub fn invite(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        to: Uri,
        offer: Bytes,
        extra: Vec<Extra>,
    ) -> Vec<Output> {
        let _ = (now, rng, call, to, offer, extra);
        vec![]
    }

    /// Says 180 without SDP to the caller.
    pub fn ring(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call) -> Vec<Output> {
        self.progress(now, rng, call, 180, None)
    }

    /// Says any 1xx to the caller, with early media if wanted.
    pub fn progress(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        status: u16,
        sdp: Option<Bytes>,
    ) -> Vec<Output> {
        let _ = (now, rng, call, status, sdp);
        vec![]
    }

    /// Accepts the call with 200: with the answer, or the offer when the INVITE had none. Repeated until the ACK comes.
    pub fn answer(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call, sdp: Bytes) -> Vec<Output> {
        let _ = (now, rng, call, sdp);
        vec![]
    }

    /// Refuses the call with a final status (487 after [`Event::Cancelled`]); `extra` may bring Warning, Reason, Retry-After.
    pub fn reject(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        status: u16,
        extra: Vec<Extra>,
    ) -> Vec<Output> {
        let _ = (now, rng, call, status, extra);
        vec![]
    }

    /// Acknowledges the 2xx to our INVITE or re-INVITE.
    pub fn ack(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call) -> Vec<Output> {
        let _ = (now, rng, call);
        vec![]
    }

    /// Gives up a call that is not answered: CANCEL, as soon as a 1xx allows it. Ends with [`Event::Ended`].
    ///
    /// A 2xx that crosses the CANCEL is acknowledged and followed by BYE.
    pub fn cancel(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call, reason: Option<Reason>) -> Vec<Output> {
        let _ = (now, rng, call, reason);
        vec![]
    }

    /// Hangs up. Before the answer this is [`UserAgent::cancel`], or 480 to the caller; before the ACK it waits for it.
    pub fn bye(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call, reason: Option<Reason>) -> Vec<Output> {
        let _ = (now, rng, call, reason);
        vec![]
    }

    /// Offers other media by re-INVITE. 491 is waited out and tried again (RFC 3261 section 14.1).
    pub fn reinvite(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call, sdp: Bytes) -> Vec<Output> {
        let _ = (now, rng, call, sdp);
        vec![]
    }

    /// Accepts what [`Event::Reoffered`] brought: with the answer, or the offer when it had none.
    pub fn answer_reinvite(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call, sdp: Bytes) -> Vec<Output> {
        let _ = (now, rng, call, sdp);
        vec![]
    }

    /// Refuses what [`Event::Reoffered`] brought, usually with 488; media stay as they were.
    pub fn reject_reinvite(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call, status: u16) -> Vec<Output> {
        let _ = (now, rng, call, status);
        vec![]
    }

    /// Refreshes the dialog at once: UPDATE without SDP if allowed, else re-INVITE with the same SDP (`takeover.md` section 8).
    pub fn refresh(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call) -> Vec<Output> {
        let _ = (now, rng, call);
        vec![]
    }

    /// Asks the peer of a call, or the proxy when there is none, whether it lives. Answered by [`Event::OptionsAnswered`].
    pub fn options(&mut self, now: Instant, rng: &mut dyn RngCore, call: Option<Call>) -> Vec<Output> {
        let _ = (now, rng, call);
        vec![]
    }

    /// Takes in a message for this address of record, already found sound by `Message::check`.
    pub fn receive(&mut self, now: Instant, rng: &mut dyn RngCore, message: Message, from: Flow) -> Vec<Output> {
        let _ = (now, rng, message, from);
        vec![]
    }

    /// Takes in that a message could not be sent, or that the connection of its transaction broke.
    pub fn transport_failed(&mut self, now: Instant, rng: &mut dyn RngCore, key: &TransactionKey) -> Vec<Output> {
        let _ = (now, rng, key);
        vec![]
    }

    /// Takes in what is known of a proxy from elsewhere; may move the registration to it or away from it.
    pub fn trunk_health(&mut self, now: Instant, rng: &mut dyn RngCore, health: TrunkHealth) -> Vec<Output> {
        let _ = (now, rng, health);
        vec![]
    }

    /// The dialog of a call as plain data for the handset's record (`takeover.md` section 7).
    pub fn record(&self, call: Call) -> Option<DialogRecord> {
        let _ = call;
        None
    }

    /// Takes over a call from its record. What keeps something alive is due at once; nothing is sent yet.
    pub fn restore(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call, record: DialogRecord) -> Vec<Output> {
        let _ = (now, rng, call, record);
        vec![]
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Tells whether the registrar holds our binding, as far as we know.
    pub fn is_registered(&self) -> bool {
        false
    }

    /// Calls that exist, in the order of their numbers.
    pub fn calls(&self) -> impl Iterator<Item = Call> {
        std::iter::empty()
    }
}
