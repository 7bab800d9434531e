//! Calls through the domain: who sent what to whom.

use super::town::{ALICE, BOB, BOBS_OTHER, MIXED, TCP, Town};
use crate::message::HeaderName;
use crate::user_agent::tests::world::{IN, OUT, sdp};
use crate::user_agent::{Event, UserAgent};

#[test]
fn both_phones_ring_and_the_slower_one_is_cancelled() {
    for transports in [TCP, MIXED] {
        let mut town = Town::registered(transports);
        town.invite("sip:1002@example.com");
        assert_eq!(
            town.seen(),
            [
                "0> INVITE",
                ">0 100 INVITE",
                ">0 407 INVITE",
                "0> ACK",
                "0> INVITE",
                ">0 100 INVITE",
                ">1 INVITE",
                ">2 INVITE",
                "1> 100 INVITE",
                "2> 100 INVITE",
            ]
        );
        for phone in [BOB, BOBS_OTHER] {
            town.act(phone, |ua, now, rng| ua.ring(now, rng, IN));
        }
        town.run_ms(20);
        assert_eq!(
            town.seen(),
            [
                "1> 180 INVITE",
                "2> 180 INVITE",
                ">0 180 INVITE",
                ">0 180 INVITE"
            ]
        );
        town.act(BOB, |ua, now, rng| ua.answer(now, rng, IN, sdp("answer")));
        town.run_ms(20);
        assert_eq!(
            town.seen(),
            [
                "1> 200 INVITE",
                ">0 200 INVITE",
                ">2 CANCEL",
                "2> 200 CANCEL"
            ]
        );
        let reason = town
            .last("CANCEL")
            .header(HeaderName::Reason)
            .unwrap()
            .text()
            .into_owned();
        assert_eq!(reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
        assert_eq!(
            town.events.last(),
            Some(&(
                BOBS_OTHER,
                Event::Cancelled {
                    call: IN,
                    completed_elsewhere: true
                }
            ))
        );
        town.act(BOBS_OTHER, |ua, now, rng| {
            ua.reject(now, rng, IN, 487, vec![])
        });
        town.act(ALICE, |ua, now, rng| ua.ack(now, rng, OUT));
        town.run_ms(20);
        assert_eq!(town.seen(), ["2> 487 INVITE", "0> ACK", ">2 ACK", ">1 ACK"]);
        // Requests inside the dialog find each phone over its own flow, from both sides.
        town.act(BOB, |ua, now, rng| ua.reinvite(now, rng, IN, sdp("hold")));
        town.run_ms(20);
        town.act(ALICE, |ua, now, rng| {
            ua.answer_reinvite(now, rng, OUT, sdp("held"))
        });
        town.run_ms(20);
        town.act(BOB, |ua, now, rng| ua.ack(now, rng, IN));
        town.run_ms(20);
        assert_eq!(
            town.seen(),
            [
                "1> INVITE",
                ">1 100 INVITE",
                ">0 INVITE",
                "0> 200 INVITE",
                ">1 200 INVITE",
                "1> ACK",
                ">0 ACK"
            ]
        );
        town.act(ALICE, |ua, now, rng| ua.bye(now, rng, OUT, None));
        town.run_ms(20);
        assert_eq!(
            town.seen(),
            ["0> BYE", ">1 BYE", "1> 200 BYE", ">0 200 BYE"]
        );
        town.run_ms(70_000);
        assert_eq!(
            (
                town.domain.transactions(),
                town.domain.forks.len(),
                town.domain.branches.len()
            ),
            (0, 0, 0)
        );
    }
}

#[test]
fn a_caller_who_gives_up_stops_every_phone() {
    let mut town = Town::registered(TCP);
    town.invite("sip:1002@192.0.2.9");
    town.seen();
    town.act(ALICE, |ua, now, rng| ua.cancel(now, rng, OUT, None));
    town.run_ms(20);
    assert_eq!(
        town.seen(),
        [
            "0> CANCEL",
            ">0 200 CANCEL",
            ">1 CANCEL",
            ">2 CANCEL",
            "1> 200 CANCEL",
            "2> 200 CANCEL"
        ]
    );
    for phone in [BOB, BOBS_OTHER] {
        town.act(phone, |ua, now, rng| ua.reject(now, rng, IN, 487, vec![]));
    }
    town.run_ms(20);
    assert_eq!(
        town.seen(),
        [
            "1> 487 INVITE",
            "2> 487 INVITE",
            ">1 ACK",
            ">2 ACK",
            ">0 487 INVITE",
            "0> ACK"
        ]
    );
}

#[test]
fn the_best_refusal_goes_back() {
    for (first, second, best) in [
        (486, 480, 486),
        (486, 603, 603),
        (404, 503, 404),
        (503, 503, 500),
    ] {
        let mut town = Town::registered(TCP);
        town.invite("sip:1002@example.com");
        for (phone, status) in [(BOB, first), (BOBS_OTHER, second)] {
            town.act(phone, |ua, now, rng| {
                ua.reject(now, rng, IN, status, vec![])
            });
        }
        town.run_ms(20);
        let refused = town.events.iter().find_map(|(_, e)| match e {
            Event::Refused { status, .. } => Some(*status),
            _ => None,
        });
        assert_eq!(refused, Some(best), "{first} and {second}");
    }
}

#[test]
fn timer_c_ends_what_rings_for_three_minutes() {
    let mut town = Town::registered(TCP);
    town.invite("sip:1002@example.com");
    for phone in [BOB, BOBS_OTHER] {
        town.act(phone, |ua, now, rng| ua.progress(now, rng, IN, 183, None));
        // Silent from here on: no repetition of the 183, no answer to the CANCEL.
        let fresh = town.phones[phone].config().clone();
        town.phones[phone] = UserAgent::new(fresh);
    }
    town.run_ms(20);
    town.seen();
    town.run_ms(180_100);
    let cancels = |l: &String| l.contains("CANCEL");
    assert_eq!(
        town.seen()
            .into_iter()
            .filter(cancels)
            .take(2)
            .collect::<Vec<_>>(),
        [">1 CANCEL", ">2 CANCEL"]
    );
    town.run_ms(33_000);
    let refused = town
        .events
        .iter()
        .find(|(_, e)| matches!(e, Event::Refused { .. }))
        .cloned();
    assert!(
        matches!(refused, Some((ALICE, Event::Refused { status: 487, .. }))),
        "{refused:?}"
    );
    town.run_ms(70_000);
    assert_eq!(
        (town.domain.transactions(), town.domain.forks.len()),
        (0, 0)
    );
}
