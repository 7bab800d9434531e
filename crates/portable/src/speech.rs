//! Mouth and ear of a portable: sources of speech, G.726 both ways, muting, counters.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use ipdect_dect::mac::{B_FIELD_OCTETS, BField};
use ipdect_media::codec::SAMPLE_RATE_HZ;
use ipdect_media::codec::g726::{Decoder, Encoder, Packing, Rate};
use ipdect_media::meter::amplitude;

/// Samples of a frame: 10 ms at 8 kHz.
pub const FRAME_SAMPLES: usize = 80;
/// Frames that wait to be taken from the ear; older ones are dropped.
const EAR_FRAMES: usize = 100;
/// Samples that wait to be spoken live: 200 ms; older ones are dropped.
const LIVE_SAMPLES: usize = 1600;

/// One frame of 16-bit linear samples at 8 kHz.
pub type Frame = [i16; FRAME_SAMPLES];

/// What the user says.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Source {
    /// Nothing.
    #[default]
    Silence,
    /// A sine.
    Tone {
        /// Frequency in Hz.
        hz: f64,
        /// Level in dBm0; a full-scale sine is +3.14.
        level_dbm0: f64,
    },
    /// These samples once, at 8 kHz; then silence.
    Samples(Vec<i16>),
    /// What [`Portable::speak`](crate::Portable::speak) is given; silence where that is late.
    Live,
}

/// Speech on its way to the air.
#[derive(Debug)]
pub(crate) struct Mouth {
    source: Source,
    /// Samples said so far of the source.
    said: usize,
    live: VecDeque<i16>,
    encoder: Encoder,
}

impl Mouth {
    pub(crate) fn new() -> Self {
        Self {
            source: Source::Silence,
            said: 0,
            live: VecDeque::new(),
            encoder: Encoder::new(Rate::R32),
        }
    }

    /// Begins to say something else.
    pub(crate) fn set(&mut self, source: Source) {
        self.source = source;
        self.said = 0;
        self.live.clear();
    }

    /// Lends samples for a live source.
    pub(crate) fn speak(&mut self, samples: &[i16]) {
        self.live.extend(samples);
        let excess = self.live.len().saturating_sub(LIVE_SAMPLES);
        self.live.drain(..excess);
    }

    /// The next frame, coded; silence if the microphone is off.
    pub(crate) fn next(&mut self, microphone: bool) -> BField {
        let mut frame = [0; FRAME_SAMPLES];
        if microphone {
            self.fill(&mut frame);
        }
        let mut octets = [0; B_FIELD_OCTETS];
        Packing::Aal2.encode(&mut self.encoder, &frame, &mut octets);
        octets
    }

    fn fill(&mut self, frame: &mut Frame) {
        match &self.source {
            Source::Silence => {}
            &Source::Tone { hz, level_dbm0 } => {
                let (peak, omega) = (amplitude(level_dbm0), TAU * hz / f64::from(SAMPLE_RATE_HZ));
                for (sample, at) in frame.iter_mut().zip(self.said..) {
                    *sample = (peak * (omega * at as f64).sin()).round() as i16;
                }
            }
            Source::Samples(samples) => {
                let rest = samples.get(self.said..).unwrap_or_default();
                let count = rest.len().min(FRAME_SAMPLES);
                frame[..count].copy_from_slice(&rest[..count]);
            }
            Source::Live => {
                let count = self.live.len().min(FRAME_SAMPLES);
                for (sample, live) in frame.iter_mut().zip(self.live.drain(..count)) {
                    *sample = live;
                }
            }
        }
        self.said += FRAME_SAMPLES;
    }
}

/// What became of the frames that were due at the ear since the receive path was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EarCounters {
    /// Frames of 10 ms.
    pub frames: u64,
    /// Frames that came with a bad B-field, or without one.
    pub bad: u64,
    /// Frames whose burst never came.
    pub lost: u64,
    /// Frames made silent: bad and lost ones.
    pub muted: u64,
    /// Frames that the host did not take in time.
    pub overrun: u64,
}

/// Speech on its way from the air.
#[derive(Debug)]
pub(crate) struct Ear {
    decoder: Decoder,
    heard: VecDeque<Frame>,
    counters: EarCounters,
}

