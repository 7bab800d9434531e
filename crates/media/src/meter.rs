//! Measures a tone: frequency, level and signal-to-noise ratio, as `--check` and the tests need them.
//!
//! The window is cut into blocks of 50 ms, a sine is fitted to each by least squares, and the medians are reported. So a
//! concealed frame or a slip of the playout buffer spoils a block, not the measurement; spoilt blocks are counted.

use std::f64::consts::{SQRT_2, TAU};

/// Level of a full-scale sine in dBm0 (ITU-T G.711 section 4, A-law).
#[allow(clippy::approx_constant)] // A level, by chance near pi.
pub const FULL_SCALE_DBM0: f64 = 3.14;

/// Samples of a block: 50 ms at 8 kHz.
const BLOCK: usize = 400;
/// Blocks weaker than this are silence and carry no tone.
const SILENCE_DBM0: f64 = -60.0;
/// A block with a lower ratio than this counts as spoilt.
const SPOILT_SNR_DB: f64 = 10.0;

/// What a tone measured as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    /// Frequency in Hz, good to 1 Hz for tones between 200 and 3600 Hz.
    pub frequency_hz: f64,
    /// Level of the fitted sine in dBm0; a full-scale sine is +3.14.
    pub level_dbm0: f64,
    /// Power of the sine over the power of everything else, in dB; median of all blocks.
    pub snr_db: f64,
    /// Blocks of 50 ms that were measured.
    pub blocks: usize,
    /// Blocks that were silent or had an SNR under 10 dB: gaps, slips and bursts of noise.
    pub spoilt_blocks: usize,
}

/// Measures the strongest tone in a window of samples at 8 kHz.
///
/// Answers `None` if there are fewer than 400 samples, or if most of them are silent (under -60 dBm0).
#[must_use]
pub fn tone(samples: &[i16]) -> Option<Tone> {
    let fits: Vec<Fit> = samples.chunks_exact(BLOCK).map(fit).collect();
    let heard: Vec<&Fit> = fits
        .iter()
        .filter(|f| f.level_dbm0() > SILENCE_DBM0)
        .collect();
    if heard.is_empty() || heard.len() * 2 < fits.len() {
        return None;
    }
    Some(Tone {
        frequency_hz: median(heard.iter().map(|f| f.frequency_hz)),
        level_dbm0: median(heard.iter().map(|f| f.level_dbm0())),
        snr_db: median(heard.iter().map(|f| f.snr_db())),
        blocks: fits.len(),
        spoilt_blocks: fits.len() - heard.iter().filter(|f| f.snr_db() >= SPOILT_SNR_DB).count(),
    })
}

/// Level of whatever is in the window, in dBm0: its power compared with that of a full-scale sine.
///
/// Silence and an empty window are -100.
#[must_use]
pub fn level_dbm0(samples: &[i16]) -> f64 {
    let energy: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    dbm0((energy / samples.len().max(1) as f64).sqrt() * SQRT_2)
}

/// Peak amplitude of a sine of that level, in 16-bit units.
#[must_use]
pub fn amplitude(level_dbm0: f64) -> f64 {
    32_768.0 * 10f64.powf((level_dbm0 - FULL_SCALE_DBM0) / 20.0)
}

fn dbm0(amplitude: f64) -> f64 {
    (20.0 * (amplitude.max(1e-9) / 32_768.0).log10() + FULL_SCALE_DBM0).max(-100.0)
}

/// The sine that fits a block best.
struct Fit {
    frequency_hz: f64,
    amplitude: f64,
    noise_power: f64,
}

impl Fit {
    fn level_dbm0(&self) -> f64 {
        dbm0(self.amplitude)
    }

    fn snr_db(&self) -> f64 {
        let signal = self.amplitude.powi(2) / 2.0;
        10.0 * (signal / self.noise_power.max(1e-3)).log10()
    }
}

fn fit(block: &[i16]) -> Fit {
    let mean = block.iter().map(|s| f64::from(*s)).sum::<f64>() / block.len() as f64;
    let centred: Vec<f64> = block.iter().map(|s| f64::from(*s) - mean).collect();
    let mut omega = refine(&centred, coarse(&centred));
    // Three rounds bring the error far below 0.1 Hz; a fourth changes nothing.
    for _ in 0..3 {
        let (a, b) = projection(&centred, omega);
        omega += correction(&centred, omega, a, b);
    }
    let (a, b) = projection(&centred, omega);
    let residual: f64 = (centred.iter().enumerate())
        .map(|(n, x)| {
            let (sin, cos) = (omega * n as f64).sin_cos();
            (x - a * cos - b * sin).powi(2)
        })
        .sum();
    Fit {
        frequency_hz: omega / TAU * 8000.0,
        amplitude: a.hypot(b),
        noise_power: residual / centred.len() as f64,
    }
}

/// The strongest of the frequencies 20 Hz apart, in radians a sample.
fn coarse(block: &[f64]) -> f64 {
    strongest(
        block,
        (5..199).map(|bin| TAU * f64::from(bin) / BLOCK as f64),
    )
}

/// The strongest of those around `near`, 2.5 Hz apart: close enough for the linear step that follows.
fn refine(block: &[f64], near: f64) -> f64 {
    let step = TAU / (8.0 * BLOCK as f64);
    strongest(block, (-8..=8).map(|k| near + f64::from(k) * step))
}

