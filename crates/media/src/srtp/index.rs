//! Packet indices: rollover counters, replay windows, and a bounded table of them by SSRC (RFC 3711 sections 3.3).

use smallvec::SmallVec;

/// Greatest index of an RTP packet: 48 bits.
pub(super) const MAX_INDEX: u64 = (1 << 48) - 1;

/// SSRCs that one key is followed for. A peer that changes its SSRC at every re-INVITE needs a few; more would only
/// let whoever holds the key use up our memory.
const MAX_STREAMS: usize = 16;

/// Width of the replay window in packets.
const WINDOW: u64 = 128;

/// One SSRC: the highest index that was authenticated, and which of the 128 up to it were.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    highest: u64,
    seen: u128,
    /// Order of last use, for dropping the one that was idle longest.
    used: u64,
}

#[derive(Debug, Default)]
pub(super) struct Streams {
    table: SmallVec<[Stream; 2]>,
    uses: u64,
}

impl Streams {
    fn find(&self, ssrc: u32) -> Option<&Stream> {
        self.table.iter().find(|s| s.ssrc == ssrc)
    }

    /// Index of a received packet as RFC 3711 section 3.3.1 estimates it; `None` if it would lie before the first one.
    pub(super) fn estimate(&self, ssrc: u32, sequence: u16) -> Option<u64> {
        let Some(stream) = self.find(ssrc) else {
            return Some(u64::from(sequence));
        };
        let last = stream.highest as u16;
        // The nearest index with these low 16 bits.
        let distance = i64::from(sequence.wrapping_sub(last) as i16);
        stream
            .highest
            .checked_add_signed(distance)
            .filter(|i| *i <= MAX_INDEX)
    }

    /// Index of a packet to be sent; `None` if it does not follow the highest sent so far.
    pub(super) fn next(&self, ssrc: u32, sequence: u16) -> Option<u64> {
        let index = self.estimate(ssrc, sequence)?;
        self.find(ssrc)
            .is_none_or(|s| index > s.highest)
            .then_some(index)
    }

    /// Whether an index was not accepted before and is not older than the window.
    pub(super) fn is_new(&self, ssrc: u32, index: u64) -> bool {
        let Some(stream) = self.find(ssrc) else {
            return true;
        };
        match stream.highest.checked_sub(index) {
            None => true,
            Some(age) => age < WINDOW && stream.seen >> age & 1 == 0,
        }
    }

    /// Remembers an index that was authenticated (or sent).
    pub(super) fn accept(&mut self, ssrc: u32, index: u64) {
        self.uses += 1;
        let used = self.uses;
        if let Some(stream) = self.table.iter_mut().find(|s| s.ssrc == ssrc) {
            stream.accept(index);
            stream.used = used;
            return;
        }
        let new = Stream {
            ssrc,
            highest: index,
            seen: 1,
            used,
        };
        if self.table.len() < MAX_STREAMS {
            self.table.push(new);
        } else if let Some(idle) = self.table.iter_mut().min_by_key(|s| s.used) {
            *idle = new;
        }
    }
}

impl Stream {
    fn accept(&mut self, index: u64) {
        match index.checked_sub(self.highest) {
            Some(ahead) => {
                self.seen = if ahead < WINDOW {
                    self.seen << ahead
                } else {
                    0
                };
                self.seen |= 1;
                self.highest = index;
            }
            None => {
                self.seen |= 1u128
                    .checked_shl((self.highest - index) as u32)
                    .unwrap_or(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_rolls_over_in_both_directions() {
        let mut streams = Streams::default();
        streams.accept(1, 65_534);
        assert_eq!(streams.estimate(1, 65_535), Some(65_535));
        assert_eq!(streams.estimate(1, 0), Some(65_536));
        streams.accept(1, 65_537);
        assert_eq!(streams.estimate(1, 65_535), Some(65_535));
        assert!(streams.is_new(1, 65_535));
        assert!(!streams.is_new(1, 65_534));
    }

    #[test]
    fn a_packet_from_before_the_first_is_not_taken_for_one_of_the_far_future() {
        let mut streams = Streams::default();
        streams.accept(1, 3);
        assert_eq!(streams.estimate(1, 65_533), None);
        assert_eq!(streams.estimate(1, 1), Some(1));
    }

    #[test]
    fn the_window_is_128_wide() {
        let mut streams = Streams::default();
        for index in [1000, 1128, 1002] {
            streams.accept(1, index);
        }
        assert!(!streams.is_new(1, 1000), "too old");
        assert!(streams.is_new(1, 1001));
        assert!(!streams.is_new(1, 1002));
        assert!(!streams.is_new(1, 1128));
        streams.accept(1, 5000);
        assert!(streams.is_new(1, 4873));
        assert!(!streams.is_new(1, 4872));
    }

    #[test]
    fn an_index_is_never_sent_twice() {
        let mut streams = Streams::default();
        streams.accept(1, 10);
        assert_eq!(streams.next(1, 10), None);
        assert_eq!(streams.next(1, 9), None);
        assert_eq!(streams.next(1, 11), Some(11));
    }

    #[test]
    fn the_table_is_bounded_and_drops_the_idle_one() {
        let mut streams = Streams::default();
        for ssrc in 0..100 {
            streams.accept(0, u64::from(ssrc));
            streams.accept(ssrc, u64::from(ssrc) + 1000);
        }
        assert_eq!(streams.table.len(), MAX_STREAMS);
        assert!(streams.find(0).is_some() && streams.find(1).is_none());
    }
}
