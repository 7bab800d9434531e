//! Lost, doubled and reordered messages; random events in random order.

use std::collections::BTreeSet;
use std::time::Duration;

use rand_core::RngCore;

use super::world::{A, B, OUT, Pipe, World, sdp};
use crate::dialog::Phase;
use crate::message::Message;
use crate::transaction::Transport;
use crate::user_agent::{Call, Event};

#[test]
fn calls_get_through_a_pipe_that_loses_a_tenth_and_reorders() {
    for seed in 0..30 {
        let mut w = World::new(seed, Transport::Udp);
        w.obliging = true;
        w.pipe = Pipe {
            loss: 10,
            doubling: 10,
            delay_ms: 300,
        };
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
        w.run_ms(40_000);
        let answered = w
            .events
            .iter()
            .any(|(who, e)| *who == A && matches!(e, Event::Answered { .. }));
        let acked = w
            .events
            .iter()
            .any(|(who, e)| *who == B && matches!(e, Event::Acked { .. }));
        assert!(answered && acked, "seed {seed}: {:#?}", w.ladder);
        w.act(A, |ua, now, rng| ua.bye(now, rng, OUT, None));
        w.run_ms(100_000);
        assert_eq!(
            w.agents.each_ref().map(|ua| ua.transactions()),
            [0, 0],
            "seed {seed}"
        );
        assert!(
            w.agents[A].calls().next().is_none(),
            "seed {seed}: {:#?}",
            w.ladder
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_ladder() {
    let run = |seed| {
        let mut w = World::new(seed, Transport::Udp);
        w.obliging = true;
        w.pipe = Pipe {
            loss: 20,
            doubling: 20,
            delay_ms: 900,
        };
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
        w.run_ms(40_000);
        w.ladder
    };
    assert_eq!(run(5), run(5));
}

/// One random order of a random owner.
fn order(w: &mut World, who: usize) {
    let (dice, number) = (w.rng.next_u32(), w.rng.next_u32() % 3);
    let call = if dice % 2 == 0 {
        Call(number)
    } else {
        Call(Call::INCOMING.0 + number)
    };
    let to = ["sip:1002@example.com", "sip:1001@example.com"][who]
        .parse()
        .unwrap();
    let text = sdp(&format!("{}", dice % 5));
    w.act(who, |ua, now, rng| match dice / 2 % 16 {
        0 | 1 => ua.invite(now, rng, call, to, text, vec![]),
        2 => ua.ring(now, rng, call),
        3 => ua.answer(now, rng, call, text),
        4 => ua.reject(now, rng, call, 486, vec![]),
        5 => ua.ack(now, rng, call),
        6 => ua.cancel(now, rng, call, None),
        7 => ua.bye(now, rng, call, None),
        8 => ua.reinvite(now, rng, call, text),
        9 => ua.answer_reinvite(now, rng, call, text),
        10 => ua.reject_reinvite(now, rng, call, 488),
        11 => ua.refresh(now, rng, call),
        12 => ua.options(now, rng, Some(call)),
        13 => ua.register(now, rng),
        14 => ua.unregister(now, rng),
        _ => ua.progress(now, rng, call, 183, Some(text)),
    });
}

/// Something that nobody expects: an old message again, or the loss of a transport.
fn mishap(w: &mut World) {
    let pick = usize::try_from(w.rng.next_u32()).unwrap();
    let who = pick % 2;
    if pick % 3 == 0
        && let Some((who, key)) = w.keys.get(pick % w.keys.len().max(1)).cloned()
    {
        w.act(who, |ua, now, rng| ua.transport_failed(now, rng, &key));
    } else if let Some(old) = w.messages.get(pick % w.messages.len().max(1)).cloned() {
        w.deliver(who, old);
    }
}

#[test]
fn random_events_leave_nothing_behind() {
    let mut kinds = BTreeSet::new();
    for seed in 0..40 {
        let transport = if seed % 2 == 0 {
            Transport::Udp
        } else {
            Transport::Tcp
        };
        let mut w = World::new(1000 + seed, transport);
        // Half of the owners do what they should, and get further into their calls.
        w.obliging = seed % 4 < 2;
        w.pipe = Pipe {
            loss: 15,
            doubling: 10,
            delay_ms: 700,
        };
        for _ in 0..150 {
            let who = if w.rng.next_u32().is_multiple_of(2) {
                A
            } else {
                B
            };
            match w.rng.next_u32() % 8 {
                0 => mishap(&mut w),
                1 => w.run_ms(3_000),
                _ => order(&mut w, who),
            }
            w.run_ms(100);
        }
        end_all(&mut w);
        kinds.extend(w.events.iter().map(|(_, event)| kind(event)));
        let left = w.agents.each_ref().map(|ua| ua.transactions());
        assert_eq!(left, [0, 0], "seed {seed}: {:#?}", w.agents);
    }
    // Else the dice were thrown for nothing.
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [
            "AckTimeout",
            "Acked",
            "Answered",
            "Cancelled",
            "Ended",
            "Incoming",
            "OptionsAnswered",
            "Progress",
            "Refused",
            "RegistrationFailed",
            "ReofferAnswered",
            "ReofferRefused",
            "Reoffered",
            "Unregistered"
        ]
    );
}

/// The name of an event.
fn kind(event: &Event) -> String {
    let text = format!("{event:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

/// Every owner ends every call; then 64 T1 of silence, several times over.
fn end_all(w: &mut World) {
    w.pipe = Pipe {
        delay_ms: 10,
        ..Pipe::default()
    };
    for _ in 0..4 {
        for who in [A, B] {
            w.act(who, |ua, now, rng| ua.unregister(now, rng));
            let calls: Vec<Call> = w.agents[who].calls().collect();
            for call in calls {
                let incoming = w.agents[who]
                    .record(call)
                    .is_some_and(|r| r.phase == Phase::Incoming);
                w.act(who, |ua, now, rng| ua.reject_reinvite(now, rng, call, 488));
                if incoming {
                    w.act(who, |ua, now, rng| ua.reject(now, rng, call, 480, vec![]));
                }
                w.act(who, |ua, now, rng| ua.bye(now, rng, call, None));
            }
        }
        w.run(Duration::from_secs(40));
    }
}

#[test]
fn damaged_messages_panic_nobody() {
    let mut w = World::new(77, Transport::Udp);
    w.call();
    w.act(A, |ua, now, rng| ua.reinvite(now, rng, OUT, sdp("other")));
    let mut samples: Vec<Message> = w.messages.clone();
    w.act(B, |ua, now, rng| ua.options(now, rng, None));
    samples.extend(w.messages.clone());
    for _ in 0..5_000 {
        let pick = usize::try_from(w.rng.next_u32()).unwrap();
        let mut octets = samples[pick % samples.len()].bytes().to_vec();
        for _ in 0..1 + w.rng.next_u32() % 4 {
            let at = usize::try_from(w.rng.next_u32()).unwrap() % octets.len();
            octets[at] = b"\r\n;,<>:@\"0a "[usize::try_from(w.rng.next_u32() % 12).unwrap()];
        }
        // Also unchecked ones: a caller that forgets must not fall over.
        if let Ok(message) = Message::parse(octets.into()) {
            let flow = "udp_192.0.2.1:5080_192.0.2.1:5070_0".parse().unwrap();
            let who = pick % 2;
            let now = w.now;
            let _ = w.agents[who].receive(now, &mut w.rng, message, flow);
        }
    }
}
