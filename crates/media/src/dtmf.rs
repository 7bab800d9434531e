//! Telephone events (RFC 4733): digits as RTP packets, in both directions.

use std::collections::VecDeque;
use std::time::Duration;

/// Octets of an event payload.
pub const PAYLOAD: usize = 4;
/// Samples between two packets of an event: 20 ms.
const STEP: u16 = 160;
/// How often the end of an event is said (RFC 4733 section 2.5.1.4).
const ENDS: u8 = 3;
/// Level of the tone that the event stands for, in -dBm0.
const VOLUME: u8 = 10;
/// Digits that may wait; a person types far fewer.
const MAX_WAITING: usize = 64;

/// A digit that can be sent as an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit(u8);

impl Digit {
    /// One of `0`..`9`, `*`, `#`, `A`..`D` (small letters too).
    #[must_use]
    pub fn new(key: char) -> Option<Digit> {
        "0123456789*#ABCD"
            .find(key.to_ascii_uppercase())
            .map(|event| Digit(event as u8))
    }

    /// The key.
    #[must_use]
    pub fn key(self) -> char {
        char::from(b"0123456789*#ABCD"[usize::from(self.0)])
    }

    /// The two frequencies of the digit in Hz (ITU-T Q.23).
    #[must_use]
    pub fn frequencies(self) -> (f64, f64) {
        let (row, column) = match self.key() {
            key @ ('A'..='D') => (key as usize - 'A' as usize, 3),
            '*' => (3, 0),
            '0' => (3, 1),
            '#' => (3, 2),
            key => (
                (key as usize - '1' as usize) / 3,
                (key as usize - '1' as usize) % 3,
            ),
        };
        (
            [697.0, 770.0, 852.0, 941.0][row],
            [1209.0, 1336.0, 1477.0, 1633.0][column],
        )
    }
}

/// What the sender wants in this turn of 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing: speech may pass.
    Speech,
    /// A gap between two digits: neither speech nor event.
    Gap,
    /// A packet of an event; its timestamp is that of the event's first packet.
    Event {
        /// The digit.
        digit: Digit,
        /// First packet: takes the timestamp of now, and has the marker.
        first: bool,
        /// The payload.
        payload: [u8; PAYLOAD],
    },
}

/// Sends digits, one after the other; called every 20 ms.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    waiting: VecDeque<(Digit, Duration, Duration)>,
    now: Option<Sending>,
}

#[derive(Debug, Clone, Copy)]
struct Sending {
    digit: Digit,
    length: u16,
    done: u16,
    ends: u8,
    gap: u16,
}

impl Sender {
    /// Appends a digit; `false` if too many wait.
    pub fn push(&mut self, digit: Digit, duration: Duration, gap: Duration) -> bool {
        let room = self.waiting.len() < MAX_WAITING;
        if room {
            self.waiting.push_back((digit, duration, gap));
        }
        room
    }

    /// Whether anything is being sent or waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.now.is_some() || !self.waiting.is_empty()
    }

    /// Digits that may still be appended.
    #[must_use]
    pub fn room(&self) -> usize {
        MAX_WAITING - self.waiting.len()
    }

    /// Whether the last turn said an end again.
    #[must_use]
    pub fn is_repeating(&self) -> bool {
        self.now.is_some_and(|sending| sending.ends > 1)
    }

    /// What to send in the next 20 ms.
    pub fn turn(&mut self) -> Turn {
        if self.now.is_none() {
            self.now = self
                .waiting
                .pop_front()
                .map(|(digit, duration, gap)| Sending {
                    digit,
                    length: samples(duration).max(STEP),
                    done: 0,
                    ends: 0,
                    gap: samples(gap),
                });
        }
        let Some(sending) = &mut self.now else {
            return Turn::Speech;
        };
        if sending.ends < ENDS {
            return sending.event();
        }
        // The repeated ends took some of the gap already.
        sending.gap = sending.gap.saturating_sub(STEP);
        if sending.gap <= (u16::from(ENDS) - 1) * STEP {
            self.now = None;
        }
        Turn::Gap
    }
}

impl Sending {
    fn event(&mut self) -> Turn {
        let first = self.done == 0;
        self.done = self.done.saturating_add(STEP).min(self.length);
        let end = self.done == self.length;
        self.ends += u8::from(end);
        let duration = self.done.to_be_bytes();
        let payload = [
            self.digit.0,
            u8::from(end) << 7 | VOLUME,
            duration[0],
            duration[1],
        ];
        Turn::Event {
            digit: self.digit,
            first,
            payload,
        }
    }
}

fn samples(duration: Duration) -> u16 {
    // Beyond 8 s an event would have to be split (RFC 4733 section 2.5.1.3); nobody presses that long.
    (duration.as_millis() * 8).min(65_535 / u128::from(STEP) * u128::from(STEP)) as u16
}

