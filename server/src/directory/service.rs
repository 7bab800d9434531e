//! `cluster.v1.Directory` over gRPC: what the admin API reads and writes.

use std::sync::Arc;

use ipdect_cluster::StoreError;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::Kind;
use ipdect_proto::cluster::v1::directory_server::Directory as Contract;
use ipdect_proto::cluster::v1::resource::Value;
use prost::Message as _;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{Applied, Directory, rows as reading};

/// Rows of one answer at the most, whatever was asked for.
const ROWS_MAX: usize = 5000;
/// Messages waiting for one watcher.
const QUEUE: usize = 256;

/// The directory's gRPC face.
#[derive(Clone)]
pub struct Service(pub Arc<Directory>);

/// A store that does not answer, as the caller shall see it.
pub(crate) fn status(error: &StoreError) -> Status {
    match error {
        StoreError::Invalid(_) => Status::invalid_argument(error.to_string()),
        StoreError::Full => Status::resource_exhausted(error.to_string()),
        _ => Status::unavailable(error.to_string()),
    }
}

fn kind(number: i32) -> Result<Kind, Status> {
    match Kind::try_from(number) {
        Ok(Kind::Unspecified) | Err(_) => Err(Status::invalid_argument(
            "kind: say which kind of resource is meant",
        )),
        Ok(kind) => Ok(kind),
    }
}

#[tonic::async_trait]
impl Contract for Service {
    async fn get(
        &self,
        request: Request<rows::GetRequest>,
    ) -> Result<Response<rows::Resource>, Status> {
        let wanted = request.into_inner();
        let found = self.0.resource(kind(wanted.kind)?, &wanted.key);
        found
            .map(Response::new)
            .ok_or_else(|| Status::not_found(format!("there is no `{}`", wanted.key)))
    }

    async fn list(
        &self,
        request: Request<rows::ListRequest>,
    ) -> Result<Response<rows::ListResponse>, Status> {
        let wanted = request.into_inner();
        let limit = match wanted.limit as usize {
            0 => 1000,
            n => n.min(ROWS_MAX),
        };
        match kind(wanted.kind)? {
            kind @ (Kind::Audit | Kind::Journal | Kind::SettingsVersion) => {
                self.list_stored(kind, &wanted, limit).await
            }
            kind => Ok(Response::new(self.list_kept(kind, &wanted, limit))),
        }
    }

    type WatchStream = ReceiverStream<Result<rows::WatchResponse, Status>>;

    async fn watch(
        &self,
        request: Request<rows::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let kinds = request
            .into_inner()
            .kinds
            .into_iter()
            .map(kind)
            .collect::<Result<Vec<_>, _>>()?;
        let (queue, stream) = mpsc::channel(QUEUE);
        tokio::spawn(watch(self.0.clone(), kinds, queue));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn apply(
        &self,
        request: Request<rows::ApplyRequest>,
    ) -> Result<Response<rows::ApplyResponse>, Status> {
        let wanted = request.into_inner();
        if wanted.changes.is_empty() {
            return Err(Status::invalid_argument("changes: there is nothing to do"));
        }
        let now = crate::live::utc_ms();
        match self.0.apply(wanted, now).await.map_err(|e| status(&e))? {
            Applied::Refused(mistakes) => Ok(Response::new(rows::ApplyResponse {
                revision: 0,
                mistakes,
                resources: Vec::new(),
            })),
            Applied::Done { revision, effects } => {
                let shown = effects
                    .iter()
                    .map(|e| self.0.shown(e, revision).1)
                    .collect();
                Ok(Response::new(rows::ApplyResponse {
                    revision,
                    mistakes: Vec::new(),
                    resources: shown,
                }))
            }
        }
    }
}

impl Service {
    fn list_kept(
        &self,
        kind: Kind,
        wanted: &rows::ListRequest,
        limit: usize,
    ) -> rows::ListResponse {
        let mut keys = self.0.keys(kind);
        if wanted.descending {
            keys.reverse();
        }
        let behind = |key: &String| {
            wanted.after_key.is_empty()
                || if wanted.descending {
                    *key < wanted.after_key
                } else {
                    *key > wanted.after_key
                }
        };
        let mut keys = keys
            .into_iter()
            .filter(|k| k.starts_with(&wanted.prefix) && behind(k));
        let resources: Vec<_> = keys
            .by_ref()
            .take(limit)
            .filter_map(|k| self.0.resource(kind, &k))
            .collect();
        let revision = resources.iter().map(|r| r.revision).max().unwrap_or(0);
        rows::ListResponse {
            resources,
            revision,
            more: keys.next().is_some(),
        }
    }

