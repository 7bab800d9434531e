//! Logs and traces: the subscriber that a `main` installs.

use crate::config::{Common, LogFormat};
use crate::error::StartError;
use crate::redact::Revealing;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Longest wait for the collector when a program ends.
const FLUSH: Duration = Duration::from_secs(2);

/// What to log, how, and where traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the program, as traces show it.
    pub program: &'static str,
    /// Node id; empty if not known yet.
    pub node_id: String,
    /// Levels, such as `info` or `info,ipdect_sip=debug`.
    pub level: String,
    /// Form of log lines.
    pub format: LogFormat,
    /// Collector for OTLP over gRPC; empty for none.
    pub otlp_endpoint: String,
}

impl Settings {
    /// What the common keys say.
    #[must_use]
    pub fn of(program: &'static str, common: &Common) -> Settings {
        Settings {
            program,
            node_id: common.node_id.clone().unwrap_or_default(),
            level: common.log_level.clone(),
            format: common.log_format,
            otlp_endpoint: common.otlp_endpoint.clone(),
        }
    }
}

/// Keeps what `install` has set up; flush it at the end.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Sends what is still buffered, for 2 s at most. Blocks: call it when nothing else runs, or from a thread of
    /// its own.
    pub fn shutdown(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH) {
            tracing::debug!(%error, "traces not flushed");
        }
    }
}

/// Installs the process' subscriber: log lines on standard error, spans to the collector. For `main` only, inside a
/// tokio runtime.
///
/// # Errors
/// [`StartError::Telemetry`] if there is a subscriber already, or the endpoint is unusable.
pub fn install(settings: &Settings) -> Result<Telemetry, StartError> {
    let provider = provider(settings)?;
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber = subscriber(settings, &provider, std::io::stderr, ansi)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| StartError::Telemetry {
        what: "a subscriber is installed already".into(),
        remedy: "install one per process".into(),
    })?;
    Ok(Telemetry { provider })
}

/// A subscriber that writes to `writer`; nothing global is touched, so tests may have many.
///
/// # Errors
/// [`StartError::Telemetry`] if the level cannot be read.
pub fn subscriber<W>(
    settings: &Settings,
    provider: &SdkTracerProvider,
    writer: W,
    ansi: bool,
) -> Result<impl Subscriber + Send + Sync + use<W>, StartError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = level(&settings.level).map_err(|what| StartError::Telemetry {
        what,
        remedy: "set log.level to a level such as info, or info,ipdect_sip=debug".into(),
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(ansi);
    let lines = match settings.format {
        LogFormat::Text => lines
            .map_event_format(|format| Revealing(format.compact()))
            .boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .map_event_format(Revealing)
            .boxed(),
    };
    // What is written and what is traced are two questions: a quiet terminal must not cut calls out of their traces.
    let traced = LevelFilter::INFO;
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("ipdect"))
        .with_filter(traced);
    Ok(Registry::default()
        .with(lines.with_filter(filter))
        .with(spans))
}

/// The source of spans: with an exporter if there is a collector, else with identifiers only, so that a call keeps
/// one trace id everywhere. To be called inside a tokio runtime when there is a collector.
///
/// # Errors
/// [`StartError::Telemetry`] if the endpoint is unusable.
pub fn provider(settings: &Settings) -> Result<SdkTracerProvider, StartError> {
    let builder = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(resource(settings));
    if settings.otlp_endpoint.is_empty() {
        return Ok(builder.build());
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.otlp_endpoint)
        .build()
        .map_err(|error| StartError::Telemetry {
            what: format!("trace.otlp_endpoint {:?}: {error}", settings.otlp_endpoint),
            remedy: "set it to a URL such as http://collector:4317, or leave it empty".into(),
        })?;
    Ok(builder.with_batch_exporter(exporter).build())
}

fn resource(settings: &Settings) -> Resource {
    let builder = Resource::builder_empty()
        .with_service_name(settings.program)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if settings.node_id.is_empty() {
        builder.build()
    } else {
        builder
            .with_attribute(KeyValue::new(
                "service.instance.id",
                settings.node_id.clone(),
            ))
            .build()
    }
}

/// Whether a text names levels.
///
/// # Errors
/// What is wrong.
pub fn check_level(text: &str) -> Result<(), String> {
    level(text).map(drop)
}

/// Levels by module. A word that is no level would be taken for a module by `EnvFilter`, so bare words are checked.
fn level(text: &str) -> Result<EnvFilter, String> {
    for part in text.split(',').map(str::trim) {
        let is_level = part
            .parse::<tracing_subscriber::filter::LevelFilter>()
            .is_ok();
        if !is_level && !part.contains('=') {
            return Err(format!("{part:?} is no level"));
        }
    }
    EnvFilter::builder()
        .parse(text)
        .map_err(|error| error.to_string())
}
