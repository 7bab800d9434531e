//! The device's side of links: one connection, one handshake. [`fleet`] keeps them alive. Source: contracts 5.

pub mod fleet;
mod plan;

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::StreamExt;
use hyper_util::rt::TokioIo;
use ipdect_proto::link::v1::{Hello, Refusal, Welcome};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    codegen::http::Uri,
    transport::{Channel, Endpoint},
};
use tower_service::Service;

use crate::{
    contract::{Contract, Control, Envelope},
    identity::SERVER_NAME,
    live::{self, LinkHandle, LinkReceiver, LinkSender, QUEUE},
};

/// How long connecting, with TLS, may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the answer to `Hello` may take.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a link did not open.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The server said no; its reason and remedy are inside.
    #[error("refused: {}", .0.remedy)]
    Refused(Box<Refusal>),
    /// The server cannot be reached, or its TLS is not the cluster's.
    #[error("cannot reach {address}: {why}")]
    Unreachable {
        /// Which server.
        address: String,
        /// Why.
        why: String,
    },
    /// The server ended the call.
    #[error("{} ended the call: {}", address, status.message())]
    Status {
        /// Which server.
        address: String,
        /// Its status.
        status: Box<Status>,
    },
    /// The server answered nothing in time.
    #[error("{0} does not answer Hello")]
    Silent(String),
    /// The server answered something else.
    #[error("{0} answers Hello with something else")]
    Protocol(String),
}

/// An open link, as a device gets it.
#[derive(Debug)]
pub struct Opened<C: Contract> {
    /// Address dialled.
    pub address: String,
    /// What the server said.
    pub welcome: Welcome,
    /// To the server.
    pub sender: LinkSender<C::Up>,
    /// From the server.
    pub receiver: LinkReceiver<C::Down>,
}

/// Connects to the link port of a server, `host:port`, and keeps the connection for one user.
///
/// # Errors
/// [`DialError::Unreachable`] after 3 s at most.
pub async fn connect(address: &str, tls: Arc<ClientConfig>) -> Result<Channel, DialError> {
    let unreachable = |why: String| DialError::Unreachable {
        address: address.to_owned(),
        why,
    };
    // TLS is the connector's business: to tonic this is a plain connection.
    let endpoint = Endpoint::from_static("http://server.ipdect.internal")
        .http2_keep_alive_interval(Duration::from_secs(2))
        .keep_alive_timeout(Duration::from_secs(1))
        .keep_alive_while_idle(true);
    let connector = Connector {
        address: address.to_owned(),
        tls,
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, endpoint.connect_with_connector(connector)).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(unreachable(innermost(&error))),
        Err(_) => Err(unreachable("no answer in 3 s".into())),
    }
}

/// Dials a server and says `Hello`.
///
/// # Errors
/// [`DialError`].
pub async fn dial<C: Contract>(
    address: &str,
    tls: Arc<ClientConfig>,
    hello: Hello,
    stop: &CancellationToken,
) -> Result<Opened<C>, DialError> {
    let channel = connect(address, tls).await?;
    let handle = LinkHandle::new(stop);
    let (outgoing, queue) = mpsc::channel(QUEUE);
    // Ends with the link, whoever still holds a sender: the server must see it at once.
    let messages = ReceiverStream::new(queue).take_until(handle.token().cancelled_owned());
    let protocol = || DialError::Protocol(address.to_owned());
    let ended = |status| DialError::Status {
        address: address.to_owned(),
        status: Box::new(status),
    };
    // Queued first: the call returns only when the server has begun to answer.
    let hello = C::Up::control(Control::Hello(hello)).ok_or_else(protocol)?;
    outgoing.try_send(hello).map_err(|_| protocol())?;
    let answer = async {
        let mut incoming = C::attach(channel, messages).await?.into_inner();
        let first = incoming.message().await?;
        Ok((incoming, first))
    };
    let answer = tokio::time::timeout(WELCOME_TIMEOUT, answer).await;
    let (incoming, first) = answer
        .map_err(|_| DialError::Silent(address.to_owned()))?
        .map_err(ended)?;
    let welcome = match first.ok_or_else(protocol)?.sort() {
        Ok(Control::Welcome(welcome)) => welcome,
        Ok(Control::Refusal(refusal)) => return Err(DialError::Refused(Box::new(refusal))),
        _ => return Err(protocol()),
    };
    let heartbeat = Duration::from_millis(welcome.heartbeat_ms.clamp(50, 60_000).into());
    let (sender, receiver) = live::start(incoming, outgoing, handle, heartbeat);
    Ok(Opened {
        address: address.to_owned(),
        welcome,
        sender,
        receiver,
    })
}

/// The cause at the bottom of a transport error: what an operator can use.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Opens TCP and TLS to a fixed address, whatever URI tonic asks for.
#[derive(Clone)]
struct Connector {
    address: String,
    tls: Arc<ClientConfig>,
}

impl Connector {
    async fn open(self) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        Ok(TokioIo::new(
            TlsConnector::from(self.tls).connect(name, stream).await?,
        ))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().open())
    }
}
