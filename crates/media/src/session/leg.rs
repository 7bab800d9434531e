//! One leg: its description, its paths, its codecs and its counters.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::line::Line;
use super::path::Path;
use super::source::Gate;
use super::types::{Codec, Direction, Distrust, LegId, LegStats, SipLocal, SipRemote};
use crate::codec::{Format, StreamDecoder, StreamEncoder};
use crate::conceal::Concealer;
use crate::rtp::quality::{Conditions, r_factor};
use crate::{dtmf, meter, tones};

/// What kind of peer a leg has, with what only that kind knows.
pub(super) enum Kind {
    Base {
        /// How the base station codes, and with which payload type.
        codec: Codec,
    },
    Sip {
        local: Box<SipLocal>,
        remote: Option<Box<SipRemote>>,
        gate: Option<Gate>,
    },
}

pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) opened: Instant,
    pub(super) kind: Kind,
    pub(super) paths: SmallVec<[Path; 2]>,
    /// Path that is heard: the newest that delivered.
    pub(super) heard_path: Option<u32>,
    pub(super) line: Line,
    pub(super) encoder: StreamEncoder,
    pub(super) decoder: StreamDecoder,
    pub(super) concealer: Concealer,
    pub(super) tone: Option<tones::Player>,
    pub(super) dtmf_out: dtmf::Sender,
    pub(super) dtmf_in: dtmf::Receiver,
    /// Line time of the event being sent.
    pub(super) event_timestamp: u32,
    pub(super) last_heard: Instant,
    pub(super) heard_once: bool,
    pub(super) silences_told: u32,
    pub(super) expiry_told: bool,
    pub(super) counts: Counts,
    window: (Instant, Counts),
    pub(super) distrust: [u64; 3],
}

/// What a leg counts from its beginning.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) sent_octets: u64,
    pub(super) received: u64,
    pub(super) received_octets: u64,
    pub(super) lost: u64,
    pub(super) late: u64,
    pub(super) duplicated: u64,
    pub(super) concealed: u64,
    pub(super) bad_air: u64,
    pub(super) overflows: u64,
    pub(super) energy: f64,
    pub(super) samples: u64,
}

impl Leg {
    pub(super) fn new(now: Instant, id: LegId, kind: Kind, format: Format) -> Leg {
        Leg {
            id,
            opened: now,
            kind,
            paths: SmallVec::new(),
            heard_path: None,
            line: Line::new(now),
            encoder: StreamEncoder::new(format),
            decoder: StreamDecoder::new(format),
            concealer: Concealer::default(),
            tone: None,
            dtmf_out: dtmf::Sender::default(),
            dtmf_in: dtmf::Receiver::default(),
            event_timestamp: 0,
            last_heard: now,
            heard_once: false,
            silences_told: 0,
            expiry_told: false,
            counts: Counts::default(),
            window: (now, Counts::default()),
            distrust: [0; 3],
        }
    }

    pub(super) fn is_base(&self) -> bool {
        matches!(self.kind, Kind::Base { .. })
    }

    pub(super) fn path_index(&self, id: u32) -> Option<usize> {
        self.paths.iter().position(|p| p.id == id)
    }

    pub(super) fn direction(&self) -> Direction {
        match &self.kind {
            Kind::Base { .. } => Direction::SendRecv,
            Kind::Sip {
                remote: Some(remote),
                ..
            } => remote.direction,
            Kind::Sip { remote: None, .. } => Direction::Inactive,
        }
    }

    /// The codec in which this leg's peer is spoken to.
    pub(super) fn codec_out(&self) -> Option<Codec> {
        match &self.kind {
            Kind::Base { codec } => Some(*codec),
            Kind::Sip { remote, .. } => remote.as_ref()?.codecs.first().copied(),
        }
    }

    /// The format of a payload type that this leg's peer may use.
    pub(super) fn format_in(&self, payload_type: u8) -> Option<Format> {
        let find = |codecs: &[Codec]| {
            codecs
                .iter()
                .find(|c| c.payload_type == payload_type)
                .map(|c| c.format)
        };
        match &self.kind {
            Kind::Base { codec } => find(&[*codec]),
            Kind::Sip { local, remote, .. } => {
                find(&local.codecs).or_else(|| find(&remote.as_ref()?.codecs))
            }
        }
    }

