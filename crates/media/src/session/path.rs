//! One path of a leg: a pair of RTP streams with their SRTP contexts and their RTCP state.

use std::time::{Duration, Instant};

use super::types::{Destination, Outbox, PathId, PathSpec};
use crate::rtp::rtcp::{self, Heard, Report, ReportBlock, SenderInfo};
use crate::rtp::{Header, Reception};
use crate::srtp::{Receiver, Sender, SrtpError};

pub(super) struct Path {
    pub(super) id: PathId,
    /// What it was ordered with; a SIP leg has none.
    pub(super) spec: Option<PathSpec>,
    pub(super) ssrc_out: u32,
    pub(super) sender: Option<Sender>,
    pub(super) receiver: Option<Receiver>,
    pub(super) reception: Option<Reception>,
    /// Whether what we send is protected: the peer may have answered without a key.
    pub(super) protects: bool,
    /// Whether a packet was believed on it.
    pub(super) delivered: bool,
    /// Timestamp after the last packet received, and its samples.
    pub(super) expected: Option<(u32, u32)>,
    sequence: u16,
    /// What makes our timestamps start anywhere (RFC 3550 section 5.1).
    timestamp_base: u32,
    packets: u32,
    octets: u32,
    reported_packets: u32,
    last_sr: Option<(u32, Instant)>,
    pub(super) round_trip: Option<Duration>,
}

/// A packet to be sent on a path, before header and protection.
pub(super) struct Outgoing<'a> {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    /// On the leg's line; the path adds its own base.
    pub(super) timestamp: u32,
    pub(super) payload: &'a [u8],
}

/// The moment of a report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Instant,
    /// Since the session began.
    pub(super) elapsed: Duration,
    /// On the leg's line.
    pub(super) clock: u32,
}

impl Path {
    pub(super) fn new(id: PathId, ssrc_out: u32, rng: &mut dyn rand_core::RngCore) -> Path {
        Path {
            id,
            spec: None,
            ssrc_out,
            sender: None,
            receiver: None,
            reception: None,
            protects: false,
            delivered: false,
            expected: None,
            // The upper half is left out so that the first rollover is not at once (RFC 3711 section 3.3.1).
            sequence: (rng.next_u32() >> 17) as u16,
            timestamp_base: rng.next_u32(),
            packets: 0,
            octets: 0,
            reported_packets: 0,
            last_sr: None,
            round_trip: None,
        }
    }

    /// Writes, protects and commits one packet.
    pub(super) fn send(
        &mut self,
        packet: &Outgoing<'_>,
        destination: Destination,
        out: &mut dyn Outbox,
    ) -> Result<(), SrtpError> {
        let header = Header {
            marker: packet.marker,
            payload_type: packet.payload_type,
            sequence: self.sequence,
            timestamp: packet.timestamp.wrapping_add(self.timestamp_base),
            ssrc: self.ssrc_out,
        };
        let buffer = out.slot();
        let start = header.write(None, buffer)?;
        let end = start + packet.payload.len();
        buffer
            .get_mut(start..end)
            .ok_or(SrtpError::NoRoom)?
            .copy_from_slice(packet.payload);
        let length = match self.sender.as_mut().filter(|_| self.protects) {
            Some(sender) => sender.protect(buffer, end)?,
            None => end,
        };
        out.commit(destination, length);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(packet.payload.len() as u32);
        Ok(())
    }

    /// Writes, protects and commits a report.
    pub(super) fn report(
        &mut self,
        moment: Moment,
        cname: &[u8],
        bye: bool,
        destination: Destination,
        out: &mut dyn Outbox,
    ) -> Result<(), SrtpError> {
        let sender = (self.packets != self.reported_packets).then(|| SenderInfo {
            ntp: rtcp::ntp(moment.elapsed),
            rtp_timestamp: moment.clock.wrapping_add(self.timestamp_base),
            packets: self.packets,
            octets: self.octets,
        });
        let block = self.block(moment.now);
        let report = Report {
            ssrc: self.ssrc_out,
            sender,
            block,
            cname,
            bye,
        };
        let buffer = out.slot();
        let end = report.write(buffer).ok_or(SrtpError::NoRoom)?;
        let length = match self.sender.as_mut().filter(|_| self.protects) {
            Some(sender) => sender.protect_rtcp(buffer, end)?,
            None => end,
        };
        out.commit(destination, length);
        self.reported_packets = self.packets;
        Ok(())
    }

    fn block(&mut self, now: Instant) -> Option<ReportBlock> {
        let last_sr = self.last_sr;
        let reception = self.reception.as_mut()?;
        let waited = last_sr.map(|(_, at)| now.saturating_duration_since(at));
        Some(ReportBlock {
            ssrc: reception.ssrc(),
            fraction_lost: reception.fraction_lost(),
            lost: reception.lost().min(0x7F_FFFF) as i32,
            highest: reception.extended_highest(),
            jitter: reception.jitter_samples(),
            last_sr: last_sr.map_or(0, |(middle, _)| middle),
            delay: waited.map_or(0, |w| (w.as_secs_f64() * 65_536.0) as u32),
        })
    }

    /// Takes a report that was believed.
    pub(super) fn heard_report(&mut self, now: Instant, elapsed: Duration, heard: &Heard) {
        if let Some(middle) = heard.last_sr {
            self.last_sr = Some((middle, now));
        }
        let trip = heard
            .block
            .and_then(|b| rtcp::round_trip(rtcp::ntp(elapsed), &b));
        self.round_trip = trip.or(self.round_trip);
    }
}
