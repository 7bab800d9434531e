//! `cluster.v1.Live` over gRPC: what happens now, and opening the system for subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use ipdect_link::accept::PeerInfo;
use ipdect_link::role::Role;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::live_server::Live as Contract;
use ipdect_proto::cluster::v1::{LiveItem, LiveKind};
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::live::{Live, kind_of, matches, utc_ms};

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
    /// Who follows.
    pub followers: Followers,
}

/// The admin APIs that follow the tables now: they have no link of their own, so this tells whether they run.
#[derive(Clone, Default)]
pub struct Followers(Arc<Mutex<HashMap<String, usize>>>);

impl Followers {
    /// One more stream of an admin API.
    fn follows(&self, live: &Live, peer: &PeerInfo) -> Option<Following> {
        let identity = peer.identity.as_ref()?;
        if identity.role != Role::Admin {
            return None;
        }
        let node = identity.node_id.to_string();
        *self.0.lock().entry(node.clone()).or_default() += 1;
        live.update_device(&node, |device| {
            let status = device.status.get_or_insert_default();
            status.state = admin::DeviceState::Up.into();
            status.address = peer.address.to_string();
            status.seen_utc_ms = utc_ms();
        });
        Some(Following {
            followers: self.clone(),
            live: live.clone(),
            node,
        })
    }
}

/// A stream of an admin API; with its last one the admin API is down.
struct Following {
    followers: Followers,
    live: Live,
    node: String,
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut streams = self.followers.0.lock();
        let left = streams.get_mut(&self.node).map_or(0, |count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left > 0 {
            return;
        }
        streams.remove(&self.node);
        self.live.update_device(&self.node, |device| {
            let status = device.status.get_or_insert_default();
            status.state = admin::DeviceState::Down.into();
            status.seen_utc_ms = utc_ms();
        });
    }
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
        let peer = request.extensions().get::<PeerInfo>();
        let following = peer.and_then(|peer| self.followers.follows(&self.live, peer));
        let wanted = request.into_inner();
        let kinds = wanted
            .kinds
            .into_iter()
            .map(kind)
            .collect::<Result<Vec<_>, _>>()?;
        let (queue, stream) = mpsc::channel(QUEUE);
        let watching = watch(self.live.clone(), kinds, wanted.key, queue);
        tokio::spawn(async move {
            watching.await;
            drop(following);
        });
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
            let change = tokio::select! {
                () = queue.closed() => return,
                change = changes.recv() => change,
            };
            let change = match change {
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

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_link::identity::PeerIdentity;

    fn peer(role: Role) -> PeerInfo {
        PeerInfo {
            address: ([127, 0, 0, 1], 40000).into(),
            identity: Some(PeerIdentity {
                cluster_id: "c".into(),
                role,
                node_id: "admin-1".parse().unwrap(),
                certificate_serial: vec![1],
            }),
        }
    }

    #[test]
    fn an_admin_api_is_up_as_long_as_it_follows() {
        let live = Live::new("s1");
        live.device(admin::Device {
            node_id: "admin-1".into(),
            ..Default::default()
        });
        let state = || {
            live.find_device("admin-1")
                .and_then(|d| d.status)
                .map(|s| s.state())
        };
        let followers = Followers::default();
        assert!(followers.follows(&live, &peer(Role::Base)).is_none());
        assert_eq!(state(), None);
        let page = followers.follows(&live, &peer(Role::Admin));
        let watcher = followers.follows(&live, &peer(Role::Admin));
        drop(watcher);
        assert_eq!(state(), Some(admin::DeviceState::Up));
        drop(page);
        assert_eq!(state(), Some(admin::DeviceState::Down));
    }
}
