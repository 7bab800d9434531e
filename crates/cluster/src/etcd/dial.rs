//! One connection to one member. TLS is ours, not tonic's, so that a refused certificate is told where it is refused.

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use tower_service::Service;

/// Time between two pings of an idle connection. etcd closes connections that ping more often than each 5 s.
const PING_EVERY: Duration = Duration::from_secs(6);
/// Time for the answer to a ping.
const PING_ANSWER: Duration = Duration::from_secs(3);

/// Where a member is.
#[derive(Debug)]
pub(super) struct Address {
    endpoint: Endpoint,
    connector: Connector,
}

impl Address {
    /// From `http://host:port` or `https://host:port`. Gives what is wrong with it.
    pub(super) fn new(text: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Address, String> {
        let (secure, place) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(place), _) => (true, place),
            (_, Some(place)) => (false, place),
            _ => return Err("write it as https://host:port or http://host:port".to_owned()),
        };
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("no address ({error})"))?;
        let place = place.trim_end_matches('/').to_owned();
        let host = uri.host().unwrap_or_default();
        if uri.port().is_none() {
            return Err("its port is missing; etcd's is 2379".to_owned());
        }
        let tls = match (secure, tls) {
            (false, None) => None,
            (false, Some(_)) => return Err("certificates are given, so write https://".to_owned()),
            (true, None) => {
                return Err("https needs the certificate of etcd's authority (ca)".to_owned());
            }
            (true, Some(config)) => {
                let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                    .map_err(|error| format!("host {host}: {error}"))?;
                Some((config.clone(), name))
            }
        };
        // To tonic this is a plain connection: TLS is the connector's business.
        let endpoint = Endpoint::from_shared(format!("http://{place}"))
            .map_err(|error| format!("no address ({error})"))?
            .origin(uri)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER)
            .keep_alive_while_idle(true);
        Ok(Address {
            endpoint,
            connector: Connector { place, tls },
        })
    }

    pub(super) async fn open(&self) -> Result<Channel, tonic::transport::Error> {
        self.endpoint
            .connect_with_connector(self.connector.clone())
            .await
    }
}

/// Opens the stream below HTTP/2.
#[derive(Debug, Clone)]
struct Connector {
    /// `host:port`.
    place: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Connector {
    async fn open(self) -> io::Result<TokioIo<Stream>> {
        let stream = TcpStream::connect(&self.place).await?;
        stream.set_nodelay(true)?;
        let Some((config, name)) = self.tls else {
            return Ok(TokioIo::new(Stream::Plain(stream)));
        };
        let mut stream = TlsConnector::from(config).connect(name, stream).await?;
        // With TLS 1.3 our side of the handshake ends before the server has seen our certificate. An HTTP/2 server speaks
        // first: either that it settled, or what it does not like.
        if stream.fill_buf().await?.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it closed the connection behind the TLS handshake",
            ));
        }
        Ok(TokioIo::new(Stream::Secure(Box::new(stream))))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().open())
    }
}

/// A stream with or without TLS.
#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// The stream inside, whichever it is.
macro_rules! inside {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream.get_mut() {
            Stream::Plain($inner) => $call,
            Stream::Secure($inner) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inside!(self, inner => Pin::new(inner).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        inside!(self, inner => Pin::new(inner).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(self, inner => Pin::new(inner).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(self, inner => Pin::new(inner).poll_shutdown(cx))
    }
}
