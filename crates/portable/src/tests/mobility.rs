use std::time::Duration;

use ipdect_dect::nwk::ie::{RejectReason, ReleaseReason};

use super::world::{World, config, ipei};
use crate::{Action, CallState, Event, Key, LocationFailure, Portable, SubscriptionFailure};

#[test]
fn a_portable_subscribes_is_located_and_remembers_both() {
    let mut w = World::new(config());
    w.key(Key::PowerOn);
    w.run_ms(500);
    w.subscribe();
    w.until(10_000, |w| w.pp.status(w.now).located);
    let memory = w.memory.clone().unwrap();
    assert_eq!(memory.ipei, ipei());
    assert_eq!(memory.park, w.fp.ari().park());
    assert!(memory.tpui.is_some());
    assert_eq!(
        w.actions,
        [
            Action::Subscribed(Ok(memory.park)),
            Action::Located(Ok(memory.tpui)),
            Action::Display(vec!["Ann".into(), "1001".into()]),
        ]
    );
    w.run_ms(1000);
    assert_eq!(
        w.fp.log,
        [
            "Mm(AccessRightsRequest)",
            "Mm(AuthRequest)",
            "Mm(LocateRequest)",
            "Mm(AuthReply)",
            "authenticated",
            "Mm(TemporaryIdentityAssignAck)",
            "located",
        ]
    );
    // Left alone, the connection is released by the portable.
    w.run_ms(11_000);
    assert_eq!(w.fp.busy(), 0);
    assert!(!w.pp.status(w.now).connected);
}

#[test]
fn a_subscribed_portable_registers_when_it_is_switched_on_and_detaches_when_off() {
    let mut w = World::located(config());
    w.key(Key::PowerOff);
    w.until(3000, |w| w.saw(|action| *action == Action::Off));
    assert_eq!(w.fp.log[0], "Mm(Detach)");
    assert_eq!(w.pp.next_deadline(), None);
    w.run_ms(1000);
    assert_eq!(w.fp.busy(), 0);
    let base = std::net::SocketAddr::from(([127, 0, 0, 1], 7462));
    w.pp = Portable::new(config(), w.memory.clone(), vec![base]);
    w.key(Key::PowerOn);
    w.until(5000, |w| w.pp.status(w.now).located);
}

#[test]
fn a_wrong_access_code_is_told_as_such() {
    let mut w = World::new(config());
    w.fp.code = "9999";
    w.key(Key::PowerOn);
    w.run_ms(500);
    w.subscribe();
    w.until(10_000, |w| {
        w.saw(|action| matches!(action, Action::Subscribed(_)))
    });
    let failure = SubscriptionFailure::Rejected(RejectReason::AUTHENTICATION_FAILED);
    assert_eq!(w.actions[0], Action::Subscribed(Err(failure)));
    assert_eq!(
        failure.to_string(),
        "rejected by the system: authentication failed"
    );
    assert_eq!(w.pp.status(w.now).display, ["Subscription", "Wrong code"]);
    assert!(!w.pp.status(w.now).subscribed && w.memory.is_none());
    // The right one, typed by the user, does.
    w.give(Event::Subscribe {
        park: Some(w.fp.ari().park()),
        access_code: "9999".parse().ok(),
    });
    w.until(10_000, |w| w.pp.status(w.now).located);
}

#[test]
fn a_system_that_is_not_open_takes_nobody() {
    let mut w = World::new(config());
    w.fp.open = false;
    w.key(Key::PowerOn);
    w.run_ms(500);
    w.subscribe();
    w.run_ms(21_000);
    let failure = SubscriptionFailure::NoOpenSystem;
    assert_eq!(w.actions[0], Action::Subscribed(Err(failure)));
    assert!(w.fp.log.is_empty());
    // Opened while the portable looks: it goes on by itself.
    w.actions.clear();
    w.subscribe();
    w.run_ms(3000);
    w.fp.open = true;
    w.until(10_000, |w| w.pp.status(w.now).located);
}

#[test]
fn a_base_station_that_does_not_answer_is_told_as_such() {
    let mut w = World::new(config());
    w.fp.confirms = false;
    w.key(Key::PowerOn);
    w.run_ms(500);
    w.subscribe();
    w.run_ms(4000);
    assert_eq!(
        w.actions[0],
        Action::Subscribed(Err(SubscriptionFailure::NoLink))
    );
}

#[test]
fn a_portable_without_power_or_system_says_so() {
    let mut w = World::new(config());
    w.subscribe();
    assert_eq!(
        w.actions,
        [Action::Subscribed(Err(SubscriptionFailure::Off))]
    );
    w.actions.clear();
    w.key(Key::PowerOn);
    w.key(Key::OffHook);
    assert!(w.saw(|action| *action
        == Action::CallEnded {
            reason: ReleaseReason::USER_NOT_IN_RANGE
        }));
    assert_eq!(w.pp.status(w.now).call, CallState::Idle);
}

#[test]
fn a_system_that_forgot_the_handset_is_asked_again_after_five_minutes() {
    let mut w = World::located(config());
    w.fp = super::fixed_part::FixedPart::new(w.now);
    let base = std::net::SocketAddr::from(([127, 0, 0, 1], 7462));
    w.pp = Portable::new(config(), w.memory.clone(), vec![base]);
    w.key(Key::PowerOn);
    w.until(5000, |w| {
        w.saw(|action| matches!(action, Action::Located(Err(_))))
    });
    let failure = LocationFailure::Rejected(RejectReason::IPUI_UNKNOWN);
    assert!(w.saw(|action| *action == Action::Located(Err(failure))));
    w.fp.log.clear();
    w.run_ms(Duration::from_secs(290).as_millis() as u64);
    assert!(w.fp.log.iter().all(|line| line != "Mm(LocateRequest)"));
    w.run_ms(20_000);
    assert!(w.fp.log.iter().any(|line| line == "Mm(LocateRequest)"));
}

#[test]
fn damaged_and_foreign_datagrams_change_nothing() {
    let mut w = World::located(config());
    let before = format!("{:?}", w.pp.status(w.now));
    let from = std::net::SocketAddr::from(([127, 0, 0, 1], 7462));
    for length in 0..80 {
        let octets: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
        w.give(Event::Datagram {
            from,
            octets: &octets,
        });
        let mut like_air = vec![0xDE, 0xC7, 1, (length % 12) as u8];
        like_air.extend(octets);
        w.give(Event::Datagram {
            from,
            octets: &like_air,
        });
    }
    assert_eq!(format!("{:?}", w.pp.status(w.now)), before);
}
