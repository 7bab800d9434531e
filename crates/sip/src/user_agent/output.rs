//! What a user agent wants done, and what it has to tell.

use std::time::Duration;

use bytes::Bytes;

use crate::message::{Message, Uri};
use crate::registration;
use crate::transaction::{Hop, TransactionKey};

/// Number of a call within one user agent, chosen by its user.
///
/// Calls from the peer get theirs from the user agent: the lowest number from [`Call::INCOMING`] on that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call(pub u32);

impl Call {
    /// First number of calls from the peer; one's own calls use numbers below it.
    pub const INCOMING: Call = Call(1 << 31);
}

/// One thing to do, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Put this message on the wire.
    Send(Transmit),
    /// Tell the owner.
    Event(Event),
}

/// A message with its destination.
#[derive(Debug, Clone, PartialEq)]
pub struct Transmit {
    /// The message, complete but for what the transport alone knows.
    pub message: Message,
    /// Where it goes.
    pub to: Hop,
    /// Named in [`super::UserAgent::transport_failed`] when it cannot be sent. Absent for ACK of a 2xx.
    pub transaction: Option<TransactionKey>,
}

/// A header field beyond those the user agent writes by itself: name and value.
pub type Extra = (String, String);

/// A reason why a call ends, as carried in `Reason` (RFC 3326).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP` or `Q.850`.
    pub protocol: String,
    /// The status code or cause.
    pub cause: u16,
    /// A sentence for people; may be empty.
    pub text: String,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The peer, by BYE.
    Peer,
    /// Ourselves: the BYE or CANCEL that was asked for is done with, answered or not.
    Local,
    /// Nobody answered our INVITE on any proxy.
    TimedOut,
    /// The peer says that it knows no such dialog (481, 408 to a request inside the dialog excepted).
    Gone,
}

/// Something that the owner of the user agent must know.
// Incoming is large, but rare, and lives only until its owner has read it.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The registrar holds our binding.
    Registered {
        /// Time granted.
        expires: Duration,
        /// Contact to be reached at: a GRUU if one was granted.
        contact: Uri,
        /// Index of the proxy that took it.
        proxy: Option<u8>,
    },
    /// No binding; tried again by itself after `retry_in`, if given.
    RegistrationFailed {
        /// What to tell an operator.
        why: registration::Failure,
        /// Pause until the next attempt; none when trying again is useless until the configuration changes.
        retry_in: Option<Duration>,
    },
    /// The binding was removed (or could not be, and is forgotten).
    Unregistered,
    /// Somebody calls. 100 was sent; next are [`super::UserAgent::ring`], `progress`, `answer` or `reject`.
    Incoming {
        /// The number given to this call.
        call: Call,
        /// Address of the caller.
        from: Uri,
        /// Address that was called.
        to: Uri,
        /// Name of the caller; may be empty.
        display: String,
        /// The offer; absent when we are to make it in the answer.
        offer: Option<Bytes>,
        /// Value of Alert-Info.
        alert_info: Option<String>,
        /// The whole request, for header fields that only some owners know.
        message: Message,
    },
    /// 1xx (other than 100) to our INVITE.
    Progress {
        /// The call.
        call: Call,
        /// 101 to 199.
        status: u16,
        /// The peer's tag: one early dialog each; absent when the peer gave none.
        to_tag: Option<String>,
        /// Answer, if present: early media.
        sdp: Option<Bytes>,
    },
    /// 2xx to our INVITE. Nothing is sent until [`super::UserAgent::ack`]; told once, repetitions are handled.
    Answered {
        /// The call.
        call: Call,
        /// The answer; absent if an earlier 1xx brought it, or the peer is broken.
        sdp: Option<Bytes>,
    },
    /// Final refusal of our INVITE, on the last proxy that was worth trying. The call is over.
    Refused {
        /// The call.
        call: Call,
        /// 300 to 699; 408 or 503 also when nobody answered or could be reached.
        status: u16,
        /// Reason phrase or `Reason` text.
        reason: String,
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The caller gave up. 200 to the CANCEL was sent; `reject` with 487 is due.
    Cancelled {
        /// The call.
        call: Call,
        /// Answered by another phone of the user: no missed call.
        completed_elsewhere: bool,
    },
    /// The ACK to our 2xx came: of the call, or of a re-INVITE within it.
    Acked {
        /// The call.
        call: Call,
        /// The answer, when the offer was ours.
        sdp: Option<Bytes>,
    },
    /// No ACK to our 2xx within 64 T1: the owner should say BYE.
    AckTimeout {
        /// The call.
        call: Call,
    },
    /// The peer wants other media: `answer_reinvite` or `reject_reinvite` is due.
    Reoffered {
        /// The call.
        call: Call,
        /// The offer; absent when we are to make it in the answer.
        sdp: Option<Bytes>,
    },
    /// Our re-INVITE was accepted. Nothing is sent until [`super::UserAgent::ack`].
    ReofferAnswered {
        /// The call.
        call: Call,
        /// The answer.
        sdp: Option<Bytes>,
    },
    /// Our re-INVITE was refused, or not answered: media stay as they were.
    ReofferRefused {
        /// The call.
        call: Call,
        /// The final status; 408 without answer.
        status: u16,
    },
    /// The peer's session refresh did not come in time, or ours is not answered. The call stands until the owner ends it.
    SessionExpired {
        /// The call.
        call: Call,
    },
    /// The dialog is over and forgotten.
    Ended {
        /// The call.
        call: Call,
        /// Who ended it.
        by: By,
        /// The peer's reason.
        reason: Option<Reason>,
    },
    /// Answer to our OPTIONS.
    OptionsAnswered {
        /// The call when it was sent inside a dialog.
        call: Option<Call>,
        /// The final status; 408 without answer.
        status: u16,
    },
}
