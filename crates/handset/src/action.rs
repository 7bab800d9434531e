//! What a handset wants done: orders to devices, messages to peers, rows to keep, things to show.

use std::time::SystemTime;

use bytes::Bytes;
use ipdect_sip::user_agent::Transmit;

use crate::event::{BaseId, Link, Tag};
use crate::media::{
    CallRef, Codec, Direction, Junction, LegId, LegKind, LegSrtp, Path, PathId, Priority, Remote,
    RemoteSrtp, SessionId, Source, Tone,
};
use crate::notice::Notice;
use crate::profile::HandsetRow;
use crate::status::Status;

/// An order, a message or a row. The body runs them in the order given and decides nothing.
///
/// An action with a `tag` is answered by exactly one event that brings the tag back: [`crate::Event::Done`], or the one named there.
/// Records are opaque here: the body seals them before they leave the process.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// To a base station.
    Radio(Radio),
    /// To a media resource.
    Media(Media),
    /// A SIP message to send.
    Sip(Box<Transmit>),
    /// To the store.
    Store(Store),
    /// What live views show of the handset now.
    Show(Box<Status>),
    /// One line of the call's ladder.
    Ladder(Entry),
    /// Something an operator or user should learn.
    Tell(Notice),
}

/// Orders to base stations (`contracts.md` section 6).
#[derive(Clone, Debug, PartialEq)]
pub enum Radio {
    /// The connection is this handset's.
    Bind {
        /// Which.
        link: Link,
    },
    /// Send a NWK message.
    SendNwk {
        /// The order.
        tag: Tag,
        /// Where.
        link: Link,
        /// Its number on the connection, rising from 1.
        seq: u64,
        /// The message.
        pdu: Bytes,
    },
    /// The effect of all messages up to this one is committed: forget them.
    AckNwk {
        /// Where.
        link: Link,
        /// Number of the message.
        seq: u64,
    },
    /// Call the handset on every base station of its location area, answered once all were told.
    Page {
        /// The order; [`crate::Outcome::Unreachable`] when no base station could be told.
        tag: Tag,
        /// Names the page, for [`Radio::CancelPage`].
        page: u64,
        /// Whom.
        identity: PageIdentity,
        /// Header of the LCE request page (`hhh`): 4 voice, 0 no user plane.
        header: u8,
        /// Base stations that answered already and need not page.
        except: Vec<BaseId>,
    },
    /// Stop calling; everywhere but at `except`.
    CancelPage {
        /// The page.
        page: u64,
    },
    /// Start speech on a connection.
    OpenSpeech {
        /// The order.
        tag: Tag,
        /// Where.
        link: Link,
        /// The media resource's end.
        path: Path,
    },
    /// Stop speech.
    CloseSpeech {
        /// Where.
        link: Link,
    },
    /// Ours after an inventory.
    Adopt {
        /// Where.
        link: Link,
    },
    /// End the MAC connection.
    ReleaseConnection {
        /// Where.
        link: Link,
        /// Why.
        reason: ReleaseCause,
    },
}

/// Whom a page calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageIdentity {
    /// The assigned temporary identity, 20 bits.
    Tpui(u32),
    /// An IPUI of type N: the IPEI, 36 bits; full page.
    IpuiN(u64),
}

/// Why we end a MAC connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseCause {
    /// Nobody needs it any longer.
    Normal,
    /// The handset is not one of ours, or failed to prove who it is.
    Refused,
}

