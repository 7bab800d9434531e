//! Proof that a packet on its way through a session allocates nothing.

// A counting allocator can only be written with `unsafe`; this test crate is the one place that needs it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
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

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Lends one buffer again and again.
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

fn material(seed: u8) -> KeyMaterial {
    KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[seed; 30]).expect("30 octets")
}

/// One end that sends protected packets to a leg.
struct End {
    sender: Sender,
    header: Header,
    payload: usize,
    buffer: [u8; 400],
}

impl End {
    fn new(seed: u8, payload_type: u8, payload: usize) -> End {
        let sender = Sender::new(&material(seed), Mki::default(), 0).expect("key");
        let header = Header {
            marker: false,
            payload_type,
            sequence: 60_000,
            timestamp: 0,
            ssrc: 10,
        };
        End {
            sender,
            header,
            payload,
            buffer: [0x55; 400],
        }
    }

    fn next(&mut self, air: Option<AirMark>) -> &mut [u8] {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
        let start = self.header.write(air, &mut self.buffer).expect("room");
        let length = self
            .sender
            .protect(&mut self.buffer, start + self.payload)
            .expect("room");
        &mut self.buffer[..length]
    }
}

#[allow(clippy::disallowed_methods)] // A test has to begin somewhere.
fn begin() -> Instant {
    Instant::now()
}

fn session(now: Instant, base: SocketAddr, peer: SocketAddr) -> Session {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut session = Session::new(now, b"x");
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

#[test]
fn a_transcoded_srtp_call_of_a_minute_allocates_nothing() {
    let base: SocketAddr = "127.0.0.1:1000".parse().expect("address");
    let peer: SocketAddr = "127.0.0.1:2000".parse().expect("address");
    let mut now = begin();
    let mut session = session(now, base, peer);
    let mut slot = Slot {
        buffer: [0; MAX_PACKET],
        packets: 0,
    };
    let (mut from_base, mut from_peer) = (End::new(2, 96, 80), End::new(4, 8, 160));
    let mut turn = |n: u32| {
        now += Duration::from_millis(20);
        // Every hundredth packet of the peer is lost, every hundredth frame of the base was bad on the air.
        let mark = AirMark {
            first_bad: n % 100 == 50,
            ..AirMark::default()
        };
        session.on_rtp(now, 1, 0, from_base.next(Some(mark)), base, &mut slot);
        let packet = from_peer.next(None);
        if n % 100 != 50 {
            session.on_rtp(now, 2, 0, packet, peer, &mut slot);
        }
        session.on_deadline(now, &mut slot);
        while session.poll_event().is_some() {}
    };
    // The first packets make the tables of sources.
    (0..100).for_each(&mut turn);
    let before = ALLOCATIONS.with(Cell::get);
    (100..3100).for_each(&mut turn);
    let allocated = ALLOCATIONS.with(Cell::get) - before;
    assert_eq!(allocated, 0);
    assert!(slot.packets >= 6200, "{}", slot.packets);
}
