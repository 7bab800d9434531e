//! UDP port pairs of SIP legs: RTP even, RTCP the next odd one. A lease gives its pair back when it is dropped.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use ipdect_node::config::PortRange;
use parking_lot::Mutex;

/// Attempts to find an even port with a free neighbour where any ports will do.
const ATTEMPTS: usize = 64;
/// Pairs that are said to be free where any ports will do.
const PLENTY: usize = 4096;

/// The pairs of a media resource; clones are the same ones.
#[derive(Debug, Clone)]
pub struct Ports {
    bind: IpAddr,
    /// Even ports that are free, longest free first: late packets of an old call do not meet a new one.
    free: Option<Arc<Mutex<VecDeque<u16>>>>,
    leased: Arc<Mutex<usize>>,
}

/// Two bound sockets.
#[derive(Debug)]
pub struct Pair {
    /// On the even port.
    pub rtp: UdpSocket,
    /// On the odd port above.
    pub rtcp: UdpSocket,
    /// The port of `rtp`.
    pub port: u16,
    /// Gives the ports back; to be dropped with the sockets.
    pub lease: Lease,
}

/// A pair that is in use.
#[derive(Debug)]
pub struct Lease {
    ports: Ports,
    port: u16,
}

impl Ports {
    /// The pairs of a range on an address; a range of 0 takes any free ports.
    #[must_use]
    pub fn new(bind: IpAddr, range: PortRange) -> Ports {
        let even = |port: &u16| port.is_multiple_of(2) && *port < range.last;
        let free = (range.first..=range.last).filter(even).collect();
        Ports {
            bind,
            free: (!range.is_any()).then(|| Arc::new(Mutex::new(free))),
            leased: Arc::default(),
        }
    }

    /// Pairs left.
    #[must_use]
    pub fn free(&self) -> usize {
        match &self.free {
            Some(free) => free.lock().len(),
            None => PLENTY.saturating_sub(self.leased()),
        }
    }

    /// Pairs in use.
    #[must_use]
    pub fn leased(&self) -> usize {
        *self.leased.lock()
    }

    /// Binds a free pair; ports that someone else took meanwhile are passed over.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if none is left.
    pub fn lease(&self) -> io::Result<Pair> {
        let Some(free) = &self.free else {
            return self.lease_any();
        };
        let tries = free.lock().len();
        for _ in 0..tries {
            let Some(port) = free.lock().pop_front() else {
                break;
            };
            match self.bind(port) {
                Ok(pair) => return Ok(pair),
                Err(_) => free.lock().push_back(port),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn lease_any(&self) -> io::Result<Pair> {
        for _ in 0..ATTEMPTS {
            // The system's choice shows where room is; it may be odd.
            let probe = UdpSocket::bind((self.bind, 0))?;
            let port = probe.local_addr()?.port();
            drop(probe);
            if let Ok(pair) = self.bind(port & !1) {
                return Ok(pair);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn bind(&self, port: u16) -> io::Result<Pair> {
        let bind = |port| {
            let socket = UdpSocket::bind(SocketAddr::new(self.bind, port))?;
            socket.set_nonblocking(true)?;
            io::Result::Ok(socket)
        };
        let (rtp, rtcp) = (bind(port)?, bind(port + 1)?);
        *self.leased.lock() += 1;
        let lease = Lease {
            ports: self.clone(),
            port,
        };
        Ok(Pair {
            rtp,
            rtcp,
            port,
            lease,
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.ports.leased.lock() -= 1;
        if let Some(free) = &self.ports.free {
            free.lock().push_back(self.port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn pairs_are_even_and_odd_and_come_back_when_dropped() {
        let ports = Ports::new(LOOPBACK, PortRange { first: 0, last: 0 });
        let pair = ports.lease().unwrap();
        assert_eq!(pair.port % 2, 0);
        assert_eq!(pair.rtcp.local_addr().unwrap().port(), pair.port + 1);
        assert_eq!(ports.leased(), 1);
        drop(pair);
        assert_eq!(ports.leased(), 0);
    }

    #[test]
    fn a_range_is_used_up_and_given_back_without_a_leak() {
        // A free stretch of ports is found first, so that the range is ours.
        let any = Ports::new(LOOPBACK, PortRange { first: 0, last: 0 });
        let first = any.lease().unwrap().port;
        let ports = Ports::new(
            LOOPBACK,
            PortRange {
                first,
                last: first + 1,
            },
        );
        assert_eq!(ports.free(), 1);
        for _ in 0..5 {
            let pair = ports.lease().unwrap();
            assert_eq!((pair.port, ports.free()), (first, 0));
            assert_eq!(ports.lease().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
        assert_eq!((ports.free(), ports.leased()), (1, 0));
    }

    #[test]
    fn a_port_that_someone_else_holds_is_passed_over() {
        let any = Ports::new(LOOPBACK, PortRange { first: 0, last: 0 });
        let first = any.lease().unwrap().port;
        let _other = UdpSocket::bind((LOOPBACK, first)).unwrap();
        let ports = Ports::new(
            LOOPBACK,
            PortRange {
                first,
                last: first + 1,
            },
        );
        assert!(ports.lease().is_err());
        assert_eq!((ports.free(), ports.leased()), (1, 0));
    }
}
