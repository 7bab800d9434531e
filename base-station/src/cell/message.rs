//! What servers tell a cell and what it tells them, without any wire type.

use std::net::SocketAddr;

use ipdect_dect::dlc::Context;
use ipdect_dect::identity::{Ipei, Ipui, Rfpi, Tpui};
use ipdect_dect::mac::Pmid;

use super::connection::{DownReason, Phase};
use super::fence::{Fence, Floor};
use crate::speech::{Path, Quality};

/// Name of a MAC connection: 32 bits of the boot id, 32 counting. Unique together with the node id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What a server says.
#[derive(Debug, Clone, PartialEq)]
pub enum Instruction {
    /// Floors of shards.
    Floors(Vec<Floor>),
    /// Asks for the inventory of shards.
    Query {
        /// Comes back in the answer.
        query_id: u64,
        /// The shards, with the asker's tokens.
        fences: Vec<Fence>,
    },
    /// Whole state of the device.
    Configure(Configuration),
    /// An order about a handset.
    Order(Order),
}

/// Whole state of the device; a lower revision than known is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// Configuration revision.
    pub revision: u64,
    /// Identity to broadcast.
    pub rfpi: Rfpi,
    /// Fixed part capabilities a8 to a47.
    pub capabilities: [u8; 5],
    /// Bearers that only handovers may take.
    pub handover_reserve: u8,
}

/// An order about a handset.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Rising on the link.
    pub order_id: u64,
    /// In whose name.
    pub fence: Fence,
    /// What to do.
    pub task: Task,
}

/// Who is paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paged {
    /// By a short page, or a full one where a long slot is wanted.
    Tpui(Tpui),
    /// By a full page.
    Ipui(Ipui),
}

/// What an order asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Page a handset.
    Page(Page),
    /// Take a page off the air.
    CancelPage {
        /// Which.
        page_id: u64,
    },
    /// Say whose a connection is.
    Bind {
        /// Which.
        connection: ConnectionId,
        /// Whose.
        ipei: Ipei,
    },
    /// Send a NWK message.
    NwkDown {
        /// Where.
        connection: ConnectionId,
        /// From 1, without gap.
        seq: u64,
        /// The message.
        pdu: Vec<u8>,
    },
    /// Forget NWK messages of the portable up to one.
    NwkAck {
        /// Where.
        connection: ConnectionId,
        /// The last one.
        seq: u64,
    },
    /// Start speech.
    OpenSpeech {
        /// Where.
        connection: ConnectionId,
        /// To the media resource.
        path: Path,
    },
    /// Stop speech.
    CloseSpeech {
        /// Where.
        connection: ConnectionId,
    },
    /// Key for ciphering. No radio here ciphers yet, so it is refused.
    SetCipherKey {
        /// Where.
        connection: ConnectionId,
    },
    /// Freeze LAPC and hand it over.
    TakeContext {
        /// The old connection.
        connection: ConnectionId,
    },
    /// Take over a connection of another base.
    HandoverGrant {
        /// The new connection.
        connection: ConnectionId,
        /// Whose.
        ipei: Ipei,
        /// Its link.
        context: Context,
        /// A cipher key came with it.
        ciphered: bool,
    },
    /// Refuse a handover.
    HandoverDeny {
        /// The new connection.
        connection: ConnectionId,
        /// For a person.
        reason: String,
    },
    /// Say that a known connection has an owner.
    Adopt {
        /// Which.
        connection: ConnectionId,
    },
    /// Release the MAC connection.
    Release {
        /// Which.
        connection: ConnectionId,
        /// Comes back in `ConnectionDown`.
        reason: DownReason,
    },
}

/// A page as ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Names it.
    pub page_id: u64,
    /// Who.
    pub paged: Paged,
    /// LCE header, 3 bits.
    pub header: u8,
    /// A long slot is wanted.
    pub long_slot: bool,
    /// Multiframes of 160 ms that carry it.
    pub life_multiframes: u32,
}

impl Task {
    /// The connection that it is about.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Page(_) | Self::CancelPage { .. } => None,
            Self::Bind { connection, .. }
            | Self::NwkDown { connection, .. }
            | Self::NwkAck { connection, .. }
            | Self::OpenSpeech { connection, .. }
            | Self::CloseSpeech { connection }
            | Self::SetCipherKey { connection }
            | Self::TakeContext { connection }
            | Self::HandoverGrant { connection, .. }
            | Self::HandoverDeny { connection, .. }
            | Self::Adopt { connection }
            | Self::Release { connection, .. } => Some(*connection),
        }
    }
}

