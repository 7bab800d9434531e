//! The four machines against the diagrams of RFC 3261 section 17 and RFC 6026: what goes in when, and all that comes out.

use std::time::{Duration, Instant};

use super::*;
use crate::message::{Builder, HeaderName, Method, StatusCode};
use crate::tests::t0;

fn request(method: Method, branch: &str) -> Message {
    Builder::request(method.clone(), &"sip:b@example.com".parse().unwrap())
        .header(
            HeaderName::Via,
            format!("SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport"),
        )
        .header(HeaderName::MaxForwards, 70)
        .header(HeaderName::Route, "<sip:192.0.2.9;lr>")
        .header(HeaderName::From, "<sip:a@example.com>;tag=a")
        .header(HeaderName::To, "<sip:b@example.com>")
        .header(HeaderName::CallId, "c")
        .header(HeaderName::CSeq, format!("7 {method}"))
        .build()
}

fn response(request: &Message, status: u16) -> Message {
    Builder::response_with_tag(request, StatusCode::new(status).unwrap(), None, "b").build()
}

/// What came out, in short: `send INVITE`, `deliver 180`.
fn client(actions: &[ClientAction]) -> Vec<String> {
    actions
        .iter()
        .map(|action| match action {
            ClientAction::Send(m) => format!("send {}", m.method().unwrap()),
            ClientAction::Deliver(m) => format!("deliver {}", code(m)),
            other => format!("{other:?}"),
        })
        .collect()
}

fn server(actions: &[ServerAction]) -> Vec<String> {
    actions
        .iter()
        .map(|action| match action {
            ServerAction::Send(m) => format!("send {}", code(m)),
            ServerAction::Deliver(m) => format!("deliver {}", m.method().unwrap()),
            other => format!("{other:?}"),
        })
        .collect()
}

/// Fires every deadline up to `end`; each line with its time in milliseconds.
macro_rules! fire {
    ($machine:expr, $event:path, $show:ident, $t0:expr, $end:expr) => {{
        let mut lines = vec![];
        while let Some(at) = $machine
            .next_deadline()
            .filter(|at| *at <= $t0 + Duration::from_millis($end))
        {
            for line in $show(&$machine.handle(at, $event)) {
                lines.push(format!("{} {line}", (at - $t0).as_millis()));
            }
        }
        lines
    }};
}

fn ms(t0: Instant, ms: u64) -> Instant {
    t0 + Duration::from_millis(ms)
}

#[test]
fn invite_is_repeated_at_doubling_times_and_given_up_by_timer_b() {
    let start = t0();
    let mut m = ClientInvite::new(
        start,
        request(Method::Invite, "z9hG4bK1"),
        false,
        Timers::default(),
    );
    assert_eq!(
        fire!(m, ClientEvent::Deadline, client, start, 60_000),
        [
            "500 send INVITE",
            "1500 send INVITE",
            "3500 send INVITE",
            "4000 TimedOut"
        ]
    );
    let rfc = Timers {
        client_timeout: Duration::from_secs(32),
        ..Timers::default()
    };
    let mut m = ClientInvite::new(start, request(Method::Invite, "z9hG4bK1"), false, rfc);
    assert_eq!(
        fire!(m, ClientEvent::Deadline, client, start, 60_000).len(),
        7,
        "six repetitions, then Timer B"
    );
    let mut m = ClientInvite::new(
        start,
        request(Method::Invite, "z9hG4bK1"),
        true,
        Timers::default(),
    );
    assert_eq!(
        fire!(m, ClientEvent::Deadline, client, start, 60_000),
        ["4000 TimedOut"]
    );
}

#[test]
fn a_refused_invite_is_acknowledged_each_time_and_told_once() {
    let start = t0();
    let invite = request(Method::Invite, "z9hG4bK1");
    let mut m = ClientInvite::new(start, invite.clone(), false, Timers::default());
    let get = |status| ClientEvent::Received(response(&invite, status));
    assert_eq!(client(&m.handle(ms(start, 100), get(100))), ["deliver 100"]);
    assert_eq!(client(&m.handle(ms(start, 200), get(180))), ["deliver 180"]);
    assert_eq!(m.next_deadline(), None, "a ringing phone may ring");
    let actions = m.handle(ms(start, 300), get(486));
    assert_eq!(client(&actions), ["send ACK", "deliver 486"]);
    let ClientAction::Send(ack) = &actions[0] else {
        panic!()
    };
    assert_eq!(ack.top_via(), invite.top_via());
    assert_eq!(ack.vias().unwrap().len(), 1);
    assert_eq!(ack.to().unwrap().tag(), Some("b"));
    assert_eq!(ack.cseq().unwrap().to_string(), "7 ACK");
    assert_eq!(ack.routes(), invite.routes());
    assert_eq!(client(&m.handle(ms(start, 400), get(486))), ["send ACK"]);
    assert_eq!(client(&m.handle(ms(start, 500), get(200))), [""; 0]);
    assert_eq!(
        fire!(m, ClientEvent::Deadline, client, start, 60_000),
        ["32300 Terminated"],
        "Timer D"
    );
}

