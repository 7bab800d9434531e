//! Server side of any request but INVITE and ACK. Source: RFC 3261 section 17.2.2, with RFC 4320.

use std::time::Instant;

use super::timers::Timers;
use super::{ServerAction as Action, ServerEvent as Event, code};
use crate::message::Message;

#[derive(Debug, Clone)]
enum State {
    /// Trying and Proceeding: nothing final was said; `last` is the 1xx said so far.
    Open {
        last: Option<Message>,
    },
    /// Answered. Timer J: repetitions get the same answer.
    Completed {
        last: Message,
        until: Instant,
    },
    Terminated,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct ServerNonInvite {
    reliable: bool,
    timers: Timers,
    state: State,
}

impl ServerNonInvite {
    /// Starts a transaction for a request just received.
    pub fn new(reliable: bool, timers: Timers) -> ServerNonInvite {
        ServerNonInvite {
            reliable,
            timers,
            state: State::Open { last: None },
        }
    }

    /// Tells whether no final response was given yet.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// Takes in one event and answers with what must now be done, in order.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Action> {
        match (&mut self.state, event) {
            (State::Open { last }, Event::Received(_)) => {
                last.iter().cloned().map(Action::Send).collect()
            }
            (State::Completed { last, .. }, Event::Received(_)) => vec![Action::Send(last.clone())],
            // RFC 4320 section 4.2: 408 comes too late to help anyone.
            (State::Open { .. }, Event::Respond(r)) if code(&r) == 408 => self.end(vec![]),
            (State::Open { last }, Event::Respond(r)) if code(&r) < 200 => {
                *last = Some(r.clone());
                vec![Action::Send(r)]
            }
            (State::Open { .. }, Event::Respond(r)) if self.reliable => {
                self.end(vec![Action::Send(r)])
            }
            (State::Open { .. }, Event::Respond(r)) => {
                let until = now + self.timers.j(false);
                self.state = State::Completed {
                    last: r.clone(),
                    until,
                };
                vec![Action::Send(r)]
            }
            // Timer J.
            (State::Completed { until, .. }, Event::Deadline) if now >= *until => self.end(vec![]),
            _ => vec![],
        }
    }

    /// When `handle` next wants [`Event::Deadline`], if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Completed { until, .. } => Some(*until),
            State::Open { .. } | State::Terminated => None,
        }
    }

    fn end(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        self.state = State::Terminated;
        actions.push(Action::Terminated);
        actions
    }
}
