//! Access rights with key allocation, EN 300 175-5 sections 13.5 and 13.6: how a handset becomes one of the system.

use std::time::Instant;

use rand_core::RngCore;

use super::{
    Expiry, KEY_NUMBER, MM_ACCESS_1, MM_KEY_1, Supervised, answer, begin, own_identity, portable_of,
};
use crate::identity::{Ipei, Park};
use crate::nwk::ie::{
    Algorithm, AllocationType, AuthType, FixedIdentity, KeyType, LocationArea, ModelIdentifier,
    RejectReason, TerminalCapability,
};
use crate::nwk::{Ie, Kind, Message, Mm};
use crate::security::{
    AccessCode, Key, Rand, Res, draw, fixed_answer, portable_answer, same, session_key,
};

/// What a fixed part offers to a handset that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Code that the handset's user must have typed.
    pub access_code: AccessCode,
    /// Key that opens this system.
    pub park: Park,
    /// Location area level; 31 makes a class B system one area.
    pub level: u8,
}

/// What the fixed side does next, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionAction {
    /// Send to the portable.
    Send(Message),
    /// The handset knows the code: keep this key before the `{ACCESS-RIGHTS-ACCEPT}` that follows is sent.
    Subscribed {
        /// Who.
        ipei: Ipei,
        /// Its user authentication key.
        uak: Key,
        /// What it can do, if it told.
        terminal: Option<TerminalCapability>,
        /// Which model, if it told.
        model: Option<ModelIdentifier>,
    },
    /// Over without subscription; the reject, if one is due, was sent before.
    Failed(RejectReason),
}

/// Fixed side of one subscription, begun by `{ACCESS-RIGHTS-REQUEST}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedSubscription {
    offer: Offer,
    request: Message,
    ipei: Ipei,
    rand_f: Rand,
    ks: Key,
    waiting: Supervised,
}

impl FixedSubscription {
    /// Looks at `{ACCESS-RIGHTS-REQUEST}` and sends `{KEY-ALLOCATE}`.
    ///
    /// # Errors
    /// The `{ACCESS-RIGHTS-REJECT}` to send: identity of another type than IPUI N (06), or another algorithm than DSAA2 (12).
    pub fn start(
        now: Instant,
        rng: &mut dyn RngCore,
        request: Message,
        offer: Offer,
    ) -> Result<(Self, Message), Message> {
        let ipei = portable_of(&request).map_err(|reason| Self::reject(&request, reason))?;
        if request
            .auth_type()
            .is_some_and(|t| t.algorithm != Algorithm::DSAA2)
        {
            let reason = RejectReason::AUTH_ALGORITHM_NOT_SUPPORTED;
            return Err(Self::reject(&request, reason));
        }
        let (rand_f, rs) = (draw(rng), draw(rng));
        let allocate = begin(Mm::KeyAllocate)
            .with(Ie::AllocationType(AllocationType {
                algorithm: Algorithm::DSAA2,
                uak_number: KEY_NUMBER,
                access_code_number: KEY_NUMBER,
            }))
            .with(Ie::Rand(rand_f.to_vec()))
            .with(Ie::Rs(rs.to_vec()));
        let machine = Self {
            ks: session_key(&offer.access_code.key(), &rs),
            offer,
            request,
            ipei,
            rand_f,
            waiting: Supervised::new(now, MM_KEY_1, allocate.clone()),
        };
        Ok((machine, allocate))
    }

    /// `{ACCESS-RIGHTS-REJECT}` to a request, for a portable that gets no offer: 05 IPEI not accepted, 06 IPUI not accepted, 30 overload.
    pub fn reject(request: &Message, reason: RejectReason) -> Message {
        answer(request, Mm::AccessRightsReject).with(Ie::RejectReason(reason))
    }

    /// Takes in a message of the portable. Any action but `Send` tells that this is the end.
    pub fn received(&self, rng: &mut dyn RngCore, message: &Message) -> Vec<SubscriptionAction> {
        match message.kind {
            Kind::Mm(Mm::AuthRequest) => self.judge(rng, message),
            Kind::Mm(Mm::AuthReject) => {
                let reason = message.reject_reason().copied();
                self.fail(reason.unwrap_or(RejectReason::AUTHENTICATION_FAILED))
            }
            _ => vec![],
        }
    }

