//! What a media resource measures (`operations.md` part C3).

use ipdect_media::rtp::quality::mos;
use ipdect_media::session::LegStats;
use ipdect_node::Metrics;
use ipdect_node::metrics::{MEDIA_SECONDS, Metric};
use metrics::{Counter, Gauge, Histogram, Unit};

/// Buckets of the mean opinion score.
const MOS: &[f64] = &[
    1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0, 4.25, 4.5,
];
/// Buckets of the transmission rating.
const RATING: &[f64] = &[10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0];
/// Buckets of round trips, in seconds.
const ROUND_TRIP: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0,
];

/// Measurements of a media resource.
pub const METRICS: &[Metric] = &[
    Metric::gauge(
        "ipdect_media_calls",
        Unit::Count,
        "Media sessions that stand.",
        &["kind"],
    ),
    Metric::gauge(
        "ipdect_media_ports_free",
        Unit::Count,
        "Pairs of RTP ports left.",
        &[],
    ),
    Metric::gauge(
        "ipdect_media_cpu_ratio",
        Unit::Percent,
        "Busy part of the worker threads, 0 to 1.",
        &[],
    ),
    Metric::gauge(
        "ipdect_media_links",
        Unit::Count,
        "Links to servers that stand.",
        &[],
    ),
    Metric::counter(
        "ipdect_rtp_packets_total",
        "RTP and RTCP packets on the wire.",
        &["direction"],
    ),
    Metric::counter(
        "ipdect_rtp_bytes_total",
        "Octets of them, without UDP and IP.",
        &["direction"],
    ),
    Metric::counter(
        "ipdect_rtp_lost_packets_total",
        "Packets missing in the sequence.",
        &["leg"],
    ),
    Metric::counter(
        "ipdect_rtp_late_packets_total",
        "Packets that came after their turn.",
        &["leg"],
    ),
    Metric::counter(
        "ipdect_rtp_duplicate_packets_total",
        "Packets that came twice.",
        &["leg"],
    ),
    Metric::counter(
        "ipdect_rtp_overflow_packets_total",
        "Packets that the receive queues dropped.",
        &[],
    ),
    Metric::counter(
        "ipdect_rtp_unknown_packets_total",
        "Packets of no path that is open.",
        &[],
    ),
    Metric::counter(
        "ipdect_rtp_unsent_packets_total",
        "Packets that could not be sent.",
        &[],
    ),
    Metric::counter(
        "ipdect_rtp_bad_air_frames_total",
        "Frames of 10 ms that were bad on the air.",
        &[],
    ),
    Metric::seconds(
        "ipdect_rtp_jitter_seconds",
        "Interarrival jitter, each 5 s and leg.",
        &["leg"],
        MEDIA_SECONDS,
    ),
    Metric::seconds(
        "ipdect_rtp_round_trip_seconds",
        "Round trip from RTCP, each 5 s and leg.",
        &["leg"],
        ROUND_TRIP,
    ),
    Metric::histogram(
        "ipdect_media_mos",
        Unit::Count,
        "Mean opinion score of what is heard, each 5 s and leg.",
        &["leg"],
        MOS,
    ),
    Metric::histogram(
        "ipdect_media_r_factor",
        Unit::Count,
        "Transmission rating of what is heard, each 5 s and leg.",
        &["leg"],
        RATING,
    ),
    Metric::seconds(
        "ipdect_media_forward_seconds",
        "Longest way of a batch through a worker, each second.",
        &[],
        MEDIA_SECONDS,
    ),
    Metric::counter(
        "ipdect_media_concealed_frames_total",
        "Frames of 10 ms made up.",
        &["leg"],
    ),
    Metric::counter(
        "ipdect_srtp_auth_failures_total",
        "SRTP packets with a wrong tag.",
        &[],
    ),
    Metric::counter(
        "ipdect_srtp_replays_total",
        "SRTP packets that came before.",
        &[],
    ),
    Metric::counter(
        "ipdect_rtp_unexpected_source_total",
        "Packets from where none is expected.",
        &[],
    ),
    Metric::counter(
        "ipdect_media_one_way_calls_total",
        "Sessions that ended with packets in one direction only.",
        &[],
    ),
    Metric::counter(
        "ipdect_media_rejections_total",
        "Sessions and legs not admitted.",
        &["reason"],
    ),
    Metric::counter(
        "ipdect_media_orders_total",
        "Orders of servers, by how they ended.",
        &["status"],
    ),
];

/// Which kind of leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegKind {
    /// To a base station.
    Dect,
    /// To a SIP peer.
    Sip,
}

