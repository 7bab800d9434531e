//! Tones: a pure oscillator, and the call progress tones of several countries.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::codec::SAMPLE_RATE_HZ;
use crate::meter::amplitude;

/// A sine of constant frequency and level.
///
/// A rotating phasor: two multiplications a sample, and no drift in level because it is set right now and then.
#[derive(Debug, Clone)]
pub struct Oscillator {
    cos: f64,
    sin: f64,
    step: (f64, f64),
    peak: f64,
}

impl Oscillator {
    /// A sine of `frequency_hz` (0 to 4000) at `level_dbm0`; a full-scale sine is +3.14 dBm0.
    #[must_use]
    pub fn new(frequency_hz: f64, level_dbm0: f64) -> Oscillator {
        let angle = TAU * frequency_hz / f64::from(SAMPLE_RATE_HZ);
        Oscillator {
            cos: 1.0,
            sin: 0.0,
            step: angle.sin_cos(),
            peak: amplitude(level_dbm0),
        }
    }

    /// The same, as if it had sounded for that many samples already.
    #[must_use]
    pub fn starting(frequency_hz: f64, level_dbm0: f64, passed: usize) -> Oscillator {
        let mut oscillator = Oscillator::new(frequency_hz, level_dbm0);
        let angle = TAU * frequency_hz * passed as f64 / f64::from(SAMPLE_RATE_HZ);
        (oscillator.sin, oscillator.cos) = angle.sin_cos();
        oscillator
    }

    /// Adds the next samples to what is there, clipping.
    pub fn add(&mut self, samples: &mut [i16]) {
        for sample in samples.iter_mut() {
            let value = (self.peak * self.sin).round() as i32 + i32::from(*sample);
            *sample = value.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
            let (s, c) = self.step;
            (self.cos, self.sin) = (self.cos * c - self.sin * s, self.sin * c + self.cos * s);
        }
        let length = self.cos.hypot(self.sin);
        (self.cos, self.sin) = (self.cos / length, self.sin / length);
    }

    /// Writes the next samples.
    pub fn fill(&mut self, samples: &mut [i16]) {
        samples.fill(0);
        self.add(samples);
    }
}

/// The call progress tones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Dial tone.
    Dial,
    /// Ring-back tone: the far end rings.
    RingBack,
    /// Busy tone.
    Busy,
    /// Congestion, reorder or number unobtainable.
    Congestion,
    /// What was asked for is done.
    Confirm,
    /// What was asked for is not done.
    NegativeAck,
    /// Another call waits.
    CallWaiting,
    /// Special information tone: the number is not in use.
    Intercept,
}

/// A country whose tones are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Region {
    /// Germany and whoever follows ETSI TR 101 041: 425 Hz throughout.
    #[default]
    Germany,
    /// Austria.
    Austria,
    /// Spain.
    Spain,
    /// France.
    France,
    /// United Kingdom.
    UnitedKingdom,
    /// Italy.
    Italy,
    /// Netherlands.
    Netherlands,
    /// United States and Canada.
    NorthAmerica,
}

impl Region {
    /// The region of an ISO 3166 alpha-2 code; unknown and empty ones are Germany's.
    #[must_use]
    pub fn from_code(code: &str) -> Region {
        match code.to_ascii_uppercase().as_str() {
            "AT" => Region::Austria,
            "ES" => Region::Spain,
            "FR" => Region::France,
            "GB" | "UK" | "IE" => Region::UnitedKingdom,
            "IT" => Region::Italy,
            "NL" => Region::Netherlands,
            "US" | "CA" => Region::NorthAmerica,
            _ => Region::Germany,
        }
    }
}

/// A stretch of a cadence: two frequencies in Hz (0: none) and its length in ms (0: for ever).
type Stretch = (u16, u16, u16);

/// Special information tone of ITU-T E.180: three rising tones and a pause.
const SPECIAL: &[Stretch] = &[(950, 0, 330), (1400, 0, 330), (1800, 0, 330), (0, 0, 1000)];

