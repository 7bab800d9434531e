//! What a portable takes in and gives out.

use std::fmt;
use std::net::SocketAddr;

use ipdect_dect::identity::{Park, Rpn, Tpui};
use ipdect_dect::nwk::ie::{RejectReason, ReleaseReason, Signal};
use ipdect_dect::security::AccessCode;

use crate::Memory;
use crate::speech::EarCounters;

/// A key of the handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `0` to `9`, `*`, `#`.
    Digit(Digit),
    /// Register recall.
    R,
    /// Takes the handset off hook: calls the number typed, or answers.
    OffHook,
    /// Hangs up; on hook it clears the number typed.
    OnHook,
    /// Switches on: looks for its system and registers.
    PowerOn,
    /// Tells the system and switches off.
    PowerOff,
}

/// `0` to `9`, `*` or `#`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit(u8);

impl Digit {
    /// The character as DECT keypad octet, which is its ASCII.
    pub const fn octet(self) -> u8 {
        self.0
    }
}

/// A character that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key {0:?}; keys are 0 to 9, *, # and R")]
pub struct KeyError(pub char);

impl TryFrom<char> for Key {
    type Error = KeyError;

    /// The key printed with this character: `0` to `9`, `*`, `#`, `R` or `r`.
    fn try_from(character: char) -> Result<Self, Self::Error> {
        match character {
            '0'..='9' | '*' | '#' => Ok(Self::Digit(Digit(character as u8))),
            'R' | 'r' => Ok(Self::R),
            other => Err(KeyError(other)),
        }
    }
}

/// What happens to a portable.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A datagram of the virtual air arrived.
    Datagram {
        /// Who sent it.
        from: SocketAddr,
        /// What it holds.
        octets: &'a [u8],
    },
    /// A key was pressed.
    Key(Key),
    /// The user wants to subscribe.
    Subscribe {
        /// To this system; `None`: to the strongest one that is open.
        park: Option<Park>,
        /// With this code; `None`: with the configured one.
        access_code: Option<AccessCode>,
    },
    /// The time of `next_deadline` has come.
    Deadline,
}

/// State of the call that the user sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CallState {
    /// No call.
    #[default]
    Idle,
    /// Off hook, looking for a base station or waiting to be heard.
    Calling,
    /// The system wants digits.
    Dialling,
    /// The called party is looked for.
    Proceeding,
    /// The called party rings.
    RingBack,
    /// Somebody calls here.
    Ringing {
        /// Caller's number, if told.
        number: Option<String>,
        /// Caller's name, if told.
        name: Option<String>,
    },
    /// Answered here, not yet confirmed.
    Answering,
    /// Speech both ways.
    Connected,
    /// Hung up, not yet confirmed.
    Releasing,
}

/// Why a subscription failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionFailure {
    /// The portable is switched off.
    #[error("switched off")]
    Off,
    /// No base station of an open system was heard in time.
    #[error("no system that is open for subscription was heard")]
    NoOpenSystem,
    /// The base station did not answer, or the link broke.
    #[error("the base station did not answer")]
    NoLink,
    /// The system said no.
    #[error("rejected by the system: {0}")]
    Rejected(RejectReason),
    /// The system could not prove that it knows the access code.
    #[error("the system does not know the access code")]
    FixedPartNotAuthentic,
    /// The system fell silent.
    #[error("no answer from the system")]
    TimedOut,
}

/// Why a location registration failed; it is tried again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationFailure {
    /// The base station did not answer, or the link broke.
    #[error("the base station did not answer")]
    NoLink,
    /// The system said no.
    #[error("rejected by the system: {0}")]
    Rejected(RejectReason),
    /// The system fell silent.
    #[error("no answer from the system")]
    TimedOut,
}

/// What the host is to do or to know, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this datagram.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What.
        octets: Vec<u8>,
    },
    /// The display shows these lines.
    Display(Vec<String>),
    /// The ringer sounds with this pattern, 0 to 7, or 8 continuously.
    Ring(u8),
    /// The ringer stops.
    RingOff,
    /// A call progress tone made by the handset itself.
    Tone(Signal),
    /// The call is in another state.
    Call(CallState),
    /// The call has ended, for this reason.
    CallEnded {
        /// Reason as the network gave it, or ours.
        reason: ReleaseReason,
    },
    /// Save this for the next start.
    Remember(Memory),
    /// A subscription is over.
    Subscribed(Result<Park, SubscriptionFailure>),
    /// A location registration is over; the TPUI given.
    Located(Result<Option<Tpui>, LocationFailure>),
    /// So many voice messages wait.
    MessagesWaiting(u16),
    /// Switched off: nothing more is sent.
    Off,
}

/// What a portable is doing, at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Switched on.
    pub on: bool,
    /// Has a subscription.
    pub subscribed: bool,
    /// Registered at its system.
    pub located: bool,
    /// Strongest base station of its system, and its level in dBm.
    pub base: Option<(Rpn, i8)>,
    /// A MAC connection stands.
    pub connected: bool,
    /// State of the call.
    pub call: CallState,
    /// Lines of the display.
    pub display: Vec<String>,
    /// Pattern of the ringer, while it sounds.
    pub ringing: Option<u8>,
    /// Frames at the ear.
    pub ear: EarCounters,
}

impl fmt::Display for CallState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Calling => "calling",
            Self::Dialling => "dialling",
            Self::Proceeding => "proceeding",
            Self::RingBack => "ring-back",
            Self::Ringing { .. } => "ringing",
            Self::Answering => "answering",
            Self::Connected => "connected",
            Self::Releasing => "releasing",
        })
    }
}
