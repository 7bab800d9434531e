//! What a session is told and what it tells.

use std::net::SocketAddr;
use std::time::Duration;

use crate::codec::Format;
use crate::dtmf::Digit;
use crate::srtp::{KeyMaterial, Mki};

/// A leg of a session: a small integer chosen by the owner.
pub type LegId = u32;
/// A path of a base leg: a small integer chosen by the owner. A SIP leg has the one path 0.
pub type PathId = u32;

/// One codec of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codec {
    /// RTP payload type.
    pub payload_type: u8,
    /// How speech is coded.
    pub format: Format,
}

/// Our SRTP key of a SIP leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOut {
    /// Master key and salt.
    pub material: KeyMaterial,
    /// Identifier in each packet, or empty.
    pub mki: Mki,
    /// Packets that the key may protect; 0: as many as the suite allows.
    pub lifetime: u64,
}

/// The peer's SRTP key of a SIP leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIn {
    /// Master key and salt.
    pub material: KeyMaterial,
    /// Identifier in each packet, or empty.
    pub mki: Mki,
}

/// One way between the base station and us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathSpec {
    /// Where the base station listens.
    pub remote: SocketAddr,
    /// Our source.
    pub ssrc_out: u32,
    /// The base station's source.
    pub ssrc_in: u32,
    /// Payload type in both directions.
    pub payload_type: u8,
    /// Keys: ours and the base station's. `None`: plain RTP.
    pub keys: Option<(KeyMaterial, KeyMaterial)>,
}

/// What a SIP leg is opened with: our side of the description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipLocal {
    /// What we take.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone events that we take.
    pub telephone_event: Option<u8>,
    /// Our key. `None`: plain RTP.
    pub key: Option<KeyOut>,
}

/// What the peer's SDP says about a SIP leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipRemote {
    /// Where it takes RTP.
    pub rtp: SocketAddr,
    /// Where it takes RTCP.
    pub rtcp: SocketAddr,
    /// What it takes, best first.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone events that it takes.
    pub telephone_event: Option<u8>,
    /// Its key. `None`: plain RTP.
    pub key: Option<KeyIn>,
    /// Which way media flows, seen from us.
    pub direction: Direction,
    /// From where its packets are believed.
    pub source: SourceRule,
}

/// Direction of a leg as in SDP, seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// We send.
    SendOnly,
    /// We receive.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether we may send.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether we listen.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// From where packets of a SIP peer are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceRule {
    /// From the address in its SDP only.
    Strict,
    /// From wherever the first good packet after its SDP came, and from nowhere else afterwards.
    LatchOnce,
}

/// Who hears whom of two legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JunctionDirection {
    /// Both.
    Both,
    /// B hears A.
    AToB,
    /// A hears B.
    BToA,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// No such leg.
    #[error("no such leg")]
    UnknownLeg,
    /// No such path.
    #[error("no such path")]
    UnknownPath,
    /// The object exists with other content.
    #[error("exists with other content")]
    Conflict,
    /// The order makes no sense for this object.
    #[error("{0}")]
    Invalid(&'static str),
}

/// What a packet was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Distrust {
    /// SRTP authentication failed.
    AuthFailed,
    /// Its index was seen before.
    Replay,
    /// It came from another address.
    UnexpectedSource,
}

/// Something that the owner should know.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A leg hears its peer for the first time.
    FirstPacket {
        /// The leg.
        leg: LegId,
        /// Since the leg was opened.
        after: Duration,
    },
    /// A digit came in.
    Dtmf {
        /// The leg.
        leg: LegId,
        /// The digit.
        digit: Digit,
        /// How long it was pressed.
        duration: Duration,
    },
    /// A connected leg hears neither RTP nor RTCP.
    Silent {
        /// The leg.
        leg: LegId,
        /// For how long.
        lasting: Duration,
    },
    /// Figures of a leg.
    Stats {
        /// The leg.
        leg: LegId,
        /// The figures.
        stats: LegStats,
    },
    /// Packets that were not believed since the last such event.
    Security {
        /// The leg.
        leg: LegId,
        /// Why.
        kind: Distrust,
        /// How many.
        count: u64,
    },
    /// Our key of a leg has used nine tenths of its life.
    KeyExpiring {
        /// The leg.
        leg: LegId,
        /// Packets left.
        packets_left: u64,
    },
    /// Two connected legs have been silent for 60 s: nobody is there any more.
    Abandoned,
}

/// Figures of a leg over a window, or over its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LegStats {
    /// Length of the window.
    pub window: Duration,
    /// Packets sent.
    pub sent: u64,
    /// Payload octets sent.
    pub sent_octets: u64,
    /// Packets received and believed.
    pub received: u64,
    /// Payload octets received.
    pub received_octets: u64,
    /// Packets missing in the sequence, overflows included.
    pub lost: u64,
    /// Packets that came after their turn.
    pub late: u64,
    /// Packets that came twice.
    pub duplicated: u64,
    /// Frames of 10 ms made up.
    pub concealed: u64,
    /// Frames of 10 ms that the base station marked as bad.
    pub bad_air: u64,
    /// Packets that our receive queue dropped.
    pub overflows: u64,
    /// Interarrival jitter.
    pub jitter: Duration,
    /// Round trip from RTCP, if known.
    pub round_trip: Option<Duration>,
    /// Level heard in dBm0; -100 for silence.
    pub level_dbm0: f64,
    /// Transmission rating, 0..100; 0 where nothing was heard.
    pub r_factor: f64,
}

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// The leg whose socket sends it.
    pub leg: LegId,
    /// Whether it leaves from the leg's RTCP socket.
    pub rtcp: bool,
    /// The receiver.
    pub to: SocketAddr,
}

/// Where a session puts its packets: buffers that the caller lends, one after the other.
pub trait Outbox {
    /// The next free buffer, at least [`MAX_PACKET`] octets; the same one until [`Outbox::commit`].
    fn slot(&mut self) -> &mut [u8];
    /// Sends what is in the first `length` octets of the slot.
    fn commit(&mut self, destination: Destination, length: usize);
}

/// Octets that an [`Outbox`] lends at least.
pub const MAX_PACKET: usize = 2048;
