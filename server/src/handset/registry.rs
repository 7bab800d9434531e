//! All handset actors of this server: who has one, on which thread, and what happens when one falls.
//!
//! A shard's actors share an arbiter. An actor that panics is started again from the store's rows and its record, three times a minute at most;
//! after that it stays down until the configuration changes, with an alarm.
//!
//! A handset whose call is being taken over does not run yet, but it is expected: what comes for it is kept, and told when it starts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use actix::{Actor, Addr, ArbiterHandle};
use ipdect_dect::identity::{Ipei, shard};
use ipdect_handset::{Event, State};
use parking_lot::{Mutex, RwLock};
use rand::RngCore;
use tracing::{error, warn};

use super::actor::{Departures, Effects, HandsetActor, Happened, Leave};

/// Restarts after panics within [`RESTART_WINDOW`] before a handset is left down.
const RESTARTS: usize = 3;
const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// Makes the mind and the wires of a handset, at its start and after a panic.
pub trait Maker: Send + Sync + 'static {
    /// State and effects of `ipei`, or nothing if the handset is unknown by now.
    fn make(&self, ipei: Ipei) -> Option<(State, Box<dyn Effects>)>;
    /// The events that a new actor shall see first.
    fn first_events(&self, ipei: Ipei) -> Vec<Event>;
    /// A handset runs again after a panic.
    fn revived(&self, ipei: Ipei);
    /// A handset that panicked too often is left down.
    fn quarantined(&self, ipei: Ipei);
}

/// Events that are kept for one expected handset; a call makes a handful a second.
const KEPT: usize = 200;

struct Entry {
    addr: Addr<HandsetActor>,
    generation: u64,
}

/// Who runs, and who is about to.
#[derive(Default)]
struct Table {
    entries: HashMap<Ipei, Entry>,
    expected: HashMap<Ipei, Mutex<Vec<Event>>>,
}

struct Inner {
    arbiters: Vec<ArbiterHandle>,
    table: RwLock<Table>,
    falls: RwLock<HashMap<Ipei, Vec<Instant>>>,
    generations: AtomicU64,
    maker: RwLock<Option<Weak<dyn Maker>>>,
}

/// The table of handset actors, cheap to clone.
#[derive(Clone)]
pub struct Handsets(Arc<Inner>);

/// Why an event did not reach its handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// No such handset runs here.
    Unknown,
    /// Its mailbox is full.
    Full,
}

impl Handsets {
    /// A table over the given threads; at least one.
    #[must_use]
    pub fn new(arbiters: Vec<ArbiterHandle>) -> Self {
        Self(Arc::new(Inner {
            arbiters,
            table: RwLock::default(),
            falls: RwLock::default(),
            generations: AtomicU64::new(1),
            maker: RwLock::new(None),
        }))
    }

    /// Sets who makes minds. Kept weakly: the maker owns this table.
    pub fn set_maker(&self, maker: Weak<dyn Maker>) {
        *self.0.maker.write() = Some(maker);
    }

