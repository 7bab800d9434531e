//! Three phones, a domain, and a clock that only the test moves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;

use crate::auth::digest::Password;
use crate::domain::{Config, Domain, Output, Subscriber};
use crate::message::{Message, Uri};
use crate::tests::{rng, t0};
use crate::transaction::{Flow, Hop, Timers, Transport};
use crate::user_agent::tests::world::{OUT, config, line, sdp};
use crate::user_agent::{self, Event, SentBy, UserAgent};

pub(super) const ALICE: usize = 0;
pub(super) const BOB: usize = 1;
pub(super) const BOBS_OTHER: usize = 2;

pub(super) struct Town {
    pub(super) now: Instant,
    pub(super) wall_ms: u64,
    pub(super) rng: ChaCha8Rng,
    pub(super) domain: Domain,
    pub(super) phones: Vec<UserAgent>,
    pub(super) transports: Vec<Transport>,
    pub(super) queue: BTreeMap<(Instant, u64), (Option<usize>, Flow, Message)>,
    pub(super) sent: u64,
    /// `0> INVITE` to the domain, `>1 INVITE` from it.
    pub(super) ladder: Vec<String>,
    pub(super) messages: Vec<Message>,
    pub(super) events: Vec<(usize, Event)>,
    pub(super) changed: Vec<String>,
}

pub(super) fn users(name: &str) -> Option<Subscriber> {
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
    pub(super) fn new(transports: [Transport; 3]) -> Town {
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
    pub(super) fn registered(transports: [Transport; 3]) -> Town {
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

    pub(super) fn clear(&mut self) {
        self.ladder.clear();
        self.events.clear();
        self.messages.clear();
        self.changed.clear();
    }

    /// The flow of a phone as the domain sees it.
    pub(super) fn flow(&self, phone: usize) -> Flow {
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

    pub(super) fn act(
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

    pub(super) fn domain_says(&mut self, outputs: Vec<Output>) {
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

    pub(super) fn post(&mut self, to: Option<usize>, flow: Flow, message: Message) {
        self.sent += 1;
        self.messages.push(message.clone());
        self.queue.insert(
            (self.now + Duration::from_millis(1), self.sent),
            (to, flow, message),
        );
    }

    pub(super) fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.wall_ms)
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
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
                None => self.hand_in(message, flow),
            }
        }
        self.tick(end);
    }

    pub(super) fn tick(&mut self, at: Instant) {
        let step = at.saturating_duration_since(self.now);
        self.wall_ms += u64::try_from(step.as_millis()).unwrap();
        self.now = self.now.max(at);
    }

    pub(super) fn hand_in(&mut self, message: Message, flow: Flow) {
        let outputs =
            self.domain
                .receive(self.now, self.wall(), &mut self.rng, message, flow, &users);
        self.domain_says(outputs);
    }

    pub(super) fn invite(&mut self, to: &str) {
        let to: Uri = to.parse().unwrap();
        self.act(ALICE, |ua, now, rng| {
            ua.invite(now, rng, OUT, to, sdp("offer"), vec![])
        });
        self.run_ms(20);
    }

    pub(super) fn seen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ladder)
    }

    pub(super) fn last(&self, of: &str) -> &Message {
        self.messages.iter().rev().find(|m| line(m) == of).unwrap()
    }
}

pub(super) const TCP: [Transport; 3] = [Transport::Tcp; 3];
pub(super) const MIXED: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];
