//! One speech stream in one format, to and from linear samples or straight to another format.

use super::Law;
use super::g726::{Decoder, Encoder, Packing, Rate};

/// How speech is coded in a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// G.711, an octet a sample.
    G711(Law),
    /// G.726 at 32 kbit/s, two samples an octet.
    G726(Packing),
}

impl Format {
    /// `PCMA`.
    pub const PCMA: Format = Format::G711(Law::A);
    /// `PCMU`.
    pub const PCMU: Format = Format::G711(Law::Mu);
    /// `AAL2-G726-32`, the format of the base leg.
    pub const AAL2_G726_32: Format = Format::G726(Packing::Aal2);
    /// `G726-32` in the order of RFC 3551.
    pub const G726_32: Format = Format::G726(Packing::Rfc3551);

    /// The format of an RTP encoding name (case does not matter), if we speak it at 8 kHz.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Format> {
        let known = [
            Format::PCMA,
            Format::PCMU,
            Format::AAL2_G726_32,
            Format::G726_32,
        ];
        known
            .into_iter()
            .find(|f| f.name().eq_ignore_ascii_case(name))
    }

    /// The RTP encoding name (RFC 3551 section 6).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::PCMA => "PCMA",
            Format::PCMU => "PCMU",
            Format::AAL2_G726_32 => "AAL2-G726-32",
            Format::G726_32 => "G726-32",
        }
    }

    /// Octets of that many samples.
    #[must_use]
    pub fn octets(self, samples: usize) -> usize {
        match self {
            Format::G711(_) => samples,
            Format::G726(_) => samples / 2,
        }
    }

    /// Samples of that many octets.
    #[must_use]
    pub fn samples(self, octets: usize) -> usize {
        match self {
            Format::G711(_) => octets,
            Format::G726(_) => octets * 2,
        }
    }
}

/// Decodes the payloads of one stream.
#[derive(Debug, Clone)]
pub struct StreamDecoder {
    format: Format,
    adpcm: Decoder,
}

impl StreamDecoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(format: Format) -> StreamDecoder {
        StreamDecoder {
            format,
            adpcm: Decoder::new(Rate::R32),
        }
    }

    /// Decodes as much as fits; answers the samples written.
    pub fn decode(&mut self, payload: &[u8], linear: &mut [i16]) -> usize {
        match self.format {
            Format::G711(law) => law.expand_all(payload, linear),
            Format::G726(packing) => packing.decode(&mut self.adpcm, payload, linear),
        }
    }

    /// Format of the stream.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }
}

/// Encodes the payloads of one stream.
#[derive(Debug, Clone)]
pub struct StreamEncoder {
    format: Format,
    adpcm: Encoder,
}

impl StreamEncoder {
    /// An encoder at the start of a stream.
    #[must_use]
    pub fn new(format: Format) -> StreamEncoder {
        StreamEncoder {
            format,
            adpcm: Encoder::new(Rate::R32),
        }
    }

    /// Encodes as much as fits; answers the octets written.
    pub fn encode(&mut self, linear: &[i16], payload: &mut [u8]) -> usize {
        match self.format {
            Format::G711(law) => law.compress_all(linear, payload),
            Format::G726(packing) => packing.encode(&mut self.adpcm, linear, payload),
        }
    }

    /// Format of the stream.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    fn sine(level_dbm0: f64) -> Vec<i16> {
        let peak = meter::amplitude(level_dbm0);
        (0..8000)
            .map(|n| (peak * (std::f64::consts::TAU * 1000.0 * f64::from(n) / 8000.0).sin()) as i16)
            .collect()
    }

    #[test]
    fn a_tone_survives_every_format_with_its_level() {
        for format in [
            Format::PCMA,
            Format::PCMU,
            Format::AAL2_G726_32,
            Format::G726_32,
        ] {
            let mut payload = vec![0; format.octets(8000)];
            let mut back = vec![0; 8000];
            assert_eq!(
                StreamEncoder::new(format).encode(&sine(-10.0), &mut payload),
                payload.len()
            );
            assert_eq!(StreamDecoder::new(format).decode(&payload, &mut back), 8000);
            let heard = meter::tone(&back).unwrap();
            assert!(
                (heard.level_dbm0 + 10.0).abs() < 0.3,
                "{format:?} {heard:?}"
            );
            assert!(heard.snr_db > 25.0, "{format:?} {heard:?}");
            assert_eq!(
                Format::from_name(&format.name().to_lowercase()),
                Some(format)
            );
        }
    }
}
