//! The domain with user agents around it: registration, calls, forking, CANCEL, and what it refuses.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;

use super::{Config, Domain, Output, Subscriber};
use crate::auth::digest::Password;
use crate::message::{HeaderName, Message, Uri};
use crate::tests::{rng, t0};
use crate::transaction::{Flow, Hop, Timers, Transport};
use crate::user_agent::tests::world::{IN, OUT, config, line, sdp};
use crate::user_agent::{self, Event, SentBy, UserAgent};

const ALICE: usize = 0;
const BOB: usize = 1;
const BOBS_OTHER: usize = 2;

struct Town {
    now: Instant,
    wall_ms: u64,
    rng: ChaCha8Rng,
    domain: Domain,
    phones: Vec<UserAgent>,
    transports: Vec<Transport>,
    queue: BTreeMap<(Instant, u64), (Option<usize>, Flow, Message)>,
    sent: u64,
    /// `0> INVITE` to the domain, `>1 INVITE` from it.
    ladder: Vec<String>,
    messages: Vec<Message>,
    events: Vec<(usize, Event)>,
    changed: Vec<String>,
}

fn users(name: &str) -> Option<Subscriber> {
    let known = ["1001", "1002"].contains(&name);
    known.then(|| Subscriber {
        auth_user: name.into(),
        password: Password::new(&format!("pw-{name}")),
    })
}

fn domain_config() -> Config {
    let at = |port: u16| format!("192.0.2.9:{port}");
    Config {
        name: "example.com".into(),
        aliases: vec!["192.0.2.9".into()],
        sent_by: SentBy {
            udp: at(5060),
            tcp: at(5060),
            tls: at(5061),
        },
        secret: vec![7; 32],
        timers: Timers::default(),
        server: "ipdect".into(),
    }
}

impl Town {
    fn new(transports: [Transport; 3]) -> Town {
        let users = [
            ("1001", 5070, "1-a"),
            ("1002", 5080, "2-b"),
            ("1002", 5090, "3-c"),
        ];
        let phones = users
            .iter()
            .zip(transports)
            .map(|((user, port, key), transport)| {
                let mut config = config(user, *port, key);
                config.auth_password = format!("pw-{user}");
                config.transport = transport;
                UserAgent::new(config)
            });
        Town {
            now: t0(),
            wall_ms: 1_700_000_000_000,
            rng: rng(1),
            domain: Domain::new(domain_config()),
            phones: phones.collect(),
            transports: transports.to_vec(),
            queue: BTreeMap::new(),
            sent: 0,
            ladder: vec![],
            messages: vec![],
            events: vec![],
            changed: vec![],
        }
    }

    /// A town with everybody registered.
    fn registered(transports: [Transport; 3]) -> Town {
        let mut town = Town::new(transports);
        for phone in [ALICE, BOB, BOBS_OTHER] {
            town.act(phone, |ua, now, rng| ua.register(now, rng));
        }
        town.run_ms(100);
        assert!(
            town.phones.iter().all(UserAgent::is_registered),
            "{:#?}",
            town.events
        );
        town.clear();
        town
    }

    fn clear(&mut self) {
        self.ladder.clear();
        self.events.clear();
        self.messages.clear();
        self.changed.clear();
    }

    /// The flow of a phone as the domain sees it.
    fn flow(&self, phone: usize) -> Flow {
        let port = [5070, 5080, 5090][phone];
        Flow {
            transport: self.transports[phone],
            remote: format!("192.0.2.1:{port}").parse().unwrap(),
            local: "192.0.2.9:5060".parse().unwrap(),
            connection: if self.transports[phone].is_reliable() {
                phone as u64 + 1
            } else {
                0
            },
        }
    }

    fn act(
        &mut self,
        phone: usize,
        work: impl FnOnce(&mut UserAgent, Instant, &mut dyn RngCore) -> Vec<user_agent::Output>,
    ) {
        let outputs = work(&mut self.phones[phone], self.now, &mut self.rng);
        for output in outputs {
            match output {
                user_agent::Output::Send(t) => {
                    self.ladder.push(format!("{phone}> {}", line(&t.message)));
                    self.post(None, self.flow(phone), t.message);
                }
                user_agent::Output::Event(event) => self.events.push((phone, event)),
            }
        }
    }

