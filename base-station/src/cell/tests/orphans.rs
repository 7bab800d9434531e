use std::time::Duration;

use super::scene::*;
use crate::cell::connection::{ADOPTION, DownReason};
use crate::cell::message::*;
use crate::cell::{Action, Event};

const MINUTE: Duration = Duration::from_secs(60);

fn inventory(out: &[Action]) -> Inventory {
    let found = out.iter().find_map(|a| match a {
        Action::Tell {
            report: Report::Inventory(inventory),
            ..
        } => Some(inventory.clone()),
        _ => None,
    });
    found.expect("an inventory")
}

#[test]
fn an_inventory_comes_first_on_an_active_link_even_if_it_is_empty() {
    let mut scene = Scene::booted();
    let out = scene.link_up(ACTIVE, true);
    assert_eq!(
        inventory(&out),
        Inventory {
            query_id: 0,
            last: true,
            ..Inventory::default()
        }
    );
    assert_eq!(reports(&scene.link_up(STANDBY, false)), []);
}

#[test]
fn speech_lives_on_for_fifteen_minutes_without_any_server() {
    let (mut scene, id) = Scene::bound();
    scene.told(
        Task::OpenSpeech {
            connection: id,
            path: path(7),
        },
        Outcome::Done,
    );
    scene.handle(Event::LinkDown { link: ACTIVE });
    scene.pass(15 * MINUTE - Duration::from_millis(1));
    assert_eq!(
        (scene.cell.connections(), scene.cell.speech().open_streams()),
        (1, 1)
    );
    scene.pass(Duration::from_millis(1));
    assert_eq!(
        (scene.cell.connections(), scene.cell.speech().open_streams()),
        (0, 0)
    );
    // Who comes back learns what ended.
    let ended = inventory(&scene.link_up(ACTIVE, true)).ended;
    let not_adopted = Ended {
        connection: id,
        fence: Some(fence(10)),
        reason: DownReason::NotAdopted,
    };
    assert_eq!(ended, [not_adopted]);
}

#[test]
fn what_the_portable_said_meanwhile_is_in_the_inventory() {
    let (mut scene, id) = Scene::bound();
    let mut portable = Portable::new(0x1234, 1);
    portable.says(&mut scene, b"one");
    scene.handle(Event::LinkDown { link: ACTIVE });
    assert_eq!(reports(&portable.says(&mut scene, b"two")), []);
    let held = inventory(&scene.link_up(3, true)).connections.remove(0);
    let pdus: Vec<_> = held
        .unacked
        .iter()
        .map(|up| (up.seq, up.pdu.clone()))
        .collect();
    assert_eq!(
        (held.connection, pdus),
        (id, vec![(1, b"one".to_vec()), (2, b"two".to_vec())])
    );
    let (outcome, _) = scene.order(
        3,
        fence(10),
        Task::NwkAck {
            connection: id,
            seq: 2,
        },
    );
    assert_eq!(outcome, Outcome::Done);
    scene.handle(Event::LinkDown { link: 3 });
    assert!(
        inventory(&scene.link_up(4, true)).connections[0]
            .unacked
            .is_empty()
    );
}

#[test]
fn after_a_link_is_regained_who_is_not_adopted_goes_unless_it_carries_speech() {
    let (mut scene, talking) = Scene::bound();
    scene.told(
        Task::OpenSpeech {
            connection: talking,
            path: path(7),
        },
        Outcome::Done,
    );
    let bind = |scene: &mut Scene, bits| {
        let connection = scene.access(bits);
        scene.told(
            Task::Bind {
                connection,
                ipei: ipei(),
            },
            Outcome::Done,
        );
        connection
    };
    let adopted = bind(&mut scene, 0x77);
    let forgotten = bind(&mut scene, 0x78);
    scene.handle(Event::LinkDown { link: ACTIVE });
    assert_eq!(reports(&scene.pass(MINUTE)), []);
    scene.link_up(3, true);
    let (outcome, _) = scene.order(
        3,
        fence(10),
        Task::Adopt {
            connection: adopted,
        },
    );
    assert_eq!(outcome, Outcome::Done);
    let out = scene.pass(ADOPTION);
    let down: Vec<_> = reports(&out)
        .into_iter()
        .filter(|r| matches!(r, Report::ConnectionDown { .. }))
        .collect();
    assert_eq!(
        down,
        [super::scene::down(forgotten, DownReason::NotAdopted)]
    );
    // Speech that nobody adopted goes on; once it is closed the wait for adoption is over.
    scene.pass(MINUTE);
    assert_eq!(scene.cell.connections(), 2);
}

#[test]
fn the_standby_takes_over_and_learns_so_from_an_inventory() {
    let (mut scene, id) = Scene::bound();
    scene.link_up(STANDBY, false);
    let out = scene.handle(Event::LinkDown { link: ACTIVE });
    assert!(
        matches!(
            out[0],
            Action::Tell {
                link: STANDBY,
                report: Report::Inventory(_)
            }
        ),
        "{out:?}"
    );
    assert_eq!(inventory(&out).connections[0].connection, id);
    // Reports go to it from now on.
    let out = Portable::new(0x1234, 1).says(&mut scene, b"key");
    assert!(
        matches!(
            out[..],
            [Action::Tell {
                link: STANDBY,
                report: Report::NwkUp(_)
            }]
        ),
        "{out:?}"
    );
}

#[test]
fn an_inventory_of_many_comes_in_parts() {
    let mut scene = Scene::serving();
    // Twelve bearers make one part; parts are cut at 64, which only ended connections could pass.
    for bits in 1..=12 {
        scene.access(bits);
    }
    scene.handle(Event::LinkDown { link: ACTIVE });
    let whole = inventory(&scene.link_up(3, true));
    assert_eq!((whole.connections.len(), whole.last), (12, true));
}
