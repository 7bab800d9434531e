//! A call that moves to another owner by its record.

use super::world::{A, B, IN, OUT, World, config, sdp};
use crate::dialog::Phase;
use crate::message::HeaderName;
use crate::transaction::Transport;
use crate::user_agent::{By, Event, UserAgent};

/// Replaces an agent by one of the next generation that has nothing but the record of `call`.
fn take_over(w: &mut World, who: usize, call: crate::user_agent::Call) {
    let record = w.agents[who].record(call).unwrap();
    let mut config = [
        config("1001", 5070, "331-aaaa"),
        config("1002", 5080, "716-bbbb"),
    ][who]
        .clone();
    config.transport = Transport::Tcp;
    config.generation = w.agents[who].config().generation + 1;
    let mut successor = UserAgent::new(config);
    successor.restore(w.now, call, record.clone()).unwrap();
    assert_eq!(
        successor.record(call),
        Some(record),
        "nothing is lost on the way"
    );
    w.agents[who] = successor;
}

#[test]
fn a_standing_call_goes_on_above_all_old_numbers() {
    let mut w = World::new(1, Transport::Tcp);
    w.call();
    take_over(&mut w, A, OUT);
    w.run_ms(50);
    assert_eq!(
        w.seen(),
        ["A>B UPDATE", "B>A 200 UPDATE"],
        "the refresh is due at once"
    );
    assert_eq!(w.messages[0].cseq().unwrap().number, 65_537);
    w.act(A, |ua, now, rng| ua.bye(now, rng, OUT, None));
    w.run_ms(50);
    assert_eq!(
        w.told(),
        [
            (
                B,
                Event::Ended {
                    call: IN,
                    by: By::Peer,
                    reason: None
                }
            ),
            (
                A,
                Event::Ended {
                    call: OUT,
                    by: By::Local,
                    reason: None
                }
            )
        ]
    );
}

#[test]
fn a_ringing_call_is_answered_by_its_saved_vias() {
    let mut w = World::new(2, Transport::Tcp);
    w.act(A, |ua, now, rng| {
        ua.invite(
            now,
            rng,
            OUT,
            "sip:1002@example.com".parse().unwrap(),
            sdp("offer"),
            vec![],
        )
    });
    w.run_ms(50);
    w.act(B, |ua, now, rng| ua.ring(now, rng, IN));
    w.run_ms(50);
    take_over(&mut w, B, IN);
    w.seen();
    w.act(B, |ua, now, rng| ua.answer(now, rng, IN, sdp("answer")));
    w.run_ms(50);
    w.act(A, |ua, now, rng| ua.ack(now, rng, OUT));
    w.run_ms(50);
    assert_eq!(w.seen(), ["B>A 200 INVITE", "A>B ACK"]);
    assert_eq!(w.agents[B].record(IN).unwrap().phase, Phase::Confirmed);
}

/// A call of A that rings at B, where it was just taken over.
fn inherited_ringing(seed: u64) -> World {
    let mut w = World::new(seed, Transport::Tcp);
    let to = "sip:1002@example.com".parse().unwrap();
    w.act(A, |ua, now, rng| {
        ua.invite(now, rng, OUT, to, sdp("offer"), vec![])
    });
    w.run_ms(50);
    w.act(B, |ua, now, rng| ua.ring(now, rng, IN));
    w.run_ms(50);
    take_over(&mut w, B, IN);
    w.seen();
    w
}

#[test]
fn a_caller_who_repeats_his_invite_hears_that_the_call_rings() {
    let mut w = inherited_ringing(7);
    w.act(B, |ua, now, rng| ua.ring(now, rng, IN));
    w.run_ms(50);
    let invite = w.messages[0].clone();
    w.told();
    w.deliver(B, invite);
    w.run_ms(50);
    assert_eq!(w.seen(), ["B>A 180 INVITE", "B>A 180 INVITE"]);
    let of_b = w.told().into_iter().find(|(who, _)| *who == B);
    assert_eq!(of_b, None, "it is no second call");
    w.act(B, |ua, now, rng| ua.answer(now, rng, IN, sdp("answer")));
    w.run_ms(50);
    assert_eq!(w.seen(), ["B>A 200 INVITE"]);
}

