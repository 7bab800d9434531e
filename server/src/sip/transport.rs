//! Sockets of one SIP listening point: UDP, TCP and TLS on one local address.
//!
//! A listening point has no opinion on what a message means: it frames, parses and hands over ([`Received`]), and it sends what it is told to
//! ([`Transports::send`]). Losing a connection, or failing to make one, is told to whoever sent on it ([`SendError`]).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ipdect_node::StartError;
use ipdect_node::listen::refused;
use ipdect_sip::message::Message;
use ipdect_sip::transaction::{Flow, Transport};
use ipdect_sip::user_agent::SentBy;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::stream;
use super::tls::TlsSides;

/// Longest datagram read. RFC 3261 section 18.1.1 allows up to 65,535 octets.
const DATAGRAM_MAX: usize = 65_535;
/// Messages waiting for one connection's socket before the peer counts as stuck.
const SEND_QUEUE: usize = 256;
/// How long connecting, the TLS handshake included, may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// A message with where it came from.
#[derive(Debug)]
pub struct Received {
    /// The parsed message; its `bytes()` are what was on the wire.
    pub message: Message,
    /// The way back to the sender.
    pub flow: Flow,
}

/// What a listening point tells its owner.
#[derive(Debug)]
pub enum Happened {
    /// A message arrived.
    Message(Received),
    /// A connection is gone; flows over it are dead.
    ConnectionLost {
        /// The connection's flow.
        flow: Flow,
    },
    /// Something that is no SIP message arrived.
    Garbage {
        /// Over which transport.
        transport: Transport,
        /// What was wrong, for the counter's `reason` label.
        reason: &'static str,
    },
}

/// Where to send: a resolved next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Over which transport.
    pub transport: Transport,
    /// To which address.
    pub address: SocketAddr,
    /// The name the peer's certificate must carry (TLS only).
    pub name: String,
}

/// Why a message could not be handed to the network.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer does not take the connection, or not in time.
    #[error("cannot connect to {address} over {}: {why}", transport.via_name())]
    Connect {
        /// The peer.
        address: SocketAddr,
        /// Over which transport.
        transport: Transport,
        /// What the system said.
        why: String,
    },
    /// The connection the message belongs to is gone.
    #[error("connection {0} is gone")]
    Gone(u64),
    /// The peer reads too slowly; its queue is full.
    #[error("the send queue of {0} is full")]
    Stuck(SocketAddr),
    /// The system refused the datagram.
    #[error("cannot send to {0}: {1}")]
    Datagram(SocketAddr, String),
    /// No socket of that transport is open here.
    #[error("no {} socket is open", .0.via_name())]
    NoSocket(Transport),
}

/// Receives what a listening point has to tell. It must not block.
pub type Sink = Arc<dyn Fn(Happened) + Send + Sync>;

struct Connection {
    queue: mpsc::Sender<Bytes>,
}

struct Shared {
    udp: Option<UdpSocket>,
    local_udp: SocketAddr,
    sink: Sink,
    tls: TlsSides,
    connections: Mutex<Table>,
    next: AtomicU64,
    stop: CancellationToken,
}

#[derive(Default)]
struct Table {
    by_number: HashMap<u64, Connection>,
    by_peer: HashMap<(Transport, SocketAddr, String), u64>,
}

/// One listening point, cheap to clone.
#[derive(Clone)]
pub struct Transports(Arc<Shared>);

/// Addresses that a listening point is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// UDP.
    pub udp: SocketAddr,
    /// TCP.
    pub tcp: SocketAddr,
    /// TLS, when certificates allow it.
    pub tls: Option<SocketAddr>,
}

impl Bound {
    /// What Via and Contact show, when others reach these ports at `host`.
    #[must_use]
    pub fn sent_by(&self, host: &str) -> SentBy {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_string()
        };
        SentBy {
            udp: format!("{host}:{}", self.udp.port()),
            tcp: format!("{host}:{}", self.tcp.port()),
            tls: format!("{host}:{}", self.tls.map_or(5061, |t| t.port())),
        }
    }
}

