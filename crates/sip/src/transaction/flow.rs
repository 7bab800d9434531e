//! Where messages come from and go to: transports, flows and hops.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::message::Uri;

/// A SIP transport. Source: RFC 3261 section 18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams: requests are repeated by the transaction layer.
    Udp,
    /// A stream without protection.
    Tcp,
    /// A stream under TLS.
    Tls,
}

impl Transport {
    /// Tells whether the transport itself repeats what is lost, so that transactions need not.
    pub fn is_reliable(self) -> bool {
        self != Transport::Udp
    }

    /// Its name in a Via header field: `UDP`, `TCP`, `TLS`.
    pub fn via_name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }

    /// Reads a Via transport or a `transport=` parameter, in any case.
    pub fn from_name(name: &str) -> Option<Transport> {
        [Transport::Udp, Transport::Tcp, Transport::Tls]
            .into_iter()
            .find(|t| t.via_name().eq_ignore_ascii_case(name))
    }
}

/// One way to exactly one peer: a connection, or a pair of datagram addresses. Source: RFC 5626 section 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// What it runs over.
    pub transport: Transport,
    /// The peer's address and port as seen by us.
    pub remote: SocketAddr,
    /// Our own address and port.
    pub local: SocketAddr,
    /// Number of the connection, chosen by the transport; 0 for datagrams.
    pub connection: u64,
}

impl fmt::Display for Flow {
    /// `udp_192.0.2.1:5060_192.0.2.2:5060_0`, the form that [`Flow::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.transport.via_name().to_ascii_lowercase();
        write!(
            f,
            "{name}_{}_{}_{}",
            self.remote, self.local, self.connection
        )
    }
}

/// The text is not a flow as [`Flow`] prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a flow")]
pub struct NotAFlow;

impl FromStr for Flow {
    type Err = NotAFlow;

    fn from_str(text: &str) -> Result<Flow, NotAFlow> {
        let mut parts = text.split('_');
        let mut next = || parts.next().ok_or(NotAFlow);
        let flow = Flow {
            transport: Transport::from_name(next()?).ok_or(NotAFlow)?,
            remote: next()?.parse().map_err(|_| NotAFlow)?,
            local: next()?.parse().map_err(|_| NotAFlow)?,
            connection: next()?.parse().map_err(|_| NotAFlow)?,
        };
        parts.next().map_or(Ok(flow), |_| Err(NotAFlow))
    }
}

/// Where a message is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Hop {
    /// The configured proxy of this index, 0 to 3; the server resolves its URI (RFC 3263).
    Proxy(u8),
    /// Wherever this URI leads (RFC 3263): the topmost route, or the remote target of a dialog.
    Uri(Uri),
    /// Back over the flow on which the peer was heard.
    Flow(Flow),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_reads_back_what_it_prints() {
        let flow = Flow {
            transport: Transport::Tls,
            remote: "[2001:db8::1]:5061".parse().unwrap(),
            local: "192.0.2.7:49152".parse().unwrap(),
            connection: 77,
        };
        assert_eq!(flow.to_string().parse(), Ok(flow));
        assert_eq!("udp_1.2.3.4:5".parse::<Flow>(), Err(NotAFlow));
        assert_eq!(format!("{flow}_1").parse::<Flow>(), Err(NotAFlow));
    }
}
