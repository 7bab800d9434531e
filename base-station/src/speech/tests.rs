use ipdect_media::srtp::Suite;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use std::time::Duration;

use super::*;
use crate::tests::t0;

const CONNECTION: ConnectionId = ConnectionId(1);

fn keys(out: u8, inward: u8) -> PathKeys {
    let key = |octet| KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[octet; 30]).unwrap();
    PathKeys {
        out: key(out),
        inward: key(inward),
    }
}

fn path(keys: Option<PathKeys>) -> Path {
    Path {
        remote: "127.0.0.1:24576".parse().unwrap(),
        ssrc_out: 0xA,
        ssrc_in: 0xB,
        payload_type: 96,
        dscp: 46,
        keys,
    }
}

fn media() -> SocketAddr {
    "127.0.0.1:24576".parse().unwrap()
}

struct Rig {
    speech: Speech,
    now: Instant,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    frame: u32,
}

impl Rig {
    fn new(path: Path) -> Self {
        let (mut speech, now) = (Speech::default(), t0());
        speech
            .open(now, &mut ChaCha8Rng::seed_from_u64(1), CONNECTION, 3, path)
            .unwrap();
        Self {
            speech,
            now,
            sent: Vec::new(),
            frame: 100,
        }
    }

    /// One frame: what the air gets, then what the portable answers.
    fn frame(&mut self, field: Option<Field>) -> BField {
        let mut on_air = None;
        let frame = FrameNumber::new(self.frame);
        self.speech
            .frame(self.now, frame, &mut self.sent, |bearer, octets| {
                assert_eq!(bearer, 3);
                on_air = Some(octets);
            });
        if let Some(field) = field {
            self.speech.b_field(3, frame, field, -60, &mut self.sent);
        }
        self.frame += 1;
        self.now += Duration::from_millis(10);
        on_air.expect("each open bearer gets a B-field")
    }

    fn rtp(&self) -> Vec<&Vec<u8>> {
        self.sent
            .iter()
            .map(|(_, octets)| octets)
            .filter(|octets| !rtcp::is_rtcp(octets))
            .collect()
    }
}

fn packet(ssrc: u32, sequence: u16, payload: [u8; 80]) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = Header {
        marker: false,
        payload_type: 96,
        sequence,
        timestamp,
        ssrc,
    };
    let mut octets = vec![0; 200];
    let start = header.write(None, &mut octets).unwrap();
    octets[start..start + 80].copy_from_slice(&payload);
    octets.truncate(start + 80);
    octets
}

#[test]
fn two_frames_make_a_packet_with_the_airs_mark() {
    let mut rig = Rig::new(path(None));
    for octet in 0..4 {
        rig.frame(Some(Field::Good([octet; 40])));
    }
    let packets: Vec<Packet<'_>> = rig
        .rtp()
        .into_iter()
        .map(|p| Packet::parse(p).unwrap())
        .collect();
    let [first, second] = &packets[..] else {
        panic!("two packets")
    };
    assert_eq!(
        (first.payload, second.payload.len()),
        ([[0; 40], [1; 40]].as_flattened(), 80)
    );
    assert_eq!((first.header.marker, second.header.marker), (true, false));
    assert_eq!(
        second.header.sequence,
        first.header.sequence.wrapping_add(1)
    );
    assert_eq!(
        second.header.timestamp,
        first.header.timestamp.wrapping_add(160)
    );
    let mark = first.air.unwrap();
    assert_eq!(
        (
            mark.first_bad,
            mark.second_bad,
            mark.rssi_minus_dbm,
            mark.frame
        ),
        (false, false, 60, 100)
    );
    assert_eq!(first.header.ssrc, 0xA);
}

#[test]
fn lost_bursts_leave_no_gap_in_sequence_or_time() {
    let mut rig = Rig::new(path(None));
    let good = Some(Field::Good([1; 40]));
    for frame in 0..40 {
        rig.frame(if (10..15).contains(&frame) {
            None
        } else {
            good
        });
    }
    let packets: Vec<Packet<'_>> = rig
        .rtp()
        .into_iter()
        .map(|p| Packet::parse(p).unwrap())
        .collect();
    for pair in packets.windows(2) {
        assert_eq!(
            pair[1].header.sequence,
            pair[0].header.sequence.wrapping_add(1)
        );
        assert_eq!(
            pair[1].header.timestamp,
            pair[0].header.timestamp.wrapping_add(160)
        );
    }
    let marks: Vec<(bool, bool)> = packets
        .iter()
        .map(|p| p.air.unwrap())
        .map(|m| (m.first_bad, m.second_bad))
        .skip(4)
        .take(5)
        .collect();
    assert_eq!(
        marks,
        [
            (false, false),
            (true, true),
            (true, true),
            (true, false),
            (false, false)
        ]
    );
    let quality = rig.speech.take_quality(rig.now, CONNECTION).unwrap();
    assert_eq!(
        (
            quality.frames,
            quality.bad_a,
            quality.bad_b,
            quality.rssi_dbm_mean
        ),
        (40, 5, 0, -60)
    );
}

