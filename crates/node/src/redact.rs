//! Keeps names, numbers, addresses and keys out of the log.

use std::cell::Cell;
use std::fmt;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

thread_local! {
    /// Whether an event of level DEBUG or TRACE is being written by this thread.
    static REVEALED: Cell<bool> = const { Cell::new(false) };
}

/// A value that prints as `…` in anything above DEBUG, in fields of spans, and in exported traces.
///
/// It shows itself only while a subscriber of [`crate::telemetry`] writes a DEBUG or TRACE event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Redacted<T>(pub T);

impl<T: fmt::Display> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if REVEALED.get() {
            self.0.fmt(f)
        } else {
            f.write_str("…")
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if REVEALED.get() {
            self.0.fmt(f)
        } else {
            f.write_str("…")
        }
    }
}

/// Writes events as another format does, and lets [`Redacted`] values show themselves from DEBUG down.
#[derive(Debug, Clone)]
pub struct Revealing<F>(pub F);

impl<S, N, F> FormatEvent<S, N> for Revealing<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let _reveal = Reveal::while_alive(*event.metadata().level() >= Level::DEBUG);
        self.0.format_event(ctx, writer, event)
    }
}

/// Sets the mark and takes it back, also when a value's formatting panics.
struct Reveal(bool);

impl Reveal {
    fn while_alive(revealed: bool) -> Reveal {
        Reveal(REVEALED.replace(revealed))
    }
}

impl Drop for Reveal {
    fn drop(&mut self) {
        REVEALED.set(self.0);
    }
}