/// How an order ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Carried out, or was already.
    Done,
    /// A higher token is known.
    Fenced {
        /// Which; none if no floor is known yet.
        seen: Option<Fence>,
    },
    /// The object belongs to another shard.
    WrongShard,
    /// There is no such object.
    UnknownTarget,
    /// Full.
    NoResource(String),
    /// The order makes no sense.
    Invalid(String),
    /// Same object, other content.
    Conflict(String),
    /// Nothing new is taken.
    Draining,
}

/// What a cell tells servers.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// How an order ended.
    Result {
        /// Which.
        order_id: u64,
        /// How.
        outcome: Outcome,
    },
    /// What the base holds, 64 connections at most.
    Inventory(Inventory),
    /// A MAC connection stands.
    ConnectionUp {
        /// Its name.
        connection: ConnectionId,
        /// Who.
        pmid: Pmid,
        /// On which bearer.
        bearer: u8,
        /// Level of the request.
        rssi_dbm: i8,
    },
    /// A NWK message of a portable.
    NwkUp(NwkUp),
    /// A MAC connection is gone.
    ConnectionDown {
        /// Which.
        connection: ConnectionId,
        /// Why.
        reason: DownReason,
        /// Quality up to the end, if there was speech.
        last: Option<Quality>,
    },
    /// A portable asks for connection handover.
    HandoverRequested {
        /// The new connection.
        connection: ConnectionId,
        /// Its TPUI.
        pmid: Pmid,
        /// Level of the request.
        rssi_dbm: i8,
    },
    /// First good burst on the new bearer.
    HandoverDone {
        /// The new connection.
        connection: ConnectionId,
        /// Frames between grant and burst.
        gap_frames: u32,
    },
    /// Answer to `TakeContext`.
    LapcContext {
        /// The old connection.
        connection: ConnectionId,
        /// Its link.
        context: Context,
    },
    /// Quality of a connection with speech.
    Quality {
        /// Which.
        connection: ConnectionId,
        /// How good.
        quality: Quality,
    },
    /// State of the cell.
    Cell(CellState),
}

/// One whole NWK message of a portable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NwkUp {
    /// Where.
    pub connection: ConnectionId,
    /// From 1 on each connection.
    pub seq: u64,
    /// The message.
    pub pdu: Vec<u8>,
}

/// One part of what the base holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inventory {
    /// Of the query; 0 unasked.
    pub query_id: u64,
    /// No part follows.
    pub last: bool,
    /// Connections that stand.
    pub connections: Vec<Held>,
    /// Connections that ended lately.
    pub ended: Vec<Ended>,
}

/// One connection that stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Its name.
    pub connection: ConnectionId,
    /// Whose, and the last token obeyed; none before `Bind`.
    pub owner: Option<(Ipei, Fence)>,
    /// Where it stands.
    pub phase: Phase,
    /// Its bearer.
    pub bearer: u8,
    /// Its MAC identity.
    pub pmid: Pmid,
    /// Speech, if open.
    pub path: Option<Path>,
    /// Seq of the last `NwkUp`.
    pub last_up_seq: u64,
    /// Seq of the last `NwkDown` taken.
    pub last_down_seq: u64,
    /// Messages not acknowledged by an owner.
    pub unacked: Vec<NwkUp>,
    /// Since it came up.
    pub age_ms: u64,
}

/// One connection that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Its name.
    pub connection: ConnectionId,
    /// Last token obeyed, if it was bound.
    pub fence: Option<Fence>,
    /// Why.
    pub reason: DownReason,
}

/// State of the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CellState {
    /// Bearers in use.
    pub bearers_busy: u8,
    /// Bearers left.
    pub bearers_free: u8,
    /// Pages on the air.
    pub page_queue: u32,
}

/// What a `Hello` says about this device that changes while it runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// Highest era known.
    pub era: u64,
    /// Floors known.
    pub floors: Vec<Fence>,
    /// Where our speech socket is reached.
    pub speech_address: Option<SocketAddr>,
}
