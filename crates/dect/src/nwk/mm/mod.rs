//! Mobility management, EN 300 175-5 section 13: subscription, authentication, location, detach; both sides.
//!
//! Each procedure is a machine of its own, begun by its first message and gone when it has said its last action. Fixed side machines get
//! their secrets as arguments. Keys are allocated and proved with DSAA2; portables are known by IPUI type N.

mod authentication;
mod location;
mod subscription;

pub use authentication::{
    AuthenticationAction, FixedAuthentication, Refused, answer_authentication,
};
pub use location::{
    FixedLocation, Grant, LocationAction, PortableLocation, PortableLocationAction,
};
pub use subscription::{
    FixedSubscription, Offer, PortableSubscription, PortableSubscriptionAction, Subscribed,
    SubscriptionAction,
};

use std::time::{Duration, Instant};

use super::ie::{PortableIdentity, RejectReason};
use super::{Ie, Kind, Message, Mm, Transaction};
use crate::identity::{Ipei, Ipui};

/// Access rights at the portable. Source: EN 300 175-5 annex A.
pub const MM_ACCESS_1: Duration = Duration::from_secs(60);
/// Authentication. Source: EN 300 175-5 annex A.
pub const MM_AUTH_1: Duration = Duration::from_secs(10);
/// Key allocation at the fixed part. Source: EN 300 175-5 annex A.
pub const MM_KEY_1: Duration = Duration::from_secs(10);
/// TPUI assignment at the fixed part. Source: EN 300 175-5 annex A.
pub const MM_IDENT_1: Duration = Duration::from_secs(10);
/// Location at the portable. Source: EN 300 175-5 annex A.
pub const MM_LOCATE_1: Duration = Duration::from_secs(20);
/// Back-off of a portable after a reject that tells no duration. Source: EN 300 175-5 annex A.
pub const MM_WAIT: Duration = Duration::from_secs(5 * 60);
/// Number under which the UAK, the access code and the cipher key of a subscription are kept.
pub const KEY_NUMBER: u8 = 8;

/// A message whose answer is awaited: sent again when its time first runs out, given up the second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervised {
    message: Message,
    interval: Duration,
    deadline: Instant,
    repeated: bool,
}

impl Supervised {
    /// Begins to wait for the answer to `message`, which has just been sent.
    pub fn new(now: Instant, interval: Duration, message: Message) -> Self {
        Self {
            message,
            interval,
            deadline: now + interval,
            repeated: false,
        }
    }

    /// When the answer is due.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Answers what to do at `now`.
    pub fn check(&mut self, now: Instant) -> Expiry {
        match (now >= self.deadline, self.repeated) {
            (false, _) => Expiry::NotYet,
            (true, true) => Expiry::GiveUp,
            (true, false) => {
                self.repeated = true;
                self.deadline = now + self.interval;
                Expiry::SendAgain(self.message.clone())
            }
        }
    }
}

/// Verdict of a [`Supervised`] message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Its time has not come.
    NotYet,
    /// Send it once more.
    SendAgain(Message),
    /// Abort the procedure.
    GiveUp,
}

/// `{DETACH}` of a portable that is switched off.
pub fn detach(ipei: Ipei) -> Message {
    begin(Mm::Detach).with(own_identity(ipei))
}

/// Message of this kind that begins a transaction.
fn begin(kind: Mm) -> Message {
    Message::new(Transaction::originated(0), Kind::Mm(kind))
}

/// Message of this kind in answer to `request`.
fn answer(request: &Message, kind: Mm) -> Message {
    Message::new(request.transaction.answered(), Kind::Mm(kind))
}

fn own_identity(ipei: Ipei) -> Ie {
    Ie::PortableIdentity(PortableIdentity::Ipui(Ipui::N(ipei)))
}

/// Reads the IPEI out of the request; other types of IPUI are not accepted.
fn portable_of(request: &Message) -> Result<Ipei, RejectReason> {
    match request.ipui() {
        Some(ipui) => ipui.ipei().ok_or(RejectReason::IPUI_NOT_ACCEPTED),
        None => Err(request.lack_of(0x05).reject_reason()),
    }
}

#[cfg(test)]
mod tests;
