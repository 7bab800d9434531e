//! The running server as its starter holds it, and its end.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ipdect_link::role::Role;
use ipdect_node::run_file::{Lock, RunFile};
use ipdect_node::{Control, Ended, StartError};
use tokio_util::sync::CancellationToken;

use super::TOKEN_LIFE;
use crate::core::Core;
use crate::enrol::Admission;
use crate::links::Gate;
use crate::live_service::Subscriptions;
use crate::threads::Threads;
use crate::trust::{not_kept, other};

/// How long calls have for their release when the server goes.
const FAREWELL: Duration = Duration::from_millis(1500);

/// A running server.
#[derive(Clone)]
pub struct Running {
    pub(super) node: ipdect_node::Running,
    pub(super) admission: Arc<Admission>,
    pub(super) subscriptions: Arc<dyn Subscriptions>,
}

impl Deref for Running {
    type Target = ipdect_node::Running;
    fn deref(&self) -> &ipdect_node::Running {
        &self.node
    }
}

impl Running {
    /// Makes an enrolment token for one unit of a role, good for 24 h.
    ///
    /// # Errors
    /// [`StartError::Store`] if the store does not take it.
    pub async fn issue_token(&self, role: Role) -> Result<String, StartError> {
        let token = self.admission.issue_token(role, 1, TOKEN_LIFE).await;
        token.map(|t| t.reveal()).map_err(not_kept)
    }

    /// Opens the system for subscriptions, for whoever started the server; the admin API has a call of its own.
    ///
    /// # Errors
    /// [`StartError::Other`] with the server's reason.
    pub async fn open_subscription(&self, window: Duration) -> Result<(), StartError> {
        let seconds = u32::try_from(window.as_secs()).unwrap_or(u32::MAX);
        match self.subscriptions.set(true, seconds, "system").await {
            Ok(_) => Ok(()),
            Err(what) => Err(other(what, "open it through the admin API")),
        }
    }
}

/// What the end of the server takes care of.
pub(super) struct Ending {
    pub(super) core: Arc<Core>,
    pub(super) gate: Arc<Gate>,
    pub(super) stop: CancellationToken,
    pub(super) threads: Threads,
    pub(super) _lock: Lock,
    pub(super) _run_file: RunFile,
}

impl Ending {
    /// Waits to be asked, says farewell to peers, and ends.
    pub(super) async fn wait(self, mut control: Control) {
        let deadline = control.drain_asked().await;
        self.gate.drain();
        // Calls are released and users de-registered: with one server there is nobody to go on.
        self.core
            .handsets
            .tell_all(|| ipdect_handset::Event::Shutdown);
        let farewell = tokio::time::Instant::now() + FAREWELL;
        tokio::time::sleep_until(farewell.min(deadline)).await;
        self.stop.cancel();
        self.threads.stop();
        control.ended(Ended::Cleanly);
    }
}