    /// How many run.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.table.read().entries.len()
    }

    /// Whether `ipei` has an actor.
    #[must_use]
    pub fn runs(&self, ipei: Ipei) -> bool {
        self.0.table.read().entries.contains_key(&ipei)
    }

    /// Whether `ipei` is expected to run soon.
    #[must_use]
    pub fn expects(&self, ipei: Ipei) -> bool {
        self.0.table.read().expected.contains_key(&ipei)
    }

    /// From now until it is started, what comes for `ipei` is kept. Nothing changes if it runs.
    pub fn expect(&self, ipei: Ipei) {
        let mut table = self.0.table.write();
        if !table.entries.contains_key(&ipei) {
            table.expected.entry(ipei).or_default();
        }
    }

    /// All that run, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Ipei> {
        let mut all: Vec<Ipei> = self.0.table.read().entries.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// Starts the actor of `ipei` unless it runs; false when nobody knows the handset.
    pub fn start(&self, ipei: Ipei) -> bool {
        if self.runs(ipei) {
            return true;
        }
        let Some(maker) = self.maker() else {
            return false;
        };
        let Some((state, effects)) = maker.make(ipei) else {
            return false;
        };
        let mut table = self.0.table.write();
        if table.entries.contains_key(&ipei) {
            return true;
        }
        let generation = self.0.generations.fetch_add(1, Ordering::Relaxed);
        let departures: Arc<dyn Departures> = Arc::new(self.clone());
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let number = usize::from(shard(ipei));
        let arbiter = &self.0.arbiters[number % self.0.arbiters.len()];
        let addr = HandsetActor::start_in_arbiter(arbiter, move |_| {
            HandsetActor::new(ipei, generation, state, effects, seed, departures)
        });
        let kept = table.expected.remove(&ipei).map(Mutex::into_inner);
        for event in maker
            .first_events(ipei)
            .into_iter()
            .chain(kept.into_iter().flatten())
        {
            addr.do_send(Happened(event));
        }
        table.entries.insert(ipei, Entry { addr, generation });
        true
    }

    /// Tells a handset something from outside; bounded by its mailbox.
    ///
    /// # Errors
    /// [`Untold`] if it does not run here or does not keep up.
    pub fn tell(&self, ipei: Ipei, event: Event) -> Result<(), Untold> {
        let table = self.0.table.read();
        if let Some(entry) = table.entries.get(&ipei) {
            return entry.addr.try_send(Happened(event)).map_err(|_| full());
        }
        let mut kept = table.expected.get(&ipei).ok_or(Untold::Unknown)?.lock();
        if kept.len() >= KEPT {
            return Err(full());
        }
        kept.push(event);
        Ok(())
    }

    /// Tells a handset the result of its own order: owed, so not bounded.
    pub fn answer(&self, ipei: Ipei, event: Event) {
        let table = self.0.table.read();
        if let Some(entry) = table.entries.get(&ipei) {
            entry.addr.do_send(Happened(event));
        } else if let Some(kept) = table.expected.get(&ipei) {
            kept.lock().push(event);
        }
    }

    /// Tells all handsets.
    pub fn tell_all(&self, event: impl Fn() -> Event) {
        for entry in self.0.table.read().entries.values() {
            entry.addr.do_send(Happened(event()));
        }
    }

    /// Ends the actor of `ipei` after what is in its mailbox.
    pub fn leave(&self, ipei: Ipei) {
        if let Some(entry) = self.0.table.write().entries.remove(&ipei) {
            entry.addr.do_send(Leave);
        }
    }

    fn maker(&self) -> Option<Arc<dyn Maker>> {
        self.0.maker.read().as_ref().and_then(Weak::upgrade)
    }

    fn may_restart(&self, ipei: Ipei, now: Instant) -> bool {
        let mut falls = self.0.falls.write();
        let list = falls.entry(ipei).or_default();
        list.retain(|at| now.duration_since(*at) < RESTART_WINDOW);
        list.push(now);
        list.len() <= RESTARTS
    }
}

fn full() -> Untold {
    metrics::counter!("ipdect_handset_mailbox_full_total").increment(1);
    Untold::Full
}