/// Cadence of a tone (ITU-T E.180 supplement 2 and the national specifications); it repeats.
fn cadence(tone: Tone, region: Region) -> &'static [Stretch] {
    use Region::{Austria, France, Italy, NorthAmerica, Spain, UnitedKingdom};
    match (tone, region) {
        (Tone::Dial, NorthAmerica | UnitedKingdom) => &[(350, 440, 0)],
        (Tone::Dial, France) => &[(440, 0, 0)],
        (Tone::Dial, Austria) => &[(420, 0, 0)],
        (Tone::Dial, Italy) => &[(425, 0, 200), (0, 0, 200), (425, 0, 600), (0, 0, 1000)],
        (Tone::Dial, _) => &[(425, 0, 0)],

        (Tone::RingBack, NorthAmerica) => &[(440, 480, 2000), (0, 0, 4000)],
        (Tone::RingBack, UnitedKingdom) => {
            &[(400, 450, 400), (0, 0, 200), (400, 450, 400), (0, 0, 2000)]
        }
        (Tone::RingBack, France) => &[(440, 0, 1500), (0, 0, 3500)],
        (Tone::RingBack, Austria) => &[(420, 0, 1000), (0, 0, 5000)],
        (Tone::RingBack, Spain) => &[(425, 0, 1500), (0, 0, 3000)],
        (Tone::RingBack, _) => &[(425, 0, 1000), (0, 0, 4000)],

        (Tone::Busy, NorthAmerica) => &[(480, 620, 500), (0, 0, 500)],
        (Tone::Busy, UnitedKingdom) => &[(400, 0, 375), (0, 0, 375)],
        (Tone::Busy, France) => &[(440, 0, 500), (0, 0, 500)],
        (Tone::Busy, Austria) => &[(420, 0, 400), (0, 0, 400)],
        (Tone::Busy, Spain) => &[(425, 0, 200), (0, 0, 200)],
        (Tone::Busy, _) => &[(425, 0, 480), (0, 0, 480)],

        (Tone::Congestion, NorthAmerica) => &[(480, 620, 250), (0, 0, 250)],
        (Tone::Congestion, UnitedKingdom) => {
            &[(400, 0, 400), (0, 0, 350), (400, 0, 225), (0, 0, 525)]
        }
        (Tone::Congestion, France) => &[(440, 0, 250), (0, 0, 250)],
        (Tone::Congestion, Austria) => &[(420, 0, 200), (0, 0, 200)],
        (Tone::Congestion, Italy) => &[(425, 0, 200), (0, 0, 200)],
        (Tone::Congestion, _) => &[(425, 0, 240), (0, 0, 240)],

        (Tone::Confirm, NorthAmerica) => &[(350, 440, 100), (0, 0, 100)],
        (Tone::Confirm, UnitedKingdom) => &[(1400, 0, 0)],
        (Tone::Confirm, _) => &[(425, 0, 100), (0, 0, 100)],

        (Tone::NegativeAck, NorthAmerica) => &[(480, 620, 250), (0, 0, 250)],
        (Tone::NegativeAck, _) => &[(425, 0, 500), (0, 0, 50), (425, 0, 50), (0, 0, 50)],

        (Tone::CallWaiting, NorthAmerica | France) => &[(440, 0, 300), (0, 0, 10_000)],
        (Tone::CallWaiting, UnitedKingdom) => &[(400, 0, 100), (0, 0, 3000)],
        (Tone::CallWaiting, _) => &[(425, 0, 200), (0, 0, 200), (425, 0, 200), (0, 0, 5000)],

        (Tone::Intercept, UnitedKingdom) => &[(400, 0, 0)],
        (Tone::Intercept, _) => SPECIAL,
    }
}

/// Plays a call progress tone, from its beginning and for as long as it is asked.
#[derive(Debug, Clone)]
pub struct Player {
    tone: Tone,
    cadence: &'static [Stretch],
    at: usize,
    /// Samples left of this stretch; `None`: it never ends.
    left: Option<usize>,
    voices: [Option<Oscillator>; 2],
    level_dbm0: f64,
}

impl Player {
    /// A tone at that level: of the whole, so each of two frequencies is 3 dB below it.
    #[must_use]
    pub fn new(tone: Tone, region: Region, level_dbm0: f64) -> Player {
        let mut player = Player {
            tone,
            cadence: cadence(tone, region),
            at: 0,
            left: None,
            voices: [None, None],
            level_dbm0,
        };
        player.begin(0);
        player
    }

    /// Which tone it is.
    #[must_use]
    pub fn tone(&self) -> Tone {
        self.tone
    }

