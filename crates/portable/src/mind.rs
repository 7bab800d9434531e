//! The mind of a portable: what it holds, and how it finds and keeps a base station.

mod calls;
mod display;
mod radio;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_dect::identity::Pmid;
use ipdect_dect::nwk::cc::{PortableCall, PortableState};
use ipdect_dect::nwk::{Kind, Message};
use rand_core::RngCore;
use tracing::debug;

use crate::connection::{Connection, Told};
use crate::event::{Action, CallState, Event, Key, Status, SubscriptionFailure};
use crate::mobility::{Mobility, Procedure};
use crate::speech::{Ear, FRAME_SAMPLES, Mouth, Source};
use crate::surroundings::{Heard, Surroundings};
use crate::{Config, Memory};
use display::Display;

/// An idle connection that the system does not release is released by the portable after this.
const IDLE: Duration = Duration::from_secs(10);
/// Time to tell the system before switching off.
const SWITCH_OFF: Duration = Duration::from_secs(2);

/// A whole virtual handset: events in, actions out.
#[derive(Debug)]
pub struct Portable {
    pub(crate) config: Config,
    pub(crate) memory: Option<Memory>,
    pub(crate) surroundings: Surroundings,
    pub(crate) on: bool,
    /// Until when the system may be told.
    switching_off: Option<Instant>,
    pub(crate) link: Link,
    /// What the next connection is for, in order.
    pub(crate) wants: Vec<Want>,
    pub(crate) mobility: Mobility,
    pub(crate) call: PortableCall,
    pub(crate) call_state: CallState,
    /// Digits typed on hook.
    pub(crate) typed: Vec<u8>,
    /// Keys pressed before the system wants them.
    pub(crate) early_keys: Vec<u8>,
    pub(crate) display: Display,
    pub(crate) ringing: Option<u8>,
    /// Receive path open.
    pub(crate) listening: bool,
    pub(crate) mouth: Mouth,
    pub(crate) ear: Ear,
    release_at: Option<Instant>,
    pub(crate) actions: Vec<Action>,
}

/// The way to a base station.
#[derive(Debug)]
pub(crate) enum Link {
    Down,
    Accessing(Access),
    Up(Box<Connection>),
}

/// A set-up under way.
#[derive(Debug)]
pub(crate) struct Access {
    /// Base stations still to be tried after this one.
    others: Vec<(SocketAddr, Heard)>,
    base: SocketAddr,
    heard: Heard,
    pmid: Pmid,
    attempt: u8,
    try_at: Instant,
    give_up_at: Instant,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Subscribe,
    Locate,
    Call,
    PageResponse,
    Detach,
}

impl Portable {
    /// A portable that is switched off, with what it remembers and the base stations within its host's reach.
    pub fn new(config: Config, memory: Option<Memory>, bases: Vec<SocketAddr>) -> Self {
        Self {
            memory: memory.filter(|memory| memory.ipei == config.ipei),
            surroundings: Surroundings::new(bases),
            on: false,
            switching_off: None,
            link: Link::Down,
            wants: Vec::new(),
            mobility: Mobility::default(),
            call: PortableCall::default(),
            call_state: CallState::Idle,
            typed: Vec::new(),
            early_keys: Vec::new(),
            display: Display::new(config.display),
            ringing: None,
            listening: false,
            mouth: Mouth::new(),
            ear: Ear::new(),
            release_at: None,
            actions: Vec::new(),
            config,
        }
    }

