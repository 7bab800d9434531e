//! Numbers that no successor repeats.

/// Counts CSeq numbers or `o=` versions: (generation - generation at creation) x 65,536 + n.
///
/// Nothing is stored for each request, and whoever takes a dialog over starts above all that its predecessor can have
/// used. Source: `takeover.md` section 5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    created_in: u64,
    last: u32,
}

impl Sequence {
    /// Numbers of something created in this generation; the first is 1.
    pub fn new(created_in: u64) -> Sequence {
        Sequence {
            created_in,
            last: 0,
        }
    }

    /// The next number, at least one more than the last.
    pub fn next(&mut self, generation: u64) -> u32 {
        let claims = generation.saturating_sub(self.created_in);
        // CSeq stays below 2^31 (RFC 3261 section 8.1.1.5): past 32,000 generations it only counts.
        let floor = u32::try_from(claims.min(32_000)).unwrap_or(0) << 16;
        self.last = self.last.max(floor) + 1;
        self.last
    }

    /// The last number given, 0 for none.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// Goes on at least from here.
    pub fn raise(&mut self, number: u32) {
        self.last = self.last.max(number);
    }

    /// Generation in which it began.
    pub fn created_in(&self) -> u64 {
        self.created_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_starts_above_its_predecessor() {
        let mut first = Sequence::new(7);
        assert_eq!([first.next(7), first.next(7)], [1, 2]);
        let mut successor = Sequence::new(7);
        assert_eq!([successor.next(8), successor.next(8)], [65_537, 65_538]);
        assert_eq!(first.next(9), 131_073);
        assert_eq!(Sequence::new(9).next(8), 1);
    }
}
