use std::time::Duration;

use ipdect_dect::mac::air::{AccessKind, PageTail, RefuseReason, ReleaseReason};

use super::scene::*;
use crate::cell::connection::{DownReason, LCE_05, LINGER, MAX_UNACKED};
use crate::cell::message::*;
use crate::cell::{Action, Event};
use crate::radio::{self, Order as RadioOrder};

fn up(connection: ConnectionId, seq: u64, pdu: &[u8]) -> Report {
    Report::NwkUp(NwkUp {
        connection,
        seq,
        pdu: pdu.to_vec(),
    })
}

#[test]
fn a_portable_gets_a_bearer_and_the_server_learns_of_it() {
    let mut scene = Scene::serving();
    let out = scene.ask(0x1234, AccessKind::Access);
    let id = ConnectionId(0x0000_0007_0000_0001);
    assert_eq!(
        orders(&out),
        [RadioOrder::Confirm {
            pmid: pmid(0x1234),
            bearer: 1
        }]
    );
    assert_eq!(
        reports(&out),
        [Report::ConnectionUp {
            connection: id,
            pmid: pmid(0x1234),
            bearer: 1,
            rssi_dbm: -50
        }]
    );
    // The confirmation got lost: it asks again and gets the same bearer.
    let out = scene.ask(0x1234, AccessKind::Access);
    assert_eq!(
        orders(&out),
        [RadioOrder::Confirm {
            pmid: pmid(0x1234),
            bearer: 1
        }]
    );
    assert_eq!(reports(&out), []);
}

#[test]
fn a_portable_that_starts_anew_loses_its_old_connection() {
    let mut scene = Scene::serving();
    let old = scene.access(0x1234);
    let out = scene.ask(0x1234, AccessKind::Access);
    assert_eq!(
        orders(&out),
        [
            RadioOrder::Release {
                bearer: 1,
                reason: ReleaseReason::Abnormal
            },
            RadioOrder::Confirm {
                pmid: pmid(0x1234),
                bearer: 1
            },
        ]
    );
    assert_eq!(reports(&out)[0], down(old, DownReason::RadioLost));
}

#[test]
fn bearers_run_out_and_the_reserve_is_for_handovers() {
    let mut scene = Scene::serving();
    scene.configure(2, 2);
    for bits in 1..=10 {
        scene.access(bits);
    }
    let out = scene.ask(0x99, AccessKind::Access);
    assert_eq!(
        out,
        [Action::Radio(RadioOrder::Refuse {
            pmid: pmid(0x99),
            reason: RefuseReason::NoBearer
        })]
    );
    let out = scene.ask(0x99, AccessKind::ConnectionHandover);
    assert_eq!(orders(&out), [RadioOrder::Wait { pmid: pmid(0x99) }]);
    assert_eq!(scene.cell.state().bearers_free, 1);
}

#[test]
fn without_link_or_configuration_nobody_is_served() {
    let mut scene = Scene::booted();
    let refused = [RadioOrder::Refuse {
        pmid: pmid(1),
        reason: RefuseReason::NoBearer,
    }];
    assert_eq!(orders(&scene.ask(1, AccessKind::Access)), refused);
    let mut scene = Scene::serving();
    scene.handle(Event::LinkDown { link: ACTIVE });
    assert_eq!(orders(&scene.ask(1, AccessKind::Access)), refused);
}

#[test]
fn what_is_broadcast_follows_link_and_load() {
    let mut scene = Scene::booted();
    let said = |out: &[Action]| {
        out.iter().find_map(|a| match a {
            Action::Radio(RadioOrder::Broadcast(info)) => {
                Some((info.rfpi, info.busy, info.free_bearers))
            }
            _ => None,
        })
    };
    let rfpi = [0x11, 0x00, 0x23, 0x45, 0x2A];
    assert_eq!(said(&scene.link_up(ACTIVE, true)), None);
    assert_eq!(said(&scene.configure(5, 0)), Some((rfpi, false, 12)));
    // An older configuration is ignored.
    assert_eq!(said(&scene.configure(4, 12)), None);
    assert_eq!(
        said(&scene.ask(1, AccessKind::Access)),
        Some((rfpi, false, 11))
    );
    assert_eq!(
        said(&scene.handle(Event::LinkDown { link: ACTIVE })),
        Some((rfpi, true, 11))
    );
}

