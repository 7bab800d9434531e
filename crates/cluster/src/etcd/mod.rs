//! The store in an etcd cluster.
//!
//! Our revisions are etcd's. Each request goes to one member; a member that does not answer in time is left for the
//! next one, and a request that may have been carried out is never repeated behind the caller's back. Nothing here
//! hangs on a lease.

mod config;
mod convert;
mod dial;
mod fault;
mod health;
mod maintenance;
mod pool;
mod range;
mod rounds;
mod watch;

pub use config::{Config, Limits, Tls, User};
pub use health::{Alarm, Health, MemberHealth, MemberState, Room};
pub use maintenance::{Maintenance, Notice};

use crate::error::StoreError;
use crate::store::{Page, Revision, Row, Store, Watch};
use crate::txn::{Commit, Op, Txn};
use async_trait::async_trait;
use etcd_client::{Client, Error, GetOptions};
use pool::{Effect, Failure, Pool};
use std::future::Future;
use std::sync::Arc;

/// A store in an etcd cluster; clones share its connections.
#[derive(Debug, Clone)]
pub struct Etcd {
    pool: Arc<Pool>,
    limits: Limits,
}

impl Etcd {
    /// A store that connects when it is first asked.
    ///
    /// # Errors
    /// [`StoreError::Config`] for what can never work.
    pub fn new(config: &Config) -> Result<Etcd, StoreError> {
        Ok(Etcd {
            pool: Arc::new(Pool::new(config)?),
            limits: config.limits,
        })
    }

    /// A store that has answered once.
    ///
    /// # Errors
    /// [`StoreError::Config`], [`StoreError::Denied`] if we are not let in, [`StoreError::Unavailable`] if no member
    /// answers within the limits.
    pub async fn connect(config: &Config) -> Result<Etcd, StoreError> {
        let etcd = Etcd::new(config)?;
        etcd.latest().await?;
        Ok(etcd)
    }

    /// The same store with other limits, such as [`Limits::RENEWAL`].
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Etcd {
        Etcd {
            pool: self.pool.clone(),
            limits,
        }
    }

    /// Its members, as configured.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.pool.endpoints()
    }

    /// The latest revision.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn latest(&self) -> Result<Revision, StoreError> {
        let answer = self
            .ask(Effect::Repeatable, "a look at the revision", look)
            .await?;
        let header = answer.header().ok_or_else(lost_header)?;
        Ok(convert::revision(header.revision()))
    }

    /// Deletes a row, whatever is in it. An etcd without room refuses transactions, also those that make room, but not
    /// this.
    async fn delete_one(&self, key: &str) -> Result<Commit, StoreError> {
        let answer = self
            .ask(Effect::Once, "a deletion", |mut client| async move {
                client.delete(key, None).await
            })
            .await?;
        let header = answer.header().ok_or_else(lost_header)?;
        Ok(Commit::Done(convert::revision(header.revision())))
    }

    async fn ask<T, F>(
        &self,
        effect: Effect,
        what: &str,
        request: impl Fn(Client) -> F + Send + Sync,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        self.pool.ask(&self.limits, effect, what, request).await
    }
}

/// A read that all members agree on, of nothing: its answer tells the revision.
async fn look(mut client: Client) -> Result<etcd_client::GetResponse, Error> {
    client
        .get("/", Some(GetOptions::new().with_count_only()))
        .await
}

fn lost_header() -> Failure {
    Failure::Store(StoreError::Unavailable(
        "etcd's answer has no header; is it an etcd?".to_owned(),
    ))
}

#[async_trait]
impl Store for Etcd {
    async fn get(&self, key: &str) -> Result<Option<Row>, StoreError> {
        if key.is_empty() {
            return Ok(None);
        }
        let mut answer = self
            .ask(Effect::Repeatable, "a read", |mut client| async move {
                client.get(key, None).await
            })
            .await?;
        Ok(answer.take_kvs().into_iter().find_map(convert::row))
    }

    async fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        range::read(self, prefix, after, limit).await
    }

    async fn txn(&self, txn: Txn) -> Result<Commit, StoreError> {
        txn.check()?;
        if let ([], [Op::Delete(key)]) = (txn.guards.as_slice(), txn.ops.as_slice()) {
            return self.delete_one(key).await;
        }
        let request = convert::request(&txn);
        let answer = self
            .ask(Effect::Once, "a transaction", |mut client| {
                let request = request.clone();
                async move { client.txn(request).await }
            })
            .await?;
        convert::commit(&txn, &answer)
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        watch::begin(self, prefix, from).await
    }
}
