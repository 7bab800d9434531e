//! The mind of one handset: what it is told, what it wants done, and nothing else.
//!
//! [`State`] joins the network layer of the fixed part (`ipdect_dect`) to a SIP user agent (`ipdect_sip`), with a speech
//! session at a media resource in between. It has no clock, no socket, no random source; the server's actor feeds it
//! [`Event`]s, runs its [`Action`]s and decides nothing.
//!
//! *Commit, then speak*: what a peer cannot take back leaves [`State::handle`] only after the order that brings the record
//! to a fenced receiver was answered [`Outcome::Done`] (`takeover.md` section 5).

#![warn(missing_docs)]

mod action;
mod call;
mod cause;
mod ending;
mod event;
mod idle_display;
mod ids;
mod incoming;
mod ladder;
mod links;
mod media;
mod media_side;
mod mobility;
mod notice;
mod outbox;
mod outgoing;
mod presence;
mod profile;
mod radio;
pub mod record;
mod restore;
mod sdp;
mod sip;
mod speech;
mod state;
mod status;
mod talking;
mod timers;
mod turn;

pub use action::{
    Action, Entry, Layer, Media, PageIdentity, PresenceRow, Radio, ReleaseCause, Store, Way,
};
pub use event::{BaseId, DownReason, Event, Held, Link, MediaId, NwkUp, Outcome, Tag, Trace};
pub use media::{
    AES_CM_128_HMAC_SHA1_80, CallRef, Codec, Direction, Junction, LegId, LegKind, LegSrtp,
    LegStats, Path, PathId, PathSrtp, Priority, Remote, RemoteSrtp, SRTP_KEY_LENGTH, SessionId,
    Source, SrtpKey, Tone,
};
pub use notice::{Notice, Placed, Subscription, Summary};
pub use profile::{
    CallSettings, DialRule, HandsetRow, Key128, MediaSettings, PresenceSettings, Profile, Secret,
    Settings, SipSettings, SipSrtp, System, User,
};
pub use record::{Milestone, Record, RecordError};
pub use state::State;
pub use status::{CallView, Location, Phase, Presence, Registration, Status};

#[cfg(test)]
pub(crate) mod tests;
