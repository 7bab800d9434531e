//! The fixed part asks the portable to prove that it knows the UAK, EN 300 175-5 section 13.3.1.

use std::time::Instant;

use rand_core::RngCore;

use super::{Expiry, KEY_NUMBER, MM_AUTH_1, Supervised, answer, begin};
use crate::nwk::ie::{Algorithm, AuthType, KeyType, RejectReason};
use crate::nwk::{Ie, Kind, Message, Mm};
use crate::security::{Key, Rand, draw, portable_answer, same, session_key};

/// What the fixed side does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthenticationAction {
    /// Send to the portable.
    Send(Message),
    /// The portable is who it says; this cipher key was derived with it.
    Authenticated(Key),
    /// It is not, or it did not answer (timer expiry).
    Failed(RejectReason),
}

/// Fixed side of one authentication of the portable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedAuthentication {
    ks: Key,
    rand_f: Rand,
    waiting: Supervised,
}

impl FixedAuthentication {
    /// Begins: draws the challenge and gives `{AUTHENTICATION-REQUEST}`.
    pub fn start(now: Instant, rng: &mut dyn RngCore, uak: &Key) -> (Self, Message) {
        let (rand_f, rs) = (draw(rng), draw(rng));
        let kind = AuthType::new(Algorithm::DSAA2, KeyType::Uak, KEY_NUMBER).keeping(KEY_NUMBER);
        let request = begin(Mm::AuthRequest)
            .with(Ie::AuthType(kind))
            .with(Ie::Rand(rand_f.to_vec()))
            .with(Ie::Rs(rs.to_vec()));
        let machine = Self {
            ks: session_key(uak, &rs),
            rand_f,
            waiting: Supervised::new(now, MM_AUTH_1, request.clone()),
        };
        (machine, request)
    }

    /// Takes in a message of the portable. Any action but `Send` ends the procedure.
    pub fn received(&self, message: &Message) -> Vec<AuthenticationAction> {
        match message.kind {
            Kind::Mm(Mm::AuthReply) => vec![self.judge(message)],
            Kind::Mm(Mm::AuthReject) => {
                let reason = message.reject_reason().copied();
                vec![AuthenticationAction::Failed(
                    reason.unwrap_or(RejectReason::AUTHENTICATION_FAILED),
                )]
            }
            _ => vec![],
        }
    }

    fn judge(&self, reply: &Message) -> AuthenticationAction {
        let (Some(res), Some(rand_p)) = (reply.res(), reply.rand()) else {
            let id = if reply.res().is_none() { 0x0D } else { 0x0C };
            return AuthenticationAction::Failed(reply.lack_of(id).reject_reason());
        };
        let (expected, dck) = portable_answer(&self.ks, &self.rand_f, &rand_p);
        if same(&res, &expected) {
            AuthenticationAction::Authenticated(dck)
        } else {
            AuthenticationAction::Failed(RejectReason::AUTHENTICATION_FAILED)
        }
    }

    /// Takes in the passing of time.
    pub fn deadline(&mut self, now: Instant) -> Vec<AuthenticationAction> {
        match self.waiting.check(now) {
            Expiry::NotYet => vec![],
            Expiry::SendAgain(message) => vec![AuthenticationAction::Send(message)],
            Expiry::GiveUp => vec![AuthenticationAction::Failed(RejectReason::TIMER_EXPIRY)],
        }
    }

    /// When [`Self::deadline`] is wanted.
    pub const fn next_deadline(&self) -> Instant {
        self.waiting.deadline()
    }
}

/// A portable's refusal of a request, with the `{AUTHENTICATION-REJECT}` to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Message);

/// Portable side: answers `{AUTHENTICATION-REQUEST}`, and derives the cipher key.
///
/// # Errors
/// [`Refused`] for another algorithm or key, or a request that is incomplete.
pub fn answer_authentication(
    rng: &mut dyn RngCore,
    uak: &Key,
    request: &Message,
) -> Result<(Message, Key), Refused> {
    let refuse = |reason| Refused(answer(request, Mm::AuthReject).with(Ie::RejectReason(reason)));
    let kind = request
        .auth_type()
        .ok_or_else(|| refuse(request.lack_of(0x0A).reject_reason()))?;
    if kind.algorithm != Algorithm::DSAA2 {
        return Err(refuse(RejectReason::AUTH_ALGORITHM_NOT_SUPPORTED));
    }
    if kind.key_type != KeyType::Uak {
        return Err(refuse(RejectReason::AUTH_KEY_NOT_SUPPORTED));
    }
    let rand_f = request
        .rand()
        .ok_or_else(|| refuse(request.lack_of(0x0C).reject_reason()))?;
    let rs = request
        .rs()
        .ok_or_else(|| refuse(request.lack_of(0x0E).reject_reason()))?;
    let rand_p: Rand = draw(rng);
    let (res, dck) = portable_answer(&session_key(uak, &rs), &rand_f, &rand_p);
    let reply = answer(request, Mm::AuthReply)
        .with(Ie::Rand(rand_p.to_vec()))
        .with(Ie::Res(res.to_vec()));
    Ok((reply, dck))
}