#[test]
fn every_2xx_to_an_invite_goes_up_until_timer_m() {
    let start = t0();
    let invite = request(Method::Invite, "z9hG4bK1");
    let mut m = ClientInvite::new(start, invite.clone(), true, Timers::default());
    let get = |status| ClientEvent::Received(response(&invite, status));
    assert_eq!(client(&m.handle(start, get(200))), ["deliver 200"]);
    assert_eq!(client(&m.handle(start, get(200))), ["deliver 200"]);
    assert_eq!(client(&m.handle(start, get(486))), [""; 0]);
    assert_eq!(
        fire!(m, ClientEvent::Deadline, client, start, 60_000),
        ["32000 Terminated"]
    );
}

#[test]
fn a_broken_transport_ends_a_client_transaction() {
    let start = t0();
    let mut m = ClientInvite::new(
        start,
        request(Method::Invite, "z9hG4bK1"),
        true,
        Timers::default(),
    );
    assert_eq!(
        m.handle(start, ClientEvent::TransportFailed),
        [ClientAction::TransportFailed]
    );
    let mut m = ClientNonInvite::new(
        start,
        request(Method::Bye, "z9hG4bK1"),
        true,
        Timers::default(),
    );
    assert_eq!(
        m.handle(start, ClientEvent::TransportFailed),
        [ClientAction::TransportFailed]
    );
    assert_eq!(m.next_deadline(), None);
}

#[test]
fn other_requests_double_up_to_t2_and_slow_down_after_a_1xx() {
    let start = t0();
    let rfc = Timers {
        client_timeout: Duration::from_secs(32),
        ..Timers::default()
    };
    let bye = request(Method::Bye, "z9hG4bK1");
    let mut m = ClientNonInvite::new(start, bye.clone(), false, rfc);
    let times: Vec<_> = fire!(m, ClientEvent::Deadline, client, start, 60_000);
    let at = |l: &String| l.split(' ').next().unwrap().to_owned();
    assert_eq!(
        times.iter().map(at).collect::<Vec<_>>(),
        [
            "500", "1500", "3500", "7500", "11500", "15500", "19500", "23500", "27500", "31500",
            "32000"
        ]
    );
    let mut m = ClientNonInvite::new(start, bye.clone(), false, rfc);
    assert_eq!(
        client(&m.handle(ms(start, 100), ClientEvent::Received(response(&bye, 100)))),
        ["deliver 100"]
    );
    assert_eq!(
        fire!(m, ClientEvent::Deadline, client, start, 9_000),
        ["500 send BYE", "4500 send BYE", "8500 send BYE"]
    );
    assert_eq!(
        client(&m.handle(ms(start, 9_000), ClientEvent::Received(response(&bye, 200)))),
        ["deliver 200"]
    );
    assert_eq!(
        client(&m.handle(ms(start, 9_100), ClientEvent::Received(response(&bye, 200)))),
        [""; 0]
    );
    assert_eq!(
        fire!(m, ClientEvent::Deadline, client, start, 60_000),
        ["14000 Terminated"],
        "Timer K"
    );
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let start = t0();
    let invite = request(Method::Invite, "z9hG4bK1");
    let again = || ServerEvent::Received(invite.clone());
    let say = |status| ServerEvent::Respond(response(&invite, status));
    let ack = || ServerEvent::Received(request(Method::Ack, "z9hG4bK1"));
    let mut m = ServerInvite::new(false, Timers::default());
    assert_eq!(server(&m.handle(start, again())), [""; 0]);
    assert_eq!(server(&m.handle(start, say(180))), ["send 180"]);
    assert_eq!(server(&m.handle(start, again())), ["send 180"]);
    assert_eq!(server(&m.handle(start, say(486))), ["send 486"]);
    assert_eq!(
        fire!(m, ServerEvent::Deadline, server, start, 8_000),
        [
            "500 send 486",
            "1500 send 486",
            "3500 send 486",
            "7500 send 486"
        ]
    );
    assert_eq!(server(&m.handle(ms(start, 8_000), again())), ["send 486"]);
    assert_eq!(server(&m.handle(ms(start, 9_000), ack())), [""; 0]);
    assert_eq!(server(&m.handle(ms(start, 9_100), again())), [""; 0]);
    assert_eq!(
        fire!(m, ServerEvent::Deadline, server, start, 60_000),
        ["14000 Terminated"],
        "Timer I"
    );

    let mut m = ServerInvite::new(true, Timers::default());
    m.handle(start, say(486));
    assert_eq!(
        fire!(m, ServerEvent::Deadline, server, start, 60_000),
        ["32000 NoAck"],
        "Timer H"
    );
}

