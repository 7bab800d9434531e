//! The user agent of one address of record: registration, calls, and the way of each message to its transaction or dialog.
//!
//! A value without clock, socket or chance of its own: each method takes `now` and `rng`, and answers with what must be
//! done, in order. Commit, then speak (`takeover.md` section 5): what a peer cannot take back is sent only when the owner
//! says so ([`UserAgent::invite`], [`UserAgent::answer`], [`UserAgent::ack`], [`UserAgent::bye`], ...). On its own it sends
//! only what needs no commit: 100, repetitions, 200 to BYE, CANCEL and OPTIONS, session refreshes, registration refreshes.
//!
//! Orders about an unknown call, or that come too late, are ignored: crossed messages are normal.

mod binding;
mod call;
mod callee;
mod caller;
mod config;
mod core;
mod credentials;
mod in_dialog;
mod output;
mod receive;
mod reoffer;
mod route_key;
mod stored;

pub use config::{Config, SentBy};
pub use output::{By, Call, Event, Extra, Output, Reason, Transmit};
pub use route_key::{RouteKey, route_key};
pub use stored::BadRecord;

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;
use rand_core::RngCore;

use crate::auth::digest::Client;
use crate::dialog::DialogRecord;
use crate::message::{Message, Uri};
use crate::registration::{self, Registration};
use crate::transaction::{Flow, Table, TransactionKey};
use crate::trunk::{Trunk, TrunkHealth};
use binding::Binding;
use call::CallState;
use core::{Owner, Turn};

/// The user agent of one address of record.
#[derive(Debug)]
pub struct UserAgent {
    config: Config,
    table: Table,
    /// Whose each client transaction is.
    owners: BTreeMap<TransactionKey, Owner>,
    trunk: Trunk,
    digest: Client,
    registration: Registration,
    binding: Binding,
    calls: BTreeMap<Call, CallState>,
}

impl UserAgent {
    /// A user agent that is not registered and has no calls.
    pub fn new(config: Config) -> UserAgent {
        let config = core::secured(config);
        UserAgent {
            table: Table::new(config.timers),
            owners: BTreeMap::new(),
            trunk: Trunk::default(),
            digest: credentials::client(&config),
            registration: Registration::new(config.expires),
            binding: Binding::new(&config),
            calls: BTreeMap::new(),
            config,
        }
    }

    /// Takes new settings. Calls go on; a registration is renewed at once if anything that it shows has changed.
    pub fn configure(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        config: Config,
    ) -> Vec<Output> {
        let old = std::mem::replace(&mut self.config, core::secured(config));
        self.table.set_timers(self.config.timers);
        self.registration.set_expires(self.config.expires);
        let (now_, was) = (&self.config, &old);
        let other_user = (&now_.auth_user, &now_.auth_password)
            != (&was.auth_user, &was.auth_password)
            || now_.aor != was.aor;
        if other_user {
            self.digest = credentials::client(now_);
        }
        if now_.proxies != was.proxies {
            self.trunk.reset();
        }
        let moved = now_.contact != was.contact;
        if moved {
            self.binding.previous = Some(was.contact.clone());
            self.binding.gruu = None;
        }
        let shown =
            moved || other_user || now_.proxies != was.proxies || now_.expires != was.expires;
        let again = shown && self.registration.is_wanted();
        self.turn(now, rng, |ua, t| {
            if again {
                ua.registration(t, registration::Event::Register);
            }
        })
    }

    /// When [`UserAgent::deadline`] wants to be called next, if ever: the earliest of all timers.
    pub fn next_deadline(&self) -> Option<Instant> {
        let calls = self
            .calls
            .values()
            .filter_map(CallState::next_deadline)
            .min();
        let back = self
            .trunk
            .return_at(&self.config.proxies)
            .filter(|_| self.registration.is_registered());
        [
            self.table.next_deadline(),
            self.registration.next_deadline(),
            calls,
            back,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due at `now`. Too early a call does nothing.
    pub fn deadline(&mut self, now: Instant, rng: &mut dyn RngCore) -> Vec<Output> {
        self.turn(now, rng, |ua, t| {
            let effects = ua.table.deadline(t.now);
            ua.run(t, effects);
            ua.registration(t, registration::Event::Deadline);
            ua.return_to_preferred(t);
            let due = |s: &CallState| s.next_deadline().is_some_and(|at| t.now >= at);
            let calls: Vec<Call> = ua
                .calls
                .iter()
                .filter(|(_, s)| due(s))
                .map(|(c, _)| *c)
                .collect();
            for call in calls {
                ua.call_deadline(t, call);
            }
        })
    }

    /// Registers, and keeps registered until [`UserAgent::unregister`].
    pub fn register(&mut self, now: Instant, rng: &mut dyn RngCore) -> Vec<Output> {
        self.turn(now, rng, |ua, t| {
            ua.registration(t, registration::Event::Register)
        })
    }

    /// Removes the binding (never others: no `Contact: *`); calls go on.
    pub fn unregister(&mut self, now: Instant, rng: &mut dyn RngCore) -> Vec<Output> {
        self.turn(now, rng, |ua, t| {
            ua.registration(t, registration::Event::Unregister)
        })
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
        self.turn(now, rng, |ua, t| ua.start_call(t, call, to, offer, &extra))
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
        self.turn(now, rng, |ua, t| ua.say_progress(t, call, status, sdp))
    }

    /// Accepts the call with 200: with the answer, or the offer when the INVITE had none. Repeated until the ACK comes.
    pub fn answer(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        sdp: Bytes,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.accept(t, call, sdp))
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
        self.turn(now, rng, |ua, t| ua.refuse(t, call, status, &extra))
    }

    /// Acknowledges the 2xx to our INVITE or re-INVITE.
    pub fn ack(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.ack_call(t, call))
    }

