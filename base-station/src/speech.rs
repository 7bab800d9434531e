//! Speech between the air and a media resource: RTP, SRTP, the playout buffer. No codec: B-fields go through untouched.
//!
//! Up: the B-fields of frames 2k and 2k+1 make one packet of 80 octets, sent when the second is in, or 30 ms late with
//! the missing half marked bad. Down: packets go into the playout buffer of their bearer, and the air's clock takes
//! 40 octets of it every 10 ms. All bearers share one socket; streams are told apart by SSRC. Nothing here allocates
//! for a packet.

use std::net::SocketAddr;
use std::time::Instant;

use ipdect_dect::mac::{BField, FrameNumber};
use ipdect_media::jitter::Playout;
use ipdect_media::rtp::{Header, Packet, WITH_AIR_MARK, rtcp};
use ipdect_media::srtp::{KeyMaterial, MAX_OVERHEAD, Mki, Receiver, Sender, SrtpError};
use rand_core::RngCore;

use crate::cell::message::ConnectionId;
use crate::radio::{BearerNumber, Field};
use crate::wire::Sink;

mod pairs;
mod quality;
mod reporter;

use pairs::{Pair, Pairs};
pub use quality::Quality;
use quality::Window;
use reporter::Reporter;

/// Octets of two B-fields.
const PAYLOAD_OCTETS: usize = 80;
/// Samples of a frame of 10 ms, what the RTP timestamp counts.
const FRAME_SAMPLES: u32 = 80;
/// Longest packet that we write.
const PACKET_OCTETS: usize = WITH_AIR_MARK + PAYLOAD_OCTETS + MAX_OVERHEAD;
/// Longest report that we write.
const REPORT_OCTETS: usize = rtcp::MAX_COMPOUND + MAX_OVERHEAD;

/// Keys of both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathKeys {
    /// Of what this base sends.
    pub out: KeyMaterial,
    /// Of what it receives.
    pub inward: KeyMaterial,
}

/// One way for speech to a media resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Where to send.
    pub remote: SocketAddr,
    /// SSRC of what this base sends.
    pub ssrc_out: u32,
    /// SSRC of what it receives.
    pub ssrc_in: u32,
    /// RTP payload type of AAL2-G726-32/8000.
    pub payload_type: u8,
    /// DSCP of our packets, 0..63.
    pub dscp: u8,
    /// Keys; none for plain RTP.
    pub keys: Option<PathKeys>,
}

/// Why a path cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another connection receives this SSRC.
    #[error("SSRC {0:08x} is in use by another connection")]
    SsrcInUse(u32),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] SrtpError),
}

/// What all streams count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Packets sent.
    pub sent: u64,
    /// Packets received and believed.
    pub received: u64,
    /// Packets of no stream that is open.
    pub unknown: u64,
    /// Packets that failed authentication, or were replayed or malformed.
    pub refused: u64,
    /// Packets that had not come when a later one did.
    pub missing: u64,
}

/// All speech of one base station.
#[derive(Default)]
pub struct Speech {
    streams: Vec<Stream>,
    counts: Counts,
}

struct Stream {
    connection: ConnectionId,
    bearer: BearerNumber,
    path: Path,
    sender: Option<Sender>,
    receiver: Option<Receiver>,
    sequence: u16,
    timestamp: u32,
    pairs: Pairs,
    playout: Playout,
    window: Window,
    reporter: Reporter,
}

impl std::fmt::Debug for Speech {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let streams: Vec<_> = self
            .streams
            .iter()
            .map(|s| (s.connection, s.bearer))
            .collect();
        f.debug_struct("Speech")
            .field("streams", &streams)
            .field("counts", &self.counts)
            .finish()
    }
}

impl Speech {
    /// Opens a path, or replaces the one that the connection has.
    ///
    /// # Errors
    /// [`OpenError`]; an open path stays as it is then.
    pub fn open(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        connection: ConnectionId,
        bearer: BearerNumber,
        path: Path,
    ) -> Result<(), OpenError> {
        if self.path(connection) == Some(&path) {
            return Ok(());
        }
        if self
            .streams
            .iter()
            .any(|s| s.connection != connection && s.path.ssrc_in == path.ssrc_in)
        {
            return Err(OpenError::SsrcInUse(path.ssrc_in));
        }
        let stream = Stream::new(now, rng, connection, bearer, path)?;
        self.streams.retain(|s| s.connection != connection);
        self.streams.push(stream);
        Ok(())
    }

