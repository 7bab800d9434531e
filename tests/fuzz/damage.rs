//! Damages inputs, the same way in each run.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Octets at which parsers turn.
const ODD: &[u8] = b"\0\x01\x7F\x80\xC0\xFF\r\n\t \"\\<>()[]{};,:=@%/?&#+-*09aZ~";

/// A source of damage.
pub(crate) struct Damage {
    rng: ChaCha8Rng,
}

impl Damage {
    /// Damage that depends on the name alone.
    pub(crate) fn seeded(name: &str) -> Damage {
        let seed = name.bytes().fold(3261, |seed: u64, octet| {
            seed.wrapping_mul(31).wrapping_add(octet.into())
        });
        Damage {
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Damages an input in one to four places; `others` lend pieces.
    pub(crate) fn inflict(&mut self, input: &mut Vec<u8>, others: &[Vec<u8>]) {
        for _ in 0..=self.below(4) {
            self.once(input, others);
        }
    }

    fn once(&mut self, input: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = self.below(input.len());
        let end = (at + 1 + self.below(24)).min(input.len());
        match self.below(8) {
            0 => input.truncate(at),
            1 => input.insert(at, ODD[self.below(ODD.len())]),
            2 if at < input.len() => input[at] ^= 1 << self.below(8),
            3 if at < input.len() => input[at] = ODD[self.below(ODD.len())],
            4 => drop(input.drain(at..end)),
            5 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            6 => {
                let other = &others[self.below(others.len())];
                let from = self.below(other.len());
                let to = (from + self.below(48)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => input.insert(at, self.rng.next_u32() as u8),
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.rng.next_u64() % limit.max(1) as u64) as usize
    }
}
