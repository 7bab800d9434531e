//! Good inputs to begin with: one whole call of a handset, and what the encoders write.

use std::time::Instant;

use ipdect_dect::dlc::{Lapc, Output, Side};
use ipdect_dect::identity::{Ipui, Pmid, Tpui};
use ipdect_dect::mac::FrameNumber;
use ipdect_dect::mac::air::{
    self, AccessKind, Beacon, Body, Burst, Ct, Datagram, PageTail, Position,
};
use ipdect_dect::nwk::ie::{BasicService, PortableIdentity};
use ipdect_dect::nwk::{Cc, Ie, Kind, Lce, LceHeader, Message, Mm, Page, Transaction};
use ipdect_handset::{Action, Media};
use ipdect_media::rtp::rtcp::{Report, ReportBlock, SenderInfo};
use ipdect_media::rtp::{AirMark, Header};
use ipdect_media::srtp::{KeyMaterial, Mki, Sender, Suite};
use ipdect_tests::kit::handset::{
    Scene, hangs_up, ipei, lifts, peer_answers_secured, peer_says, presses,
};

/// One good input.
pub(crate) struct Seed {
    /// Its target.
    pub(crate) target: &'static str,
    /// Its file.
    pub(crate) name: String,
    /// The input.
    pub(crate) octets: Vec<u8>,
}

/// A first input for every target.
pub(crate) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, name: &str, octets: Vec<u8>| {
        seeds.push(Seed {
            target,
            name: name.into(),
            octets,
        })
    };
    let call = call();
    signalling(&call, &mut add);
    radio(&call, &mut add);
    speech(&mut add);
    seeds
}

/// A call from off hook to on hook, after the registration.
fn call() -> Scene {
    let mut scene = Scene::new();
    for (at, happening) in [
        ("00:00", lifts()),
        ("00:01", presses("4711#")),
        ("00:02", peer_says(180)),
        ("00:05", peer_answers_secured()),
        ("00:09", hangs_up()),
    ] {
        let _ = scene.at(at, happening).lines();
    }
    scene
}

fn signalling(call: &Scene, add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    let mut stream = vec![40];
    for (number, message) in call.sent.iter().enumerate() {
        let method = message
            .cseq()
            .map(|cseq| cseq.method.to_string())
            .unwrap_or_default()
            .to_lowercase();
        add(
            "message",
            &format!("{number}-{method}.sip"),
            message.bytes().to_vec(),
        );
        stream.extend_from_slice(b"\r\n\r\n");
        stream.extend_from_slice(message.bytes());
        add(
            "stream",
            &format!("{}-messages.bin", number + 1),
            stream.clone(),
        );
    }
    let offer = call.request("INVITE").body().to_vec();
    add("sdp", "offer.sdp", offer);
    add("sdp", "secured.sdp", SECURED.into());
    add("sdp", "old.sdp", OLD.into());
    for (number, line) in DIGEST.iter().enumerate() {
        add("digest", &format!("{number}.txt"), line.as_bytes().to_vec());
    }
    let records = call.actions.iter().filter_map(record);
    for (number, record) in records.enumerate() {
        add("record", &format!("{number}.json"), record.to_vec());
    }
}

/// The record that an order to the media resource brings; the store gets the same one.
fn record(action: &Action) -> Option<&bytes::Bytes> {
    match action {
        Action::Media(Media::OpenSession { record, .. } | Media::Note { record, .. }) => {
            Some(record)
        }
        Action::Media(Media::ModifyLeg { record, .. }) => record.as_ref(),
        _ => None,
    }
}

fn radio(call: &Scene, add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    let mut down = call.shown.clone();
    down.extend(spoken());
    for (number, message) in down.iter().enumerate() {
        let octets = message.encode();
        add("nwk", &format!("message-{number}.bin"), octets.clone());
        let mut link = Lapc::new(Side::Portable, 0);
        for output in link.send(Instant::now(), &octets).unwrap_or_default() {
            if let Output::Transmit(frame) = output {
                add("dlc", &format!("frame-{number}.bin"), frame);
            }
        }
    }
    let tpui = Tpui::from_bits(0x01234).expect("20 bits");
    let pages = [
        Page::short(LceHeader::Voice, tpui),
        Page::by_ipui(LceHeader::Voice, Ipui::N(ipei())),
    ];
    for (number, page) in pages.into_iter().enumerate() {
        add("nwk", &format!("page-{number}.bin"), page.encode());
    }
    for (number, body) in bodies().into_iter().enumerate() {
        add("air", &format!("{number}.bin"), datagram(body).to_vec());
    }
}

/// Messages of a handset.
fn spoken() -> Vec<Message> {
    let identity = || Ie::PortableIdentity(PortableIdentity::Ipui(Ipui::N(ipei())));
    let message =
        |kind, elements| Message::new(Transaction::originated(0), kind).with_all(elements);
    vec![
        message(
            Kind::Cc(Cc::Setup),
            vec![
                identity(),
                Ie::BasicService(BasicService::NORMAL_SPEECH),
                Ie::MultiKeypad(b"1002".to_vec()),
            ],
        ),
        message(Kind::Mm(Mm::LocateRequest), vec![identity()]),
        message(Kind::Mm(Mm::AccessRightsRequest), vec![identity()]),
        message(Kind::Lce(Lce::PageResponse), vec![identity()]),
    ]
}