#[test]
fn an_accepted_invite_absorbs_repetitions_and_hands_up_acks() {
    let start = t0();
    let invite = request(Method::Invite, "z9hG4bK1");
    let mut m = ServerInvite::new(false, Timers::default());
    let ok = ServerEvent::Respond(response(&invite, 200));
    assert_eq!(server(&m.handle(start, ok.clone())), ["send 200"]);
    assert_eq!(
        server(&m.handle(start, ServerEvent::Received(invite.clone()))),
        [""; 0]
    );
    assert_eq!(server(&m.handle(start, ok)), ["send 200"]);
    assert_eq!(
        server(&m.handle(start, ServerEvent::Respond(response(&invite, 486)))),
        [""; 0]
    );
    let ack = ServerEvent::Received(request(Method::Ack, "z9hG4bK1"));
    assert_eq!(server(&m.handle(start, ack)), ["deliver ACK"]);
    assert_eq!(
        fire!(m, ServerEvent::Deadline, server, start, 60_000),
        ["32000 Terminated"],
        "Timer L"
    );
}

#[test]
fn other_requests_get_the_same_answer_until_timer_j() {
    let start = t0();
    let bye = request(Method::Bye, "z9hG4bK1");
    let again = || ServerEvent::Received(bye.clone());
    let mut m = ServerNonInvite::new(false, Timers::default());
    assert_eq!(server(&m.handle(start, again())), [""; 0]);
    assert_eq!(
        server(&m.handle(start, ServerEvent::Respond(response(&bye, 200)))),
        ["send 200"]
    );
    assert_eq!(server(&m.handle(start, again())), ["send 200"]);
    assert_eq!(
        server(&m.handle(start, ServerEvent::Respond(response(&bye, 500)))),
        [""; 0]
    );
    assert_eq!(
        fire!(m, ServerEvent::Deadline, server, start, 60_000),
        ["32000 Terminated"]
    );
    let mut m = ServerNonInvite::new(true, Timers::default());
    assert_eq!(
        server(&m.handle(start, ServerEvent::Respond(response(&bye, 200)))),
        ["send 200", "Terminated"]
    );
    // RFC 4320: nobody is helped by a 408.
    let mut m = ServerNonInvite::new(false, Timers::default());
    assert_eq!(
        server(&m.handle(start, ServerEvent::Respond(response(&bye, 408)))),
        ["Terminated"]
    );
}

#[test]
fn messages_find_their_transaction() {
    let key = |m: &Message| TransactionKey::server(m).unwrap();
    let invite = request(Method::Invite, "z9hG4bK1");
    assert_eq!(key(&invite), key(&request(Method::Ack, "z9hG4bK1")));
    assert_eq!(
        Some(key(&invite)),
        TransactionKey::cancelled(&request(Method::Cancel, "z9hG4bK1"))
    );
    assert_ne!(key(&invite), key(&request(Method::Cancel, "z9hG4bK1")));
    assert_ne!(key(&invite), key(&request(Method::Invite, "z9hG4bK2")));
    assert_eq!(
        TransactionKey::client(&invite),
        TransactionKey::client(&response(&invite, 200))
    );
    // Without the cookie: by everything else, the branch left out.
    let old = request(Method::Invite, "1");
    assert_eq!(key(&old), key(&request(Method::Ack, "2")));
    assert_ne!(key(&old), key(&invite));
}

#[test]
fn responses_go_back_where_the_request_came_from() {
    let flow: Flow = "udp_198.51.100.7:40000_192.0.2.1:5060_0".parse().unwrap();
    let with_rport = note_source(&request(Method::Bye, "z9hG4bK1"), flow);
    assert_eq!(with_rport.top_via().unwrap().rport(), Some(40_000));
    assert_eq!(build::way_back(&with_rport, flow), flow);
    let via = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1";
    let plain = crate::message::Edit::new(&request(Method::Bye, "z9hG4bK1"))
        .replace_top(HeaderName::Via, via)
        .build();
    let back = build::way_back(&note_source(&plain, flow), flow);
    assert_eq!(back.remote, "198.51.100.7:5060".parse().unwrap());
}
