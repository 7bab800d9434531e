//! The W3C trace context in the envelopes of links: 25 octets. Source: contracts 5.

use std::fmt;

use bytes::Bytes;
use rand_core::RngCore;

/// Length of the context in an envelope, octets.
const LENGTH: usize = 25;

/// Position in a trace: trace id, span id, flags.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Names the trace; never all zero.
    pub trace_id: [u8; 16],
    /// Names the span; never all zero.
    pub span_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

impl TraceContext {
    /// Begins a trace.
    pub fn root(sampled: bool, rng: &mut dyn RngCore) -> Self {
        let mut trace_id = [0; 16];
        rng.fill_bytes(&mut trace_id);
        // An all-zero id means none; the chance is nil, the promise is cheap.
        trace_id[0] |= 1;
        Self {
            trace_id,
            span_id: span_id(rng),
            flags: u8::from(sampled),
        }
    }

    /// A new span in the same trace.
    #[must_use]
    pub fn child(self, rng: &mut dyn RngCore) -> Self {
        Self {
            span_id: span_id(rng),
            ..self
        }
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn sampled(self) -> bool {
        self.flags & 1 == 1
    }

    /// The octets for an envelope.
    #[must_use]
    pub fn to_bytes(self) -> Bytes {
        let mut octets = Vec::with_capacity(LENGTH);
        octets.extend_from_slice(&self.trace_id);
        octets.extend_from_slice(&self.span_id);
        octets.push(self.flags);
        octets.into()
    }

    /// Reads the octets of an envelope; empty or malformed ones are no context.
    #[must_use]
    pub fn from_bytes(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; LENGTH] = octets.try_into().ok()?;
        let (trace, rest) = octets.split_at(16);
        let (span, flags) = rest.split_at(8);
        let context = Self {
            trace_id: trace.try_into().ok()?,
            span_id: span.try_into().ok()?,
            flags: flags[0],
        };
        (context.trace_id != [0; 16] && context.span_id != [0; 8]).then_some(context)
    }

    /// The header `traceparent`, such as `00-<trace id>-<span id>-01`.
    #[must_use]
    pub fn traceparent(self) -> String {
        format!(
            "00-{}-{}-{:02x}",
            hex::encode(self.trace_id),
            hex::encode(self.span_id),
            self.flags
        )
    }

    /// Reads the header `traceparent`, version 00.
    #[must_use]
    pub fn from_traceparent(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (Some("00"), Some(trace), Some(span), Some(flags), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return None;
        };
        let mut octets = [0; LENGTH];
        hex::decode_to_slice(trace, &mut octets[..16]).ok()?;
        hex::decode_to_slice(span, &mut octets[16..24]).ok()?;
        hex::decode_to_slice(flags, &mut octets[24..]).ok()?;
        Self::from_bytes(&octets)
    }
}

fn span_id(rng: &mut dyn RngCore) -> [u8; 8] {
    let mut span_id = [0; 8];
    rng.fill_bytes(&mut span_id);
    span_id[0] |= 1;
    span_id
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.traceparent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn header_and_octets_say_the_same() {
        let context = TraceContext::from_traceparent(HEADER).unwrap();
        assert!(context.sampled());
        assert_eq!(context.traceparent(), HEADER);
        assert_eq!(context.to_bytes().len(), 25);
        assert_eq!(TraceContext::from_bytes(&context.to_bytes()), Some(context));
    }

    #[test]
    fn what_is_malformed_is_no_context() {
        for octets in [&[][..], &[1; 24], &[1; 26], &[0; 25]] {
            assert_eq!(TraceContext::from_bytes(octets), None);
        }
        for text in [
            "",
            "00-",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            &HEADER[..50],
            "00-zz-b7-01",
        ] {
            assert_eq!(TraceContext::from_traceparent(text), None, "{text}");
        }
        assert_eq!(TraceContext::from_traceparent(&format!("{HEADER}-x")), None);
    }

    #[test]
    fn a_child_stays_in_its_trace() {
        let mut rng = rand::rng();
        let root = TraceContext::root(true, &mut rng);
        let child = root.child(&mut rng);
        assert_eq!((child.trace_id, child.flags), (root.trace_id, root.flags));
        assert_ne!(child.span_id, root.span_id);
    }
}