    fn judge(&self, rng: &mut dyn RngCore, message: &Message) -> Vec<SubscriptionAction> {
        let (Some(rand_p), Some(res)) = (message.rand(), message.res()) else {
            let id = if message.rand().is_none() { 0x0C } else { 0x0D };
            return self.fail(message.lack_of(id).reject_reason());
        };
        let (expected, _) = portable_answer(&self.ks, &self.rand_f, &rand_p);
        if !same(&res, &expected) {
            let reject = answer(message, Mm::AuthReject)
                .with(Ie::RejectReason(RejectReason::AUTHENTICATION_FAILED));
            let mut actions = vec![SubscriptionAction::Send(reject)];
            actions.extend(self.fail(RejectReason::AUTHENTICATION_FAILED));
            return actions;
        }
        let rs = draw(rng);
        let uak = session_key(&self.offer.access_code.key(), &rs);
        let res = fixed_answer(&uak, &rand_p, &self.rand_f);
        let reply = answer(message, Mm::AuthReply)
            .with(Ie::Res(res.to_vec()))
            .with(Ie::Rs(rs.to_vec()));
        vec![
            SubscriptionAction::Send(reply),
            SubscriptionAction::Subscribed {
                ipei: self.ipei,
                uak,
                terminal: self.request.terminal_capability().cloned(),
                model: self.request.model().copied(),
            },
            SubscriptionAction::Send(self.accept()),
        ]
    }

    fn accept(&self) -> Message {
        let kind = AuthType::new(Algorithm::DSAA2, KeyType::Uak, KEY_NUMBER);
        answer(&self.request, Mm::AccessRightsAccept)
            .with(own_identity(self.ipei))
            .with(Ie::FixedIdentity(FixedIdentity::Park(self.offer.park)))
            .with(Ie::LocationArea(LocationArea::level(self.offer.level)))
            .with(Ie::AuthType(kind))
    }

    fn fail(&self, reason: RejectReason) -> Vec<SubscriptionAction> {
        vec![
            SubscriptionAction::Send(Self::reject(&self.request, reason)),
            SubscriptionAction::Failed(reason),
        ]
    }

    /// Takes in the passing of time.
    pub fn deadline(&mut self, now: Instant) -> Vec<SubscriptionAction> {
        match self.waiting.check(now) {
            Expiry::NotYet => vec![],
            Expiry::SendAgain(message) => vec![SubscriptionAction::Send(message)],
            Expiry::GiveUp => self.fail(RejectReason::TIMER_EXPIRY),
        }
    }

    /// When [`Self::deadline`] is wanted.
    pub const fn next_deadline(&self) -> Instant {
        self.waiting.deadline()
    }

    /// Who subscribes.
    pub const fn ipei(&self) -> Ipei {
        self.ipei
    }
}

/// What a portable keeps of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// User authentication key.
    pub uak: Key,
    /// Key that opens the system.
    pub park: Park,
}

/// What the portable side does next, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortableSubscriptionAction {
    /// Send to the fixed part.
    Send(Message),
    /// Done.
    Subscribed(Subscribed),
    /// The fixed part said no: 10 wrong access code, 05 or 06 unknown handset.
    Rejected(RejectReason),
    /// The fixed part does not know the access code either: it is not what it says.
    FixedPartNotAuthentic,
    /// No answer.
    TimedOut,
}

/// Portable side of one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortableSubscription {
    access_code: AccessCode,
    waiting: Supervised,
    step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// `{ACCESS-RIGHTS-REQUEST}` is out.
    Requested,
    /// The answer to `{KEY-ALLOCATE}` is out.
    Proved {
        allocate: Message,
        request: Message,
        rand_f: Rand,
        rand_p: Rand,
    },
    /// The fixed part proved itself; the key counts from `{ACCESS-RIGHTS-ACCEPT}` on.
    Trusted {
        uak: Key,
    },
    Done,
}

impl PortableSubscription {
    /// Begins with `{ACCESS-RIGHTS-REQUEST}`.
    pub fn start(
        now: Instant,
        ipei: Ipei,
        access_code: AccessCode,
        terminal: TerminalCapability,
        model: ModelIdentifier,
    ) -> (Self, Message) {
        let request = begin(Mm::AccessRightsRequest)
            .with(own_identity(ipei))
            .with(Ie::AuthType(Self::auth_type()))
            .with(Ie::TerminalCapability(terminal))
            .with(Ie::ModelIdentifier(model));
        let machine = Self {
            access_code,
            waiting: Supervised::new(now, MM_ACCESS_1, request.clone()),
            step: Step::Requested,
        };
        (machine, request)
    }

    const fn auth_type() -> AuthType {
        AuthType::new(Algorithm::DSAA2, KeyType::AccessCode, KEY_NUMBER)
    }

