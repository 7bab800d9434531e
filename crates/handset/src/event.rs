//! What happens to a handset: everything that its mind is ever told.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use ipdect_sip::message::Message;
use ipdect_sip::transaction::{Flow, TransactionKey};
use ipdect_sip::trunk::TrunkHealth;
use serde::{Deserialize, Serialize};

use crate::action::PresenceRow;
use crate::media::{LegId, LegStats, SessionId};
use crate::profile::Profile;

/// Names an order until its result comes. Drawn by the mind, never used twice by one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// Node id of a base station.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BaseId(pub String);

/// Node id of a media resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MediaId(pub String);

impl fmt::Display for BaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One MAC connection of the handset at one base station.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    /// The base station.
    pub base: BaseId,
    /// Its connection id.
    pub connection: u64,
}

/// Trace context as envelopes carry it: trace id 16, span id 8, flags 1, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trace(pub Option<[u8; 25]>);

impl Trace {
    /// The trace id in hexadecimal, if there is a trace.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        self.0.map(|octets| {
            octets[..16]
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect()
        })
    }
}

/// Something that happened, told to [`crate::State::handle`].
#[derive(Clone, Debug)]
pub enum Event {
    /// The owner came to be, or configuration changed: this is the whole of it.
    Configured(Box<Profile>),
    /// What the store knew of the idle handset when its last owner died. A located one registers; the body paces by when it tells.
    Restored(PresenceRow),
    /// The instant of [`crate::State::next_deadline`] has come.
    Deadline,
    /// A NWK message of the handset.
    Nwk(NwkUp),
    /// A connection is gone.
    ConnectionDown {
        /// Which.
        link: Link,
        /// Why.
        reason: DownReason,
    },
    /// The link to a base station is dead; what it carries may well live on.
    BaseLost {
        /// The base station.
        base: BaseId,
    },
    /// A base station is linked again and said what it holds of this handset.
    BaseBack {
        /// The base station.
        base: BaseId,
        /// Whether it is the same start of it (boot id) as before; if not, its connections are gone.
        same_boot: bool,
        /// Its connections of this handset.
        connections: Vec<Held>,
    },
    /// An order's result, where no other event brings it.
    Done {
        /// The order.
        tag: Tag,
        /// The result.
        outcome: Outcome,
    },
    /// Result of [`crate::Media::OpenSession`] when it was obeyed: a media resource took it.
    SessionOpened {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The media resource.
        resource: MediaId,
        /// Its start (boot id).
        boot: u64,
    },
    /// Result of [`crate::Media::OpenLeg`] when it was obeyed.
    LegOpened {
        /// The order.
        tag: Tag,
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Where the media resource takes RTP.
        rtp: SocketAddr,
        /// Its RTCP port at the same address.
        rtcp_port: u16,
    },
    /// The peer of a leg pressed a key (RFC 4733).
    DtmfReceived {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
    },
    /// Neither RTP nor RTCP came on a leg for so long; told from 10 s on, every 10 s.
    MediaSilent {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Silence in milliseconds.
        silent_ms: u64,
    },
    /// A media resource is gone with all its sessions.
    MediaLost {
        /// Which.
        resource: MediaId,
    },
    /// Figures of a leg.
    LegStats {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// The figures of the whole session so far.
        stats: LegStats,
    },
    /// The media resource closed a session, by order or by itself.
    SessionClosed {
        /// The session.
        session: SessionId,
        /// Final figures of its legs.
        stats: Vec<(LegId, LegStats)>,
    },
    /// A SIP message for one of the handset's transactions, dialogs or its address of record.
    Sip {
        /// The message.
        message: Box<Message>,
        /// The way it came.
        flow: Flow,
        /// Its trace.
        trace: Trace,
    },
    /// A message could not be sent.
    SipFailed {
        /// The transaction that its [`ipdect_sip::user_agent::Transmit`] named.
        transaction: TransactionKey,
    },
    /// A connection broke.
    FlowLost(Flow),
    /// A proxy came or went, as seen by the server.
    TrunkHealth(TrunkHealth),
    /// Subscription was opened or closed for the system.
    SubscriptionOpen(bool),
    /// An administrator ends the call.
    Hangup,
    /// The server goes away and nobody follows: end the call, remove the registration.
    Shutdown,
}

/// One NWK message from the handset, as the base station passed it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NwkUp {
    /// Where it came from.
    pub link: Link,
    /// Radio part number of the base station.
    pub rpn: u8,
    /// Where the base station takes speech.
    pub speech: SocketAddr,
    /// Number of the message on the connection, rising from 1.
    pub seq: u64,
    /// The message.
    pub pdu: Bytes,
    /// Its trace.
    pub trace: Trace,
}

/// A connection that a base station holds for the handset, from its inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its id there.
    pub connection: u64,
    /// Where the base station takes speech.
    pub address: SocketAddr,
    /// Whether speech is open on it.
    pub speech: bool,
    /// Number of the last message received from the handset.
    pub last_up_seq: u64,
    /// Number of the last message taken for sending to the handset.
    pub last_down_seq: u64,
    /// Messages of the handset that nobody acknowledged yet.
    pub unacked: Vec<NwkUp>,
}

/// Why a connection went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DownReason {
    /// Released in good order.
    Normal,
    /// Radio contact lost.
    RadioLost,
    /// The data link broke down.
    DlcFailed,
    /// The base station is drained.
    Drained,
    /// Nobody adopted it.
    NotAdopted,
}

/// Result of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Carried out.
    Done,
    /// Refused: the device knows a newer owner.
    Fenced,
    /// Refused: the object belongs to another shard.
    WrongShard,
    /// Refused: no such object.
    UnknownTarget,
    /// Refused: nothing left to serve it with.
    NoResource,
    /// Refused: nonsense.
    Invalid,
    /// Refused: the same id stands for something else (a TPUI taken, an SSRC in use).
    Conflict,
    /// Refused: the device is about to go.
    Draining,
    /// Nobody to ask, or no answer in time: whether it was carried out is not known.
    Unreachable,
}
