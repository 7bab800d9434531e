//! Fixed side of a call.

use std::time::Instant;

use tracing::trace;

use super::{CC_01, CC_02, CC_03, End, message, reason_of};
use crate::identity::Ipui;
use crate::nwk::ie::{BasicService, ReleaseReason};
use crate::nwk::{Cc, Ie, Kind, Message, Transaction};

/// State of the fixed side, named as in EN 300 175-5 section 9.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FixedState {
    /// F-00: no call.
    Null,
    /// F-01: the portable asked for a call.
    Initiated,
    /// F-02: digits are being sent.
    OverlapSending,
    /// F-03: the network behind looks for the called party.
    Proceeding,
    /// F-04: the called party is alerted.
    Delivered,
    /// F-06: the portable was told of a call.
    Present,
    /// F-07: the portable rings.
    Received,
    /// F-10: speech.
    Active,
    /// F-19: `{CC-RELEASE}` is out.
    ReleasePending,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FixedEvent {
    /// A call control message of its transaction came from the portable.
    Received(Message),
    /// The interworking side wants something.
    Order(Order),
    /// The time of [`FixedCall::next_deadline`] has come.
    Deadline,
}

/// What the interworking side wants, with the elements to send along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Incoming call: `{CC-SETUP}` with portable identity, fixed identity, basic service and the rest.
    Setup(Vec<Ie>),
    /// `{CC-SETUP-ACK}`: go on dialling.
    SetupAck(Vec<Ie>),
    /// `{CC-CALL-PROC}`: the number is complete.
    CallProc(Vec<Ie>),
    /// `{CC-ALERTING}`: the called party rings.
    Alerting(Vec<Ie>),
    /// `{CC-CONNECT}`: the called party answered.
    Connect(Vec<Ie>),
    /// `{CC-CONNECT-ACK}`: speech of an incoming call stands.
    ConnectAck(Vec<Ie>),
    /// `{CC-INFO}`.
    Info(Vec<Ie>),
    /// Ends the call: `{CC-RELEASE}`, or `{CC-RELEASE-COM}` where none was accepted yet.
    Release(ReleaseReason, Vec<Ie>),
}

/// What is to be done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FixedAction {
    /// Send to the portable.
    Send(Message),
    /// The portable wants a call; keys it has pressed so far, and whether there will be no more.
    CallWanted {
        /// Who calls.
        ipui: Ipui,
        /// Kind of call.
        service: BasicService,
        /// Keys so far.
        keys: Vec<u8>,
        /// No more will come.
        complete: bool,
    },
    /// Keys, while dialling or in the call.
    Keys {
        /// The keys.
        keys: Vec<u8>,
        /// No more will come.
        complete: bool,
    },
    /// The portable rings.
    Alerting,
    /// The portable answered; `{CC-CONNECT-ACK}` is awaited.
    Answered,
    /// The call is over; nothing follows but messages already in this list.
    Ended {
        /// Who ended it.
        by: End,
        /// Reason given.
        reason: ReleaseReason,
    },
}

/// Fixed side of one call. Begins with [`Order::Setup`] or a received `{CC-SETUP}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedCall {
    /// As we send it.
    transaction: Transaction,
    state: FixedState,
    deadline: Option<Instant>,
}

impl FixedCall {
    /// A call that we begin, with this transaction value, or that the portable begins.
    pub const fn new(transaction_value: u8) -> Self {
        Self::restored(Transaction::originated(transaction_value), FixedState::Null)
    }

    /// A call as a record tells it; `transaction` as we send it. No timer runs.
    pub const fn restored(transaction: Transaction, state: FixedState) -> Self {
        Self {
            transaction,
            state,
            deadline: None,
        }
    }

    /// State of the call.
    pub const fn state(&self) -> FixedState {
        self.state
    }

    /// Transaction as we send it.
    pub const fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// When [`FixedEvent::Deadline`] is wanted.
    pub const fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Says whether a message belongs to this call.
    pub fn owns(&self, message: &Message) -> bool {
        self.state != FixedState::Null && message.transaction == self.transaction.answered()
    }

    /// Takes in one event.
    pub fn handle(&mut self, now: Instant, event: FixedEvent) -> Vec<FixedAction> {
        match event {
            FixedEvent::Received(message) => self.received(now, &message),
            FixedEvent::Order(order) => self.order(now, order),
            FixedEvent::Deadline => match self.deadline.is_some_and(|at| now >= at) {
                true => self.expired(now),
                false => vec![],
            },
        }
    }

