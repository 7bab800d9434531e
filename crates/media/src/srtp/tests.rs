use super::*;
use proptest::prelude::*;
use serde_json::Value;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

pub(super) fn vectors() -> Vec<Value> {
    serde_json::from_slice(&crate::tests::vector("srtp/srtp-vectors.json")).unwrap()
}

fn octets(vector: &Value, key: &str) -> Vec<u8> {
    vector[key]
        .as_str()
        .map(|h| hex::decode(h).unwrap())
        .unwrap_or_default()
}

/// Suite and material of a vector; `None` for the transforms that we do not speak.
fn material(vector: &Value) -> Option<KeyMaterial> {
    let suite = match vector["profile"].as_str()? {
        "AES_CM_128_HMAC_SHA1_80" => Suite::AesCm128HmacSha1_80,
        "AES_CM_128_HMAC_SHA1_32" => Suite::AesCm128HmacSha1_32,
        "AES_256_CM_HMAC_SHA1_80" => Suite::AesCm256HmacSha1_80,
        "AEAD_AES_128_GCM" => Suite::AeadAes128Gcm,
        "AEAD_AES_256_GCM" => Suite::AeadAes256Gcm,
        _ => return None,
    };
    let both = [octets(vector, "master_key"), octets(vector, "master_salt")].concat();
    Some(KeyMaterial::new(suite, &both).unwrap())
}

fn pair(vector: &Value, key: &KeyMaterial) -> (Sender, Receiver) {
    let mki = Mki::new(&octets(vector, "mki")).unwrap();
    (
        Sender::new(key, mki.clone(), 0).unwrap(),
        Receiver::new(key, mki).unwrap(),
    )
}

fn in_buffer(packet: &[u8]) -> Vec<u8> {
    [packet, &[0; MAX_OVERHEAD]].concat()
}

/// Every change of one bit is refused, then the packet itself is taken once.
fn flip_then_take(
    packet: &[u8],
    mut unprotect: impl FnMut(&mut [u8]) -> Result<usize, SrtpError>,
    plain: &[u8],
) {
    for bit in 0..packet.len() * 8 {
        let mut damaged = packet.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(unprotect(&mut damaged).is_err(), "bit {bit}");
    }
    let mut copy = packet.to_vec();
    let length = unprotect(&mut copy).unwrap();
    assert_eq!(&copy[..length], plain);
    assert_eq!(unprotect(&mut packet.to_vec()), Err(SrtpError::Replay));
}

#[test]
fn rtp_vectors_hold_in_both_directions_and_no_bit_can_change() {
    let mut names = vec![];
    for vector in vectors().iter().filter(|v| v["kind"] == "srtp-packet") {
        // The rollover counter of a new context is 0.
        let Some(key) = material(vector).filter(|_| vector["roc"] == 0) else {
            continue;
        };
        let (rtp, srtp) = (octets(vector, "rtp"), octets(vector, "srtp"));
        let (mut sender, mut receiver) = pair(vector, &key);
        let mut buffer = in_buffer(&rtp);
        let length = sender.protect(&mut buffer, rtp.len()).unwrap();
        assert_eq!(
            hex::encode(&buffer[..length]),
            hex::encode(&srtp),
            "{}",
            vector["name"]
        );
        flip_then_take(&srtp, |p| receiver.unprotect(p), &rtp);
        names.push(vector["name"].as_str().unwrap().to_owned());
    }
    // The rest of the file are transforms that we do not speak: 192 bit keys, null cipher, RFC 6904 and RFC 9335.
    assert_eq!(names, ["packet-mki-rtp", "packet-aead-aes-128-gcm-rtp"]);
}

