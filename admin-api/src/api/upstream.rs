//! The way to the servers: their directory and their live tables.

use std::sync::Arc;

use ipdect_link::dial;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::directory_client::DirectoryClient;
use ipdect_proto::cluster::v1::live_client::LiveClient;
use ipdect_proto::cluster::v1::resource::Value;
use rustls::ClientConfig;
use tokio::sync::Mutex;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::caller::Caller;

/// A connection to whichever server answers, made anew when it breaks. Cheap to clone.
#[derive(Clone)]
pub struct Upstream(Arc<Inner>);

struct Inner {
    servers: Vec<String>,
    tls: Arc<ClientConfig>,
    channel: Mutex<Option<Channel>>,
}

impl Upstream {
    /// To these servers, with these credentials.
    #[must_use]
    pub fn new(servers: Vec<String>, tls: Arc<ClientConfig>) -> Self {
        Self(Arc::new(Inner {
            servers,
            tls,
            channel: Mutex::new(None),
        }))
    }

    async fn channel(&self) -> Result<Channel, Status> {
        let mut kept = self.0.channel.lock().await;
        if let Some(channel) = kept.as_ref() {
            return Ok(channel.clone());
        }
        let mut why = String::from("no server is configured");
        for server in &self.0.servers {
            match dial::connect(server, self.0.tls.clone()).await {
                Ok(channel) => {
                    *kept = Some(channel.clone());
                    return Ok(channel);
                }
                Err(error) => why = error.to_string(),
            }
        }
        Err(Status::unavailable(format!("no server answers: {why}")))
    }

    /// A broken connection is forgotten, so that the next call makes another.
    async fn note(&self, status: Status) -> Status {
        if status.code() == Code::Unavailable || status.code() == Code::Unknown {
            *self.0.channel.lock().await = None;
        }
        status
    }

    /// The directory.
    ///
    /// # Errors
    /// UNAVAILABLE when no server answers.
    pub async fn directory(&self) -> Result<DirectoryClient<Channel>, Status> {
        Ok(DirectoryClient::new(self.channel().await?))
    }

    /// The live tables.
    ///
    /// # Errors
    /// UNAVAILABLE when no server answers.
    pub async fn live(&self) -> Result<LiveClient<Channel>, Status> {
        Ok(LiveClient::new(self.channel().await?))
    }