fn strongest(block: &[f64], candidates: impl Iterator<Item = f64>) -> f64 {
    candidates
        .map(|omega| (omega, power(block, omega)))
        .fold(
            (0.1, -1.0),
            |best, now| if now.1 > best.1 { now } else { best },
        )
        .0
}

/// Goertzel's recurrence with a Hann window, which keeps strong neighbours out.
fn power(block: &[f64], omega: f64) -> f64 {
    let coefficient = 2.0 * omega.cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for (n, x) in block.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * n as f64 / block.len() as f64).cos();
        let s0 = x * window + coefficient * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    s1 * s1 + s2 * s2 - coefficient * s1 * s2
}

/// Amplitudes of cosine and sine at a known frequency, by least squares.
fn projection(block: &[f64], omega: f64) -> (f64, f64) {
    let (mut cc, mut ss, mut cs, mut xc, mut xs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, x) in block.iter().enumerate() {
        let (sin, cos) = (omega * n as f64).sin_cos();
        cc += cos * cos;
        ss += sin * sin;
        cs += sin * cos;
        xc += x * cos;
        xs += x * sin;
    }
    let determinant = cc * ss - cs * cs;
    if determinant.abs() < 1e-9 {
        return (0.0, 0.0);
    }
    (
        (xc * ss - xs * cs) / determinant,
        (xs * cc - xc * cs) / determinant,
    )
}

/// One Gauss-Newton step in frequency: amplitudes and frequency together, then only the frequency is kept.
fn correction(block: &[f64], omega: f64, a: f64, b: f64) -> f64 {
    let mut normal = [[0.0; 3]; 3];
    let mut right = [0.0; 3];
    for (n, x) in block.iter().enumerate() {
        let n = n as f64;
        let (sin, cos) = (omega * n).sin_cos();
        let row = [cos, sin, n * (b * cos - a * sin)];
        let rest = x - a * cos - b * sin;
        for (i, left) in row.iter().enumerate() {
            right[i] += left * rest;
            for (j, other) in row.iter().enumerate() {
                normal[i][j] += left * other;
            }
        }
    }
    // A step of more than half a bin would leave the peak.
    let limit = TAU / (2.0 * BLOCK as f64);
    third_unknown(normal, right)
        .unwrap_or(0.0)
        .clamp(-limit, limit)
}

/// The last unknown of three equations, by Cramer's rule.
fn third_unknown(m: [[f64; 3]; 3], r: [f64; 3]) -> Option<f64> {
    let determinant = |c: [[f64; 3]; 3]| {
        c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1])
            - c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0])
            + c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0])
    };
    let whole = determinant(m);
    let mut replaced = m;
    for (row, value) in replaced.iter_mut().zip(r) {
        row[2] = value;
    }
    (whole.abs() > 1e-6).then(|| determinant(replaced) / whole)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(frequency_hz: f64, level: f64, samples: usize) -> Vec<i16> {
        let peak = amplitude(level);
        (0..samples)
            .map(|n| (peak * (TAU * frequency_hz * n as f64 / 8000.0).sin()).round() as i16)
            .collect()
    }

    #[test]
    fn pure_tones_measure_as_made() {
        for frequency in [200.0, 425.0, 700.0, 1000.0, 1004.3, 2100.0, 3399.0] {
            for level in [-40.0, -20.0, -10.0, 0.0] {
                let heard = tone(&sine(frequency, level, 8000)).unwrap();
                assert!(
                    (heard.frequency_hz - frequency).abs() < 0.1,
                    "{frequency}: {heard:?}"
                );
                assert!((heard.level_dbm0 - level).abs() < 0.1, "{level}: {heard:?}");
                assert!(heard.snr_db > 35.0, "{heard:?}");
                assert_eq!(heard.spoilt_blocks, 0);
            }
        }
    }

    #[test]
    fn noise_shows_in_the_ratio_not_in_the_frequency() {
        let mut samples = sine(1000.0, -10.0, 16_000);
        let mut seed = 1u32;
        for sample in &mut samples {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Uniform noise of +-1000 has a power of 1000^2/3.
            *sample += ((seed >> 16) as i32 % 1001 - 500) as i16 * 2;
        }
        let heard = tone(&samples).unwrap();
        let expected = 10.0 * (amplitude(-10.0).powi(2) / 2.0 / (1000f64.powi(2) / 3.0)).log10();
        assert!((heard.frequency_hz - 1000.0).abs() < 1.0, "{heard:?}");
        assert!(
            (heard.snr_db - expected).abs() < 1.5,
            "{heard:?}, expected {expected}"
        );
    }

    #[test]
    fn a_gap_spoils_its_blocks_only() {
        let mut samples = sine(700.0, -10.0, 24_000);
        samples[12_000..12_400].fill(0);
        let heard = tone(&samples).unwrap();
        assert!((heard.frequency_hz - 700.0).abs() < 0.1);
        assert_eq!((heard.blocks, heard.spoilt_blocks), (60, 1));
    }

    #[test]
    fn silence_and_short_windows_have_no_tone() {
        assert_eq!(tone(&[0; 8000]), None);
        assert_eq!(tone(&sine(1000.0, 0.0, 399)), None);
        assert_eq!(level_dbm0(&[]), -100.0);
    }

    #[test]
    fn a_full_scale_sine_is_3_14_dbm0() {
        assert!((level_dbm0(&sine(1000.0, 3.13, 8000)) - 3.13).abs() < 0.01);
    }
}
