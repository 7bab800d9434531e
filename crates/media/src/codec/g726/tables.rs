//! The quantiser tables of ITU-T G.726, tables 5 to 12.

/// What differs between the four rates.
#[derive(Debug)]
pub(super) struct Tables {
    /// Bits of a code.
    pub(super) bits: u32,
    /// Decision levels of the quantiser, in the logarithmic domain.
    decisions: &'static [i32],
    /// Reconstruction levels by magnitude code.
    levels: &'static [i32],
    /// Scale factor multipliers W(I) by magnitude code.
    scale: &'static [i32],
    /// Rate-of-change weights F(I) by magnitude code.
    weights: &'static [i32],
}

impl Tables {
    pub(super) fn sign_bit(&self) -> u8 {
        1 << (self.bits - 1)
    }

    pub(super) fn mask(&self) -> u8 {
        ((1u16 << self.bits) - 1) as u8
    }

    /// Index into the tables by magnitude: a negative code is the complement of the positive one.
    fn magnitude(&self, code: u8) -> usize {
        let code = code & self.mask();
        let folded = if code & self.sign_bit() == 0 {
            code
        } else {
            !code & self.mask()
        };
        usize::from(folded)
    }

    pub(super) fn level(&self, code: u8) -> i32 {
        self.levels[self.magnitude(code)]
    }

    pub(super) fn scale(&self, code: u8) -> i32 {
        self.scale[self.magnitude(code)]
    }

    pub(super) fn weight(&self, code: u8) -> i32 {
        self.weights[self.magnitude(code)]
    }

    /// Blocks LOG, SUBTB and QUAN: the code of a difference signal under scale factor `scale`.
    pub(super) fn quantise(&self, difference: i32, scale: i32) -> u8 {
        // Differences are 16 bit words in the recommendation.
        let magnitude = difference.abs() & 0x7FFF;
        let exponent = super::arithmetic::bit_length(magnitude >> 1);
        let mantissa = ((magnitude << 7) >> exponent) & 0x7F;
        let level = (exponent << 7) + mantissa - (scale >> 2);
        let index = self
            .decisions
            .iter()
            .take_while(|limit| level >= **limit)
            .count() as u8;
        match (difference < 0, index) {
            (true, _) => !index & self.mask(),
            // The odd rates have no positive zero: it is sent as the negative one, all ones.
            (false, 0) if self.bits > 2 => self.mask(),
            (false, _) => index,
        }
    }
}

pub(super) static R16: Tables = Tables {
    bits: 2,
    decisions: &[261],
    levels: &[116, 365],
    scale: &[-22, 439],
    weights: &[0, 7],
};

pub(super) static R24: Tables = Tables {
    bits: 3,
    decisions: &[8, 218, 331],
    levels: &[-2048, 135, 273, 373],
    scale: &[-4, 30, 137, 582],
    weights: &[0, 1, 2, 7],
};

pub(super) static R32: Tables = Tables {
    bits: 4,
    decisions: &[-124, 80, 178, 246, 300, 349, 400],
    levels: &[-2048, 4, 135, 213, 273, 323, 373, 425],
    scale: &[-12, 18, 41, 64, 112, 198, 355, 1122],
    weights: &[0, 0, 0, 1, 1, 1, 3, 7],
};

pub(super) static R40: Tables = Tables {
    bits: 5,
    decisions: &[
        -122, -16, 68, 139, 198, 250, 298, 339, 378, 413, 445, 475, 502, 528, 553,
    ],
    levels: &[
        -2048, -66, 28, 104, 169, 224, 274, 318, 358, 395, 429, 459, 488, 514, 539, 566,
    ],
    scale: &[
        14, 14, 24, 39, 40, 41, 58, 100, 141, 179, 219, 280, 358, 440, 529, 696,
    ],
    weights: &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6],
};
