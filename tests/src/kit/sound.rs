//! Tones in WAV files: made for one side to play, measured in what the other side recorded.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use ipdect_media::meter::{self, Tone};

/// Samples a second everywhere here.
pub const RATE_HZ: u32 = 8000;
/// Samples over which loudness is judged when gaps are looked for: 2.5 ms holds two periods of 1000 Hz.
const GRAIN: usize = 20;
/// Grains of silence that part two calls: 0.5 s.
const PAUSE: usize = 200;
/// Grains left out at both ends of a stretch: 0.3 s.
const EDGE: usize = 120;
/// Grains that a stretch has at least: 1 s.
const SHORTEST: usize = 400;
/// Quieter than this is a gap.
const GAP_DBM0: f64 = -45.0;

/// Writes a sine into a WAV file: 8 kHz, mono, 16 bit.
///
/// # Errors
/// If the file cannot be written.
pub fn write_tone(file: &Path, frequency_hz: f64, level_dbm0: f64, seconds: u32) -> Result<()> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut writer = WavWriter::create(file, spec).with_context(|| file.display().to_string())?;
    let (peak, omega) = (
        meter::amplitude(level_dbm0),
        std::f64::consts::TAU * frequency_hz / f64::from(RATE_HZ),
    );
    for n in 0..seconds * RATE_HZ {
        writer.write_sample((peak * (omega * f64::from(n)).sin()).round() as i16)?;
    }
    writer.finalize()?;
    Ok(())
}

/// Reads a WAV file: its first channel, brought to 8 kHz.
///
/// A file that its program did not close properly is read as far as it goes.
///
/// # Errors
/// If it is no 16-bit PCM, or its rate is no multiple of 8 kHz.
pub fn read(file: &Path) -> Result<Vec<i16>> {
    let name = || file.display().to_string();
    let octets = mended(std::fs::read(file).with_context(name)?);
    let mut reader = WavReader::new(octets.as_slice()).with_context(name)?;
    let spec = reader.spec();
    ensure!(
        spec.bits_per_sample == 16 && spec.sample_rate % RATE_HZ == 0,
        "{}: {spec:?} is not read here",
        name()
    );
    let every = (spec.sample_rate / RATE_HZ) as usize * usize::from(spec.channels);
    let samples = reader.samples::<i16>().step_by(every);
    Ok(samples.map_while(Result::ok).collect())
}

/// The files of a folder whose names are wanted, in the order of their names.
///
/// # Errors
/// If the folder cannot be read.
pub fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Measures recordings one after the other; one without sound counts for nothing.
///
/// # Errors
/// If one cannot be read, or no one has sound.
pub fn measure_each(files: &[PathBuf]) -> Result<Vec<Heard>> {
    let mut heard = Vec::new();
    for file in files {
        heard.extend(measure(&read(file)?).unwrap_or_default());
    }
    ensure!(!heard.is_empty(), "no sound of a second in {files:?}");
    Ok(heard)
}

/// Sets the sizes of a WAV file to what is there: recorders that were killed leave them at 0.
fn mended(mut octets: Vec<u8>) -> Vec<u8> {
    let Some(data) = octets.windows(4).position(|w| w == b"data") else {
        return octets;
    };
    let rest = u32::try_from(octets.len().saturating_sub(data + 8)).unwrap_or(u32::MAX) & !1;
    let whole = u32::try_from(octets.len().saturating_sub(8)).unwrap_or(u32::MAX);
    if let Some(field) = octets.get_mut(data + 4..data + 8) {
        let said = u32::from_le_bytes(field.try_into().expect("four octets"));
        if said == 0 || said > rest {
            field.copy_from_slice(&rest.to_le_bytes());
            octets[4..8].copy_from_slice(&whole.to_le_bytes());
        }
    }
    octets
}

/// What was heard in one stretch of sound.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// The tone, measured in the whole of the stretch.
    pub tone: Tone,
    /// Where it begins in its recording, seconds.
    pub begins_s: f64,
    /// Its length, seconds.
    pub seconds: f64,
    /// Longest silence in it, milliseconds.
    pub longest_gap_ms: f64,
}

