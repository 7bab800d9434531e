//! The adaptive predictor and scale factor of ITU-T G.726 section 4, block by block.

use super::tables::Tables;

/// Exponent of zero in the 11-bit floating point format: mantissa 32, exponent 0.
const FLOAT_ZERO: i32 = 0x20;
/// Offset that marks a negative number in that format.
const FLOAT_NEGATIVE: i32 = -0x400;

/// Number of bits that `magnitude` needs.
pub(super) fn bit_length(magnitude: i32) -> i32 {
    32 - magnitude.leading_zeros() as i32
}

/// Everything that a coder remembers between samples; names as in the recommendation.
#[derive(Debug, Clone)]
pub(super) struct State {
    yl: i32,
    yu: i32,
    dms: i32,
    dml: i32,
    ap: i32,
    a: [i32; 2],
    b: [i32; 6],
    pk: [bool; 2],
    dq: [i32; 6],
    sr: [i32; 2],
    td: bool,
}

impl Default for State {
    fn default() -> State {
        State {
            yl: 34_816,
            yu: 544,
            dms: 0,
            dml: 0,
            ap: 0,
            a: [0; 2],
            b: [0; 6],
            pk: [false; 2],
            dq: [FLOAT_ZERO; 6],
            sr: [FLOAT_ZERO; 2],
            td: false,
        }
    }
}

/// What is known of a sample before its code.
pub(super) struct Estimate {
    /// Signal estimate SE.
    pub(super) signal: i32,
    /// Its part from the zeros, SEZ.
    zeros: i32,
    /// Quantiser scale factor Y.
    pub(super) scale: i32,
}

impl State {
    pub(super) fn estimate(&self) -> Estimate {
        let zeros: i32 = (self.b.iter().zip(&self.dq))
            .map(|(b, dq)| multiply(b >> 2, *dq))
            .sum();
        let poles: i32 = (self.a.iter().zip(&self.sr))
            .map(|(a, sr)| multiply(a >> 2, *sr))
            .sum();
        // Sums are 16-bit words.
        Estimate {
            signal: i32::from((zeros + poles) as i16) >> 1,
            zeros: i32::from(zeros as i16) >> 1,
            scale: self.mix(),
        }
    }

    /// Takes the code of the sample, adapts, and answers with the reconstructed signal SR (14 bit and headroom).
    pub(super) fn advance(&mut self, tables: &Tables, estimate: &Estimate, code: u8) -> i32 {
        let negative = code & tables.sign_bit() != 0;
        let magnitude = reconstruct(tables.level(code), estimate.scale);
        let difference = if negative { -magnitude } else { magnitude };
        let reconstructed = i32::from((estimate.signal + difference) as i16);
        let transition = self.td && magnitude > self.transition_threshold();
        self.adapt_scale(tables.scale(code), estimate.scale);
        let partial = i32::from((difference + estimate.zeros) as i16);
        self.adapt_predictor(transition, partial, negative, magnitude, tables.bits);
        self.shift(partial, negative, magnitude, reconstructed);
        self.td = !transition && self.a[1] < -11_776;
        self.adapt_speed(tables.weight(code), estimate.scale, transition);
        reconstructed
    }

    /// Block MIX: between the fast and the slow scale factor.
    fn mix(&self) -> i32 {
        let slow = self.yl >> 6;
        let difference = self.yu - slow;
        let al = if self.ap >= 256 { 64 } else { self.ap >> 2 };
        let product = (difference.abs() * al) >> 6;
        if difference < 0 {
            slow - product
        } else {
            slow + product
        }
    }

    /// Block TRANS, its threshold.
    fn transition_threshold(&self) -> i32 {
        let integer = self.yl >> 15;
        let fraction = (self.yl >> 10) & 0x1F;
        let threshold = if integer > 9 {
            31 << 10
        } else {
            (32 + fraction) << integer
        };
        (threshold + (threshold >> 1)) >> 1
    }

    /// Blocks FUNCTW, FILTD, LIMB, FILTE.
    fn adapt_scale(&mut self, multiplier: i32, scale: i32) {
        self.yu = (scale + (((multiplier << 5) - scale) >> 5)).clamp(544, 5120);
        self.yl += self.yu + ((-self.yl) >> 6);
    }