    /// Writes the next samples.
    pub fn fill(&mut self, samples: &mut [i16]) {
        samples.fill(0);
        let mut rest = samples;
        while !rest.is_empty() {
            let take = self.left.unwrap_or(rest.len()).min(rest.len());
            let (now, later) = rest.split_at_mut(take);
            self.voices
                .iter_mut()
                .flatten()
                .for_each(|voice| voice.add(now));
            rest = later;
            if let Some(left) = &mut self.left {
                *left -= take;
                if *left == 0 {
                    self.begin((self.at + 1) % self.cadence.len());
                }
            }
        }
    }

    fn begin(&mut self, at: usize) {
        let (first, second, ms) = self.cadence[at];
        let each = if second > 0 {
            self.level_dbm0 - 3.01
        } else {
            self.level_dbm0
        };
        let voice = |hz: u16| (hz > 0).then(|| Oscillator::new(f64::from(hz), each));
        self.at = at;
        self.left = (ms > 0).then(|| samples_of(Duration::from_millis(ms.into())));
        self.voices = [voice(first), voice(second)];
    }
}

/// Samples of a duration at 8 kHz.
#[must_use]
pub fn samples_of(duration: Duration) -> usize {
    (duration.as_micros() * u128::from(SAMPLE_RATE_HZ) / 1_000_000) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    fn play(tone: Tone, region: Region, seconds: usize) -> Vec<i16> {
        let mut player = Player::new(tone, region, -13.0);
        let mut out = vec![0; 8000 * seconds];
        out.chunks_mut(160).for_each(|frame| player.fill(frame));
        out
    }

    #[test]
    fn the_oscillator_holds_frequency_and_level_for_an_hour() {
        let mut oscillator = Oscillator::new(1000.0, -10.0);
        let mut frame = [0; 8000];
        for _ in 0..3600 {
            oscillator.fill(&mut frame);
        }
        let heard = meter::tone(&frame).unwrap();
        assert!((heard.frequency_hz - 1000.0).abs() < 0.01, "{heard:?}");
        assert!((heard.level_dbm0 + 10.0).abs() < 0.01, "{heard:?}");
    }

    #[test]
    fn dial_tones_are_those_of_the_country() {
        let german = meter::tone(&play(Tone::Dial, Region::Germany, 2)).unwrap();
        assert!(
            (german.frequency_hz - 425.0).abs() < 0.1 && (german.level_dbm0 + 13.0).abs() < 0.1
        );
        let american = meter::level_dbm0(&play(Tone::Dial, Region::NorthAmerica, 2));
        assert!((american + 13.0).abs() < 0.2, "{american}");
    }

    #[test]
    fn cadences_have_their_lengths_and_repeat() {
        let samples = play(Tone::RingBack, Region::Germany, 10);
        let loud = |s: usize| meter::level_dbm0(&samples[8000 * s..8000 * (s + 1)]) > -20.0;
        let heard: Vec<bool> = (0..10).map(loud).collect();
        assert_eq!(
            heard,
            [
                true, false, false, false, false, true, false, false, false, false
            ]
        );
        let busy = play(Tone::Busy, Region::Germany, 4);
        let on = busy
            .chunks(80)
            .filter(|c| meter::level_dbm0(c) > -20.0)
            .count();
        assert_eq!(on, 4 * 48 + 16);
    }

    #[test]
    fn every_tone_of_every_region_makes_a_sound() {
        use Region::*;
        let tones = [
            Tone::Dial,
            Tone::RingBack,
            Tone::Busy,
            Tone::Congestion,
            Tone::Confirm,
            Tone::NegativeAck,
            Tone::CallWaiting,
            Tone::Intercept,
        ];
        let regions = [
            Germany,
            Austria,
            Spain,
            France,
            UnitedKingdom,
            Italy,
            Netherlands,
            NorthAmerica,
        ];
        for tone in tones {
            for region in regions {
                let samples = play(tone, region, 1);
                assert!(meter::level_dbm0(&samples) > -30.0, "{tone:?} {region:?}");
            }
        }
    }

    #[test]
    fn codes_name_regions_and_unknown_ones_are_german() {
        assert_eq!(Region::from_code("gb"), Region::UnitedKingdom);
        assert_eq!(Region::from_code("US"), Region::NorthAmerica);
        assert_eq!(Region::from_code(""), Region::Germany);
        assert_eq!(Region::from_code("XX"), Region::Germany);
    }
}
