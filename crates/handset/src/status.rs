//! What live views show of one handset (`dect-domain.md` section 20).

use std::time::SystemTime;

use crate::event::BaseId;
use crate::media::{CallRef, SessionId};
use crate::notice::Placed;

/// State of a handset at one moment, for live views.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether the handset holds a key of ours.
    pub subscribed: bool,
    /// Where it is.
    pub location: Location,
    /// Whether the registrar knows it.
    pub registration: Registration,
    /// What contacts see.
    pub presence: Presence,
    /// Its call, if any.
    pub call: Option<CallView>,
    /// Lines on its display: as last sent for a call, else the idle display.
    pub display: Vec<String>,
}

/// Where the handset is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Location {
    /// It never said, or it said that it goes.
    #[default]
    Detached,
    /// Heard of there last.
    Located {
        /// The base station.
        base: BaseId,
        /// Its radio part number.
        rpn: u8,
        /// When, for people.
        since: SystemTime,
    },
    /// The last page went unanswered.
    Unreachable {
        /// When, for people.
        since: SystemTime,
    },
    /// The base station's link is dead.
    BaseUnreachable {
        /// The base station.
        base: BaseId,
    },
}

/// State of the SIP registration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Not asked for: nobody located.
    #[default]
    None,
    /// Asked for, no answer yet.
    Pending,
    /// Known to the registrar.
    Registered,
    /// Refused or unanswered; tried again by itself.
    Failed {
        /// Status of the answer; `None`: no answer.
        status: Option<u16>,
        /// Why, in a sentence.
        reason: String,
    },
}

/// What contacts see (G14). *Offline* does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Presence {
    /// Nobody used it for a while.
    #[default]
    Away,
    /// Used a while ago.
    Inactive,
    /// Used just now.
    Available,
    /// In a call.
    InACall,
}

/// A call as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// The call.
    pub call: CallRef,
    /// Its speech session, once asked for.
    pub session: Option<SessionId>,
    /// Who placed it.
    pub placed: Placed,
    /// The other party: number or address.
    pub party: String,
    /// Its name; empty if it is not known.
    pub party_name: String,
    /// How far it is.
    pub phase: Phase,
    /// When it began, for people.
    pub began: SystemTime,
    /// When it was answered, for people.
    pub answered: Option<SystemTime>,
    /// SIP codec in use, such as `PCMA`.
    pub codec: Option<String>,
    /// Whether SRTP is in use towards the SIP peer.
    pub sip_srtp: bool,
    /// Call-ID of its SIP dialog, while there is one.
    pub sip_call_id: Option<String>,
}

/// How far a call is (`dect-domain.md` section 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The user dials.
    Dialling,
    /// The peer is asked.
    Calling,
    /// One side rings.
    Ringing,
    /// The handset is looked for.
    Paging,
    /// Both talk.
    InCall,
    /// The peer holds the call.
    Held,
    /// The user hears why it failed, or a release waits for its completion.
    Releasing,
}
