//! What a portable says and where what it hears goes: tones, WAV files, pipes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipdect_media::codec::SAMPLE_RATE_HZ;
use ipdect_portable::speech::Source;

/// Level of a tone that names none.
pub(crate) const TONE_DBM0: f64 = -10.0;
/// Longest recording that is read as a source: an hour.
const LONGEST_S: u32 = 3600;

/// A source of speech as written: `silence`, `tone:1000`, `tone:1000@-20`, `wav:FILE`, `-`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Speech {
    #[default]
    Silence,
    Tone {
        hz: f64,
        level_dbm0: f64,
    },
    Wav(PathBuf),
    /// 16-bit linear PCM at 8 kHz on standard input.
    Live,
}

/// Where heard speech goes, as written: `wav:FILE`, `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    Wav(PathBuf),
    /// 16-bit linear PCM at 8 kHz on standard output.
    Live,
}

/// Why a source or a sink of speech cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SoundError {
    #[error("{0:?} is no source of speech; write silence, tone:1000, tone:1000@-20, wav:FILE or -")]
    NoSource(String),
    #[error("{0:?} is no sink of speech; write wav:FILE or -")]
    NoSink(String),
    #[error("a tone has 50 to 3800 Hz and -60 to 3 dBm0, not {hz} Hz at {level_dbm0} dBm0")]
    Tone { hz: f64, level_dbm0: f64 },
    #[error("{}: {source}; name a readable WAV file", path.display())]
    Wav { path: PathBuf, source: hound::Error },
    #[error("{}: {found}; convert it to 8000 Hz, one channel, 16 bit, an hour at most", path.display())]
    Form { path: PathBuf, found: String },
    #[error(
        "files and pipes are chosen where the portable runs; only silence and tones are taken from afar"
    )]
    Afar,
}

impl FromStr for Speech {
    type Err = SoundError;

    fn from_str(text: &str) -> Result<Self, SoundError> {
        let unknown = || SoundError::NoSource(text.to_owned());
        match text.split_once(':') {
            None if text == "-" || text == "live" => Ok(Self::Live),
            None if text == "silence" => Ok(Self::Silence),
            Some(("wav", path)) if !path.is_empty() => Ok(Self::Wav(path.into())),
            Some(("tone", tone)) => {
                let (hz, level) = match tone.split_once('@') {
                    Some((hz, level)) => (hz, level.parse().map_err(|_| unknown())?),
                    None => (tone, TONE_DBM0),
                };
                tone_of(hz.parse().map_err(|_| unknown())?, level)
            }
            _ => Err(unknown()),
        }
    }
}

fn tone_of(hz: f64, level_dbm0: f64) -> Result<Speech, SoundError> {
    if (50.0..=3800.0).contains(&hz) && (-60.0..=3.0).contains(&level_dbm0) {
        Ok(Speech::Tone { hz, level_dbm0 })
    } else {
        Err(SoundError::Tone { hz, level_dbm0 })
    }
}

impl fmt::Display for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence => f.write_str("silence"),
            Self::Tone { hz, level_dbm0 } if *level_dbm0 == TONE_DBM0 => write!(f, "tone:{hz}"),
            Self::Tone { hz, level_dbm0 } => write!(f, "tone:{hz}@{level_dbm0}"),
            Self::Wav(_) => f.write_str("wav"),
            Self::Live => f.write_str("live"),
        }
    }
}

impl Speech {
    /// Reads a source that another program asks for: it must not make this one open files.
    ///
    /// # Errors
    /// [`SoundError`].
    pub(crate) fn from_afar(text: &str) -> Result<Self, SoundError> {
        match text.parse()? {
            allowed @ (Self::Silence | Self::Tone { .. }) => Ok(allowed),
            Self::Wav(_) | Self::Live => Err(SoundError::Afar),
        }
    }

    /// The source as the portable takes it; files are read whole.
    ///
    /// # Errors
    /// [`SoundError`] of the file.
    pub(crate) fn load(&self) -> Result<Source, SoundError> {
        Ok(match self {
            Self::Silence => Source::Silence,
            &Self::Tone { hz, level_dbm0 } => Source::Tone { hz, level_dbm0 },
            Self::Wav(path) => Source::Samples(read_wav(path)?),
            Self::Live => Source::Live,
        })
    }
}