    /// Payload type of events that the peer takes.
    pub(super) fn event_type_out(&self) -> Option<u8> {
        match &self.kind {
            Kind::Base { .. } => None,
            Kind::Sip { remote, .. } => remote.as_ref()?.telephone_event,
        }
    }

    /// Whether a payload type is that of events from the peer.
    pub(super) fn is_event(&self, payload_type: u8) -> bool {
        match &self.kind {
            Kind::Base { .. } => false,
            Kind::Sip { local, .. } => local.telephone_event == Some(payload_type),
        }
    }

    /// Where the RTP of a path goes.
    pub(super) fn rtp_destination(&self, path: usize) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Base { .. } => Some(self.paths.get(path)?.spec.as_ref()?.remote),
            Kind::Sip { gate, .. } => Some(gate.as_ref()?.peer()),
        }
    }

    /// Where the RTCP of a path goes, and whether it leaves from a socket of its own.
    pub(super) fn rtcp_destination(&self, path: usize) -> Option<(SocketAddr, bool)> {
        let Kind::Sip { remote, gate, .. } = &self.kind else {
            return Some((self.rtp_destination(path)?, false));
        };
        let (remote, peer) = (remote.as_ref()?, gate.as_ref()?.peer());
        // A latched peer sits behind a translator: its own idea of its address is of no use.
        let to = match peer.ip() == remote.rtp.ip() {
            true => remote.rtcp,
            false => SocketAddr::new(peer.ip(), peer.port().saturating_add(1)),
        };
        Some((to, to.port() != peer.port()))
    }

    /// Whether speech of others may pass to this leg now.
    pub(super) fn is_open(&self) -> bool {
        self.direction().sends() && self.tone.is_none() && !self.dtmf_out.is_busy()
    }

    pub(super) fn distrust(&mut self, kind: Distrust) {
        self.distrust[kind as usize] += 1;
    }

    /// Figures since the last call.
    pub(super) fn window(&mut self, now: Instant) -> LegStats {
        let (since, before) = self.window;
        self.window = (now, self.counts);
        self.stats(now.saturating_duration_since(since), before)
    }

    /// Figures since the leg was opened.
    pub(super) fn life(&self, now: Instant) -> LegStats {
        self.stats(
            now.saturating_duration_since(self.opened),
            Counts::default(),
        )
    }

    fn stats(&self, window: Duration, before: Counts) -> LegStats {
        let now = &self.counts;
        let path = self
            .heard_path
            .and_then(|id| self.path_index(id))
            .map(|at| &self.paths[at]);
        let reception = path.and_then(|p| p.reception.as_ref());
        let round_trip = path.and_then(|p| p.round_trip);
        let samples = now.samples - before.samples;
        let mut stats = LegStats {
            window,
            sent: now.sent - before.sent,
            sent_octets: now.sent_octets - before.sent_octets,
            received: now.received - before.received,
            received_octets: now.received_octets - before.received_octets,
            // A late packet takes back a loss that an earlier window may have counted.
            lost: now.lost.saturating_sub(before.lost),
            late: now.late - before.late,
            duplicated: now.duplicated - before.duplicated,
            concealed: now.concealed - before.concealed,
            bad_air: now.bad_air - before.bad_air,
            overflows: now.overflows - before.overflows,
            jitter: reception.map_or(Duration::ZERO, |r| r.jitter()),
            round_trip,
            level_dbm0: level(now.energy - before.energy, samples),
            r_factor: 0.0,
        };
        if stats.received > 0 {
            stats.r_factor = self.rating(&stats);
        }
        stats
    }

    fn rating(&self, stats: &LegStats) -> f64 {
        let lost = stats.lost as f64;
        // Half the way round, a packet, and the playout buffer at its usual depth.
        let way = stats.round_trip.unwrap_or_default().as_secs_f64() * 500.0;
        r_factor(Conditions {
            format: self.decoder.format(),
            loss: lost / (lost + stats.received as f64),
            delay_ms: way + 20.0 + 40.0,
        })
    }
}

fn level(energy: f64, samples: u64) -> f64 {
    let peak = (2.0 * energy / samples.max(1) as f64).sqrt();
    (20.0 * (peak.max(1e-3) / 32_768.0).log10() + meter::FULL_SCALE_DBM0).max(-100.0)
}