    fn domain_says(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { message, to, .. } => {
                    message.check().expect("what we send is sound");
                    let flow = match to {
                        Hop::Flow(flow) => flow,
                        other => panic!("phones are reached over their flows, not {other:?}"),
                    };
                    let phone = (0..3)
                        .find(|p| self.flow(*p).remote == flow.remote)
                        .unwrap();
                    assert_eq!(flow, self.flow(phone));
                    self.ladder.push(format!(">{phone} {}", line(&message)));
                    self.post(Some(phone), flow, message);
                }
                Output::BindingsChanged(aor) => self.changed.push(aor),
            }
        }
    }

    fn post(&mut self, to: Option<usize>, flow: Flow, message: Message) {
        self.sent += 1;
        self.messages.push(message.clone());
        self.queue.insert(
            (self.now + Duration::from_millis(1), self.sent),
            (to, flow, message),
        );
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.wall_ms)
    }

    fn run_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            let arrival = self.queue.keys().next().map(|(at, _)| *at);
            let deadlines = self.phones.iter().filter_map(UserAgent::next_deadline);
            let all = deadlines.chain(self.domain.next_deadline()).chain(arrival);
            let Some(next) = all.min().filter(|at| *at <= end) else {
                break;
            };
            self.tick(next);
            if arrival != Some(next) {
                for phone in 0..3 {
                    self.act(phone, |ua, now, rng| ua.deadline(now, rng));
                }
                let outputs = self.domain.deadline(self.now, self.wall(), &mut self.rng);
                self.domain_says(outputs);
                continue;
            }
            let (_, (to, flow, message)) = self.queue.pop_first().unwrap();
            match to {
                Some(phone) => {
                    let seen = Flow {
                        remote: flow.local,
                        local: flow.remote,
                        ..flow
                    };
                    self.act(phone, |ua, now, rng| ua.receive(now, rng, message, seen));
                }
                None => self.to_domain(message, flow),
            }
        }
        self.tick(end);
    }

    fn tick(&mut self, at: Instant) {
        let step = at.saturating_duration_since(self.now);
        self.wall_ms += u64::try_from(step.as_millis()).unwrap();
        self.now = self.now.max(at);
    }

    fn to_domain(&mut self, message: Message, flow: Flow) {
        let outputs =
            self.domain
                .receive(self.now, self.wall(), &mut self.rng, message, flow, &users);
        self.domain_says(outputs);
    }

    fn invite(&mut self, to: &str) {
        let to: Uri = to.parse().unwrap();
        self.act(ALICE, |ua, now, rng| {
            ua.invite(now, rng, OUT, to, sdp("offer"), vec![])
        });
        self.run_ms(20);
    }

    fn seen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ladder)
    }

    fn last(&self, of: &str) -> &Message {
        self.messages.iter().rev().find(|m| line(m) == of).unwrap()
    }
}

const TCP: [Transport; 3] = [Transport::Tcp; 3];
const MIXED: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

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
        town.to_domain(raw(line, &format!("{to}{headers}")), town.flow(ALICE));
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
    town.to_domain(elsewhere, town.flow(ALICE));
    assert_eq!(town.seen(), [">0 403 BYE"]);
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
    town.to_domain(back, town.flow(BOB));
    assert_eq!(town.seen(), [">1 100 INVITE", ">1 482 INVITE"]);
}

#[test]
fn short_times_too_many_contacts_and_old_numbers_are_refused() {
    let mut location = super::Location::default();
    let flow = "tcp_192.0.2.1:5070_192.0.2.9:5060_1".parse().unwrap();
    let mut register = |cseq: u32, contacts: &str| {
        let text = format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:u@e>;tag=1\r\n\
             To: <sip:u@e>\r\nCall-ID: c\r\nCSeq: {cseq} REGISTER\r\n{contacts}Content-Length: 0\r\n\r\n"
        );
        let message = Message::parse(text.into()).unwrap();
        let done = super::register(&mut location, "u@e", &message, flow, 1_000);
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
        (Err(super::Refusal::TooBrief), 0)
    );
    assert_eq!(register(1, &many), (Err(super::Refusal::TooMany), 0));
    assert_eq!(register(5, &ten), (Ok(true), 10));
    assert_eq!(register(6, ""), (Ok(false), 10));
    assert_eq!(
        register(5, "Contact: <sip:u@h3>;expires=0\r\n"),
        (Err(super::Refusal::Stale), 10)
    );
    assert_eq!(
        register(6, "Contact: <sip:u@h3>;expires=0\r\n"),
        (Ok(true), 9)
    );
    assert_eq!(
        register(5, "Contact: *\r\nExpires: 0\r\n"),
        (Err(super::Refusal::Stale), 9)
    );
    assert_eq!(
        register(7, "Contact: *\r\nExpires: 60\r\n"),
        (Err(super::Refusal::Malformed), 9)
    );
    assert_eq!(register(7, "Contact: *\r\nExpires: 0\r\n"), (Ok(true), 0));
}
