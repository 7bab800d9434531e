//! Datagrams in batches: one system call for up to 32 of them, without allocation.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use ipdect_media::session::{Destination, MAX_PACKET, Outbox};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

/// Datagrams of a batch.
pub(super) const BATCH: usize = 32;

/// Datagrams that arrived on one socket.
pub(super) struct Inbox {
    buffers: Box<[[u8; MAX_PACKET]; BATCH]>,
    /// The kernel shortens the address lengths in here to those of the socket's family, so each family has its own.
    headers: [MultiHeaders<SockaddrStorage>; 2],
    arrived: [(usize, Option<SocketAddr>); BATCH],
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            buffers: Box::new([[0; MAX_PACKET]; BATCH]),
            headers: [(); 2].map(|()| MultiHeaders::preallocate(BATCH, None)),
            arrived: [(0, None); BATCH],
        }
    }

    /// Receives what has arrived; answers how many datagrams.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is nothing (any more).
    pub(super) fn receive(&mut self, socket: &impl AsRawFd, ipv6: bool) -> io::Result<usize> {
        let mut slices = self
            .buffers
            .each_mut()
            .map(|buffer| [IoSliceMut::new(buffer)]);
        let headers = &mut self.headers[usize::from(ipv6)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let results = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
        let mut count = 0;
        for (result, arrived) in results.zip(&mut self.arrived) {
            *arrived = (result.bytes, result.address.as_ref().and_then(address));
            count += 1;
        }
        Ok(count)
    }

    /// One of the datagrams received last, and its sender.
    pub(super) fn datagram(&mut self, n: usize) -> Option<(&mut [u8], SocketAddr)> {
        let (length, from) = *self.arrived.get(n)?;
        Some((self.buffers[n].get_mut(..length)?, from?))
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some((v4.ip(), v4.port()).into());
    }
    let v6 = storage.as_sockaddr_in6()?;
    // An IPv4 peer of a dual-stack socket is named as in its SDP.
    Some(SocketAddr::new(v6.ip().to_canonical(), v6.port()))
}

/// Packets that wait to be sent, with the session that they are of.
pub(super) struct Outbound {
    buffers: Box<[[u8; MAX_PACKET]; BATCH]>,
    waiting: [Option<(u64, Destination, usize)>; BATCH],
    used: usize,
    /// Packets for which no slot was free; more than a batch comes of no single packet.
    pub(super) dropped: u64,
    /// Session whose packets are being taken.
    pub(super) session: u64,
    headers: [MultiHeaders<SockaddrStorage>; 2],
}

impl Outbound {
    pub(super) fn new() -> Outbound {
        Outbound {
            buffers: Box::new([[0; MAX_PACKET]; BATCH]),
            waiting: [None; BATCH],
            used: 0,
            dropped: 0,
            session: 0,
            headers: [(); 2].map(|()| MultiHeaders::preallocate(BATCH, None)),
        }
    }

    /// Whether it should be sent before another packet is taken in.
    pub(super) fn is_filling(&self) -> bool {
        // A packet makes at most 5 concealed ones and itself, on two paths each.
        self.used > BATCH - 14
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Sends all packets, in their order on each socket: `socket` names the one of a destination and its family.
    /// Answers packets and octets sent.
    pub(super) fn flush(
        &mut self,
        socket: impl Fn(u64, &Destination) -> Option<(RawFd, bool)>,
    ) -> (u64, u64) {
        let mut sent = (0, 0);
        while let Some((fd, ipv6)) = self.next_socket(&socket) {
            let (packets, octets) = self.send_on(fd, ipv6, &socket);
            sent = (sent.0 + packets, sent.1 + octets);
        }
        self.used = 0;
        sent
    }

    /// Socket of the first packet that waits; packets without one are dropped.
    fn next_socket(
        &mut self,
        socket: &impl Fn(u64, &Destination) -> Option<(RawFd, bool)>,
    ) -> Option<(RawFd, bool)> {
        for waiting in &mut self.waiting[..self.used] {
            if let Some((session, destination, _)) = waiting {
                match socket(*session, destination) {
                    Some(found) => return Some(found),
                    None => *waiting = None,
                }
            }
        }
        None
    }

    /// Takes every packet of one socket and sends them by one call.
    fn send_on(
        &mut self,
        fd: RawFd,
        ipv6: bool,
        socket: &impl Fn(u64, &Destination) -> Option<(RawFd, bool)>,
    ) -> (u64, u64) {
        let mut slices = [[IoSlice::new(&[])]; BATCH];
        let mut addresses = [None; BATCH];
        let (mut count, mut octets) = (0, 0);
        for (waiting, buffer) in self.waiting[..self.used]
            .iter_mut()
            .zip(self.buffers.iter())
        {
            let Some((session, destination, length)) = *waiting else {
                continue;
            };
            if socket(session, &destination).is_some_and(|(other, _)| other == fd) {
                slices[count] = [IoSlice::new(&buffer[..length])];
                addresses[count] = Some(storage(destination.to, ipv6));
                count += 1;
                octets += length as u64;
                *waiting = None;
            }
        }
        let (headers, flags) = (&mut self.headers[usize::from(ipv6)], MsgFlags::MSG_DONTWAIT);
        let mut done = 0;
        while done < count {
            let rest = slices[done..count].iter();
            match sendmmsg(fd, headers, rest, &addresses[done..count], [], flags) {
                Ok(results) => done += results.count().max(1),
                // One that cannot be sent (no route, queue full) must not hold up the others.
                Err(_) => {
                    self.dropped += 1;
                    done += 1;
                }
            }
        }
        (count as u64, octets)
    }
}

/// A socket of IPv6 takes IPv4 addresses only in their mapped form.
fn storage(to: SocketAddr, ipv6: bool) -> SockaddrStorage {
    match (to, ipv6) {
        (SocketAddr::V4(v4), true) => {
            SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()).into()
        }
        (to, _) => to.into(),
    }
}

