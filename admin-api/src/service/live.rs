//! `Handsets`, `Devices`, `Calls`, `Events`: what happens now.

use std::collections::HashMap;

use ipdect_link::role::Role;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::calls_server::Calls;
use ipdect_proto::admin::v1::devices_server::Devices;
use ipdect_proto::admin::v1::events_server::Events;
use ipdect_proto::admin::v1::handsets_server::Handsets;
use ipdect_proto::cluster::v1::live_item::Item;
use ipdect_proto::cluster::v1::{LiveItem, LiveKind};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::Services;
use crate::api::Api;
use crate::api::caller::Caller;

/// Changes that wait for one watcher.
const QUEUE: usize = 256;

impl Services {
    /// Passes on live items that `read` takes, until either side ends.
    async fn pass_on<T: Send + 'static>(
        &self,
        caller: &Caller,
        kind: LiveKind,
        key: &str,
        read: impl Fn(LiveItem) -> Option<T> + Send + 'static,
    ) -> Result<Response<ReceiverStream<Result<T, Status>>>, Status> {
        caller.must_be(admin::AccountRole::Viewer)?;
        let mut items = self.api.upstream().live_watch(&[kind], key).await?;
        let (queue, stream) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            loop {
                let next = match items.message().await {
                    Ok(Some(item)) => match read(item) {
                        Some(told) => Ok(told),
                        None => continue,
                    },
                    Ok(None) => return,
                    Err(status) => Err(status),
                };
                let ended = next.is_err();
                if queue.send(next).await.is_err() || ended {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

#[tonic::async_trait]
impl Handsets for Services {
    async fn list(
        &self,
        request: Request<admin::ListHandsetsRequest>,
    ) -> Result<Response<admin::ListHandsetsResponse>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .handsets_list(&caller, request.into_inner())
            .await
            .map(Response::new)
    }

    type WatchStream = ReceiverStream<Result<admin::HandsetChange, Status>>;

    async fn watch(
        &self,
        request: Request<admin::WatchHandsetsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = self.caller(&request)?;
        self.pass_on(
            &caller,
            LiveKind::Handset,
            &request.into_inner().ipei,
            |item| match item.item {
                Some(Item::Handset(handset)) => Some(admin::HandsetChange {
                    handset: Some(handset),
                    removed: item.removed,
                }),
                _ => None,
            },
        )
        .await
    }

    async fn open_subscription(
        &self,
        request: Request<admin::OpenSubscriptionRequest>,
    ) -> Result<Response<admin::OpenSubscriptionResponse>, Status> {
        let caller = self.caller(&request)?;
        let until_utc_ms = self
            .api
            .subscription_open(&caller, request.into_inner().seconds)
            .await?;
        Ok(Response::new(admin::OpenSubscriptionResponse {
            until_utc_ms,
        }))
    }

    async fn close_subscription(
        &self,
        request: Request<admin::CloseSubscriptionRequest>,
    ) -> Result<Response<admin::CloseSubscriptionResponse>, Status> {
        let caller = self.caller(&request)?;
        self.api.subscription_close(&caller).await?;
        Ok(Response::new(admin::CloseSubscriptionResponse {}))
    }

    async fn unsubscribe(
        &self,
        request: Request<admin::UnsubscribeRequest>,
    ) -> Result<Response<admin::UnsubscribeResponse>, Status> {
        let caller = self.caller(&request)?;
        let wanted = request.into_inner();
        self.api
            .handset_unsubscribe(&caller, &wanted.ipei, &wanted.reason)
            .await?;
        Ok(Response::new(admin::UnsubscribeResponse {}))
    }

    async fn list_attempts(
        &self,
        request: Request<admin::ListAttemptsRequest>,
    ) -> Result<Response<admin::ListAttemptsResponse>, Status> {
        let caller = self.caller(&request)?;
        let attempts = self
            .api
            .attempts(&caller, request.into_inner().limit)
            .await?;
        Ok(Response::new(admin::ListAttemptsResponse { attempts }))
    }
}

#[tonic::async_trait]
impl Devices for Services {
    async fn list(
        &self,
        request: Request<admin::ListDevicesRequest>,
    ) -> Result<Response<admin::ListDevicesResponse>, Status> {
        let caller = self.caller(&request)?;
        let devices = self
            .api
            .devices_list(&caller, request.into_inner().role())
            .await?;
        Ok(Response::new(admin::ListDevicesResponse { devices }))
    }

    type WatchStream = ReceiverStream<Result<admin::DeviceChange, Status>>;

    async fn watch(
        &self,
        request: Request<admin::WatchDevicesRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = self.caller(&request)?;
        caller.must_be(admin::AccountRole::Viewer)?;
        let role = request.into_inner().role;
        let api = self.api.clone();
        let hosts = api.portables().subscribe_hosts();
        let items = api.upstream().live_watch(&[LiveKind::Device], "").await?;
        let (queue, stream) = mpsc::channel(QUEUE);
        tokio::spawn(tell_devices(api, items, hosts, role, queue));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn update(
        &self,
        request: Request<admin::UpdateDeviceRequest>,
    ) -> Result<Response<admin::Device>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .device_update(&caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn delete(
        &self,
        request: Request<admin::DeleteDeviceRequest>,
    ) -> Result<Response<admin::DeleteDeviceResponse>, Status> {
        let caller = self.caller(&request)?;
        let wanted = request.into_inner();
        self.api
            .device_delete(&caller, &wanted.node_id, &wanted.reason)
            .await?;
        Ok(Response::new(admin::DeleteDeviceResponse {}))
    }
}

#[tonic::async_trait]
impl Calls for Services {
    async fn list(
        &self,
        request: Request<admin::ListCallsRequest>,
    ) -> Result<Response<admin::ListCallsResponse>, Status> {
        let caller = self.caller(&request)?;
        let calls = self.api.calls_list(&caller, request.into_inner()).await?;
        Ok(Response::new(admin::ListCallsResponse { calls }))
    }

    type WatchStream = ReceiverStream<Result<admin::CallChange, Status>>;

    async fn watch(
        &self,
        request: Request<admin::WatchCallsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = self.caller(&request)?;
        self.pass_on(
            &caller,
            LiveKind::Call,
            &request.into_inner().ipei,
            |item| match item.item {
                Some(Item::Call(call)) => Some(admin::CallChange { call: Some(call) }),
                _ => None,
            },
        )
        .await
    }

    async fn get(
        &self,
        request: Request<admin::GetCallRequest>,
    ) -> Result<Response<admin::CallLadder>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .call_get(&caller, &request.into_inner().call_ref)
            .await
            .map(Response::new)
    }
}

#[tonic::async_trait]
impl Events for Services {
    async fn list(
        &self,
        request: Request<admin::ListEventsRequest>,
    ) -> Result<Response<admin::ListEventsResponse>, Status> {
        let caller = self.caller(&request)?;
        let events = self.api.events_list(&caller, request.into_inner()).await?;
        Ok(Response::new(admin::ListEventsResponse { events }))
    }

    type WatchStream = ReceiverStream<Result<admin::Event, Status>>;

    async fn watch(
        &self,
        request: Request<admin::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = self.caller(&request)?;
        let least = request.into_inner().least();
        self.pass_on(&caller, LiveKind::Event, "", move |item| match item.item {
            Some(Item::Event(event)) if event.severity() >= least => Some(event),
            _ => None,
        })
        .await
    }
}

/// Tells devices of a role (0: all) as they change. The server tells of them, but which hosts are attached is known here alone.
async fn tell_devices(
    api: Api,
    mut items: Streaming<LiveItem>,
    mut hosts: broadcast::Receiver<String>,
    role: i32,
    queue: mpsc::Sender<Result<admin::DeviceChange, Status>>,
) {
    let mut known: HashMap<String, admin::Device> = HashMap::new();
    loop {
        let (told, removed) = tokio::select! {
            item = items.message() => match item {
                Ok(Some(item)) => (item.item, item.removed),
                Ok(None) => return,
                Err(status) => {
                    // Whoever asked may be gone.
                    let _ = queue.send(Err(status)).await;
                    return;
                }
            },
            host = hosts.recv() => {
                let device = host.ok().and_then(|host| known.get(&host).cloned());
                (device.map(Item::Device), false)
            }
        };
        let Some(Item::Device(device)) = told else {
            continue;
        };
        if device.role() == Role::Host {
            known.insert(device.node_id.clone(), device.clone());
        }
        if role != 0 && device.role != role {
            continue;
        }
        let change = admin::DeviceChange {
            device: Some(api.with_attachment(device)),
            removed,
        };
        if queue.send(Ok(change)).await.is_err() {
            return;
        }
    }
}
