//! Client side of one INVITE. Source: RFC 3261 section 17.1.1, with Accepted from RFC 6026 section 7.2.

use std::time::Instant;

use super::timers::{Resend, Timers};
use super::{ClientAction as Action, ClientEvent as Event, build, code};
use crate::message::Message;

#[derive(Debug, Clone)]
enum State {
    /// No answer yet. Timers A (unreliable transports only) and B.
    Calling {
        resend: Option<Resend>,
        give_up_at: Instant,
    },
    /// A 1xx came: the peer is at work, for as long as it takes.
    Proceeding,
    /// A refusal came and was acknowledged. Timer D.
    Completed {
        ack: Message,
        until: Instant,
    },
    /// A 2xx came. Timer M: others may follow from other branches.
    Accepted {
        until: Instant,
    },
    Terminated,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct ClientInvite {
    request: Message,
    reliable: bool,
    timers: Timers,
    state: State,
}

impl ClientInvite {
    /// Starts a transaction; the caller sends `request` once.
    pub fn new(now: Instant, request: Message, reliable: bool, timers: Timers) -> ClientInvite {
        let resend = (!reliable).then(|| Resend::new(now, timers.t1, None));
        let state = State::Calling {
            resend,
            give_up_at: now + timers.client_timeout,
        };
        ClientInvite {
            request,
            reliable,
            timers,
            state,
        }
    }

    /// The INVITE as it was sent.
    pub fn request(&self) -> &Message {
        &self.request
    }

    /// Tells whether only a 1xx came so far: then, and only then, may CANCEL go out (RFC 3261 section 9.1).
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding)
    }

    /// Takes in one event and answers with what must now be done, in order.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Action> {
        match (&mut self.state, event) {
            // Timer B: no answer at all.
            (State::Calling { give_up_at, .. }, Event::Deadline) if now >= *give_up_at => {
                self.end(Action::TimedOut)
            }
            // Timer A: send again and wait twice as long.
            (
                State::Calling {
                    resend: Some(resend),
                    ..
                },
                Event::Deadline,
            ) if resend.is_due(now) => {
                resend.advance(now);
                vec![Action::Send(self.request.clone())]
            }
            (State::Calling { .. } | State::Proceeding, Event::Received(response)) => {
                self.answered(now, response)
            }
            // The peer repeats its refusal: our ACK was lost. Send it again, tell nobody.
            (State::Completed { ack, .. }, Event::Received(r)) if code(&r) >= 300 => {
                vec![Action::Send(ack.clone())]
            }
            // Every 2xx goes up; its ACK is the dialog's business.
            (State::Accepted { .. }, Event::Received(r)) if code(&r) / 100 == 2 => {
                vec![Action::Deliver(r)]
            }
            // Timers D and M.
            (State::Completed { until, .. } | State::Accepted { until }, Event::Deadline)
                if now >= *until =>
            {
                self.end(Action::Terminated)
            }
            (State::Calling { .. } | State::Proceeding, Event::TransportFailed) => {
                self.end(Action::TransportFailed)
            }
            // RFC 3261 figure 5: an ACK that cannot be sent ends the transaction.
            (State::Completed { .. }, Event::TransportFailed) => self.end(Action::Terminated),
            _ => vec![],
        }
    }

    /// When `handle` next wants [`Event::Deadline`], if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Calling { resend, give_up_at } => {
                Some(resend.map_or(*give_up_at, |r| r.at().min(*give_up_at)))
            }
            State::Completed { until, .. } | State::Accepted { until } => Some(*until),
            State::Proceeding | State::Terminated => None,
        }
    }

    fn answered(&mut self, now: Instant, response: Message) -> Vec<Action> {
        match code(&response) {
            100..=199 => {
                self.state = State::Proceeding;
                vec![Action::Deliver(response)]
            }
            200..=299 => {
                self.state = State::Accepted {
                    until: now + self.timers.t64(),
                };
                vec![Action::Deliver(response)]
            }
            _ => {
                let ack = build::ack_of_refusal(&self.request, &response);
                let mut actions = vec![Action::Send(ack.clone()), Action::Deliver(response)];
                if self.reliable {
                    actions.extend(self.end(Action::Terminated));
                } else {
                    self.state = State::Completed {
                        ack,
                        until: now + self.timers.d(false),
                    };
                }
                actions
            }
        }
    }

    fn end(&mut self, action: Action) -> Vec<Action> {
        self.state = State::Terminated;
        vec![action]
    }
}
