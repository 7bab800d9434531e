//! What an ear heard, and how it measures.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ipdect_portable::ear::{self, Tone};
use ipdect_portable::speech::{EarCounters, FRAME_SAMPLES, Frame};

/// Length of one frame.
const FRAME: Duration = Duration::from_millis(10);
/// Frames of the window that is shown live: half a second.
const SHOWN: usize = 50;
/// Longest recording: five minutes of frames.
const LONGEST: usize = 30_000;
/// From here on a frame counts as speech that arrived.
const ONSET_DBM0: f64 = -40.0;

/// The last half second, for display.
#[derive(Debug, Default)]
pub(crate) struct Window {
    frames: VecDeque<Frame>,
}

impl Window {
    pub(crate) fn push(&mut self, frame: Frame) {
        if self.frames.len() == SHOWN {
            self.frames.pop_front();
        }
        self.frames.push_back(frame);
    }

    pub(crate) fn clear(&mut self) {
        self.frames.clear();
    }

    /// Level in dBm0 and strongest frequency in Hz; -100 and 0 for silence.
    pub(crate) fn measure(&self) -> (f64, f64) {
        let samples: Vec<i16> = self.frames.iter().flatten().copied().collect();
        let hz = ear::tone(&samples).map_or(0.0, |tone| tone.frequency_hz);
        (ear::level_dbm0(&samples), hz)
    }
}

/// Everything heard since the recording began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    frames: Vec<(Instant, Frame)>,
    /// Counters of the ear when the recording began, and now.
    pub(crate) from: EarCounters,
    pub(crate) to: EarCounters,
}

impl Recording {
    pub(crate) fn begin(counters: EarCounters) -> Self {
        Self {
            frames: Vec::new(),
            from: counters,
            to: counters,
        }
    }

    pub(crate) fn push(&mut self, at: Instant, frame: Frame) {
        if self.frames.len() < LONGEST {
            self.frames.push((at, frame));
        }
    }

    /// When speech was first heard at or after `said`; good to a frame of 10 ms.
    pub(crate) fn onset(&self, said: Instant) -> Option<Instant> {
        self.frames
            .iter()
            .filter(|(at, _)| *at >= said)
            .find(|(_, frame)| ear::level_dbm0(frame) > ONSET_DBM0)
            // The frame was taken when its last sample had come.
            .map(|(at, _)| at.checked_sub(FRAME).unwrap_or(*at).max(said))
    }

    /// The tone heard from `from` on, `most` at the longest.
    pub(crate) fn tone(&self, from: Instant, most: Duration) -> Option<Tone> {
        let count = (most.as_millis() / FRAME.as_millis()) as usize;
        let samples: Vec<i16> = self
            .frames
            .iter()
            .filter(|(at, _)| *at >= from)
            .take(count)
            .flat_map(|(_, frame)| frame)
            .copied()
            .collect();
        debug_assert!(samples.len().is_multiple_of(FRAME_SAMPLES));
        ear::tone(&samples)
    }

    /// Frames that were due, and those of them that were silent for want of speech.
    pub(crate) fn frames(&self) -> (u64, u64, u64) {
        let due = self.to.frames.saturating_sub(self.from.frames);
        let missing = |c: EarCounters| c.bad + c.lost;
        let lost = missing(self.to).saturating_sub(missing(self.from));
        let muted = self.to.muted.saturating_sub(self.from.muted);
        (due, lost, muted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, first: usize) -> Frame {
        let peak = ear::amplitude(-10.0);
        std::array::from_fn(|n| {
            let at = (first * FRAME_SAMPLES + n) as f64;
            (peak * (std::f64::consts::TAU * hz * at / 8000.0).sin()) as i16
        })
    }

    #[test]
    fn a_tone_is_measured_from_its_onset() {
        let begin = Instant::now();
        let mut recording = Recording::begin(EarCounters::default());
        for n in 0..100u32 {
            let frame = if n < 10 {
                [0; FRAME_SAMPLES]
            } else {
                tone(1000.0, n as usize)
            };
            recording.push(begin + FRAME * n, frame);
        }
        let onset = recording.onset(begin).unwrap();
        assert_eq!(onset, begin + FRAME * 9);
        let heard = recording
            .tone(begin + FRAME * 10, Duration::from_secs(9))
            .unwrap();
        assert!((heard.frequency_hz - 1000.0).abs() < 0.5, "{heard:?}");
        assert!((heard.level_dbm0 + 10.0).abs() < 0.1, "{heard:?}");
        assert_eq!(recording.onset(begin + FRAME * 100), None);
    }

    #[test]
    fn the_window_shows_the_last_half_second() {
        let mut window = Window::default();
        assert_eq!(window.measure(), (-100.0, 0.0));
        (0..SHOWN).for_each(|_| window.push([0; FRAME_SAMPLES]));
        (0..SHOWN).for_each(|n| window.push(tone(700.0, n)));
        let (level, hz) = window.measure();
        assert!(
            (level + 10.0).abs() < 0.2 && (hz - 700.0).abs() < 1.0,
            "{level} {hz}"
        );
    }

    #[test]
    fn counters_are_those_of_the_recording_only() {
        let counters = |frames, bad, lost| EarCounters {
            frames,
            bad,
            lost,
            muted: bad + lost,
            overrun: 0,
        };
        let mut recording = Recording::begin(counters(100, 5, 1));
        recording.to = counters(400, 6, 3);
        assert_eq!(recording.frames(), (300, 3, 3));
    }
}
