//! What arrives at a UDP port of a namespace as RTP, listened to from beside: for peers that record nothing themselves.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, ensure};
use ipdect_media::codec::g711::Law;
use ipdect_media::rtp::Packet;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket,
    sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use super::namespace::Namespace;

/// How long the listener waits for a packet before it looks whether it is still wanted, milliseconds.
const LOOK_MS: i64 = 100;
/// Octets of packets that may wait for the listener: several seconds of speech.
const QUEUE: usize = 4 * 1024 * 1024;
/// Static payload types of RFC 3551 section 6.
const PCMU: u8 = 0;
const PCMA: u8 = 8;

/// Samples of one packet, and where in time they belong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    ssrc: u32,
    timestamp: u32,
    samples: Vec<i16>,
}

/// A listener at a port. It hears what the port's owner hears, each packet at its place in RTP time: what is missing is
/// silence, what is late is heard.
#[derive(Debug)]
pub struct Capture {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Piece>>>,
}

impl Capture {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the namespace cannot be entered, or its packets not be seen.
    pub fn start(namespace: &Namespace, port: u16) -> Result<Self> {
        let tap = namespace.inside(tap)??;
        let over = Arc::new(AtomicBool::new(false));
        let heard = over.clone();
        let thread = std::thread::spawn(move || listen(&tap, port, &heard));
        Ok(Self { over, thread })
    }

    /// Stops listening. Speech at 8 kHz, from the first packet to the last one.
    ///
    /// # Errors
    /// If nothing came, or from more than one source.
    ///
    /// # Panics
    /// If the listener did.
    pub fn samples(self) -> Result<Vec<i16>> {
        self.over.store(true, Ordering::Relaxed);
        let pieces = self.thread.join().expect("the listener does not panic")?;
        laid_out(&pieces)
    }
}

/// A socket that sees all packets of the calling thread's namespace, from their IP header on.
fn tap() -> Result<OwnedFd> {
    let tap = socket(
        AddressFamily::Packet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::EthIp,
    )
    .context("a packet socket")?;
    setsockopt(&tap, sockopt::RcvBufForce, &QUEUE)?;
    setsockopt(
        &tap,
        sockopt::ReceiveTimeout,
        &TimeVal::milliseconds(LOOK_MS),
    )?;
    Ok(tap)
}

fn listen(tap: &OwnedFd, port: u16, over: &AtomicBool) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut octets = [0; 2048];
    while !over.load(Ordering::Relaxed) {
        match recvfrom::<LinkAddr>(tap.as_raw_fd(), &mut octets) {
            // The loopback shows each packet on its way out, too.
            Ok((length, Some(from))) if from.pkttype() == libc::PACKET_HOST => {
                pieces.extend(payload(&octets[..length], port).and_then(piece));
            }
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => return Err(error).context("the packet socket"),
        }
    }
    Ok(pieces)
}

/// What an IPv4 packet carries to a UDP port.
fn payload(packet: &[u8], port: u16) -> Option<&[u8]> {
    const UDP: u8 = 17;
    let first = *packet.first()?;
    let udp = packet.get(usize::from(first & 0x0F) * 4..)?;
    let to = u16::from_be_bytes([*udp.get(2)?, *udp.get(3)?]);
    (first >> 4 == 4 && packet.get(9) == Some(&UDP) && to == port).then(|| udp.get(8..))?
}

fn piece(octets: &[u8]) -> Option<Piece> {
    let packet = Packet::parse(octets).ok()?;
    let law = match packet.header.payload_type {
        PCMU => Law::Mu,
        PCMA => Law::A,
        _ => return None,
    };
    Some(Piece {
        ssrc: packet.header.ssrc,
        timestamp: packet.header.timestamp,
        samples: packet
            .payload
            .iter()
            .map(|code| law.expand(*code))
            .collect(),
    })
}

/// Puts each packet to its place in time.
fn laid_out(pieces: &[Piece]) -> Result<Vec<i16>> {
    let first = pieces.first().context("no speech came")?;
    ensure!(
        pieces.iter().all(|piece| piece.ssrc == first.ssrc),
        "speech came from more than one source"
    );
    let mut samples = Vec::new();
    for piece in pieces {
        // Packets of one call are less than half the clock's round apart.
        let at = piece.timestamp.wrapping_sub(first.timestamp) as i32;
        let Ok(at) = usize::try_from(at) else {
            continue; // before the first one
        };
        let end = at + piece.samples.len();
        if samples.len() < end {
            samples.resize(end, 0);
        }
        samples[at..end].copy_from_slice(&piece.samples);
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timestamp: u32, level: i16) -> Piece {
        Piece {
            ssrc: 1,
            timestamp,
            samples: vec![level; 2],
        }
    }

    #[test]
    fn what_is_missing_is_silence_and_order_is_that_of_time() {
        let start = u32::MAX - 1;
        let pieces = [at(start, 1), at(4, 4), at(0, 2)];
        assert_eq!(laid_out(&pieces).unwrap(), [1, 1, 2, 2, 0, 0, 4, 4]);
        assert!(laid_out(&[]).is_err());
    }

    #[test]
    fn only_udp_to_the_port_is_heard() {
        let mut packet = vec![0; 28];
        (packet[0], packet[9]) = (0x45, 17);
        packet[22..24].copy_from_slice(&6000u16.to_be_bytes());
        packet.push(7);
        assert_eq!(payload(&packet, 6000), Some(&[7][..]));
        assert_eq!(payload(&packet, 6001), None);
        packet[9] = 6;
        assert_eq!(payload(&packet, 6000), None);
        assert_eq!(payload(&packet[..10], 6000), None);
    }
}
