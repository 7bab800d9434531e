//! Runs virtual handsets: one UDP socket in front of all of them, their clock, their sound, their memory.

pub(crate) mod attach;
mod body;
pub(crate) mod ear;
pub(crate) mod keys;
pub(crate) mod memory;
mod sink;
pub(crate) mod sound;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipdect_dect::identity::{Ipei, Park};
use ipdect_node::{Random, StartError, bind_udp};
use ipdect_portable::{Config, Key, LocationFailure, Memory, Status, SubscriptionFailure};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};

use body::{Body, Command, Phone};
use ear::Recording;
use memory::{Kept, Saver, Shelf};
use sound::{Hearing, Speech};

use crate::thread;

/// Commands that wait for the portables.
const QUEUE: usize = 256;
/// Longest wait for portables to tell the system that they switch off.
const SWITCH_OFF: Duration = Duration::from_millis(2500);

/// One portable to be run.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// What it is.
    pub(crate) config: Config,
    /// Number of its user; empty: unknown.
    pub(crate) number: String,
    /// What it remembers.
    pub(crate) memory: Option<Memory>,
    /// What it says at first.
    pub(crate) speech: Speech,
    /// Where what it hears goes.
    pub(crate) hearing: Option<Hearing>,
    /// It answers calls by itself.
    pub(crate) answers: bool,
    /// Code as written, to be kept with the memory.
    pub(crate) access_code: String,
}

impl Setup {
    /// What its file on the shelf is to hold.
    pub(crate) fn kept(&self) -> Kept {
        Kept {
            number: self.number.clone(),
            access_code: self.access_code.clone(),
            subscription: self.memory.clone(),
        }
    }
}

/// What can be seen of a portable.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct View {
    /// What it is doing.
    pub(crate) status: Status,
    /// How its last subscription ended, and when.
    pub(crate) subscription: Option<(Result<Park, SubscriptionFailure>, Instant)>,
    /// How its last location registration ended, and when.
    pub(crate) location: Option<(Result<(), LocationFailure>, Instant)>,
    /// A subscription is under way.
    pub(crate) subscribing: bool,
    /// Why the last call ended; counts the calls that ended.
    pub(crate) calls_ended: u32,
    /// Level in the ear, dBm0; -100 is silence.
    pub(crate) ear_dbm0: f64,
    /// Strongest frequency in the ear, Hz; 0: none.
    pub(crate) ear_hz: f64,
    /// What it says.
    pub(crate) speech: String,
}

/// A portable as its users know it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) ipei: Ipei,
    pub(crate) number: String,
    pub(crate) view: watch::Receiver<View>,
}

/// The portables of this process; clones speak of the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    known: Arc<[Known]>,
    commands: mpsc::Sender<Command>,
    task: Arc<tokio::sync::Mutex<Option<oneshot::Receiver<()>>>>,
}

/// The portables have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the portables have ended")]
pub(crate) struct Ended;

impl Host {
    /// Starts portables within reach of these base stations; they are switched on at once.
    ///
    /// # Errors
    /// [`StartError`] if there is no socket, or a source or sink of speech cannot be opened.
    pub(crate) async fn start(
        setups: Vec<Setup>,
        bases: &[SocketAddr],
        shelf: Option<Shelf>,
        random: &Random,
    ) -> Result<Self, StartError> {
        let bound = bind_udp("handset.air", facing(bases)).await?;
        // It belongs to the thread of the portables, whose clock nothing else may hold up.
        let socket = bound.into_std().map_err(thread::no_thread)?;
        let mut phones = Vec::new();
        let mut known = Vec::new();
        for setup in setups {
            let (view, seen) = watch::channel(View::default());
            known.push(Known {
                ipei: setup.config.ipei,
                number: setup.number.clone(),
                view: seen,
            });
            phones.push(Phone::new(setup, bases.to_vec(), view).map_err(unusable)?);
        }
        let (commands, orders) = mpsc::channel(QUEUE);
        let saver = shelf.map(Saver::start);
        let rng = random.generator();
        let (ended, task) = oneshot::channel::<()>();
        let work = move || async move {
            match UdpSocket::from_std(socket) {
                Ok(socket) => Body::new(socket, phones, saver, rng, orders).run().await,
                Err(error) => tracing::error!(%error, "the portables have no socket"),
            }
            drop(ended);
        };
        thread::spawn("portables", work).map_err(thread::no_thread)?;
        Ok(Self {
            known: known.into(),
            commands,
            task: Arc::new(tokio::sync::Mutex::new(Some(task))),
        })
    }

    /// All portables, in the order in which they were set up.
    pub(crate) fn known(&self) -> &[Known] {
        &self.known
    }

    /// Which portable has this identity.
    pub(crate) fn find(&self, ipei: Ipei) -> Option<usize> {
        self.known.iter().position(|known| known.ipei == ipei)
    }

    /// Changes what a portable says, if asked to, then presses keys, all at once.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn press(
        &self,
        index: usize,
        keys: Vec<Key>,
        speech: Option<Speech>,
    ) -> Result<(), Ended> {
        self.order(|done| Command::Press {
            index,
            keys,
            speech,
            done,
        })
        .await
    }

    /// Has a portable subscribe with its access code to the strongest system that is open.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn subscribe(&self, index: usize) -> Result<(), Ended> {
        self.order(|done| Command::Subscribe { index, done }).await
    }

    /// Begins to record what a portable hears.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn record(&self, index: usize) -> Result<(), Ended> {
        self.order(|done| Command::Record { index, done }).await
    }

    /// Ends the recording and gives it.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn recorded(&self, index: usize) -> Result<Recording, Ended> {
        self.order(|done| Command::Recorded { index, done }).await
    }

    /// Lends samples to a portable that speaks live.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn speak(&self, index: usize, samples: Vec<i16>) -> Result<(), Ended> {
        let command = Command::Speak { index, samples };
        self.commands.send(command).await.map_err(|_| Ended)
    }

    /// Hangs up everywhere, tells the system that all portables switch off, and ends them.
    pub(crate) async fn end(&self) {
        let Some(task) = self.task.lock().await.take() else {
            return;
        };
        // If they have ended already there is nobody to tell.
        let _ = self.commands.send(Command::End).await;
        if tokio::time::timeout(SWITCH_OFF, task).await.is_err() {
            tracing::warn!("the portables did not switch off in time");
        }
    }

    async fn order<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Ended> {
        let (done, answer) = oneshot::channel();
        self.commands.send(command(done)).await.map_err(|_| Ended)?;
        answer.await.map_err(|_| Ended)
    }
}

/// Loopback if all base stations are there; they then see nobody else.
fn facing(bases: &[SocketAddr]) -> SocketAddr {
    let v6 = bases.iter().any(SocketAddr::is_ipv6);
    let loopback = bases.iter().all(|base| base.ip().is_loopback());
    let ip: IpAddr = match (v6, loopback) {
        (false, true) => Ipv4Addr::LOCALHOST.into(),
        (false, false) => Ipv4Addr::UNSPECIFIED.into(),
        (true, true) => std::net::Ipv6Addr::LOCALHOST.into(),
        (true, false) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    SocketAddr::new(ip, 0)
}

fn unusable(error: sound::SoundError) -> StartError {
    StartError::Other {
        what: error.to_string(),
        remedy: "give another source or sink of speech".into(),
    }
}
