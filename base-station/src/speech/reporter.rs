//! RTCP of one stream: what was sent, what came, every 5 s.

use std::time::{Duration, Instant};

use ipdect_media::rtp::rtcp::{Report, ReportBlock, SenderInfo, middle, ntp};
use ipdect_media::rtp::{Arrival, Header, Reception};

use super::Path;

/// Distance of two reports. Source: contracts, section 7.
const EVERY: Duration = Duration::from_secs(5);
/// Canonical name: the SSRC tells streams apart, and nobody outside needs to know whose they are.
const CNAME: &[u8] = b"base";

#[derive(Debug)]
pub(super) struct Reporter {
    start: Instant,
    next_at: Instant,
    packets: u32,
    octets: u32,
    timestamp: u32,
    reception: Option<Reception>,
    /// Middle of the last NTP time heard, and when.
    last_sr: Option<(u32, Instant)>,
}

impl Reporter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            start: now,
            next_at: now + EVERY,
            packets: 0,
            octets: 0,
            timestamp: 0,
            reception: None,
            last_sr: None,
        }
    }

    /// Counts a packet sent.
    pub(super) fn sent(&mut self, timestamp: u32, octets: usize) {
        self.timestamp = timestamp;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(octets as u32);
    }

    /// Counts a packet that came; answers how many were left out just before it.
    pub(super) fn arrived(&mut self, now: Instant, header: &Header) -> u16 {
        let Some(reception) = &mut self.reception else {
            self.reception = Some(Reception::new(now, header));
            return 0;
        };
        match reception.arrived(now, header) {
            Arrival::Next { missing } => missing,
            Arrival::Late | Arrival::Duplicate | Arrival::First => 0,
        }
    }

    /// Takes in the time of the other side's report.
    pub(super) fn heard(&mut self, now: Instant, last_sr: Option<u32>) {
        self.last_sr = last_sr.map(|sr| (sr, now)).or(self.last_sr);
    }

    /// Writes a report if one is due; answers its length.
    pub(super) fn due(&mut self, now: Instant, path: &Path, buffer: &mut [u8]) -> Option<usize> {
        if now < self.next_at {
            return None;
        }
        self.next_at += EVERY;
        let sender = SenderInfo {
            ntp: ntp(now.saturating_duration_since(self.start)),
            rtp_timestamp: self.timestamp,
            packets: self.packets,
            octets: self.octets,
        };
        let report = Report {
            ssrc: path.ssrc_out,
            sender: (self.packets > 0).then_some(sender),
            block: self.block(now, path.ssrc_in),
            cname: CNAME,
            bye: false,
        };
        report.write(buffer)
    }

    fn block(&mut self, now: Instant, ssrc: u32) -> Option<ReportBlock> {
        let reception = self.reception.as_mut()?;
        let (last_sr, delay) = self.last_sr.map_or((0, 0), |(sr, at)| {
            let since = ntp(now.saturating_duration_since(at));
            (sr, middle(since))
        });
        Some(ReportBlock {
            ssrc,
            fraction_lost: reception.fraction_lost(),
            lost: i32::try_from(reception.lost()).unwrap_or(i32::MAX),
            highest: reception.extended_highest(),
            jitter: reception.jitter_samples(),
            last_sr,
            delay,
        })
    }
}
