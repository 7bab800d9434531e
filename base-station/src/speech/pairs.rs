//! Puts the B-fields of two frames together to one packet, in order, whatever the air lost.

use ipdect_dect::mac::{B_FIELD_OCTETS, BField, FrameNumber};
use ipdect_media::jitter::FILLER;
use ipdect_media::rtp::AirMark;

use crate::radio::Field;

/// Frames after its end at which an incomplete pair is sent.
const PATIENCE_FRAMES: i32 = 3;
/// Pairs that may be under way at once.
const SLOTS: usize = 4;
/// Beyond this distance the frame numbers have jumped.
const JUMP_FRAMES: i32 = 2 * SLOTS as i32;

/// Two frames of speech, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    /// The first of its stream.
    pub(super) first: bool,
    /// Frames since the first pair of the stream.
    pub(super) offset_frames: u32,
    /// Both B-fields, bad ones as filler.
    pub(super) payload: [BField; 2],
    /// What the air did to them.
    pub(super) mark: AirMark,
}

/// Pairs under way.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    slots: [[Option<Field>; 2]; SLOTS],
    /// First frame of the stream, and of the pair to be sent next; both even.
    start: Option<FrameNumber>,
    next: FrameNumber,
    sent_any: bool,
    rssi_dbm: i8,
}

impl Pairs {
    /// Takes in the B-field of one frame. One that comes after its pair was sent is left out.
    pub(super) fn put(&mut self, frame: FrameNumber, field: Field, rssi_dbm: i8) {
        let pair = FrameNumber::new(frame.value() & !1);
        if self.start.is_none() {
            // The stream begins with the first burst that carries speech.
            if field == Field::Absent {
                return;
            }
            self.start = Some(pair);
            self.next = pair;
        }
        if pair.since(self.next) >= JUMP_FRAMES {
            self.slots = Default::default();
            self.next = pair;
        }
        if pair.since(self.next) < 0 {
            return;
        }
        self.rssi_dbm = rssi_dbm;
        self.slots[slot(pair)][usize::from(frame.is_odd())] = Some(field);
    }

    /// The next pair, if both halves are in.
    pub(super) fn complete(&mut self) -> Option<Pair> {
        self.start?;
        loop {
            let [Some(_), Some(_)] = self.slots[slot(self.next)] else {
                return None;
            };
            let pair = self.take();
            if pair.is_some() {
                return pair;
            }
        }
    }

    /// The next pair, if it should have been complete some frames before `now`.
    pub(super) fn overdue(&mut self, now: FrameNumber) -> Option<Pair> {
        self.start?;
        if now.since(self.next) > JUMP_FRAMES + PATIENCE_FRAMES {
            self.slots = Default::default();
            self.next = FrameNumber::new(now.value() & !1);
            return None;
        }
        while now.since(self.next) > PATIENCE_FRAMES + 1 {
            let pair = self.take();
            if pair.is_some() {
                return pair;
            }
        }
        None
    }

    /// Takes the next pair out; none if the portable sent no speech in either half.
    fn take(&mut self) -> Option<Pair> {
        let halves = std::mem::take(&mut self.slots[slot(self.next)]);
        let frame = self.next;
        self.next = frame.plus(2);
        if halves == [Some(Field::Absent); 2] {
            return None;
        }
        let octets = |half: Option<Field>| match half {
            Some(Field::Good(octets)) => (octets, false),
            _ => ([FILLER; B_FIELD_OCTETS], true),
        };
        let [(first, first_bad), (second, second_bad)] = halves.map(octets);
        Some(Pair {
            first: !std::mem::replace(&mut self.sent_any, true),
            offset_frames: frame.since(self.start?) as u32,
            payload: [first, second],
            mark: AirMark {
                first_bad,
                second_bad,
                ciphered: false,
                rssi_minus_dbm: self.rssi_dbm.unsigned_abs(),
                frame: frame.value(),
            },
        })
    }
}

