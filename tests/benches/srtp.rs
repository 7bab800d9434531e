//! One packet of speech protected and taken again: 12 octets of header, 160 of payload, `AES_CM_128_HMAC_SHA1_80`.

use ipdect_media::rtp::Header;
use ipdect_media::srtp::{KeyMaterial, Mki, Receiver, Sender, Suite};
use webrtc_srtp::context::Context;
use webrtc_srtp::option::srtp_replay_protection;
use webrtc_srtp::protection_profile::ProtectionProfile;

use crate::bench::Bench;
use crate::peers::{self, Peer};

const KEY: [u8; 30] = [7; 30];
const LENGTH: usize = 172;

/// Packets of one stream, one after the other.
struct Stream {
    header: Header,
    buffer: [u8; 256],
}

impl Stream {
    fn new() -> Stream {
        let header = Header {
            marker: false,
            payload_type: 8,
            sequence: 1,
            timestamp: 0,
            ssrc: 7,
        };
        Stream {
            header,
            buffer: [0x55; 256],
        }
    }

    fn next(&mut self) {
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(160);
        self.header.write(None, &mut self.buffer).expect("room");
    }
}

fn ours() -> impl FnMut() -> usize {
    let material = KeyMaterial::new(Suite::AesCm128HmacSha1_80, &KEY).expect("30 octets");
    let mut sender = Sender::new(&material, Mki::default(), 0).expect("length of the suite");
    let mut receiver = Receiver::new(&material, Mki::default()).expect("length of the suite");
    let mut stream = Stream::new();
    move || {
        stream.next();
        let length = sender.protect(&mut stream.buffer, LENGTH).expect("room");
        receiver
            .unprotect(&mut stream.buffer[..length])
            .expect("ours")
    }
}

fn theirs() -> impl FnMut() -> usize {
    let profile = ProtectionProfile::Aes128CmHmacSha1_80;
    let mut sender = Context::new(&KEY[..16], &KEY[16..], profile, None, None).expect("key");
    let window = Some(srtp_replay_protection(64));
    let mut receiver = Context::new(&KEY[..16], &KEY[16..], profile, window, None).expect("key");
    let mut stream = Stream::new();
    move || {
        stream.next();
        let packet = sender
            .encrypt_rtp(&stream.buffer[..LENGTH])
            .expect("a packet");
        receiver.decrypt_rtp(&packet).expect("theirs").len()
    }
}

pub(crate) fn run(bench: &mut Bench) {
    assert_eq!(ours()(), LENGTH);
    assert_eq!(theirs()(), LENGTH);
    let what = "SRTP: protect and unprotect 160 octets";
    let figure = bench.each("srtp/ipdect", ours());
    let peer = bench.each("srtp/webrtc-srtp", theirs());
    bench.beside(what, figure, "webrtc-srtp 0.17", peer);
    let libsrtp = Peer {
        name: "libsrtp2",
        source: "srtp_libsrtp2.c",
        libraries: &["-lsrtp2"],
        package: "libsrtp2-dev",
    };
    peers::beside(bench, what, figure, &libsrtp, "pass");
}
