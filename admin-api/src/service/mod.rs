//! `admin.v1` over gRPC: each method finds the caller, and asks the API.

mod directory;
mod live;
mod portables;
mod session;

use std::net::{IpAddr, Ipv4Addr};

use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Extensions, Request, Status};

use crate::api::Api;
use crate::api::caller::Caller;

/// All `admin.v1` services.
#[derive(Clone)]
pub struct Services {
    pub(crate) api: Api,
    pub(crate) cluster_id: String,
}

impl Services {
    /// Services over an API of this cluster.
    #[must_use]
    pub fn new(api: Api, cluster_id: String) -> Self {
        Self { api, cluster_id }
    }

    /// Who asks: the session token of `authorization: Bearer <token>`.
    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let header = request
            .metadata()
            .get("authorization")
            .and_then(|v| v.to_str().ok());
        let token = header
            .and_then(|h| h.strip_prefix("Bearer "))
            .unwrap_or_default();
        self.api.caller(token, address(request.extensions()))
    }
}

/// Where a request came from.
fn address(extensions: &Extensions) -> IpAddr {
    let tls = extensions
        .get::<TlsConnectInfo<TcpConnectInfo>>()
        .and_then(|i| i.get_ref().remote_addr());
    let plain = extensions
        .get::<TcpConnectInfo>()
        .and_then(TcpConnectInfo::remote_addr);
    tls.or(plain)
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip())
}
