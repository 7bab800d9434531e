//! Subscription, location and the rest of mobility management in the mind.

use std::time::{Duration, Instant};

use ipdect_dect::identity::{Ipui, Park, Tpui};
use ipdect_dect::nwk::ie::{InfoType, PortableIdentity, RejectReason, ReleaseReason};
use ipdect_dect::nwk::mm::{
    self, MM_WAIT, PortableLocation, PortableLocationAction, PortableSubscription,
    PortableSubscriptionAction, Refused, Subscribed,
};
use ipdect_dect::nwk::{Ie, Kind, Message, Mm};
use ipdect_dect::security::AccessCode;
use rand_core::RngCore;

use crate::event::{Action, LocationFailure, SubscriptionFailure};
use crate::mind::{Link, Portable, Want};
use crate::{CallState, Memory};

/// How long an open system is looked for.
const LOOK_FOR_SYSTEM: Duration = Duration::from_secs(20);
/// A location registration that got no answer is tried again after this.
const LOCATE_AGAIN: Duration = Duration::from_secs(10);
/// Identity type of the IPEI in `{IDENTITY-REQUEST}`.
const IPEI: u8 = 0x10;

/// Where a portable stands with its system.
#[derive(Debug, Default)]
pub(crate) struct Mobility {
    pub(crate) located: bool,
    pub(crate) procedure: Procedure,
    /// When to register.
    locate: When,
    /// What the user asked for, until a base station is found.
    subscription: Option<Wanted>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum When {
    #[default]
    Never,
    /// As soon as the system is heard.
    InRange,
    At(Instant),
}

#[derive(Clone, Debug)]
struct Wanted {
    park: Option<Park>,
    access_code: AccessCode,
    until: Instant,
}

/// The procedure under way.
#[derive(Debug, Default)]
pub(crate) enum Procedure {
    #[default]
    None,
    Subscribing(PortableSubscription),
    Locating(PortableLocation),
}

impl Mobility {
    pub(crate) fn power_on(&mut self, subscribed: bool) {
        *self = Self::default();
        if subscribed {
            self.locate = When::InRange;
        }
    }

    pub(crate) fn power_off(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.procedure.next_deadline().is_some()
    }

    pub(crate) fn wanted_park(&self) -> Option<Park> {
        self.subscription.as_ref().and_then(|wanted| wanted.park)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let locate = match self.locate {
            When::At(at) => Some(at),
            When::Never | When::InRange => None,
        };
        let look = self.subscription.as_ref().map(|wanted| wanted.until);
        [locate, look, self.procedure.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Procedure {
    fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::None => None,
            Self::Subscribing(machine) => machine.next_deadline(),
            Self::Locating(machine) => machine.next_deadline(),
        }
    }
}

impl Portable {
    pub(crate) fn subscribe(
        &mut self,
        now: Instant,
        park: Option<Park>,
        access_code: Option<AccessCode>,
    ) {
        self.mobility.subscription = Some(Wanted {
            park,
            access_code: access_code.unwrap_or(self.config.access_code),
            until: now + LOOK_FOR_SYSTEM,
        });
        self.wants.retain(|want| *want != Want::Subscribe);
        if self.is_connected_to_open(now, park) {
            return self.want(now, Want::Subscribe);
        }
        // First in the row: which base station will do depends on it.
        self.wants.insert(0, Want::Subscribe);
        if self.is_idle() {
            self.release_link();
        }
    }

    fn is_connected_to_open(&self, now: Instant, park: Option<Park>) -> bool {
        let Link::Up(connection) = &self.link else {
            return false;
        };
        let candidates = self.surroundings.candidates(now, park);
        (candidates.iter()).any(|(base, heard)| *base == connection.base && heard.open)
    }

    pub(crate) fn begin_subscription(&mut self, now: Instant) {
        let Some(wanted) = self.mobility.subscription.take() else {
            return;
        };
        let (machine, request) = PortableSubscription::start(
            now,
            self.config.ipei,
            wanted.access_code,
            self.config.terminal(),
            self.config.model_identifier(),
        );
        self.mobility.procedure = Procedure::Subscribing(machine);
        self.send(now, &request);
    }

    pub(crate) fn begin_location(&mut self, now: Instant) {
        let Some(memory) = &self.memory else { return };
        let (machine, request) = PortableLocation::start(
            now,
            self.config.ipei,
            memory.uak,
            self.config.terminal(),
            self.config.model_identifier(),
        );
        self.mobility.locate = When::Never;
        self.mobility.procedure = Procedure::Locating(machine);
        self.send(now, &request);
    }

    pub(crate) fn send_detach(&mut self, now: Instant) {
        self.send(now, &mm::detach(self.config.ipei));
    }

