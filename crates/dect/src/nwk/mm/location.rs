//! Location registration with TPUI assignment, EN 300 175-5 section 13.4.

use std::time::Instant;

use rand_core::RngCore;

use super::{
    AuthenticationAction, Expiry, FixedAuthentication, MM_IDENT_1, MM_LOCATE_1, Refused,
    Supervised, answer, answer_authentication, begin, own_identity, portable_of,
};
use crate::identity::{Ipei, Tpui};
use crate::nwk::ie::{
    LocationArea, ModelIdentifier, PortableIdentity, RejectReason, TerminalCapability,
};
use crate::nwk::{Ie, Kind, Message, Mm};
use crate::security::Key;

/// What the fixed part gives to a handset that registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Key to authenticate the handset with first; `None`: it is taken at its word.
    pub uak: Option<Key>,
    /// TPUI to assign; `None`: it is paged by its IPUI.
    pub tpui: Option<Tpui>,
    /// Location area level; 31 makes a class B system one area.
    pub level: u8,
}

/// What the fixed side does next, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocationAction {
    /// Send to the portable.
    Send(Message),
    /// The handset proved itself; cipher key derived with it.
    Authenticated(Key),
    /// The handset is registered and, if one was granted, knows its TPUI.
    Located {
        /// Who.
        ipei: Ipei,
        /// What it answers to.
        tpui: Option<Tpui>,
        /// What it can do, if it told.
        terminal: Option<TerminalCapability>,
    },
    /// Over without registration; the reject, if one is due, was sent before.
    Failed(RejectReason),
}

/// Fixed side of one location registration, begun by `{LOCATE-REQUEST}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedLocation {
    grant: Grant,
    request: Message,
    ipei: Ipei,
    step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Authenticating(FixedAuthentication),
    Assigning(Supervised),
    Done,
}

impl FixedLocation {
    /// Looks at `{LOCATE-REQUEST}`; authenticates first if the grant has a key.
    ///
    /// # Errors
    /// The `{LOCATE-REJECT}` to send if the identity is no IPUI of type N.
    pub fn start(
        now: Instant,
        rng: &mut dyn RngCore,
        request: Message,
        grant: Grant,
    ) -> Result<(Self, Vec<LocationAction>), Message> {
        let ipei = portable_of(&request).map_err(|reason| Self::reject(&request, reason))?;
        let mut machine = Self {
            grant,
            request,
            ipei,
            step: Step::Done,
        };
        let actions = match machine.grant.uak {
            Some(uak) => {
                let (authentication, message) = FixedAuthentication::start(now, rng, &uak);
                machine.step = Step::Authenticating(authentication);
                vec![LocationAction::Send(message)]
            }
            None => machine.accept(now),
        };
        Ok((machine, actions))
    }

    /// `{LOCATE-REJECT}` to a request, for a handset that gets no grant.
    pub fn reject(request: &Message, reason: RejectReason) -> Message {
        answer(request, Mm::LocateReject).with(Ie::RejectReason(reason))
    }

    /// Takes in a message of the portable.
    pub fn received(&mut self, now: Instant, message: &Message) -> Vec<LocationAction> {
        match &self.step {
            Step::Authenticating(authentication) => {
                let actions = authentication.received(message);
                self.authenticated(now, actions)
            }
            Step::Assigning(_) => match message.kind {
                Kind::Mm(Mm::TemporaryIdentityAssignAck) => self.located(),
                Kind::Mm(Mm::TemporaryIdentityAssignRej) => {
                    let reason = message.reject_reason().copied();
                    self.step = Step::Done;
                    vec![LocationAction::Failed(
                        reason.unwrap_or(RejectReason::INVALID_TPUI),
                    )]
                }
                _ => vec![],
            },
            Step::Done => vec![],
        }
    }

    fn authenticated(
        &mut self,
        now: Instant,
        actions: Vec<AuthenticationAction>,
    ) -> Vec<LocationAction> {
        let mut out = Vec::new();
        for action in actions {
            match action {
                AuthenticationAction::Send(message) => out.push(LocationAction::Send(message)),
                AuthenticationAction::Authenticated(dck) => {
                    out.push(LocationAction::Authenticated(dck));
                    out.extend(self.accept(now));
                }
                AuthenticationAction::Failed(reason) => {
                    self.step = Step::Done;
                    out.push(LocationAction::Send(Self::reject(&self.request, reason)));
                    out.push(LocationAction::Failed(reason));
                }
            }
        }
        out
    }

    fn accept(&mut self, now: Instant) -> Vec<LocationAction> {
        let identity = match self.grant.tpui {
            Some(tpui) => Ie::PortableIdentity(PortableIdentity::Tpui(tpui)),
            None => Ie::empty(0x05),
        };
        let accept = answer(&self.request, Mm::LocateAccept)
            .with(identity)
            .with(Ie::LocationArea(LocationArea::level(self.grant.level)));
        if self.grant.tpui.is_some() {
            self.step = Step::Assigning(Supervised::new(now, MM_IDENT_1, accept.clone()));
            vec![LocationAction::Send(accept)]
        } else {
            [vec![LocationAction::Send(accept)], self.located()].concat()
        }
    }

