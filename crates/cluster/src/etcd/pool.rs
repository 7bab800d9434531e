//! The members of one etcd: a connection to each, and which of them is asked.
//!
//! Each member has a connection of its own, so that we and no balancer choose who is asked again after a fault. All
//! requests go to the preferred member; one that fails makes the next one preferred.

use super::config::{Config, Limits, User, addresses};
use super::dial::Address;
use super::fault::{self, Fault, Kind};
use super::rounds::Rounds;
use crate::error::StoreError;
use etcd_client::{Channel, Client, ConnectOptions, Error};
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// What a request may do, which decides whether it can be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Asked twice, it does nothing else than asked once.
    Repeatable,
    /// It must not be repeated unless it surely was not done.
    Once,
}

/// Why a call gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The answer is larger than we take.
    TooLarge,
    /// The revision asked for is no longer kept.
    Compacted,
    Store(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::TooLarge => {
                StoreError::Unavailable("etcd's answer is larger than 4 MiB".to_owned())
            }
            Failure::Compacted => {
                StoreError::Unavailable("the revision was compacted meanwhile".to_owned())
            }
        }
    }
}

/// All members.
pub(super) struct Pool {
    members: Vec<Member>,
    user: Option<User>,
    preferred: AtomicUsize,
    /// Cluster of the first answer; 0: none yet.
    cluster: AtomicU64,
}

struct Member {
    endpoint: String,
    address: Address,
    open: Mutex<Option<Connection>>,
}

#[derive(Clone)]
struct Connection {
    client: Client,
    /// Tells one connection from its successor.
    number: u64,
}

static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints()).finish()
    }
}

impl Pool {
    pub(super) fn new(config: &Config) -> Result<Pool, StoreError> {
        let members = addresses(config)?
            .into_iter()
            .map(|(endpoint, address)| Member {
                endpoint,
                address,
                open: Mutex::new(None),
            });
        Ok(Pool {
            members: members.collect(),
            user: config.user.clone(),
            preferred: AtomicUsize::new(0),
            cluster: AtomicU64::new(0),
        })
    }

    pub(super) fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.endpoint.as_str())
    }

    pub(super) fn endpoint(&self, index: usize) -> &str {
        &self.members[index].endpoint
    }

    /// The member to be asked.
    pub(super) fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed)
    }

    /// Prefers the next member, unless somebody else has left this one already.
    pub(super) fn leave(&self, index: usize) {
        let next = (index + 1) % self.members.len();
        let _ = self
            .preferred
            .compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub(super) fn rounds(&self) -> Rounds {
        Rounds::new(self.endpoints())
    }

    /// Asks one member after the other until one answers, or time is up.
    pub(super) async fn ask<T, F>(
        &self,
        limits: &Limits,
        effect: Effect,
        what: &str,
        request: impl Fn(Client) -> F + Send + Sync,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let until = Instant::now() + limits.call;
        let mut rounds = self.rounds();
        loop {
            let index = self.preferred();
            let left = until.saturating_duration_since(Instant::now());
            let fault = match self.attempt(index, limits, left, what, &request).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            match fault.kind {
                Kind::Final(error) => return Err(Failure::Store(error)),
                Kind::TooLarge => return Err(Failure::TooLarge),
                Kind::Compacted => return Err(Failure::Compacted),
                Kind::Perhaps if effect == Effect::Once => {
                    self.leave(index);
                    let what = format!("{}: {}", self.endpoint(index), fault.what);
                    return Err(Failure::Store(StoreError::Unknown(what)));
                }
                Kind::Perhaps | Kind::Elsewhere | Kind::Shut(_) => {}
            }
            tracing::debug!(
                endpoint = self.endpoint(index),
                what = fault.what,
                "asking another etcd member"
            );
            self.leave(index);
            rounds.failed(index, fault);
            rounds.rest(until).await.map_err(Failure::Store)?;
        }
    }

    /// Asks one member once.
    pub(super) async fn attempt<T, F>(
        &self,
        index: usize,
        limits: &Limits,
        left: Duration,
        what: &str,
        request: impl Fn(Client) -> F + Send,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let connection = self.connection(index, limits.connect.min(left)).await?;
        let answer = request(connection.client.clone());
        let fault = match timeout(limits.attempt.min(left), answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => fault::read(self.endpoint(index), &error),
            Err(_) => Fault::silent(what),
        };
        // Locked: somebody dials already.
        if fault.broken
            && let Ok(mut open) = self.members[index].open.try_lock()
            && open
                .as_ref()
                .is_some_and(|now| now.number == connection.number)
        {
            *open = None;
        }
        Err(fault)
    }

    /// The connection to a member; dials if there is none. Others that want it meanwhile wait.
    async fn connection(&self, index: usize, limit: Duration) -> Result<Connection, Fault> {
        let wanted = async {
            let mut open = self.members[index].open.lock().await;
            if let Some(connection) = &*open {
                return Ok(connection.clone());
            }
            let connection = Connection {
                client: self.dial(index, limit).await?,
                number: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
            };
            *open = Some(connection.clone());
            Ok(connection)
        };
        timeout(limit, wanted).await.unwrap_or_else(|_| Err(slow()))
    }

    /// Opens a new connection: TCP, TLS, login, and a question whether the member is of use.
    pub(super) async fn dial(&self, index: usize, limit: Duration) -> Result<Client, Fault> {
        let member = &self.members[index];
        let of_request = |error: Error| fault::read(&member.endpoint, &error).before_sending();
        let opened = async {
            let channel = member
                .address
                .open()
                .await
                .map_err(|error| fault::of_dialling(&member.endpoint, &error))?;
            let mut client = Client::from_channel(Channel::Tonic(channel), Some(self.options()))
                .await
                .map_err(of_request)?;
            let status = client.status().await.map_err(of_request)?;
            if status.leader() == 0 {
                return Err(Fault::new(Kind::Elsewhere, "it knows no leader"));
            }
            self.check_cluster(
                member,
                status.header().map_or(0, |header| header.cluster_id()),
            )?;
            Ok(client)
        };
        timeout(limit, opened).await.unwrap_or_else(|_| Err(slow()))
    }

    fn options(&self) -> ConnectOptions {
        let options = ConnectOptions::new().with_require_leader(true);
        match &self.user {
            Some(user) => options
                .with_user(user.name.as_str(), user.password.as_str())
                .with_auto_token_refresh(true),
            None => options,
        }
    }

    fn check_cluster(&self, member: &Member, found: u64) -> Result<(), Fault> {
        let first = self
            .cluster
            .compare_exchange(0, found, Ordering::Relaxed, Ordering::Relaxed);
        match first {
            Err(known) if known != found => {
                let error = StoreError::OtherCluster {
                    endpoint: member.endpoint.clone(),
                    found,
                    known,
                };
                let what = error.to_string();
                Err(Fault::new(Kind::Shut(error), what))
            }
            _ => Ok(()),
        }
    }
}

fn slow() -> Fault {
    Fault::new(Kind::Elsewhere, "no connection in time")
}
