//! What strangers can send: one function for each parser, driven by tests and by a fuzzer.
//!
//! Each takes any octets, must not panic, and checks what must hold of whatever it accepts.

use crate::rtp::{Header, Packet, rtcp};
use crate::srtp::{KeyMaterial, Mki, Receiver, Suite};

/// Parses RTP; an accepted header is written and read again.
///
/// # Panics
/// If something accepted does not come back as it was.
pub fn fuzz_rtp(octets: &[u8]) {
    let Ok(packet) = Packet::parse(octets) else {
        return;
    };
    let mut buffer = [0; 32];
    let length = packet
        .header
        .write(packet.air, &mut buffer)
        .expect("32 octets hold any header");
    let again = Packet::parse(&buffer[..length]).expect("what we write we read");
    assert_eq!((again.header, again.air), (packet.header, packet.air));
}

/// Parses an RTCP compound; a block found is of the source asked for.
///
/// # Panics
/// If a block of another source was taken.
pub fn fuzz_rtcp(octets: &[u8]) {
    let ssrc = octets
        .get(8..)
        .and_then(|o| o.first_chunk::<4>())
        .map_or(0, |o| u32::from_be_bytes(*o));
    let Ok(heard) = rtcp::parse(octets, ssrc) else {
        return;
    };
    assert!(heard.block.is_none_or(|b| b.ssrc == ssrc));
}

/// Offers octets as SRTP and SRTCP to a receiver of every suite.
///
/// # Panics
/// If a packet passes that nobody with the key can have sent.
pub fn fuzz_srtp(octets: &[u8]) {
    for suite in Suite::ALL {
        let key = vec![0x5A; suite.key_length() + suite.salt_length()];
        let material = KeyMaterial::new(suite, &key).expect("length of the suite");
        let mut receiver = Receiver::new(&material, Mki::default()).expect("length of the suite");
        let mut packet = octets.to_vec();
        assert!(receiver.unprotect(&mut packet).is_err(), "{suite:?}");
        let mut packet = octets.to_vec();
        assert!(receiver.unprotect_rtcp(&mut packet).is_err(), "{suite:?}");
    }
    let _ = Header::length(octets);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_octets_are_survived(mut octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            // Half of them look like version 2, else few get past the first check.
            if let Some(first) = octets.first_mut().filter(|o| **o & 1 == 0) {
                *first = *first & 0x3F | 0x80;
            }
            fuzz_rtp(&octets);
            fuzz_rtcp(&octets);
            fuzz_srtp(&octets);
        }
    }
}
