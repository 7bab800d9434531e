//! Two user agents and the octets between them, from the first message until the last transaction is forgotten.

use std::time::{Duration, Instant};

use bytes::Bytes;
use ipdect_sip::message::{Message, Uri};
use ipdect_sip::transaction::{Flow, Transport};
use ipdect_sip::trunk::Proxies;
use ipdect_sip::user_agent::{Call, Config, Event, Output, UserAgent};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::bench::Bench;

/// Longer than any transaction is kept (Timers J and M are 32 s).
pub(crate) const FORGOTTEN: Duration = Duration::from_secs(70);

struct World {
    now: Instant,
    rng: ChaCha8Rng,
    agents: [UserAgent; 2],
    calls: u32,
    messages: usize,
}

fn uri(text: &str) -> Uri {
    text.parse().expect("a good URI")
}

/// A user agent of one user, whose contact has a port.
pub(crate) fn agent(user: &str, port: u16) -> UserAgent {
    let contact = uri(&format!("sip:{user}@192.0.2.1:{port};h=331-{user}"));
    let (sent_by, proxies) = (
        format!("192.0.2.1:{port}"),
        Proxies::one(uri("sip:192.0.2.9")),
    );
    let mut config = Config::new(
        uri(&format!("sip:{user}@example.com")),
        contact,
        uri("sip:example.com"),
        &sent_by,
        proxies,
    );
    config.branch_prefix = format!("331-{user}");
    UserAgent::new(config)
}

impl World {
    fn new() -> World {
        World {
            now: Instant::now(),
            rng: ChaCha8Rng::seed_from_u64(3261),
            agents: [agent("1001", 5070), agent("1002", 5080)],
            calls: 0,
            messages: 0,
        }
    }

    /// Carries out what an agent wants until nobody wants anything: messages cross as octets, owners do their part.
    fn run(&mut self, who: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(transmit) => self.deliver(1 - who, transmit.message.bytes().clone()),
                Output::Event(Event::Incoming { call, .. }) => {
                    let rung = self.agents[who].ring(self.now, &mut self.rng, call);
                    self.run(who, rung);
                    let answered = self.agents[who].answer(self.now, &mut self.rng, call, sdp());
                    self.run(who, answered);
                }
                Output::Event(Event::Answered { call, .. }) => {
                    let acked = self.agents[who].ack(self.now, &mut self.rng, call);
                    self.run(who, acked);
                }
                Output::Event(_) => {}
            }
        }
    }

    fn deliver(&mut self, to: usize, octets: Bytes) {
        self.messages += 1;
        let message = Message::parse(octets).expect("we send what can be read");
        message.check().expect("we send what is sound");
        let address = |port: u16| ([192, 0, 2, 1], port).into();
        let ports = [5070, 5080];
        let (remote, local) = (address(ports[1 - to]), address(ports[to]));
        let flow = Flow {
            transport: Transport::Tcp,
            remote,
            local,
            connection: 0,
        };
        let outputs = self.agents[to].receive(self.now, &mut self.rng, message, flow);
        self.run(to, outputs);
    }

    /// Lets all transactions end.
    fn forget(&mut self) {
        let end = self.now + FORGOTTEN;
        for who in 0..2 {
            while let Some(due) = self.agents[who].next_deadline().filter(|due| *due <= end) {
                self.now = self.now.max(due);
                let outputs = self.agents[who].deadline(self.now, &mut self.rng);
                self.run(who, outputs);
            }
        }
        self.now = end;
    }

    /// OPTIONS, 200.
    fn options(&mut self) {
        let asked = self.agents[0].options(self.now, &mut self.rng, None);
        self.run(0, asked);
        self.forget();
    }

    /// INVITE, 100, 180, 200, ACK, BYE, 200.
    fn call(&mut self) {
        self.calls += 1;
        let call = Call(self.calls);
        let invited = self.agents[0].invite(
            self.now,
            &mut self.rng,
            call,
            uri("sip:1002@example.com"),
            sdp(),
            vec![],
        );
        self.run(0, invited);
        let hung_up = self.agents[0].bye(self.now, &mut self.rng, call, None);
        self.run(0, hung_up);
        self.forget();
    }

    /// Messages exchanged by something, which leaves nothing behind.
    fn messages(mut work: impl FnMut(&mut World)) -> usize {
        let mut world = World::new();
        work(&mut world);
        let left = world
            .agents
            .each_ref()
            .map(|agent| (agent.transactions(), agent.calls().count()));
        assert_eq!(left, [(0, 0); 2], "nothing is left behind");
        world.messages
    }
}

fn sdp() -> Bytes {
    Bytes::from_static(b"v=0\r\no=- 77 1 IN IP4 192.0.2.60\r\ns=-\r\nc=IN IP4 192.0.2.60\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\n")
}

pub(crate) fn run(bench: &mut Bench) {
    assert_eq!(World::messages(World::options), 2);
    assert_eq!(World::messages(World::call), 7);
    let each = |messages: f64| {
        move |figure: crate::bench::Figure| {
            format!("{:.2} us a message", figure.ns / 1000.0 / messages)
        }
    };
    let mut world = World::new();
    let figure = bench.each("transaction/non-invite", || world.options());
    bench.alone("SIP: OPTIONS and 200, both sides", figure, each(2.0));
    let mut world = World::new();
    let figure = bench.each("transaction/invite", || world.call());
    bench.alone("SIP: a call of 7 messages, both sides", figure, each(7.0));
}
