//! A program that runs: addresses, readiness, drain and end.
//!
//! [`Running`] is for whoever started the program; [`Control`] is the program's own end of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a program has to end after its drain's deadline has passed.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// A running program; clones speak of the same one.
#[derive(Debug, Clone)]
pub struct Running {
    name: &'static str,
    addresses: Arc<BTreeMap<String, SocketAddr>>,
    phase: watch::Sender<Phase>,
    readiness: watch::Receiver<Vec<String>>,
    end: watch::Receiver<Option<Ended>>,
}

/// The program's own end: says when it is ready, learns when it should stop.
///
/// When it is dropped without [`Control::ended`], the program counts as failed.
#[derive(Debug)]
pub struct Control {
    phase: watch::Receiver<Phase>,
    readiness: watch::Sender<Vec<String>>,
    end: watch::Sender<Option<Ended>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Working,
    Draining { deadline: Instant },
    Stopping,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// As asked, with nothing left over.
    Cleanly,
    /// By itself, because of this.
    Failed(String),
}

impl Running {
    /// A program of this name with its bound addresses, and its own end. It starts out as not ready.
    #[must_use]
    pub fn new(
        name: &'static str,
        addresses: impl IntoIterator<Item = (impl Into<String>, SocketAddr)>,
    ) -> (Running, Control) {
        let (phase, phase_seen) = watch::channel(Phase::Working);
        let (readiness, readiness_seen) = watch::channel(vec!["starting".to_owned()]);
        let (end, end_seen) = watch::channel(None);
        let running = Running {
            name,
            addresses: Arc::new(
                addresses
                    .into_iter()
                    .map(|(key, at)| (key.into(), at))
                    .collect(),
            ),
            phase,
            readiness: readiness_seen,
            end: end_seen,
        };
        (
            running,
            Control {
                phase: phase_seen,
                readiness,
                end,
            },
        )
    }

    /// The program's name, such as `server`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Bound addresses by key, such as `link.listen`; port 0 is resolved.
    #[must_use]
    pub fn addresses(&self) -> &BTreeMap<String, SocketAddr> {
        &self.addresses
    }

    /// The bound address of one key.
    #[must_use]
    pub fn address(&self, key: &str) -> Option<SocketAddr> {
        self.addresses.get(key).copied()
    }

    /// Waits until the program can do its work.
    ///
    /// # Errors
    /// How it ended, if it ended before.
    pub async fn ready(&self) -> Result<(), Ended> {
        let mut readiness = self.readiness.clone();
        let mut end = self.end.clone();
        tokio::select! {
            biased;
            ended = end_of(&mut end) => Err(ended),
            ready = readiness.wait_for(Vec::is_empty) => match ready.map(drop) {
                Ok(()) => Ok(()),
                Err(_) => Err(self.wait().await),
            },
        }
    }

    /// Why the program is not ready; empty when it is. A draining program is not.
    #[must_use]
    pub fn not_ready(&self) -> Vec<String> {
        let mut reasons = self.readiness.borrow().clone();
        if *self.phase.borrow() != Phase::Working {
            reasons.push("draining".to_owned());
        }
        if self.end.borrow().is_some() {
            reasons.push("ended".to_owned());
        }
        reasons
    }

    /// Asks the program to finish what it does, and waits for its end, `within` at most and 1 s more for the last
    /// things. Asked twice, the earlier deadline holds; `Duration::ZERO` ends it at once.
    pub async fn drain(&self, within: Duration) -> Ended {
        let asked = Instant::now() + within;
        let mut deadline = asked;
        self.phase.send_modify(|phase| match phase {
            Phase::Stopping => {}
            Phase::Draining { deadline: earlier } if *earlier <= asked => deadline = *earlier,
            phase => *phase = Phase::Draining { deadline: asked },
        });
        if let Ok(ended) = tokio::time::timeout_at(deadline, self.wait()).await {
            return ended;
        }
        self.phase.send_replace(Phase::Stopping);
        tokio::time::timeout(LAST_MOMENT, self.wait())
            .await
            .unwrap_or_else(|_| {
                Ended::Failed(format!("still busy {within:?} after it was asked to stop"))
            })
    }

    /// Waits for the program's end, whoever asked for it.
    pub async fn wait(&self) -> Ended {
        end_of(&mut self.end.clone()).await
    }
}

async fn end_of(end: &mut watch::Receiver<Option<Ended>>) -> Ended {
    match end.wait_for(Option::is_some).await {
        Ok(ended) => ended.clone().unwrap_or(Ended::Cleanly),
        Err(_) => Ended::Failed("ended without a word: a task panicked, see the log".to_owned()),
    }
}

impl Control {
    /// Says that the program can do its work.
    pub fn set_ready(&self) {
        self.set_not_ready(Vec::new());
    }

    /// Says why the program cannot do its work now; no reason: it can.
    pub fn set_not_ready(&self, reasons: Vec<String>) {
        self.readiness.send_if_modified(|now| {
            let changed = *now != reasons;
            *now = reasons;
            changed
        });
    }

    /// Waits until the program is asked to drain; gives the deadline.
    ///
    /// Every [`Running`] dropped is no order: the program then runs on.
    pub async fn drain_asked(&mut self) -> Instant {
        match self
            .phase
            .wait_for(|phase| *phase != Phase::Working)
            .await
            .map(|phase| *phase)
        {
            Ok(Phase::Draining { deadline }) => deadline,
            Ok(_) => Instant::now(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until the drain's deadline has passed: what still runs must now be cut off.
    pub async fn stop_asked(&mut self) {
        if self
            .phase
            .wait_for(|phase| *phase == Phase::Stopping)
            .await
            .is_err()
        {
            std::future::pending().await
        }
    }

    /// Says how the program ended; the last thing it does.
    pub fn ended(self, how: Ended) {
        self.end.send_replace(Some(how));
    }
}
