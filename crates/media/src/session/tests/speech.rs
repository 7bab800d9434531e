//! Speech from end to end, with gaps, bad frames and tones.

use super::rig::*;
use crate::codec::Format;
use crate::rtp::AirMark;
use crate::tones::{Region, Tone};

#[test]
fn speech_of_the_base_arrives_as_pcma_at_the_peer_and_back() {
    let mut rig = Rig::new();
    for payload in adpcm(1000.0, 50) {
        rig.base_says(None, &payload);
    }
    let out = rig.at_peer();
    assert_eq!(out.len(), 50);
    assert!(
        out.windows(2)
            .all(|w| w[1].0.sequence == w[0].0.sequence.wrapping_add(1))
    );
    assert!(
        out.windows(2)
            .all(|w| w[1].0.timestamp == w[0].0.timestamp.wrapping_add(160))
    );
    assert!(out[0].0.marker && !out[1].0.marker);
    assert_tone(heard(Format::PCMA, &out), 1000.0);
    for (n, payload) in pcma(700.0, 50).iter().enumerate() {
        rig.peer_says(8, 7 + n as u16, payload);
    }
    let out = rig.at_base();
    assert_eq!((out.len(), out[0].1.len()), (50, 80));
    assert!(
        out.iter()
            .all(|(h, _)| h.ssrc == 11 && h.payload_type == 96)
    );
    assert_tone(heard(Format::AAL2_G726_32, &out), 700.0);
}

#[test]
fn a_gap_is_filled_just_ahead_of_the_packet_that_revealed_it() {
    let mut rig = Rig::new();
    for (n, payload) in adpcm(400.0, 50).iter().enumerate() {
        match n {
            20 | 21 => rig.sequence += 1,
            _ => rig.base_says(None, payload),
        }
    }
    let out = rig.at_peer();
    assert_eq!(out.len(), 50);
    assert!(
        out.windows(2)
            .all(|w| w[1].0.timestamp == w[0].0.timestamp.wrapping_add(160))
    );
    let stats = rig.stats(BASE);
    assert_eq!((stats.received, stats.lost, stats.concealed), (48, 2, 4));
    assert!((heard(Format::PCMA, &out).frequency_hz - 400.0).abs() < 1.0);
}

#[test]
fn frames_marked_bad_are_concealed_and_counted() {
    let mut rig = Rig::new();
    for (n, payload) in adpcm(400.0, 50).iter().enumerate() {
        let mut payload = *payload;
        let bad = n % 10 == 5;
        if bad {
            payload[..40].fill(0xFF);
        }
        rig.base_says(
            Some(AirMark {
                first_bad: bad,
                ..AirMark::default()
            }),
            &payload,
        );
    }
    let out = rig.at_peer();
    let stats = rig.stats(BASE);
    assert_eq!((stats.bad_air, stats.concealed, stats.lost), (5, 5, 0));
    let tone = heard(Format::PCMA, &out);
    assert!(
        (tone.frequency_hz - 400.0).abs() < 1.0 && tone.snr_db > 15.0,
        "{tone:?}"
    );
}

#[test]
fn late_and_repeated_packets_are_counted_not_played() {
    let mut rig = Rig::new();
    let payloads = pcma(700.0, 4);
    for (sequence, n) in [(1, 0), (3, 2), (2, 1), (3, 2), (4, 3)] {
        rig.peer_says(8, sequence, &payloads[n]);
    }
    assert_eq!(rig.at_base().len(), 4);
    let stats = rig.stats(SIP);
    assert_eq!(
        (stats.received, stats.lost, stats.late, stats.duplicated),
        (4, 0, 1, 1)
    );
}

#[test]
fn a_tone_is_heard_instead_of_the_peer_until_it_stops() {
    let mut rig = Rig::new();
    let (now, region) = (rig.now, Region::Germany);
    rig.session
        .play_tone(now, BASE, Tone::Dial, region, -10.0)
        .unwrap();
    let mut peer = pcma(1500.0, 100).into_iter();
    for sequence in 0..50 {
        rig.pass(20);
        rig.peer_says(8, sequence, &peer.next().unwrap());
    }
    let tone = rig.at_base();
    assert_eq!(tone.len(), 51);
    assert_tone(heard(Format::AAL2_G726_32, &tone), 425.0);
    rig.session.stop_tone(BASE).unwrap();
    for sequence in 50..100 {
        rig.pass(20);
        rig.peer_says(8, sequence, &peer.next().unwrap());
    }
    let speech = rig.at_base();
    assert_eq!(speech.len(), 50);
    assert!(speech[0].0.marker);
    let step = speech[0].0.timestamp.wrapping_sub(tone[50].0.timestamp);
    assert!((160..=320).contains(&step), "{step}");
    assert_tone(heard(Format::AAL2_G726_32, &speech[2..]), 1500.0);
}
