use std::time::Duration;

use ipdect_dect::dlc::Context;
use ipdect_dect::mac::air::{AccessKind, RefuseReason, ReleaseReason};

use super::scene::*;
use crate::cell::connection::{DownReason, HANDOVER_GRANT, Phase};
use crate::cell::message::*;
use crate::cell::{Action, Event};
use crate::radio::{self, Order as RadioOrder};

fn asked(scene: &mut Scene) -> ConnectionId {
    let out = scene.ask(0x1234, AccessKind::ConnectionHandover);
    assert_eq!(orders(&out), [RadioOrder::Wait { pmid: pmid(0x1234) }]);
    let [Report::HandoverRequested { connection, .. }] = reports(&out)[..] else {
        panic!("{out:?}")
    };
    connection
}

fn grant(connection: ConnectionId, context: Context) -> Task {
    Task::HandoverGrant {
        connection,
        ipei: ipei(),
        context,
        ciphered: false,
    }
}

#[test]
fn a_connection_moves_with_its_messages_from_base_to_base() {
    let (mut old, from) = Scene::bound();
    let mut portable = Portable::new(0x1234, 1);
    portable.says(&mut old, b"setup");
    // One message is under way when the portable leaves.
    old.told(
        Task::NwkDown {
            connection: from,
            seq: 1,
            pdu: b"under way".to_vec(),
        },
        Outcome::Done,
    );
    let out = old.told(Task::TakeContext { connection: from }, Outcome::Done);
    let [
        Report::LapcContext {
            connection,
            context,
        },
    ] = &reports(&out)[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!((*connection, context.unacked.is_some()), (from, true));
    // Asked again it says the same; nothing can be sent there any more.
    assert_eq!(
        reports(&old.told(Task::TakeContext { connection: from }, Outcome::Done)),
        reports(&out)
    );
    let late = Task::NwkDown {
        connection: from,
        seq: 2,
        pdu: b"late".to_vec(),
    };
    old.told(
        late,
        Outcome::Invalid("link has ended or was handed over".into()),
    );

    let mut new = Scene::serving();
    let to = asked(&mut new);
    let out = new.told(grant(to, context.clone()), Outcome::Done);
    assert_eq!(
        orders(&out)[0],
        RadioOrder::Confirm {
            pmid: pmid(0x1234),
            bearer: 1
        }
    );
    new.pass(Duration::from_millis(50));
    let done = new.radio(radio::Event::BearerUp { bearer: 1 });
    assert_eq!(
        reports(&done),
        [Report::HandoverDone {
            connection: to,
            gap_frames: 5
        }]
    );
    portable.hears(&mut new, out, &mut Vec::new());
    assert_eq!(portable.heard, [b"under way".to_vec()]);
    let up = portable.says(&mut new, b"key");
    assert_eq!(
        reports(&up),
        [Report::NwkUp(NwkUp {
            connection: to,
            seq: 1,
            pdu: b"key".to_vec()
        })]
    );
    // The same grant again is harmless.
    assert_eq!(new.told(grant(to, context.clone()), Outcome::Done), []);
}

#[test]
fn speech_goes_on_at_the_old_base_until_it_is_released() {
    let (mut scene, id) = Scene::bound();
    scene.told(
        Task::OpenSpeech {
            connection: id,
            path: path(7),
        },
        Outcome::Done,
    );
    scene.told(Task::TakeContext { connection: id }, Outcome::Done);
    assert_eq!(scene.cell.speech().open_streams(), 1);
    let release = Task::Release {
        connection: id,
        reason: DownReason::Normal,
    };
    let out = scene.told(release, Outcome::Done);
    assert_eq!(
        orders(&out),
        [RadioOrder::Release {
            bearer: 1,
            reason: ReleaseReason::Normal
        }]
    );
    assert_eq!(scene.cell.speech().open_streams(), 0);
}

#[test]
fn without_a_grant_the_portable_is_sent_back_after_two_seconds() {
    let mut scene = Scene::serving();
    let id = asked(&mut scene);
    // It asks again meanwhile and waits on.
    assert_eq!(
        orders(&scene.ask(0x1234, AccessKind::ConnectionHandover)),
        [RadioOrder::Wait { pmid: pmid(0x1234) }]
    );
    let out = scene.pass(HANDOVER_GRANT);
    let refuse = RadioOrder::Refuse {
        pmid: pmid(0x1234),
        reason: RefuseReason::UnknownConnection,
    };
    assert_eq!(orders(&out), [refuse]);
    assert_eq!(reports(&out), [down(id, DownReason::NotAdopted)]);
    assert_eq!(scene.cell.state().bearers_busy, 0);
}

#[test]
fn a_denial_says_so_at_once() {
    let mut scene = Scene::serving();
    let id = asked(&mut scene);
    let out = scene.told(
        Task::HandoverDeny {
            connection: id,
            reason: "unknown".into(),
        },
        Outcome::Done,
    );
    assert!(matches!(orders(&out)[..], [RadioOrder::Refuse { .. }]));
    scene.told(grant(id, Context::default()), Outcome::UnknownTarget);
}

#[test]
fn a_waiting_portable_is_told_to_each_new_server_and_owner() {
    let mut scene = Scene::serving();
    let id = asked(&mut scene);
    let waits = |out: &[Action]| {
        reports(out)
            .iter()
            .any(|r| matches!(r, Report::HandoverRequested { connection, .. } if *connection == id))
    };
    scene.link_up(STANDBY, false);
    let query = Instruction::Query {
        query_id: 1,
        fences: vec![fence(11)],
    };
    assert!(waits(&scene.handle(Event::Told {
        link: STANDBY,
        instruction: query
    })));
    let out = scene.handle(Event::LinkDown { link: ACTIVE });
    assert!(waits(&out));
    let Some(Report::Inventory(inventory)) = reports(&out).into_iter().next() else {
        panic!("{out:?}")
    };
    assert_eq!(inventory.connections[0].phase, Phase::HandoverWait);
}

#[test]
fn what_does_not_wait_cannot_be_granted_or_denied() {
    let (mut scene, id) = Scene::bound();
    let no = Outcome::Invalid("connection does not wait for a handover".into());
    scene.told(
        Task::HandoverDeny {
            connection: id,
            reason: String::new(),
        },
        no.clone(),
    );
    let unbound = scene.access(0x77);
    scene.told(grant(unbound, Context::default()), no);
    let waiting = asked_as(&mut scene, 0x55);
    scene.told(
        Task::HandoverGrant {
            connection: waiting,
            ipei: ipei(),
            context: Context::default(),
            ciphered: true,
        },
        Outcome::Invalid("this radio cannot cipher".into()),
    );
    scene.told(
        Task::Bind {
            connection: waiting,
            ipei: ipei(),
        },
        Outcome::Invalid("connection waits for a handover".into()),
    );
}

fn asked_as(scene: &mut Scene, bits: u32) -> ConnectionId {
    let out = scene.ask(bits, AccessKind::ConnectionHandover);
    let [Report::HandoverRequested { connection, .. }] = reports(&out)[..] else {
        panic!("{out:?}")
    };
    connection
}
