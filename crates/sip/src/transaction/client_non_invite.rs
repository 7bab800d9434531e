//! Client side of any request but INVITE and ACK. Source: RFC 3261 section 17.1.2, with RFC 4320.

use std::time::Instant;

use super::timers::{Resend, Timers};
use super::{ClientAction as Action, ClientEvent as Event, code};
use crate::message::Message;

#[derive(Debug, Clone)]
enum State {
    /// Trying and Proceeding: Timer E (unreliable transports only) and Timer F.
    Waiting {
        resend: Option<Resend>,
        give_up_at: Instant,
    },
    /// Answered. Timer K absorbs repetitions.
    Completed {
        until: Instant,
    },
    Terminated,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct ClientNonInvite {
    request: Message,
    reliable: bool,
    timers: Timers,
    state: State,
}

impl ClientNonInvite {
    /// Starts a transaction; the caller sends `request` once.
    pub fn new(now: Instant, request: Message, reliable: bool, timers: Timers) -> ClientNonInvite {
        let resend = (!reliable).then(|| Resend::new(now, timers.t1, Some(timers.t2)));
        let state = State::Waiting {
            resend,
            give_up_at: now + timers.client_timeout,
        };
        ClientNonInvite {
            request,
            reliable,
            timers,
            state,
        }
    }

    /// The request as it was sent.
    pub fn request(&self) -> &Message {
        &self.request
    }

    /// Takes in one event and answers with what must now be done, in order.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Action> {
        match (&mut self.state, event) {
            // Timer F.
            (State::Waiting { give_up_at, .. }, Event::Deadline) if now >= *give_up_at => {
                self.end(Action::TimedOut)
            }
            // Timer E.
            (
                State::Waiting {
                    resend: Some(resend),
                    ..
                },
                Event::Deadline,
            ) if resend.is_due(now) => {
                resend.advance(now);
                vec![Action::Send(self.request.clone())]
            }
            // Proceeding: the peer lives; from here on Timer E runs at T2.
            (State::Waiting { resend, .. }, Event::Received(r)) if code(&r) < 200 => {
                resend.iter_mut().for_each(Resend::slow_down);
                vec![Action::Deliver(r)]
            }
            (State::Waiting { .. }, Event::Received(response)) => {
                let mut actions = vec![Action::Deliver(response)];
                if self.reliable {
                    actions.extend(self.end(Action::Terminated));
                } else {
                    self.state = State::Completed {
                        until: now + self.timers.linger(false),
                    };
                }
                actions
            }
            (State::Waiting { .. }, Event::TransportFailed) => self.end(Action::TransportFailed),
            // Timer K.
            (State::Completed { until }, Event::Deadline) if now >= *until => {
                self.end(Action::Terminated)
            }
            _ => vec![],
        }
    }

    /// When `handle` next wants [`Event::Deadline`], if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { resend, give_up_at } => {
                Some(resend.map_or(*give_up_at, |r| r.at().min(*give_up_at)))
            }
            State::Completed { until } => Some(*until),
            State::Terminated => None,
        }
    }

    fn end(&mut self, action: Action) -> Vec<Action> {
        self.state = State::Terminated;
        vec![action]
    }
}