#[test]
fn packets_reach_the_air_in_order_at_its_pace() {
    let mut rig = Rig::new(path(None));
    for sequence in 0..50u16 {
        let payload = std::array::from_fn(|i| {
            if i < 40 {
                sequence as u8 * 2 + 1
            } else {
                sequence as u8 * 2 + 2
            }
        });
        rig.speech
            .received(rig.now, media(), &mut packet(0xB, sequence, payload));
        rig.frame(None);
        rig.frame(None);
    }
    let mut heard = Vec::new();
    for _ in 0..10 {
        heard.push(rig.frame(None)[0]);
    }
    // 40 ms deep at the start, so the last frames still wait.
    assert!(heard.contains(&100), "{heard:?}");
    assert_eq!(rig.speech.counts().received, 50);
}

#[test]
fn srtp_protects_both_ways_and_strangers_are_counted() {
    let mut base = Rig::new(path(Some(keys(1, 2))));
    for octet in 0..4 {
        base.frame(Some(Field::Good([octet; 40])));
    }
    // The other end has the keys the other way around.
    let theirs = keys(2, 1);
    let mut receiver = Receiver::new(&theirs.inward, Mki::default()).unwrap();
    for sent in base.rtp() {
        let mut sent = sent.clone();
        let length = receiver.unprotect(&mut sent).unwrap();
        assert_eq!(Packet::parse(&sent[..length]).unwrap().payload.len(), 80);
    }
    let mut sender = Sender::new(&theirs.out, Mki::default(), 0).unwrap();
    let mut octets = packet(0xB, 1, [5; 80]);
    let length = octets.len();
    octets.resize(length + MAX_OVERHEAD, 0);
    let length = sender.protect(&mut octets, length).unwrap();
    let mut replayed = octets[..length].to_vec();
    base.speech
        .received(base.now, media(), &mut octets[..length]);
    base.speech.received(base.now, media(), &mut replayed);
    base.speech
        .received(base.now, media(), &mut packet(0xB, 2, [5; 80]));
    base.speech
        .received(base.now, media(), &mut packet(0xC, 2, [5; 80]));
    base.speech.received(base.now, media(), &mut [0x80]);
    base.speech.received(base.now, media(), &mut []);
    let counts = base.speech.counts();
    assert_eq!((counts.received, counts.unknown, counts.refused), (1, 1, 4));
}

#[test]
fn packets_left_out_are_counted_once_and_late_ones_are_not() {
    let mut rig = Rig::new(path(None));
    for sequence in [10, 11, 14, 13, 15, 15, 17] {
        let mut packet = packet(0xB, sequence, [0; 80]);
        rig.speech.received(rig.now, media(), &mut packet);
    }
    assert_eq!(rig.speech.counts().missing, 3);
}

#[test]
fn a_closed_stream_gives_its_last_quality_and_no_b_field() {
    let mut rig = Rig::new(path(None));
    rig.frame(Some(Field::Bad));
    let quality = rig.speech.close(rig.now, CONNECTION).unwrap();
    assert_eq!(
        (quality.frames, quality.bad_b, quality.window),
        (1, 1, Duration::from_millis(10))
    );
    assert_eq!(rig.speech.close(rig.now, CONNECTION), None);
    rig.speech
        .frame(rig.now, FrameNumber::new(200), &mut rig.sent, |_, _| {
            panic!("nothing is open")
        });
}

#[test]
fn a_stream_follows_its_bearer() {
    let mut rig = Rig::new(path(None));
    rig.speech.move_to(CONNECTION, 5);
    let mut bearers = Vec::new();
    rig.speech.frame(
        rig.now,
        FrameNumber::new(100),
        &mut rig.sent,
        |bearer, _| bearers.push(bearer),
    );
    assert_eq!(bearers, [5]);
}

#[test]
fn a_report_goes_every_five_seconds_and_tells_of_both_ways() {
    let mut rig = Rig::new(path(None));
    for sequence in 0..=501u16 {
        if sequence % 2 == 0 {
            rig.speech
                .received(rig.now, media(), &mut packet(0xB, sequence / 2, [1; 80]));
        }
        rig.frame(Some(Field::Good([1; 40])));
    }
    let reports: Vec<&Vec<u8>> = rig
        .sent
        .iter()
        .map(|(_, o)| o)
        .filter(|o| rtcp::is_rtcp(o))
        .collect();
    let [report] = &reports[..] else {
        panic!("one report in five seconds")
    };
    // SR: our SSRC, packets and octets sent; its block: their SSRC, nothing lost.
    assert_eq!(
        (report[1], &report[4..8], &report[20..28]),
        (
            200,
            &[0, 0, 0, 0xA][..],
            &[0, 0, 0, 250, 0, 0, 0x4E, 0x20][..]
        )
    );
    let heard = rtcp::parse(report, 0xB).unwrap();
    let block = heard.block.unwrap();
    assert_eq!((block.fraction_lost, block.lost), (0, 0));
    rig.speech.received(rig.now, media(), &mut report.to_vec());
    assert_eq!(
        (rig.speech.counts().unknown, rig.speech.counts().refused),
        (1, 0),
        "our own SSRC is none of theirs"
    );
}

#[test]
fn without_srtp_only_the_media_resources_address_is_believed() {
    let mut rig = Rig::new(path(None));
    let stranger = "127.0.0.2:24576".parse().unwrap();
    rig.speech
        .received(rig.now, stranger, &mut packet(0xB, 1, [5; 80]));
    rig.speech
        .received(rig.now, media(), &mut packet(0xB, 2, [5; 80]));
    assert_eq!(
        (rig.speech.counts().refused, rig.speech.counts().received),
        (1, 1)
    );
}
