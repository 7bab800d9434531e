//! Registration against a scripted registrar: refresh, failover and return, refusals.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;

use super::world::config;
use crate::message::{Builder, HeaderName, Message, StatusCode};
use crate::registration::Failure;
use crate::tests::{rng, t0};
use crate::transaction::Hop;
use crate::trunk::{Proxies, Proxy, TrunkHealth};
use crate::user_agent::{Config, Event, Output, Transmit, UserAgent};

struct Desk {
    now: Instant,
    rng: ChaCha8Rng,
    ua: UserAgent,
    sent: Vec<Transmit>,
    told: Vec<Event>,
}

impl Desk {
    fn new(change: impl FnOnce(&mut Config)) -> Desk {
        let mut config = config("1001", 5070, "331-aaaa");
        change(&mut config);
        Desk {
            now: t0(),
            rng: rng(1),
            ua: UserAgent::new(config),
            sent: vec![],
            told: vec![],
        }
    }

    fn take(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(transmit) => self.sent.push(transmit),
                Output::Event(event) => self.told.push(event),
            }
        }
    }

    fn register(&mut self) {
        let outputs = self.ua.register(self.now, &mut self.rng);
        self.take(outputs);
    }

    /// Lets time pass in the steps that the user agent asks for.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.ua.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            let outputs = self.ua.deadline(self.now, &mut self.rng);
            self.take(outputs);
        }
        self.now = end;
    }

    /// Answers the last REGISTER.
    fn answer(&mut self, status: u16, extra: &[(HeaderName, &str)]) {
        let request = self.sent.last().unwrap().message.clone();
        let mut builder =
            Builder::response_with_tag(&request, StatusCode::new(status).unwrap(), None, "r");
        for (name, value) in extra {
            builder = builder.header(*name, value);
        }
        let flow = "udp_192.0.2.9:5060_192.0.2.1:5070_0".parse().unwrap();
        let outputs = self
            .ua
            .receive(self.now, &mut self.rng, builder.build(), flow);
        self.take(outputs);
    }

    fn grant(&mut self, expires: u32) {
        let contact = format!("<sip:1001@192.0.2.1:5070;h=331-aaaa>;expires={expires}");
        self.answer(200, &[(HeaderName::Contact, &contact)]);
    }

    fn hops(&mut self) -> Vec<Hop> {
        std::mem::take(&mut self.sent)
            .into_iter()
            .map(|t| t.to)
            .collect()
    }

    fn last(&self) -> &Message {
        &self.sent.last().unwrap().message
    }
}

fn two_proxies(config: &mut Config) {
    let proxy = |host: &str, priority| Proxy {
        uri: format!("sip:{host}").parse().unwrap(),
        priority,
        weight: 1,
    };
    config.proxies = Proxies::new(vec![proxy("192.0.2.8", 1), proxy("192.0.2.9", 2)]).unwrap();
}

#[test]
fn a_binding_is_refreshed_after_85_to_90_percent_with_one_call_id() {
    let mut d = Desk::new(|_| {});
    d.register();
    let first = d.last().clone();
    assert_eq!(first.expires(), Ok(Some(3600)));
    assert_eq!(first.max_forwards(), Ok(Some(70)));
    assert_eq!(
        first.contact().unwrap().unwrap().uri.param("h"),
        Some("331-aaaa")
    );
    d.grant(1000);
    let contact = d.ua.config().contact.clone();
    assert_eq!(
        d.told,
        [Event::Registered {
            expires: Duration::from_secs(1000),
            contact,
            proxy: Some(0)
        }]
    );
    d.sent.clear();
    d.wait(Duration::from_secs(849));
    assert_eq!(d.hops(), []);
    d.wait(Duration::from_secs(52));
    let again = d.last().clone();
    assert_eq!(again.call_id(), first.call_id());
    assert!(again.cseq().unwrap().number > first.cseq().unwrap().number);
}

#[test]
fn a_silent_proxy_is_left_for_the_next_and_returned_to() {
    let mut d = Desk::new(two_proxies);
    d.register();
    d.wait(Duration::from_millis(3_900));
    assert_eq!(
        d.hops(),
        [Hop::Proxy(0), Hop::Proxy(0), Hop::Proxy(0), Hop::Proxy(0)]
    );
    d.wait(Duration::from_millis(200));
    assert_eq!(
        d.sent.last().unwrap().to,
        Hop::Proxy(1),
        "after the client transaction timeout"
    );
    d.grant(3600);
    assert_eq!(d.hops(), [Hop::Proxy(1)]);
    let health = TrunkHealth { proxy: 0, up: true };
    let outputs = d.ua.trunk_health(d.now, &mut d.rng, health);
    d.take(outputs);
    assert_eq!(d.sent.last().unwrap().to, Hop::Proxy(0));
    d.grant(3600);
    assert!(matches!(
        d.told.last(),
        Some(Event::Registered { proxy: Some(0), .. })
    ));
}

