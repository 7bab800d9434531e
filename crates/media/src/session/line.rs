//! The time line of what a leg sends: one rising timestamp, whoever speaks.

use std::time::Instant;

use super::types::LegId;

/// Timestamps of a relayed stream further from the clock than this (4 s) mean that its sender started anew.
const MAX_DRIFT: i32 = 4 * 8000;

/// Who speaks on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// The stream of another leg, by its source.
    Relay(LegId, u32),
    /// Tones and events of our own.
    Own,
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    epoch: Instant,
    voice: Option<Voice>,
    /// What is added to the timestamps of a relayed stream.
    offset: u32,
    /// Timestamp after what was sent last.
    end: u32,
}

/// Timestamp of a packet, and whether it begins a talkspurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) timestamp: u32,
    pub(super) marker: bool,
}

impl Line {
    pub(super) fn new(now: Instant) -> Line {
        Line {
            epoch: now,
            voice: None,
            offset: 0,
            end: 0,
        }
    }

    /// The line's clock: samples since it began.
    pub(super) fn clock(&self, now: Instant) -> u32 {
        // Wraps after six days, as RTP timestamps do.
        (now.saturating_duration_since(self.epoch).as_micros() * 8 / 1000) as u32
    }

    /// Stamps a packet of another leg: keeps its timestamps, moved by a constant.
    pub(super) fn relay(
        &mut self,
        now: Instant,
        from: (LegId, u32),
        timestamp: u32,
        samples: u32,
    ) -> Stamp {
        let voice = Voice::Relay(from.0, from.1);
        let clock = self.clock(now);
        let moved = timestamp.wrapping_add(self.offset);
        let drift = moved.wrapping_sub(clock) as i32;
        let anew = self.voice != Some(voice) || drift.abs() > MAX_DRIFT;
        let stamp = if anew { self.later_of(clock) } else { moved };
        if anew {
            self.offset = stamp.wrapping_sub(timestamp);
        }
        self.take(voice, stamp, samples, anew)
    }

    /// Stamps a packet of our own: it follows the last one of our own, or begins now.
    pub(super) fn own(&mut self, now: Instant, samples: u32) -> Stamp {
        let anew = self.voice != Some(Voice::Own);
        let stamp = if anew {
            self.later_of(self.clock(now))
        } else {
            self.end
        };
        self.take(Voice::Own, stamp, samples, anew)
    }

    fn take(&mut self, voice: Voice, timestamp: u32, samples: u32, marker: bool) -> Stamp {
        self.voice = Some(voice);
        self.end = timestamp.wrapping_add(samples);
        Stamp { timestamp, marker }
    }

    /// A new voice never begins before the old one ended.
    fn later_of(&self, clock: u32) -> u32 {
        if (clock.wrapping_sub(self.end) as i32) < 0 {
            self.end
        } else {
            clock
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::t0;
    use std::time::Duration;

    #[test]
    fn timestamps_of_a_stream_are_kept_and_voices_follow_one_another() {
        let start = t0();
        let at = |ms| start + Duration::from_millis(ms);
        let mut line = Line::new(start);
        let stamp = |timestamp, marker| Stamp { timestamp, marker };
        assert_eq!(line.own(at(100), 160), stamp(800, true));
        assert_eq!(line.own(at(125), 160), stamp(960, false));
        // A relayed stream begins at the clock, and keeps its own distances however late a packet is.
        assert_eq!(line.relay(at(200), (1, 7), 50_000, 160), stamp(1600, true));
        assert_eq!(line.relay(at(290), (1, 7), 50_160, 160), stamp(1760, false));
        assert_eq!(line.relay(at(291), (1, 7), 50_480, 160), stamp(2080, false));
        // Another source begins anew, not before the end of what was sent.
        assert_eq!(line.relay(at(270), (1, 8), 9, 160), stamp(2240, true));
        // So does one whose timestamps jump.
        assert_eq!(line.relay(at(400), (1, 8), 900_000, 160), stamp(3200, true));
    }
}
