//! When to register, refresh, try again and give up: the machine behind REGISTER.
//!
//! It writes no message: the user agent does, and tells the machine what came back. Source: RFC 3261 section 10.2.

use std::time::{Duration, Instant};

use rand_core::RngCore;

/// First pause after a failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause between attempts, and the one after a refusal that only people can mend.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// No registrar may ask for more than this by 423.
const LONGEST_EXPIRES: Duration = Duration::from_secs(7 * 24 * 3600);
/// Refreshes are not closer together than this, whatever is granted.
const SHORTEST_REFRESH: Duration = Duration::from_secs(1);

/// Why there is no registration, in the words of an operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The registrar challenged again after a fresh answer with our password.
    #[error("wrong authentication user or password")]
    WrongPassword,
    /// The registrar wants a password and none is configured, or offers no scheme that we know.
    #[error("the registrar asks for a password that is not configured, or by an unknown scheme")]
    NoCredentials,
    /// 404 or 410: the registrar knows no such user.
    #[error("the registrar does not know this user")]
    UnknownUser,
    /// 403: the user may not register.
    #[error("the registrar forbids this user to register")]
    Forbidden,
    /// No proxy could be connected to.
    #[error("no proxy can be reached")]
    Unreachable,
    /// No proxy answered in time.
    #[error("no proxy answers")]
    NoAnswer,
    /// 503 from each proxy.
    #[error("every proxy is overloaded or out of service")]
    Unavailable,
    /// 423 without a Min-Expires that could be followed.
    #[error("the registrar refuses every registration time")]
    Interval,
    /// 200 without our Contact, or with expiry 0.
    #[error("the registrar confirmed without keeping our address")]
    NotKept,
    /// Any other final status.
    #[error("refused: {status} {reason}")]
    Refused {
        /// 300 to 699.
        status: u16,
        /// The reason phrase.
        reason: String,
    },
}

impl Failure {
    /// Tells whether only people can mend it, so that quick repetitions would just fill logs and lock accounts.
    fn needs_people(&self) -> bool {
        use Failure::{Forbidden, NoCredentials, UnknownUser, WrongPassword};
        matches!(
            self,
            WrongPassword | NoCredentials | UnknownUser | Forbidden
        )
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The owner wants to be registered.
    Register,
    /// The owner wants to be registered no longer.
    Unregister,
    /// 2xx that keeps our Contact for this long.
    Granted(Duration),
    /// 423 with its Min-Expires.
    TooBrief(Option<Duration>),
    /// The attempt failed on all proxies, or was refused.
    Failed(Failure),
    /// 503 or 500 with Retry-After, nothing else left to try.
    RetryAfter(Failure, Duration),
    /// A better proxy than the one in use is worth a try.
    Return,
    /// Time passed.
    Deadline,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send REGISTER with this expiry; zero removes the binding.
    Send(Duration),
    /// Tell the owner: registered for this long.
    Registered(Duration),
    /// Tell the owner: not registered, next attempt after the pause.
    Failed(Failure, Option<Duration>),
    /// Tell the owner: the binding is gone.
    Unregistered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not wanted.
    Idle,
    /// A REGISTER is out.
    Trying,
    /// Bound; the next REGISTER goes out at this time.
    Registered { refresh_at: Instant },
    /// The last attempt failed.
    Waiting { until: Instant },
    /// The removal is out.
    Leaving,
}

/// The registration of one address of record.
#[derive(Debug, Clone)]
pub struct Registration {
    state: State,
    wanted: Duration,
    failures: u32,
    /// Another attempt is due as soon as the one that is out has ended.
    again: Option<Event>,
}

impl Registration {
    /// A machine that asks for `expires` and has not begun.
    pub fn new(expires: Duration) -> Registration {
        Registration {
            state: State::Idle,
            wanted: expires,
            failures: 0,
            again: None,
        }
    }

    /// Asks for another time from the next REGISTER on.
    pub fn set_expires(&mut self, expires: Duration) {
        self.wanted = expires;
    }

    /// Tells whether the registrar holds our binding, as far as we know.
    pub fn is_registered(&self) -> bool {
        matches!(self.state, State::Registered { .. })
    }

    /// Tells whether the owner wants to be registered.
    pub fn is_wanted(&self) -> bool {
        !matches!(self.state, State::Idle | State::Leaving)
    }

