//! The LAPC link of class A: window 1, modulus 2, the same machine on both sides.
//!
//! The first I-frame carries the new link flag and is answered by an RR with it: the link stands. A message
//! longer than 63 octets goes in several I-frames with the "more" bit. An I-frame without answer is sent again
//! after DL.07 (while establishing) or DL.04, N250 times; then the link has failed, and the MAC connection with it.
//! There is no frame for release: releasing the MAC connection is the release.
//!
//! Source: EN 300 175-4 sections 9.2, 9.3, annex A.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::frame::{Assembler, Control, Frame, MAX_INFO, Side};
use crate::mac::Segment;

/// Wait for the answer to the first frame, DL.07.
pub const DL_07: Duration = Duration::from_secs(2);
/// Wait for the answer to an I-frame, DL.04.
pub const DL_04: Duration = Duration::from_secs(2);
/// Repetitions of an I-frame, N250.
pub const N250: u8 = 3;
/// Longest message: what a peer sends beyond this is dropped.
pub const MAX_MESSAGE: usize = 1024;
/// Parts of messages that may wait to be sent.
pub const MAX_QUEUED: usize = 64;

/// What the owner of a link must now do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send these octets over the C-channel; their number is a multiple of 5.
    Transmit(Vec<u8>),
    /// The link stands.
    Established,
    /// A whole NWK message has arrived.
    Deliver(Vec<u8>),
    /// The peer has all messages given to [`Lapc::send`] so far.
    AllSent,
    /// N250 repetitions went unanswered. Release the MAC connection.
    Failed,
}

/// Why a message cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Longer than [`MAX_MESSAGE`] octets, or empty.
    #[error("a message of {0} octets cannot be sent")]
    Length(usize),
    /// Too much waits already.
    #[error("queue is full")]
    Full,
    /// The link has failed or was frozen for a handover.
    #[error("link has ended")]
    Ended,
}

/// One I-frame's worth of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// More parts of the same message follow.
    pub more: bool,
    /// 1 to 63 octets.
    pub info: SmallVec<[u8; MAX_INFO]>,
}

impl Part {
    /// As octets: one that is 1 if more parts follow, else 0, then the information.
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = vec![u8::from(self.more)];
        octets.extend_from_slice(&self.info);
        octets
    }

    /// Reads what [`Part::to_octets`] wrote; `None` if it is too long or its first octet neither 0 nor 1.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        match octets {
            [more @ (0 | 1), info @ ..] if info.len() <= MAX_INFO => Some(Self {
                more: *more == 1,
                info: SmallVec::from_slice(info),
            }),
            _ => None,
        }
    }
}

/// All that another base station needs to go on with a link: the link's variables at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// V(S), number of the next I-frame.
    pub v_s: bool,
    /// V(R), number expected next.
    pub v_r: bool,
    /// V(A), oldest number not acknowledged; differs from V(S) while a frame is under way.
    pub v_a: bool,
    /// The I-frame under way.
    pub unacked: Option<Part>,
    /// Parts received of a message that goes on.
    pub reassembly: Vec<u8>,
    /// What waits behind the frame under way.
    pub queued: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Released,
    Establishing,
    Established,
    Ended,
}

/// One side of a class A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapc {
    side: Side,
    signature: u16,
    state: State,
    v_s: bool,
    v_r: bool,
    v_a: bool,
    /// Only the peer's establishing frame has been received on this link: a second one is its repetition.
    fresh: bool,
    unacked: Option<Part>,
    queued: VecDeque<Part>,
    reassembly: Vec<u8>,
    overlong: bool,
    retries: u8,
    repeat_at: Option<Instant>,
    assembler: Assembler,
}

impl Lapc {
    /// A link that does not stand yet; `signature` is the LSIG of its PMID.
    pub fn new(side: Side, signature: u16) -> Self {
        Self {
            side,
            signature,
            state: State::Released,
            v_s: false,
            v_r: false,
            v_a: false,
            fresh: false,
            unacked: None,
            queued: VecDeque::new(),
            reassembly: Vec::new(),
            overlong: false,
            retries: 0,
            repeat_at: None,
            assembler: Assembler::new(),
        }
    }

