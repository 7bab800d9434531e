//! One MAC connection: its bearer, its LAPC link, whose it is, and what waits in both directions.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ipdect_dect::dlc::{Context, Lapc, Output, SendError, Side};
use ipdect_dect::identity::Ipei;
use ipdect_dect::mac::{Pmid, Segment};

use super::fence::Fence;
use super::message::{ConnectionId, NwkUp};
use crate::radio::BearerNumber;

/// NWK messages kept until an owner acknowledges them.
pub const MAX_UNACKED: usize = 16;
/// Segments kept unread while so many messages are unacknowledged: what N250 repetitions of a frame bring.
const MAX_UNREAD: usize = 64;
/// `NwkDown` messages remembered to tell a repetition from a contradiction.
const MAX_REMEMBERED: usize = 16;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Stands, nobody's yet.
    Unbound,
    /// Has an owner, signalling only.
    Bound,
    /// Speech is open.
    Speech,
    /// New bearer, waits for the grant of a handover.
    HandoverWait,
    /// LAPC was handed over to another base.
    Frozen,
}

/// Why a connection went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownReason {
    /// Released by portable or owner.
    Normal,
    /// No good burst for T201.
    RadioLost,
    /// LAPC gave up.
    DlcFailed,
    /// The base leaves service.
    Drained,
    /// No `Bind` or `Adopt` in time, or orphan grace over.
    NotAdopted,
}

/// A handover that waits for its grant, or for the first burst after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// Not granted yet; denied by itself at this time.
    Asked {
        /// When.
        deny_at: Instant,
    },
    /// Granted at this time; the portable has yet to send on the new bearer.
    Granted {
        /// When.
        at: Instant,
    },
}

/// One MAC connection.
#[derive(Debug)]
pub struct Connection {
    /// Its name.
    pub id: ConnectionId,
    /// Its MAC identity.
    pub pmid: Pmid,
    /// The bearer that carries it.
    pub bearer: BearerNumber,
    /// A second bearer, during bearer handover.
    pub second: Option<BearerNumber>,
    /// Until when that one may stay without a burst, T203.
    pub second_until: Option<Instant>,
    /// Level of the request that it came from, dBm.
    pub rssi_dbm: i8,
    /// When it came up.
    pub since: Instant,
    /// Whose it is, and the last token obeyed for it.
    pub owner: Option<(Ipei, Fence)>,
    /// Whether a burst was heard.
    pub heard: bool,
    /// Connection handover, while it lasts.
    pub handover: Option<Handover>,
    /// Released unless an owner names it by then: LCE.05, or adoption after a link was lost.
    pub claim_by: Option<Instant>,
    /// Released once LAPC is idle, or then at the latest.
    pub releasing: Option<(DownReason, Instant)>,
    /// Next report of its speech.
    pub report_at: Option<Instant>,
    lapc: Lapc,
    frozen: Option<Context>,
    to_radio: VecDeque<Segment>,
    on_radio: Option<Segment>,
    unread: VecDeque<Segment>,
    last_up: u64,
    unacked: VecDeque<NwkUp>,
    last_down: u64,
    remembered: VecDeque<(u64, Vec<u8>)>,
}

/// What LAPC brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A NWK message for the owner.
    Up(NwkUp),
    /// The link has failed.
    Failed,
}

/// Why a NWK message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// Its number leaves a gap.
    Gap {
        /// The number that would be next.
        wanted: u64,
    },
    /// Another message had this number.
    Contradiction,
    /// LAPC refuses it.
    Link(SendError),
}

impl Connection {
    /// A connection whose bearer was just given.
    pub fn new(
        now: Instant,
        id: ConnectionId,
        pmid: Pmid,
        bearer: BearerNumber,
        rssi_dbm: i8,
    ) -> Self {
        Self {
            id,
            pmid,
            bearer,
            second: None,
            second_until: None,
            rssi_dbm,
            since: now,
            owner: None,
            heard: false,
            handover: None,
            claim_by: None,
            releasing: None,
            report_at: None,
            lapc: Lapc::new(Side::Fixed, pmid.lsig()),
            frozen: None,
            to_radio: VecDeque::new(),
            on_radio: None,
            unread: VecDeque::new(),
            last_up: 0,
            unacked: VecDeque::new(),
            last_down: 0,
            remembered: VecDeque::new(),
        }
    }

    /// Where it stands, given whether speech is open.
    pub fn phase(&self, speech: bool) -> Phase {
        match (&self.handover, &self.frozen, &self.owner) {
            (Some(Handover::Asked { .. }), _, _) => Phase::HandoverWait,
            (_, Some(_), _) => Phase::Frozen,
            (_, _, None) => Phase::Unbound,
            _ if speech => Phase::Speech,
            _ => Phase::Bound,
        }
    }

    /// Seq of the last message up, 0 for none.
    pub fn last_up(&self) -> u64 {
        self.last_up
    }

    /// Seq of the last message taken down, 0 for none.
    pub fn last_down(&self) -> u64 {
        self.last_down
    }

    /// Messages that no owner acknowledged.
    pub fn unacked(&self) -> impl Iterator<Item = &NwkUp> {
        self.unacked.iter()
    }