    /// Takes in one event and answers with what is to be done, in order.
    pub fn handle(&mut self, now: Instant, rng: &mut dyn RngCore, event: Event<'_>) -> Vec<Action> {
        match event {
            Event::Key(Key::PowerOn) => self.power_on(),
            Event::Key(Key::PowerOff) => self.power_off(now),
            Event::Subscribe { .. } if !self.on => {
                let failure = Err(SubscriptionFailure::Off);
                self.actions.push(Action::Subscribed(failure));
            }
            _ if !self.on => {}
            Event::Datagram { from, octets } => self.datagram(now, rng, from, octets),
            Event::Key(key) => self.key(now, key),
            Event::Subscribe { park, access_code } => self.subscribe(now, park, access_code),
            Event::Deadline => self.deadline(now),
        }
        if self.on {
            self.settle(now, rng);
        }
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Deadline`] is wanted; `None` while switched off.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.on {
            return None;
        }
        let link = match &self.link {
            Link::Down => None,
            Link::Accessing(access) => Some(access.try_at.min(access.give_up_at)),
            Link::Up(connection) => Some(connection.next_deadline()),
        };
        let all = [
            self.surroundings.next_tune(),
            link,
            self.switching_off,
            self.release_at,
            self.display.next_deadline(),
            self.mobility.next_deadline(),
            self.call.next_deadline(),
        ];
        all.into_iter().flatten().min()
    }

    /// Takes the next frame of 10 ms from the ear, if one is there.
    pub fn take_heard(&mut self, samples: &mut [i16; FRAME_SAMPLES]) -> bool {
        match self.ear.take() {
            Some(frame) => {
                *samples = frame;
                true
            }
            None => false,
        }
    }

    /// What the user says from now on.
    pub fn set_source(&mut self, source: Source) {
        self.mouth.set(source);
    }

    /// Lends samples at 8 kHz to a [`Source::Live`].
    pub fn speak(&mut self, samples: &[i16]) {
        self.mouth.speak(samples);
    }

    /// Moves the portable, in metres.
    pub fn set_position(&mut self, position_m: [f64; 3]) {
        self.config.position_m = position_m;
    }

    /// What it is.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What it would remember if switched off now.
    pub const fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    /// The MAC identity that datagrams to this portable carry, while it has or wants a connection.
    pub fn pmid(&self) -> Option<Pmid> {
        match &self.link {
            Link::Down => None,
            Link::Accessing(access) => Some(access.pmid),
            Link::Up(connection) => Some(connection.pmid),
        }
    }

    /// What it is doing at `now`.
    pub fn status(&self, now: Instant) -> Status {
        let park = self.memory.as_ref().map(|memory| memory.park);
        let strongest = self.surroundings.candidates(now, park);
        Status {
            on: self.on,
            subscribed: self.memory.is_some(),
            located: self.mobility.located,
            base: strongest
                .first()
                .map(|(_, heard)| (heard.rfpi.rpn(), heard.rssi_dbm)),
            connected: matches!(self.link, Link::Up(_)),
            call: self.call_state.clone(),
            display: self.display.lines(),
            ringing: self.ringing,
            ear: self.ear.counters(),
        }
    }

    fn power_on(&mut self) {
        if self.on && self.switching_off.is_none() {
            return;
        }
        self.switching_off = None;
        self.on = true;
        self.mobility.power_on(self.memory.is_some());
    }

    fn power_off(&mut self, now: Instant) {
        if !self.on || self.switching_off.is_some() {
            return;
        }
        self.hang_up(now);
        self.wants.clear();
        if self.mobility.located {
            self.want(now, Want::Detach);
        }
        self.switching_off = Some(now + SWITCH_OFF);
    }

    fn deadline(&mut self, now: Instant) {
        self.pass_link_time(now);
        self.pass_mobility_time(now);
        self.pass_call_time(now);
        if self.release_at.is_some_and(|at| now >= at) {
            self.release_link();
        }
    }

    /// What follows from the state, whatever happened.
    fn settle(&mut self, now: Instant, rng: &mut dyn RngCore) {
        self.tune(now);
        self.look_for_location(now);
        if matches!(self.link, Link::Down) && !self.wants.is_empty() {
            self.begin_access(now, rng);
        }
        self.try_access(now, rng);
        if let Some(until) = self.switching_off {
            self.settle_off(now, until);
        }
        self.settle_display(now);
        let idle_link = matches!(self.link, Link::Up(_)) && self.is_idle();
        self.release_at = match (idle_link, self.release_at) {
            (true, None) => Some(now + IDLE),
            (true, at) => at,
            (false, _) => None,
        };
    }

    /// Neither call nor procedure under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.call.state() == PortableState::Null && !self.mobility.is_busy()
    }

    fn settle_off(&mut self, now: Instant, until: Instant) {
        let said = match &self.link {
            Link::Up(connection) => connection.is_idle(),
            Link::Down => self.wants.is_empty() || !self.is_in_range(now),
            Link::Accessing(_) => false,
        };
        if !said && now < until {
            return;
        }
        self.release_link();
        self.connection_gone(now);
        self.wants.clear();
        self.on = false;
        self.switching_off = None;
        self.mobility.power_off();
        self.surroundings.forget();
        self.typed.clear();
        self.display.switch_off();
        self.actions.push(Action::Off);
    }

    fn is_in_range(&self, now: Instant) -> bool {
        let park = self.memory.as_ref().map(|memory| memory.park);
        !self.surroundings.candidates(now, park).is_empty()
    }

    /// Has something to say: at once if the connection stands, else when it does.
    pub(crate) fn want(&mut self, now: Instant, want: Want) {
        if matches!(self.link, Link::Up(_)) {
            self.begin(now, want);
        } else if !self.wants.contains(&want) {
            self.wants.push(want);
        }
    }

    /// Says what a connection is for.
    fn begin(&mut self, now: Instant, want: Want) {
        match want {
            Want::Subscribe => self.begin_subscription(now),
            Want::Locate => self.begin_location(now),
            Want::Call => self.begin_call(now),
            Want::PageResponse => self.answer_page(now),
            Want::Detach => self.send_detach(now),
        }
    }

    /// Sends a message over the connection, if there is one.
    pub(crate) fn send(&mut self, now: Instant, message: &Message) {
        if let Link::Up(connection) = &mut self.link {
            let told = connection.send(now, message);
            // A link that has just been given a message has nothing to tell but that it failed.
            if told.contains(&Told::Failed) {
                self.link_failed(now);
            }
        }
    }

    /// Takes in a network layer message.
    fn message(&mut self, now: Instant, rng: &mut dyn RngCore, octets: &[u8]) {
        let message = match Message::decode(octets) {
            Ok(message) => message,
            Err(error) => {
                debug!(%error, "message ignored");
                return;
            }
        };
        self.read_display(&message);
        match message.kind {
            Kind::Cc(_) => self.call_message(now, message),
            Kind::Mm(_) => self.mobility_message(now, rng, &message),
            Kind::Lce(_) => self.page_rejected(&message),
            Kind::Ciss(_) => self.notice(&message),
            Kind::Clms(_) | Kind::Coms(_) => {}
        }
    }

    /// Ends what depended on the connection.
    fn connection_gone(&mut self, now: Instant) {
        self.link = Link::Down;
        self.release_at = None;
        self.call_lost(now);
        if !matches!(self.mobility.procedure, Procedure::None) {
            self.procedure_lost(now);
        }
    }
}