impl Departures for Handsets {
    fn gone(&self, ipei: Ipei, generation: u64, panicked: bool) {
        let again = panicked && self.may_restart(ipei, Instant::now());
        {
            let mut table = self.0.table.write();
            let this = |e: &Entry| e.generation == generation;
            // A later life of the same handset is none of the dead one's business.
            if table.entries.get(&ipei).is_some_and(this) {
                table.entries.remove(&ipei);
                if again {
                    // Nobody is to find that the handset does not exist.
                    table.expected.entry(ipei).or_default();
                }
            }
        }
        if !panicked {
            return;
        }
        metrics::counter!("ipdect_handset_panics_total").increment(1);
        let Some(maker) = self.maker() else { return };
        if again {
            warn!(%ipei, "a handset's actor panicked; starting it again");
            self.start(ipei);
            maker.revived(ipei);
        } else {
            error!(%ipei, "a handset's actor panicked too often; it stays down until its configuration changes");
            maker.quarantined(ipei);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use ipdect_handset::Action;

    use super::*;
    use crate::threads::Threads;

    /// Hands on where the handset is shown to be.
    struct Shows(mpsc::Sender<ipdect_handset::Location>);
    impl Effects for Shows {
        fn run(&mut self, action: Action) {
            if let Action::Show(status) = action {
                // Most tests do not look.
                let _ = self.0.send(status.location);
            }
        }
    }

    /// Panics at the first action of each life.
    struct Falls;
    impl Effects for Falls {
        fn run(&mut self, _: Action) {
            panic!("this is meant to happen in a test");
        }
    }

    struct Made {
        lives: AtomicUsize,
        falls: bool,
        down: Mutex<mpsc::Sender<Ipei>>,
        show: Mutex<mpsc::Sender<ipdect_handset::Location>>,
        shows: Mutex<mpsc::Receiver<ipdect_handset::Location>>,
    }

    impl Maker for Made {
        fn make(&self, ipei: Ipei) -> Option<(State, Box<dyn Effects>)> {
            self.lives.fetch_add(1, Ordering::Relaxed);
            let effects: Box<dyn Effects> = if self.falls {
                Box::new(Falls)
            } else {
                Box::new(Shows(self.show.lock().clone()))
            };
            Some((State::new(crate::profile::tests::profile(ipei)), effects))
        }

        fn first_events(&self, ipei: Ipei) -> Vec<Event> {
            // A located handset registers: an action that makes `Falls` fall.
            let located = ipdect_handset::PresenceRow {
                location: Some((ipdect_handset::BaseId("base-1".into()), 0)),
                ..Default::default()
            };
            let profile = crate::profile::tests::profile(ipei);
            vec![
                Event::Configured(Box::new(profile)),
                Event::Restored(located),
            ]
        }

        fn revived(&self, _: Ipei) {}

        fn quarantined(&self, ipei: Ipei) {
            // The test waits for it.
            let _ = self.down.lock().send(ipei);
        }
    }

    fn ipei() -> Ipei {
        "65535 0000001".parse().unwrap()
    }

    fn table(falls: bool) -> (Threads, Handsets, Arc<Made>, mpsc::Receiver<Ipei>) {
        let threads = Threads::start("test").unwrap();
        let handsets = Handsets::new(threads.arbiters());
        let (tell, told) = mpsc::channel();
        let (show, shows) = mpsc::channel();
        let made = Arc::new(Made {
            lives: AtomicUsize::new(0),
            falls,
            down: Mutex::new(tell),
            show: Mutex::new(show),
            shows: Mutex::new(shows),
        });
        let maker: Arc<dyn Maker> = made.clone();
        handsets.set_maker(Arc::downgrade(&maker));
        (threads, handsets, made, told)
    }

    #[test]
    fn a_handset_that_keeps_falling_is_left_down_with_an_alarm() {
        let (threads, handsets, made, down) = table(true);
        assert!(handsets.start(ipei()));
        assert_eq!(down.recv_timeout(Duration::from_secs(20)), Ok(ipei()));
        assert_eq!(made.lives.load(Ordering::Relaxed), 1 + RESTARTS);
        assert!(!handsets.runs(ipei()));
        threads.stop();
    }

    #[test]
    fn what_comes_for_an_expected_handset_is_kept_until_it_starts() {
        let (threads, handsets, made, _down) = table(false);
        let base = ipdect_handset::BaseId("base-1".into());
        handsets.expect(ipei());
        assert!(handsets.expects(ipei()) && !handsets.runs(ipei()));
        handsets.answer(ipei(), Event::BaseLost { base: base.clone() });
        let filled = (0..KEPT).find_map(|_| handsets.tell(ipei(), Event::Deadline).err());
        assert_eq!(filled, Some(Untold::Full));
        assert_eq!(made.lives.load(Ordering::Relaxed), 0);

        assert!(handsets.start(ipei()) && !handsets.expects(ipei()));
        let lost = ipdect_handset::Location::BaseUnreachable { base };
        let shows = made.shows.lock();
        while shows.recv_timeout(Duration::from_secs(20)).unwrap() != lost {}
        drop(shows);
        handsets.expect(ipei());
        assert!(!handsets.expects(ipei()), "it runs");
        threads.stop();
    }

    #[test]
    fn a_handset_runs_once_and_leaves_when_told() {
        let (threads, handsets, made, _down) = table(false);
        assert!(handsets.start(ipei()) && handsets.start(ipei()));
        assert_eq!(made.lives.load(Ordering::Relaxed), 1);
        assert_eq!(handsets.tell(ipei(), Event::Deadline), Ok(()));
        handsets.leave(ipei());
        assert_eq!(handsets.tell(ipei(), Event::Deadline), Err(Untold::Unknown));
        threads.stop();
    }
}
