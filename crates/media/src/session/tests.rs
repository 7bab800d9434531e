use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::codec::g726::{Encoder, Packing, Rate};
use crate::codec::{Format, Law, StreamDecoder};
use crate::meter;
use crate::rtp::{AirMark, Header, Packet, rtcp};
use crate::srtp::{KeyMaterial, MAX_OVERHEAD, Mki, Suite};
use crate::tests::t0;
use crate::tones::Oscillator;

const BASE: LegId = 1;
const SIP: LegId = 2;
const AAL2: Codec = Codec {
    payload_type: 96,
    format: Format::AAL2_G726_32,
};
const PCMA: Codec = Codec {
    payload_type: 8,
    format: Format::PCMA,
};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn base_address() -> SocketAddr {
    address("192.0.2.1:24592")
}

fn peer_address() -> SocketAddr {
    address("198.51.100.5:4000")
}

fn material(seed: u8) -> KeyMaterial {
    KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[seed; 30]).unwrap()
}

#[derive(Default)]
struct Post {
    buffer: Vec<u8>,
    sent: Vec<(Destination, Vec<u8>)>,
}

impl Outbox for Post {
    fn slot(&mut self) -> &mut [u8] {
        self.buffer.resize(MAX_PACKET, 0);
        &mut self.buffer
    }

    fn commit(&mut self, destination: Destination, length: usize) {
        self.sent
            .push((destination, self.buffer[..length].to_vec()));
    }
}

/// A session with a base leg and a SIP leg, and the two peers' ends of it.
struct Rig {
    session: Session,
    rng: ChaCha8Rng,
    now: Instant,
    post: Post,
    base_sender: crate::srtp::Sender,
    base_receiver: crate::srtp::Receiver,
    sequence: u16,
}

fn path(ssrc_in: u32, seed: u8) -> PathSpec {
    PathSpec {
        remote: base_address(),
        ssrc_out: ssrc_in + 1,
        ssrc_in,
        payload_type: 96,
        keys: Some((material(seed), material(seed + 1))),
    }
}

fn local() -> SipLocal {
    SipLocal {
        codecs: vec![PCMA],
        telephone_event: Some(101),
        key: None,
    }
}

fn remote() -> SipRemote {
    SipRemote {
        rtp: peer_address(),
        rtcp: address("198.51.100.5:4001"),
        codecs: vec![PCMA],
        telephone_event: Some(101),
        key: None,
        direction: Direction::SendRecv,
        source: SourceRule::Strict,
    }
}