    /// Registers when it is due and the system is heard.
    pub(crate) fn look_for_location(&mut self, now: Instant) {
        if matches!(self.mobility.locate, When::At(at) if now >= at) {
            self.mobility.locate = When::InRange;
        }
        let Some(memory) = &self.memory else { return };
        if self.mobility.locate != When::InRange || self.mobility.is_busy() {
            return;
        }
        if !self
            .surroundings
            .candidates(now, Some(memory.park))
            .is_empty()
        {
            self.mobility.locate = When::Never;
            self.want(now, Want::Locate);
        }
    }

    pub(crate) fn mobility_message(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        message: &Message,
    ) {
        match message.kind {
            Kind::Mm(Mm::AuthRequest) => self.prove_identity(now, rng, message),
            Kind::Mm(Mm::IdentityRequest) => self.tell_identity(now, message),
            Kind::Mm(Mm::TemporaryIdentityAssign) => self.take_identity(now, message),
            Kind::Mm(Mm::InfoSuggest) => {
                let suggested = message.info_type();
                if suggested.is_some_and(|info| info.0.contains(&InfoType::LOCATE_SUGGEST)) {
                    self.want(now, Want::Locate);
                }
            }
            Kind::Mm(Mm::AccessRightsTerminateRequest) => {
                // Only a system that has proved itself may end a subscription; none has asked for that yet.
                let reject = reply(message, Mm::AccessRightsTerminateReject)
                    .with(Ie::RejectReason(RejectReason::AUTHENTICATION_FAILED));
                self.send(now, &reject);
            }
            _ => self.procedure_message(now, rng, message),
        }
    }

    fn prove_identity(&mut self, now: Instant, rng: &mut dyn RngCore, request: &Message) {
        let answer = match &self.memory {
            Some(memory) => match mm::answer_authentication(rng, &memory.uak, request) {
                Ok((reply, _)) => reply,
                Err(Refused(reject)) => reject,
            },
            None => reply(request, Mm::AuthReject)
                .with(Ie::RejectReason(RejectReason::AUTH_KEY_NOT_SUPPORTED)),
        };
        self.send(now, &answer);
    }

    fn tell_identity(&mut self, now: Instant, request: &Message) {
        let asked = request.elements.iter().find_map(|element| match element {
            Ie::IdentityType(asked) if asked.group == 0 => Some(asked.kind),
            _ => None,
        });
        // A reply without identity is a refusal.
        let identity = asked.map(|kind| match kind {
            IPEI => PortableIdentity::Ipei(self.config.ipei),
            _ => PortableIdentity::Ipui(Ipui::N(self.config.ipei)),
        });
        let answer = reply(request, Mm::IdentityReply);
        self.send(now, &answer.with_all(identity.map(Ie::PortableIdentity)));
    }

    fn take_identity(&mut self, now: Instant, request: &Message) {
        let Some(tpui) = request.tpui().filter(|_| self.memory.is_some()) else {
            let reason = RejectReason::INVALID_TPUI;
            let answer = reply(request, Mm::TemporaryIdentityAssignRej);
            self.send(now, &answer.with(Ie::RejectReason(reason)));
            return;
        };
        self.remember_tpui(Some(tpui));
        self.send(now, &reply(request, Mm::TemporaryIdentityAssignAck));
    }

    fn procedure_message(&mut self, now: Instant, rng: &mut dyn RngCore, message: &Message) {
        match &mut self.mobility.procedure {
            Procedure::None => {}
            Procedure::Subscribing(machine) => {
                let actions = machine.received(rng, message);
                self.subscription_actions(now, actions);
            }
            Procedure::Locating(machine) => {
                let actions = machine.received(rng, message);
                self.location_actions(now, message.duration().is_some(), actions);
            }
        }
    }

    pub(crate) fn pass_mobility_time(&mut self, now: Instant) {
        let looked = self.mobility.subscription.as_ref();
        if looked.is_some_and(|wanted| now >= wanted.until) {
            self.mobility.subscription = None;
            self.wants.retain(|want| *want != Want::Subscribe);
            self.subscription_failed(SubscriptionFailure::NoOpenSystem);
        }
        match &mut self.mobility.procedure {
            Procedure::None => {}
            Procedure::Subscribing(machine) => {
                let actions = machine.deadline(now);
                self.subscription_actions(now, actions);
            }
            Procedure::Locating(machine) => {
                let actions = machine.deadline(now);
                self.location_actions(now, false, actions);
            }
        }
    }

