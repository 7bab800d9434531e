//! A session with a base leg and a SIP leg, and both peers by hand.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::codec::g726::{Encoder, Packing, Rate};
use crate::codec::{Format, Law, StreamDecoder};
use crate::meter;
use crate::rtp::{AirMark, Header, Packet, rtcp};
use crate::session::*;
use crate::srtp::{KeyMaterial, MAX_OVERHEAD, Mki, Suite};
use crate::tests::t0;
use crate::tones::Oscillator;

pub(super) const BASE: LegId = 1;
pub(super) const SIP: LegId = 2;
pub(super) const SECURED: LegId = 3;
pub(super) const AAL2: Codec = Codec {
    payload_type: 96,
    format: Format::AAL2_G726_32,
};
pub(super) const PCMA: Codec = Codec {
    payload_type: 8,
    format: Format::PCMA,
};

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn base_address() -> SocketAddr {
    address("192.0.2.1:24592")
}

pub(super) fn peer_address() -> SocketAddr {
    address("198.51.100.5:4000")
}

pub(super) fn material(seed: u8) -> KeyMaterial {
    KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[seed; 30]).unwrap()
}

#[derive(Default)]
pub(super) struct Post {
    buffer: Vec<u8>,
    pub(super) sent: Vec<(Destination, Vec<u8>)>,
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
pub(super) struct Rig {
    pub(super) session: Session,
    pub(super) rng: ChaCha8Rng,
    pub(super) now: Instant,
    pub(super) post: Post,
    pub(super) base_sender: crate::srtp::Sender,
    pub(super) base_receiver: crate::srtp::Receiver,
    pub(super) sequence: u16,
}

pub(super) fn path(ssrc_in: u32, seed: u8) -> PathSpec {
    PathSpec {
        remote: base_address(),
        ssrc_out: ssrc_in + 1,
        ssrc_in,
        payload_type: 96,
        keys: Some((material(seed), material(seed + 1))),
    }
}

pub(super) fn local() -> SipLocal {
    SipLocal {
        codecs: vec![PCMA],
        telephone_event: Some(101),
        key: None,
    }
}

pub(super) fn remote() -> SipRemote {
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
    pub(super) fn new() -> Rig {
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

    pub(super) fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.session.on_deadline(self.now, &mut self.post);
    }

    /// A packet of the base station; the sequence number stands for the timestamp too.
    pub(super) fn base_says(&mut self, air: Option<AirMark>, payload: &[u8]) {
        let sequence = self.sequence;
        self.sequence += 1;
        let timestamp = u32::from(sequence) * 160;
        let header = Header {
            marker: false,
            payload_type: 96,
            sequence,
            timestamp,
            ssrc: 10,
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

    pub(super) fn peer_says(&mut self, payload_type: u8, sequence: u16, payload: &[u8]) {
        self.peer_says_from(peer_address(), payload_type, sequence, payload);
    }

    pub(super) fn peer_says_from(
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

    /// Packets that went out on a leg since anything was last taken, as they are.
    pub(super) fn sent_on(&mut self, leg: LegId) -> Vec<(Destination, Vec<u8>)> {
        let sent = std::mem::take(&mut self.post.sent);
        sent.into_iter().filter(|(to, _)| to.leg == leg).collect()
    }

    /// RTP that went to the SIP peer since the last call.
    pub(super) fn at_peer(&mut self) -> Vec<(Header, Vec<u8>)> {
        let sent = self.sent_on(SIP).into_iter();
        sent.filter(|(_, octets)| !rtcp::is_rtcp(octets))
            .map(|(_, octets)| parsed(&octets))
            .collect()
    }

    /// RTP that went to the base station since the last call, decrypted.
    pub(super) fn at_base(&mut self) -> Vec<(Header, Vec<u8>)> {
        let sent = self.sent_on(BASE).into_iter();
        sent.filter(|(_, octets)| !rtcp::is_rtcp(octets))
            .map(|(to, mut octets)| {
                assert_eq!(to.to, base_address());
                let length = self.base_receiver.unprotect(&mut octets).unwrap();
                parsed(&octets[..length])
            })
            .collect()
    }

    /// A third leg, under SRTP in both directions; what its peer said, to be said again.
    pub(super) fn opens_secured(&mut self, mki: Mki, source: SourceRule) -> SipRemote {
        let ours = KeyOut {
            material: material(40),
            mki,
            lifetime: 0,
        };
        let theirs = KeyIn {
            material: material(50),
            mki: Mki::default(),
        };
        let secured = SipLocal {
            key: Some(ours),
            ..local()
        };
        self.session
            .open_sip(self.now, SECURED, secured, &mut self.rng)
            .unwrap();
        let there = SipRemote {
            key: Some(theirs),
            source,
            ..remote()
        };
        self.session.modify_sip(SECURED, there.clone()).unwrap();
        there
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    pub(super) fn stats(&mut self, leg: LegId) -> LegStats {
        let at = self.session.index(leg).unwrap();
        self.session.legs[at].life(self.now)
    }
}

pub(super) fn parsed(octets: &[u8]) -> (Header, Vec<u8>) {
    let packet = Packet::parse(octets).unwrap();
    (packet.header, packet.payload.to_vec())
}

/// 20 ms payloads of a tone at -10 dBm0.
pub(super) fn adpcm(hz: f64, packets: usize) -> Vec<[u8; 80]> {
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

pub(super) fn pcma(hz: f64, packets: usize) -> Vec<Vec<u8>> {
    let mut samples = vec![0; 160 * packets];
    Oscillator::new(hz, -10.0).fill(&mut samples);
    let coded = samples
        .iter()
        .map(|s| Law::A.compress(*s))
        .collect::<Vec<_>>();
    coded.chunks(160).map(<[u8]>::to_vec).collect()
}

pub(super) fn heard(format: Format, packets: &[(Header, Vec<u8>)]) -> meter::Tone {
    let mut decoder = StreamDecoder::new(format);
    let mut samples = vec![];
    for (_, payload) in packets {
        let mut linear = vec![0; format.samples(payload.len())];
        decoder.decode(payload, &mut linear);
        samples.extend(linear);
    }
    meter::tone(&samples).unwrap()
}

pub(super) fn assert_tone(tone: meter::Tone, hz: f64) {
    assert!((tone.frequency_hz - hz).abs() < 1.0, "{tone:?}");
    assert!((tone.level_dbm0 + 10.0).abs() < 0.5, "{tone:?}");
    assert!(tone.snr_db > 25.0, "{tone:?}");
}
