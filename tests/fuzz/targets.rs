//! The parsers that strangers reach.

use std::sync::LazyLock;
use std::time::Instant;

use bytes::Bytes;
use ipdect_dect::dlc::{self, Frame, Side};
use ipdect_dect::mac::air::{self, Datagram};
use ipdect_dect::nwk;
use ipdect_handset::Record;
use ipdect_handset::record::fuzz_record;
use ipdect_media::fuzz::{fuzz_rtcp, fuzz_rtp, fuzz_srtp};
use ipdect_media::rtp::{Packet, rtcp};
use ipdect_media::srtp::{KeyMaterial, Mki, Receiver, Suite};
use ipdect_sip::auth::digest::{Challenge, Credentials};
use ipdect_sip::fuzzing::{fuzz_digest, fuzz_message, fuzz_sdp, fuzz_stream};
use ipdect_sip::message::{Framed, Message, StreamFramer};
use ipdect_sip::sdp;

/// One parser.
pub(crate) struct Target {
    /// Name of its corpus and of its fuzzer.
    pub(crate) name: &'static str,
    /// The fuzz function: any octets, a panic if an invariant does not hold.
    pub(crate) run: fn(&[u8]),
    /// Whether the parser takes the octets as good.
    pub(crate) accepts: fn(&[u8]) -> bool,
    /// False where only the holder of a key is ever heard.
    pub(crate) anyone_may_speak: bool,
}

const fn open(name: &'static str, run: fn(&[u8]), accepts: fn(&[u8]) -> bool) -> Target {
    Target {
        name,
        run,
        accepts,
        anyone_may_speak: true,
    }
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    open("message", fuzz_message, |o| {
        Message::parse(Bytes::copy_from_slice(o)).is_ok_and(|m| m.check().is_ok())
    }),
    open("stream", fuzz_stream, |o| frames(o) > 0),
    open("sdp", fuzz_sdp, |o| sdp::parse(o).is_ok()),
    open("digest", fuzz_digest, |o| {
        let text = String::from_utf8_lossy(o);
        text.parse::<Challenge>().is_ok() || text.parse::<Credentials>().is_ok()
    }),
    open("nwk", nwk::fuzz_nwk, |o| {
        nwk::Message::decode(o).is_ok() || nwk::Page::decode(o).is_ok()
    }),
    open(
        "dlc",
        |o| dlc::fuzz_dlc(o, *T0),
        |o| Frame::parse(o, Side::Portable, 0).is_ok(),
    ),
    open("air", air::fuzz_air, |o| Datagram::parse(o).is_ok()),
    open("rtp", fuzz_rtp, |o| Packet::parse(o).is_ok()),
    open("rtcp", fuzz_rtcp, |o| rtcp::parse(o, 0).is_ok()),
    Target {
        name: "srtp",
        run: fuzz_srtp,
        accepts: passes,
        anyone_may_speak: false,
    },
    open("record", fuzz_record, |o| Record::decode(o).is_ok()),
];

/// The target of that name.
pub(crate) fn named(name: &str) -> &'static Target {
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("a target of that name")
}

/// The data link wants to know when.
static T0: LazyLock<Instant> = LazyLock::new(Instant::now);

fn frames(stream: &[u8]) -> usize {
    let mut framer = StreamFramer::default();
    framer.push(stream.get(1..).unwrap_or_default());
    std::iter::from_fn(|| framer.next())
        .filter(|framed| matches!(framed, Ok(Framed::Message(_))))
        .count()
}

/// Whether a receiver takes the packet, which nobody who has the key has sent.
fn passes(packet: &[u8]) -> bool {
    let material = KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[0x5A; 30]).expect("30 octets");
    let mut receiver = Receiver::new(&material, Mki::default()).expect("length of the suite");
    receiver.unprotect(&mut packet.to_vec()).is_ok()
}