    fn subscription_actions(&mut self, now: Instant, actions: Vec<PortableSubscriptionAction>) {
        for action in actions {
            match action {
                PortableSubscriptionAction::Send(message) => self.send(now, &message),
                PortableSubscriptionAction::Subscribed(Subscribed { uak, park }) => {
                    self.memory = Some(Memory {
                        ipei: self.config.ipei,
                        uak,
                        park,
                        tpui: None,
                    });
                    self.remember();
                    self.actions.push(Action::Subscribed(Ok(park)));
                    self.mobility.procedure = Procedure::None;
                    self.mobility.located = false;
                    self.want(now, Want::Locate);
                }
                PortableSubscriptionAction::Rejected(reason) => {
                    self.subscription_failed(SubscriptionFailure::Rejected(reason));
                }
                PortableSubscriptionAction::FixedPartNotAuthentic => {
                    self.subscription_failed(SubscriptionFailure::FixedPartNotAuthentic);
                }
                PortableSubscriptionAction::TimedOut => {
                    self.subscription_failed(SubscriptionFailure::TimedOut);
                }
            }
        }
    }

    fn subscription_failed(&mut self, failure: SubscriptionFailure) {
        self.mobility.procedure = Procedure::None;
        self.actions.push(Action::Subscribed(Err(failure)));
        let text = match failure {
            SubscriptionFailure::Rejected(RejectReason::AUTHENTICATION_FAILED) => "Wrong code",
            SubscriptionFailure::NoOpenSystem => "No system open",
            _ => "Not subscribed",
        };
        self.show(&["Subscription", text]);
    }

    fn location_actions(
        &mut self,
        now: Instant,
        has_duration: bool,
        actions: Vec<PortableLocationAction>,
    ) {
        for action in actions {
            match action {
                PortableLocationAction::Send(message) => self.send(now, &message),
                PortableLocationAction::Authenticated(_) => {}
                PortableLocationAction::Located(tpui) => {
                    self.mobility.located = true;
                    self.remember_tpui(tpui);
                    self.actions.push(Action::Located(Ok(tpui)));
                }
                PortableLocationAction::Rejected(reason) => {
                    let again = if has_duration { LOCATE_AGAIN } else { MM_WAIT };
                    self.location_failed(now, again, LocationFailure::Rejected(reason));
                }
                PortableLocationAction::TimedOut => {
                    self.location_failed(now, LOCATE_AGAIN, LocationFailure::TimedOut);
                }
            }
        }
    }

    fn location_failed(&mut self, now: Instant, again: Duration, failure: LocationFailure) {
        self.mobility.procedure = Procedure::None;
        self.mobility.located = false;
        self.mobility.locate = When::At(now + again);
        self.actions.push(Action::Located(Err(failure)));
    }

    /// The connection is gone in the middle of a procedure.
    pub(crate) fn procedure_lost(&mut self, now: Instant) {
        let busy = self.mobility.is_busy();
        match std::mem::take(&mut self.mobility.procedure) {
            Procedure::Subscribing(_) if busy => {
                self.subscription_failed(SubscriptionFailure::NoLink);
            }
            Procedure::Locating(_) if busy => {
                self.location_failed(now, LOCATE_AGAIN, LocationFailure::NoLink);
            }
            _ => {}
        }
    }

    /// No base station confirmed the access: what it was for fails, or is tried again later.
    pub(crate) fn access_failed(&mut self, now: Instant) {
        for want in std::mem::take(&mut self.wants) {
            match want {
                Want::Subscribe => {
                    self.mobility.subscription = None;
                    self.subscription_failed(SubscriptionFailure::NoLink);
                }
                Want::Locate => {
                    self.location_failed(now, LOCATE_AGAIN, LocationFailure::NoLink);
                }
                Want::Call => {
                    self.wants.push(Want::Call);
                    self.call_impossible(ReleaseReason::INSUFFICIENT_BEARERS);
                }
                // The system pages again; switching off does not wait.
                Want::PageResponse | Want::Detach => {}
            }
        }
    }

    /// No base station is heard: a call fails at once, the rest waits for one.
    pub(crate) fn nobody_heard(&mut self) {
        if self.call_state == CallState::Calling {
            self.call_impossible(ReleaseReason::USER_NOT_IN_RANGE);
        }
        self.wants.retain(|want| *want != Want::PageResponse);
    }

    pub(crate) fn forget_tpui(&mut self) {
        self.remember_tpui(None);
    }

    fn remember_tpui(&mut self, tpui: Option<Tpui>) {
        let Some(memory) = &mut self.memory else {
            return;
        };
        if memory.tpui != tpui {
            memory.tpui = tpui;
            self.remember();
        }
    }

    fn remember(&mut self) {
        self.actions
            .extend(self.memory.clone().map(Action::Remember));
    }
}

fn reply(request: &Message, kind: Mm) -> Message {
    Message::new(request.transaction.answered(), Kind::Mm(kind))
}