    /// Goes on with a link from another base station, over a new C-channel: what is under way is sent again at once.
    pub fn resume(
        now: Instant,
        side: Side,
        signature: u16,
        context: Context,
    ) -> (Self, Vec<Output>) {
        let Context {
            v_s,
            v_r,
            v_a: _,
            unacked,
            reassembly,
            queued,
        } = context;
        let mut link = Self::new(side, signature);
        // V(A) follows from the rest, so that variables that disagree do no harm.
        let v_a = if unacked.is_some() { !v_s } else { v_s };
        (link.v_s, link.v_r, link.v_a) = (v_s, v_r, v_a);
        link.state = State::Established;
        (link.unacked, link.reassembly, link.queued) = (unacked, reassembly, queued.into());
        let mut out = Vec::new();
        if link.unacked.is_some() {
            link.transmit_unacked(now, &mut out);
        } else {
            link.send_next(now, &mut out);
        }
        (link, out)
    }

    /// Freezes the link and hands out its variables. Nothing is sent or delivered afterwards.
    pub fn take_context(&mut self) -> Context {
        self.end();
        Context {
            v_s: self.v_s,
            v_r: self.v_r,
            v_a: self.v_a,
            unacked: self.unacked.take(),
            reassembly: std::mem::take(&mut self.reassembly),
            queued: self.queued.drain(..).collect(),
        }
    }

    /// Whether the first frame was answered, by either side.
    pub fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// Whether nothing waits to be sent or acknowledged.
    pub fn is_idle(&self) -> bool {
        self.unacked.is_none() && self.queued.is_empty()
    }

