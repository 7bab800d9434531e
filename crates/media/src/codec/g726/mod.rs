//! G.726 ADPCM at 16, 24, 32 and 40 kbit/s, in the integer arithmetic of the recommendation and bit exact with it.
//!
//! DECT narrow band speech is the 32 kbit/s rate. Two packings of the codes exist: the air's (`AAL2-G726-32`, first
//! sample in the high nibble; ITU-T I.366.2 annex E) and that of RFC 3551 section 4.5.4 (first sample in the low nibble).

mod arithmetic;
mod packing;
mod tables;

pub use packing::Packing;

use super::Law;
use arithmetic::State;
use tables::Tables;

/// Bit rate of a G.726 stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// 16 kbit/s, 2 bits a sample.
    R16,
    /// 24 kbit/s, 3 bits a sample.
    R24,
    /// 32 kbit/s, 4 bits a sample: the rate of DECT.
    R32,
    /// 40 kbit/s, 5 bits a sample.
    R40,
}

impl Rate {
    /// Bits of one code.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Rate::R16 => 2,
            Rate::R24 => 3,
            Rate::R32 => 4,
            Rate::R40 => 5,
        }
    }

    fn tables(self) -> &'static Tables {
        match self {
            Rate::R16 => &tables::R16,
            Rate::R24 => &tables::R24,
            Rate::R32 => &tables::R32,
            Rate::R40 => &tables::R40,
        }
    }
}

/// Makes G.726 codes of samples, one at a time.
#[derive(Debug, Clone)]
pub struct Encoder {
    tables: &'static Tables,
    state: State,
}

impl Encoder {
    /// An encoder in the reset state of ITU-T G.726.
    #[must_use]
    pub fn new(rate: Rate) -> Encoder {
        Encoder {
            tables: rate.tables(),
            state: State::default(),
        }
    }

    /// Encodes a 16-bit linear sample; its two lowest bits are not used.
    pub fn linear(&mut self, sample: i16) -> u8 {
        let estimate = self.state.estimate();
        let difference = (i32::from(sample) >> 2) - estimate.signal;
        let code = self.tables.quantise(difference, estimate.scale);
        self.state.advance(self.tables, &estimate, code);
        code
    }

    /// Encodes a G.711 code.
    pub fn log(&mut self, law: Law, code: u8) -> u8 {
        self.linear(law.expand(code))
    }
}

/// Makes samples of G.726 codes, one at a time.
#[derive(Debug, Clone)]
pub struct Decoder {
    tables: &'static Tables,
    state: State,
}

impl Decoder {
    /// A decoder in the reset state of ITU-T G.726.
    #[must_use]
    pub fn new(rate: Rate) -> Decoder {
        Decoder {
            tables: rate.tables(),
            state: State::default(),
        }
    }

    /// Decodes to a 16-bit linear sample (14 bits of content), without G.711 on the way.
    ///
    /// Bits of `code` beyond the rate's are ignored.
    pub fn linear(&mut self, code: u8) -> i16 {
        let estimate = self.state.estimate();
        let reconstructed = self.state.advance(self.tables, &estimate, code);
        (reconstructed << 2).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    }

    /// Decodes to a G.711 code, with the synchronous coding adjustment that keeps tandem codings from adding up.
    ///
    /// Source: ITU-T G.726 section 3.8. Bits of `code` beyond the rate's are ignored.
    pub fn log(&mut self, law: Law, code: u8) -> u8 {
        let code = code & self.tables.mask();
        let estimate = self.state.estimate();
        let reconstructed = self.state.advance(self.tables, &estimate, code);
        let plain = compress(law, reconstructed);
        let difference = (i32::from(law.expand(plain)) >> 2) - estimate.signal;
        let again = self.tables.quantise(difference, estimate.scale);
        let sign = self.tables.sign_bit();
        match (again ^ sign).cmp(&(code ^ sign)) {
            std::cmp::Ordering::Equal => plain,
            std::cmp::Ordering::Greater => next_lower(law, plain),
            std::cmp::Ordering::Less => next_higher(law, plain),
        }
    }
}

