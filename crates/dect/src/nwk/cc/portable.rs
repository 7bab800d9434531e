//! Portable side of a call.

use std::time::Instant;

use tracing::trace;

use super::{CC_02, CC_03, CC_05, End, message, reason_of};
use crate::nwk::ie::ReleaseReason;
use crate::nwk::{Cc, Ie, Kind, Message, Transaction};

/// State of the portable side, named as in EN 300 175-5 section 9.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortableState {
    /// T-00: no call.
    Null,
    /// T-01: `{CC-SETUP}` is out.
    Initiated,
    /// T-02: digits are being sent.
    OverlapSending,
    /// T-03: the network looks for the called party.
    Proceeding,
    /// T-04: the called party is alerted.
    Delivered,
    /// T-07: ringing here.
    Received,
    /// T-08: answered here, not yet confirmed.
    ConnectPending,
    /// T-10: speech.
    Active,
    /// T-19: `{CC-RELEASE}` is out.
    ReleasePending,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortableEvent {
    /// A call control message of its transaction came.
    Received(Message),
    /// Begin a call: elements of `{CC-SETUP}`.
    Call(Vec<Ie>),
    /// Keys pressed, while dialling or in the call.
    Keys(Vec<u8>),
    /// The user answers.
    Answer,
    /// The user hangs up; while ringing, rejects.
    HangUp,
    /// The time of [`PortableCall::next_deadline`] has come.
    Deadline,
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortableAction {
    /// Send to the fixed part.
    Send(Message),
    /// Somebody calls: ring.
    Ringing,
    /// The state is another one.
    State(PortableState),
    /// Speech or tones come: open the receive path.
    Listen,
    /// The call stands: open both paths.
    Connected,
    /// The call is over.
    Ended {
        /// Who ended it.
        by: End,
        /// Reason given.
        reason: ReleaseReason,
    },
}

/// Portable side of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableCall {
    /// As we send it.
    transaction: Transaction,
    state: PortableState,
    deadline: Option<Instant>,
}

impl Default for PortableCall {
    fn default() -> Self {
        Self {
            transaction: Transaction::originated(0),
            state: PortableState::Null,
            deadline: None,
        }
    }
}

impl PortableCall {
    /// State of the call.
    pub const fn state(&self) -> PortableState {
        self.state
    }

    /// When [`PortableEvent::Deadline`] is wanted.
    pub const fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Says whether a message belongs to this call.
    pub fn owns(&self, message: &Message) -> bool {
        self.state != PortableState::Null && message.transaction == self.transaction.answered()
    }

    /// Takes in one event.
    pub fn handle(&mut self, now: Instant, event: PortableEvent) -> Vec<PortableAction> {
        use PortableState as S;
        match (self.state, event) {
            (_, PortableEvent::Received(message)) => self.received(now, &message),
            (S::Null, PortableEvent::Call(elements)) => {
                self.transaction = Transaction::originated(0);
                let send = self.send(Cc::Setup, elements);
                [vec![send], self.enter(S::Initiated, Some(now + CC_03))].concat()
            }
            (
                S::OverlapSending | S::Proceeding | S::Delivered | S::Active,
                PortableEvent::Keys(keys),
            ) => vec![self.send(Cc::Info, vec![Ie::MultiKeypad(keys)])],
            (S::Received, PortableEvent::Answer) => {
                let send = self.send(Cc::Connect, vec![]);
                [vec![send], self.enter(S::ConnectPending, Some(now + CC_05))].concat()
            }
            (S::Null | S::ReleasePending, PortableEvent::HangUp) => vec![],
            (S::Received, PortableEvent::HangUp) => {
                self.release(now, ReleaseReason::USER_REJECTION)
            }
            (_, PortableEvent::HangUp) => self.release(now, ReleaseReason::NORMAL),
            (_, PortableEvent::Deadline) if self.deadline.is_some_and(|at| now >= at) => {
                self.expired(now)
            }
            (state, event) => {
                trace!(?state, ?event, "ignored");
                vec![]
            }
        }
    }