    /// Takes in one event and answers with what must now be done, in order.
    pub fn handle(&mut self, now: Instant, rng: &mut dyn RngCore, event: Event) -> Vec<Action> {
        match (self.state, event) {
            // One REGISTER at a time (RFC 3261 section 10.2): the wish waits for the answer.
            (State::Trying, Event::Unregister) | (State::Leaving, Event::Register) => {
                let leaving = self.state == State::Leaving;
                self.again = Some(if leaving {
                    Event::Register
                } else {
                    Event::Unregister
                });
                vec![]
            }
            (State::Idle, Event::Unregister) => vec![Action::Unregistered],
            (_, Event::Unregister) => self.leave(),
            (State::Trying, Event::Register | Event::Return) => vec![],
            (_, Event::Register) => self.try_now(),
            (State::Registered { .. }, Event::Return) => self.try_now(),
            (
                State::Registered { refresh_at: at } | State::Waiting { until: at },
                Event::Deadline,
            ) if now >= at => self.try_now(),
            (State::Trying, Event::Granted(time)) => self.granted(now, rng, time),
            (State::Trying, Event::TooBrief(min)) => self.too_brief(now, rng, min),
            (State::Trying, Event::Failed(why)) => self.failed(now, rng, why, None),
            (State::Trying, Event::RetryAfter(why, pause)) => {
                self.failed(now, rng, why, Some(pause))
            }
            (
                State::Leaving,
                Event::Granted(_) | Event::TooBrief(_) | Event::Failed(_) | Event::RetryAfter(..),
            ) => self.left(now, rng),
            _ => vec![],
        }
    }

    /// When `handle` next wants [`Event::Deadline`], if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Registered { refresh_at: at } | State::Waiting { until: at } => Some(at),
            State::Idle | State::Trying | State::Leaving => None,
        }
    }

    fn try_now(&mut self) -> Vec<Action> {
        self.state = State::Trying;
        vec![Action::Send(self.wanted)]
    }

    fn leave(&mut self) -> Vec<Action> {
        self.state = State::Leaving;
        vec![Action::Send(Duration::ZERO)]
    }

    fn left(&mut self, now: Instant, rng: &mut dyn RngCore) -> Vec<Action> {
        self.state = State::Idle;
        self.failures = 0;
        self.then(now, rng, vec![Action::Unregistered])
    }

    fn granted(&mut self, now: Instant, rng: &mut dyn RngCore, time: Duration) -> Vec<Action> {
        if time.is_zero() {
            return self.failed(now, rng, Failure::NotKept, None);
        }
        self.failures = 0;
        // 85 to 90 %: handsets that registered together do not all come back together.
        let pause = time * (850 + rng.next_u32() % 51) / 1000;
        self.state = State::Registered {
            refresh_at: now + pause.max(SHORTEST_REFRESH),
        };
        self.then(now, rng, vec![Action::Registered(time)])
    }

    fn too_brief(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        min: Option<Duration>,
    ) -> Vec<Action> {
        match min {
            Some(min) if min > self.wanted && min <= LONGEST_EXPIRES => {
                self.wanted = min;
                vec![Action::Send(min)]
            }
            _ => self.failed(now, rng, Failure::Interval, None),
        }
    }

    fn failed(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        why: Failure,
        asked: Option<Duration>,
    ) -> Vec<Action> {
        let doubled = FIRST_PAUSE * (1 << self.failures.min(8));
        let base = if why.needs_people() {
            LONGEST_PAUSE
        } else {
            doubled.min(LONGEST_PAUSE)
        };
        // Between half and all of it, so that a whole site does not knock at once.
        let pause = base * (500 + rng.next_u32() % 501) / 1000;
        let pause = pause.max(asked.unwrap_or_default().min(LONGEST_PAUSE));
        self.failures += 1;
        self.state = State::Waiting { until: now + pause };
        self.then(now, rng, vec![Action::Failed(why, Some(pause))])
    }

    /// Appends what the wish that waited for the last answer asks for.
    fn then(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        mut actions: Vec<Action>,
    ) -> Vec<Action> {
        if let Some(event) = self.again.take() {
            actions.extend(self.handle(now, rng, event));
        }
        actions
    }
}
