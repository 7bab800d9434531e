//! A worker with real sockets on the loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use ipdect_media::codec::{Format, StreamDecoder, StreamEncoder};
use ipdect_media::meter;
use ipdect_media::rtp::{Header, Packet, rtcp};
use ipdect_media::session::{Direction, SourceRule};
use ipdect_media::srtp::{KeyMaterial, MAX_OVERHEAD, Mki, Receiver, Sender, Suite};
use ipdect_media::tones::Oscillator;
use ipdect_node::config::PortRange;
use ipdect_node::{Random, SystemClock};
use tokio::sync::mpsc;

use super::*;
use crate::session::ports::Ports;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const AAL2: Codec = Codec {
    payload_type: 96,
    format: Format::AAL2_G726_32,
};
const PCMA: Codec = Codec {
    payload_type: 8,
    format: Format::PCMA,
};

fn material(seed: u8) -> KeyMaterial {
    KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[seed; 30]).unwrap()
}

/// A worker, and a base station and a phone on sockets of their own.
struct Rig {
    worker: Worker,
    told: mpsc::Receiver<Told>,
    ports: Ports,
    base: UdpSocket,
    phone: UdpSocket,
    phone_rtcp: UdpSocket,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket
}

impl Rig {
    fn new() -> Rig {
        let (teller, told) = mpsc::channel(1024);
        let around = Surroundings {
            clock: Arc::new(SystemClock),
            random: Random::seeded(1),
            teller,
            advertise: None,
        };
        let worker = Worker::start(0, UdpSocket::bind((LOOPBACK, 0)).unwrap(), around).unwrap();
        let ports = Ports::new(LOOPBACK, PortRange { first: 0, last: 0 });
        Rig {
            worker,
            told,
            ports,
            base: socket(),
            phone: socket(),
            phone_rtcp: socket(),
        }
    }

    fn order(&self, session: SessionKey, act: Act) -> Result<Done, Failure> {
        let (reply, answer) = oneshot::channel();
        self.worker.hands().send(Command::Act {
            session,
            act,
            reply,
        });
        answer.blocking_recv().unwrap()
    }

    fn path(&self, ssrc_in: u32) -> PathSpec {
        PathSpec {
            remote: self.base.local_addr().unwrap(),
            ssrc_out: ssrc_in + 1,
            ssrc_in,
            payload_type: 96,
            keys: Some((material(1), material(2))),
        }
    }

    /// Opens both legs and connects them; answers the address of the SIP leg.
    fn connected(&self, session: SessionKey) -> SocketAddr {
        self.order(session, Act::Open).unwrap();
        let spec = self.path(10);
        let base = Act::OpenBase {
            leg: 1,
            codec: AAL2,
            path: 0,
            spec,
        };
        let here = self.worker.base();
        assert_eq!(
            self.order(session, base),
            Ok(Done::Opened {
                leg: 1,
                rtp: here,
                rtcp: here
            })
        );
        let local = SipLocal {
            codecs: vec![PCMA],
            telephone_event: Some(101),
            key: None,
        };
        let sockets = Some(self.ports.lease().unwrap());
        let opened = self.order(
            session,
            Act::OpenSip {
                leg: 2,
                local,
                sockets,
                dscp: 46,
            },
        );
        let Ok(Done::Opened { rtp, .. }) = opened else {
            panic!("{opened:?}")
        };
        let remote = SipRemote {
            rtp: self.phone.local_addr().unwrap(),
            rtcp: self.phone_rtcp.local_addr().unwrap(),
            codecs: vec![PCMA],
            telephone_event: Some(101),
            key: None,
            direction: Direction::SendRecv,
            source: SourceRule::Strict,
        };
        self.order(session, Act::Modify { leg: 2, remote }).unwrap();
        let direction = JunctionDirection::Both;
        self.order(
            session,
            Act::Connect {
                a: 1,
                b: 2,
                direction,
            },
        )
        .unwrap();
        rtp
    }
}

/// Packets of a tone in some format, headers included.
fn tone(codec: Codec, ssrc: u32, hz: f64, packets: u16) -> Vec<Vec<u8>> {
    let mut oscillator = Oscillator::new(hz, -10.0);
    let mut encoder = StreamEncoder::new(codec.format);
    let packet = |n: u16| {
        let header = Header {
            marker: n == 0,
            payload_type: codec.payload_type,
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc,
        };
        let mut samples = [0; 160];
        oscillator.fill(&mut samples);
        let mut packet = vec![0; 12 + codec.format.octets(160)];
        header.write(None, &mut packet).unwrap();
        encoder.encode(&samples, &mut packet[12..]);
        packet
    };
    (0..packets).map(packet).collect()
}

/// What a tone measures as after that many packets from a socket.
fn hear(
    socket: &UdpSocket,
    format: Format,
    packets: usize,
    mut open: impl FnMut(&mut [u8]) -> usize,
) -> meter::Tone {
    let mut decoder = StreamDecoder::new(format);
    let mut samples = vec![];
    let mut buffer = [0; 2048];
    while samples.len() < packets * 160 {
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        if rtcp::is_rtcp(&buffer[..length]) {
            continue;
        }
        let length = open(&mut buffer[..length]);
        let packet = Packet::parse(&buffer[..length]).unwrap();
        let mut linear = [0; 160];
        assert_eq!(decoder.decode(packet.payload, &mut linear), 160);
        samples.extend(linear);
    }
    meter::tone(&samples).unwrap()
}

