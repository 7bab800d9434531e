use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::server_to_base::Body;

use super::*;
use crate::cell::connection::{DownReason, Phase};
use crate::cell::fence::{Fence, Token};
use crate::cell::message::*;
use crate::speech::Path;

const FENCE: Fence = Fence {
    shard: 331,
    token: Token {
        era: 1,
        revision: 10,
    },
};

fn head() -> Option<link::Order> {
    Some(link::Order {
        order_id: 5,
        fence: Some(fence(FENCE)),
    })
}

fn task(body: Body) -> Task {
    match instruction(body) {
        Ok(Some(Instruction::Order(Order {
            order_id: 5,
            fence: FENCE,
            task,
        }))) => task,
        other => panic!("{other:?}"),
    }
}

fn refused(body: Body) -> (Option<u64>, String) {
    let rejection = instruction(body).unwrap_err();
    (rejection.order_id, rejection.why)
}

fn path() -> link::SpeechPath {
    link::SpeechPath {
        remote: "[::1]:24576".into(),
        ssrc_out: 1,
        ssrc_in: 2,
        payload_type: 96,
        srtp: Some(link::PathSrtp {
            suite: link::SrtpSuite::AesCm128HmacSha180.into(),
            key_out: vec![1; 30].into(),
            key_in: vec![2; 30].into(),
        }),
    }
}

fn configure() -> radio::Configure {
    radio::Configure {
        revision: 3,
        park: vec![0x22, 0x00, 0x46, 0x8A, 0x00].into(),
        rpn: 0x2A,
        capabilities: 0x01_0203_0405,
        handover_reserve: 1,
        park_length_bits: 31,
        ..radio::Configure::default()
    }
}

#[test]
fn the_identity_on_the_air_follows_from_park_and_rpn() {
    // The worked example of the identity: EIC 1002, system 345, RPN 2A.
    let Ok(Some(Instruction::Configure(read))) = instruction(Body::Configure(configure())) else {
        panic!("a configuration")
    };
    assert_eq!(read.rfpi.octets(), [0x11, 0x00, 0x23, 0x45, 0x2A]);
    assert_eq!(
        (read.capabilities, read.handover_reserve),
        ([1, 2, 3, 4, 5], 1)
    );
}

#[test]
fn orders_come_out_as_they_went_in() {
    let connection = ConnectionId(9);
    let open = radio::OpenSpeech {
        order: head(),
        connection_id: 9,
        path: Some(path()),
        dscp: 46,
    };
    let Task::OpenSpeech {
        connection: of,
        path:
            Path {
                remote,
                keys: Some(keys),
                dscp: 46,
                ..
            },
    } = task(Body::OpenSpeech(open))
    else {
        panic!("speech")
    };
    assert_eq!(
        (of, remote.to_string(), keys.inward.key_and_salt()),
        (connection, "[::1]:24576".into(), &[2; 30][..])
    );
    let page = radio::Page {
        order: head(),
        page_id: 4,
        identity: Some(radio::page::Identity::Ipui(
            vec![0x01, 0x38, 0xB1, 0x12, 0xF3].into(),
        )),
        header: 4,
        slot_type: 0,
        life_multiframes: 6,
    };
    let Task::Page(page) = task(Body::Page(page)) else {
        panic!("a page")
    };
    assert!(matches!(page.paged, Paged::Ipui(ipui) if ipui.ipei() == "05003 0070387".parse().ok()));
    let release = radio::ReleaseConnection {
        order: head(),
        connection_id: 9,
        reason: 1,
    };
    assert_eq!(
        task(Body::ReleaseConnection(release)),
        Task::Release {
            connection,
            reason: DownReason::Normal
        }
    );
}

