//! W3C trace context as links carry it: 25 octets (trace id 16, span id 8, flags 1), or none.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Octets of a trace context.
pub const TRACE_OCTETS: usize = 25;

/// The octets of a span's context.
#[must_use]
pub fn to_octets(context: &SpanContext) -> [u8; TRACE_OCTETS] {
    let mut octets = [0; TRACE_OCTETS];
    octets[..16].copy_from_slice(&context.trace_id().to_bytes());
    octets[16..24].copy_from_slice(&context.span_id().to_bytes());
    octets[24] = context.trace_flags().to_u8();
    octets
}

/// A remote span's context from its octets; `None` for none, a wrong length, or all-zero ids.
#[must_use]
pub fn from_octets(octets: &[u8]) -> Option<SpanContext> {
    let (trace_id, rest) = octets.split_first_chunk::<16>()?;
    let (span_id, flags) = rest.split_first_chunk::<8>()?;
    let &[flags] = flags else { return None };
    let context = SpanContext::new(
        TraceId::from_bytes(*trace_id),
        SpanId::from_bytes(*span_id),
        // Only the sampled bit has a meaning; the others are not handed on.
        TraceFlags::new(flags) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

/// The octets to send for a span; empty when it is disabled or no tracing is installed.
#[must_use]
pub fn of_span(span: &Span) -> Vec<u8> {
    let context = span.context();
    let span_context = context.span().span_context().clone();
    if span_context.is_valid() {
        to_octets(&span_context).to_vec()
    } else {
        Vec::new()
    }
}

/// Makes a span the child of the remote one that a message named. Call it before the span is entered.
///
/// Unreadable octets are left aside: a message must not fail because of its trace.
pub fn set_parent(span: &Span, octets: &[u8]) {
    if let Some(parent) = from_octets(octets) {
        // Fails only where no tracing is installed, and then there is nothing to link.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
}

/// The trace id of a span in hexadecimal, for pages and call records; `None` without one.
#[must_use]
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let span_context = context.span().span_context().clone();
    span_context
        .is_valid()
        .then(|| span_context.trace_id().to_string())
}