#[test]
fn messages_go_up_once_and_down_in_order() {
    let (mut scene, id) = Scene::bound();
    let mut portable = Portable::new(0x1234, 1);
    assert_eq!(
        reports(&portable.says(&mut scene, b"setup")),
        [up(id, 1, b"setup")]
    );
    assert_eq!(
        reports(&portable.says(&mut scene, &[7; 100])),
        [up(id, 2, &[7; 100])]
    );
    for (seq, pdu) in [(1, &b"ack"[..]), (2, &[9; 150])] {
        let out = scene.told(
            Task::NwkDown {
                connection: id,
                seq,
                pdu: pdu.to_vec(),
            },
            Outcome::Done,
        );
        portable.hears(&mut scene, out, &mut Vec::new());
    }
    assert_eq!(portable.heard, [b"ack".to_vec(), vec![9; 150]]);
}

#[test]
fn a_message_down_is_taken_once_and_never_contradicted() {
    let (mut scene, id) = Scene::bound();
    let mut portable = Portable::new(0x1234, 1);
    portable.says(&mut scene, b"setup");
    let down = |seq, pdu: &[u8]| Task::NwkDown {
        connection: id,
        seq,
        pdu: pdu.to_vec(),
    };
    let out = scene.told(down(1, b"one"), Outcome::Done);
    assert_eq!(orders(&out).len(), 1);
    assert_eq!(scene.told(down(1, b"one"), Outcome::Done), []);
    scene.told(
        down(1, b"two"),
        Outcome::Conflict("message 1 was another one".into()),
    );
    scene.told(
        down(3, b"two"),
        Outcome::Invalid("message 3 where 2 was due".into()),
    );
    scene.told(
        down(2, b""),
        Outcome::Invalid("message is empty or too long".into()),
    );
    portable.hears(&mut scene, out, &mut Vec::new());
    assert_eq!(portable.heard, [b"one".to_vec()]);
}

#[test]
fn unacknowledged_messages_close_the_window_until_the_owner_acknowledges() {
    let (mut scene, id) = Scene::bound();
    let mut portable = Portable::new(0x1234, 1);
    for _ in 0..MAX_UNACKED {
        assert_eq!(reports(&portable.says(&mut scene, b"key")).len(), 1);
    }
    assert_eq!(portable.says(&mut scene, b"one more"), []);
    let out = scene.told(
        Task::NwkAck {
            connection: id,
            seq: 1,
        },
        Outcome::Done,
    );
    assert_eq!(reports(&out), [up(id, 17, b"one more")]);
    // The portable repeats the frame meanwhile; the answer is on its way now.
    portable.hears(&mut scene, out, &mut Vec::new());
    assert!(portable.lapc.is_idle());
}

#[test]
fn a_connection_that_nobody_binds_is_released() {
    let mut scene = Scene::serving();
    let id = scene.access(0x1234);
    assert_eq!(reports(&scene.pass(LCE_05 - Duration::from_millis(1))), []);
    let out = scene.pass(Duration::from_millis(1));
    assert_eq!(
        orders(&out),
        [RadioOrder::Release {
            bearer: 1,
            reason: ReleaseReason::Abnormal
        }]
    );
    assert_eq!(reports(&out), [down(id, DownReason::NotAdopted)]);
}