fn slot(pair: FrameNumber) -> usize {
    pair.value() as usize / 2 % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u32) -> FrameNumber {
        FrameNumber::new(number)
    }

    fn good(octet: u8) -> Field {
        Field::Good([octet; 40])
    }

    fn marks(pair: &Pair) -> (u32, bool, bool) {
        (
            pair.offset_frames,
            pair.mark.first_bad,
            pair.mark.second_bad,
        )
    }

    #[test]
    fn a_pair_goes_when_its_odd_frame_is_in() {
        let mut pairs = Pairs::default();
        pairs.put(frame(100), good(1), -60);
        assert_eq!(pairs.complete(), None);
        pairs.put(frame(101), good(2), -61);
        let pair = pairs.complete().unwrap();
        assert_eq!((pair.first, marks(&pair)), (true, (0, false, false)));
        assert_eq!(
            (pair.payload, pair.mark.frame, pair.mark.rssi_minus_dbm),
            ([[1; 40], [2; 40]], 100, 61)
        );
        assert_eq!(pairs.complete(), None);
    }

    #[test]
    fn what_the_air_lost_is_sent_as_marked_filler_a_little_late() {
        let mut pairs = Pairs::default();
        pairs.put(frame(100), good(1), -60);
        pairs.put(frame(101), Field::Bad, -60);
        assert_eq!(marks(&pairs.complete().unwrap()), (0, false, true));
        // 102 and 103 are lost, 104 is there, 105 is lost.
        pairs.put(frame(104), good(5), -60);
        assert_eq!(pairs.overdue(frame(106)), None);
        let pair = pairs.overdue(frame(107)).unwrap();
        assert_eq!(
            (marks(&pair), pair.payload),
            ((2, true, true), [[FILLER; 40]; 2])
        );
        assert_eq!(pairs.overdue(frame(108)), None);
        assert_eq!(marks(&pairs.overdue(frame(109)).unwrap()), (4, false, true));
    }

    #[test]
    fn frames_out_of_order_come_out_in_order() {
        let mut pairs = Pairs::default();
        for (number, octet) in [(100, 1), (102, 3), (103, 4)] {
            pairs.put(frame(number), good(octet), -60);
        }
        assert_eq!(pairs.complete(), None);
        pairs.put(frame(101), good(2), -60);
        let sent: Vec<_> = std::iter::from_fn(|| pairs.complete())
            .map(|p| p.payload)
            .collect();
        assert_eq!(sent, [[[1; 40], [2; 40]], [[3; 40], [4; 40]]]);
        // Too late: its pair is gone.
        pairs.put(frame(101), good(9), -60);
        assert_eq!(pairs.complete(), None);
    }

    #[test]
    fn a_silent_portable_makes_no_packets() {
        let mut pairs = Pairs::default();
        for number in 100..110 {
            pairs.put(frame(number), Field::Absent, -60);
            assert_eq!(
                (pairs.complete(), pairs.overdue(frame(number))),
                (None, None)
            );
        }
        pairs.put(frame(110), good(1), -60);
        pairs.put(frame(111), good(2), -60);
        assert!(pairs.complete().unwrap().first);
        for number in 112..116 {
            pairs.put(frame(number), Field::Absent, -60);
        }
        assert_eq!(pairs.complete(), None);
        pairs.put(frame(116), good(1), -60);
        pairs.put(frame(117), good(2), -60);
        assert_eq!(pairs.complete().unwrap().offset_frames, 6);
    }

    #[test]
    fn after_a_jump_the_stream_goes_on_with_its_timestamps() {
        let mut pairs = Pairs::default();
        pairs.put(frame(100), good(1), -60);
        pairs.put(frame(150), good(2), -60);
        pairs.put(frame(151), good(3), -60);
        assert_eq!(pairs.complete().unwrap().offset_frames, 50);
        assert_eq!(pairs.overdue(frame(300)), None);
        pairs.put(frame(300), good(2), -60);
        pairs.put(frame(301), good(3), -60);
        assert_eq!(pairs.complete().unwrap().offset_frames, 200);
    }
}
