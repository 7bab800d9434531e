//! What the domain does not forward.

use super::town::{ALICE, BOB, TCP, Town};
use crate::message::{HeaderName, Message};
use crate::user_agent::Event;
use crate::user_agent::tests::world::line;

#[test]
fn nobody_there_nobody_known_and_not_our_domain() {
    let mut town = Town::new(TCP);
    let mut refused = |to: &str| {
        town.invite(to);
        let event = town.events.pop();
        match event {
            Some((ALICE, Event::Refused { status, .. })) => status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused("sip:1002@example.com"), 480);
    assert_eq!(refused("sip:4711@example.com"), 404);
    assert_eq!(refused("sip:1002@elsewhere.example"), 403);
}

/// A request as a stranger writes it.
fn raw(line: &str, headers: &str) -> Message {
    let method = line.split(' ').next().unwrap();
    let text = format!(
        "{line} SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bK{}\r\nFrom: <sip:1001@example.com>;tag=1\r\n\
         Call-ID: c{}\r\nCSeq: 1 {method}\r\n{headers}Content-Length: 0\r\n\r\n",
        headers.len() + line.len(),
        headers.len()
    );
    Message::parse(text.into()).unwrap()
}

#[test]
fn what_cannot_be_forwarded_is_refused() {
    let mut town = Town::new(TCP);
    let to = "To: <sip:1002@example.com>\r\n";
    let ask = |town: &mut Town, line: &str, headers: &str| {
        town.hand_in(raw(line, &format!("{to}{headers}")), town.flow(ALICE));
        town.queue.clear();
        town.seen().pop().unwrap()
    };
    let uri = "sip:1002@example.com";
    assert_eq!(
        ask(&mut town, "OPTIONS sip:example.com", "Max-Forwards: 0\r\n"),
        ">0 200 OPTIONS"
    );
    assert_eq!(
        ask(&mut town, &format!("OPTIONS {uri}"), "Max-Forwards: 0\r\n"),
        ">0 483 OPTIONS"
    );
    assert_eq!(
        ask(
            &mut town,
            &format!("INVITE {uri}"),
            "Proxy-Require: x\r\nMax-Forwards: 9\r\n"
        ),
        ">0 420 INVITE"
    );
    assert_eq!(
        ask(&mut town, &format!("MESSAGE {uri}"), "Max-Forwards: 70\r\n"),
        ">0 407 MESSAGE"
    );
    assert_eq!(
        ask(&mut town, &format!("CANCEL {uri}"), "Max-Forwards: 70\r\n"),
        ">0 481 CANCEL"
    );
    let elsewhere = raw(
        "BYE sip:x@elsewhere.example",
        "To: <sip:a@b>;tag=2\r\nMax-Forwards: 70\r\n",
    );
    town.hand_in(elsewhere, town.flow(ALICE));
    assert_eq!(town.seen(), [">0 403 BYE"]);
    // A tag in To proves nothing: without a route of ours nobody gets past the challenge.
    let sly = raw(
        &format!("INVITE {uri}"),
        "To: <sip:1002@example.com>;tag=2\r\nMax-Forwards: 70\r\n",
    );
    town.hand_in(sly, town.flow(ALICE));
    assert_eq!(town.seen(), [">0 100 INVITE", ">0 481 INVITE"]);
}

#[test]
fn a_request_that_comes_back_unchanged_is_a_loop() {
    let mut town = Town::registered(TCP);
    town.invite("sip:1002@example.com");
    let forwarded = town
        .messages
        .iter()
        .find(|m| line(m) == "INVITE" && m.vias().unwrap().len() == 2)
        .unwrap()
        .clone();
    // As if Bob's phone sent it on to the address it was for.
    let back = crate::message::Edit::new(&forwarded)
        .request_uri(&"sip:1002@example.com".parse().unwrap())
        .push_top(
            HeaderName::Via,
            "SIP/2.0/TCP 192.0.2.1:5080;branch=z9hG4bKback",
        )
        .build();
    town.seen();
    town.hand_in(back, town.flow(BOB));
    assert_eq!(town.seen(), [">1 100 INVITE", ">1 482 INVITE"]);
}