    async fn list_stored(
        &self,
        kind: Kind,
        wanted: &rows::ListRequest,
        limit: usize,
    ) -> Result<Response<rows::ListResponse>, Status> {
        let folder = if kind == Kind::Audit {
            "/audit/"
        } else {
            "/journal/"
        };
        let prefix = format!("{folder}{}", wanted.prefix);
        let mut all = reading::range(self.0.store().as_ref(), &prefix)
            .await
            .map_err(|e| status(&e))?;
        if wanted.descending {
            all.reverse();
        }
        let key_of = |key: &str| key.strip_prefix(folder).unwrap_or(key).to_string();
        let mut resources = Vec::new();
        let mut more = false;
        for row in all {
            let key = key_of(&row.key);
            let behind = wanted.after_key.is_empty()
                || if wanted.descending {
                    key < wanted.after_key
                } else {
                    key > wanted.after_key
                };
            if !behind {
                continue;
            }
            if resources.len() == limit {
                more = true;
                break;
            }
            let value = stored_value(kind, &row.value);
            resources.push(rows::Resource {
                key,
                revision: row.mod_revision,
                value,
            });
        }
        let revision = resources.iter().map(|r| r.revision).max().unwrap_or(0);
        Ok(Response::new(rows::ListResponse {
            resources,
            revision,
            more,
        }))
    }
}

fn stored_value(kind: Kind, octets: &bytes::Bytes) -> Option<Value> {
    match kind {
        Kind::Audit => rows::AuditRow::decode(octets.clone())
            .ok()?
            .entry
            .map(Value::Audit),
        Kind::SettingsVersion => {
            let row = rows::HistoryRow::decode(octets.clone()).ok()?;
            Some(Value::SettingsVersion(admin::SettingsVersion {
                document: row.settings.and_then(|s| s.document),
                actor: row.actor,
                at_utc_ms: row.at_utc_ms,
                reason: row.reason,
            }))
        }
        _ => Some(Value::Journal(octets.clone())),
    }
}

/// Tells all resources of the kinds, then each change; all anew to a watcher that fell behind.
async fn watch(
    directory: Arc<Directory>,
    kinds: Vec<Kind>,
    queue: mpsc::Sender<Result<rows::WatchResponse, Status>>,
) {
    loop {
        let mut changes = directory.subscribe();
        for kind in &kinds {
            for key in directory.keys(*kind) {
                let Some(resource) = directory.resource(*kind, &key) else {
                    continue;
                };
                let revision = resource.revision;
                let told = rows::WatchResponse {
                    kind: (*kind).into(),
                    resource: Some(resource),
                    deleted: false,
                    revision,
                    synced: false,
                };
                if queue.send(Ok(told)).await.is_err() {
                    return;
                }
            }
        }
        let synced = rows::WatchResponse {
            synced: true,
            ..Default::default()
        };
        if queue.send(Ok(synced)).await.is_err() {
            return;
        }
        loop {
            let effects = match changes.recv().await {
                Ok(effects) => effects,
                Err(broadcast::error::RecvError::Lagged(_)) => break,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            for effect in effects.iter() {
                let (kind, resource, deleted) = directory.shown(effect, 0);
                if !kinds.contains(&kind) {
                    continue;
                }
                let revision = resource.revision;
                let told = rows::WatchResponse {
                    kind: kind.into(),
                    resource: Some(resource),
                    deleted,
                    revision,
                    synced: false,
                };
                if queue.send(Ok(told)).await.is_err() {
                    return;
                }
            }
        }
    }
}
