//! The actix shell of one handset: it owns the clock and the wires and decides nothing.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};
use ipdect_dect::identity::Ipei;
use ipdect_handset::{Action, Event, State};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::trace;

/// Messages that may wait for one handset: a burst of forked calls, not a flood.
const MAILBOX: usize = 256;

/// Something happened that the handset must hear of.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Happened(pub Event);

/// Tells the actor to end; its calls, if any, were seen to before.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Leave;

/// Carries out what a mind wants done. It never blocks: what takes time is queued, and answered by an event.
pub trait Effects: Send + 'static {
    /// Runs one action.
    fn run(&mut self, action: Action);
}

/// Told when an actor is gone, by its end or by a panic in a handler.
pub trait Departures: Send + Sync + 'static {
    /// The actor of `ipei` in its `generation`th life is gone.
    fn gone(&self, ipei: Ipei, generation: u64, panicked: bool);
}

/// Reports the actor's end from its destructor, which runs even when a handler panics.
struct Guard {
    ipei: Ipei,
    generation: u64,
    departures: Arc<dyn Departures>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.departures
            .gone(self.ipei, self.generation, std::thread::panicking());
    }
}

/// One handset: SIP registration, call state and presence live in its `state`.
pub struct HandsetActor {
    state: State,
    effects: Box<dyn Effects>,
    random: StdRng,
    wake: Option<SpawnHandle>,
    _guard: Guard,
}

impl HandsetActor {
    /// An actor around `state`. `seed` comes from the program's random source.
    #[must_use]
    pub fn new(
        ipei: Ipei,
        generation: u64,
        state: State,
        effects: Box<dyn Effects>,
        seed: [u8; 32],
        departures: Arc<dyn Departures>,
    ) -> Self {
        Self {
            state,
            effects,
            random: StdRng::from_seed(seed),
            wake: None,
            _guard: Guard {
                ipei,
                generation,
                departures,
            },
        }
    }
}

impl Actor for HandsetActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Happened> for HandsetActor {
    type Result = ();

    fn handle(&mut self, Happened(event): Happened, ctx: &mut Self::Context) {
        let now = Instant::now();
        let span = trace::of_event(&event, &self.state.trace());
        let _entered = span.enter();
        for action in self
            .state
            .handle(now, SystemTime::now(), &mut self.random, event)
        {
            self.effects.run(action);
        }
        // One wake-up per handset: whatever the state waits for first.
        if let Some(stale) = self.wake.take() {
            ctx.cancel_future(stale);
        }
        self.wake = self.state.next_deadline().map(|at| {
            ctx.notify_later(Happened(Event::Deadline), at.saturating_duration_since(now))
        });
    }
}

impl Handler<Leave> for HandsetActor {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        actix::ActorContext::stop(ctx);
    }
}