impl Outbox for Outbound {
    fn slot(&mut self) -> &mut [u8] {
        &mut self.buffers[self.used.min(BATCH - 1)]
    }

    fn commit(&mut self, destination: Destination, length: usize) {
        if self.used == BATCH {
            self.dropped += 1;
            return;
        }
        self.waiting[self.used] = Some((self.session, destination, length));
        self.used += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn pair() -> (UdpSocket, UdpSocket) {
        let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
        (bind(), bind())
    }

    fn commit(out: &mut Outbound, to: SocketAddr, octet: u8, rtcp: bool) {
        out.slot()[..10].fill(octet);
        out.commit(Destination { leg: 1, rtcp, to }, 10);
    }

    #[test]
    fn a_batch_goes_out_by_its_sockets_and_comes_in_with_its_sender() {
        let ((first, second), (sink, other)) = (pair(), pair());
        let (to, to_other) = (sink.local_addr().unwrap(), other.local_addr().unwrap());
        let mut out = Outbound::new();
        for n in 0..10 {
            let to = if n % 2 == 0 { to } else { to_other };
            commit(&mut out, to, n, n % 2 == 1);
        }
        let fds = (first.as_raw_fd(), second.as_raw_fd());
        let sent = out.flush(|_, d| Some((if d.rtcp { fds.1 } else { fds.0 }, false)));
        assert_eq!((sent, out.is_empty()), ((10, 100), true));
        let mut inbox = Inbox::new();
        for (socket, sender, parity) in [(sink, first, 0), (other, second, 1)] {
            assert_eq!(inbox.receive(&socket, false).unwrap(), 5);
            for n in 0..5 {
                let (octets, from) = inbox.datagram(n).unwrap();
                assert_eq!(octets, [2 * n as u8 + parity; 10]);
                assert_eq!(from, sender.local_addr().unwrap());
            }
            let empty = inbox.receive(&socket, false).unwrap_err();
            assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn a_destination_without_socket_is_dropped_and_a_bad_one_holds_up_nobody() {
        let (socket, sink) = pair();
        let to = sink.local_addr().unwrap();
        let mut out = Outbound::new();
        commit(&mut out, "127.0.0.1:0".parse().unwrap(), 1, false);
        commit(&mut out, to, 2, false);
        commit(&mut out, to, 3, true);
        let fd = socket.as_raw_fd();
        out.flush(|_, d| (!d.rtcp).then_some((fd, false)));
        let mut inbox = Inbox::new();
        assert_eq!(inbox.receive(&sink, false).unwrap(), 1);
        assert_eq!(inbox.datagram(0).unwrap().0, [2; 10]);
        assert_eq!(out.dropped, 1);
    }

    #[test]
    fn more_than_a_batch_is_dropped_not_overwritten() {
        let (socket, sink) = pair();
        let to = sink.local_addr().unwrap();
        let mut out = Outbound::new();
        for n in 0..40 {
            commit(&mut out, to, n, false);
        }
        assert_eq!(out.dropped, 8);
        let fd = socket.as_raw_fd();
        assert_eq!(out.flush(|_, _| Some((fd, false))).0, 32);
    }
}