/// Handles of one kind of leg.
pub(crate) struct LegMetrics {
    lost: Counter,
    late: Counter,
    duplicate: Counter,
    concealed: Counter,
    jitter: Histogram,
    round_trip: Histogram,
    mos: Histogram,
    r_factor: Histogram,
}

/// All handles, registered once.
pub(crate) struct Handles {
    metrics: Metrics,
    dect: LegMetrics,
    sip: LegMetrics,
    bad_air: Counter,
    pub(crate) calls: Gauge,
    pub(crate) ports_free: Gauge,
    pub(crate) cpu: Gauge,
    pub(crate) links: Gauge,
    pub(crate) packets_in: Counter,
    pub(crate) packets_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) overflows: Counter,
    pub(crate) unknown: Counter,
    pub(crate) unsent: Counter,
    pub(crate) forward: Histogram,
    pub(crate) auth_failures: Counter,
    pub(crate) replays: Counter,
    pub(crate) unexpected: Counter,
    pub(crate) one_way: Counter,
}

impl Handles {
    pub(crate) fn new(metrics: &Metrics) -> Handles {
        let counter = |name| metrics.counter(name, &[]);
        let direction = |name, way| metrics.counter(name, &[("direction", way)]);
        Handles {
            metrics: metrics.clone(),
            dect: LegMetrics::new(metrics, "dect"),
            sip: LegMetrics::new(metrics, "sip"),
            bad_air: counter("ipdect_rtp_bad_air_frames_total"),
            calls: metrics.gauge("ipdect_media_calls", &[("kind", "transcode")]),
            ports_free: metrics.gauge("ipdect_media_ports_free", &[]),
            cpu: metrics.gauge("ipdect_media_cpu_ratio", &[]),
            links: metrics.gauge("ipdect_media_links", &[]),
            packets_in: direction("ipdect_rtp_packets_total", "in"),
            packets_out: direction("ipdect_rtp_packets_total", "out"),
            bytes_in: direction("ipdect_rtp_bytes_total", "in"),
            bytes_out: direction("ipdect_rtp_bytes_total", "out"),
            overflows: counter("ipdect_rtp_overflow_packets_total"),
            unknown: counter("ipdect_rtp_unknown_packets_total"),
            unsent: counter("ipdect_rtp_unsent_packets_total"),
            forward: metrics.histogram("ipdect_media_forward_seconds", &[]),
            auth_failures: counter("ipdect_srtp_auth_failures_total"),
            replays: counter("ipdect_srtp_replays_total"),
            unexpected: counter("ipdect_rtp_unexpected_source_total"),
            one_way: counter("ipdect_media_one_way_calls_total"),
        }
    }

    /// Counts the figures of a window of 5 s.
    pub(crate) fn leg(&self, kind: LegKind, stats: &LegStats) {
        let leg = match kind {
            LegKind::Dect => &self.dect,
            LegKind::Sip => &self.sip,
        };
        leg.lost.increment(stats.lost);
        leg.late.increment(stats.late);
        leg.duplicate.increment(stats.duplicated);
        leg.concealed.increment(stats.concealed);
        self.bad_air.increment(stats.bad_air);
        if stats.received > 0 {
            leg.jitter.record(stats.jitter);
            leg.mos.record(mos(stats.r_factor));
            leg.r_factor.record(stats.r_factor);
        }
        if let Some(trip) = stats.round_trip {
            leg.round_trip.record(trip);
        }
    }

    /// Counts how an order ended.
    pub(crate) fn order(&self, status: &'static str) {
        self.metrics
            .counter("ipdect_media_orders_total", &[("status", status)])
            .increment(1);
    }

    /// Counts a session or leg that was not admitted.
    pub(crate) fn rejected(&self, reason: &'static str) {
        self.metrics
            .counter("ipdect_media_rejections_total", &[("reason", reason)])
            .increment(1);
    }
}

impl LegMetrics {
    fn new(metrics: &Metrics, leg: &str) -> LegMetrics {
        let labels = [("leg", leg)];
        LegMetrics {
            lost: metrics.counter("ipdect_rtp_lost_packets_total", &labels),
            late: metrics.counter("ipdect_rtp_late_packets_total", &labels),
            duplicate: metrics.counter("ipdect_rtp_duplicate_packets_total", &labels),
            concealed: metrics.counter("ipdect_media_concealed_frames_total", &labels),
            jitter: metrics.histogram("ipdect_rtp_jitter_seconds", &labels),
            round_trip: metrics.histogram("ipdect_rtp_round_trip_seconds", &labels),
            mos: metrics.histogram("ipdect_media_mos", &labels),
            r_factor: metrics.histogram("ipdect_media_r_factor", &labels),
        }
    }
}
