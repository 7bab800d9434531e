//! Damaged messages: nothing a stranger sends may panic.

use ipdect_sip::fuzzing::{fuzz_digest, fuzz_message, fuzz_sdp, fuzz_stream};
use ipdect_sip::message::Message;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::vectors::{names, sample};

/// Damaged messages in all.
const MESSAGES: usize = 100_000;

struct Mutator {
    rng: ChaCha8Rng,
}

impl Mutator {
    fn below(&mut self, limit: usize) -> usize {
        (self.rng.next_u64() as usize) % limit.max(1)
    }

    /// Damages a message in one to four places.
    fn damage(&mut self, octets: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(4) {
            let at = self.below(octets.len());
            match self.below(7) {
                0 => octets.truncate(at),
                1 => octets.insert(at, b"\r\n\0\"<>;,:=@%[]\\ \t/"[self.below(18)]),
                2 if !octets.is_empty() => octets[at] = self.rng.next_u32() as u8,
                3 if !octets.is_empty() => {
                    octets.remove(at);
                }
                4 => {
                    let end = (at + self.below(40)).min(octets.len());
                    let copy = octets[at..end].to_vec();
                    octets.splice(at..at, copy);
                }
                5 => {
                    let from = self.below(other.len());
                    let end = (from + self.below(60)).min(other.len());
                    octets.splice(at..at, other[from..end].iter().copied());
                }
                _ => {
                    let end = (at + self.below(20)).min(octets.len());
                    octets.drain(at..end);
                }
            }
        }
    }
}

/// Short samples, as long ones only slow the test down.
fn seeds() -> Vec<Vec<u8>> {
    let folders = [
        ("sip-torture", ".dat"),
        ("sip-torture-ipv6", ".dat"),
        ("sip-corpus-nist", ".sip"),
        ("sip-corpus", ".sip"),
    ];
    let all = folders.iter().flat_map(|(folder, end)| {
        names(folder, end)
            .into_iter()
            .map(move |name| sample(folder, &name))
    });
    all.filter(|octets| octets.len() < 900).collect()
}

/// Half of the hundred thousand; two halves, so that they run side by side.
fn damage_half(seed: u64) {
    let seeds = seeds();
    let mut mutator = Mutator {
        rng: ChaCha8Rng::seed_from_u64(seed),
    };
    for round in 0..MESSAGES / 2 {
        let mut octets = seeds[round % seeds.len()].clone();
        let other = &seeds[mutator.below(seeds.len())];
        mutator.damage(&mut octets, other);
        // All are read and judged; the dearer invariants are held on every fourth.
        match round % 8 {
            0 => fuzz_stream(&octets),
            1 | 2 => fuzz_message(&octets),
            _ => drop(Message::parse(octets.into()).map(|message| message.check())),
        }
    }
}

#[test]
fn a_hundred_thousand_damaged_messages_do_no_harm_first_half() {
    damage_half(4475);
}

#[test]
fn a_hundred_thousand_damaged_messages_do_no_harm_second_half() {
    damage_half(5118);
}

#[test]
fn damaged_session_descriptions_do_no_harm() {
    let seed = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 8 0 101\r\n\
a=rtpmap:101 telephone-event/8000\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB|2^31|1:1\r\n\
a=rtcp:4001 IN IP4 192.0.2.1\r\na=ptime:20\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n";
    let mut mutator = Mutator {
        rng: ChaCha8Rng::seed_from_u64(8866),
    };
    for _ in 0..5_000 {
        let mut octets = seed.to_vec();
        mutator.damage(&mut octets, seed);
        fuzz_sdp(&octets);
    }
}

#[test]
fn damaged_digest_headers_do_no_harm() {
    let seeds: [&[u8]; 2] = [
        b"Digest realm=\"a\", nonce=\"b\\\"c\", qop=\"auth,auth-int\", algorithm=SHA-256, stale=true, opaque=\"\"",
        b"Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"sip:d\", response=\"e\", qop=auth, nc=0000000a, cnonce=\"f\"",
    ];
    let mut mutator = Mutator {
        rng: ChaCha8Rng::seed_from_u64(7616),
    };
    for round in 0..10_000 {
        let mut octets = seeds[round % 2].to_vec();
        mutator.damage(&mut octets, seeds[1]);
        fuzz_digest(&octets);
    }
}
