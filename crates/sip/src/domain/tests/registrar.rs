//! REGISTER: passwords, bindings, limits.

use super::town::{ALICE, BOB, TCP, Town};
use crate::domain::{Location, Output, Refusal, register as obey};
use crate::message::{HeaderName, Message};
use crate::transaction::Transport;
use crate::user_agent::tests::world::config;
use crate::user_agent::{Event, UserAgent};

#[test]
fn a_phone_registers_with_its_password_and_leaves() {
    let mut town = Town::new(TCP);
    town.act(ALICE, |ua, now, rng| ua.register(now, rng));
    town.run_ms(20);
    assert_eq!(
        town.seen(),
        [
            "0> REGISTER",
            ">0 401 REGISTER",
            "0> REGISTER",
            ">0 200 REGISTER"
        ]
    );
    let challenges: Vec<_> = town
        .last("401 REGISTER")
        .headers(HeaderName::WwwAuthenticate)
        .map(|v| v.text().into_owned())
        .collect();
    assert!(
        challenges[0].contains("SHA-256") && challenges[1].contains("MD5"),
        "{challenges:?}"
    );
    assert_eq!(town.changed, ["1001@example.com"]);
    let bindings: Vec<_> = town
        .domain
        .location()
        .of("1001@example.com", town.wall_ms)
        .cloned()
        .collect();
    assert_eq!(bindings.len(), 1);
    assert_eq!(
        (bindings[0].flow, bindings[0].expires_at_ms / 10_000),
        (Some(town.flow(ALICE)), 170_000_360)
    );
    town.act(ALICE, |ua, now, rng| ua.unregister(now, rng));
    town.run_ms(20);
    assert!(town.domain.location().is_empty());
    assert_eq!(
        town.seen(),
        ["0> REGISTER", ">0 200 REGISTER"],
        "the nonce is still good"
    );
}

#[test]
fn wrong_passwords_and_unknown_users_get_the_same_answer() {
    for user in ["1001", "4711"] {
        let mut town = Town::new(TCP);
        let mut config = config(user, 5070, "1-a");
        (config.auth_password, config.transport) = ("wrong".into(), Transport::Tcp);
        town.phones[ALICE] = UserAgent::new(config);
        town.act(ALICE, |ua, now, rng| ua.register(now, rng));
        town.run_ms(20);
        assert_eq!(
            town.seen(),
            [
                "0> REGISTER",
                ">0 401 REGISTER",
                "0> REGISTER",
                ">0 401 REGISTER"
            ]
        );
        let why = crate::registration::Failure::WrongPassword;
        assert!(
            matches!(&town.events[..], [(ALICE, Event::RegistrationFailed { why: w, .. })] if *w == why)
        );
    }
}

#[test]
fn a_binding_that_is_not_refreshed_ends() {
    let mut town = Town::registered(TCP);
    town.phones.truncate(0);
    town.phones
        .extend([1, 2, 3].map(|n| UserAgent::new(config("x", 1000 + n, "9-z"))));
    town.run_ms(3_620_000);
    assert!(town.domain.location().is_empty());
    assert_eq!(town.changed, ["1001@example.com", "1002@example.com"]);
}

#[test]
fn a_lost_connection_takes_its_binding_along() {
    let mut town = Town::registered(TCP);
    let outputs = town.domain.flow_lost(town.flow(BOB));
    assert_eq!(
        outputs,
        [Output::BindingsChanged("1002@example.com".into())]
    );
    assert_eq!(
        town.domain
            .location()
            .of("1002@example.com", town.wall_ms)
            .count(),
        1
    );
}

#[test]
fn short_times_too_many_contacts_and_old_numbers_are_refused() {
    let mut location = Location::default();
    let flow = "tcp_192.0.2.1:5070_192.0.2.9:5060_1".parse().unwrap();
    let mut register = |cseq: u32, contacts: &str| {
        let text = format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:u@e>;tag=1\r\n\
             To: <sip:u@e>\r\nCall-ID: c\r\nCSeq: {cseq} REGISTER\r\n{contacts}Content-Length: 0\r\n\r\n"
        );
        let message = Message::parse(text.into()).unwrap();
        let done = obey(&mut location, "u@e", &message, flow, 1_000);
        (done, location.of("u@e", 1_000).count())
    };
    let many: String = (0..11)
        .map(|n| format!("Contact: <sip:u@h{n}>\r\n"))
        .collect();
    let ten: String = (0..10)
        .map(|n| format!("Contact: <sip:u@h{n}>\r\n"))
        .collect();
    assert_eq!(
        register(1, "Contact: <sip:u@h>;expires=59\r\n"),
        (Err(Refusal::TooBrief), 0)
    );
    assert_eq!(register(1, &many), (Err(Refusal::TooMany), 0));
    assert_eq!(register(5, &ten), (Ok(true), 10));
    assert_eq!(register(6, ""), (Ok(false), 10));
    assert_eq!(
        register(5, "Contact: <sip:u@h3>;expires=0\r\n"),
        (Err(Refusal::Stale), 10)
    );
    assert_eq!(
        register(6, "Contact: <sip:u@h3>;expires=0\r\n"),
        (Ok(true), 9)
    );
    assert_eq!(
        register(5, "Contact: *\r\nExpires: 0\r\n"),
        (Err(Refusal::Stale), 9)
    );
    assert_eq!(
        register(7, "Contact: *\r\nExpires: 60\r\n"),
        (Err(Refusal::Malformed), 9)
    );
    assert_eq!(register(7, "Contact: *\r\nExpires: 0\r\n"), (Ok(true), 0));
}