impl Rig {
    fn new() -> Rig {
        let now = t0();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut session = Session::new(now, b"x@media");
        session
            .open_base(now, BASE, AAL2, 0, path(10, 1), &mut rng)
            .unwrap();
        session.open_sip(now, SIP, local(), &mut rng).unwrap();
        session.modify_sip(SIP, remote()).unwrap();
        session
            .connect(now, BASE, SIP, JunctionDirection::Both)
            .unwrap();
        Rig {
            session,
            rng,
            now,
            post: Post::default(),
            base_sender: crate::srtp::Sender::new(&material(2), Mki::default(), 0).unwrap(),
            base_receiver: crate::srtp::Receiver::new(&material(1), Mki::default()).unwrap(),
            sequence: 100,
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.session.on_deadline(self.now, &mut self.post);
    }

    /// A packet of the base station; the sequence number stands for the timestamp too.
    fn base_says(&mut self, air: Option<AirMark>, payload: &[u8]) {
        self.base_says_as(10, air, payload);
    }

    fn base_says_as(&mut self, ssrc: u32, air: Option<AirMark>, payload: &[u8]) {
        let sequence = self.sequence;
        self.sequence += 1;
        let timestamp = u32::from(sequence) * 160;
        let header = Header {
            marker: false,
            payload_type: 96,
            sequence,
            timestamp,
            ssrc,
        };
        let mut packet = vec![0; 40 + payload.len() + MAX_OVERHEAD];
        let start = header.write(air, &mut packet).unwrap();
        packet[start..start + payload.len()].copy_from_slice(payload);
        let length = self
            .base_sender
            .protect(&mut packet, start + payload.len())
            .unwrap();
        let (now, post) = (self.now, &mut self.post);
        self.session
            .on_rtp(now, BASE, 0, &mut packet[..length], base_address(), post);
    }

    fn peer_says(&mut self, payload_type: u8, sequence: u16, payload: &[u8]) {
        self.peer_says_from(peer_address(), payload_type, sequence, payload);
    }

    fn peer_says_from(
        &mut self,
        from: SocketAddr,
        payload_type: u8,
        sequence: u16,
        payload: &[u8],
    ) {
        let timestamp = u32::from(sequence) * 160;
        let header = Header {
            marker: false,
            payload_type,
            sequence,
            timestamp,
            ssrc: 77,
        };
        let mut packet = vec![0; 12];
        header.write(None, &mut packet).unwrap();
        packet.extend(payload);
        self.session
            .on_rtp(self.now, SIP, 0, &mut packet, from, &mut self.post);
    }

    /// RTP that went to the SIP peer since the last call.
    fn at_peer(&mut self) -> Vec<(Header, Vec<u8>)> {
        let sent = std::mem::take(&mut self.post.sent);
        (sent.into_iter())
            .filter(|(to, octets)| to.leg == SIP && !rtcp::is_rtcp(octets))
            .map(|(_, octets)| parsed(&octets))
            .collect()
    }

    fn at_base(&mut self) -> Vec<(Header, Vec<u8>)> {
        let sent = std::mem::take(&mut self.post.sent);
        (sent.into_iter())
            .filter(|(to, octets)| to.leg == BASE && !rtcp::is_rtcp(octets))
            .map(|(to, mut octets)| {
                assert_eq!(to.to, base_address());
                let length = self.base_receiver.unprotect(&mut octets).unwrap();
                parsed(&octets[..length])
            })
            .collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    fn stats(&mut self, leg: LegId) -> LegStats {
        let at = self.session.index(leg).unwrap();
        self.session.legs[at].life(self.now)
    }
}

fn parsed(octets: &[u8]) -> (Header, Vec<u8>) {
    let packet = Packet::parse(octets).unwrap();
    (packet.header, packet.payload.to_vec())
}

/// 20 ms payloads of a tone at -10 dBm0.
fn adpcm(hz: f64, packets: usize) -> Vec<[u8; 80]> {
    let mut samples = vec![0; 160 * packets];
    Oscillator::new(hz, -10.0).fill(&mut samples);
    let mut encoder = Encoder::new(Rate::R32);
    let pack = |samples: &[i16]| {
        let mut payload = [0; 80];
        Packing::Aal2.encode(&mut encoder, samples, &mut payload);
        payload
    };
    samples.chunks(160).map(pack).collect()
}

fn pcma(hz: f64, packets: usize) -> Vec<Vec<u8>> {
    let mut samples = vec![0; 160 * packets];
    Oscillator::new(hz, -10.0).fill(&mut samples);
    let coded = samples
        .iter()
        .map(|s| Law::A.compress(*s))
        .collect::<Vec<_>>();
    coded.chunks(160).map(<[u8]>::to_vec).collect()
}

fn heard(format: Format, packets: &[(Header, Vec<u8>)]) -> meter::Tone {
    let mut decoder = StreamDecoder::new(format);
    let mut samples = vec![];
    for (_, payload) in packets {
        let mut linear = vec![0; format.samples(payload.len())];
        decoder.decode(payload, &mut linear);
        samples.extend(linear);
    }
    meter::tone(&samples).unwrap()
}

fn assert_tone(tone: meter::Tone, hz: f64) {
    assert!((tone.frequency_hz - hz).abs() < 1.0, "{tone:?}");
    assert!((tone.level_dbm0 + 10.0).abs() < 0.5, "{tone:?}");
    assert!(tone.snr_db > 25.0, "{tone:?}");
}

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

#[test]
fn a_strict_leg_believes_one_address_and_says_what_it_refused() {
    let mut rig = Rig::new();
    rig.peer_says_from(address("198.51.100.5:4002"), 8, 1, &[0xD5; 160]);
    rig.peer_says_from(address("203.0.113.1:4000"), 8, 2, &[0xD5; 160]);
    assert_eq!(rig.at_base().len(), 0);
    rig.pass(1000);
    let expected = [Event::Security {
        leg: SIP,
        kind: Distrust::UnexpectedSource,
        count: 2,
    }];
    assert_eq!(rig.events(), expected);
}

#[test]
fn a_latch_needs_a_valid_packet_and_holds() {
    let mut rig = Rig::new();
    let latching = SipRemote {
        source: SourceRule::LatchOnce,
        ..remote()
    };
    rig.session.modify_sip(SIP, latching).unwrap();
    let (real, other) = (address("203.0.113.9:7000"), address("203.0.113.66:1"));
    rig.peer_says_from(other, 99, 1, &[0; 160]);
    rig.peer_says_from(real, 8, 1, &[0xD5; 160]);
    rig.peer_says_from(other, 8, 2, &[0xD5; 160]);
    assert_eq!(rig.at_base().len(), 1);
    rig.base_says(None, &[0xFF; 80]);
    assert_eq!(rig.post.sent[0].0.to, real);
}

#[test]
fn under_srtp_only_an_authentic_packet_latches_and_a_plain_answer_is_spoken_to_plainly() {
    let mut rig = Rig::new();
    let key = KeyOut {
        material: material(40),
        mki: Mki::new(&[1]).unwrap(),
        lifetime: 0,
    };
    let secure = SipLocal {
        key: Some(key),
        ..local()
    };
    let now = rig.now;
    rig.session.open_sip(now, 3, secure, &mut rig.rng).unwrap();
    rig.session
        .connect(now, BASE, 3, JunctionDirection::Both)
        .unwrap();
    let peer_key = KeyIn {
        material: material(50),
        mki: Mki::default(),
    };
    let there = SipRemote {
        key: Some(peer_key),
        source: SourceRule::LatchOnce,
        ..remote()
    };
    rig.session.modify_sip(3, there.clone()).unwrap();
    let mut forged = vec![0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5];
    forged.extend([0xD5; 170]);
    let other = address("203.0.113.66:1");
    rig.session
        .on_rtp(now, 3, 0, &mut forged, other, &mut rig.post);
    rig.base_says(None, &[0xFF; 80]);
    let to: Vec<_> = rig
        .post
        .sent
        .drain(..)
        .filter(|(d, _)| d.leg == 3)
        .collect();
    assert_eq!(to.len(), 1);
    assert_eq!(
        (to[0].0.to, to[0].1.len()),
        (peer_address(), 12 + 160 + 1 + 10)
    );
    rig.session
        .modify_sip(3, SipRemote { key: None, ..there })
        .unwrap();
    rig.base_says(None, &[0xFF; 80]);
    let to: Vec<_> = rig
        .post
        .sent
        .drain(..)
        .filter(|(d, _)| d.leg == 3)
        .collect();
    assert_eq!(to[0].1.len(), 12 + 160);
    rig.pass(1000);
    let refused = Event::Security {
        leg: 3,
        kind: Distrust::AuthFailed,
        count: 1,
    };
    assert!(rig.events().contains(&refused));
}

#[test]
fn on_handover_both_paths_are_spoken_to_and_the_newest_that_delivers_is_heard() {
    let mut rig = Rig::new();
    rig.base_says(None, &[0xFF; 80]);
    rig.session
        .add_path(BASE, 1, path(20, 5), &mut rig.rng)
        .unwrap();
    assert_eq!(
        rig.session.add_path(BASE, 1, path(20, 5), &mut rig.rng),
        Ok(())
    );
    assert_eq!(
        rig.session.add_path(BASE, 1, path(21, 5), &mut rig.rng),
        Err(OrderError::Conflict)
    );
    rig.base_says(None, &[0xFF; 80]);
    assert_eq!(rig.at_peer().len(), 2);
    rig.peer_says(8, 1, &[0xD5; 160]);
    assert_eq!(
        rig.post
            .sent
            .drain(..)
            .filter(|(d, _)| d.leg == BASE)
            .count(),
        2
    );
    // The new base delivers: from now on the old one is not heard.
    let mut new = crate::srtp::Sender::new(&material(6), Mki::default(), 0).unwrap();
    let header = Header {
        marker: false,
        payload_type: 96,
        sequence: 5,
        timestamp: 9,
        ssrc: 20,
    };
    let mut packet = vec![0xFF; 12 + 80 + MAX_OVERHEAD];
    header.write(None, &mut packet).unwrap();
    let length = new.protect(&mut packet, 92).unwrap();
    let now = rig.now;
    rig.session.on_rtp(
        now,
        BASE,
        1,
        &mut packet[..length],
        base_address(),
        &mut rig.post,
    );
    rig.base_says(None, &[0xFF; 80]);
    assert_eq!(rig.at_peer().len(), 1);
    rig.session.drop_path(BASE, 0).unwrap();
    rig.peer_says(8, 2, &[0xD5; 160]);
    assert_eq!(
        rig.post
            .sent
            .drain(..)
            .filter(|(d, _)| d.leg == BASE)
            .count(),
        1
    );
}

#[test]
fn silence_is_told_every_ten_seconds_and_a_minute_of_both_is_the_end() {
    let mut rig = Rig::new();
    let mut told = vec![];
    for _ in 0..62 {
        rig.pass(1000);
        told.extend(
            rig.events()
                .into_iter()
                .filter(|e| !matches!(e, Event::Stats { .. })),
        );
    }
    let silences = |of: LegId| {
        (told.iter())
            .filter_map(|e| match e {
                Event::Silent { leg, lasting } if *leg == of => Some(lasting.as_secs()),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(silences(SIP), [10, 20, 30, 40, 50, 60]);
    assert_eq!(silences(BASE), [10, 20, 30, 40, 50, 60]);
    assert!(told.contains(&Event::Abandoned));
}

#[test]
fn legs_that_nobody_hears_may_be_silent_and_one_that_speaks_keeps_the_session() {
    let mut rig = Rig::new();
    rig.session
        .disconnect(BASE, SIP, JunctionDirection::Both)
        .unwrap();
    for _ in 0..70 {
        rig.pass(1000);
    }
    assert!(
        rig.events()
            .iter()
            .all(|e| matches!(e, Event::Stats { .. }))
    );
    let now = rig.now;
    rig.session
        .connect(now, BASE, SIP, JunctionDirection::Both)
        .unwrap();
    for _ in 0..70 {
        rig.pass(1000);
        rig.base_says(None, &[0xFF; 80]);
    }
    assert!(!rig.events().contains(&Event::Abandoned));
}

#[test]
fn a_held_leg_is_neither_heard_nor_spoken_to() {
    let mut rig = Rig::new();
    for (direction, to_peer, to_base) in [
        (Direction::SendOnly, 1, 0),
        (Direction::RecvOnly, 0, 1),
        (Direction::Inactive, 0, 0),
        (Direction::SendRecv, 1, 1),
    ] {
        rig.session
            .modify_sip(
                SIP,
                SipRemote {
                    direction,
                    ..remote()
                },
            )
            .unwrap();
        let sequence = rig.sequence;
        rig.base_says(None, &[0xFF; 80]);
        assert_eq!(rig.at_peer().len(), to_peer, "{direction:?}");
        rig.peer_says(8, sequence, &[0xD5; 160]);
        assert_eq!(rig.at_base().len(), to_base, "{direction:?}");
    }
}

#[test]
fn orders_repeated_are_harmless_and_other_content_is_a_conflict() {
    let mut rig = Rig::new();
    let (now, session, rng) = (rig.now, &mut rig.session, &mut rig.rng);
    assert_eq!(
        session.open_base(now, BASE, AAL2, 0, path(10, 1), rng),
        Ok(())
    );
    let other = session.open_base(now, BASE, AAL2, 0, path(12, 1), rng);
    assert_eq!(other, Err(OrderError::Conflict));
    assert_eq!(session.open_sip(now, SIP, local(), rng), Ok(()));
    let other = SipLocal {
        telephone_event: None,
        ..local()
    };
    assert_eq!(
        session.open_sip(now, SIP, other, rng),
        Err(OrderError::Conflict)
    );
    assert_eq!(
        session.open_sip(now, BASE, local(), rng),
        Err(OrderError::Conflict)
    );
    assert_eq!(session.modify_sip(9, remote()), Err(OrderError::UnknownLeg));
    let region = Region::Germany;
    assert_eq!(
        session.play_tone(now, 9, Tone::Busy, region, 0.0),
        Err(OrderError::UnknownLeg)
    );
    assert!(session.close_leg(now, SIP, &mut rig.post).is_some());
    assert!(session.close_leg(now, SIP, &mut rig.post).is_none());
    assert_eq!(session.junctions(), []);
}

#[test]
fn the_same_sdp_again_keeps_the_replay_window() {
    let mut rig = Rig::new();
    let key = KeyOut {
        material: material(40),
        mki: Mki::default(),
        lifetime: 0,
    };
    let now = rig.now;
    rig.session
        .open_sip(
            now,
            3,
            SipLocal {
                key: Some(key),
                ..local()
            },
            &mut rig.rng,
        )
        .unwrap();
    let peer_key = KeyIn {
        material: material(50),
        mki: Mki::default(),
    };
    let there = SipRemote {
        key: Some(peer_key),
        ..remote()
    };
    rig.session.modify_sip(3, there.clone()).unwrap();
    let mut sender = crate::srtp::Sender::new(&material(50), Mki::default(), 0).unwrap();
    let mut packet = vec![0xD5; 12 + 160 + MAX_OVERHEAD];
    Header {
        marker: false,
        payload_type: 8,
        sequence: 1,
        timestamp: 0,
        ssrc: 5,
    }
    .write(None, &mut packet)
    .unwrap();
    let length = sender.protect(&mut packet, 172).unwrap();
    rig.session.on_rtp(
        now,
        3,
        0,
        &mut packet.clone()[..length],
        peer_address(),
        &mut rig.post,
    );
    // A re-INVITE of a new owner: another direction first, then all as before.
    let held = SipRemote {
        direction: Direction::Inactive,
        ..there.clone()
    };
    rig.session.modify_sip(3, held).unwrap();
    rig.session.modify_sip(3, there).unwrap();
    rig.session.on_rtp(
        now,
        3,
        0,
        &mut packet[..length],
        peer_address(),
        &mut rig.post,
    );
    rig.pass(1000);
    let replay = Event::Security {
        leg: 3,
        kind: Distrust::Replay,
        count: 1,
    };
    assert!(rig.events().contains(&replay));
}

#[test]
fn reports_go_out_every_five_seconds_and_tell_the_round_trip() {
    let mut rig = Rig::new();
    rig.base_says(None, &[0xFF; 80]);
    rig.peer_says(8, 1, &[0xD5; 160]);
    rig.pass(5000);
    let reports: Vec<_> = rig
        .post
        .sent
        .drain(..)
        .filter(|(_, o)| rtcp::is_rtcp(o))
        .collect();
    assert_eq!(reports.len(), 2);
    let (destination, report) = reports.iter().find(|(d, _)| d.leg == SIP).unwrap();
    assert!(destination.rtcp);
    assert_eq!(destination.to, address("198.51.100.5:4001"));
    let ours = rtcp::parse(report, 77).unwrap();
    assert_eq!(ours.block.unwrap().lost, 0);
    let ssrc = u32::from_be_bytes(report[4..8].try_into().unwrap());
    rig.pass(150);
    let block = rtcp::ReportBlock {
        ssrc,
        fraction_lost: 0,
        lost: 0,
        highest: 1,
        jitter: 0,
        last_sr: ours.last_sr.unwrap(),
        delay: 65_536 / 10,
    };
    let answer = rtcp::Report {
        ssrc: 77,
        sender: None,
        block: Some(block),
        cname: b"p",
        bye: false,
    };
    let mut buffer = [0; 200];
    let length = answer.write(&mut buffer).unwrap();
    let (now, from) = (rig.now, address("198.51.100.5:4001"));
    rig.session
        .on_rtcp(now, SIP, 0, &mut buffer[..length], from);
    let trip = rig.stats(SIP).round_trip.unwrap();
    assert!((trip.as_secs_f64() - 0.05).abs() < 0.001, "{trip:?}");
}

#[test]
fn figures_are_of_their_window_and_overflows_count_as_lost() {
    let mut rig = Rig::new();
    for payload in adpcm(1000.0, 100) {
        rig.base_says(None, &payload);
        rig.pass(20);
    }
    rig.session.overflowed(BASE, 3);
    rig.pass(3000);
    rig.pass(5000);
    let windows: Vec<LegStats> = (rig.events().into_iter())
        .filter_map(|e| match e {
            Event::Stats { leg: BASE, stats } => Some(stats),
            _ => None,
        })
        .collect();
    assert_eq!(windows.len(), 2);
    assert_eq!(
        (windows[0].received, windows[0].lost, windows[0].overflows),
        (100, 3, 3)
    );
    assert!(
        (windows[0].level_dbm0 + 10.0).abs() < 0.5,
        "{:?}",
        windows[0]
    );
    assert!(windows[0].r_factor > 60.0);
    assert_eq!((windows[1].received, windows[1].lost), (0, 0));
}
