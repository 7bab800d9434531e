//! One TLS port for all gRPC services, with the caller's identity on each request. Source: contracts 4.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    body::Body,
    codegen::{Service, http},
    server::NamedService,
    service::Routes,
    transport::{Server, server::Connected},
};
use tracing::{debug, warn};

use super::Gatekeeper;
use crate::identity::{Access, PeerIdentity, access};

/// TLS handshakes that may run at the same time.
const HANDSHAKES: usize = 64;
/// How long one may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long running calls may take to end when the door closes.
const CLOSING: Duration = Duration::from_secs(2);

/// Who is at the other end of a connection; an extension of each request.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Its address.
    pub address: SocketAddr,
    /// Who it is by its certificate; `None` without one.
    pub identity: Option<PeerIdentity>,
}

/// The link port: TLS 1.3 from an exchangeable configuration, each service behind [`access`].
pub struct Door {
    listener: TcpListener,
    tls: Arc<ArcSwap<ServerConfig>>,
    gate: Arc<dyn Gatekeeper>,
    routes: Routes,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// A door without services. A new configuration counts for new connections.
    #[must_use]
    pub fn new(
        listener: TcpListener,
        tls: Arc<ArcSwap<ServerConfig>>,
        gate: Arc<dyn Gatekeeper>,
    ) -> Self {
        Self {
            listener,
            tls,
            gate,
            routes: Routes::default(),
        }
    }

    /// Adds a service; callers whose role may not use it are turned away.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.add_service(Guarded {
            inner: service,
            gate: self.gate.clone(),
        });
        self
    }

    /// The bound address.
    ///
    /// # Errors
    /// If the socket does not know it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then gives running calls 2 s to end.
    ///
    /// # Errors
    /// If the HTTP server fails.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), tonic::transport::Error> {
        let (ready, connections) = mpsc::channel(HANDSHAKES);
        let accepting = tokio::spawn(accept_all(self.listener, self.tls, ready, stop.clone()));
        let server = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(2)))
            .http2_keepalive_timeout(Some(Duration::from_secs(1)))
            .max_concurrent_streams(256)
            .add_routes(self.routes)
            .serve_with_incoming_shutdown(
                ReceiverStream::new(connections),
                stop.clone().cancelled_owned(),
            );
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(CLOSING).await;
        };
        let result = tokio::select! {
            result = server => result,
            () = late => Ok(()),
        };
        accepting.abort();
        result
    }
}

/// Accepts connections and shakes hands beside one another, so that a slow caller holds up nobody.
async fn accept_all(
    listener: TcpListener,
    tls: Arc<ArcSwap<ServerConfig>>,
    ready: mpsc::Sender<io::Result<Connection>>,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most often no file descriptor is left; some may be free in a moment.
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let (acceptor, ready) = (TlsAcceptor::from(tls.load_full()), ready.clone());
        tokio::spawn(async move {
            let _slot = slot;
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, shake_hands(acceptor, stream, address))
                .await
            {
                // The door may be closing; then the connection goes with it.
                Ok(Ok(connection)) => drop(ready.send(Ok(connection)).await),
                Ok(Err(error)) => debug!(%address, %error, "TLS handshake failed"),
                Err(_) => debug!(%address, "TLS handshake took too long"),
            }
        });
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first());
    let identity = certificate
        .map(|leaf| PeerIdentity::from_certificate(leaf))
        .transpose()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Connection {
        stream,
        peer: PeerInfo { address, identity },
    })
}

/// One connection whose TLS handshake is done.
struct Connection {
    stream: TlsStream<TcpStream>,
    peer: PeerInfo,
}

impl Connected for Connection {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A service that asks [`access`] before each call, and whether the certificate still counts.
#[derive(Clone)]
struct Guarded<S> {
    inner: S,
    gate: Arc<dyn Gatekeeper>,
}

impl<S: NamedService> NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Guarded<S> {
    fn judge(&self, request: &http::Request<Body>) -> Result<(), Status> {
        let identity = request
            .extensions()
            .get::<PeerInfo>()
            .and_then(|peer| peer.identity.as_ref());
        let path = request.uri().path();
        match access(identity.map(|identity| identity.role), path) {
            Access::Unauthenticated => {
                return Err(Status::unauthenticated(
                    "a certificate of the cluster is needed; enrol first",
                ));
            }
            Access::Denied => return Err(Status::permission_denied("this role may not call that")),
            Access::Allowed => {}
        }
        // Links are let through to the handshake, which says NOT_ENROLLED with a remedy; enrolment is how to mend it.
        let explained = path.ends_with("/Attach") || path.ends_with("/Enrol");
        match identity {
            Some(identity) if !explained && !self.gate.knows(identity) => Err(
                Status::unauthenticated("the certificate no longer counts; enrol anew"),
            ),
            _ => Ok(()),
        }
    }
}

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self.judge(&request) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(status) => Box::pin(std::future::ready(Ok(status.into_http()))),
        }
    }
}