    /// Closes the path of a connection; answers the quality since the last report, if there was one.
    pub fn close(&mut self, now: Instant, connection: ConnectionId) -> Option<Quality> {
        let at = self
            .streams
            .iter()
            .position(|s| s.connection == connection)?;
        let mut stream = self.streams.swap_remove(at);
        Some(stream.window.take(now, stream.playout.counts().late))
    }

    /// The path of a connection, if speech is open.
    pub fn path(&self, connection: ConnectionId) -> Option<&Path> {
        self.streams
            .iter()
            .find(|s| s.connection == connection)
            .map(|s| &s.path)
    }

    /// Streams open.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Moves a connection to another bearer.
    pub fn move_to(&mut self, connection: ConnectionId, bearer: BearerNumber) {
        for stream in self
            .streams
            .iter_mut()
            .filter(|s| s.connection == connection)
        {
            stream.bearer = bearer;
        }
    }

    /// Quality of a connection since the last report.
    pub fn take_quality(&mut self, now: Instant, connection: ConnectionId) -> Option<Quality> {
        let stream = self
            .streams
            .iter_mut()
            .find(|s| s.connection == connection)?;
        Some(stream.window.take(now, stream.playout.counts().late))
    }

    /// Lets a frame begin: gives each bearer its B-field, and sends the pairs that have waited long enough.
    pub fn frame(
        &mut self,
        now: Instant,
        frame: FrameNumber,
        sink: &mut impl Sink,
        mut on_air: impl FnMut(BearerNumber, BField),
    ) {
        for stream in &mut self.streams {
            let mut b_field = [0; 40];
            stream.playout.pull(&mut b_field);
            on_air(stream.bearer, b_field);
            stream.window.frame();
            while let Some(pair) = stream.pairs.overdue(frame) {
                stream.send(&pair, &mut self.counts, sink);
            }
            stream.report(now, sink);
        }
    }

    /// Takes in a burst of the air.
    pub fn b_field(
        &mut self,
        bearer: BearerNumber,
        frame: FrameNumber,
        field: Field,
        rssi_dbm: i8,
        sink: &mut impl Sink,
    ) {
        let Some(stream) = self.streams.iter_mut().find(|s| s.bearer == bearer) else {
            return;
        };
        stream.window.burst(field, rssi_dbm);
        stream.pairs.put(frame, field, rssi_dbm);
        while let Some(pair) = stream.pairs.complete() {
            stream.send(&pair, &mut self.counts, sink);
        }
    }

    /// Takes in a packet of the network; it is decrypted in place.
    pub fn received(&mut self, now: Instant, from: SocketAddr, packet: &mut [u8]) {
        let result = if rtcp::is_rtcp(packet) {
            self.rtcp(now, from, packet)
        } else {
            self.rtp(now, from, packet)
        };
        match result {
            Ok(()) => self.counts.received += 1,
            Err(Refused::Unknown) => self.counts.unknown += 1,
            Err(Refused::Bad) => self.counts.refused += 1,
        }
    }

    fn rtp(&mut self, now: Instant, from: SocketAddr, packet: &mut [u8]) -> Result<(), Refused> {
        let header = Header::parse(packet)?;
        let stream = self.receiving(header.ssrc, from)?;
        if header.payload_type != stream.path.payload_type {
            return Err(Refused::Bad);
        }
        let length = match &mut stream.receiver {
            Some(receiver) => receiver.unprotect(packet)?,
            None => packet.len(),
        };
        let packet = Packet::parse(&packet[..length])?;
        let missing = stream.reporter.arrived(now, &packet.header);
        stream.playout.push(&packet.header, packet.payload);
        self.counts.missing += u64::from(missing);
        Ok(())
    }

