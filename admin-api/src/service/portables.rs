//! `VirtualHandsets`: the link of hosts, and what pages and programs do with their portables.

use ipdect_link::identity::PeerIdentity;
use ipdect_link::role::Role;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::virtual_handsets_server::VirtualHandsets;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::resource::Value;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Request, Response, Status, Streaming};
use tracing::info;

use super::Services;

/// Changes that wait for one watcher.
const QUEUE: usize = 256;

impl Services {
    /// A host shows a certificate of this cluster that counts.
    async fn host<T>(&self, request: &Request<T>) -> Result<PeerIdentity, Status> {
        let info = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
        let leaf = info
            .and_then(TlsConnectInfo::peer_certs)
            .and_then(|chain| chain.first().cloned());
        let leaf = leaf.ok_or_else(|| {
            Status::unauthenticated(
                "a host certificate is needed; enrol with a token for role host",
            )
        })?;
        let identity = PeerIdentity::from_certificate(&leaf)
            .map_err(|e| Status::unauthenticated(e.to_string()))?;
        if identity.role != Role::Host || identity.cluster_id != self.cluster_id {
            return Err(Status::permission_denied(
                "only a host of this cluster may attach portables",
            ));
        }
        let known = self
            .api
            .upstream()
            .get(rows::Kind::Device, identity.node_id.as_str())
            .await?;
        match known.and_then(|r| r.value) {
            Some(Value::Device(device)) if !device.disabled && device.role() == Role::Host => {
                Ok(identity)
            }
            _ => Err(Status::unauthenticated(
                "this host was removed; enrol it anew",
            )),
        }
    }
}

#[tonic::async_trait]
impl VirtualHandsets for Services {
    type AttachStream = ReceiverStream<Result<admin::PortableOrder, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<admin::PortableReport>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let identity = self.host(&request).await?;
        let mut reports = request.into_inner();
        let (number, orders) = self.api.portables().attach(identity.node_id.as_str());
        info!(host = %identity.node_id, "a host of virtual handsets is linked");
        let api = self.api.clone();
        tokio::spawn(async move {
            while let Ok(Some(report)) = reports.message().await {
                api.portables().reported(number, report);
            }
            api.portables().detach(number);
            info!(host = %identity.node_id, "a host of virtual handsets is gone");
        });
        Ok(Response::new(ReceiverStream::new(orders)))
    }

    async fn list(
        &self,
        request: Request<admin::ListPortablesRequest>,
    ) -> Result<Response<admin::ListPortablesResponse>, Status> {
        self.caller(&request)?.must_be(admin::AccountRole::Viewer)?;
        Ok(Response::new(admin::ListPortablesResponse {
            portables: self.api.portables().list(),
        }))
    }

    type WatchStream = ReceiverStream<Result<admin::Portable, Status>>;

    async fn watch(
        &self,
        request: Request<admin::WatchPortablesRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.caller(&request)?.must_be(admin::AccountRole::Viewer)?;
        let ipei = request.into_inner().ipei;
        let mut changes = self.api.portables().subscribe();
        let (queue, stream) = mpsc::channel(QUEUE);
        let api = self.api.clone();
        tokio::spawn(async move {
            let wanted = |p: &admin::Portable| ipei.is_empty() || p.ipei == ipei;
            for portable in api.portables().list().into_iter().filter(&wanted) {
                if queue.send(Ok(portable)).await.is_err() {
                    return;
                }
            }
            loop {
                let portable = match changes.recv().await {
                    Ok(portable) => portable,
                    // What was missed comes again with the next change of each.
                    Err(broadcast::error::RecvError::Lagged(_)) => continue,
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                if wanted(&portable) && queue.send(Ok(portable)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn press(
        &self,
        request: Request<admin::PressRequest>,
    ) -> Result<Response<admin::PressResponse>, Status> {
        let caller = self.caller(&request)?;
        self.api
            .portable_press(&caller, request.into_inner())
            .await?;
        Ok(Response::new(admin::PressResponse {}))
    }
}
