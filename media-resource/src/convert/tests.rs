use super::*;
use ipdect_proto::link::v1::Fence;

fn order_of() -> Option<Order> {
    Some(Order {
        order_id: 3,
        fence: Some(Fence {
            shard: 5,
            era: 1,
            revision: 9,
        }),
    })
}

fn codec(payload_type: u32, name: &str) -> wire::Codec {
    wire::Codec {
        payload_type,
        name: name.into(),
        clock_hz: 8000,
        ptime_ms: 20,
    }
}

fn modify() -> wire::ModifyLeg {
    wire::ModifyLeg {
        order: order_of(),
        session_id: "s".into(),
        leg_id: 2,
        remote: Some(wire::MediaAddress {
            address: "192.0.2.5".into(),
            rtp_port: 4000,
            rtcp_port: 4001,
        }),
        codecs: vec![codec(9, "G722"), codec(8, "pcma"), codec(13, "CN")],
        srtp: Some(wire::LegSrtp {
            suite: SrtpSuite::AesCm128HmacSha180.into(),
            key: Bytes::from(vec![7; 30]),
            mki: Bytes::from_static(&[1]),
            lifetime_packets: 0,
        }),
        direction: wire::MediaDirection::Sendonly.into(),
        source: wire::SourceRule::LatchOnce.into(),
        record: Bytes::from_static(b"record"),
        telephone_event_pt: 101,
    }
}

fn act(body: Body) -> Result<Option<Act>, String> {
    order(body, Region::Germany).unwrap().act
}

#[test]
fn a_peers_description_keeps_what_we_speak() {
    let ordered = order(Body::ModifyLeg(modify()), Region::Germany).unwrap();
    assert_eq!((ordered.head.order_id, ordered.head.fence.revision), (3, 9));
    assert_eq!(ordered.head.record.unwrap(), "record");
    let Ok(Some(Act::Modify { leg: 2, remote })) = ordered.act else {
        panic!()
    };
    assert_eq!(
        remote.codecs,
        [Codec {
            payload_type: 8,
            format: Format::PCMA
        }]
    );
    assert_eq!(
        (remote.direction, remote.source),
        (Direction::SendOnly, SourceRule::LatchOnce)
    );
    assert_eq!(remote.key.unwrap().mki.octets(), [1]);
    assert_eq!(remote.rtcp.port(), 4001);
}

#[test]
fn nonsense_is_refused_in_words() {
    let with = |change: fn(&mut wire::ModifyLeg)| {
        let mut m = modify();
        change(&mut m);
        act(Body::ModifyLeg(m)).unwrap_err()
    };
    assert_eq!(with(|m| m.remote = None), "remote address missing");
    assert_eq!(
        with(|m| m.remote.as_mut().unwrap().address = "host".into()),
        "remote is no IP address"
    );
    assert_eq!(
        with(|m| m.remote.as_mut().unwrap().address = "0.0.0.0".into()),
        "remote address cannot be sent to"
    );
    assert_eq!(
        with(|m| m.remote.as_mut().unwrap().rtp_port = 70_000),
        "RTP port out of range"
    );
    assert_eq!(
        with(|m| m.codecs[1].payload_type = 200),
        "payload type over 127"
    );
    assert!(with(|m| m.srtp.as_mut().unwrap().key = Bytes::new()).contains("30 octets"));
    let tone = wire::PlayTone {
        order: order_of(),
        level_dbm0: 40,
        tone: 1,
        ..Default::default()
    };
    assert_eq!(
        act(Body::PlayTone(tone)).unwrap_err(),
        "level not within -60 to 3 dBm0"
    );
    let leg = wire::OpenLeg {
        order: order_of(),
        ..Default::default()
    };
    assert_eq!(act(Body::OpenLeg(leg)).unwrap_err(), "kind of leg missing");
}

#[test]
fn an_order_without_fence_has_the_lowest_token() {
    let note = wire::Note {
        order: None,
        session_id: "s".into(),
        record: Bytes::new(),
    };
    let ordered = order(Body::Note(note), Region::Germany).unwrap();
    assert_eq!(ordered.head.fence, Fence::default());
    assert_eq!(ordered.asked, Asked::Note);
    assert!(order(Body::Configure(wire::Configure::default()), Region::Germany).is_none());
}

#[test]
fn a_path_goes_there_and_back() {
    let named = SpeechPath {
        remote: "[2001:db8::7]:24576".into(),
        ssrc_out: 1,
        ssrc_in: 2,
        payload_type: 96,
        srtp: Some(PathSrtp {
            suite: SrtpSuite::AesCm128HmacSha132.into(),
            key_out: Bytes::from(vec![1; 30]),
            key_in: Bytes::from(vec![2; 30]),
        }),
    };
    assert_eq!(wire_path(&path(Some(&named)).unwrap()), named);
}

#[test]
fn junctions_are_joined_where_both_hear_each_other() {
    let told = junctions(&[(1, 2), (2, 1), (3, 1)]);
    let flat: Vec<_> = told
        .iter()
        .map(|j| (j.leg_a, j.leg_b, j.direction()))
        .collect();
    use wire::JunctionDirection::{AToB, Both};
    assert_eq!(flat, [(1, 2, Both), (3, 1, AToB)]);
}