    fn located(&mut self) -> Vec<LocationAction> {
        self.step = Step::Done;
        vec![LocationAction::Located {
            ipei: self.ipei,
            tpui: self.grant.tpui,
            terminal: self.request.terminal_capability().cloned(),
        }]
    }

    /// Takes in the passing of time.
    pub fn deadline(&mut self, now: Instant) -> Vec<LocationAction> {
        match &mut self.step {
            Step::Authenticating(authentication) => {
                let actions = authentication.deadline(now);
                self.authenticated(now, actions)
            }
            Step::Assigning(waiting) => match waiting.check(now) {
                Expiry::NotYet => vec![],
                Expiry::SendAgain(message) => vec![LocationAction::Send(message)],
                Expiry::GiveUp => {
                    self.step = Step::Done;
                    vec![LocationAction::Failed(RejectReason::TIMER_EXPIRY)]
                }
            },
            Step::Done => vec![],
        }
    }

    /// When [`Self::deadline`] is wanted; `None` when the procedure is over.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.step {
            Step::Authenticating(authentication) => Some(authentication.next_deadline()),
            Step::Assigning(waiting) => Some(waiting.deadline()),
            Step::Done => None,
        }
    }

    /// Who registers.
    pub const fn ipei(&self) -> Ipei {
        self.ipei
    }
}

/// What the portable side does next, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortableLocationAction {
    /// Send to the fixed part.
    Send(Message),
    /// The fixed part authenticated us; cipher key derived with it.
    Authenticated(Key),
    /// Registered; the TPUI to answer to, if one was assigned.
    Located(Option<Tpui>),
    /// The fixed part said no.
    Rejected(RejectReason),
    /// No answer.
    TimedOut,
}

/// Portable side of one location registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableLocation {
    uak: Key,
    /// `None`: over.
    waiting: Option<Supervised>,
}

impl PortableLocation {
    /// Begins with `{LOCATE-REQUEST}`.
    pub fn start(
        now: Instant,
        ipei: Ipei,
        uak: Key,
        terminal: TerminalCapability,
        model: ModelIdentifier,
    ) -> (Self, Message) {
        let request = begin(Mm::LocateRequest)
            .with(own_identity(ipei))
            .with(Ie::TerminalCapability(terminal))
            .with(Ie::ModelIdentifier(model));
        let waiting = Some(Supervised::new(now, MM_LOCATE_1, request.clone()));
        (Self { uak, waiting }, request)
    }

    /// Takes in a message of the fixed part. A repeated `{LOCATE-ACCEPT}` is acknowledged again.
    pub fn received(
        &mut self,
        rng: &mut dyn RngCore,
        message: &Message,
    ) -> Vec<PortableLocationAction> {
        match message.kind {
            Kind::Mm(Mm::AuthRequest) => match answer_authentication(rng, &self.uak, message) {
                Ok((reply, dck)) => vec![
                    PortableLocationAction::Send(reply),
                    PortableLocationAction::Authenticated(dck),
                ],
                Err(Refused(reject)) => vec![PortableLocationAction::Send(reject)],
            },
            Kind::Mm(Mm::LocateAccept) => self.accepted(message),
            Kind::Mm(Mm::LocateReject) if self.waiting.take().is_some() => {
                let reason = message.reject_reason().copied();
                vec![PortableLocationAction::Rejected(
                    reason.unwrap_or(RejectReason::INVALID_MESSAGE),
                )]
            }
            _ => vec![],
        }
    }

    fn accepted(&mut self, message: &Message) -> Vec<PortableLocationAction> {
        let tpui = message.tpui();
        let mut actions = Vec::new();
        if tpui.is_some() {
            let acknowledge = answer(message, Mm::TemporaryIdentityAssignAck);
            actions.push(PortableLocationAction::Send(acknowledge));
        }
        if self.waiting.take().is_some() {
            actions.push(PortableLocationAction::Located(tpui));
        }
        actions
    }

    /// Takes in the passing of time.
    pub fn deadline(&mut self, now: Instant) -> Vec<PortableLocationAction> {
        match self.waiting.as_mut().map(|waiting| waiting.check(now)) {
            None | Some(Expiry::NotYet) => vec![],
            Some(Expiry::SendAgain(message)) => vec![PortableLocationAction::Send(message)],
            Some(Expiry::GiveUp) => {
                self.waiting = None;
                vec![PortableLocationAction::TimedOut]
            }
        }
    }

    /// When [`Self::deadline`] is wanted; `None` when the procedure is over.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting.as_ref().map(Supervised::deadline)
    }
}