    /// Blocks UPA1, UPA2, LIMC, LIMD, UPB, TRIGB.
    fn adapt_predictor(
        &mut self,
        transition: bool,
        partial: i32,
        negative: bool,
        magnitude: i32,
        bits: u32,
    ) {
        if transition {
            self.a = [0; 2];
            self.b = [0; 6];
            return;
        }
        let sign = partial < 0;
        let (first, second) = (sign != self.pk[0], sign != self.pk[1]);
        let mut a2 = self.a[1] - (self.a[1] >> 7);
        let mut a1 = self.a[0] - (self.a[0] >> 8);
        if partial != 0 {
            let fa1 = if first { self.a[0] } else { -self.a[0] };
            a2 += fa1.clamp(-8192, 8191) >> 5;
            a2 += if second { -128 } else { 128 };
            a1 += if first { -192 } else { 192 };
        }
        self.a[1] = a2.clamp(-12_288, 12_288);
        let limit = 15_360 - self.a[1];
        self.a[0] = a1.clamp(-limit, limit);
        let leak = if bits == 5 { 9 } else { 8 };
        for (b, dq) in self.b.iter_mut().zip(&self.dq) {
            let gain = match (magnitude, negative == (*dq < 0)) {
                (0, _) => 0,
                (_, true) => 128,
                (_, false) => -128,
            };
            // Coefficients are 16-bit words: at 40 kbit/s the leak does not keep them from wrapping.
            *b = i32::from((*b - (*b >> leak) + gain) as i16);
        }
    }

    /// Blocks FLOATA, FLOATB and the delays.
    fn shift(&mut self, partial: i32, negative: bool, magnitude: i32, reconstructed: i32) {
        self.dq.copy_within(0..5, 1);
        self.dq[0] = float(negative, magnitude);
        self.sr[1] = self.sr[0];
        self.sr[0] = float(reconstructed < 0, reconstructed.abs() & 0x7FFF);
        self.pk = [partial < 0, self.pk[0]];
    }

    /// Blocks FILTA, FILTB, SUBTC, FILTC, TRIGA.
    fn adapt_speed(&mut self, weight: i32, scale: i32, transition: bool) {
        let weight = weight << 9;
        self.dms += (weight - self.dms) >> 5;
        self.dml += ((weight << 2) - self.dml) >> 7;
        if transition {
            self.ap = 256;
            return;
        }
        let unsteady = ((self.dms << 2) - self.dml).abs() >= self.dml >> 3;
        let target = if scale < 1536 || self.td || unsteady {
            0x200
        } else {
            0
        };
        self.ap += (target - self.ap) >> 4;
    }
}

/// Blocks RECONST, ADDA, ANTILOG: magnitude of the quantised difference signal.
fn reconstruct(level: i32, scale: i32) -> i32 {
    let log = level + (scale >> 2);
    if log < 0 {
        return 0;
    }
    let exponent = (log >> 7) & 0x0F;
    ((128 + (log & 0x7F)) << 7) >> (14 - exponent)
}

/// A number in the 11-bit format: exponent times 64 plus a 6-bit mantissa.
fn float(negative: bool, magnitude: i32) -> i32 {
    let plain = if magnitude == 0 {
        FLOAT_ZERO
    } else {
        let exponent = bit_length(magnitude);
        (exponent << 6) + ((magnitude << 6) >> exponent)
    };
    if negative {
        plain + FLOAT_NEGATIVE
    } else {
        plain
    }
}

/// Block FMULT: a predictor coefficient (13 bit) by a signal in the 11-bit format.
fn multiply(coefficient: i32, signal: i32) -> i32 {
    let magnitude = if coefficient > 0 {
        coefficient
    } else {
        -coefficient & 0x1FFF
    };
    let exponent = bit_length(magnitude);
    let mantissa = if magnitude == 0 {
        32
    } else {
        (magnitude << 6) >> exponent
    };
    let shift = exponent + ((signal >> 6) & 0x0F) - 19;
    let product = (mantissa * (signal & 0x3F) + 0x30) >> 4;
    let result = if shift >= 0 {
        (product << shift) & 0x7FFF
    } else {
        product >> -shift
    };
    if (coefficient ^ signal) < 0 {
        -result
    } else {
        result
    }
}
