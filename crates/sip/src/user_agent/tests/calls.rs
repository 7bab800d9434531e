//! Ladders of calls: who sent what, and what the owners were told.

use super::world::{A, B, IN, OUT, World, sdp};
use crate::message::{HeaderName, Message, Method};
use crate::transaction::Transport;
use crate::user_agent::{By, Event, Reason};

fn header(message: &Message, name: HeaderName) -> String {
    message
        .header(name)
        .map(|v| v.text().into_owned())
        .unwrap_or_default()
}

fn invite(w: &mut World) {
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
}

#[test]
fn a_call_is_answered_acknowledged_only_when_told_and_hung_up() {
    let mut w = World::new(1, Transport::Tcp);
    invite(&mut w);
    assert_eq!(w.seen(), ["A>B INVITE", "B>A 100 INVITE"]);
    w.act(B, |ua, now, rng| ua.ring(now, rng, IN));
    w.run_ms(50);
    w.act(B, |ua, now, rng| ua.answer(now, rng, IN, sdp("answer")));
    w.run_ms(100);
    assert_eq!(w.seen(), ["B>A 180 INVITE", "B>A 200 INVITE"]);
    // Commit, then speak: no ACK by itself, so the 2xx is repeated after T1.
    w.run_ms(420);
    assert_eq!(w.seen(), ["B>A 200 INVITE"]);
    w.act(A, |ua, now, rng| ua.ack(now, rng, OUT));
    w.run_ms(50);
    w.act(B, |ua, now, rng| ua.bye(now, rng, IN, None));
    w.run_ms(50);
    assert_eq!(w.seen(), ["A>B ACK", "B>A BYE", "A>B 200 BYE"]);
    let told = w.told();
    let [
        (
            B,
            Event::Incoming {
                call: IN, offer, ..
            },
        ),
        rest @ ..,
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(offer.as_ref(), Some(&sdp("offer")));
    let [
        (
            A,
            Event::Progress {
                status: 180,
                to_tag: Some(tag),
                ..
            },
        ),
        rest @ ..,
    ] = rest
    else {
        panic!("{rest:?}")
    };
    assert!(tag.starts_with("716-bbbb."));
    assert_eq!(
        rest,
        [
            (
                A,
                Event::Answered {
                    call: OUT,
                    sdp: Some(sdp("answer"))
                }
            ),
            (
                B,
                Event::Acked {
                    call: IN,
                    sdp: None
                }
            ),
            (
                A,
                Event::Ended {
                    call: OUT,
                    by: By::Peer,
                    reason: None
                }
            ),
            (
                B,
                Event::Ended {
                    call: IN,
                    by: By::Local,
                    reason: None
                }
            ),
        ]
    );
    w.run_ms(40_000);
    assert_eq!(
        w.agents
            .each_ref()
            .map(|ua| (ua.transactions(), ua.calls().count())),
        [(0, 0), (0, 0)]
    );
}

#[test]
fn a_call_given_up_is_cancelled_and_refused_with_487() {
    let mut w = World::new(2, Transport::Tcp);
    invite(&mut w);
    w.seen();
    w.told();
    let reason = Reason {
        protocol: "SIP".into(),
        cause: 200,
        text: "Call completed elsewhere".into(),
    };
    w.act(A, |ua, now, rng| ua.cancel(now, rng, OUT, Some(reason)));
    w.run_ms(50);
    assert_eq!(w.seen(), ["A>B CANCEL", "B>A 200 CANCEL"]);
    assert_eq!(
        w.told(),
        [(
            B,
            Event::Cancelled {
                call: IN,
                completed_elsewhere: true
            }
        )]
    );
    w.act(B, |ua, now, rng| ua.reject(now, rng, IN, 487, vec![]));
    w.run_ms(50);
    assert_eq!(w.seen(), ["B>A 487 INVITE", "A>B ACK"]);
    assert_eq!(
        w.told(),
        [(
            A,
            Event::Ended {
                call: OUT,
                by: By::Local,
                reason: None
            }
        )]
    );
}

#[test]
fn a_cancel_waits_for_the_first_answer() {
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
    w.act(A, |ua, now, rng| ua.cancel(now, rng, OUT, None));
    assert_eq!(w.seen(), ["A>B INVITE"]);
    w.run_ms(50);
    assert_eq!(w.seen(), ["B>A 100 INVITE", "A>B CANCEL", "B>A 200 CANCEL"]);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    let mut w = World::new(4, Transport::Tcp);
    invite(&mut w);
    w.seen();
    w.act(B, |ua, now, rng| ua.answer(now, rng, IN, sdp("answer")));
    w.act(A, |ua, now, rng| ua.cancel(now, rng, OUT, None));
    w.run_ms(100);
    assert_eq!(
        w.seen(),
        [
            "B>A 200 INVITE",
            "A>B CANCEL",
            "A>B ACK",
            "A>B BYE",
            "B>A 200 CANCEL",
            "B>A 200 BYE"
        ]
    );
    assert_eq!(
        w.told().last(),
        Some(&(
            A,
            Event::Ended {
                call: OUT,
                by: By::Local,
                reason: None
            }
        ))
    );
}

#[test]
fn a_busy_peer_refuses_with_its_reason() {
    let mut w = World::new(5, Transport::Tcp);
    invite(&mut w);
    w.told();
    let warning = ("Retry-After".to_owned(), "7".to_owned());
    w.act(B, |ua, now, rng| {
        ua.reject(now, rng, IN, 486, vec![warning])
    });
    w.run_ms(50);
    let retry_after = Some(std::time::Duration::from_secs(7));
    let refused = Event::Refused {
        call: OUT,
        status: 486,
        reason: "Busy Here".into(),
        retry_after,
    };
    assert_eq!(w.told(), [(A, refused)]);
}

#[test]
fn a_silent_proxy_times_the_call_out_after_four_seconds() {
    let mut w = World::new(6, Transport::Udp);
    w.pipe.loss = 100;
    invite(&mut w);
    w.run_ms(3940);
    assert_eq!(w.seen(), ["A>B INVITE"; 4], "sent at 0, 0.5, 1.5 and 3.5 s");
    assert_eq!(w.told(), []);
    w.run_ms(20);
    let refused = Event::Refused {
        call: OUT,
        status: 408,
        reason: String::new(),
        retry_after: None,
    };
    assert_eq!(w.told(), [(A, refused)]);
}

#[test]
fn an_ack_that_never_comes_is_told_after_64_t1() {
    let mut w = World::new(7, Transport::Tcp);
    invite(&mut w);
    w.act(B, |ua, now, rng| ua.answer(now, rng, IN, sdp("answer")));
    w.run_ms(31_900);
    w.told();
    w.run_ms(200);
    assert_eq!(w.told(), [(B, Event::AckTimeout { call: IN })]);
    let answers = w.seen().iter().filter(|l| *l == "B>A 200 INVITE").count();
    assert_eq!(answers, 11, "at 0, 0.5, 1.5, 3.5, then every 4 s");
}

#[test]
fn offers_that_cross_are_both_refused_and_tried_again() {
    let mut w = World::new(8, Transport::Tcp);
    w.call();
    w.obliging = true;
    w.act(A, |ua, now, rng| {
        ua.reinvite(now, rng, OUT, sdp("hold by A"))
    });
    w.act(B, |ua, now, rng| {
        ua.reinvite(now, rng, IN, sdp("hold by B"))
    });
    w.run_ms(50);
    assert_eq!(
        w.seen(),
        [
            "A>B INVITE",
            "B>A INVITE",
            "B>A 491 INVITE",
            "A>B 491 INVITE",
            "A>B ACK",
            "B>A ACK"
        ]
    );
    w.run_ms(2040);
    assert_eq!(
        w.seen(),
        ["B>A INVITE", "A>B 200 INVITE", "B>A ACK"],
        "who did not make the Call-ID waits less"
    );
    w.run_ms(2500);
    assert_eq!(w.seen(), ["A>B INVITE", "B>A 200 INVITE", "A>B ACK"]);
    assert_eq!(
        w.told(),
        [
            (
                A,
                Event::Reoffered {
                    call: OUT,
                    sdp: Some(sdp("hold by B"))
                }
            ),
            (
                B,
                Event::ReofferAnswered {
                    call: IN,
                    sdp: Some(sdp("other answer"))
                }
            ),
            (
                A,
                Event::Acked {
                    call: OUT,
                    sdp: None
                }
            ),
            (
                B,
                Event::Reoffered {
                    call: IN,
                    sdp: Some(sdp("hold by A"))
                }
            ),
            (
                A,
                Event::ReofferAnswered {
                    call: OUT,
                    sdp: Some(sdp("other answer"))
                }
            ),
            (
                B,
                Event::Acked {
                    call: IN,
                    sdp: None
                }
            ),
        ]
    );
}

#[test]
fn a_refused_offer_leaves_the_call_standing() {
    let mut w = World::new(9, Transport::Tcp);
    w.call();
    w.act(A, |ua, now, rng| ua.reinvite(now, rng, OUT, sdp("video")));
    w.run_ms(50);
    w.act(B, |ua, now, rng| ua.reject_reinvite(now, rng, IN, 488));
    w.run_ms(50);
    assert_eq!(w.seen(), ["A>B INVITE", "B>A 488 INVITE", "A>B ACK"]);
    assert_eq!(
        w.told().last(),
        Some(&(
            A,
            Event::ReofferRefused {
                call: OUT,
                status: 488
            }
        ))
    );
    assert_eq!(w.agents.each_ref().map(|ua| ua.calls().count()), [1, 1]);
}

#[test]
fn the_session_is_refreshed_by_update_at_half_its_time() {
    let mut w = World::new(10, Transport::Tcp);
    w.call();
    w.run_ms(899_000);
    assert_eq!(w.seen(), Vec::<String>::new());
    w.run_ms(2_000);
    assert_eq!(w.seen(), ["A>B UPDATE", "B>A 200 UPDATE"]);
    assert_eq!(
        header(&w.messages[0], HeaderName::SessionExpires),
        "1800;refresher=uac"
    );
    assert_eq!(
        header(&w.messages[1], HeaderName::SessionExpires),
        "1800;refresher=uac"
    );
    assert_eq!(w.told(), []);
    w.pipe.loss = 100;
    w.run_ms(1_801_000);
    let expired = w.told();
    assert_eq!(
        expired,
        [
            (B, Event::SessionExpired { call: IN }),
            (A, Event::SessionExpired { call: OUT })
        ]
    );
}

#[test]
fn a_refresh_by_the_same_sdp_asks_nobody() {
    let mut w = World::new(11, Transport::Tcp);
    w.call();
    w.act(A, |ua, now, rng| ua.reinvite(now, rng, OUT, sdp("offer")));
    w.run_ms(50);
    assert_eq!(w.seen(), ["A>B INVITE", "B>A 200 INVITE"]);
    assert_eq!(
        w.told(),
        [(
            A,
            Event::ReofferAnswered {
                call: OUT,
                sdp: Some(sdp("answer"))
            }
        )]
    );
}

#[test]
fn what_we_cannot_do_is_refused_by_its_name() {
    let mut w = World::new(12, Transport::Tcp);
    let ask = |line: &str, extra: &str| {
        let method = line.split(' ').next().unwrap().to_owned();
        let text = format!(
            "{line} SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5080;branch=z9hG4bK{method}\r\nFrom: <sip:x@y>;tag=1\r\n\
             To: <sip:1001@example.com>\r\nCall-ID: {method}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:x@y>\r\n{extra}Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.into()).unwrap()
    };
    w.deliver(A, ask("OPTIONS sip:1001@example.com", ""));
    w.deliver(
        A,
        ask("INVITE sip:1001@example.com", "Require: 100rel, timer\r\n"),
    );
    w.deliver(A, ask("BYE sip:1001@example.com", ""));
    w.deliver(A, ask("MESSAGE sip:1001@example.com", ""));
    w.deliver(A, ask("DANCE sip:1001@example.com", ""));
    w.deliver(A, ask("CANCEL sip:1001@example.com", ""));
    assert_eq!(
        w.seen(),
        [
            "A>B 200 OPTIONS",
            "A>B 420 INVITE",
            "A>B 481 BYE",
            "A>B 405 MESSAGE",
            "A>B 501 DANCE",
            "A>B 481 CANCEL"
        ]
    );
    assert_eq!(header(&w.messages[1], HeaderName::Unsupported), "100rel");
    assert_eq!(
        header(&w.messages[0], HeaderName::Allow),
        "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS"
    );
}

#[test]
fn a_goodbye_to_a_call_that_is_over_is_not_refused() {
    let mut w = World::new(14, Transport::Tcp);
    w.call();
    w.act(A, |ua, now, rng| ua.bye(now, rng, OUT, None));
    w.run_ms(100);
    let bye = w
        .messages
        .iter()
        .rev()
        .find(|m| m.method() == Some(&Method::Bye))
        .cloned()
        .unwrap();
    w.seen();
    let again = |tag: Option<&str>| {
        let edit = crate::message::Edit::new(&bye)
            .set(HeaderName::CSeq, "900 BYE")
            .replace_top(
                HeaderName::Via,
                format!(
                    "SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bK{}",
                    tag.unwrap_or("own")
                ),
            );
        match tag {
            Some(tag) => edit
                .set(HeaderName::To, format!("<sip:1002@example.com>;tag={tag}"))
                .build(),
            None => edit.build(),
        }
    };
    w.deliver(B, again(None));
    w.deliver(B, again(Some("stranger")));
    assert_eq!(w.seen(), ["B>A 200 BYE", "B>A 481 BYE"]);
}

#[test]
fn a_request_that_took_two_ways_is_taken_once() {
    let mut w = World::new(13, Transport::Tcp);
    invite(&mut w);
    w.seen();
    let first = w.messages[0].clone();
    let via = "SIP/2.0/TCP 192.0.2.77;branch=z9hG4bKotherway";
    let second = crate::message::Edit::new(&first)
        .replace_top(HeaderName::Via, via)
        .build();
    w.deliver(B, second);
    assert_eq!(w.seen(), ["B>A 482 INVITE"]);
    assert_eq!(w.agents[B].calls().count(), 1);
}

#[test]
fn an_unknown_dialog_is_481_and_an_old_number_500() {
    let mut w = World::new(14, Transport::Tcp);
    w.call();
    w.act(A, |ua, now, rng| ua.options(now, rng, Some(OUT)));
    w.run_ms(50);
    assert_eq!(
        w.told(),
        [(
            A,
            Event::OptionsAnswered {
                call: Some(OUT),
                status: 200
            }
        )]
    );
    let options = w.messages[0].clone();
    w.seen();
    let branch = |b: &str| format!("SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bK{b}");
    let old = crate::message::Edit::new(&options)
        .set(HeaderName::CSeq, "1 OPTIONS")
        .replace_top(HeaderName::Via, branch("1"))
        .build();
    let strange = crate::message::Edit::new(&options)
        .set(HeaderName::CallId, "x")
        .replace_top(HeaderName::Via, branch("2"))
        .build();
    w.deliver(B, old);
    w.deliver(B, strange);
    assert_eq!(w.seen(), ["B>A 500 OPTIONS", "B>A 481 OPTIONS"]);
}