impl FromStr for Hearing {
    type Err = SoundError;

    fn from_str(text: &str) -> Result<Self, SoundError> {
        match text.split_once(':') {
            None if text == "-" => Ok(Self::Live),
            Some(("wav", path)) if !path.is_empty() => Ok(Self::Wav(path.into())),
            _ => Err(SoundError::NoSink(text.to_owned())),
        }
    }
}

fn read_wav(path: &Path) -> Result<Vec<i16>, SoundError> {
    let wrong = |source| SoundError::Wav {
        path: path.to_owned(),
        source,
    };
    let reader = hound::WavReader::open(path).map_err(wrong)?;
    let (spec, samples) = (reader.spec(), reader.duration());
    let fits = spec.sample_rate == SAMPLE_RATE_HZ
        && spec.channels == 1
        && spec.bits_per_sample == 16
        && spec.sample_format == hound::SampleFormat::Int
        && samples <= LONGEST_S * SAMPLE_RATE_HZ;
    if !fits {
        let found = format!(
            "{} Hz, {} channel(s), {} bit, {} s",
            spec.sample_rate,
            spec.channels,
            spec.bits_per_sample,
            samples / spec.sample_rate.max(1)
        );
        return Err(SoundError::Form {
            path: path.to_owned(),
            found,
        });
    }
    reader
        .into_samples()
        .collect::<Result<_, _>>()
        .map_err(wrong)
}

/// Form of the WAV files that are read and written.
pub(crate) const WAV: hound::WavSpec = hound::WavSpec {
    channels: 1,
    sample_rate: SAMPLE_RATE_HZ,
    bits_per_sample: 16,
    sample_format: hound::SampleFormat::Int,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_written() {
        let tone = |hz, level_dbm0| Speech::Tone { hz, level_dbm0 };
        assert_eq!("tone:1000".parse::<Speech>().unwrap(), tone(1000.0, -10.0));
        assert_eq!(
            "tone:700@-20".parse::<Speech>().unwrap(),
            tone(700.0, -20.0)
        );
        assert_eq!("-".parse::<Speech>().unwrap(), Speech::Live);
        assert_eq!(
            "wav:a:b".parse::<Speech>().unwrap(),
            Speech::Wav("a:b".into())
        );
        for bad in [
            "",
            "tone",
            "tone:",
            "tone:x",
            "tone:9000",
            "tone:1000@9",
            "mp3:x",
            "wav:",
        ] {
            assert!(bad.parse::<Speech>().is_err(), "{bad:?}");
        }
        assert_eq!(tone(700.0, -20.0).to_string(), "tone:700@-20");
    }

    #[test]
    fn nobody_opens_files_from_afar() {
        assert_eq!(Speech::from_afar("silence").unwrap(), Speech::Silence);
        assert!(matches!(
            Speech::from_afar("wav:/etc/passwd"),
            Err(SoundError::Afar)
        ));
        assert!(matches!(Speech::from_afar("-"), Err(SoundError::Afar)));
    }

    #[test]
    fn a_recording_is_read_whole_and_a_wrong_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, spec: hound::WavSpec| {
            let path = folder.path().join(name);
            let mut writer = hound::WavWriter::create(&path, spec).unwrap();
            for sample in [1i16, -2, 3] {
                writer.write_sample(sample).unwrap();
            }
            writer.finalize().unwrap();
            Speech::Wav(path).load()
        };
        assert_eq!(
            write("good.wav", WAV).unwrap(),
            Source::Samples(vec![1, -2, 3])
        );
        let fast = hound::WavSpec {
            sample_rate: 44_100,
            ..WAV
        };
        let said = write("fast.wav", fast).unwrap_err().to_string();
        assert!(
            said.contains("44100 Hz") && said.contains("8000 Hz"),
            "{said}"
        );
        assert!(matches!(
            Speech::Wav(folder.path().join("none.wav")).load(),
            Err(SoundError::Wav { .. })
        ));
    }
}