impl Ear {
    pub(crate) fn new() -> Self {
        Self {
            decoder: Decoder::new(Rate::R32),
            heard: VecDeque::new(),
            counters: EarCounters::default(),
        }
    }

    /// Counters since the receive path was opened.
    pub(crate) const fn counters(&self) -> EarCounters {
        self.counters
    }

    /// A frame that came; `None`: bad or empty, so it is muted.
    pub(crate) fn hear(&mut self, b_field: Option<&BField>) {
        let mut frame = [0; FRAME_SAMPLES];
        match b_field {
            Some(octets) => {
                Packing::Aal2.decode(&mut self.decoder, octets, &mut frame);
            }
            None => {
                self.counters.bad += 1;
                self.counters.muted += 1;
            }
        }
        self.push(frame);
    }

    /// Frames that did not come.
    pub(crate) fn miss(&mut self, frames: u32) {
        for _ in 0..frames {
            self.counters.lost += 1;
            self.counters.muted += 1;
            self.push([0; FRAME_SAMPLES]);
        }
    }

    fn push(&mut self, frame: Frame) {
        self.counters.frames += 1;
        if self.heard.len() == EAR_FRAMES {
            self.heard.pop_front();
            self.counters.overrun += 1;
        }
        self.heard.push_back(frame);
    }

    pub(crate) fn take(&mut self) -> Option<Frame> {
        self.heard.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_media::meter;

    fn heard(mouth: &mut Mouth, frames: usize) -> Vec<i16> {
        let mut ear = Ear::new();
        let mut samples = Vec::new();
        for _ in 0..frames {
            ear.hear(Some(&mouth.next(true)));
            samples.extend(ear.take().unwrap());
        }
        samples
    }

    #[test]
    fn a_tone_passes_mouth_air_and_ear() {
        let mut mouth = Mouth::new();
        mouth.set(Source::Tone {
            hz: 1000.0,
            level_dbm0: -10.0,
        });
        let tone = meter::tone(&heard(&mut mouth, 100)[800..]).unwrap();
        assert!((tone.frequency_hz - 1000.0).abs() < 1.0, "{tone:?}");
        assert!((tone.level_dbm0 + 10.0).abs() < 0.5, "{tone:?}");
        assert!(tone.snr_db > 25.0, "{tone:?}");
    }

    #[test]
    fn samples_are_said_once_and_live_ones_as_they_come() {
        let mut mouth = Mouth::new();
        mouth.set(Source::Samples(vec![8000; 100]));
        let mut frame = [0; FRAME_SAMPLES];
        mouth.fill(&mut frame);
        assert_eq!(frame, [8000; FRAME_SAMPLES]);
        frame = [0; FRAME_SAMPLES];
        mouth.fill(&mut frame);
        assert_eq!((frame[19], frame[20]), (8000, 0));
        mouth.set(Source::Live);
        mouth.speak(&[5; 40]);
        frame = [0; FRAME_SAMPLES];
        mouth.fill(&mut frame);
        assert_eq!((frame[39], frame[40]), (5, 0));
        mouth.speak(&vec![6; 10_000]);
        assert_eq!(mouth.live.len(), LIVE_SAMPLES);
    }

    #[test]
    fn with_the_microphone_off_nothing_is_heard() {
        let mut mouth = Mouth::new();
        mouth.set(Source::Tone {
            hz: 1000.0,
            level_dbm0: 0.0,
        });
        let mut ear = Ear::new();
        for _ in 0..10 {
            ear.hear(Some(&mouth.next(false)));
        }
        let last = (0..10).filter_map(|_| ear.take()).next_back().unwrap();
        assert!(last.iter().all(|sample| sample.abs() < 32));
    }

    #[test]
    fn what_is_missing_is_muted_and_counted() {
        let mut ear = Ear::new();
        ear.hear(None);
        ear.miss(2);
        let expected = EarCounters {
            frames: 3,
            bad: 1,
            lost: 2,
            muted: 3,
            overrun: 0,
        };
        assert_eq!(ear.counters(), expected);
        ear.miss(200);
        assert_eq!(ear.counters().overrun, 103);
    }
}
