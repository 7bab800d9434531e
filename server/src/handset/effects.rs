//! Runs a mind's actions: each goes to the pool, queue or table that carries it out.

use std::sync::Arc;
use std::time::Instant;

use ipdect_dect::identity::Ipei;
use ipdect_handset::{Action, Trace};
use tracing::Span;

use super::actor::Effects;
use crate::core::Core;

/// The wires of one handset.
pub struct Wires {
    core: Arc<Core>,
    ipei: Ipei,
}

impl Wires {
    /// Wires of `ipei`.
    #[must_use]
    pub fn new(core: Arc<Core>, ipei: Ipei) -> Self {
        Self { core, ipei }
    }
}

impl Effects for Wires {
    fn run(&mut self, action: Action) {
        let (core, ipei) = (&self.core, self.ipei);
        match action {
            Action::Radio(order) => core
                .radio
                .order(Instant::now(), ipei, &current_trace(), order),
            Action::Media(order) => core
                .media
                .order(Instant::now(), ipei, &current_trace(), order),
            Action::Sip(transmit) => core.send(ipei, *transmit),
            Action::Store(wish) => {
                core.snapshots.kept(ipei, &wish);
                core.keeper().keep(ipei, wish);
            }
            Action::Show(status) => core.shown.status(ipei, &status),
            Action::Ladder(entry) => core.shown.step(ipei, entry),
            Action::Tell(notice) => core.shown.notice(ipei, notice),
        }
    }
}

/// The trace of the span that is being worked in, as envelopes carry it.
fn current_trace() -> Trace {
    Trace(
        ipdect_node::trace::of_span(&Span::current())
            .try_into()
            .ok(),
    )
}
