//! Digits, as events and as tones.

use std::time::Duration;

use super::rig::*;
use crate::codec::Law;
use crate::dtmf::Digit;
use crate::meter;
use crate::rtp::Header;
use crate::session::*;

#[test]
fn digits_are_sent_once_for_each_cause_and_speech_waits() {
    let mut rig = Rig::new();
    let ms = Duration::from_millis(100);
    for _ in 0..2 {
        let now = rig.now;
        rig.session
            .send_dtmf(now, SIP, "1#", ms, ms, (5, 9))
            .unwrap();
    }
    for payload in adpcm(400.0, 30) {
        rig.base_says(None, &payload);
        rig.pass(20);
    }
    let out = rig.at_peer();
    let events: Vec<u8> = (out.iter())
        .filter(|(h, _)| h.payload_type == 101)
        .map(|(h, p)| if h.marker { p[0] } else { 99 })
        .collect();
    assert_eq!(
        events,
        [1, 99, 99, 99, 99, 99, 99, 11, 99, 99, 99, 99, 99, 99]
    );
    let first = out.iter().position(|(h, _)| h.payload_type == 101).unwrap();
    let last = out
        .iter()
        .rposition(|(h, _)| h.payload_type == 101)
        .unwrap();
    assert!(out[first..=last].iter().all(|(h, _)| h.payload_type == 101));
    assert!(out.len() > last + 1, "speech goes on");
    let now = rig.now;
    let bad = rig.session.send_dtmf(now, SIP, "1x", ms, ms, (5, 10));
    assert_eq!(bad, Err(OrderError::Invalid("not a digit")));
}

#[test]
fn a_peer_without_events_hears_the_tones_of_a_digit() {
    let mut rig = Rig::new();
    let without = SipRemote {
        telephone_event: None,
        ..remote()
    };
    rig.session.modify_sip(SIP, without).unwrap();
    let (now, ms) = (rig.now, Duration::from_millis);
    rig.session
        .send_dtmf(now, SIP, "5", ms(400), ms(100), (1, 1))
        .unwrap();
    (0..30).for_each(|_| rig.pass(20));
    let out = rig.at_peer();
    let mut samples = vec![];
    for (_, payload) in &out[..20] {
        samples.extend(payload.iter().map(|c| Law::A.expand(*c)));
    }
    let tone = meter::tone(&samples).unwrap();
    let near = |hz: f64| (tone.frequency_hz - hz).abs() < 5.0;
    assert!(near(770.0) || near(1336.0), "{tone:?}");
    assert!((meter::level_dbm0(&samples) + 6.0).abs() < 0.5);
}

#[test]
fn digits_of_the_peer_are_told_once() {
    let mut rig = Rig::new();
    let header = |sequence, marker| Header {
        marker,
        payload_type: 101,
        sequence,
        timestamp: 8000,
        ssrc: 77,
    };
    for (n, flags) in [10, 10, 0x8A, 0x8A, 0x8A].into_iter().enumerate() {
        let mut packet = vec![0; 12];
        header(n as u16, n == 0).write(None, &mut packet).unwrap();
        packet.extend([7, flags, 1, 0x40]);
        let now = rig.now;
        rig.session
            .on_rtp(now, SIP, 0, &mut packet, peer_address(), &mut rig.post);
    }
    let digit = Digit::new('7').unwrap();
    let duration = Duration::from_millis(40);
    let expected = [
        Event::FirstPacket {
            leg: SIP,
            after: Duration::ZERO,
        },
        Event::Dtmf {
            leg: SIP,
            digit,
            duration,
        },
    ];
    assert_eq!(rig.events(), expected);
    assert_eq!(rig.at_base().len(), 0);
}
