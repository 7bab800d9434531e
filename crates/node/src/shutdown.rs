//! The end by signal: the first asks for a drain, the second ends at once.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT (Ctrl-C) and SIGTERM of this process. For `main` only.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen; from now on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// If the system refuses the handlers.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next signal; gives its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// Runs `end` after the first signal, and gives up on it at the second one. Returns whether `end` came to its end.
///
/// `finished` is the program's own end: if it comes first, nothing is drained.
///
/// # Errors
/// If the system refuses the handlers.
pub async fn signalled<F, E>(finished: F, end: impl FnOnce() -> E) -> io::Result<bool>
where
    F: Future,
    E: Future,
{
    let mut signals = Signals::listen()?;
    tokio::select! {
        _ = finished => return Ok(true),
        name = signals.next() => tracing::info!(signal = name, "ending; a second signal ends at once"),
    }
    tokio::select! {
        _ = end() => Ok(true),
        name = signals.next() => {
            tracing::warn!(signal = name, "ended at once");
            Ok(false)
        }
    }
}
