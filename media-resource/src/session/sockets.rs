//! The sockets of a worker: one for all base legs, a pair for each SIP leg.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use ipdect_media::session::{Destination, LegId};
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::SessionKey;
use super::ports::{Lease, Pair};

/// Token of the waker.
pub(super) const WAKE: Token = Token(0);
/// Token of the socket of base legs.
pub(super) const BASE: Token = Token(1);
/// First token of a SIP leg's socket.
const FIRST: usize = 2;

/// Expedited forwarding (RFC 3246): what speech is marked with unless an order says otherwise.
pub(super) const EXPEDITED: u8 = 46;

/// Room for 200 packets of a burst while the thread is held up.
const RECEIVE_BUFFER: usize = 512 * 1024;

/// Whose socket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// All base legs.
    Base,
    /// A SIP leg.
    Sip {
        session: SessionKey,
        leg: LegId,
        rtcp: bool,
    },
}

/// A socket with what is asked about it for each packet.
struct Bound {
    socket: UdpSocket,
    owner: Owner,
    ipv6: bool,
}

pub(super) struct Sockets {
    registry: Registry,
    bound: HashMap<Token, Bound>,
    legs: HashMap<(SessionKey, LegId), Open>,
    next: usize,
    base: SocketAddr,
}

/// The sockets of a SIP leg.
struct Open {
    rtp: Token,
    rtcp: Token,
    /// Local addresses.
    addresses: [SocketAddr; 2],
    /// Descriptors, for sending without another look-up.
    fds: [(RawFd, bool); 2],
    _lease: Lease,
}

impl Sockets {
    pub(super) fn new(registry: Registry, base: std::net::UdpSocket) -> io::Result<Sockets> {
        let address = base.local_addr()?;
        let mut sockets = Sockets {
            registry,
            bound: HashMap::new(),
            legs: HashMap::new(),
            next: FIRST,
            base: address,
        };
        sockets.add(BASE, base, Owner::Base, EXPEDITED)?;
        Ok(sockets)
    }

    /// Where base legs are taken.
    pub(super) fn base(&self) -> SocketAddr {
        self.base
    }

    /// Addresses of a SIP leg: RTP and RTCP.
    pub(super) fn sip(&self, session: SessionKey, leg: LegId) -> Option<[SocketAddr; 2]> {
        self.legs.get(&(session, leg)).map(|open| open.addresses)
    }

    pub(super) fn owner(&self, token: Token) -> Option<(Owner, &UdpSocket, bool)> {
        self.bound.get(&token).map(|b| (b.owner, &b.socket, b.ipv6))
    }

    /// Takes the sockets of a new SIP leg.
    pub(super) fn open(
        &mut self,
        session: SessionKey,
        leg: LegId,
        pair: Pair,
        dscp: u8,
    ) -> io::Result<[SocketAddr; 2]> {
        let addresses = [pair.rtp.local_addr()?, pair.rtcp.local_addr()?];
        let (rtp, rtcp) = (Token(self.next), Token(self.next + 1));
        self.next += 2;
        let owner = |rtcp| Owner::Sip { session, leg, rtcp };
        let rtp_fd = self.add(rtp, pair.rtp, owner(false), dscp)?;
        let rtcp_fd = self.add(rtcp, pair.rtcp, owner(true), dscp)?;
        let fds = [rtp_fd, rtcp_fd];
        let open = Open {
            rtp,
            rtcp,
            addresses,
            fds,
            _lease: pair.lease,
        };
        self.legs.insert((session, leg), open);
        Ok(addresses)
    }

    /// Closes the sockets of a SIP leg and gives the ports back.
    pub(super) fn close(&mut self, session: SessionKey, leg: LegId) {
        let Some(open) = self.legs.remove(&(session, leg)) else {
            return;
        };
        for token in [open.rtp, open.rtcp] {
            if let Some(mut bound) = self.bound.remove(&token) {
                // Closing the descriptor would do; this only says so.
                let _ = self.registry.deregister(&mut bound.socket);
            }
        }
    }

    /// The descriptor that a packet leaves by, and whether it is one of IPv6.
    pub(super) fn of(&self, session: SessionKey, to: &Destination) -> Option<(RawFd, bool)> {
        match self.legs.get(&(session, to.leg)) {
            Some(open) => Some(open.fds[usize::from(to.rtcp)]),
            None => self
                .bound
                .get(&BASE)
                .map(|b| (b.socket.as_raw_fd(), b.ipv6)),
        }
    }

    fn add(
        &mut self,
        token: Token,
        socket: std::net::UdpSocket,
        owner: Owner,
        dscp: u8,
    ) -> io::Result<(RawFd, bool)> {
        let ipv6 = socket.local_addr()?.is_ipv6();
        socket.set_nonblocking(true)?;
        mark(&socket, ipv6, dscp);
        let mut socket = UdpSocket::from_std(socket);
        self.registry
            .register(&mut socket, token, Interest::READABLE)?;
        let fd = socket.as_raw_fd();
        self.bound.insert(
            token,
            Bound {
                socket,
                owner,
                ipv6,
            },
        );
        Ok((fd, ipv6))
    }
}

/// Sets DSCP and buffer; a system that refuses either still carries speech.
fn mark(socket: &std::net::UdpSocket, ipv6: bool, dscp: u8) {
    let socket = SockRef::from(socket);
    let octet = u32::from(dscp & 0x3F) << 2;
    let marked = if ipv6 {
        socket.set_tclass_v6(octet)
    } else {
        socket.set_tos_v4(octet)
    };
    if let Err(error) = marked.and_then(|()| socket.set_recv_buffer_size(RECEIVE_BUFFER)) {
        tracing::debug!(%error, "socket option refused");
    }
}