impl Transports {
    /// Binds UDP and TCP on `address` and TLS on `tls_address`, and starts reading.
    ///
    /// # Errors
    /// [`StartError::Bind`] naming `key` when a port is in use.
    pub async fn open(
        key: &'static str,
        address: SocketAddr,
        tls_address: Option<SocketAddr>,
        dscp: u32,
        tls: TlsSides,
        sink: Sink,
        stop: CancellationToken,
    ) -> Result<(Transports, Bound), StartError> {
        let (udp, tcp) = bind_pair(key, address, dscp).await?;
        let bound_udp = udp.local_addr().map_err(|e| refused(key, address, e))?;
        let bound_tcp = tcp.local_addr().map_err(|e| refused(key, address, e))?;
        let tls_listener = match tls_address {
            Some(at) => {
                let at = if at.port() == 0 {
                    SocketAddr::new(at.ip(), 0)
                } else {
                    at
                };
                Some(ipdect_node::bind_tcp(key, at).await?)
            }
            None => None,
        };
        let bound_tls = match &tls_listener {
            Some(l) => Some(l.local_addr().map_err(|e| refused(key, address, e))?),
            None => None,
        };
        let shared = Arc::new(Shared {
            udp: Some(udp),
            local_udp: bound_udp,
            sink,
            tls,
            connections: Mutex::default(),
            next: AtomicU64::new(1),
            stop,
        });
        let transports = Transports(shared);
        tokio::spawn(transports.clone().read_datagrams());
        tokio::spawn(transports.clone().accept(tcp, Transport::Tcp));
        if let Some(listener) = tls_listener {
            tokio::spawn(transports.clone().accept(listener, Transport::Tls));
        }
        Ok((
            transports,
            Bound {
                udp: bound_udp,
                tcp: bound_tcp,
                tls: bound_tls,
            },
        ))
    }

    /// Sends over the connection or to the address that `flow` names.
    ///
    /// # Errors
    /// [`SendError`]; over UDP only what the system says at once.
    pub fn send_back(&self, flow: &Flow, bytes: Bytes) -> Result<(), SendError> {
        match flow.transport {
            Transport::Udp => self.datagram(flow.remote, &bytes),
            _ => self.enqueue(flow.connection, flow.remote, bytes),
        }
    }

    /// Sends to `target`, connecting first if no connection to it is open.
    ///
    /// # Errors
    /// [`SendError`] if the peer cannot be reached.
    pub async fn send(&self, target: &Target, bytes: Bytes) -> Result<(), SendError> {
        if target.transport == Transport::Udp {
            return self.datagram(target.address, &bytes);
        }
        let key = (target.transport, target.address, target.name.clone());
        let known = self.0.connections.lock().by_peer.get(&key).copied();
        let number = match known {
            Some(number) => number,
            None => self.connect(target, key).await?,
        };
        self.enqueue(number, target.address, bytes)
    }

    /// Sends to `target` if nothing has to be opened for that; `None` if something has.
    pub fn send_now(&self, target: &Target, bytes: &Bytes) -> Option<Result<(), SendError>> {
        if target.transport == Transport::Udp {
            return Some(self.datagram(target.address, bytes));
        }
        let key = (target.transport, target.address, target.name.clone());
        let number = self.0.connections.lock().by_peer.get(&key).copied()?;
        Some(self.enqueue(number, target.address, bytes.clone()))
    }

    /// Whether a connection is still open.
    #[must_use]
    pub fn is_open(&self, connection: u64) -> bool {
        self.0
            .connections
            .lock()
            .by_number
            .contains_key(&connection)
    }

    fn datagram(&self, to: SocketAddr, bytes: &[u8]) -> Result<(), SendError> {
        let udp = self
            .0
            .udp
            .as_ref()
            .ok_or(SendError::NoSocket(Transport::Udp))?;
        match udp.try_send_to(bytes, to) {
            Ok(_) => Ok(()),
            // The socket's buffer is full: the same as a datagram lost on the way, which SIP's timers repair.
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(e) => Err(SendError::Datagram(to, e.to_string())),
        }
    }