/// Block COMPRESS of G.726: unlike a G.711 encoder it takes the magnitude of negative values, not the complement.
fn compress(law: Law, reconstructed: i32) -> u8 {
    match law {
        // 14 to 13 bits first, rounding towards minus infinity.
        Law::A => {
            // The one value without a magnitude counts as the smallest negative one: sequence ri40fa needs it.
            let halved = if reconstructed == -32_768 {
                -1
            } else {
                reconstructed >> 1
            };
            law.compress((halved << 3).clamp(-32_768, 32_767) as i16)
        }
        Law::Mu => {
            let magnitude = (reconstructed.abs() << 2).min(32_767) as i16;
            let code = law.compress(magnitude);
            if reconstructed < 0 { code & 0x7F } else { code }
        }
    }
}

fn next_lower(law: Law, code: u8) -> u8 {
    step(law, code, false)
}

fn next_higher(law: Law, code: u8) -> u8 {
    step(law, code, true)
}

/// The neighbouring G.711 value; the ends of the scale and the doubled zero as in ITU-T G.726 section 4.2.8, SYNC.
fn step(law: Law, code: u8, up: bool) -> u8 {
    // As a magnitude with sign: bit 7 set is positive, the rest grows with the magnitude.
    let inversion = match law {
        Law::A => 0x55,
        Law::Mu => 0x7F,
    };
    let plain = code ^ inversion;
    let (positive, magnitude) = (plain & 0x80 != 0, plain & 0x7F);
    let moved = match (positive == up, positive, magnitude) {
        (true, _, 0x7F) => plain,
        (true, ..) => plain + 1,
        (false, true, 0) => negative_side(law),
        (false, false, 0) => 0x80 | negative_side(law),
        (false, ..) => plain - 1,
    };
    moved ^ inversion
}

/// Mu-law's two zeros are one value, so the step across skips one of them.
fn negative_side(law: Law) -> u8 {
    match law {
        Law::A => 0,
        Law::Mu => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{vector, words};

    fn rate(kilobits: u64) -> Rate {
        match kilobits {
            16 => Rate::R16,
            24 => Rate::R24,
            32 => Rate::R32,
            _ => Rate::R40,
        }
    }

    #[test]
    fn every_itu_sequence_is_reproduced_bit_for_bit() {
        let cases: serde_json::Value = serde_json::from_slice(&vector("g726/cases.json")).unwrap();
        let cases = cases.as_array().unwrap();
        assert_eq!(cases.len(), 28);
        let mut wrong = vec![];
        for case in cases {
            let text = |key: &str| case[key].as_str().unwrap();
            let law = if text("law") == "A" { Law::A } else { Law::Mu };
            let rate = rate(case["rate"].as_u64().unwrap());
            let input = words(&vector(&format!("g726/{}", text("input"))));
            let expected = words(&vector(&format!("g726/{}", text("expected"))));
            let mut encoder = Encoder::new(rate);
            let mut decoder = Decoder::new(rate);
            let differing = (input.iter().zip(&expected))
                .filter(|(i, e)| {
                    let ours = match text("op") {
                        "enc" => encoder.log(law, **i as u8),
                        _ => decoder.log(law, **i as u8),
                    };
                    u16::from(ours) != **e
                })
                .count();
            if differing > 0 || input.len() != expected.len() {
                wrong.push((case.to_string(), differing, input.len()));
            }
        }
        assert_eq!(wrong, vec![]);
    }

    #[test]
    fn any_code_sequence_stays_in_range() {
        for rate in [Rate::R16, Rate::R24, Rate::R32, Rate::R40] {
            let mut decoder = Decoder::new(rate);
            let mut noise = 12345u32;
            for _ in 0..100_000 {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                decoder.linear((noise >> 24) as u8);
            }
        }
    }
}
