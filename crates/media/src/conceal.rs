//! Packet loss concealment for speech at 8 kHz: the waveform of the last pitch period goes on and fades.
//!
//! The method of ITU-T G.711 appendix I, without its delay: the period is made to join its own beginning, so that
//! nothing of the past has to be held back for the overlap.

/// Samples of the past that are kept: two of the longest pitch periods and a half.
const HISTORY: usize = 320;
/// Pitch periods looked for, in samples: 200 down to 66 Hz.
const SHORTEST: usize = 40;
const LONGEST: usize = 120;
/// Samples compared at each candidate.
const COMPARED: usize = 160;
/// Samples over which two waveforms are blended.
const OVERLAP: usize = 32;
/// Samples at full level before the fade begins: 10 ms.
const FULL: usize = 80;
/// Samples of the fade: silence after 60 ms.
const FADE: usize = 400;

/// Conceals the losses of one stream of samples.
#[derive(Debug, Clone)]
pub struct Concealer {
    history: [i16; HISTORY],
    period: [i16; LONGEST],
    length: usize,
    /// Samples made up since the last good one.
    made: usize,
}

impl Default for Concealer {
    fn default() -> Concealer {
        Concealer {
            history: [0; HISTORY],
            period: [0; LONGEST],
            length: SHORTEST,
            made: 0,
        }
    }
}

impl Concealer {
    /// Takes good samples: remembers them, and blends the first ones with what was made up before them.
    pub fn good(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            let blended = samples.len().min(OVERLAP);
            for (n, sample) in samples[..blended].iter_mut().enumerate() {
                *sample = blend(self.next(), *sample, n, blended);
            }
            self.made = 0;
        }
        self.remember(samples);
    }

    /// Fills in for lost samples.
    pub fn lost(&mut self, samples: &mut [i16]) {
        if self.made == 0 {
            self.find_period();
        }
        for sample in samples.iter_mut() {
            *sample = self.next();
        }
        self.remember(samples);
    }

    fn remember(&mut self, samples: &[i16]) {
        let kept = samples.len().min(HISTORY);
        self.history.copy_within(kept.., 0);
        self.history[HISTORY - kept..].copy_from_slice(&samples[samples.len() - kept..]);
    }

    fn next(&mut self) -> i16 {
        let sample = i32::from(self.period[self.made % self.length]);
        let faded = self.made.saturating_sub(FULL).min(FADE);
        self.made += 1;
        (sample * (FADE - faded) as i32 / FADE as i32) as i16
    }

    /// Takes the last period of the past, its end blended into what came before its beginning.
    fn find_period(&mut self) {
        self.length = (SHORTEST..=LONGEST)
            .map(|lag| (lag, self.likeness(lag)))
            .fold((SHORTEST, f32::MIN), |best, now| {
                if now.1 > best.1 { now } else { best }
            })
            .0;
        let start = HISTORY - self.length;
        self.period[..self.length].copy_from_slice(&self.history[start..]);
        let overlap = OVERLAP.min(self.length / 4);
        for n in 0..overlap {
            let at = self.length - overlap + n;
            let before = self.history[start - overlap + n];
            self.period[at] = blend(self.period[at], before, n, overlap);
        }
    }

    /// Normalised correlation of the last samples with those one lag earlier.
    fn likeness(&self, lag: usize) -> f32 {
        let recent = &self.history[HISTORY - COMPARED..];
        let earlier = &self.history[HISTORY - COMPARED - lag..HISTORY - lag];
        let (mut product, mut energy) = (0.0f32, 1.0f32);
        for (a, b) in recent.iter().zip(earlier) {
            let (a, b) = (f32::from(*a), f32::from(*b));
            product += a * b;
            energy += b * b;
        }
        product / energy.sqrt()
    }
}

fn blend(from: i16, to: i16, step: usize, steps: usize) -> i16 {
    let (step, steps) = (step as i32 + 1, steps as i32 + 1);
    ((i32::from(from) * (steps - step) + i32::from(to) * step) / steps) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    fn sine(frequency: f64, from: usize, samples: usize) -> Vec<i16> {
        let peak = meter::amplitude(-10.0);
        (from..from + samples)
            .map(|n| (peak * (std::f64::consts::TAU * frequency * n as f64 / 8000.0).sin()) as i16)
            .collect()
    }

    /// A tone in which every tenth frame of 10 ms is lost and concealed.
    fn concealed(frequency: f64, with: bool) -> Vec<i16> {
        let mut concealer = Concealer::default();
        let mut out = vec![];
        for frame in 0..200 {
            let mut samples = sine(frequency, frame * 80, 80);
            match (frame % 10 == 5, with) {
                (false, _) => concealer.good(&mut samples),
                (true, true) => concealer.lost(&mut samples),
                (true, false) => samples.fill(0),
            }
            out.extend(samples);
        }
        out
    }

    #[test]
    fn a_concealed_tone_is_much_cleaner_than_one_with_holes() {
        for frequency in [150.0, 200.0, 425.0, 1000.0] {
            let whole = |samples: &[i16]| {
                let clean = sine(frequency, 0, samples.len());
                let error: f64 = (samples.iter().zip(&clean))
                    .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                    .sum();
                error.sqrt()
            };
            let (better, worse) = (concealed(frequency, true), concealed(frequency, false));
            assert!(whole(&better) * 2.0 < whole(&worse), "{frequency}");
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence_within_60_ms() {
        let mut concealer = Concealer::default();
        concealer.good(&mut sine(200.0, 0, 400));
        let mut lost = vec![0; 800];
        concealer.lost(&mut lost);
        let first = meter::level_dbm0(&lost[..80]);
        assert!((first + 10.0).abs() < 1.5, "{first}");
        assert!(lost[480..].iter().all(|s| *s == 0));
    }

    #[test]
    fn the_return_of_speech_is_blended_in() {
        let mut concealer = Concealer::default();
        concealer.good(&mut sine(200.0, 0, 400));
        concealer.lost(&mut [0; 80]);
        let mut back = vec![0; 80];
        concealer.good(&mut back);
        assert!(back[OVERLAP..].iter().all(|s| *s == 0));
        assert!(back[..8].iter().any(|s| *s != 0));
    }

    #[test]
    fn loss_before_any_speech_is_silence() {
        let mut out = [7; 160];
        Concealer::default().lost(&mut out);
        assert_eq!(out, [0; 160]);
    }
}