#[test]
fn rtcp_vectors_hold_in_both_directions_and_no_bit_can_change() {
    let mut count = 0;
    for vector in vectors().iter().filter(|v| v["kind"] == "srtcp-packet") {
        let Some(key) = material(vector) else {
            continue;
        };
        let (rtcp, srtcp) = (octets(vector, "rtcp"), octets(vector, "srtcp"));
        let (mut sender, mut receiver) = pair(vector, &key);
        sender.rtcp_index = vector["srtcp_index"].as_u64().unwrap() as u32 - 1;
        // The AEAD context counts for itself, from 1.
        if !key.suite().is_aead() || sender.rtcp_index == 0 {
            let mut buffer = in_buffer(&rtcp);
            let length = sender.protect_rtcp(&mut buffer, rtcp.len()).unwrap();
            assert_eq!(
                hex::encode(&buffer[..length]),
                hex::encode(&srtcp),
                "{}",
                vector["name"]
            );
        }
        flip_then_take(&srtcp, |p| receiver.unprotect_rtcp(p), &rtcp);
        count += 1;
    }
    assert_eq!(count, 1);
}

fn rtp_packet(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 8,
        sequence,
        timestamp: 160,
        ssrc,
    };
    let mut packet = vec![0; 12];
    header.write(None, &mut packet).unwrap();
    packet.extend(payload);
    packet
}

fn key(suite: Suite) -> KeyMaterial {
    let octets: Vec<u8> = (0..(suite.key_length() + suite.salt_length()) as u8).collect();
    KeyMaterial::new(suite, &octets).unwrap()
}

