//! `cluster.v1.Live` over gRPC: what happens now, and opening the system for subscriptions.

use std::sync::Arc;

use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::live_server::Live as Contract;
use ipdect_proto::cluster::v1::{LiveItem, LiveKind};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::live::{Live, kind_of, matches};

/// Messages waiting for one watcher.
const QUEUE: usize = 256;

/// Opens and closes the system for subscriptions.
#[tonic::async_trait]
pub trait Subscriptions: Send + Sync + 'static {
    /// Opens for so many seconds (0: the configured window), or closes. Answers until when, milliseconds since 1970.
    ///
    /// # Errors
    /// A sentence for the caller.
    async fn set(&self, open: bool, seconds: u32, actor: &str) -> Result<u64, String>;
}

/// The live tables' gRPC face.
#[derive(Clone)]
pub struct Service {
    /// The tables.
    pub live: Live,
    /// Who opens subscription.
    pub subscriptions: Arc<dyn Subscriptions>,
}

#[tonic::async_trait]
impl Contract for Service {
    async fn list(
        &self,
        request: Request<rows::LiveListRequest>,
    ) -> Result<Response<rows::LiveListResponse>, Status> {
        let wanted = request.into_inner();
        let kind = kind(wanted.kind)?;
        let items = self.live.list(kind, &wanted.key, wanted.limit as usize);
        let items = items.into_iter().map(|item| LiveItem {
            removed: false,
            item: Some(item),
            synced: false,
        });
        Ok(Response::new(rows::LiveListResponse {
            items: items.collect(),
        }))
    }

    type WatchStream = ReceiverStream<Result<LiveItem, Status>>;

    async fn watch(
        &self,
        request: Request<rows::LiveWatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let wanted = request.into_inner();
        let kinds = wanted
            .kinds
            .into_iter()
            .map(kind)
            .collect::<Result<Vec<_>, _>>()?;
        let (queue, stream) = mpsc::channel(QUEUE);
        tokio::spawn(watch(self.live.clone(), kinds, wanted.key, queue));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn set_subscription(
        &self,
        request: Request<rows::SetSubscriptionRequest>,
    ) -> Result<Response<rows::SetSubscriptionResponse>, Status> {
        let wanted = request.into_inner();
        if wanted.seconds > 3600 {
            return Err(Status::invalid_argument(
                "seconds: an hour (3600) at the most",
            ));
        }
        let until = self
            .subscriptions
            .set(wanted.open, wanted.seconds, &wanted.actor)
            .await;
        let until_utc_ms = until.map_err(Status::failed_precondition)?;
        Ok(Response::new(rows::SetSubscriptionResponse {
            until_utc_ms,
        }))
    }
}

fn kind(number: i32) -> Result<LiveKind, Status> {
    match LiveKind::try_from(number) {
        Ok(LiveKind::Unspecified) | Err(_) => Err(Status::invalid_argument(
            "kind: say which kind of item is meant",
        )),
        Ok(kind) => Ok(kind),
    }
}

/// Tells what is, then each change; all anew to a watcher that fell behind.
async fn watch(
    live: Live,
    kinds: Vec<LiveKind>,
    key: String,
    queue: mpsc::Sender<Result<LiveItem, Status>>,
) {
    loop {
        let mut changes = live.subscribe();
        for kind in &kinds {
            let mut items = live.list(*kind, &key, 0);
            // Oldest first, as they happened.
            items.reverse();
            for item in items {
                if queue
                    .send(Ok(LiveItem {
                        removed: false,
                        item: Some(item),
                        synced: false,
                    }))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
        if queue
            .send(Ok(LiveItem {
                removed: false,
                item: None,
                synced: true,
            }))
            .await
            .is_err()
        {
            return;
        }
        loop {
            let change = match changes.recv().await {
                Ok(change) => change,
                Err(broadcast::error::RecvError::Lagged(_)) => break,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            let wanted = change
                .item
                .as_ref()
                .is_some_and(|i| kinds.contains(&kind_of(i)) && matches(i, &key));
            if wanted && queue.send(Ok(change)).await.is_err() {
                return;
            }
        }
    }
}