    /// Whether nothing waits to be sent to the portable.
    pub fn is_idle(&self) -> bool {
        self.lapc.is_idle() && self.is_sent()
    }

    fn is_sent(&self) -> bool {
        self.on_radio.is_none() && self.to_radio.is_empty()
    }

    /// Takes in a segment of the portable.
    pub fn segment(&mut self, now: Instant, segment: Segment) -> Vec<Happened> {
        if self.unread.len() < MAX_UNREAD {
            self.unread.push_back(segment);
        }
        self.read(now)
    }

    /// Forgets messages up to `seq`, which makes room for others.
    pub fn acknowledge(&mut self, now: Instant, seq: u64) -> Vec<Happened> {
        self.unacked.retain(|up| up.seq > seq);
        self.read(now)
    }

    /// Takes a NWK message for the portable.
    ///
    /// # Errors
    /// [`NotTaken`]; a repetition of a message taken before is no error.
    pub fn send(&mut self, now: Instant, seq: u64, pdu: &[u8]) -> Result<(), NotTaken> {
        if seq <= self.last_down {
            let same = self
                .remembered
                .iter()
                .find(|(s, _)| *s == seq)
                .is_none_or(|(_, known)| known == pdu);
            return if same {
                Ok(())
            } else {
                Err(NotTaken::Contradiction)
            };
        }
        if seq != self.last_down + 1 {
            return Err(NotTaken::Gap {
                wanted: self.last_down + 1,
            });
        }
        let outputs = self.lapc.send(now, pdu).map_err(NotTaken::Link)?;
        self.transmit(outputs);
        self.last_down = seq;
        if self.remembered.len() == MAX_REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back((seq, pdu.to_vec()));
        Ok(())
    }

    /// Freezes LAPC and answers with its variables; the same ones when asked again.
    pub fn take_context(&mut self) -> Context {
        let lapc = &mut self.lapc;
        self.frozen
            .get_or_insert_with(|| lapc.take_context())
            .clone()
    }

    /// Goes on with a link of another base.
    pub fn resume(&mut self, now: Instant, context: Context) {
        let (lapc, outputs) = Lapc::resume(now, Side::Fixed, self.pmid.lsig(), context);
        self.lapc = lapc;
        self.transmit(outputs);
    }

    /// The next segment for the radio, which takes one at a time.
    pub fn next_segment(&mut self) -> Option<Segment> {
        if self.on_radio.is_some() {
            return None;
        }
        self.on_radio = self.to_radio.pop_front();
        self.on_radio
    }

    /// The portable took the segment that the radio had.
    pub fn segment_taken(&mut self) {
        self.on_radio = None;
    }

    /// Another bearer has a C-channel of its own: what the old one had goes there first.
    pub fn moved(&mut self) {
        if let Some(segment) = self.on_radio.take() {
            self.to_radio.push_front(segment);
        }
    }

    /// When [`Connection::deadline`] wants to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        // While the C-channel still carries the frame, a repetition would only queue behind it.
        self.lapc.next_deadline().filter(|_| self.is_sent())
    }

    /// Lets time pass for LAPC.
    pub fn deadline(&mut self, now: Instant) -> Vec<Happened> {
        if !self.is_sent() {
            return Vec::new();
        }
        let outputs = self.lapc.deadline(now);
        self.transmit(outputs)
    }

    /// Feeds LAPC, but not while the owner owes so many acknowledgements: then the portable's own window closes.
    fn read(&mut self, now: Instant) -> Vec<Happened> {
        let mut happened = Vec::new();
        while self.unacked.len() < MAX_UNACKED {
            let Some(segment) = self.unread.pop_front() else {
                break;
            };
            let outputs = self.lapc.segment(now, segment);
            happened.extend(self.transmit(outputs));
        }
        happened
    }

    fn transmit(&mut self, outputs: Vec<Output>) -> Vec<Happened> {
        outputs
            .into_iter()
            .filter_map(|output| self.put(output))
            .collect()
    }

    fn put(&mut self, output: Output) -> Option<Happened> {
        match output {
            Output::Transmit(octets) => {
                let segments = octets
                    .chunks_exact(5)
                    .map(|s| Segment::try_from(s).expect("chunks of five"));
                self.to_radio.extend(segments);
                None
            }
            Output::Deliver(pdu) => {
                self.last_up += 1;
                let up = NwkUp {
                    connection: self.id,
                    seq: self.last_up,
                    pdu,
                };
                self.unacked.push_back(up.clone());
                Some(Happened::Up(up))
            }
            Output::Failed => Some(Happened::Failed),
            Output::Established | Output::AllSent => None,
        }
    }
}

/// Wait for an owner of a new connection, LCE.05. Source: EN 300 175-5 annex A.
pub const LCE_05: Duration = Duration::from_secs(5);
/// Wait for adoption after a link was regained. Source: contracts, section 6.
pub const ADOPTION: Duration = Duration::from_secs(10);
/// Wait for the grant of a connection handover. Source: contracts, section 10.
pub const HANDOVER_GRANT: Duration = Duration::from_secs(2);
/// Time for the last messages to reach the portable before a release.
pub const LINGER: Duration = Duration::from_secs(3);
/// Distance of two reports of speech.
pub const REPORT_EVERY: Duration = Duration::from_secs(5);
