//! Two user agents, a pipe between them, and a clock that only the test moves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;

use crate::message::Message;
use crate::tests::{rng, t0};
use crate::transaction::{Flow, Hop, TransactionKey, Transport};
use crate::trunk::Proxies;
use crate::user_agent::{Call, Config, Event, Output, UserAgent};

pub(crate) const A: usize = 0;
pub(crate) const B: usize = 1;
/// The number that the called side gives to its first call.
pub(crate) const IN: Call = Call::INCOMING;
pub(crate) const OUT: Call = Call(1);

pub(crate) fn sdp(text: &str) -> Bytes {
    Bytes::from(format!("v=0\r\ns={text}\r\n"))
}

/// How bad the pipe is, in percent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pipe {
    pub(crate) loss: u32,
    pub(crate) doubling: u32,
    /// Most delay in milliseconds; different delays reorder.
    pub(crate) delay_ms: u64,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) agents: [UserAgent; 2],
    pub(crate) pipe: Pipe,
    transport: Transport,
    queue: BTreeMap<(Instant, u64), (usize, Message)>,
    sent: u64,
    /// `A>B INVITE`, `B>A 200 INVITE`, in order of sending.
    pub(crate) ladder: Vec<String>,
    pub(crate) messages: Vec<Message>,
    pub(crate) events: Vec<(usize, Event)>,
    pub(crate) keys: Vec<(usize, TransactionKey)>,
    /// Owners that ring, answer, acknowledge and say BYE as they should.
    pub(crate) obliging: bool,
}

pub(crate) fn config(user: &str, port: u16, key: &str) -> Config {
    let at = |text: String| text.parse().unwrap();
    let contact = at(format!("sip:{user}@192.0.2.1:{port};h={key}"));
    let proxy = at("sip:192.0.2.9".into());
    let mut config = Config::new(
        at(format!("sip:{user}@example.com")),
        contact,
        at("sip:example.com".into()),
        &format!("192.0.2.1:{port}"),
        Proxies::one(proxy),
    );
    config.branch_prefix = key.into();
    config
}

impl World {
    pub(crate) fn new(seed: u64, transport: Transport) -> World {
        let mut a = config("1001", 5070, "331-aaaa");
        let mut b = config("1002", 5080, "716-bbbb");
        (a.transport, b.transport) = (transport, transport);
        World::of(seed, transport, [a, b])
    }

    pub(crate) fn of(seed: u64, transport: Transport, configs: [Config; 2]) -> World {
        World {
            now: t0(),
            rng: rng(seed),
            agents: configs.map(UserAgent::new),
            pipe: Pipe {
                delay_ms: 10,
                ..Pipe::default()
            },
            transport,
            queue: BTreeMap::new(),
            sent: 0,
            ladder: vec![],
            messages: vec![],
            events: vec![],
            keys: vec![],
            obliging: false,
        }
    }

    /// Lets one agent do something now.
    pub(crate) fn act(
        &mut self,
        who: usize,
        work: impl FnOnce(&mut UserAgent, Instant, &mut dyn RngCore) -> Vec<Output>,
    ) {
        let outputs = work(&mut self.agents[who], self.now, &mut self.rng);
        for output in outputs {
            match output {
                Output::Send(transmit) => {
                    assert!(!matches!(transmit.to, Hop::Proxy(4..)));
                    self.keys.extend(transmit.transaction.map(|key| (who, key)));
                    self.post(who, transmit.message);
                }
                Output::Event(event) => self.happened(who, event),
            }
        }
    }

    pub(crate) fn post(&mut self, from: usize, message: Message) {
        message.check().expect("what we send is sound");
        self.ladder
            .push(format!("{} {}", ["A>B", "B>A"][from], line(&message)));
        self.messages.push(message.clone());
        if self.rng.next_u32() % 100 < self.pipe.loss {
            return;
        }
        let copies = 1 + u32::from(self.rng.next_u32() % 100 < self.pipe.doubling);
        for _ in 0..copies {
            let jitter = if self.pipe.delay_ms > 10 {
                self.rng.next_u64() % self.pipe.delay_ms
            } else {
                10
            };
            self.sent += 1;
            let at = self.now + Duration::from_millis(jitter);
            self.queue
                .insert((at, self.sent), (1 - from, message.clone()));
        }
    }

    fn happened(&mut self, who: usize, event: Event) {
        self.events.push((who, event.clone()));
        if !self.obliging {
            return;
        }
        match event {
            Event::Incoming { call, .. } => {
                self.act(who, |ua, now, rng| ua.ring(now, rng, call));
                self.act(who, |ua, now, rng| ua.answer(now, rng, call, sdp("answer")));
            }
            Event::Answered { call, .. } | Event::ReofferAnswered { call, .. } => {
                self.act(who, |ua, now, rng| ua.ack(now, rng, call));
            }
            Event::Reoffered { call, .. } => {
                self.act(who, |ua, now, rng| {
                    ua.answer_reinvite(now, rng, call, sdp("other answer"))
                });
            }
            Event::Cancelled { call, .. } => {
                self.act(who, |ua, now, rng| ua.reject(now, rng, call, 487, vec![]))
            }
            Event::AckTimeout { call } | Event::SessionExpired { call } => {
                self.act(who, |ua, now, rng| ua.bye(now, rng, call, None));
            }
            _ => {}
        }
    }

    /// Lets time pass: messages arrive and deadlines fire in their order.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.queue.keys().next().map(|(at, _)| *at);
            let deadlines = self.agents.iter().filter_map(UserAgent::next_deadline);
            let Some(next) = deadlines.chain(arrival).min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (to, message)) = self.queue.pop_first().unwrap();
                self.deliver(to, message);
            } else {
                for who in [A, B] {
                    self.act(who, |ua, now, rng| ua.deadline(now, rng));
                }
            }
        }
        self.now = end;
    }

    pub(crate) fn deliver(&mut self, to: usize, message: Message) {
        let ports = [5070, 5080];
        let flow = Flow {
            transport: self.transport,
            remote: format!("192.0.2.1:{}", ports[1 - to]).parse().unwrap(),
            local: format!("192.0.2.1:{}", ports[to]).parse().unwrap(),
            connection: 0,
        };
        // Through a parser, as from a wire.
        let message = Message::parse(message.bytes().clone()).unwrap();
        self.act(to, |ua, now, rng| ua.receive(now, rng, message, flow));
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        self.run(Duration::from_millis(ms));
    }

    /// What happened since the last look: ladder and events.
    pub(crate) fn seen(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ladder)
    }

    pub(crate) fn told(&mut self) -> Vec<(usize, Event)> {
        std::mem::take(&mut self.events)
    }

    /// A standing call from A to B.
    pub(crate) fn call(&mut self) {
        self.act(A, |ua, now, rng| {
            ua.invite(
                now,
                rng,
                OUT,
                "sip:1002@example.com".parse().unwrap(),
                sdp("offer"),
                vec![],
            )
        });
        self.run_ms(50);
        self.act(B, |ua, now, rng| ua.ring(now, rng, IN));
        self.act(B, |ua, now, rng| ua.answer(now, rng, IN, sdp("answer")));
        self.run_ms(50);
        self.act(A, |ua, now, rng| ua.ack(now, rng, OUT));
        self.run_ms(50);
        self.seen();
        self.told();
        self.messages.clear();
    }
}

/// `INVITE`, `200 INVITE`.
pub(crate) fn line(message: &Message) -> String {
    let method = message.cseq().unwrap().method;
    match message.status() {
        Some(status) => format!("{status} {method}"),
        None => method.to_string(),
    }
}
