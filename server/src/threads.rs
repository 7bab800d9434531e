//! The threads that handset actors live on: one actix system with an arbiter for each core.

use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_rt::{Arbiter, ArbiterHandle, System};
use ipdect_node::StartError;

/// The actors' threads.
pub(crate) struct Threads {
    system: System,
    arbiters: Vec<Arbiter>,
    thread: Option<JoinHandle<()>>,
}

impl Threads {
    /// Starts them; `name` is what the system's tools show.
    ///
    /// # Errors
    /// [`StartError::Other`] if no thread can be made.
    pub(crate) fn start(name: &str) -> Result<Self, StartError> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let (tell, told) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || {
                let runner = System::new();
                let arbiters: Vec<Arbiter> =
                    runner.block_on(async { (0..count).map(|_| Arbiter::new()).collect() });
                // The starter waits for this message.
                let _ = tell.send((System::current(), arbiters));
                if let Err(error) = runner.run() {
                    tracing::error!(%error, "the actors' system failed");
                }
            })
            .map_err(|e| failed(e.to_string()))?;
        let (system, arbiters) = told.recv().map_err(|e| failed(e.to_string()))?;
        Ok(Self {
            system,
            arbiters,
            thread: Some(thread),
        })
    }

    /// Where actors may be started.
    #[must_use]
    pub(crate) fn arbiters(&self) -> Vec<ArbiterHandle> {
        self.arbiters.iter().map(Arbiter::handle).collect()
    }

    /// Ends all actors and threads.
    pub(crate) fn stop(mut self) {
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
            // A thread that panicked has said so.
            let _ = arbiter.join();
        }
        self.system.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn failed(what: String) -> StartError {
    StartError::Other {
        what,
        remedy: "see the system's limit of threads".into(),
    }
}
