//! G.711 A-law and mu-law, bit exact with the sweep of the ITU-T Software Tool Library.
//!
//! Linear samples are 16 bit; codes are in wire order (A-law with the even bits inverted: silence is `0xD5`).

/// Which of the two companding laws of ITU-T G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// A-law, RTP name `PCMA`.
    A,
    /// Mu-law, RTP name `PCMU`.
    Mu,
}

impl Law {
    /// Compresses one 16-bit linear sample to its code on the wire.
    #[must_use]
    pub fn compress(self, linear: i16) -> u8 {
        let table = match self {
            Law::A => &A_COMPRESS,
            Law::Mu => &MU_COMPRESS,
        };
        table[usize::from((linear as u16) >> 2)]
    }

    /// Expands one code from the wire to a 16-bit linear sample.
    #[must_use]
    pub fn expand(self, code: u8) -> i16 {
        match self {
            Law::A => A_EXPAND[usize::from(code)],
            Law::Mu => MU_EXPAND[usize::from(code)],
        }
    }

    /// Compresses as many samples as fit in both slices; answers how many.
    pub fn compress_all(self, linear: &[i16], codes: &mut [u8]) -> usize {
        for (code, sample) in codes.iter_mut().zip(linear) {
            *code = self.compress(*sample);
        }
        linear.len().min(codes.len())
    }

    /// Expands as many codes as fit in both slices; answers how many.
    pub fn expand_all(self, codes: &[u8], linear: &mut [i16]) -> usize {
        for (sample, code) in linear.iter_mut().zip(codes) {
            *sample = self.expand(*code);
        }
        codes.len().min(linear.len())
    }

    /// The code of silence.
    #[must_use]
    pub fn silence(self) -> u8 {
        match self {
            Law::A => 0xD5,
            Law::Mu => 0xFF,
        }
    }
}

// Neither law looks at the two lowest bits, so the tables are indexed by the upper 14.
static A_COMPRESS: [u8; 1 << 14] = compress_table(true);
static MU_COMPRESS: [u8; 1 << 14] = compress_table(false);
static A_EXPAND: [i16; 256] = expand_table(true);
static MU_EXPAND: [i16; 256] = expand_table(false);

const fn compress_table(a_law: bool) -> [u8; 1 << 14] {
    let mut table = [0; 1 << 14];
    let mut i = 0;
    while i < table.len() {
        let linear = ((i as u16) << 2) as i16 as i32;
        table[i] = if a_law {
            compress_a(linear)
        } else {
            compress_mu(linear)
        };
        i += 1;
    }
    table
}

const fn expand_table(a_law: bool) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < table.len() {
        table[code] = if a_law {
            expand_a(code as i32)
        } else {
            expand_mu(code as i32)
        };
        code += 1;
    }
    table
}

/// ITU-T G.711 table 1: 12-bit magnitude; negative values by one's complement.
const fn compress_a(linear: i32) -> u8 {
    let magnitude = if linear < 0 { !linear } else { linear } >> 4;
    let sign = if linear < 0 { 0 } else { 0x80 };
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = 28 - magnitude.leading_zeros() as i32;
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0F)
    };
    ((code | sign) ^ 0x55) as u8
}

const fn expand_a(code: i32) -> i16 {
    let plain = code ^ 0x55;
    let segment = (plain >> 4) & 7;
    let mantissa = plain & 0x0F;
    let magnitude = match segment {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (segment - 1),
    };
    (if plain & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }) as i16
}

/// ITU-T G.711 table 2: 13-bit magnitude with bias 33, clipped at 8191.
const fn compress_mu(linear: i32) -> u8 {
    let biased = (if linear < 0 { !linear } else { linear } >> 2) + 33;
    let magnitude = if biased > 0x1FFF { 0x1FFF } else { biased };
    let segment = 26 - magnitude.leading_zeros() as i32;
    let code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F);
    let sign = if linear < 0 { 0 } else { 0x80 };
    (sign | (!code & 0x7F)) as u8
}

const fn expand_mu(code: i32) -> i16 {
    let plain = !code;
    let segment = (plain >> 4) & 7;
    let magnitude = ((((plain & 0x0F) << 3) + 0x84) << segment) - 0x84;
    (if plain & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{vector, words};

    #[test]
    fn a_law_codes_equal_the_itu_sweep() {
        let source = words(&vector("g711/sweep.src"));
        let codes = words(&vector("g711/sweep-r.a"));
        assert_eq!(source.len(), 65_536);
        for (linear, code) in source.iter().zip(&codes) {
            assert_eq!(
                u16::from(Law::A.compress(*linear as i16)),
                *code,
                "{linear}"
            );
        }
    }

    #[test]
    fn a_law_expansion_equals_the_itu_sweep() {
        let codes = words(&vector("g711/sweep-r.a"));
        let linear = words(&vector("g711/sweep-r.rea"));
        for (code, linear) in codes.iter().zip(&linear) {
            assert_eq!(Law::A.expand(*code as u8), *linear as i16, "{code:02x}");
        }
    }

    #[test]
    fn mu_law_there_and_back_equals_the_itu_sweep() {
        let source = words(&vector("g711/sweep.src"));
        let back = words(&vector("g711/sweep-r.u-u"));
        for (linear, back) in source.iter().zip(&back) {
            let ours = Law::Mu.expand(Law::Mu.compress(*linear as i16));
            assert_eq!(ours, *back as i16, "{}", *linear as i16);
        }
    }

    #[test]
    fn every_code_survives_expansion_and_compression() {
        for law in [Law::A, Law::Mu] {
            // Mu-law has two zeros; the negative one comes back as the positive one.
            for code in (0..=255u8).filter(|c| (law, *c) != (Law::Mu, 0x7F)) {
                assert_eq!(law.compress(law.expand(code)), code);
            }
        }
    }
}
