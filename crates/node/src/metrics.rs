//! How measurements are declared and recorded.
//!
//! Each crate that measures has a `metrics.rs` with `pub const METRICS: &[Metric]`. A [`Metrics`] is made of all those
//! lists; libraries register handles through it once and keep them. Names follow Prometheus' rules.

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How often histograms must be emptied into their buckets.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// A declared measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Name with prefix `ipdect_` and unit.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Unit, as in the name.
    pub unit: Unit,
    /// One sentence.
    pub help: &'static str,
    /// Names of its labels; each has a small, fixed set of values.
    pub labels: &'static [&'static str],
}

/// Kind of a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Distribution over these upper bounds.
    Histogram(&'static [f64]),
}

/// Buckets of call set-up and signalling: 1 ms to 32 s, in seconds.
pub const SETUP_SECONDS: &[f64] = &[
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 32.0,
];

/// Buckets of the media path: 50 us to 50 ms, in seconds.
pub const MEDIA_SECONDS: &[f64] = &[
    50e-6, 100e-6, 200e-6, 500e-6, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
];

/// Buckets of call duration: 1 s to 2 h, in seconds.
pub const DURATION_SECONDS: &[f64] = &[
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
];

impl Metric {
    /// A counter of events; the name ends in `_total`.
    #[must_use]
    pub const fn counter(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Metric {
        Metric {
            name,
            kind: Kind::Counter,
            unit: Unit::Count,
            help,
            labels,
        }
    }

    /// A gauge.
    #[must_use]
    pub const fn gauge(
        name: &'static str,
        unit: Unit,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Metric {
        Metric {
            name,
            kind: Kind::Gauge,
            unit,
            help,
            labels,
        }
    }

    /// A histogram of times; the name ends in `_seconds`.
    #[must_use]
    pub const fn seconds(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        buckets: &'static [f64],
    ) -> Metric {
        Metric {
            name,
            kind: Kind::Histogram(buckets),
            unit: Unit::Seconds,
            help,
            labels,
        }
    }

    /// A histogram in another unit.
    #[must_use]
    pub const fn histogram(
        name: &'static str,
        unit: Unit,
        help: &'static str,
        labels: &'static [&'static str],
        buckets: &'static [f64],
    ) -> Metric {
        Metric {
            name,
            kind: Kind::Histogram(buckets),
            unit,
            help,
            labels,
        }
    }
}

/// Measurements that every process has.
pub const METRICS: &[Metric] = &[Metric::gauge(
    "ipdect_build_info",
    Unit::Count,
    "Always 1; the labels say what runs.",
    &["version", "release", "program"],
)];

/// Where measurements go: one recorder a process, lent to every library in it. Clones are the same one.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl Metrics {
    /// A recorder that knows these lists. It is local: nothing global is touched, so tests may have many.
    #[must_use]
    pub fn new(lists: &[&[Metric]]) -> Metrics {
        let recorder = declared(lists)
            .filter_map(|metric| match metric.kind {
                Kind::Histogram(buckets) if !buckets.is_empty() => Some((metric.name, buckets)),
                _ => None,
            })
            .fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
                builder
                    .set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
                    .expect("fails only for no buckets, which were left out")
            })
            .build_recorder();
        let handle = recorder.handle();
        let metrics = Metrics {
            recorder: Arc::new(recorder),
            handle,
        };
        declared(lists).for_each(|metric| metrics.describe(metric));
        metrics
    }

    /// Makes this the process' recorder for the macros of the `metrics` crate. For `main` only.
    ///
    /// # Errors
    /// If there is one already.
    pub fn install(&self) -> Result<(), crate::StartError> {
        metrics::set_global_recorder(self.recorder.clone()).map_err(|_| {
            crate::StartError::Telemetry {
                what: "a metrics recorder is installed already".into(),
                remedy: "install one per process".into(),
            }
        })
    }

    /// Says in `ipdect_build_info` which program of which release this process is.
    pub fn built(&self, program: &str, release: &str) {
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("release", release),
            ("program", program),
        ];
        self.gauge("ipdect_build_info", &labels).set(1.0);
    }

    /// The handle of a counter.
    pub fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder
            .register_counter(&key(name, labels), &METADATA)
    }

    /// The handle of a gauge.
    pub fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    /// The handle of a histogram.
    pub fn histogram(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        self.recorder
            .register_histogram(&key(name, labels), &METADATA)
    }

    /// Everything, in Prometheus' text form.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Empties histograms into their buckets; without it they grow. To be called every [`UPKEEP_EVERY`].
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Does the upkeep for ever; to be spawned once a process.
    pub async fn keep_up(self) {
        let mut every = tokio::time::interval(UPKEEP_EVERY);
        loop {
            every.tick().await;
            self.run_upkeep();
        }
    }

    fn describe(&self, metric: &Metric) {
        let (name, unit) = (KeyName::from_const_str(metric.name), Some(metric.unit));
        match metric.kind {
            Kind::Counter => self
                .recorder
                .describe_counter(name, unit, metric.help.into()),
            Kind::Gauge => self.recorder.describe_gauge(name, unit, metric.help.into()),
            Kind::Histogram(_) => self
                .recorder
                .describe_histogram(name, unit, metric.help.into()),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

static METADATA: Metadata<'static> = Metadata::new("ipdect", Level::INFO, None);

fn declared<'a>(lists: &'a [&[Metric]]) -> impl Iterator<Item = &'a Metric> {
    METRICS
        .iter()
        .chain(lists.iter().flat_map(|list| list.iter()))
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(label, value)| Label::new(*label, (*value).to_owned()))
        .collect();
    Key::from_parts(name, labels)
}