    fn received(&mut self, now: Instant, message: &Message) -> Vec<PortableAction> {
        use PortableState as S;
        let Kind::Cc(kind) = message.kind else {
            return vec![];
        };
        let mut actions = match (self.state, kind) {
            (S::Null, Cc::Setup) => self.called(message),
            (S::Null, _) => return vec![],
            (_, Cc::ReleaseCom) => return self.end(End::Peer, reason_of(message)),
            (S::ReleasePending, Cc::Release) => return self.end(End::Peer, reason_of(message)),
            (_, Cc::Release) => {
                let send = self.send(Cc::ReleaseCom, vec![]);
                return [vec![send], self.end(End::Peer, reason_of(message))].concat();
            }
            (S::ReleasePending, _) => return vec![],
            (S::Initiated, Cc::SetupAck) => self.enter(S::OverlapSending, None),
            (S::Initiated | S::OverlapSending, Cc::CallProc) => self.enter(S::Proceeding, None),
            (S::Initiated | S::OverlapSending | S::Proceeding, Cc::Alerting) => {
                self.enter(S::Delivered, None)
            }
            (S::Initiated | S::OverlapSending | S::Proceeding | S::Delivered, Cc::Connect)
            | (S::ConnectPending, Cc::ConnectAck) => {
                let mut actions = self.enter(S::Active, None);
                actions.push(PortableAction::Connected);
                actions
            }
            (S::Initiated, Cc::Notify) => {
                self.deadline = Some(now + CC_03);
                vec![]
            }
            (state, kind) => {
                trace!(?state, ?kind, "nothing changes");
                vec![]
            }
        };
        let calling = !matches!(self.state, S::Null | S::Received | S::ConnectPending);
        if calling && message.is_in_band() {
            actions.push(PortableAction::Listen);
        }
        actions
    }

    fn called(&mut self, message: &Message) -> Vec<PortableAction> {
        self.transaction = message.transaction.answered();
        let lack = match message.basic_service() {
            Some(service) if service.is_speech() => None,
            Some(_) => Some(ReleaseReason::INCOMPATIBLE_SERVICE),
            None => Some(message.lack_of(0xE0).release_reason()),
        };
        if let Some(reason) = lack {
            return vec![self.send(Cc::ReleaseCom, vec![Ie::ReleaseReason(reason)])];
        }
        let send = self.send(Cc::Alerting, vec![]);
        let mut actions = vec![send];
        actions.extend(self.enter(PortableState::Received, None));
        actions.push(PortableAction::Ringing);
        actions
    }

    fn expired(&mut self, now: Instant) -> Vec<PortableAction> {
        let reason = ReleaseReason::TIMER_EXPIRY;
        match self.state {
            PortableState::ReleasePending => {
                let send = self.send(Cc::ReleaseCom, vec![Ie::ReleaseReason(reason)]);
                [vec![send], self.end(End::Timer, reason)].concat()
            }
            _ => self.release(now, reason),
        }
    }

    fn release(&mut self, now: Instant, reason: ReleaseReason) -> Vec<PortableAction> {
        let send = self.send(Cc::Release, vec![Ie::ReleaseReason(reason)]);
        let state = PortableState::ReleasePending;
        [vec![send], self.enter(state, Some(now + CC_02))].concat()
    }

    /// Ends the call without a word: the link is gone.
    pub fn link_lost(&mut self) -> Vec<PortableAction> {
        match self.state {
            PortableState::Null => vec![],
            _ => self.end(End::Timer, ReleaseReason::UNKNOWN),
        }
    }

    fn enter(&mut self, state: PortableState, deadline: Option<Instant>) -> Vec<PortableAction> {
        self.state = state;
        self.deadline = deadline;
        vec![PortableAction::State(state)]
    }

    fn end(&mut self, by: End, reason: ReleaseReason) -> Vec<PortableAction> {
        let mut actions = self.enter(PortableState::Null, None);
        actions.push(PortableAction::Ended { by, reason });
        actions
    }

    fn send(&self, kind: Cc, elements: Vec<Ie>) -> PortableAction {
        PortableAction::Send(message(self.transaction, kind, elements))
    }
}
