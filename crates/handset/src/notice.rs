//! What operators and users are told when something out of the ordinary happens to a handset.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::event::BaseId;
use crate::media::CallRef;

/// A fact for the list of events, with all that explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A handset tried to subscribe (B6).
    Subscription(Subscription),
    /// Authentication of a portable failed at location or call.
    AuthenticationFailed {
        /// The base station it came through.
        base: BaseId,
        /// What failed, in a sentence.
        reason: String,
    },
    /// Location was refused.
    LocationRefused {
        /// The base station it came through.
        base: BaseId,
        /// Why, in a sentence.
        reason: String,
    },
    /// The registrar took the registration.
    Registered {
        /// Address of record.
        aor: String,
    },
    /// The registration failed and is tried again.
    RegistrationFailed {
        /// Address of record.
        aor: String,
        /// Status of the answer; `None`: no answer.
        status: Option<u16>,
        /// Why, in a sentence.
        reason: String,
    },
    /// The user did not take a call.
    MissedCall {
        /// The call.
        call: CallRef,
        /// Caller's address; `None` if longer than may be stored (G23).
        number: Option<String>,
        /// Caller's name.
        name: String,
    },
    /// A call ended.
    CallEnded(Summary),
    /// A peer sent what could not be read or did not belong; counted, not logged in full.
    Odd {
        /// What, in a few constant words.
        what: &'static str,
    },
    /// Another owner is at work: nothing more is said or ordered from here.
    Fenced,
}

/// One attempt to subscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The handset as printed on it.
    pub ipei: String,
    /// Base station of the attempt.
    pub base: BaseId,
    /// Whether it is subscribed now.
    pub accepted: bool,
    /// Whether the access code was right; `None`: it did not come to that.
    pub code_right: Option<bool>,
    /// Why it went so, in a sentence.
    pub reason: String,
}

/// Which side placed a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Placed {
    /// The handset.
    ByUs,
    /// The SIP peer.
    ByPeer,
}

/// What is left to say when a call is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The call.
    pub call: CallRef,
    /// Who placed it.
    pub placed: Placed,
    /// The other party as shown.
    pub party: String,
    /// When it began.
    pub began: SystemTime,
    /// When it was answered.
    pub answered: Option<SystemTime>,
    /// Why it ended, in a few words.
    pub cause: String,
}
