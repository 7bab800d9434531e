//! What a base station measures.

use ipdect_node::metrics::{Metric, Metrics};
use metrics::{Counter, Gauge, Histogram, Unit};

use crate::cell::connection::DownReason;
use crate::cell::message::{Outcome, Report};
use crate::radio::station;
use crate::speech::{self, Quality};

/// Levels in steps of the standard's bands, dBm.
const LEVELS_DBM: &[f64] = &[
    -93.0, -87.0, -81.0, -75.0, -69.0, -63.0, -57.0, -51.0, -45.0, -33.0,
];

/// All measurements of this crate.
pub const METRICS: &[Metric] = &[
    Metric::gauge(
        "ipdect_base_up",
        Unit::Count,
        "1 while portables can be served.",
        &[],
    ),
    Metric::gauge(
        "ipdect_base_bearers_busy",
        Unit::Count,
        "Bearers in use, of 12.",
        &["use"],
    ),
    Metric::gauge(
        "ipdect_base_speech_streams",
        Unit::Count,
        "Connections with speech.",
        &[],
    ),
    Metric::gauge(
        "ipdect_base_sync_state",
        Unit::Count,
        "1 for the state of air synchronisation.",
        &["state"],
    ),
    Metric::counter(
        "ipdect_base_blocked_total",
        "Portables refused for lack of a bearer or of a server.",
        &["reason"],
    ),
    Metric::counter(
        "ipdect_base_connections_total",
        "MAC connections set up.",
        &["kind"],
    ),
    Metric::counter(
        "ipdect_base_connections_ended_total",
        "MAC connections ended.",
        &["reason"],
    ),
    Metric::counter("ipdect_base_pages_total", "Pages put on the air.", &[]),
    Metric::counter(
        "ipdect_base_orders_total",
        "Orders of servers by their outcome.",
        &["outcome"],
    ),
    Metric::counter(
        "ipdect_base_frame_errors_total",
        "Uplink frames of connections with speech that were bad.",
        &["field"],
    ),
    Metric::counter(
        "ipdect_base_playout_late_frames_total",
        "Frames of speech that came too late for the air.",
        &[],
    ),
    Metric::counter(
        "ipdect_base_speech_packets_total",
        "Speech packets to and from media resources.",
        &["direction"],
    ),
    Metric::counter(
        "ipdect_base_speech_dropped_total",
        "Speech packets not believed.",
        &["reason"],
    ),
    Metric::counter(
        "ipdect_base_speech_missing_packets_total",
        "Speech packets of media resources that had not come when a later one did.",
        &[],
    ),
    Metric::counter(
        "ipdect_base_speech_overflow_packets_total",
        "Speech packets lost because the receive queue was full.",
        &[],
    ),
    Metric::counter(
        "ipdect_base_air_dropped_total",
        "Datagrams of the virtual air that were not taken.",
        &["reason"],
    ),
    Metric::histogram(
        "ipdect_base_rssi_dbm",
        Unit::Count,
        "Mean level of connections with speech, each 5 s.",
        &[],
        LEVELS_DBM,
    ),
];

/// Handles of all of them.
pub(crate) struct Meters {
    metrics: Metrics,
    up: Gauge,
    busy: Gauge,
    streams: Gauge,
    pages: Counter,
    no_slot: Counter,
    access: Counter,
    handover: Counter,
    bad_a: Counter,
    bad_b: Counter,
    late: Counter,
    rssi: Histogram,
    sent: Counter,
    received: Counter,
    unknown: Counter,
    refused: Counter,
    missing: Counter,
    overflow: Counter,
    malformed: Counter,
    strangers: Counter,
    lost: Counter,
}

