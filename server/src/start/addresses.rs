//! The addresses that this server tells others, where the configuration leaves them to be found out.

use std::net::{IpAddr, SocketAddr};

use crate::config::Config;

/// What devices are told to dial, for a link port bound at `bound`.
pub(super) fn link(config: &Config, bound: SocketAddr) -> String {
    match &config.link_advertise {
        Some(given) if given.port != 0 => given.to_string(),
        Some(given) => ipdect_node::config::HostPort {
            host: given.host.clone(),
            port: bound.port(),
        }
        .to_string(),
        None => SocketAddr::new(concrete(bound.ip()), bound.port()).to_string(),
    }
}

/// The host that Contact and Via show.
pub(super) fn sip_host(config: &Config) -> String {
    if config.sip_advertise.is_empty() {
        concrete(config.sip_bind).to_string()
    } else {
        config.sip_advertise.clone()
    }
}

/// An address that others can send to, for a socket that listens on all.
fn concrete(ip: IpAddr) -> IpAddr {
    if ip.is_unspecified() {
        default_route_address().unwrap_or(IpAddr::from([127, 0, 0, 1]))
    } else {
        ip
    }
}

/// The address of the default route: what the system would send from. No packet is sent to find it out.
fn default_route_address() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket
        .local_addr()
        .ok()
        .map(|a| a.ip())
        .filter(|ip| !ip.is_unspecified())
}