#[test]
fn a_release_waits_for_the_last_message() {
    let (mut scene, id) = Scene::bound();
    let mut portable = Portable::new(0x1234, 1);
    portable.says(&mut scene, b"setup");
    let last = Task::NwkDown {
        connection: id,
        seq: 1,
        pdu: b"release com".to_vec(),
    };
    let sent = scene.told(last, Outcome::Done);
    let release = Task::Release {
        connection: id,
        reason: DownReason::Normal,
    };
    assert_eq!(scene.told(release.clone(), Outcome::Done), []);
    let mut out = Vec::new();
    portable.hears(&mut scene, sent, &mut out);
    assert_eq!(portable.heard, [b"release com".to_vec()]);
    assert_eq!(
        orders(&out),
        [RadioOrder::Release {
            bearer: 1,
            reason: ReleaseReason::Normal
        }]
    );
    assert_eq!(reports(&out), [down(id, DownReason::Normal)]);
    scene.told(release, Outcome::UnknownTarget);
}

#[test]
fn a_release_does_not_wait_for_ever() {
    let (mut scene, id) = Scene::bound();
    Portable::new(0x1234, 1).says(&mut scene, b"setup");
    scene.told(
        Task::NwkDown {
            connection: id,
            seq: 1,
            pdu: b"lost".to_vec(),
        },
        Outcome::Done,
    );
    scene.told(
        Task::Release {
            connection: id,
            reason: DownReason::Normal,
        },
        Outcome::Done,
    );
    assert_eq!(reports(&scene.pass(LINGER - Duration::from_millis(1))), []);
    assert_eq!(
        reports(&scene.pass(Duration::from_millis(1))),
        [down(id, DownReason::Normal)]
    );
}

#[test]
fn a_link_that_the_portable_never_answers_fails() {
    let (mut scene, id) = Scene::bound();
    Portable::new(0x1234, 1).says(&mut scene, b"setup");
    // The radio gets the segments across, but no answer comes: after four times DL.04 LAPC gives up.
    let out = scene.told(
        Task::NwkDown {
            connection: id,
            seq: 1,
            pdu: b"?".to_vec(),
        },
        Outcome::Done,
    );
    assert_eq!(orders(&out).len(), 1);
    let mut seen = Vec::new();
    for _ in 0..20 {
        let mut out = scene.radio(radio::Event::SegmentTaken { bearer: 1 });
        out.extend(scene.pass(Duration::from_secs(1)));
        seen.extend(reports(&out));
    }
    assert_eq!(seen, [down(id, DownReason::DlcFailed)]);
}

#[test]
fn the_portable_may_release_and_the_radio_may_lose_it() {
    let (mut scene, id) = Scene::bound();
    let out = scene.radio(radio::Event::Released {
        bearer: 1,
        reason: ReleaseReason::Normal,
    });
    assert_eq!(
        (orders(&out), reports(&out)),
        (vec![], vec![down(id, DownReason::Normal)])
    );
    let (mut scene, id) = Scene::bound();
    let out = scene.radio(radio::Event::BearerLost { bearer: 1 });
    assert_eq!(
        (orders(&out), reports(&out)),
        (vec![], vec![down(id, DownReason::RadioLost)])
    );
}

#[test]
fn bearer_handover_moves_the_connection_when_the_new_bearer_speaks() {
    let (mut scene, id) = Scene::bound();
    scene.told(
        Task::OpenSpeech {
            connection: id,
            path: path(7),
        },
        Outcome::Done,
    );
    let out = scene.ask(0x1234, AccessKind::BearerHandover);
    assert_eq!(
        orders(&out),
        [RadioOrder::Confirm {
            pmid: pmid(0x1234),
            bearer: 2
        }]
    );
    let out = scene.radio(radio::Event::BearerUp { bearer: 2 });
    assert_eq!(
        orders(&out),
        [RadioOrder::Release {
            bearer: 1,
            reason: ReleaseReason::HandedOver
        }]
    );
    assert_eq!(reports(&out), []);
    let unknown = RefuseReason::UnknownConnection;
    let out = scene.ask(0x777, AccessKind::BearerHandover);
    assert_eq!(
        orders(&out),
        [RadioOrder::Refuse {
            pmid: pmid(0x777),
            reason: unknown
        }]
    );
    // A second bearer that never speaks is given up, and the first one goes on.
    scene.ask(0x1234, AccessKind::BearerHandover);
    let out = scene.pass(Duration::from_millis(160));
    assert_eq!(
        orders(&out),
        [RadioOrder::Release {
            bearer: 1,
            reason: ReleaseReason::Abnormal
        }]
    );
    assert_eq!(
        (scene.cell.connections(), scene.cell.state().bearers_busy),
        (1, 1)
    );
}