    /// Gives up a call that is not answered: CANCEL, as soon as a 1xx allows it. Ends with [`Event::Ended`].
    ///
    /// A 2xx that crosses the CANCEL is acknowledged and followed by BYE.
    pub fn cancel(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        reason: Option<Reason>,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.give_up(t, call, reason))
    }

    /// Hangs up. Before the answer this is [`UserAgent::cancel`], or 480 to the caller; before the ACK it waits for it.
    pub fn bye(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        reason: Option<Reason>,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.hang_up(t, call, reason))
    }

    /// Offers other media by re-INVITE. 491 is waited out and tried again (RFC 3261 section 14.1).
    pub fn reinvite(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        sdp: Bytes,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.want_offer(t, call, sdp))
    }

    /// Accepts what [`Event::Reoffered`] brought: with the answer, or the offer when it had none.
    pub fn answer_reinvite(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        sdp: Bytes,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.accept_their_change(t, call, sdp))
    }

    /// Refuses what [`Event::Reoffered`] brought, usually with 488; media stay as they were.
    pub fn reject_reinvite(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Call,
        status: u16,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.reject_change(t, call, status))
    }

    /// Refreshes the dialog at once: UPDATE without SDP if allowed, else re-INVITE with the same SDP (`takeover.md` section 8).
    pub fn refresh(&mut self, now: Instant, rng: &mut dyn RngCore, call: Call) -> Vec<Output> {
        self.turn(now, rng, |ua, t| {
            if let Some(mut state) = ua.calls.remove(&call) {
                ua.send_refresh(t, call, &mut state);
                ua.calls.insert(call, state);
            }
        })
    }

    /// Asks the peer of a call, or the proxy when there is none, whether it lives. Answered by [`Event::OptionsAnswered`].
    pub fn options(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        call: Option<Call>,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.ask_options(t, call))
    }

    /// Takes in a message for this address of record, already found sound by `Message::check`.
    pub fn receive(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        message: Message,
        from: Flow,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| ua.received(t, &message, from))
    }

    /// Takes in that a message could not be sent, or that the connection of its transaction broke.
    pub fn transport_failed(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        key: &TransactionKey,
    ) -> Vec<Output> {
        self.turn(now, rng, |ua, t| {
            let effects = ua.table.transport_failed(t.now, key);
            ua.run(t, effects);
        })
    }

    /// Takes in what is known of a proxy from elsewhere; may move the registration to it or away from it.
    pub fn trunk_health(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        health: TrunkHealth,
    ) -> Vec<Output> {
        self.trunk.health(now, health);
        self.turn(now, rng, |ua, t| {
            let lost = !health.up && ua.trunk.current() == Some(health.proxy);
            if lost && ua.registration.is_registered() {
                ua.registration(t, registration::Event::Return);
            }
            ua.return_to_preferred(t);
        })
    }

    /// The dialog of a call as plain data for the handset's record (`takeover.md` section 7).
    pub fn record(&self, call: Call) -> Option<DialogRecord> {
        self.calls.get(&call).map(stored::record)
    }

    /// The Call-ID of a call, as its peer and every proxy on the way see it.
    pub fn call_id(&self, call: Call) -> Option<&str> {
        self.calls.get(&call).map(|call| call.call_id.as_str())
    }

    /// Takes over a call from its record. What keeps something alive is due at once; nothing is sent yet.
    ///
    /// # Errors
    /// [`BadRecord`] if an address or message in it cannot be read; nothing has changed then.
    pub fn restore(
        &mut self,
        now: Instant,
        call: Call,
        record: DialogRecord,
    ) -> Result<(), BadRecord> {
        let state = stored::restored(now, &self.config, record)?;
        self.calls.insert(call, state);
        Ok(())
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Tells whether the registrar holds our binding, as far as we know.
    pub fn is_registered(&self) -> bool {
        self.registration.is_registered()
    }

    /// Calls that exist, in the order of their numbers.
    pub fn calls(&self) -> impl Iterator<Item = Call> {
        self.calls.keys().copied()
    }

    /// Number of transactions that are not forgotten yet.
    pub fn transactions(&self) -> usize {
        self.table.len()
    }

    fn turn(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        work: impl FnOnce(&mut UserAgent, &mut Turn<'_>),
    ) -> Vec<Output> {
        let mut turn = Turn {
            now,
            rng,
            out: vec![],
        };
        work(self, &mut turn);
        turn.out
    }

    /// Registers at a better proxy than the one in use, once one is there again.
    fn return_to_preferred(&mut self, t: &mut Turn<'_>) {
        if self.trunk.should_return(t.now, &self.config.proxies)
            && self.registration.is_registered()
        {
            self.registration(t, registration::Event::Return);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
