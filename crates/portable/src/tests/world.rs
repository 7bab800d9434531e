//! One fixed part and one portable in virtual time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_dect::identity::Ipei;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::fixed_part::FixedPart;
use super::t0;
use crate::speech::FRAME_SAMPLES;
use crate::{Action, Config, Event, Key, Memory, Portable};

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) fp: FixedPart,
    pub(crate) pp: Portable,
    base: SocketAddr,
    /// What the portable did beside sending, in order.
    pub(crate) actions: Vec<Action>,
    pub(crate) ear: Vec<i16>,
    pub(crate) memory: Option<Memory>,
}

pub(crate) fn ipei() -> Ipei {
    "65535 0000001".parse().unwrap()
}

pub(crate) fn config() -> Config {
    Config::new(ipei(), "1234".parse().unwrap())
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let now = t0();
        let base = SocketAddr::from(([127, 0, 0, 1], 7462));
        let mut fp = FixedPart::new(now);
        fp.propagation = config.propagation;
        Self {
            now,
            rng: ChaCha8Rng::seed_from_u64(5),
            fp,
            pp: Portable::new(config, None, vec![base]),
            base,
            actions: vec![],
            ear: vec![],
            memory: None,
        }
    }

    /// A world in which the portable is subscribed and located.
    pub(crate) fn located(config: Config) -> Self {
        let mut world = Self::new(config);
        world.key(Key::PowerOn);
        world.run_ms(500);
        world.subscribe();
        world.until(20_000, |w| w.pp.status(w.now).located);
        world.run_ms(12_000);
        assert_eq!(world.fp.busy(), 0, "{:?}", world.fp.log);
        world.actions.clear();
        world.fp.log.clear();
        world
    }

    pub(crate) fn key(&mut self, key: Key) {
        self.give(Event::Key(key));
    }

    pub(crate) fn press(&mut self, keys: &str) {
        for character in keys.chars() {
            self.key(Key::try_from(character).unwrap());
        }
    }

    pub(crate) fn subscribe(&mut self) {
        self.give(Event::Subscribe {
            park: None,
            access_code: None,
        });
    }

    pub(crate) fn give(&mut self, event: Event<'_>) {
        let actions = self.pp.handle(self.now, &mut self.rng, event);
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Send { to, octets } => {
                    assert_eq!(to, self.base);
                    self.fp.datagram(self.now, &mut self.rng, &octets);
                }
                Action::Remember(memory) => self.memory = Some(memory),
                action => self.actions.push(action),
            }
        }
        let mut frame = [0; FRAME_SAMPLES];
        while self.pp.take_heard(&mut frame) {
            self.ear.extend(frame);
        }
        for octets in self.fp.take_out() {
            let from = self.base;
            self.give(Event::Datagram {
                from,
                octets: &octets,
            });
        }
    }

    /// Lets time pass to the next thing that is due.
    fn step(&mut self) {
        let fp = self.fp.next_deadline();
        let pp = self.pp.next_deadline();
        self.now = self.now.max(pp.map_or(fp, |pp| pp.min(fp)));
        if pp.is_some_and(|at| self.now >= at) {
            self.give(Event::Deadline);
        }
        if self.now >= fp {
            self.fp.tick(self.now, &mut self.rng);
            self.carry_out(vec![]);
        }
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while self.now < end {
            self.step();
        }
    }

    /// Runs until something holds, at most so long.
    pub(crate) fn until(&mut self, limit_ms: u64, holds: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_millis(limit_ms);
        while !holds(self) {
            assert!(
                self.now < end,
                "not within {limit_ms} ms: {:?} {:?} {:?}",
                self.actions,
                self.fp.log,
                self.pp
            );
            self.step();
        }
    }

    pub(crate) fn saw(&self, wanted: impl Fn(&Action) -> bool) -> bool {
        self.actions.iter().any(wanted)
    }
}