#[test]
fn what_makes_no_sense_is_answered_by_number() {
    let bind = |order, ipei: &str| {
        Body::Bind(radio::Bind {
            order,
            connection_id: 9,
            ipei: ipei.into(),
        })
    };
    assert_eq!(
        refused(bind(None, "050030070387")),
        (None, "order without head".into())
    );
    let no_shard = link::Fence {
        shard: 1024,
        era: 1,
        revision: 1,
    };
    let order = Some(link::Order {
        order_id: 5,
        fence: Some(no_shard),
    });
    assert_eq!(
        refused(bind(order, "050030070387")),
        (Some(5), "order without fence of a shard".into())
    );
    assert_eq!(refused(bind(head(), "12")).0, Some(5));
    let open = |path| {
        Body::OpenSpeech(radio::OpenSpeech {
            order: head(),
            connection_id: 9,
            path,
            dscp: 46,
        })
    };
    assert_eq!(refused(open(None)), (Some(5), "no path".into()));
    let nowhere = link::SpeechPath {
        remote: "media:24576".into(),
        ..path()
    };
    assert_eq!(
        refused(open(Some(nowhere))).1,
        "remote \"media:24576\" is no address and port"
    );
    let mut short = path();
    short.srtp.as_mut().unwrap().key_out = vec![1; 29].into();
    assert_eq!(
        refused(open(Some(short))).1,
        "key and salt must be 30 octets, not 29"
    );
    let mut unknown = path();
    unknown.srtp.as_mut().unwrap().suite = 99;
    assert_eq!(
        refused(open(Some(unknown))).1,
        "keys of a suite that is not spoken here"
    );
    let park = radio::Configure {
        park: vec![0xFF; 5].into(),
        ..configure()
    };
    assert!(instruction(Body::Configure(park)).is_err());
    let park = radio::Configure {
        park: vec![0x22; 4].into(),
        ..configure()
    };
    assert_eq!(
        refused(Body::Configure(park)),
        (None, "PARK of 4 octets".into())
    );
}

#[test]
fn a_lapc_context_goes_from_base_to_base() {
    let part = |octet| ipdect_dect::dlc::lapc::Part {
        more: octet == 1,
        info: [octet; 3].into_iter().collect(),
    };
    let context = ipdect_dect::dlc::Context {
        v_s: true,
        v_r: false,
        v_a: false,
        unacked: Some(part(1)),
        reassembly: vec![7, 8],
        queued: vec![part(2), part(3)],
    };
    let report = Report::LapcContext {
        connection: ConnectionId(9),
        context: context.clone(),
    };
    let radio::base_to_server::Body::LapcContext(wire) = body(report, 0) else {
        panic!("a context")
    };
    let grant = radio::HandoverGrant {
        order: head(),
        connection_id: 10,
        ipei: "050030070387".into(),
        context: Some(wire),
        cipher_key: None,
    };
    let Task::HandoverGrant {
        context: read,
        ciphered: false,
        ..
    } = task(Body::HandoverGrant(grant.clone()))
    else {
        panic!("a grant")
    };
    assert_eq!(read, context);
    let mut bad = grant;
    bad.context.as_mut().unwrap().unacked = vec![9].into();
    assert_eq!(
        refused(Body::HandoverGrant(bad)),
        (Some(5), "LAPC context does not parse".into())
    );
}

#[test]
fn an_inventory_says_all_that_an_owner_needs() {
    let ipei = "05003 0070387".parse().unwrap();
    let held = Held {
        connection: ConnectionId(9),
        owner: Some((ipei, FENCE)),
        phase: Phase::Speech,
        bearer: 3,
        pmid: ipdect_dect::mac::Pmid::from_bits(0x1234).unwrap(),
        path: None,
        last_up_seq: 4,
        last_down_seq: 6,
        unacked: vec![NwkUp {
            connection: ConnectionId(9),
            seq: 4,
            pdu: vec![1],
        }],
        age_ms: 50,
    };
    let part = Inventory {
        query_id: 7,
        last: true,
        connections: vec![held],
        ended: vec![],
    };
    let radio::base_to_server::Body::Inventory(wire) = body(Report::Inventory(part), 0) else {
        panic!("inventory")
    };
    let told = &wire.connections[0];
    assert_eq!(
        (wire.query_id, wire.last, told.ipei.as_str(), told.fence),
        (7, true, "050030070387", Some(fence(FENCE)))
    );
    assert_eq!(
        (told.phase(), told.last_down_seq, told.unacked[0].seq),
        (radio::ConnectionPhase::Speech, 6, 4)
    );
}

#[test]
fn outcomes_have_their_status_and_words() {
    use link::OrderStatus as Status;
    let outcomes = [
        (Outcome::Done, Status::Done),
        (Outcome::Fenced { seen: None }, Status::Fenced),
        (Outcome::WrongShard, Status::WrongShard),
        (Outcome::UnknownTarget, Status::UnknownTarget),
        (Outcome::NoResource("full".into()), Status::NoResource),
        (Outcome::Invalid("nonsense".into()), Status::Invalid),
        (Outcome::Conflict("other".into()), Status::Conflict),
        (Outcome::Draining, Status::Draining),
    ];
    for (outcome, status) in outcomes {
        let report = Report::Result {
            order_id: 5,
            outcome,
        };
        let radio::base_to_server::Body::OrderResult(result) = body(report, 0) else {
            panic!("a result")
        };
        assert_eq!(
            (result.status(), result.detail.is_empty()),
            (status, status == Status::Done)
        );
    }
}