    fn received(&mut self, now: Instant, message: &Message) -> Vec<FixedAction> {
        use FixedState as S;
        let Kind::Cc(kind) = message.kind else {
            return vec![];
        };
        match (self.state, kind) {
            (S::Null, Cc::Setup) => self.call_wanted(message),
            (S::Null, _) => vec![],
            (_, Cc::ReleaseCom) => self.end(End::Peer, reason_of(message)),
            (S::ReleasePending, Cc::Release) => self.end(End::Peer, reason_of(message)),
            (_, Cc::Release) => {
                let reason = reason_of(message);
                let mut actions = self.end(End::Peer, reason);
                actions.push(self.send(Cc::ReleaseCom, vec![]));
                actions
            }
            (S::Present, Cc::Alerting) => {
                self.enter(S::Received, None);
                vec![FixedAction::Alerting]
            }
            (S::Present | S::Received, Cc::Connect) => {
                self.enter(S::Received, None);
                vec![FixedAction::Answered]
            }
            (S::ReleasePending, _) => vec![],
            (state, Cc::Info) => {
                if state == S::OverlapSending {
                    self.deadline = Some(now + CC_01);
                }
                keys(message)
            }
            // An acknowledgement of our {CC-CONNECT} is not required: annex A of part 5 has none.
            (S::Active, Cc::ConnectAck) => vec![],
            (state, kind) => {
                trace!(?state, ?kind, "ignored");
                vec![]
            }
        }
    }

    fn call_wanted(&mut self, message: &Message) -> Vec<FixedAction> {
        self.transaction = message.transaction.answered();
        let refused = match (message.ipui(), message.basic_service()) {
            (None, _) => message.lack_of(0x05).release_reason(),
            (_, None) => message.lack_of(0xE0).release_reason(),
            (Some(_), Some(service)) if !service.is_speech() => {
                ReleaseReason::SERVICE_NOT_IMPLEMENTED
            }
            (Some(ipui), Some(&service)) => {
                self.enter(FixedState::Initiated, None);
                return vec![FixedAction::CallWanted {
                    ipui,
                    service,
                    keys: message.keypad(),
                    complete: message.sending_complete(),
                }];
            }
        };
        let reason = vec![Ie::ReleaseReason(refused)];
        vec![
            self.send(Cc::ReleaseCom, reason),
            FixedAction::Ended {
                by: End::Us,
                reason: refused,
            },
        ]
    }

    fn order(&mut self, now: Instant, order: Order) -> Vec<FixedAction> {
        use FixedState as S;
        match (self.state, order) {
            (S::Null, Order::Setup(elements)) => {
                self.enter(S::Present, Some(now + CC_03));
                vec![self.send(Cc::Setup, elements)]
            }
            (S::Initiated, Order::SetupAck(elements)) => {
                self.enter(S::OverlapSending, Some(now + CC_01));
                vec![self.send(Cc::SetupAck, elements)]
            }
            (S::Initiated | S::OverlapSending, Order::CallProc(elements)) => {
                self.enter(S::Proceeding, None);
                vec![self.send(Cc::CallProc, elements)]
            }
            (S::Initiated | S::OverlapSending | S::Proceeding, Order::Alerting(elements)) => {
                self.enter(S::Delivered, None);
                vec![self.send(Cc::Alerting, elements)]
            }
            (
                S::Initiated | S::OverlapSending | S::Proceeding | S::Delivered,
                Order::Connect(elements),
            ) => {
                self.enter(S::Active, None);
                vec![self.send(Cc::Connect, elements)]
            }
            (S::Received, Order::ConnectAck(elements)) => {
                self.enter(S::Active, None);
                vec![self.send(Cc::ConnectAck, elements)]
            }
            (S::Null | S::ReleasePending, order) => {
                trace!(state = ?self.state, ?order, "ignored");
                vec![]
            }
            (_, Order::Info(elements)) => vec![self.send(Cc::Info, elements)],
            (state, Order::Release(reason, elements)) => self.release(now, state, reason, elements),
            (state, order) => {
                trace!(?state, ?order, "ignored");
                vec![]
            }
        }
    }

    fn release(
        &mut self,
        now: Instant,
        state: FixedState,
        reason: ReleaseReason,
        elements: Vec<Ie>,
    ) -> Vec<FixedAction> {
        let mut all = vec![Ie::ReleaseReason(reason)];
        all.extend(elements);
        if state == FixedState::Initiated {
            let send = self.send(Cc::ReleaseCom, all);
            return [vec![send], self.end(End::Us, reason)].concat();
        }
        self.enter(FixedState::ReleasePending, Some(now + CC_02));
        vec![self.send(Cc::Release, all)]
    }

    fn expired(&mut self, now: Instant) -> Vec<FixedAction> {
        let reason = ReleaseReason::TIMER_EXPIRY;
        match self.state {
            FixedState::ReleasePending => {
                let send = self.send(Cc::ReleaseCom, vec![Ie::ReleaseReason(reason)]);
                [vec![send], self.end(End::Timer, reason)].concat()
            }
            state => self.release(now, state, reason, vec![]),
        }
    }

    fn enter(&mut self, state: FixedState, deadline: Option<Instant>) {
        self.state = state;
        self.deadline = deadline;
    }

    fn end(&mut self, by: End, reason: ReleaseReason) -> Vec<FixedAction> {
        self.enter(FixedState::Null, None);
        vec![FixedAction::Ended { by, reason }]
    }

    fn send(&self, kind: Cc, elements: Vec<Ie>) -> FixedAction {
        FixedAction::Send(message(self.transaction, kind, elements))
    }
}

fn keys(message: &Message) -> Vec<FixedAction> {
    let (keys, complete) = (message.keypad(), message.sending_complete());
    if keys.is_empty() && !complete {
        return vec![];
    }
    vec![FixedAction::Keys { keys, complete }]
}
