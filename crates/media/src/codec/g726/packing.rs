//! How codes of 4 bits share an octet.

/// Order of the two codes of an octet at 32 kbit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Packing {
    /// First sample in the high nibble: the air's order and RTP name `AAL2-G726-32` (RFC 3551 section 4.5.4).
    Aal2,
    /// First sample in the low nibble: RTP name `G726-32` (RFC 3551 section 4.5.4).
    Rfc3551,
}

impl Packing {
    /// The two codes of an octet, first sample first.
    #[must_use]
    pub fn unpack(self, octet: u8) -> [u8; 2] {
        match self {
            Packing::Aal2 => [octet >> 4, octet & 0x0F],
            Packing::Rfc3551 => [octet & 0x0F, octet >> 4],
        }
    }

    /// The octet of two codes, first sample first.
    #[must_use]
    pub fn pack(self, codes: [u8; 2]) -> u8 {
        match self {
            Packing::Aal2 => codes[0] << 4 | codes[1] & 0x0F,
            Packing::Rfc3551 => codes[1] << 4 | codes[0] & 0x0F,
        }
    }

    /// Encodes linear samples, two an octet; answers the octets written. An odd last sample is left.
    pub fn encode(self, encoder: &mut super::Encoder, linear: &[i16], octets: &mut [u8]) -> usize {
        for (octet, pair) in octets.iter_mut().zip(linear.chunks_exact(2)) {
            *octet = self.pack([encoder.linear(pair[0]), encoder.linear(pair[1])]);
        }
        octets.len().min(linear.len() / 2)
    }

    /// Decodes octets to linear samples, two each; answers the samples written.
    pub fn decode(self, decoder: &mut super::Decoder, octets: &[u8], linear: &mut [i16]) -> usize {
        for (octet, pair) in octets.iter().zip(linear.chunks_exact_mut(2)) {
            let codes = self.unpack(*octet);
            pair[0] = decoder.linear(codes[0]);
            pair[1] = decoder.linear(codes[1]);
        }
        2 * octets.len().min(linear.len() / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_one_and_two_are_12_on_the_air_and_21_in_rfc_3551() {
        assert_eq!(Packing::Aal2.pack([1, 2]), 0x12);
        assert_eq!(Packing::Rfc3551.pack([1, 2]), 0x21);
        for octet in 0..=255 {
            for packing in [Packing::Aal2, Packing::Rfc3551] {
                assert_eq!(packing.pack(packing.unpack(octet)), octet);
            }
        }
    }
}
