//! The embedded SIP domain: registrar, location service and stateful proxy core for phones without any PBX.
//!
//! A server of its own: the handsets' user agents reach it over real sockets like any proxy. No clock, no socket: time,
//! chance and users are arguments. Source: `contracts.md` section 11; RFC 3261 sections 10 and 16; RFC 5626.

mod fork;
mod location;
mod proxy;
mod registrar;
mod responses;
mod route;

pub use location::{Binding, Location, MOST_CONTACTS};
pub use registrar::{DEFAULT_EXPIRES, MAX_EXPIRES, MIN_EXPIRES, Refusal, contact_list, register};

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand_core::RngCore;

use crate::auth::digest::{Password, Server};
use crate::message::Message;
use crate::transaction::{Flow, Hop, Table, Timers, TransactionKey};
use crate::user_agent::SentBy;
use fork::Fork;

/// How long a nonce is good for.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);
/// Bindings that have ended are looked for this often.
const PURGE: Duration = Duration::from_secs(10);

/// Settings of the domain.
#[derive(Clone)]
pub struct Config {
    /// Its name, such as `ipdect.internal`; also the realm.
    pub name: String,
    /// Host names and addresses that mean the same domain.
    pub aliases: Vec<String>,
    /// Our own `host:port` for each transport.
    pub sent_by: SentBy,
    /// At least 32 octets of chance: seals nonces and routes. The same on all servers of a pool.
    pub secret: Vec<u8>,
    /// Transaction timers.
    pub timers: Timers,
    /// `Server` header field.
    pub server: String,
}

impl std::fmt::Debug for Config {
    /// Leaves out the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("aliases", &self.aliases)
            .finish_non_exhaustive()
    }
}

/// What the domain knows of a user.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// Name for digest authentication.
    pub auth_user: String,
    /// Password for digest authentication.
    pub password: Password,
}

/// The list of users, by the user part of their address of record.
pub trait Users {
    /// The user of this name, if there is one.
    fn find(&self, user: &str) -> Option<Subscriber>;
}

impl<F: Fn(&str) -> Option<Subscriber>> Users for F {
    fn find(&self, user: &str) -> Option<Subscriber> {
        self(user)
    }
}

/// One thing to do, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Put this message on the wire. [`Hop::Proxy`] does not occur.
    Send {
        /// The message.
        message: Message,
        /// Where it goes.
        to: Hop,
        /// Named in [`Domain::transport_failed`] when it cannot be sent.
        transaction: Option<TransactionKey>,
    },
    /// The bindings of this address of record (`user@domain`) changed: store [`Domain::location`]'s.
    BindingsChanged(String),
}

/// The domain.
#[derive(Debug)]
pub struct Domain {
    config: Config,
    digest: Server,
    location: Location,
    table: Table,
    forks: BTreeMap<u64, Fork>,
    /// The fork of each client transaction.
    branches: BTreeMap<TransactionKey, u64>,
    next_fork: u64,
    purge_at: Option<Instant>,
}

/// One call of a public method.
struct Turn<'a> {
    now: Instant,
    wall: SystemTime,
    rng: &'a mut dyn RngCore,
    users: &'a dyn Users,
    out: Vec<Output>,
}

impl Turn<'_> {
    fn wall_ms(&self) -> u64 {
        let since = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Nobody: for turns that need no user.
struct Nobody;

impl Users for Nobody {
    fn find(&self, _: &str) -> Option<Subscriber> {
        None
    }
}

impl Domain {
    /// A domain where nobody is registered.
    pub fn new(config: Config) -> Domain {
        Domain {
            digest: Server::new(&config.name, &config.secret, NONCE_LIFETIME),
            location: Location::default(),
            table: Table::new(config.timers),
            forks: BTreeMap::new(),
            branches: BTreeMap::new(),
            next_fork: 0,
            purge_at: None,
            config,
        }
    }

    /// Who is registered where: to be stored, and to be shown.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Takes stored bindings in after a start.
    pub fn load(&mut self, now: Instant, aor: &str, bindings: Vec<Binding>) {
        self.location.load(aor, bindings);
        self.purge_at = self.purge_at.or(Some(now + PURGE));
    }

    /// Takes in a message, already found sound by `Message::check`.
    pub fn receive(
        &mut self,
        now: Instant,
        wall: SystemTime,
        rng: &mut dyn RngCore,
        message: Message,
        flow: Flow,
        users: &dyn Users,
    ) -> Vec<Output> {
        let mut t = Turn {
            now,
            wall,
            rng,
            users,
            out: vec![],
        };
        self.received(&mut t, &message, flow);
        if !self.location.is_empty() && self.purge_at.is_none() {
            self.purge_at = Some(now + PURGE);
        }
        t.out
    }

    /// Takes in that a message could not be sent.
    pub fn transport_failed(
        &mut self,
        now: Instant,
        wall: SystemTime,
        rng: &mut dyn RngCore,
        key: &TransactionKey,
    ) -> Vec<Output> {
        let mut t = Turn {
            now,
            wall,
            rng,
            users: &Nobody,
            out: vec![],
        };
        let effects = self.table.transport_failed(now, key);
        self.run(&mut t, effects);
        t.out
    }

    /// Takes in that a connection is gone: whoever registered over it is not reachable (RFC 5626 section 5.3).
    pub fn flow_lost(&mut self, flow: Flow) -> Vec<Output> {
        let changed = self.location.retain(|b| b.flow != Some(flow));
        changed.into_iter().map(Output::BindingsChanged).collect()
    }

    /// Removes all bindings of a user who is no more.
    pub fn remove(&mut self, user: &str) -> Vec<Output> {
        let aor = self.aor(user);
        self.location.replace(&aor, vec![]);
        vec![Output::BindingsChanged(aor)]
    }

    /// Does what is due at `now`.
    pub fn deadline(
        &mut self,
        now: Instant,
        wall: SystemTime,
        rng: &mut dyn RngCore,
    ) -> Vec<Output> {
        let mut t = Turn {
            now,
            wall,
            rng,
            users: &Nobody,
            out: vec![],
        };
        let effects = self.table.deadline(now);
        self.run(&mut t, effects);
        let due = |f: &Fork| f.next_deadline().is_some_and(|at| now >= at);
        let forks: Vec<u64> = self
            .forks
            .iter()
            .filter(|(_, f)| due(f))
            .map(|(id, _)| *id)
            .collect();
        for id in forks {
            self.fork_due(&mut t, id);
        }
        if self.purge_at.is_some_and(|at| now >= at) {
            let wall_ms = t.wall_ms();
            let changed = self.location.retain(|b| b.expires_at_ms > wall_ms);
            t.out
                .extend(changed.into_iter().map(Output::BindingsChanged));
            self.purge_at = (!self.location.is_empty()).then(|| now + PURGE);
        }
        t.out
    }

    /// When [`Domain::deadline`] wants to be called next, if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        let forks = self.forks.values().filter_map(Fork::next_deadline).min();
        [self.table.next_deadline(), forks, self.purge_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// Number of transactions that are not forgotten yet.
    pub fn transactions(&self) -> usize {
        self.table.len()
    }

    /// The address of record of a user, as key of the location service.
    pub fn aor(&self, user: &str) -> String {
        format!("{user}@{}", self.config.name)
    }
}

#[cfg(test)]
mod tests;
