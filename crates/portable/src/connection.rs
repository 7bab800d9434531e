//! One MAC connection of the portable: bursts down and up, C-channel, LAPC link.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_dect::dlc::{Lapc, Output, Side};
use ipdect_dect::identity::{Pmid, Rfpi};
use ipdect_dect::mac::air::{Burst, Header};
use ipdect_dect::mac::propagation::Reception;
use ipdect_dect::mac::segments::CChannel;
use ipdect_dect::mac::{BField, FRAME, FrameNumber, T201};
use ipdect_dect::nwk::Message;
use tracing::debug;

/// Without a burst for this long the portable answers by its own clock.
const OWN_CLOCK: Duration = Duration::from_millis(15);
/// A portable that was held up longer than this leaves out the answers it missed.
const HELD_UP: Duration = Duration::from_millis(50);
/// Most frames that one burst may reveal as missing: more is a jump of the base's clock.
const MAX_GAP: i32 = 512;

/// What came out of the link, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A network layer message.
    Message(Vec<u8>),
    /// The link has failed.
    Failed,
}

/// What a burst brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Down {
    /// Frames before this one that never came.
    pub(crate) missing: u32,
    /// Its B-field, unless bad or absent.
    pub(crate) b_field: Option<BField>,
    /// Frame to answer in, unless answered already.
    pub(crate) answer: Option<FrameNumber>,
    /// What the link made of it.
    pub(crate) told: Vec<Told>,
}

/// A MAC connection that stands.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) base: SocketAddr,
    pub(crate) rfpi: Rfpi,
    pub(crate) pmid: Pmid,
    pub(crate) bearer: u8,
    channel: CChannel,
    lapc: Lapc,
    /// Newest frame heard.
    heard: Option<FrameNumber>,
    /// Newest frame answered.
    answered: FrameNumber,
    heard_dbm: Option<i8>,
    last_good: Instant,
    next_answer: Instant,
}

impl Connection {
    /// Begins with the base station's first datagram on the bearer.
    pub(crate) fn new(now: Instant, base: SocketAddr, header: &Header) -> Self {
        Self {
            base,
            rfpi: Rfpi::from_octets(header.rfpi),
            pmid: header.pmid,
            bearer: header.bearer,
            channel: CChannel::new(),
            lapc: Lapc::new(Side::Portable, header.pmid.lsig()),
            heard: None,
            answered: header.frame,
            heard_dbm: None,
            last_good: now,
            next_answer: now + OWN_CLOCK,
        }
    }

    /// Queues a message.
    pub(crate) fn send(&mut self, now: Instant, message: &Message) -> Vec<Told> {
        match self.lapc.send(now, &message.encode()) {
            Ok(outputs) => self.carry(outputs),
            Err(error) => {
                debug!(%error, kind = ?message.kind, "message not sent");
                vec![]
            }
        }
    }

    /// Takes in a burst of this bearer, as it was received.
    pub(crate) fn burst(
        &mut self,
        now: Instant,
        header: &Header,
        burst: &Burst,
        reception: Reception,
        rssi_dbm: i8,
    ) -> Option<Down> {
        let frame = header.frame;
        let stale = self.heard.is_some_and(|heard| !frame.is_after(heard));
        if reception == Reception::Lost || stale {
            return None;
        }
        let gap = self.heard.map_or(1, |heard| frame.since(heard));
        self.heard = Some(frame);
        self.heard_dbm = Some(rssi_dbm);
        self.last_good = now;
        self.next_answer = now + OWN_CLOCK;
        let segment = self.channel.heard(frame, burst).segment;
        let told = match segment {
            Some(segment) => {
                let outputs = self.lapc.segment(now, segment);
                self.carry(outputs)
            }
            None => vec![],
        };
        let good = reception == Reception::Good;
        Some(Down {
            missing: if gap <= MAX_GAP { (gap - 1) as u32 } else { 0 },
            b_field: burst.b_field.filter(|_| good),
            answer: self.answer(frame),
            told,
        })
    }

    fn answer(&mut self, frame: FrameNumber) -> Option<FrameNumber> {
        if !frame.is_after(self.answered) {
            return None;
        }
        self.answered = frame;
        Some(frame)
    }

    /// The frame to answer in by our own clock, if it is time.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<FrameNumber> {
        if now < self.next_answer {
            return None;
        }
        let late = now - self.next_answer > HELD_UP;
        let from = if late { now } else { self.next_answer };
        self.next_answer = from + FRAME;
        self.answer(self.answered.next())
    }

    /// The burst that answers frame `frame`.
    pub(crate) fn uplink(&mut self, frame: FrameNumber, b_field: Option<BField>) -> Burst {
        Burst {
            ct: self.channel.outgoing(frame),
            expected: self.channel.expected(),
            b_field,
            ciphered: false,
            heard_dbm: self.heard_dbm,
        }
    }

    /// Lets time pass for the link.
    pub(crate) fn deadline(&mut self, now: Instant) -> Vec<Told> {
        if now >= self.last_good + T201 {
            return vec![Told::Failed];
        }
        // While the C-channel still carries the frame, a repetition would only queue behind it.
        if self.channel.waiting() > 0 {
            return vec![];
        }
        let outputs = self.lapc.deadline(now);
        self.carry(outputs)
    }

    /// When [`Self::tick`] or [`Self::deadline`] is wanted.
    pub(crate) fn next_deadline(&self) -> Instant {
        let lost = self.last_good + T201;
        let link = self
            .lapc
            .next_deadline()
            .filter(|_| self.channel.waiting() == 0);
        self.next_answer.min(lost).min(link.unwrap_or(lost))
    }

    /// Whether all that was sent has arrived.
    pub(crate) fn is_idle(&self) -> bool {
        self.lapc.is_idle() && self.channel.waiting() == 0
    }

    /// Newest frame that was answered: what goes up beside bursts carries it.
    pub(crate) const fn frame(&self) -> FrameNumber {
        self.answered
    }

    fn carry(&mut self, outputs: Vec<Output>) -> Vec<Told> {
        let mut told = Vec::new();
        for output in outputs {
            match output {
                Output::Transmit(octets) => self.channel.push_frame(&octets),
                Output::Deliver(message) => told.push(Told::Message(message)),
                Output::Failed => told.push(Told::Failed),
                Output::Established | Output::AllSent => {}
            }
        }
        told
    }
}