/// Orders to media resources (`contracts.md` section 8). A `record` is the handset's record as it is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Media {
    /// Find a media resource and open a session there: [`crate::Event::SessionOpened`].
    OpenSession {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The call.
        call: CallRef,
        /// Admission.
        priority: Priority,
        /// The record.
        record: Bytes,
    },
    /// Open a leg: [`crate::Event::LegOpened`].
    OpenLeg {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// What it leads to.
        kind: LegKind,
        /// What it may send and receive.
        codecs: Vec<Codec>,
        /// Payload type of telephone-event.
        telephone_event: Option<u8>,
        /// Our SDES keys, SIP legs only.
        srtp: Option<LegSrtp>,
        /// First path, base legs only; its id is 1.
        path: Option<Path>,
        /// The record, where the order is a commit.
        record: Option<Bytes>,
    },
    /// Take over what the peer's SDP says.
    ModifyLeg {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Where to send to; `None` leaves it.
        remote: Option<Remote>,
        /// What was agreed, the one to send with first.
        codecs: Vec<Codec>,
        /// Payload type of telephone-event, if agreed.
        telephone_event: Option<u8>,
        /// The peer's keys; `None` means plain RTP.
        srtp: Option<RemoteSrtp>,
        /// Our direction.
        direction: Direction,
        /// How the source is checked.
        source: Source,
        /// The record, where the order is a commit.
        record: Option<Bytes>,
    },
    /// Give the base leg a further path: another base station carries the speech too.
    AddPath {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Names the path.
        id: PathId,
        /// The base station's end.
        path: Path,
    },
    /// Take a path away.
    DropPath {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Names the path.
        id: PathId,
    },
    /// Let speech through.
    Connect {
        /// The session.
        session: SessionId,
        /// One leg.
        a: LegId,
        /// The other.
        b: LegId,
        /// Which way.
        flow: Junction,
    },
    /// Stop letting speech through.
    Disconnect {
        /// The session.
        session: SessionId,
        /// One leg.
        a: LegId,
        /// The other.
        b: LegId,
    },
    /// Play a tone instead of what is connected.
    PlayTone {
        /// The session.
        session: SessionId,
        /// Towards whom.
        leg: LegId,
        /// What.
        tone: Tone,
    },
    /// End the tone.
    StopTone {
        /// The session.
        session: SessionId,
        /// Towards whom.
        leg: LegId,
    },
    /// Send digits as RFC 4733 events, done once for each (`link`, `seq`).
    SendDtmf {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// Towards whom.
        leg: LegId,
        /// `0` to `9`, `*`, `#`.
        digits: String,
        /// Connection of the NWK message that caused it.
        link: Link,
        /// Its number there.
        seq: u64,
    },
    /// A commit where no other order is due.
    Note {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The record.
        record: Bytes,
    },
    /// Close a leg.
    CloseLeg {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// The record.
        record: Option<Bytes>,
    },
    /// Close the session; record and final figures stay 64 s.
    CloseSession {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The record.
        record: Bytes,
    },
}

/// Rows to keep (`contracts.md` section 12), each guarded by the claim of the shard.
#[derive(Clone, Debug, PartialEq)]
pub enum Store {
    /// The handset's row: `/handsets/<ipei>`, secrets sealed.
    Handset {
        /// The order; what follows waits for it.
        tag: Tag,
        /// The row.
        row: HandsetRow,
    },
    /// Claim a temporary identity, put if absent: `/tpui/<hex>`; [`crate::Outcome::Conflict`] when it is another's.
    ClaimTpui {
        /// The order.
        tag: Tag,
        /// 20 bits.
        tpui: u32,
    },
    /// The record of a call: `/calls/<shard>/<ipei>`. Without tag: within 50 ms. With tag: a commit that something waits for.
    Record {
        /// The order, where it is a commit.
        tag: Option<Tag>,
        /// The record.
        record: Bytes,
    },
    /// The call is over: remove the record and write the presence row in one transaction.
    RemoveRecord {
        /// `/presence/<shard>/<ipei>`.
        presence: PresenceRow,
    },
    /// Location, registration or time of last use changed.
    Presence(PresenceRow),
}

/// `/presence/<shard>/<ipei>`: what a new owner must know of an idle handset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceRow {
    /// Base station last heard from, with its RPN; `None`: detached.
    pub location: Option<(BaseId, u8)>,
    /// Contact last registered, if any.
    pub contact: Option<String>,
    /// When the handset was last used.
    pub last_used: Option<SystemTime>,
}

/// Part of the system that a ladder line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// DECT network layer.
    Nwk,
    /// SIP.
    Sip,
    /// Orders to the media resource and what it says.
    Media,
}

/// Which way a ladder line points, as seen by the handset's owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// To us.
    In,
    /// From us.
    Out,
}

/// One line of a call's ladder (B4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, for people.
    pub at: SystemTime,
    /// The call, if it belongs to one.
    pub call: Option<CallRef>,
    /// Where.
    pub layer: Layer,
    /// Which way.
    pub way: Way,
    /// Such as `INVITE`, `180 Ringing`, `{CC-SETUP}`, `OpenSession`.
    pub summary: String,
    /// The message: text of SIP, hexadecimal of NWK; empty for orders.
    pub raw: String,
}
