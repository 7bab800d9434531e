//! What one RTP source did: loss, order and jitter (RFC 3550 section 6.4.1 and appendix A).

use std::time::{Duration, Instant};

use super::Header;

/// How far ahead a sequence number may jump before the source counts as new (RFC 3550 appendix A.1).
const MAX_DROPOUT: u16 = 3000;
/// Width of the window in which a repeated packet is told from a late one.
const WINDOW: u32 = 64;

/// How a packet stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next one, after `missing` packets that did not come.
    Next {
        /// Packets left out just before this one; 0 is the usual case.
        missing: u16,
    },
    /// One that was missing, after its turn.
    Late,
    /// One that was here before.
    Duplicate,
    /// The first of a source, or the source started anew.
    First,
}

/// Statistics of one source.
#[derive(Debug, Clone)]
pub struct Reception {
    ssrc: u32,
    highest: u32,
    base: u32,
    seen: u64,
    received: u64,
    late: u64,
    duplicated: u64,
    prior_expected: u64,
    prior_received: u64,
    jitter: f64,
    last: Option<(Instant, u32)>,
}

impl Reception {
    /// Statistics that begin with this packet.
    #[must_use]
    pub fn new(now: Instant, header: &Header) -> Reception {
        let start = u32::from(header.sequence) + (1 << 16);
        Reception {
            ssrc: header.ssrc,
            highest: start,
            base: start,
            seen: 1,
            received: 1,
            late: 0,
            duplicated: 0,
            prior_expected: 0,
            prior_received: 0,
            jitter: 0.0,
            last: Some((now, header.timestamp)),
        }
    }

    /// Counts a packet of the same source.
    pub fn arrived(&mut self, now: Instant, header: &Header) -> Arrival {
        let ahead = header.sequence.wrapping_sub(self.highest as u16);
        let arrival = match ahead {
            0 => Arrival::Duplicate,
            1..MAX_DROPOUT => self.advance(u32::from(ahead)),
            _ => self.behind(u32::from(ahead.wrapping_neg())),
        };
        match arrival {
            Arrival::Duplicate => self.duplicated += 1,
            Arrival::First => *self = Reception::new(now, header),
            Arrival::Next { .. } | Arrival::Late => {
                self.received += 1;
                self.late += u64::from(arrival == Arrival::Late);
                self.measure(now, header.timestamp);
            }
        }
        arrival
    }

    /// The source.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Packets that came, without repetitions.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that the sequence numbers say should have come.
    #[must_use]
    pub fn expected(&self) -> u64 {
        u64::from(self.highest - self.base) + 1
    }

    /// Packets that have not come.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Packets that came after a later one.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Packets that came again.
    #[must_use]
    pub fn duplicated(&self) -> u64 {
        self.duplicated
    }

    /// Highest sequence number with its cycles, as a report block has it.
    #[must_use]
    pub fn extended_highest(&self) -> u32 {
        self.highest - (1 << 16)
    }

    /// Interarrival jitter.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter / 8000.0)
    }

    /// Interarrival jitter in timestamp units, as a report block has it.
    #[must_use]
    pub fn jitter_samples(&self) -> u32 {
        self.jitter as u32
    }

    /// Fraction lost since the last call, in 1/256 (RFC 3550 appendix A.3).
    pub fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected() - self.prior_expected.min(self.expected());
        let received = self.received - self.prior_received;
        self.prior_expected = self.expected();
        self.prior_received = self.received;
        match expected.checked_sub(received) {
            Some(lost) if expected > 0 => (lost * 256 / expected).min(255) as u8,
            _ => 0,
        }
    }

    fn advance(&mut self, ahead: u32) -> Arrival {
        self.highest = self.highest.wrapping_add(ahead);
        self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
        Arrival::Next {
            missing: ahead as u16 - 1,
        }
    }

    fn behind(&mut self, behind: u32) -> Arrival {
        if behind >= WINDOW {
            return Arrival::First;
        }
        let bit = 1 << behind;
        if self.seen & bit != 0 || self.highest - behind < self.base {
            return Arrival::Duplicate;
        }
        self.seen |= bit;
        Arrival::Late
    }

    /// RFC 3550 appendix A.8.
    fn measure(&mut self, now: Instant, timestamp: u32) {
        if let Some((before, last)) = self.last {
            let arrival = now.saturating_duration_since(before).as_secs_f64() * 8000.0;
            let sent = f64::from(timestamp.wrapping_sub(last) as i32);
            // Silence suppression and clock changes are not jitter.
            if sent.abs() < 8000.0 && arrival < 8000.0 {
                self.jitter += ((arrival - sent).abs() - self.jitter) / 16.0;
            }
        }
        self.last = Some((now, timestamp));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::t0;

    fn header(sequence: u16) -> Header {
        let timestamp = u32::from(sequence) * 160;
        Header {
            marker: false,
            payload_type: 8,
            sequence,
            timestamp,
            ssrc: 1,
        }
    }

    fn feed(sequences: &[u16]) -> (Vec<Arrival>, Reception) {
        let mut reception = Reception::new(t0(), &header(sequences[0]));
        let arrivals = sequences[1..]
            .iter()
            .map(|s| reception.arrived(t0(), &header(*s)))
            .collect();
        (arrivals, reception)
    }

    #[test]
    fn order_loss_and_repetition_are_told_apart() {
        let (arrivals, reception) = feed(&[65_534, 65_535, 2, 0, 0, 3, 1]);
        let next = |missing| Arrival::Next { missing };
        let expected = [
            next(0),
            next(2),
            Arrival::Late,
            Arrival::Duplicate,
            next(0),
            Arrival::Late,
        ];
        assert_eq!(arrivals, expected);
        assert_eq!(
            (reception.expected(), reception.received(), reception.lost()),
            (6, 6, 0)
        );
        assert_eq!((reception.late(), reception.duplicated()), (2, 1));
        assert_eq!(reception.extended_highest(), (1 << 16) + 3);
    }

    #[test]
    fn a_large_jump_is_a_new_start() {
        let (arrivals, reception) = feed(&[10, 11, 30_000, 30_001]);
        assert_eq!(arrivals[1], Arrival::First);
        assert_eq!((reception.expected(), reception.lost()), (2, 0));
    }

    #[test]
    fn the_fraction_is_of_the_last_interval() {
        let (_, mut reception) = feed(&[0, 1, 2, 7]);
        assert_eq!(reception.fraction_lost(), 128);
        assert_eq!(reception.fraction_lost(), 0);
    }

    #[test]
    fn steady_packets_have_no_jitter_and_alternating_ones_have_theirs() {
        let start = t0();
        let mut reception = Reception::new(start, &header(0));
        for n in 1..200u16 {
            let at = start + Duration::from_millis(20 * u64::from(n));
            reception.arrived(at, &header(n));
        }
        assert!(reception.jitter() < Duration::from_micros(1));
        for n in 200..600u16 {
            let shift = 4 * u64::from(n % 2);
            reception.arrived(
                start + Duration::from_millis(20 * u64::from(n) + shift),
                &header(n),
            );
        }
        let jitter = reception.jitter().as_secs_f64() * 1000.0;
        assert!((jitter - 4.0).abs() < 0.1, "{jitter}");
    }
}
