//! The C-channel: an ordered, reliable stream of CT segments in each direction, the same on both sides.
//!
//! A segment goes in odd frames only, carries one number bit, and is repeated until the other side's
//! "next expected" bit moves past it. So at most 8 segments (40 octets) a multiframe of 160 ms, as in
//! EN 300 175-3 section 10.8.1 (C_S).

use std::collections::VecDeque;

use super::air::{Burst, Ct};
use super::{FrameNumber, SEGMENT_OCTETS, Segment};

/// What one burst did to the C-channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// A new segment from the other side.
    pub segment: Option<Segment>,
    /// The other side took our oldest segment.
    pub taken: bool,
}

/// Both directions of the C-channel of one MAC connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CChannel {
    waiting: VecDeque<Segment>,
    number: bool,
    on_air: bool,
    expected: bool,
    last_heard: Option<FrameNumber>,
}

impl CChannel {
    /// A C-channel that has carried nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one segment to those to send.
    pub fn push(&mut self, segment: Segment) {
        self.waiting.push_back(segment);
    }

    /// Adds a DLC frame, cut into segments; a rest shorter than a segment is filled with `F0`.
    pub fn push_frame(&mut self, frame: &[u8]) {
        for chunk in frame.chunks(SEGMENT_OCTETS) {
            let mut segment = [0xF0; SEGMENT_OCTETS];
            segment[..chunk.len()].copy_from_slice(chunk);
            self.push(segment);
        }
    }

    /// Segments not yet taken by the other side.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The bit to send in each burst: number of the segment next expected.
    pub fn expected(&self) -> bool {
        self.expected
    }

    /// The segment to send in a frame, if it is an odd one and something waits.
    pub fn outgoing(&mut self, frame: FrameNumber) -> Option<Ct> {
        if !frame.is_odd() {
            return None;
        }
        let segment = *self.waiting.front()?;
        self.on_air = true;
        Some(Ct {
            number: self.number,
            segment,
        })
    }

    /// Takes in a burst of the other side. One that is not newer than the last is ignored: its bits are stale.
    pub fn heard(&mut self, frame: FrameNumber, burst: &Burst) -> Heard {
        if self.last_heard.is_some_and(|last| !frame.is_after(last)) {
            return Heard::default();
        }
        self.last_heard = Some(frame);
        Heard {
            taken: self.acknowledged(burst.expected),
            segment: burst.ct.and_then(|ct| self.received(ct)),
        }
    }

    fn acknowledged(&mut self, expected_there: bool) -> bool {
        // A bit that moves before anything was sent says nothing.
        if !self.on_air || expected_there == self.number {
            return false;
        }
        self.waiting.pop_front();
        self.number = !self.number;
        self.on_air = false;
        true
    }

    fn received(&mut self, ct: Ct) -> Option<Segment> {
        if ct.number != self.expected {
            return None;
        }
        self.expected = !self.expected;
        Some(ct.segment)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    fn burst(channel: &mut CChannel, frame: FrameNumber) -> Burst {
        Burst {
            ct: channel.outgoing(frame),
            expected: channel.expected(),
            b_field: None,
            ciphered: false,
            heard_dbm: None,
        }
    }

    /// Runs frames down and up, each burst lost with a chance of `loss` in 256.
    fn exchange(
        a: &mut CChannel,
        b: &mut CChannel,
        frames: u32,
        loss: u32,
    ) -> (Vec<Segment>, Vec<Segment>, u32) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut at_a, mut at_b, mut taken) = (Vec::new(), Vec::new(), 0);
        for frame in (0..frames).map(FrameNumber::new) {
            let down = burst(a, frame);
            if rng.next_u32() % 256 >= loss {
                at_b.extend(b.heard(frame, &down).segment);
            }
            let up = burst(b, frame);
            if rng.next_u32() % 256 >= loss {
                let heard = a.heard(frame, &up);
                at_a.extend(heard.segment);
                taken += u32::from(heard.taken);
            }
        }
        (at_a, at_b, taken)
    }

    #[test]
    fn a_multiframe_carries_eight_segments() {
        let (mut a, mut b) = (CChannel::new(), CChannel::new());
        a.push_frame(&[7; 100]);
        let (_, at_b, taken) = exchange(&mut a, &mut b, 16, 0);
        assert_eq!((at_b.len(), taken, a.waiting()), (8, 8, 12));
    }

    #[test]
    fn segments_arrive_once_and_in_order_whatever_is_lost() {
        let (mut a, mut b) = (CChannel::new(), CChannel::new());
        let down: Vec<Segment> = (0..40).map(|i| [i; 5]).collect();
        let up: Vec<Segment> = (100..140).map(|i| [i; 5]).collect();
        down.iter().for_each(|s| a.push(*s));
        up.iter().for_each(|s| b.push(*s));
        let (at_a, at_b, taken) = exchange(&mut a, &mut b, 2000, 128);
        assert_eq!((at_a, at_b, taken), (up, down, 40));
        assert_eq!((a.waiting(), b.waiting()), (0, 0));
    }

    #[test]
    fn nothing_goes_in_even_frames() {
        let mut a = CChannel::new();
        a.push([1; 5]);
        assert_eq!(a.outgoing(FrameNumber::new(2)), None);
        assert_eq!(
            a.outgoing(FrameNumber::new(3)),
            Some(Ct {
                number: false,
                segment: [1; 5]
            })
        );
    }

    #[test]
    fn a_stale_burst_changes_nothing() {
        let mut a = CChannel::new();
        a.push([1; 5]);
        a.push([2; 5]);
        let says = |expected| Burst {
            ct: None,
            expected,
            b_field: None,
            ciphered: false,
            heard_dbm: None,
        };
        a.outgoing(FrameNumber::new(1));
        assert!(a.heard(FrameNumber::new(2), &says(true)).taken);
        a.outgoing(FrameNumber::new(3));
        // Sent before the one above, delivered after it: its bit would acknowledge the second segment.
        assert!(!a.heard(FrameNumber::new(1), &says(false)).taken);
        assert_eq!(a.waiting(), 1);
    }

    #[test]
    fn a_bit_that_moves_before_anything_was_sent_is_ignored() {
        let mut a = CChannel::new();
        a.push([1; 5]);
        let says = Burst {
            ct: None,
            expected: true,
            b_field: None,
            ciphered: false,
            heard_dbm: None,
        };
        assert!(!a.heard(FrameNumber::new(1), &says).taken);
        assert_eq!(a.waiting(), 1);
    }
}
