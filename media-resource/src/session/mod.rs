//! Sessions on their threads: what the service orders, and what it is told.

mod net;
pub mod ports;
mod sockets;
mod worker;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipdect_media::session::{
    Codec, Event, JunctionDirection, LegId, LegStats, OrderError, PathId, PathSpec, SipLocal,
    SipRemote,
};
use ipdect_media::tones::{Region, Tone};
use ports::Pair;
use tokio::sync::oneshot;

pub use worker::{Hands, Worker};

/// A session in this process.
pub type SessionKey = u64;

/// What is ordered of a session.
#[derive(Debug)]
pub enum Act {
    /// Begin it.
    Open,
    /// A leg to a base station, with its first path.
    OpenBase {
        /// Its id.
        leg: LegId,
        /// How the base station codes.
        codec: Codec,
        /// Id of the path.
        path: PathId,
        /// The path.
        spec: PathSpec,
    },
    /// A leg to a SIP peer.
    OpenSip {
        /// Its id.
        leg: LegId,
        /// Our side.
        local: SipLocal,
        /// Sockets for it; without them the leg must exist.
        sockets: Option<Pair>,
        /// DSCP of our packets.
        dscp: u8,
    },
    /// What the peer's SDP says.
    Modify {
        /// Which leg.
        leg: LegId,
        /// The peer's side.
        remote: SipRemote,
    },
    /// Another path of a base leg.
    AddPath {
        /// Which leg.
        leg: LegId,
        /// Id of the path.
        path: PathId,
        /// The path.
        spec: PathSpec,
    },
    /// A path less.
    DropPath {
        /// Which leg.
        leg: LegId,
        /// Which path.
        path: PathId,
    },
    /// Legs that hear each other.
    Connect {
        /// One leg.
        a: LegId,
        /// The other.
        b: LegId,
        /// Who hears whom.
        direction: JunctionDirection,
    },
    /// Legs that do not any more.
    Disconnect {
        /// One leg.
        a: LegId,
        /// The other.
        b: LegId,
        /// Which way is cut.
        direction: JunctionDirection,
    },
    /// A tone towards a leg.
    PlayTone {
        /// Which leg.
        leg: LegId,
        /// Which tone.
        tone: Tone,
        /// Of which country.
        region: Region,
        /// How loud.
        level_dbm0: f64,
    },
    /// No tone any more.
    StopTone {
        /// Which leg.
        leg: LegId,
    },
    /// Digits towards a leg.
    SendDtmf {
        /// Which leg.
        leg: LegId,
        /// The digits.
        digits: String,
        /// Length of each.
        duration: Duration,
        /// Pause between two.
        gap: Duration,
        /// Connection and sequence number of the key press.
        cause: (u64, u64),
    },
    /// End a leg.
    CloseLeg {
        /// Which leg.
        leg: LegId,
    },
    /// End the session.
    Close,
    /// Packets of a leg that the kernel dropped.
    Overflowed {
        /// Which leg.
        leg: LegId,
        /// How many.
        packets: u64,
    },
}

/// How an order ended well.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// Carried out.
    Done,
    /// A leg is open and listens here.
    Opened {
        /// Which leg.
        leg: LegId,
        /// Where it takes RTP.
        rtp: SocketAddr,
        /// Where it takes RTCP.
        rtcp: SocketAddr,
    },
    /// A leg is closed, or was already; figures of its life.
    LegClosed(Option<(LegId, LegStats)>),
    /// The session is closed; figures of its legs' lives.
    Closed(Vec<(LegId, LegStats)>),
}

/// Why an order was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No such session.
    #[error("no such session")]
    UnknownSession,
    /// The source of that path is in use on this port.
    #[error("SSRC in use, draw another")]
    SsrcInUse,
    /// Sockets could not be used.
    #[error("no socket")]
    NoSocket,
    /// The session said no.
    #[error(transparent)]
    Order(#[from] OrderError),
}

/// One leg as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct LegState {
    /// Its id.
    pub leg: LegId,
    /// Where we take RTP.
    pub rtp: SocketAddr,
    /// Where we take RTCP.
    pub rtcp: SocketAddr,
    /// SIP legs: our side.
    pub local: Option<SipLocal>,
    /// SIP legs: the peer's side, once known.
    pub remote: Option<SipRemote>,
    /// Base legs: the paths.
    pub paths: Vec<(PathId, PathSpec)>,
    /// Tone being played.
    pub tone: Option<Tone>,
}

/// One session as it stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionState {
    /// Its legs.
    pub legs: Vec<LegState>,
    /// Who hears whom: speaker and listener.
    pub junctions: Vec<(LegId, LegId)>,
}

/// What a worker is sent.
#[derive(Debug)]
pub enum Command {
    /// An order.
    Act {
        /// Of which session.
        session: SessionKey,
        /// What to do.
        act: Act,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Done, Failure>>,
    },
    /// Question for sessions as they stand.
    Describe {
        /// Which.
        sessions: Vec<SessionKey>,
        /// Where the answer goes; sessions that are gone are left out.
        reply: oneshot::Sender<Vec<(SessionKey, SessionState)>>,
    },
    /// End the thread.
    Stop,
}

/// What a worker tells by itself.
#[derive(Debug)]
pub enum Told {
    /// Something happened in a session.
    Event {
        /// Which session.
        session: SessionKey,
        /// What.
        event: Event,
    },
    /// Nobody is there any more: the session is over.
    Ended {
        /// Which session.
        session: SessionKey,
        /// Figures of its legs.
        stats: Vec<(LegId, LegStats)>,
    },
    /// The last second of a worker.
    Second(Second),
}

/// What a worker counted in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Second {
    /// Which worker.
    pub worker: usize,
    /// Busy part of it, 0..1.
    pub busy: f64,
    /// Packets that came in.
    pub packets_in: u64,
    /// Octets of them.
    pub octets_in: u64,
    /// Packets that went out.
    pub packets_out: u64,
    /// Octets of them.
    pub octets_out: u64,
    /// Packets of no path that is open.
    pub unknown: u64,
    /// Packets that could not be sent.
    pub dropped: u64,
    /// Longest time from receiving a batch to having sent what follows from it.
    pub forward_max: Duration,
}

/// Where workers tell; bounded, and a full one loses figures rather than speech.
pub type Teller = tokio::sync::mpsc::Sender<Told>;

/// What the workers of a media resource share and do not change.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Time.
    pub clock: Arc<dyn ipdect_node::Clock>,
    /// Chance.
    pub random: ipdect_node::Random,
    /// Where to tell.
    pub teller: Teller,
    /// Address that peers are told; the sockets' own if none.
    pub advertise: Option<std::net::IpAddr>,
}