#[test]
fn pages_are_short_where_they_can_be_and_end_by_themselves() {
    let mut scene = Scene::serving();
    let tpui = ipdect_dect::identity::Tpui::assigned(0x0_1234).unwrap();
    let page = Page {
        page_id: 9,
        paged: Paged::Tpui(tpui),
        header: 4,
        long_slot: false,
        life_multiframes: 6,
    };
    let out = scene.told(Task::Page(page), Outcome::Done);
    let tail = PageTail::Short([0x0C, 0x12, 0x34]);
    assert_eq!(
        orders(&out),
        [RadioOrder::Page {
            page_id: 9,
            tail,
            multiframes: 6
        }]
    );
    scene.told(
        Task::Page(Page { header: 0, ..page }),
        Outcome::Conflict("page 9 was another one".into()),
    );
    assert_eq!(scene.cell.state().page_queue, 1);
    scene.pass(Duration::from_millis(960));
    assert_eq!(scene.cell.state().page_queue, 0);
    // Repeated by LCE.03, then answered elsewhere.
    scene.told(Task::Page(page), Outcome::Done);
    let out = scene.told(Task::CancelPage { page_id: 9 }, Outcome::Done);
    assert_eq!(orders(&out), [RadioOrder::CancelPage { page_id: 9 }]);
    assert_eq!(
        scene.told(Task::CancelPage { page_id: 9 }, Outcome::Done),
        []
    );
}

#[test]
fn the_cell_reports_every_ten_seconds_and_on_change() {
    let mut scene = Scene::serving();
    let states = |out: &[Action]| -> Vec<u8> {
        out.iter()
            .filter_map(|a| match a {
                Action::Tell {
                    report: Report::Cell(state),
                    ..
                } => Some(state.bearers_busy),
                _ => None,
            })
            .collect()
    };
    assert_eq!(states(&scene.pass(Duration::from_secs(30))), [0, 0, 0]);
    assert_eq!(states(&scene.ask(1, AccessKind::Access)), [1]);
}

#[test]
fn a_drain_takes_nothing_new_and_ends_when_the_last_one_has_gone() {
    let (mut scene, id) = Scene::bound();
    let deadline = scene.now + Duration::from_secs(5);
    assert!(
        !scene
            .handle(Event::Drain { deadline })
            .contains(&Action::Drained)
    );
    let out = scene.ask(0x99, AccessKind::Access);
    assert_eq!(
        orders(&out),
        [RadioOrder::Refuse {
            pmid: pmid(0x99),
            reason: RefuseReason::Draining
        }]
    );
    scene.told(
        Task::OpenSpeech {
            connection: id,
            path: path(7),
        },
        Outcome::Draining,
    );
    let out = scene.pass(Duration::from_secs(5));
    assert_eq!(reports(&out), [down(id, DownReason::Drained)]);
    assert!(out.contains(&Action::Drained));
    assert_eq!(
        scene.cell.next_deadline().filter(|at| *at <= scene.now),
        None
    );
}

#[test]
fn a_drain_of_an_empty_cell_is_over_at_once() {
    let mut scene = Scene::serving();
    let deadline = scene.now + Duration::from_secs(5);
    assert!(
        scene
            .handle(Event::Drain { deadline })
            .contains(&Action::Drained)
    );
}