    fn enqueue(&self, number: u64, peer: SocketAddr, bytes: Bytes) -> Result<(), SendError> {
        let queue = {
            let table = self.0.connections.lock();
            table.by_number.get(&number).map(|c| c.queue.clone())
        };
        let queue = queue.ok_or(SendError::Gone(number))?;
        queue.try_send(bytes).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => SendError::Stuck(peer),
            mpsc::error::TrySendError::Closed(_) => SendError::Gone(number),
        })
    }

    async fn connect(
        &self,
        target: &Target,
        key: (Transport, SocketAddr, String),
    ) -> Result<u64, SendError> {
        let failed = |why: String| SendError::Connect {
            address: target.address,
            transport: target.transport,
            why,
        };
        let made = tokio::time::timeout(CONNECT_LIMIT, async {
            let tcp = TcpStream::connect(target.address)
                .await
                .map_err(|e| e.to_string())?;
            stream::prepare(&tcp);
            let local = tcp.local_addr().map_err(|e| e.to_string())?;
            if target.transport == Transport::Tls {
                let name = ServerName::try_from(target.name.clone())
                    .map_err(|_| format!("`{}` is no host name", target.name))?;
                let tls = self
                    .0
                    .tls
                    .connect(name, tcp)
                    .await
                    .map_err(|e| e.to_string())?;
                Ok((local, stream::Either::Client(Box::new(tls))))
            } else {
                Ok((local, stream::Either::Plain(tcp)))
            }
        })
        .await
        .map_err(|_| failed("no answer in 4 s".into()))?;
        let (local, socket) = made.map_err(failed)?;
        debug!(peer = %target.address, transport = target.transport.via_name(), "connected");
        Ok(self.adopt(socket, target.transport, target.address, local, Some(key)))
    }

    fn adopt(
        &self,
        socket: stream::Either,
        transport: Transport,
        remote: SocketAddr,
        local: SocketAddr,
        key: Option<(Transport, SocketAddr, String)>,
    ) -> u64 {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (queue, outbox) = mpsc::channel(SEND_QUEUE);
        {
            let mut table = self.0.connections.lock();
            table.by_number.insert(number, Connection { queue });
            if let Some(key) = &key {
                table.by_peer.insert(key.clone(), number);
            }
        }
        let flow = Flow {
            transport,
            remote,
            local,
            connection: number,
        };
        let this = self.clone();
        tokio::spawn(async move {
            stream::run(socket, flow, outbox, &this.0.sink, &this.0.stop).await;
            {
                let mut table = this.0.connections.lock();
                table.by_number.remove(&number);
                if let Some(key) = key
                    && table.by_peer.get(&key) == Some(&number)
                {
                    table.by_peer.remove(&key);
                }
            }
            (this.0.sink)(Happened::ConnectionLost { flow });
        });
        number
    }

    async fn accept(self, listener: TcpListener, transport: Transport) {
        loop {
            let accepted = tokio::select! {
                () = self.0.stop.cancelled() => return,
                a = listener.accept() => a,
            };
            match accepted {
                Ok((tcp, remote)) => {
                    let this = self.clone();
                    // One task per connection: a slow handshake holds up nobody.
                    tokio::spawn(async move { this.welcome(tcp, remote, transport).await });
                }
                Err(error) => {
                    warn!(%error, "cannot accept a SIP connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn welcome(self, tcp: TcpStream, remote: SocketAddr, transport: Transport) {
        stream::prepare(&tcp);
        let Ok(local) = tcp.local_addr() else { return };
        let socket = if transport == Transport::Tls {
            match tokio::time::timeout(CONNECT_LIMIT, self.0.tls.accept(tcp)).await {
                Ok(Ok(tls)) => stream::Either::Server(Box::new(tls)),
                Ok(Err(error)) => {
                    metrics::counter!("ipdect_sip_tls_failures_total", "direction" => "in")
                        .increment(1);
                    info!(%remote, %error, "a TLS handshake failed");
                    return;
                }
                Err(_) => return,
            }
        } else {
            stream::Either::Plain(tcp)
        };
        self.adopt(socket, transport, remote, local, None);
    }

    async fn read_datagrams(self) {
        let Some(udp) = self.0.udp.as_ref() else {
            return;
        };
        let mut buffer = vec![0u8; DATAGRAM_MAX];
        loop {
            let read = tokio::select! {
                () = self.0.stop.cancelled() => return,
                r = udp.recv_from(&mut buffer) => r,
            };
            match read {
                Ok((length, remote)) => self.datagram_in(&buffer[..length], remote),
                // ICMP port unreachable of an earlier send: it names no message, the transaction's timer will tell.
                Err(error) => debug!(%error, "reading a SIP datagram"),
            }
        }
    }

    fn datagram_in(&self, octets: &[u8], remote: SocketAddr) {
        // Keep-alives: CRLF CRLF (RFC 5626 section 4.4.1 is for streams, but phones send it over UDP too).
        if octets.iter().all(|o| matches!(o, b'\r' | b'\n' | 0)) {
            return;
        }
        let flow = Flow {
            transport: Transport::Udp,
            remote,
            local: self.0.local_udp,
            connection: 0,
        };
        match Message::parse(Bytes::copy_from_slice(octets)) {
            Ok(message) => (self.0.sink)(Happened::Message(Received { message, flow })),
            Err(error) => {
                debug!(%remote, %error, "not a SIP message");
                (self.0.sink)(Happened::Garbage {
                    transport: Transport::Udp,
                    reason: "syntax",
                });
            }
        }
    }
}

/// Binds UDP and TCP to the same port; with port 0, to one that is free for both.
async fn bind_pair(
    key: &'static str,
    address: SocketAddr,
    dscp: u32,
) -> Result<(UdpSocket, TcpListener), StartError> {
    let mut tries = if address.port() == 0 { 20 } else { 1 };
    loop {
        let tcp = ipdect_node::bind_tcp(key, address).await?;
        let port = tcp
            .local_addr()
            .map_err(|e| refused(key, address, e))?
            .port();
        let at = SocketAddr::new(address.ip(), port);
        match ipdect_node::bind_udp(key, at).await {
            Ok(udp) => {
                if address.is_ipv4() {
                    // A mark the system does not allow costs quality, not calls.
                    let _ = socket2::SockRef::from(&udp).set_tos_v4(dscp);
                }
                return Ok((udp, tcp));
            }
            Err(error) => {
                tries -= 1;
                if tries == 0 {
                    return Err(error);
                }
            }
        }
    }
}