    /// Of what the media resource reports only the time is needed, for its own round trip.
    fn rtcp(&mut self, now: Instant, from: SocketAddr, packet: &mut [u8]) -> Result<(), Refused> {
        let ssrc = packet
            .get(4..8)
            .and_then(|s| s.first_chunk())
            .ok_or(Refused::Bad)?;
        let stream = self.receiving(u32::from_be_bytes(*ssrc), from)?;
        let length = match &mut stream.receiver {
            Some(receiver) => receiver.unprotect_rtcp(packet)?,
            None => packet.len(),
        };
        let heard =
            rtcp::parse(&packet[..length], stream.path.ssrc_out).map_err(|_| Refused::Bad)?;
        stream.reporter.heard(now, heard.last_sr);
        Ok(())
    }

    /// The stream of an SSRC. Without SRTP only the sender's address tells a media resource from a stranger.
    fn receiving(&mut self, ssrc: u32, from: SocketAddr) -> Result<&mut Stream, Refused> {
        let stream = self
            .streams
            .iter_mut()
            .find(|s| s.path.ssrc_in == ssrc)
            .ok_or(Refused::Unknown)?;
        if stream.receiver.is_none() && from.ip() != stream.path.remote.ip() {
            return Err(Refused::Bad);
        }
        Ok(stream)
    }
}

enum Refused {
    Unknown,
    Bad,
}

impl From<SrtpError> for Refused {
    fn from(_: SrtpError) -> Self {
        Self::Bad
    }
}

impl From<ipdect_media::rtp::RtpError> for Refused {
    fn from(_: ipdect_media::rtp::RtpError) -> Self {
        Self::Bad
    }
}

impl Stream {
    fn new(
        now: Instant,
        rng: &mut dyn RngCore,
        connection: ConnectionId,
        bearer: BearerNumber,
        path: Path,
    ) -> Result<Self, OpenError> {
        let sender = path
            .keys
            .as_ref()
            .map(|keys| Sender::new(&keys.out, Mki::default(), 0))
            .transpose()?;
        let receiver = path
            .keys
            .as_ref()
            .map(|keys| Receiver::new(&keys.inward, Mki::default()))
            .transpose()?;
        Ok(Self {
            connection,
            bearer,
            sender,
            receiver,
            // The upper half would let the first wrap of a lost start confuse a receiver (RFC 3711 section 3.3.1).
            sequence: rng.next_u32() as u16 & 0x7FFF,
            timestamp: rng.next_u32(),
            pairs: Pairs::default(),
            playout: Playout::default(),
            window: Window::new(now),
            reporter: Reporter::new(now),
            path,
        })
    }

    fn send(&mut self, pair: &Pair, counts: &mut Counts, sink: &mut impl Sink) {
        let header = Header {
            marker: pair.first,
            payload_type: self.path.payload_type,
            sequence: self.sequence,
            timestamp: self
                .timestamp
                .wrapping_add(pair.offset_frames.wrapping_mul(FRAME_SAMPLES)),
            ssrc: self.path.ssrc_out,
        };
        let mut packet = [0; PACKET_OCTETS];
        let Ok(start) = header.write(Some(pair.mark), &mut packet) else {
            return;
        };
        packet[start..start + PAYLOAD_OCTETS].copy_from_slice(pair.payload.as_flattened());
        let length = start + PAYLOAD_OCTETS;
        let protected = match &mut self.sender {
            Some(sender) => sender.protect(&mut packet, length),
            None => Ok(length),
        };
        self.sequence = self.sequence.wrapping_add(1);
        match protected {
            Ok(length) => {
                sink.send(self.path.remote, &packet[..length]);
                self.reporter.sent(header.timestamp, PAYLOAD_OCTETS);
                counts.sent += 1;
            }
            Err(error) => tracing::debug!(%error, "packet not protected"),
        }
    }

    fn report(&mut self, now: Instant, sink: &mut impl Sink) {
        let mut packet = [0; REPORT_OCTETS];
        let Some(length) = self.reporter.due(now, &self.path, &mut packet) else {
            return;
        };
        let protected = match &mut self.sender {
            Some(sender) => sender.protect_rtcp(&mut packet, length),
            None => Ok(length),
        };
        if let Ok(length) = protected {
            sink.send(self.path.remote, &packet[..length]);
        }
    }
}

#[cfg(test)]
mod tests;
