//! Server side of one INVITE. Source: RFC 3261 section 17.2.1, with Accepted from RFC 6026 section 7.1.

use std::time::Instant;

use super::timers::{Resend, Timers};
use super::{ServerAction as Action, ServerEvent as Event, code};
use crate::message::{Message, Method};

#[derive(Debug, Clone)]
enum State {
    /// The user is being asked; the last 1xx answers repetitions.
    Proceeding {
        last: Option<Message>,
    },
    /// Refused. Timers G (unreliable transports only) and H, until the ACK.
    Completed {
        last: Message,
        resend: Option<Resend>,
        give_up_at: Instant,
    },
    /// The ACK of the refusal came. Timer I absorbs more of them.
    Confirmed {
        until: Instant,
    },
    /// A 2xx was sent; who sent it repeats it. Timer L.
    Accepted {
        until: Instant,
    },
    Terminated,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct ServerInvite {
    reliable: bool,
    timers: Timers,
    state: State,
}

impl ServerInvite {
    /// Starts a transaction for an INVITE just received.
    pub fn new(reliable: bool, timers: Timers) -> ServerInvite {
        ServerInvite {
            reliable,
            timers,
            state: State::Proceeding { last: None },
        }
    }

    /// Tells whether no final response was given yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// Takes in one event and answers with what must now be done, in order.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Action> {
        match (&mut self.state, event) {
            (_, Event::Received(m)) if m.method() == Some(&Method::Ack) => self.acked(now, m),
            // The INVITE again: our last answer was lost.
            (State::Proceeding { last }, Event::Received(_)) => {
                last.iter().cloned().map(Action::Send).collect()
            }
            (State::Completed { last, .. }, Event::Received(_)) => vec![Action::Send(last.clone())],
            (State::Proceeding { .. }, Event::Respond(response)) => self.respond(now, response),
            // RFC 6026: repetitions of the 2xx, and 2xx of further branches through a proxy.
            (State::Accepted { .. }, Event::Respond(r)) if code(&r) / 100 == 2 => {
                vec![Action::Send(r)]
            }
            // Timer H: the ACK never came.
            (State::Completed { give_up_at, .. }, Event::Deadline) if now >= *give_up_at => {
                self.end(Action::NoAck)
            }
            // Timer G.
            (
                State::Completed {
                    last,
                    resend: Some(resend),
                    ..
                },
                Event::Deadline,
            ) if resend.is_due(now) => {
                resend.advance(now);
                vec![Action::Send(last.clone())]
            }
            // Timers I and L.
            (State::Confirmed { until } | State::Accepted { until }, Event::Deadline)
                if now >= *until =>
            {
                self.end(Action::Terminated)
            }
            // A lost flow may come back (a 2xx finds another way); the timers end the rest.
            _ => vec![],
        }
    }

    /// When `handle` next wants [`Event::Deadline`], if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Completed {
                resend, give_up_at, ..
            } => Some(resend.map_or(*give_up_at, |r| r.at().min(*give_up_at))),
            State::Confirmed { until } | State::Accepted { until } => Some(*until),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    fn respond(&mut self, now: Instant, response: Message) -> Vec<Action> {
        let last = response.clone();
        match code(&response) {
            ..200 => self.state = State::Proceeding { last: Some(last) },
            200..=299 => {
                self.state = State::Accepted {
                    until: now + self.timers.t64(),
                }
            }
            _ => {
                let Timers { t1, t2, .. } = self.timers;
                let resend = (!self.reliable).then(|| Resend::new(now, t1, Some(t2)));
                let give_up_at = now + self.timers.t64();
                self.state = State::Completed {
                    last,
                    resend,
                    give_up_at,
                };
            }
        }
        vec![Action::Send(response)]
    }

    fn acked(&mut self, now: Instant, ack: Message) -> Vec<Action> {
        match self.state {
            State::Completed { .. } if self.reliable => self.end(Action::Terminated),
            State::Completed { .. } => {
                self.state = State::Confirmed {
                    until: now + self.timers.linger(false),
                };
                vec![]
            }
            // RFC 6026: an ACK with the branch of the INVITE, although it was accepted, goes up.
            State::Accepted { .. } => vec![Action::Deliver(ack)],
            _ => vec![],
        }
    }

    fn end(&mut self, action: Action) -> Vec<Action> {
        self.state = State::Terminated;
        vec![action]
    }
}
