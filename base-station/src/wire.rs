//! Where datagrams go: a socket in the program, a list in tests.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

/// Takes datagrams to be sent, in order.
pub trait Sink {
    /// Sends one datagram; it may get lost.
    fn send(&mut self, to: SocketAddr, octets: &[u8]);
}

/// A UDP socket that never waits: what it cannot take at once is lost, as on any network.
#[derive(Debug)]
pub struct UdpSink<'a>(pub &'a UdpSocket);

impl Sink for UdpSink<'_> {
    fn send(&mut self, to: SocketAddr, octets: &[u8]) {
        if let Err(error) = self.0.try_send_to(octets, to) {
            tracing::trace!(%to, %error, "datagram not sent");
        }
    }
}

#[cfg(test)]
impl Sink for Vec<(SocketAddr, Vec<u8>)> {
    fn send(&mut self, to: SocketAddr, octets: &[u8]) {
        self.push((to, octets.to_vec()));
    }
}