    /// When [`Lapc::deadline`] wants to be called, if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.repeat_at
    }

    /// Takes a NWK message to be sent, and establishes the link if it does not stand.
    ///
    /// # Errors
    /// [`SendError`]; nothing of the message was taken then.
    pub fn send(&mut self, now: Instant, message: &[u8]) -> Result<Vec<Output>, SendError> {
        if self.state == State::Ended {
            return Err(SendError::Ended);
        }
        if message.is_empty() || message.len() > MAX_MESSAGE {
            return Err(SendError::Length(message.len()));
        }
        let parts = message.len().div_ceil(MAX_INFO);
        if self.queued.len() + parts > MAX_QUEUED {
            return Err(SendError::Full);
        }
        for (i, info) in message.chunks(MAX_INFO).enumerate() {
            self.queued.push_back(Part {
                more: i + 1 < parts,
                info: SmallVec::from_slice(info),
            });
        }
        let mut out = Vec::new();
        self.send_next(now, &mut out);
        Ok(out)
    }

    /// Takes in a segment from the C-channel.
    pub fn segment(&mut self, now: Instant, segment: Segment) -> Vec<Output> {
        let frame = self
            .assembler
            .push(segment, self.side.peer(), self.signature);
        frame.map_or_else(Vec::new, |frame| self.frame(now, frame))
    }

    /// Takes in a frame.
    pub fn frame(&mut self, now: Instant, frame: Frame) -> Vec<Output> {
        let mut out = Vec::new();
        if self.state == State::Ended {
            return out;
        }
        match frame.control {
            Control::Information { n_r, n_s } => {
                self.information(frame.new_link, n_s, frame.more, &frame.info, &mut out);
                self.acknowledged(now, n_r, &mut out);
            }
            Control::ReceiveReady { n_r } | Control::ReceiveNotReady { n_r } => {
                self.acknowledged(now, n_r, &mut out)
            }
            Control::Reject { n_r } => {
                self.acknowledged(now, n_r, &mut out);
                if self.unacked.is_some() && n_r == self.v_a {
                    self.transmit_unacked(now, &mut out);
                }
            }
        }
        out
    }

    /// Lets time pass: repeats the frame under way, or gives up.
    pub fn deadline(&mut self, now: Instant) -> Vec<Output> {
        let mut out = Vec::new();
        if self.repeat_at.is_none_or(|at| now < at) {
            return out;
        }
        if self.retries >= N250 {
            self.end();
            out.push(Output::Failed);
        } else {
            self.retries += 1;
            self.transmit_unacked(now, &mut out);
        }
        out
    }

    fn end(&mut self) {
        self.state = State::Ended;
        self.repeat_at = None;
    }

    fn information(
        &mut self,
        new_link: bool,
        n_s: bool,
        more: bool,
        info: &[u8],
        out: &mut Vec<Output>,
    ) {
        if new_link && !n_s {
            self.establish(out);
        } else if self.state != State::Established && self.state != State::Establishing {
            // A frame of a link that we do not know: its sender finds out by N250.
            return;
        }
        if n_s == self.v_r {
            self.fresh = new_link;
            self.v_r = !self.v_r;
            self.collect(more, info, out);
        }
        self.answer(new_link, out);
    }

    /// The peer's establishing frame. Its repetition changes nothing; a new one starts the link anew.
    fn establish(&mut self, out: &mut Vec<Output>) {
        if self.fresh {
            return;
        }
        self.v_r = false;
        self.reassembly.clear();
        if self.state == State::Established {
            // The peer began anew, so what it had of us is gone with its old link.
            (self.v_s, self.v_a) = (false, false);
            self.unacked = None;
            self.queued.clear();
            self.repeat_at = None;
        }
        if self.state != State::Establishing {
            self.state = State::Established;
            out.push(Output::Established);
        }
    }

    fn collect(&mut self, more: bool, info: &[u8], out: &mut Vec<Output>) {
        self.overlong |= self.reassembly.len() + info.len() > MAX_MESSAGE;
        if !self.overlong {
            self.reassembly.extend_from_slice(info);
        }
        if more {
            return;
        }
        let message = std::mem::take(&mut self.reassembly);
        if std::mem::take(&mut self.overlong) {
            tracing::debug!(limit = MAX_MESSAGE, "overlong message dropped");
        } else if !message.is_empty() {
            out.push(Output::Deliver(message));
        }
    }

    fn answer(&self, new_link: bool, out: &mut Vec<Output>) {
        let ready = Frame {
            new_link,
            command: false,
            control: Control::ReceiveReady { n_r: self.v_r },
            more: false,
            info: SmallVec::new(),
        };
        out.push(Output::Transmit(ready.encode(self.side, self.signature)));
    }

    fn acknowledged(&mut self, now: Instant, n_r: bool, out: &mut Vec<Output>) {
        if self.unacked.is_none() || n_r != self.v_s {
            return;
        }
        self.v_a = n_r;
        self.unacked = None;
        self.retries = 0;
        self.repeat_at = None;
        if self.state == State::Establishing {
            self.state = State::Established;
            out.push(Output::Established);
        }
        if self.queued.is_empty() {
            out.push(Output::AllSent);
        }
        self.send_next(now, out);
    }

    fn send_next(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.unacked.is_some() || self.state == State::Ended {
            return;
        }
        let Some(part) = self.queued.pop_front() else {
            return;
        };
        if self.state == State::Released {
            self.state = State::Establishing;
        }
        self.unacked = Some(part);
        self.v_s = !self.v_s;
        self.transmit_unacked(now, out);
    }

    fn transmit_unacked(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Some(part) = &self.unacked else { return };
        let establishing = self.state == State::Establishing;
        let frame = Frame {
            new_link: establishing,
            command: true,
            control: Control::Information {
                n_r: self.v_r,
                n_s: self.v_a,
            },
            more: part.more,
            info: part.info.clone(),
        };
        self.repeat_at = Some(now + if establishing { DL_07 } else { DL_04 });
        out.push(Output::Transmit(frame.encode(self.side, self.signature)));
    }
}

pub(super) fn fuzz_lapc(data: &[u8], now: Instant) {
    for side in [Side::Portable, Side::Fixed] {
        let mut link = Lapc::new(side, 0);
        for chunk in data.chunks_exact(5) {
            let segment = chunk.try_into().expect("chunks of five");
            link.segment(now, segment);
        }
        let _ = Part::from_octets(data);
    }
}

#[cfg(test)]
mod tests;