    /// One resource; `None` if there is none.
    ///
    /// # Errors
    /// As the server said.
    pub async fn get(&self, kind: rows::Kind, key: &str) -> Result<Option<rows::Resource>, Status> {
        let request = rows::GetRequest {
            kind: kind.into(),
            key: key.into(),
        };
        match self.directory().await?.get(request).await {
            Ok(found) => Ok(Some(found.into_inner())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(self.note(status).await),
        }
    }

    /// All resources of a kind, in order of their keys.
    ///
    /// # Errors
    /// As the server said.
    pub async fn list(&self, kind: rows::Kind) -> Result<Vec<rows::Resource>, Status> {
        let mut all: Vec<rows::Resource> = Vec::new();
        loop {
            let request = rows::ListRequest {
                kind: kind.into(),
                after_key: all.last().map(|r| r.key.clone()).unwrap_or_default(),
                limit: 5000,
                ..Default::default()
            };
            let answer = match self.directory().await?.list(request).await {
                Ok(answer) => answer.into_inner(),
                Err(status) => return Err(self.note(status).await),
            };
            all.extend(answer.resources);
            if !answer.more {
                return Ok(all);
            }
        }
    }

    /// The latest resources of a kind, highest key first.
    ///
    /// # Errors
    /// As the server said.
    pub async fn latest(
        &self,
        kind: rows::Kind,
        limit: u32,
    ) -> Result<Vec<rows::Resource>, Status> {
        let request = rows::ListRequest {
            kind: kind.into(),
            limit,
            descending: true,
            ..Default::default()
        };
        match self.directory().await?.list(request).await {
            Ok(answer) => Ok(answer.into_inner().resources),
            Err(status) => Err(self.note(status).await),
        }
    }

    /// Former versions of a scope's document, latest first.
    ///
    /// # Errors
    /// As the server said.
    pub async fn history(
        &self,
        scope: &str,
        limit: u32,
    ) -> Result<Vec<admin::SettingsVersion>, Status> {
        let request = rows::ListRequest {
            kind: rows::Kind::SettingsVersion.into(),
            prefix: format!("{scope}/"),
            limit,
            descending: true,
            ..Default::default()
        };
        let answer = match self.directory().await?.list(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(self.note(status).await),
        };
        let versions = answer.resources.into_iter().filter_map(|r| match r.value {
            Some(Value::SettingsVersion(version)) => Some(version),
            _ => None,
        });
        Ok(versions.collect())
    }

    /// Carries out changes in the name of somebody, all or nothing.
    ///
    /// # Errors
    /// INVALID_ARGUMENT with every mistake, or as the server said.
    pub async fn apply(
        &self,
        actor: &Actor<'_>,
        reason: &str,
        dry_run: bool,
        changes: Vec<rows::Change>,
    ) -> Result<Vec<rows::Resource>, Status> {
        let answer = self.try_apply(actor, reason, dry_run, changes).await?;
        if answer.mistakes.is_empty() {
            Ok(answer.resources)
        } else {
            Err(mistaken(&answer.mistakes))
        }
    }

    /// Like [`Upstream::apply`], with the mistakes as data.
    ///
    /// # Errors
    /// As the server said.
    pub async fn try_apply(
        &self,
        actor: &Actor<'_>,
        reason: &str,
        dry_run: bool,
        changes: Vec<rows::Change>,
    ) -> Result<rows::ApplyResponse, Status> {
        let request = rows::ApplyRequest {
            actor: actor.name.into(),
            address: actor.address.clone(),
            reason: reason.into(),
            dry_run,
            changes,
        };
        match self.directory().await?.apply(request).await {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(self.note(status).await),
        }
    }

    /// Live items of a kind.
    ///
    /// # Errors
    /// As the server said.
    pub async fn live_list(
        &self,
        kind: rows::LiveKind,
        key: &str,
        limit: u32,
    ) -> Result<Vec<rows::live_item::Item>, Status> {
        let request = rows::LiveListRequest {
            kind: kind.into(),
            key: key.into(),
            limit,
        };
        match self.live().await?.list(request).await {
            Ok(answer) => Ok(answer
                .into_inner()
                .items
                .into_iter()
                .filter_map(|i| i.item)
                .collect()),
            Err(status) => Err(self.note(status).await),
        }
    }

    /// Live items of these kinds, then each change.
    ///
    /// # Errors
    /// As the server said.
    pub async fn live_watch(
        &self,
        kinds: &[rows::LiveKind],
        key: &str,
    ) -> Result<tonic::Streaming<rows::LiveItem>, Status> {
        let request = rows::LiveWatchRequest {
            kinds: kinds.iter().map(|k| i32::from(*k)).collect(),
            key: key.into(),
        };
        match self.live().await?.watch(request).await {
            Ok(stream) => Ok(stream.into_inner()),
            Err(status) => Err(self.note(status).await),
        }
    }
}

/// In whose name a change is made.
pub struct Actor<'a> {
    /// Account, or `system`.
    pub name: &'a str,
    /// Where it came from; empty for the system.
    pub address: String,
}

impl<'a> From<&'a Caller> for Actor<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self {
            name: &caller.name,
            address: caller.address.to_string(),
        }
    }
}

/// The system itself.
#[must_use]
pub fn system() -> Actor<'static> {
    Actor {
        name: "system",
        address: String::new(),
    }
}

/// Mistakes as one status, each with field, value and remedy.
#[must_use]
pub fn mistaken(mistakes: &[admin::Mistake]) -> Status {
    let said = mistakes.iter().map(|m| {
        if m.value.is_empty() {
            format!("{}: {}", m.field, m.remedy)
        } else {
            format!("{} = {}: {}", m.field, m.value, m.remedy)
        }
    });
    Status::invalid_argument(said.collect::<Vec<_>>().join("; "))
}

/// A change that writes a value.
#[must_use]
pub fn put(kind: rows::Kind, key: &str, expected_revision: u64, value: Value) -> rows::Change {
    let resource = rows::Resource {
        key: key.into(),
        revision: 0,
        value: Some(value),
    };
    rows::Change {
        kind: kind.into(),
        key: key.into(),
        expected_revision,
        act: Some(rows::change::Act::Put(resource)),
    }
}

/// A change that removes a value.
#[must_use]
pub fn delete(kind: rows::Kind, key: &str, expected_revision: u64) -> rows::Change {
    rows::Change {
        kind: kind.into(),
        key: key.into(),
        expected_revision,
        act: Some(rows::change::Act::Delete(true)),
    }
}