/// Measures a recording: one stretch of sound for each call. A silence of 0.5 s parts two stretches; their first and last 0.3 s are left
/// out, and so are those that are shorter than a second.
///
/// # Errors
/// If a stretch has no tone, or there is none.
pub fn measure(samples: &[i16]) -> Result<Vec<Heard>> {
    let loud: Vec<bool> = samples.chunks_exact(GRAIN).map(is_loud).collect();
    let whole = stretches(&loud).into_iter().filter(|s| s.len() > SHORTEST);
    let heard = whole.map(|s| stretch(samples, &loud, s.start + EDGE..s.end - EDGE));
    let heard: Vec<Heard> = heard.collect::<Result<_>>()?;
    ensure!(
        !heard.is_empty(),
        "no sound of a second in {} ms",
        samples.len() / 8
    );
    Ok(heard)
}

fn stretch(samples: &[i16], loud: &[bool], grains: Range<usize>) -> Result<Heard> {
    let part = &samples[grains.start * GRAIN..grains.end * GRAIN];
    Ok(Heard {
        tone: meter::tone(part).context("no tone")?,
        begins_s: (grains.start * GRAIN) as f64 / f64::from(RATE_HZ),
        seconds: part.len() as f64 / f64::from(RATE_HZ),
        longest_gap_ms: (longest_silence(&loud[grains]) * GRAIN) as f64 / 8.0,
    })
}

/// Where there is sound, with silences of less than [`PAUSE`] in it.
fn stretches(loud: &[bool]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in loud.iter().enumerate().filter(|(_, l)| **l) {
        match found.last_mut() {
            Some(last) if at < last.end + PAUSE => last.end = at + 1,
            _ => found.push(at..at + 1),
        }
    }
    found
}

fn is_loud(grain: &[i16]) -> bool {
    meter::level_dbm0(grain) > GAP_DBM0
}

fn longest_silence(loud: &[bool]) -> usize {
    loud.split(|l| *l).map(<[bool]>::len).max().unwrap_or(0)
}

impl Heard {
    /// Silence between the end of this stretch and the begin of a later one of the same recording, seconds.
    #[must_use]
    pub fn silence_until(&self, later: &Heard) -> f64 {
        let cut = (2 * EDGE * GRAIN) as f64 / f64::from(RATE_HZ);
        later.begins_s - self.begins_s - self.seconds - cut
    }

    /// Holds the tone to what was sent: within 5 Hz, within 3 dB, 20 dB above everything else.
    ///
    /// # Errors
    /// All figures, if one is off.
    pub fn is(&self, frequency_hz: f64, level_dbm0: f64) -> Result<()> {
        ensure!(
            (self.tone.frequency_hz - frequency_hz).abs() <= 5.0
                && (self.tone.level_dbm0 - level_dbm0).abs() <= 3.0
                && self.tone.snr_db >= 20.0,
            "not {frequency_hz} Hz at {level_dbm0} dBm0: {self:?}"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(silent: std::ops::Range<usize>) -> Vec<i16> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tone.wav");
        write_tone(&file, 440.0, -16.0, 4).unwrap();
        let mut samples = read(&file).unwrap();
        samples[silent].fill(0);
        samples
    }

    #[test]
    fn a_tone_measures_as_written() {
        let heard = measure(&recording(0..0)).unwrap()[0];
        heard.is(440.0, -16.0).unwrap();
        assert!(heard.is(447.0, -16.0).is_err());
        assert!(heard.is(440.0, -10.0).is_err());
        assert!(heard.longest_gap_ms < 1.0 && (3.3..3.5).contains(&heard.seconds));
    }

    #[test]
    fn a_gap_is_as_long_as_it_is() {
        let heard = measure(&recording(16_000..16_240)).unwrap()[0];
        assert!((27.0..=30.0).contains(&heard.longest_gap_ms), "{heard:?}");
        heard.is(440.0, -16.0).unwrap();
    }

    #[test]
    fn a_pause_parts_two_calls() {
        let heard = measure(&recording(12_000..18_000)).unwrap();
        assert_eq!(heard.len(), 2);
        assert!((0.8..0.95).contains(&heard[0].seconds), "{heard:?}");
        let silence = heard[0].silence_until(&heard[1]);
        assert!((0.74..0.76).contains(&silence), "{silence} s");
    }

    #[test]
    fn silence_is_no_tone() {
        assert!(measure(&[0; 16_000]).is_err());
        assert!(measure(&[]).is_err());
    }

    #[test]
    fn a_recorder_that_was_killed_leaves_a_readable_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cut.wav");
        write_tone(&file, 440.0, -16.0, 1).unwrap();
        let mut octets = std::fs::read(&file).unwrap();
        octets[40..44].fill(0);
        std::fs::write(&file, &octets).unwrap();
        assert_eq!(read(&file).unwrap().len(), 8000);
    }
}