impl Meters {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        // A virtual base has no neighbour to follow.
        metrics
            .gauge("ipdect_base_sync_state", &[("state", "master")])
            .set(1.0);
        let counter = |name, label, value| metrics.counter(name, &[(label, value)]);
        Self {
            up: metrics.gauge("ipdect_base_up", &[]),
            busy: metrics.gauge("ipdect_base_bearers_busy", &[("use", "voice")]),
            streams: metrics.gauge("ipdect_base_speech_streams", &[]),
            pages: metrics.counter("ipdect_base_pages_total", &[]),
            no_slot: counter("ipdect_base_blocked_total", "reason", "no_slot"),
            access: counter("ipdect_base_connections_total", "kind", "access"),
            handover: counter("ipdect_base_connections_total", "kind", "handover"),
            bad_a: counter("ipdect_base_frame_errors_total", "field", "a"),
            bad_b: counter("ipdect_base_frame_errors_total", "field", "b"),
            late: metrics.counter("ipdect_base_playout_late_frames_total", &[]),
            rssi: metrics.histogram("ipdect_base_rssi_dbm", &[]),
            sent: counter("ipdect_base_speech_packets_total", "direction", "out"),
            received: counter("ipdect_base_speech_packets_total", "direction", "in"),
            unknown: counter("ipdect_base_speech_dropped_total", "reason", "unknown_ssrc"),
            refused: counter(
                "ipdect_base_speech_dropped_total",
                "reason",
                "not_authentic",
            ),
            missing: metrics.counter("ipdect_base_speech_missing_packets_total", &[]),
            overflow: metrics.counter("ipdect_base_speech_overflow_packets_total", &[]),
            malformed: counter("ipdect_base_air_dropped_total", "reason", "malformed"),
            strangers: counter("ipdect_base_air_dropped_total", "reason", "stranger"),
            lost: counter("ipdect_base_air_dropped_total", "reason", "lost"),
            metrics: metrics.clone(),
        }
    }

    /// Counts what a report says.
    pub(crate) fn reported(&self, report: &Report) {
        match report {
            Report::Result { outcome, .. } => {
                self.metrics
                    .counter(
                        "ipdect_base_orders_total",
                        &[("outcome", outcome_word(outcome))],
                    )
                    .increment(1);
            }
            Report::ConnectionUp { .. } => self.access.increment(1),
            Report::HandoverDone { .. } => self.handover.increment(1),
            Report::ConnectionDown { reason, last, .. } => {
                let labels = [("reason", reason_word(*reason))];
                self.metrics
                    .counter("ipdect_base_connections_ended_total", &labels)
                    .increment(1);
                last.iter().for_each(|quality| self.measured(quality));
            }
            Report::Quality { quality, .. } => self.measured(quality),
            _ => {}
        }
    }

    pub(crate) fn paged(&self) {
        self.pages.increment(1);
    }

    pub(crate) fn blocked(&self) {
        self.no_slot.increment(1);
    }

    /// Shows the state of now.
    pub(crate) fn show(
        &self,
        up: bool,
        busy: u8,
        streams: usize,
        speech: speech::Counts,
        overflow: u64,
        air: station::Counts,
    ) {
        self.up.set(f64::from(u8::from(up)));
        self.busy.set(f64::from(busy));
        self.streams.set(streams as f64);
        self.sent.absolute(speech.sent);
        self.received.absolute(speech.received);
        self.unknown.absolute(speech.unknown);
        self.refused.absolute(speech.refused);
        self.missing.absolute(speech.missing);
        self.overflow.absolute(overflow);
        self.malformed.absolute(air.malformed);
        self.strangers.absolute(air.strangers);
        self.lost.absolute(air.lost);
    }

    fn measured(&self, quality: &Quality) {
        self.bad_a.increment(quality.bad_a.into());
        self.bad_b.increment(quality.bad_b.into());
        self.late.increment(quality.playout_late.into());
        self.rssi.record(f64::from(quality.rssi_dbm_mean));
    }
}

fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Fenced { .. } => "fenced",
        Outcome::WrongShard => "wrong_shard",
        Outcome::UnknownTarget => "unknown_target",
        Outcome::NoResource(_) => "no_resource",
        Outcome::Invalid(_) => "invalid",
        Outcome::Conflict(_) => "conflict",
        Outcome::Draining => "draining",
    }
}

fn reason_word(reason: DownReason) -> &'static str {
    match reason {
        DownReason::Normal => "normal",
        DownReason::RadioLost => "radio_lost",
        DownReason::DlcFailed => "dlc_failed",
        DownReason::Drained => "drained",
        DownReason::NotAdopted => "not_adopted",
    }
}
