//! Binds sockets, with errors that name the key.

use crate::error::StartError;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, UdpSocket};

/// Listens for TCP on the address that a key names. Port 0 asks for any free one.
///
/// # Errors
/// [`StartError::PortInUse`] or [`StartError::Bind`].
pub async fn bind_tcp(key: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| refused(key, address, error))
}

/// Opens a UDP socket on the address that a key names. Port 0 asks for any free one.
///
/// # Errors
/// [`StartError::PortInUse`] or [`StartError::Bind`].
pub async fn bind_udp(key: &str, address: SocketAddr) -> Result<UdpSocket, StartError> {
    UdpSocket::bind(address)
        .await
        .map_err(|error| refused(key, address, error))
}

/// The error for an address that could not be bound, for whoever binds by other means.
#[must_use]
pub fn refused(key: &str, address: SocketAddr, source: io::Error) -> StartError {
    let key = key.to_owned();
    if source.kind() == io::ErrorKind::AddrInUse {
        StartError::PortInUse { key, address }
    } else {
        StartError::Bind {
            key,
            address,
            source,
        }
    }
}