/// Hears digits: each once, however often its packets are repeated.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    /// Timestamp, digit and duration of the event being heard, and whether it was told.
    event: Option<(u32, Digit, u16, bool)>,
}

/// A digit that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The digit.
    pub digit: Digit,
    /// How long it was pressed.
    pub duration: Duration,
}

impl Receiver {
    /// Takes the payload of an event packet; answers a digit when one is over.
    ///
    /// An event whose end was lost is told when the next one begins. Events other than digits, and damaged payloads,
    /// are passed over.
    pub fn packet(&mut self, timestamp: u32, payload: &[u8]) -> Option<Received> {
        let [event, flags, d0, d1, ..] = *payload else {
            return None;
        };
        let digit = (event < 16).then_some(Digit(event))?;
        let duration = u16::from_be_bytes([d0, d1]);
        let same = self
            .event
            .filter(|(t, d, ..)| *t == timestamp && *d == digit);
        let unended = match same {
            Some(_) => None,
            None => self
                .event
                .filter(|(.., told)| !told)
                .map(|(_, d, length, _)| heard(d, length)),
        };
        let told = same.is_some_and(|(.., told)| told);
        let over = flags & 0x80 != 0;
        self.event = Some((timestamp, digit, duration, told || over));
        unended.or((over && !told).then(|| heard(digit, duration)))
    }
}

fn heard(digit: Digit, samples: u16) -> Received {
    Received {
        digit,
        duration: Duration::from_micros(u64::from(samples) * 125),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUNDRED: Duration = Duration::from_millis(100);

    fn all_turns(sender: &mut Sender) -> Vec<Turn> {
        std::iter::from_fn(|| Some(sender.turn()).filter(|t| *t != Turn::Speech)).collect()
    }

    #[test]
    fn a_digit_is_five_packets_with_the_end_three_times_and_then_a_gap() {
        let mut sender = Sender::default();
        assert!(sender.push(Digit::new('#').unwrap(), HUNDRED, HUNDRED));
        let turns = all_turns(&mut sender);
        let packets: Vec<String> = (turns.iter())
            .map(|t| match t {
                Turn::Event { first, payload, .. } => format!("{first} {}", hex::encode(payload)),
                _ => "gap".into(),
            })
            .collect();
        let expected = [
            "true 0b0a00a0",
            "false 0b0a0140",
            "false 0b0a01e0",
            "false 0b0a0280",
            "false 0b8a0320",
            "false 0b8a0320",
            "false 0b8a0320",
            "gap",
            "gap",
            "gap",
        ];
        assert_eq!(packets, expected);
        assert!(!sender.is_busy());
    }

    #[test]
    fn what_is_sent_is_heard_once_each_in_order() {
        let mut sender = Sender::default();
        let typed = "0123456789*#ABCD11";
        for key in typed.chars() {
            assert!(sender.push(Digit::new(key).unwrap(), HUNDRED, HUNDRED));
        }
        let mut receiver = Receiver::default();
        let (mut timestamp, mut event_at, mut heard) = (0, 0, String::new());
        while sender.is_busy() {
            timestamp += 160;
            if let Turn::Event { first, payload, .. } = sender.turn() {
                event_at = if first { timestamp } else { event_at };
                if let Some(received) = receiver.packet(event_at, &payload) {
                    assert_eq!(received.duration, HUNDRED);
                    heard.push(received.digit.key());
                }
            }
        }
        assert_eq!(heard, typed);
    }

    #[test]
    fn a_digit_without_end_is_told_by_the_next() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.packet(160, &[5, 10, 0, 160]), None);
        let told = receiver.packet(3200, &[6, 10, 0, 160]).unwrap();
        assert_eq!(
            (told.digit.key(), told.duration),
            ('5', Duration::from_millis(20))
        );
        assert_eq!(
            receiver
                .packet(3200, &[6, 0x8A, 3, 0x20])
                .unwrap()
                .digit
                .key(),
            '6'
        );
        assert_eq!(receiver.packet(3200, &[6, 0x8A, 3, 0x20]), None);
        assert_eq!(receiver.packet(9000, &[66, 0x8A, 3, 0x20]), None);
        assert_eq!(receiver.packet(9000, &[6]), None);
    }

    #[test]
    fn frequencies_are_those_of_the_keypad() {
        let of = |key| Digit::new(key).unwrap().frequencies();
        assert_eq!(of('1'), (697.0, 1209.0));
        assert_eq!(of('6'), (770.0, 1477.0));
        assert_eq!(of('0'), (941.0, 1336.0));
        assert_eq!(of('d'), (941.0, 1633.0));
        assert_eq!(Digit::new('x'), None);
    }

    #[test]
    fn waiting_digits_are_bounded() {
        let mut sender = Sender::default();
        let pushed = (0..100)
            .filter(|_| sender.push(Digit(1), HUNDRED, HUNDRED))
            .count();
        assert_eq!(pushed, MAX_WAITING);
    }
}