/// The other implementation.
fn oracle(material: &KeyMaterial) -> Context {
    let profile = match material.suite() {
        Suite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AesCm256HmacSha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    Context::new(material.key(), material.salt(), profile, None, None).unwrap()
}

#[test]
fn we_and_webrtc_srtp_understand_each_other_over_rollovers() {
    for suite in Suite::ALL {
        let key = key(suite);
        let (mut ours, mut theirs) = (Sender::new(&key, Mki::default(), 0).unwrap(), oracle(&key));
        let mut receiver = Receiver::new(&key, Mki::default()).unwrap();
        let mut their_sender = oracle(&key);
        for n in 0..200_000u32 {
            // Steps of 7 pass the rollover often without taking long; payloads of every length up to 330.
            let sequence = (n.wrapping_mul(7)).wrapping_add(60_000) as u16;
            if n % 97 != 0 && n > 300 {
                continue;
            }
            let packet = rtp_packet(9, sequence, &vec![n as u8; n as usize % 331]);
            let mut buffer = in_buffer(&packet);
            let length = ours.protect(&mut buffer, packet.len()).unwrap();
            assert_eq!(
                theirs.decrypt_rtp(&buffer[..length]).unwrap(),
                packet,
                "{suite:?} {n}"
            );
            let mut theirs = their_sender.encrypt_rtp(&packet).unwrap().to_vec();
            let length = receiver.unprotect(&mut theirs).unwrap();
            assert_eq!(&theirs[..length], &packet, "{suite:?} {n}");
        }
    }
}

#[test]
fn we_and_webrtc_srtp_understand_each_others_rtcp() {
    for suite in Suite::ALL {
        let key = key(suite);
        let mut sender = Sender::new(&key, Mki::default(), 0).unwrap();
        let mut receiver = Receiver::new(&key, Mki::default()).unwrap();
        let (mut there, mut back) = (oracle(&key), oracle(&key));
        for n in 0..50u8 {
            let mut report = hex::decode("80c90001cafebabe").unwrap();
            report.extend(vec![n; 4 * usize::from(n)]);
            let mut buffer = in_buffer(&report);
            let length = sender.protect_rtcp(&mut buffer, report.len()).unwrap();
            assert_eq!(there.decrypt_rtcp(&buffer[..length]).unwrap(), report);
            let mut theirs = back.encrypt_rtcp(&report).unwrap().to_vec();
            let length = receiver.unprotect_rtcp(&mut theirs).unwrap();
            assert_eq!(&theirs[..length], &report);
        }
    }
}

#[test]
fn an_mki_of_any_length_goes_there_and_back_and_another_is_refused() {
    for suite in [
        Suite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32,
        Suite::AeadAes128Gcm,
    ] {
        for length in [0, 1, 4, 128] {
            let mki = Mki::new(&vec![7; length]).unwrap();
            let mut sender = Sender::new(&key(suite), mki.clone(), 0).unwrap();
            let mut receiver = Receiver::new(&key(suite), mki).unwrap();
            let packet = rtp_packet(1, 1, &[3; 160]);
            let mut buffer = in_buffer(&packet);
            let sent = sender.protect(&mut buffer, packet.len()).unwrap();
            assert_eq!(sent, packet.len() + suite.rtp_tag() + length);
            if length > 0 {
                let mut other = Receiver::new(&key(suite), Mki::new(&[8]).unwrap()).unwrap();
                let refused = other.unprotect(&mut buffer.clone()[..sent]);
                assert!(
                    matches!(refused, Err(SrtpError::Mki | SrtpError::Auth)),
                    "{refused:?}"
                );
            }
            let received = receiver.unprotect(&mut buffer[..sent]).unwrap();
            assert_eq!(&buffer[..received], &packet);
        }
    }
    assert_eq!(Mki::new(&[0; 129]), None);
}

#[test]
fn a_key_stops_at_its_lifetime_and_says_so_before() {
    let key = key(Suite::AesCm128HmacSha1_80);
    let mut sender = Sender::new(&key, Mki::default(), 10).unwrap();
    for sequence in 0..10 {
        assert_eq!(sender.expires_soon(), sequence >= 9);
        let packet = rtp_packet(1, sequence, &[0; 20]);
        sender
            .protect(&mut in_buffer(&packet), packet.len())
            .unwrap();
    }
    let packet = rtp_packet(1, 10, &[0; 20]);
    let refused = sender.protect(&mut in_buffer(&packet), packet.len());
    assert_eq!(
        (refused, sender.packets_left()),
        (Err(SrtpError::KeyExpired), 0)
    );
}

#[test]
fn no_key_stream_is_used_twice() {
    let key = key(Suite::AesCm128HmacSha1_80);
    let mut sender = Sender::new(&key, Mki::default(), 0).unwrap();
    for (sequence, expected) in [(5, true), (5, false), (4, false), (6, true)] {
        let packet = rtp_packet(1, sequence, &[0; 20]);
        let sent = sender.protect(&mut in_buffer(&packet), packet.len());
        assert_eq!(sent.is_ok(), expected, "{sequence}");
    }
}

#[test]
fn forged_packets_do_not_move_the_window_or_fill_memory() {
    let key = key(Suite::AesCm128HmacSha1_80);
    let mut sender = Sender::new(&key, Mki::default(), 0).unwrap();
    let mut receiver = Receiver::new(&key, Mki::default()).unwrap();
    for sequence in [40_000u16, 100, 65_000] {
        let mut forged = rtp_packet(sequence.into(), sequence, &[0; 60]);
        assert_eq!(receiver.unprotect(&mut forged), Err(SrtpError::Auth));
    }
    let packet = rtp_packet(100, 1, &[0; 20]);
    let mut buffer = in_buffer(&packet);
    let length = sender.protect(&mut buffer, packet.len()).unwrap();
    assert_eq!(receiver.unprotect(&mut buffer[..length]), Ok(packet.len()));
}

#[test]
fn keys_of_wrong_length_are_refused_and_never_printed() {
    let refused = KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[0; 31]);
    assert_eq!(
        refused,
        Err(SrtpError::KeyLength {
            expected: 30,
            given: 31
        })
    );
    let shown = format!("{:?}", key(Suite::AesCm128HmacSha1_80));
    assert_eq!(shown, "KeyMaterial(AES_CM_128_HMAC_SHA1_80, redacted)");
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
        for suite in Suite::ALL {
            let mut receiver = Receiver::new(&key(suite), Mki::new(&[1]).unwrap()).unwrap();
            let mut packet = octets.clone();
            if let Some(first) = packet.first_mut() {
                *first = *first & 0x3F | 0x80;
            }
            prop_assert!(receiver.unprotect(&mut packet.clone()).is_err());
            prop_assert!(receiver.unprotect_rtcp(&mut packet).is_err());
        }
    }
}
