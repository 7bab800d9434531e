use super::scene::*;
use crate::cell::fence::{Fence, Floor, Token};
use crate::cell::message::*;
use crate::cell::{Action, Event};

fn adopt(connection: ConnectionId) -> Task {
    Task::Adopt { connection }
}

#[test]
fn orders_before_any_floor_are_fenced() {
    let mut scene = Scene::booted();
    scene.link_up(ACTIVE, true);
    scene.configure(1, 0);
    let id = scene.access(0x1234);
    let bind = Task::Bind {
        connection: id,
        ipei: ipei(),
    };
    scene.told(bind.clone(), Outcome::Fenced { seen: None });
    scene.floor(10);
    scene.told(bind, Outcome::Done);
}

/// Contracts, section 3, rules 1, 2 and 4: each order against what the device knows.
#[test]
fn the_fencing_table_holds() {
    let other = |revision| Fence {
        shard: SHARD + 1,
        token: Token { era: 1, revision },
    };
    let era = |era, revision| Fence {
        shard: SHARD,
        token: Token { era, revision },
    };
    let fenced = |seen| Outcome::Fenced { seen: Some(seen) };
    let table = [
        ("the token known", fence(10), Outcome::Done),
        ("a lower one", fence(9), fenced(fence(10))),
        ("a higher one", fence(11), Outcome::Done),
        ("the one that was highest", fence(10), fenced(fence(11))),
        (
            "another shard of which nothing is known",
            other(99),
            Outcome::Fenced { seen: None },
        ),
        (
            "a higher era with a lower revision",
            era(2, 3),
            Outcome::Done,
        ),
        (
            "the lower era with a higher revision",
            fence(1_000),
            fenced(era(2, 3)),
        ),
        ("a lower era", era(0, 5_000), fenced(era(2, 3))),
    ];
    let (mut scene, id) = Scene::bound();
    for (name, fence, wanted) in table {
        let (outcome, _) = scene.order(ACTIVE, fence, adopt(id));
        assert_eq!(outcome, wanted, "{name}");
    }
    // Connections live through a change of era.
    assert_eq!(scene.cell.connections(), 1);
}

#[test]
fn an_order_of_another_shard_than_the_connections_is_refused() {
    let (mut scene, id) = Scene::bound();
    let other = Fence {
        shard: SHARD + 1,
        token: Token {
            era: 1,
            revision: 50,
        },
    };
    let floors = vec![Floor {
        fence: other,
        start: start("server-2"),
    }];
    scene.handle(Event::Told {
        link: ACTIVE,
        instruction: Instruction::Floors(floors),
    });
    let tasks = [
        adopt(id),
        Task::Bind {
            connection: id,
            ipei: ipei(),
        },
        Task::NwkDown {
            connection: id,
            seq: 1,
            pdu: vec![1],
        },
        Task::OpenSpeech {
            connection: id,
            path: path(7),
        },
        Task::Release {
            connection: id,
            reason: crate::cell::connection::DownReason::Normal,
        },
    ];
    for task in tasks {
        let (outcome, out) = scene.order(ACTIVE, other, task);
        assert_eq!((outcome, out), (Outcome::WrongShard, vec![]));
    }
}

#[test]
fn floors_told_by_any_server_fence_an_old_owner_at_once() {
    let (mut scene, id) = Scene::bound();
    scene.link_up(STANDBY, false);
    let floors = vec![Floor {
        fence: fence(20),
        start: start("server-2"),
    }];
    scene.handle(Event::Told {
        link: STANDBY,
        instruction: Instruction::Floors(floors),
    });
    scene.told(
        adopt(id),
        Outcome::Fenced {
            seen: Some(fence(20)),
        },
    );
    let (outcome, _) = scene.order(STANDBY, fence(20), adopt(id));
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(
        (scene.cell.floors().all(), scene.cell.floors().era()),
        (vec![fence(20)], 1)
    );
}

#[test]
fn an_order_repeated_is_answered_alike_and_done_once() {
    let (mut scene, id) = Scene::bound();
    Portable::new(0x1234, 1).says(&mut scene, b"setup");
    let task = |pdu: &[u8]| Task::NwkDown {
        connection: id,
        seq: 1,
        pdu: pdu.to_vec(),
    };
    let order = |task| Order {
        order_id: 77,
        fence: fence(10),
        task,
    };
    let (outcome, out) = scene.give(ACTIVE, order(task(b"a")));
    assert_eq!((outcome, orders(&out).len()), (Outcome::Done, 1));
    assert_eq!(
        scene.give(ACTIVE, order(task(b"a"))),
        (Outcome::Done, vec![])
    );
    let conflict = Outcome::Conflict("order 77 was another one".into());
    assert_eq!(scene.give(ACTIVE, order(task(b"b"))), (conflict, vec![]));
    // On another link the number means another order.
    scene.link_up(STANDBY, false);
    assert_eq!(scene.give(STANDBY, order(adopt(id))).0, Outcome::Done);
}

#[test]
fn whose_a_connection_is_does_not_change() {
    let (mut scene, id) = Scene::bound();
    scene.told(
        Task::Bind {
            connection: id,
            ipei: ipei(),
        },
        Outcome::Done,
    );
    let other = "65535 0000001".parse().unwrap();
    scene.told(
        Task::Bind {
            connection: id,
            ipei: other,
        },
        Outcome::Conflict("connection is bound to another handset".into()),
    );
    scene.told(adopt(ConnectionId(1)), Outcome::UnknownTarget);
    let unbound = scene.access(0x77);
    scene.told(
        adopt(unbound),
        Outcome::Invalid("connection is not bound".into()),
    );
}

#[test]
fn ciphering_is_refused_in_words() {
    let (mut scene, id) = Scene::bound();
    scene.told(
        Task::SetCipherKey { connection: id },
        Outcome::Invalid("this radio cannot cipher".into()),
    );
}

#[test]
fn a_query_is_answered_for_the_shards_that_the_asker_owns() {
    let (mut scene, id) = Scene::bound();
    Portable::new(0x1234, 1).says(&mut scene, b"setup");
    scene.access(0x77);
    let query = |fences| Event::Told {
        link: STANDBY,
        instruction: Instruction::Query {
            query_id: 5,
            fences,
        },
    };
    scene.link_up(STANDBY, false);
    let out = scene.handle(query(vec![fence(12)]));
    let [
        Action::Tell {
            link: STANDBY,
            report: Report::Inventory(inventory),
        },
    ] = &out[..]
    else {
        panic!("one part: {out:?}");
    };
    assert_eq!(
        (
            inventory.query_id,
            inventory.last,
            inventory.connections.len()
        ),
        (5, true, 1)
    );
    let held = &inventory.connections[0];
    assert_eq!(
        (held.connection, held.owner),
        (id, Some((ipei(), fence(10))))
    );
    assert_eq!(
        (held.last_up_seq, held.unacked[0].pdu.as_slice()),
        (1, &b"setup"[..])
    );
    // The asker was superseded meanwhile: it learns nothing.
    let out = scene.handle(query(vec![fence(11)]));
    let [
        Action::Tell {
            report: Report::Inventory(inventory),
            ..
        },
    ] = &out[..]
    else {
        panic!("one part")
    };
    assert_eq!((inventory.connections.len(), inventory.last), (0, true));
}