#[test]
fn a_503_is_obeyed_with_its_retry_after() {
    let mut d = Desk::new(two_proxies);
    d.register();
    d.answer(503, &[(HeaderName::RetryAfter, "120")]);
    d.grant(3600);
    assert_eq!(d.hops(), [Hop::Proxy(0), Hop::Proxy(1)]);
    d.wait(Duration::from_secs(119));
    assert_eq!(d.hops(), []);
    d.wait(Duration::from_secs(2));
    assert_eq!(d.hops()[0], Hop::Proxy(0));
}

#[test]
fn all_proxies_gone_is_told_and_tried_again() {
    let mut d = Desk::new(two_proxies);
    d.register();
    for _ in 0..2 {
        let key = d.sent.last().unwrap().transaction.clone().unwrap();
        let outputs = d.ua.transport_failed(d.now, &mut d.rng, &key);
        d.take(outputs);
    }
    let [
        Event::RegistrationFailed {
            why: Failure::Unreachable,
            retry_in: Some(pause),
        },
    ] = d.told[..]
    else {
        panic!("{:?}", d.told)
    };
    assert!((1000..=2000).contains(&pause.as_millis()), "{pause:?}");
    assert_eq!(d.hops(), [Hop::Proxy(0), Hop::Proxy(1)]);
    d.wait(pause);
    assert_eq!(d.hops().len(), 1);
}

#[test]
fn refusals_are_named_for_operators() {
    let challenge = (
        HeaderName::WwwAuthenticate,
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5",
    );
    let named = |status: u16, extra: &[(HeaderName, &str)], password: &str| {
        let mut d = Desk::new(|c| c.auth_password = password.into());
        d.register();
        for _ in 0..3 {
            if d.told.is_empty() {
                d.answer(status, extra);
            }
        }
        match d.told.pop() {
            Some(Event::RegistrationFailed { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(named(401, &[challenge], ""), Failure::NoCredentials);
    assert_eq!(named(401, &[challenge], "wrong"), Failure::WrongPassword);
    assert_eq!(named(404, &[], "x"), Failure::UnknownUser);
    assert_eq!(named(403, &[], "x"), Failure::Forbidden);
    assert_eq!(named(423, &[], "x"), Failure::Interval);
    assert_eq!(named(200, &[], "x"), Failure::NotKept);
    assert_eq!(
        named(500, &[], "x"),
        Failure::Refused {
            status: 500,
            reason: "Server Internal Error".into()
        }
    );
}

#[test]
fn a_longer_time_is_taken_if_the_registrar_insists() {
    let mut d = Desk::new(|c| c.expires = Duration::from_secs(30));
    d.register();
    d.answer(423, &[(HeaderName::MinExpires, "90")]);
    assert_eq!(d.last().expires(), Ok(Some(90)));
    d.grant(90);
    assert!(d.ua.is_registered());
}

#[test]
fn leaving_removes_our_binding_and_no_other() {
    let mut d = Desk::new(|_| {});
    d.register();
    d.grant(3600);
    let outputs = d.ua.unregister(d.now, &mut d.rng);
    d.take(outputs);
    assert_eq!(d.last().expires(), Ok(Some(0)));
    assert!(!d.last().contact_is_star());
    d.answer(200, &[]);
    assert_eq!(d.told.last(), Some(&Event::Unregistered));
    d.wait(Duration::from_secs(7200));
    assert_eq!((d.ua.is_registered(), d.ua.transactions()), (false, 0));
}

#[test]
fn a_new_contact_takes_the_old_one_away_in_the_same_request() {
    let mut d = Desk::new(|_| {});
    d.register();
    d.grant(3600);
    let mut config = d.ua.config().clone();
    config.contact = "sip:1001@192.0.2.2:5070;h=331-aaaa".parse().unwrap();
    let outputs = d.ua.configure(d.now, &mut d.rng, config);
    d.take(outputs);
    let contacts: Vec<String> = d
        .last()
        .contacts()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        contacts,
        [
            "<sip:1001@192.0.2.2:5070;h=331-aaaa>",
            "<sip:1001@192.0.2.1:5070;h=331-aaaa>;expires=0"
        ]
    );
}

#[test]
fn a_gruu_is_asked_for_and_used() {
    let mut d = Desk::new(|c| {
        c.gruu = true;
        c.instance = Some("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".into());
    });
    d.register();
    assert!(d.last().lists(HeaderName::Supported, "gruu"));
    let contact = "<sip:1001@192.0.2.1:5070;h=331-aaaa>;expires=60;pub-gruu=\"sip:1001@example.com;gr=urn:uuid:f\"";
    d.answer(200, &[(HeaderName::Contact, contact)]);
    let [Event::Registered { contact, .. }] = &d.told[..] else {
        panic!("{:?}", d.told)
    };
    assert_eq!(contact.to_string(), "sip:1001@example.com;gr=urn:uuid:f");
}

#[test]
fn sips_is_used_everywhere_if_wanted() {
    let mut d = Desk::new(|c| c.use_sips = true);
    d.register();
    let register = d.last();
    assert_eq!(register.request_uri_text().unwrap(), "sips:example.com");
    assert!(
        register
            .from()
            .unwrap()
            .to_string()
            .contains("<sips:1001@example.com>")
    );
    assert!(
        register
            .contact()
            .unwrap()
            .unwrap()
            .to_string()
            .starts_with("<sips:")
    );
}
