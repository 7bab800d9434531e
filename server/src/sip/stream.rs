//! One SIP connection: reads, frames, parses and posts; writes what is queued.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ipdect_sip::message::{Framed, StreamFramer};
use ipdect_sip::transaction::Flow;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::transport::{Happened, Received, Sink};

/// Bytes that a partition kept must not arrive after a takeover (4 s).
const USER_TIMEOUT: Duration = Duration::from_secs(4);
/// Largest message that a stream may carry, octets.
const MESSAGE_MAX: usize = 65_535;
/// How long a half message may wait for its rest.
const HALF_MESSAGE: Duration = Duration::from_secs(32);

/// A connection, plain or encrypted.
pub(super) enum Either {
    /// TCP.
    Plain(TcpStream),
    /// TLS that we opened.
    Client(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    /// TLS that the peer opened.
    Server(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

impl AsyncRead for Either {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Either::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Either::Client(s) => Pin::new(s).poll_read(cx, buf),
            Either::Server(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Either {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Either::Plain(s) => Pin::new(s).poll_write(cx, octets),
            Either::Client(s) => Pin::new(s).poll_write(cx, octets),
            Either::Server(s) => Pin::new(s).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Either::Plain(s) => Pin::new(s).poll_flush(cx),
            Either::Client(s) => Pin::new(s).poll_flush(cx),
            Either::Server(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Either::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Either::Client(s) => Pin::new(s).poll_shutdown(cx),
            Either::Server(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

/// Sets what every SIP connection has: no delay, and an end for bytes that nobody acknowledges.
pub(super) fn prepare(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    // Refused only by systems without the option; the connection works all the same.
    let _ = tcp.set_nodelay(true);
    let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
    let _ = socket.set_keepalive(true);
}

/// Runs one connection until either side ends it.
pub(super) async fn run(
    socket: Either,
    flow: Flow,
    mut outbox: mpsc::Receiver<Bytes>,
    sink: &Sink,
    stop: &CancellationToken,
) {
    let (mut reader, mut writer) = tokio::io::split(socket);
    let mut framer = StreamFramer::new(MESSAGE_MAX);
    let mut buffer = vec![0u8; 16 * 1024];
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            octets = outbox.recv() => {
                let Some(octets) = octets else { break };
                if writer.write_all(&octets).await.is_err() || writer.flush().await.is_err() { break }
            }
            read = read_some(&mut reader, &mut buffer, framer.is_inside_message()) => {
                let Some(length) = read else { break };
                framer.push(&buffer[..length]);
                if !deliver(&mut framer, &flow, sink, &mut writer).await { break }
            }
        }
    }
    // The peer learns at once that this connection is over; it may already know.
    let _ = writer.shutdown().await;
}

async fn read_some<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut [u8],
    half: bool,
) -> Option<usize> {
    let read = reader.read(buffer);
    let length = if half {
        tokio::time::timeout(HALF_MESSAGE, read).await.ok()?.ok()?
    } else {
        read.await.ok()?
    };
    (length > 0).then_some(length)
}

/// Hands over every whole message; false when the stream has lost step.
async fn deliver<W: AsyncWrite + Unpin>(
    framer: &mut StreamFramer,
    flow: &Flow,
    sink: &Sink,
    writer: &mut W,
) -> bool {
    while let Some(next) = framer.next() {
        match next {
            Ok(Framed::Message(message)) => {
                sink(Happened::Message(Received {
                    message,
                    flow: *flow,
                }));
            }
            Ok(Framed::KeepAlivePing) => {
                if writer.write_all(b"\r\n").await.is_err() {
                    return false;
                }
            }
            Ok(Framed::KeepAlivePong) => {}
            Err(error) => {
                debug!(peer = %peer(flow), %error, "the stream lost step; closing it");
                sink(Happened::Garbage {
                    transport: flow.transport,
                    reason: "framing",
                });
                return false;
            }
        }
    }
    true
}

fn peer(flow: &Flow) -> SocketAddr {
    flow.remote
}
