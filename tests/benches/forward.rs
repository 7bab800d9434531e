//! A transcoded call in a media session: SRTP G.726 of the base station on one side, SRTP G.711 of the SIP peer on the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_media::codec::Format;
use ipdect_media::rtp::{AirMark, Header};
use ipdect_media::session::{
    Codec, Destination, Direction, JunctionDirection, KeyIn, KeyOut, MAX_PACKET, Outbox, PathSpec,
    Session, SipLocal, SipRemote, SourceRule,
};
use ipdect_media::srtp::{KeyMaterial, Mki, Sender, Suite};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::bench::{Bench, Figure};

/// Packets a second of one call, both directions.
const PACKETS: f64 = 100.0;

struct Slot {
    buffer: [u8; MAX_PACKET],
    packets: u64,
}

impl Outbox for Slot {
    fn slot(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    fn commit(&mut self, _: Destination, _: usize) {
        self.packets += 1;
    }
}

/// One end that sends protected packets to a leg.
struct End {
    sender: Sender,
    header: Header,
    payload: usize,
    air: Option<AirMark>,
}

impl End {
    fn new(seed: u8, payload_type: u8, payload: usize, air: Option<AirMark>) -> End {
        let sender = Sender::new(&material(seed), Mki::default(), 0).expect("length of the suite");
        let header = Header {
            marker: false,
            payload_type,
            sequence: 1,
            timestamp: 0,
            ssrc: 10,
        };
        End {
            sender,
            header,
            payload,
            air,
        }
    }

    fn next(&mut self) -> Vec<u8> {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
        let mut buffer = vec![0x55; 256];
        let start = self.header.write(self.air, &mut buffer).expect("room");
        let length = self
            .sender
            .protect(&mut buffer, start + self.payload)
            .expect("room");
        buffer.truncate(length);
        buffer
    }
}

fn material(seed: u8) -> KeyMaterial {
    KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[seed; 30]).expect("30 octets")
}

fn session(now: Instant, base: SocketAddr, peer: SocketAddr) -> Session {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut session = Session::new(now, b"ipdect");
    let path = PathSpec {
        remote: base,
        ssrc_out: 11,
        ssrc_in: 10,
        payload_type: 96,
        keys: Some((material(1), material(2))),
    };
    let adpcm = Codec {
        payload_type: 96,
        format: Format::AAL2_G726_32,
    };
    session
        .open_base(now, 1, adpcm, 0, path, &mut rng)
        .expect("new leg");
    let codecs = vec![Codec {
        payload_type: 8,
        format: Format::PCMA,
    }];
    let key = Some(KeyOut {
        material: material(3),
        mki: Mki::default(),
        lifetime: 0,
    });
    let local = SipLocal {
        codecs: codecs.clone(),
        telephone_event: Some(101),
        key,
    };
    session.open_sip(now, 2, local, &mut rng).expect("new leg");
    let remote = SipRemote {
        rtp: peer,
        rtcp: peer,
        codecs,
        telephone_event: Some(101),
        key: Some(KeyIn {
            material: material(4),
            mki: Mki::default(),
        }),
        direction: Direction::SendRecv,
        source: SourceRule::Strict,
    };
    session.modify_sip(2, remote).expect("leg is there");
    session
        .connect(now, 1, 2, JunctionDirection::Both)
        .expect("legs are there");
    session
}

pub(crate) fn run(bench: &mut Bench) {
    let base: SocketAddr = ([127, 0, 0, 1], 1000).into();
    let peer: SocketAddr = ([127, 0, 0, 1], 2000).into();
    let mut now = Instant::now();
    let mut session = session(now, base, peer);
    let mut slot = Slot {
        buffer: [0; MAX_PACKET],
        packets: 0,
    };
    let (mut from_base, mut from_peer) = (
        End::new(2, 96, 80, Some(AirMark::default())),
        End::new(4, 8, 160, None),
    );
    let mut turn = |(mut up, mut down): (Vec<u8>, Vec<u8>)| {
        now += Duration::from_millis(20);
        session.on_rtp(now, 1, 0, &mut up, base, &mut slot);
        session.on_rtp(now, 2, 0, &mut down, peer, &mut slot);
        session.on_deadline(now, &mut slot);
        while session.poll_event().is_some() {}
        (up, down, slot.packets)
    };
    // The first packets make the tables of sources.
    let mut sent = 0;
    for _ in 0..100 {
        (_, _, sent) = turn((from_base.next(), from_peer.next()));
    }
    assert!(sent >= 200, "both directions flow: {sent}");
    let figure = bench.batched(
        "media/forward",
        || (from_base.next(), from_peer.next()),
        turn,
    );
    // A turn is a packet each way.
    let one = figure.map(|pair| Figure {
        ns: pair.ns / 2.0,
        allocations: pair.allocations.map(|count| count / 2.0),
    });
    let core = |one: Figure| {
        format!(
            "{:.2} % of a core a call (budget 0.4 % with sockets)",
            one.ns * PACKETS / 1e9 * 100.0
        )
    };
    bench.alone("media: a packet in to a packet out", one, core);
}