fn bodies() -> Vec<Body> {
    let pages = [
        PageTail::Short([0x0C, 0x12, 0x34]),
        PageTail::Full([1, 2, 3, 4, 5]),
    ];
    let beacon = Beacon {
        capabilities: [1, 2, 3, 4, 5],
        synchronised: true,
        free_bearers: 11,
        pages: pages.into_iter().collect(),
        ..Beacon::default()
    };
    let burst = Burst {
        ct: Some(Ct {
            number: true,
            segment: [0x91, 0, 1, 0xB7, 0xB5],
        }),
        expected: true,
        b_field: Some([0x5A; 40]),
        ciphered: false,
        heard_dbm: Some(-60),
    };
    vec![
        Body::Tune { seconds: 10 },
        Body::Beacon(beacon),
        Body::Access {
            kind: AccessKind::ConnectionHandover,
            attempt: 2,
        },
        Body::Burst(burst),
    ]
}

fn datagram(body: Body) -> Datagram {
    let header = air::Header {
        frame: FrameNumber::new(0x0123_4567),
        position: Position {
            x_dm: 10,
            y_dm: -2,
            z_dm: 15,
        },
        power_dbm: 24,
        bearer: u8::from(matches!(body, Body::Burst(_))) * 3,
        rfpi: [0x11, 0x00, 0x23, 0x45, 0x2A],
        pmid: Pmid::from_bits(0x0_1234).expect("20 bits"),
    };
    Datagram { header, body }
}

fn speech(add: &mut impl FnMut(&'static str, &str, Vec<u8>)) {
    let mark = AirMark {
        first_bad: true,
        rssi_minus_dbm: 60,
        frame: 77,
        ..AirMark::default()
    };
    for (name, air, payload) in [
        ("g711.bin", None, 160),
        ("adpcm.bin", Some(mark), 80),
        ("event.bin", None, 4),
    ] {
        let header = Header {
            marker: air.is_none(),
            payload_type: 96,
            sequence: 65_535,
            timestamp: 1600,
            ssrc: 7,
        };
        let mut buffer = [0x55; 256];
        let length = header.write(air, &mut buffer).expect("room") + payload;
        add("rtp", name, buffer[..length].to_vec());
        // Protected with a key that the fuzzed receiver does not have.
        let material = KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[3; 30]).expect("30 octets");
        let mut sender = Sender::new(&material, Mki::default(), 0).expect("length of the suite");
        let length = sender.protect(&mut buffer, length).expect("room");
        add("srtp", name, buffer[..length].to_vec());
    }
    let info = SenderInfo {
        ntp: 1 << 40,
        rtp_timestamp: 1600,
        packets: 10,
        octets: 1600,
    };
    let block = ReportBlock {
        ssrc: 0,
        fraction_lost: 3,
        lost: 4,
        highest: 70_000,
        jitter: 12,
        last_sr: 9,
        delay: 100,
    };
    for (name, sender, block, bye) in [
        ("sender.bin", Some(info), Some(block), false),
        ("receiver.bin", None, Some(block), false),
        ("bye.bin", Some(info), None, true),
    ] {
        let report = Report {
            ssrc: 9,
            sender,
            block,
            cname: b"ipdect",
            bye,
        };
        let mut buffer = [0; 512];
        let length = report.write(&mut buffer).expect("room");
        add("rtcp", name, buffer[..length].to_vec());
    }
}

const SECURED: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
m=audio 4000 RTP/SAVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB|2^31|1:1\r\n\
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC\r\n\
a=rtcp:4001 IN IP4 192.0.2.1\r\na=ptime:20\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n";
const OLD: &str = "v=0\r\no=phone 7 8 IN IP6 2001:db8::1\r\ns= \r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n\
c=IN IP6 2001:db8::1\r\na=candidate:1 1 UDP 2130706431 2001:db8::1 30000 typ host\r\na=inactive\r\n";
const DIGEST: [&str; 4] = [
    "Digest realm=\"example.com\", nonce=\"a\\\"b\", qop=\"auth,auth-int\", algorithm=SHA-256, stale=true, opaque=\"\"",
    "Digest realm=\"example.com\", nonce=\"n1\"",
    "Digest username=\"1001\", realm=\"example.com\", nonce=\"n1\", uri=\"sip:example.com\", \
     response=\"6629fae49393a05397450978507c4ef1\", algorithm=MD5, qop=auth, nc=0000000a, cnonce=\"0a4f113b\"",
    "Digest username=\"1001\", realm=\"example.com\", nonce=\"n1\", uri=\"sip:example.com\", response=\"6629fae49393a05397450978507c4ef1\"",
];