#[test]
fn a_caller_gives_up_a_call_that_was_taken_over() {
    let mut w = inherited_ringing(8);
    w.act(A, |ua, now, rng| ua.cancel(now, rng, OUT, None));
    w.run_ms(50);
    let cancelled = Event::Cancelled {
        call: IN,
        completed_elsewhere: false,
    };
    assert!(w.told().contains(&(B, cancelled)));
    w.act(B, |ua, now, rng| ua.reject(now, rng, IN, 487, vec![]));
    w.run_ms(50);
    let seen = w.seen();
    assert_eq!(
        seen[..3],
        ["A>B CANCEL", "B>A 200 CANCEL", "B>A 487 INVITE"]
    );
}

#[test]
fn an_unacknowledged_answer_is_repeated_with_the_same_octets() {
    let mut w = World::new(3, Transport::Tcp);
    w.act(A, |ua, now, rng| {
        ua.invite(
            now,
            rng,
            OUT,
            "sip:1002@example.com".parse().unwrap(),
            sdp("offer"),
            vec![],
        )
    });
    w.run_ms(50);
    w.act(B, |ua, now, rng| ua.answer(now, rng, IN, sdp("answer")));
    w.run_ms(50);
    let first = w.messages.last().unwrap().clone();
    take_over(&mut w, B, IN);
    w.seen();
    w.run_ms(520);
    assert_eq!(w.seen(), ["B>A 200 INVITE"]);
    assert_eq!(w.messages.last(), Some(&first));
}

#[test]
fn a_call_that_rings_is_cancelled_on_its_old_branch() {
    let mut w = World::new(4, Transport::Tcp);
    w.act(A, |ua, now, rng| {
        ua.invite(
            now,
            rng,
            OUT,
            "sip:1002@example.com".parse().unwrap(),
            sdp("offer"),
            vec![],
        )
    });
    w.run_ms(50);
    let branch = w.messages[0].top_via().unwrap();
    w.act(B, |ua, now, rng| ua.ring(now, rng, IN));
    w.run_ms(50);
    take_over(&mut w, A, OUT);
    w.seen();
    w.act(A, |ua, now, rng| ua.cancel(now, rng, OUT, None));
    w.run_ms(50);
    assert_eq!(w.seen(), ["A>B CANCEL", "B>A 200 CANCEL"]);
    let cancel = w
        .messages
        .iter()
        .find(|m| m.method().is_some_and(|m| m.as_str() == "CANCEL"))
        .unwrap();
    assert_eq!(cancel.top_via().unwrap(), branch);
    assert_eq!(cancel.header(HeaderName::CSeq).unwrap().text(), "1 CANCEL");
}

#[test]
fn a_bye_that_was_decided_is_said_again_with_a_new_number() {
    let mut w = World::new(6, Transport::Tcp);
    w.call();
    w.pipe.loss = 100;
    w.act(A, |ua, now, rng| ua.bye(now, rng, OUT, None));
    assert_eq!(w.agents[A].record(OUT).unwrap().phase, Phase::Ending);
    take_over(&mut w, A, OUT);
    w.pipe.loss = 0;
    w.act(A, |ua, now, rng| ua.bye(now, rng, OUT, None));
    w.run_ms(50);
    assert_eq!(w.seen(), ["A>B BYE", "A>B BYE", "B>A 200 BYE"]);
    assert!(w.messages[1].cseq().unwrap().number > 65_536);
    assert_eq!(w.agents[A].calls().count(), 0);
}

#[test]
fn a_damaged_record_is_refused() {
    let mut w = World::new(5, Transport::Tcp);
    w.call();
    let mut record = w.agents[A].record(OUT).unwrap();
    record.remote_target = "nonsense".into();
    let now = w.now;
    assert!(w.agents[B].restore(now, OUT, record).is_err());
}