    /// Takes in a message of the fixed part. Any action but `Send` is the end.
    pub fn received(
        &mut self,
        rng: &mut dyn RngCore,
        message: &Message,
    ) -> Vec<PortableSubscriptionAction> {
        match (message.kind, &self.step) {
            (_, Step::Done) => vec![],
            (Kind::Mm(Mm::KeyAllocate), Step::Requested) => self.prove(rng, message),
            (
                Kind::Mm(Mm::KeyAllocate),
                Step::Proved {
                    allocate, request, ..
                },
            ) if allocate == message => {
                vec![PortableSubscriptionAction::Send(request.clone())]
            }
            (Kind::Mm(Mm::AuthReply), &Step::Proved { rand_f, rand_p, .. }) => {
                self.check_fixed_part(message, &rand_f, &rand_p)
            }
            (Kind::Mm(Mm::AccessRightsAccept), &Step::Trusted { uak }) => match message.park() {
                Some(park) => self.end(PortableSubscriptionAction::Subscribed(Subscribed {
                    uak,
                    park,
                })),
                None => vec![],
            },
            // The reject of the whole procedure follows.
            (Kind::Mm(Mm::AuthReject), _) => vec![],
            (Kind::Mm(Mm::AccessRightsReject), _) => {
                let reason = message.reject_reason().copied();
                let reason = reason.unwrap_or(RejectReason::AUTHENTICATION_FAILED);
                self.end(PortableSubscriptionAction::Rejected(reason))
            }
            _ => vec![],
        }
    }

    fn prove(
        &mut self,
        rng: &mut dyn RngCore,
        allocate: &Message,
    ) -> Vec<PortableSubscriptionAction> {
        let reject = |reason| answer(allocate, Mm::AuthReject).with(Ie::RejectReason(reason));
        let dsaa2 = allocate
            .allocation_type()
            .is_some_and(|t| t.algorithm == Algorithm::DSAA2);
        if !dsaa2 {
            let reason = RejectReason::AUTH_ALGORITHM_NOT_SUPPORTED;
            return vec![PortableSubscriptionAction::Send(reject(reason))];
        }
        let (Some(rand_f), Some(rs)) = (allocate.rand(), allocate.rs()) else {
            let id = if allocate.rand().is_none() {
                0x0C
            } else {
                0x0E
            };
            let reason = allocate.lack_of(id).reject_reason();
            return vec![PortableSubscriptionAction::Send(reject(reason))];
        };
        let rand_p: Rand = draw(rng);
        let ks = session_key(&self.access_code.key(), &rs);
        let (res, _) = portable_answer(&ks, &rand_f, &rand_p);
        let request = answer(allocate, Mm::AuthRequest)
            .with(Ie::AuthType(Self::auth_type()))
            .with(Ie::Rand(rand_p.to_vec()))
            .with(Ie::Res(res.to_vec()));
        self.step = Step::Proved {
            allocate: allocate.clone(),
            request: request.clone(),
            rand_f,
            rand_p,
        };
        vec![PortableSubscriptionAction::Send(request)]
    }

    fn check_fixed_part(
        &mut self,
        reply: &Message,
        rand_f: &Rand,
        rand_p: &Rand,
    ) -> Vec<PortableSubscriptionAction> {
        let proof: Option<(Res, [u8; 16])> = reply.res().zip(reply.rs());
        let uak = proof.and_then(|(res, rs)| {
            let uak = session_key(&self.access_code.key(), &rs);
            same(&res, &fixed_answer(&uak, rand_p, rand_f)).then_some(uak)
        });
        match uak {
            Some(uak) => {
                self.step = Step::Trusted { uak };
                vec![]
            }
            None => self.end(PortableSubscriptionAction::FixedPartNotAuthentic),
        }
    }

    fn end(&mut self, action: PortableSubscriptionAction) -> Vec<PortableSubscriptionAction> {
        self.step = Step::Done;
        vec![action]
    }

    /// Takes in the passing of time.
    pub fn deadline(&mut self, now: Instant) -> Vec<PortableSubscriptionAction> {
        if self.step == Step::Done {
            return vec![];
        }
        match self.waiting.check(now) {
            Expiry::NotYet => vec![],
            Expiry::SendAgain(message) => vec![PortableSubscriptionAction::Send(message)],
            Expiry::GiveUp => self.end(PortableSubscriptionAction::TimedOut),
        }
    }

    /// When [`Self::deadline`] is wanted.
    pub fn next_deadline(&self) -> Option<Instant> {
        (self.step != Step::Done).then(|| self.waiting.deadline())
    }
}