fn assert_tone(tone: meter::Tone, hz: f64) {
    assert!((tone.frequency_hz - hz).abs() < 1.0, "{tone:?}");
    assert!((tone.level_dbm0 + 10.0).abs() < 0.5, "{tone:?}");
    assert!(tone.snr_db > 25.0 && tone.spoilt_blocks <= 1, "{tone:?}");
}

#[test]
fn a_tone_crosses_from_encrypted_adpcm_to_pcma_and_back() {
    let rig = Rig::new();
    let sip = rig.connected(1);
    let key = material(2);
    let mut sender = Sender::new(&key, Mki::default(), 0).unwrap();
    for mut packet in tone(AAL2, 10, 1000.0, 50) {
        let length = packet.len();
        packet.extend([0; MAX_OVERHEAD]);
        let length = sender.protect(&mut packet, length).unwrap();
        rig.base
            .send_to(&packet[..length], rig.worker.base())
            .unwrap();
    }
    assert_tone(hear(&rig.phone, Format::PCMA, 50, |p| p.len()), 1000.0);
    for packet in tone(PCMA, 77, 700.0, 50) {
        rig.phone.send_to(&packet, sip).unwrap();
    }
    let mut receiver = Receiver::new(&material(1), Mki::default()).unwrap();
    let heard = hear(&rig.base, Format::AAL2_G726_32, 50, |p| {
        receiver.unprotect(p).unwrap()
    });
    assert_tone(heard, 700.0);
}

#[test]
fn a_call_progress_tone_comes_every_20_ms_without_anyone_sending() {
    let rig = Rig::new();
    rig.connected(1);
    let (tone, region) = (Tone::Dial, Region::Germany);
    rig.order(
        1,
        Act::PlayTone {
            leg: 1,
            tone,
            region,
            level_dbm0: -10.0,
        },
    )
    .unwrap();
    let mut receiver = Receiver::new(&material(1), Mki::default()).unwrap();
    let heard = hear(&rig.base, Format::AAL2_G726_32, 25, |p| {
        receiver.unprotect(p).unwrap()
    });
    assert_tone(heard, 425.0);
}

#[test]
fn a_source_in_use_is_refused_and_free_again_after_the_leg() {
    let rig = Rig::new();
    rig.connected(1);
    rig.order(2, Act::Open).unwrap();
    let again = || Act::OpenBase {
        leg: 1,
        codec: AAL2,
        path: 0,
        spec: rig.path(10),
    };
    assert_eq!(rig.order(2, again()), Err(Failure::SsrcInUse));
    let closed = rig.order(1, Act::CloseLeg { leg: 1 });
    assert!(
        matches!(closed, Ok(Done::LegClosed(Some((1, _))))),
        "{closed:?}"
    );
    assert!(rig.order(2, again()).is_ok());
    assert_eq!(
        rig.order(1, Act::CloseLeg { leg: 1 }),
        Ok(Done::LegClosed(None))
    );
}

#[test]
fn ports_come_back_when_a_session_closes_and_the_peer_is_told_goodbye() {
    let rig = Rig::new();
    rig.connected(1);
    assert_eq!(rig.ports.leased(), 1);
    let Ok(Done::Closed(stats)) = rig.order(1, Act::Close) else {
        panic!()
    };
    assert_eq!(stats.iter().map(|s| s.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(rig.ports.leased(), 0);
    let mut buffer = [0; 500];
    let (length, _) = rig.phone_rtcp.recv_from(&mut buffer).unwrap();
    assert!(rtcp::parse(&buffer[..length], 0).unwrap().bye);
    assert_eq!(rig.order(1, Act::Close), Err(Failure::UnknownSession));
}

#[test]
fn a_session_is_described_as_it_was_ordered() {
    let rig = Rig::new();
    let sip = rig.connected(1);
    let (reply, answer) = oneshot::channel();
    rig.worker.hands().send(Command::Describe {
        sessions: vec![1, 9],
        reply,
    });
    let described = answer.blocking_recv().unwrap();
    assert_eq!(described.len(), 1);
    let state = &described[0].1;
    assert_eq!(state.junctions, [(1, 2), (2, 1)]);
    assert_eq!(state.legs[0].paths, [(0, rig.path(10))]);
    assert_eq!(state.legs[1].rtp, sip);
    assert_eq!(
        state.legs[1].remote.as_ref().unwrap().rtp,
        rig.phone.local_addr().unwrap()
    );
}

#[test]
fn the_first_packet_is_told_and_strangers_are_counted() {
    let mut rig = Rig::new();
    let sip = rig.connected(1);
    rig.base
        .send_to(&tone(AAL2, 999, 400.0, 1)[0], rig.worker.base())
        .unwrap();
    rig.phone
        .send_to(&tone(PCMA, 77, 400.0, 1)[0], sip)
        .unwrap();
    let mut unknown = 0;
    let first = loop {
        match rig.told.blocking_recv().unwrap() {
            Told::Event {
                session: 1,
                event: Event::FirstPacket { leg, .. },
            } => break leg,
            Told::Second(second) => unknown += second.unknown,
            _ => {}
        }
    };
    assert_eq!(first, 2);
    while unknown == 0 {
        if let Told::Second(second) = rig.told.blocking_recv().unwrap() {
            unknown += second.unknown;
        }
    }
    assert_eq!(unknown, 1);
}
