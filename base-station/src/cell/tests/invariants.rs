//! Whatever comes in whatever order: no bearer is leaked, no wake-up repeats without end, speech has a connection.

use std::time::Duration;

use ipdect_dect::dlc::Context;
use ipdect_dect::mac::air::{AccessKind, ReleaseReason};
use proptest::prelude::*;

use super::scene::*;
use crate::cell::connection::{DownReason, MAX_UNACKED};
use crate::cell::fence::Floor;
use crate::cell::message::*;
use crate::cell::{Cell, Event};
use crate::radio;

#[derive(Debug, Clone)]
enum Step {
    Access(u32, u8),
    Up(u8),
    Segment(u8, [u8; 5]),
    /// A whole I-frame, so that messages go up too.
    Frame(u8, u8),
    Taken(u8),
    Lost(u8),
    Released(u8),
    Link(u64, bool),
    Unlink(u64),
    Floors(u64),
    Query(u64),
    Order(u8, u32, u64, u64),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let bearer = || 0u8..6;
    prop_oneof![
        4 => (1u32..6, 0u8..3).prop_map(|(pmid, kind)| Step::Access(pmid, kind)),
        4 => bearer().prop_map(Step::Up),
        1 => (bearer(), any::<[u8; 5]>()).prop_map(|(b, s)| Step::Segment(b, s)),
        4 => (bearer(), 0u8..4).prop_map(|(b, n)| Step::Frame(b, n)),
        3 => bearer().prop_map(Step::Taken),
        1 => bearer().prop_map(Step::Lost),
        1 => bearer().prop_map(Step::Released),
        1 => (1u64..4, any::<bool>()).prop_map(|(link, active)| Step::Link(link, active)),
        1 => (1u64..4).prop_map(Step::Unlink),
        1 => (9u64..13).prop_map(Step::Floors),
        1 => (9u64..13).prop_map(Step::Query),
        8 => (0u8..11, 1u32..8, 9u64..13, 1u64..4).prop_map(|(t, c, f, s)| Step::Order(t, c, f, s)),
        3 => (1u64..8000).prop_map(Step::Pass),
    ]
}

fn frame(bits: u8) -> Vec<[u8; 5]> {
    use ipdect_dect::dlc::{Control, Frame, Side};
    let control = Control::Information {
        n_r: bits & 1 == 1,
        n_s: bits & 2 == 2,
    };
    let info = [7, 8].into_iter().collect();
    let frame = Frame {
        new_link: bits == 0,
        command: true,
        control,
        more: false,
        info,
    };
    let octets = frame.encode(Side::Portable, 1);
    octets
        .chunks_exact(5)
        .map(|c| c.try_into().unwrap())
        .collect()
}

fn task(kind: u8, connection: ConnectionId, seq: u64) -> Task {
    match kind {
        0 => Task::Bind {
            connection,
            ipei: ipei(),
        },
        1 => Task::NwkDown {
            connection,
            seq,
            pdu: vec![seq as u8; 70],
        },
        2 => Task::NwkAck { connection, seq },
        3 => Task::OpenSpeech {
            connection,
            path: path(seq as u32),
        },
        4 => Task::CloseSpeech { connection },
        5 => Task::TakeContext { connection },
        6 => Task::HandoverGrant {
            connection,
            ipei: ipei(),
            context: Context::default(),
            ciphered: false,
        },
        7 => Task::HandoverDeny {
            connection,
            reason: String::new(),
        },
        8 => Task::Adopt { connection },
        9 => Task::Release {
            connection,
            reason: DownReason::Normal,
        },
        _ => Task::SetCipherKey { connection },
    }
}

fn apply(scene: &mut Scene, step: Step) {
    let kinds = [
        AccessKind::Access,
        AccessKind::BearerHandover,
        AccessKind::ConnectionHandover,
    ];
    match step {
        Step::Access(pmid, kind) => drop(scene.ask(pmid, kinds[usize::from(kind)])),
        Step::Up(bearer) => drop(scene.radio(radio::Event::BearerUp { bearer })),
        Step::Segment(bearer, segment) => {
            drop(scene.radio(radio::Event::Segment { bearer, segment }))
        }
        Step::Frame(bearer, bits) => {
            for segment in frame(bits) {
                scene.radio(radio::Event::Segment { bearer, segment });
            }
        }
        Step::Taken(bearer) => drop(scene.radio(radio::Event::SegmentTaken { bearer })),
        Step::Lost(bearer) => drop(scene.radio(radio::Event::BearerLost { bearer })),
        Step::Released(bearer) => {
            drop(scene.radio(radio::Event::Released {
                bearer,
                reason: ReleaseReason::Normal,
            }));
        }
        Step::Link(link, active) => drop(scene.link_up(link, active)),
        Step::Unlink(link) => drop(scene.handle(Event::LinkDown { link })),
        Step::Floors(revision) => {
            let floors = vec![Floor {
                fence: fence(revision),
                start: start("server-1"),
            }];
            scene.handle(Event::Told {
                link: ACTIVE,
                instruction: Instruction::Floors(floors),
            });
        }
        Step::Query(revision) => {
            let instruction = Instruction::Query {
                query_id: 1,
                fences: vec![fence(revision)],
            };
            scene.handle(Event::Told {
                link: ACTIVE,
                instruction,
            });
        }
        Step::Order(kind, connection, revision, seq) => {
            let id = ConnectionId(0x0000_0007_0000_0000 | u64::from(connection));
            scene.order(ACTIVE, fence(revision), task(kind, id, seq));
        }
        Step::Pass(ms) => drop(scene.pass(Duration::from_millis(ms))),
    }
}

fn check(cell: &Cell) {
    for (index, held) in cell.bearers.iter().enumerate() {
        let Some(id) = held else { continue };
        let bearer = index as u8 + 1;
        let connection = cell
            .connections
            .get(id)
            .expect("no bearer without its connection");
        assert!(
            connection.bearer == bearer || connection.second == Some(bearer),
            "bearer {bearer} is leaked"
        );
    }
    for connection in cell.connections.values() {
        let holds = |bearer: u8| cell.bearers[usize::from(bearer) - 1] == Some(connection.id);
        assert!(holds(connection.bearer), "no connection without its bearer");
        assert!(connection.second.is_none_or(holds));
        assert!(connection.unacked().count() <= MAX_UNACKED);
    }
    let talking = cell
        .connections
        .keys()
        .filter(|id| cell.speech.path(**id).is_some())
        .count();
    assert_eq!(
        talking,
        cell.speech.open_streams(),
        "no speech without a connection"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_order_of_events_keeps_the_invariants(steps in proptest::collection::vec(step(), 1..120)) {
        let mut scene = Scene::serving();
        for step in steps {
            apply(&mut scene, step);
            check(&scene.cell);
        }
        // Left alone by portables and servers, everything comes to its end.
        for bearer in 1..=12 {
            scene.radio(radio::Event::BearerLost { bearer });
        }
        for bearer in 1..=12 {
            scene.radio(radio::Event::BearerLost { bearer });
        }
        check(&scene.cell);
        assert_eq!((scene.cell.connections(), scene.cell.state().bearers_busy), (0, 0));
    }
}
