//! Spans of what a handset does: one call is one trace over base station, server, media resource and SIP.
//!
//! A call begins where it is first seen: at the base station for a key press, here for an INVITE. Orders carry the span they were given in
//! ([`super::effects`]), so that devices go on below it.

use ipdect_handset::{Event, Trace};
use ipdect_sip::message::Method;
use tracing::{Span, info_span};

/// The span in which an event is handled: below the trace that it brings, else below that of the handset's call.
pub(crate) fn of_event(event: &Event, call: &Trace) -> Span {
    if call.0.is_none() && !begins_a_call(event) {
        // Nothing of a call: no span, and nothing to be exported ten thousand times a minute.
        return Span::none();
    }
    let (span, brought) = match event {
        Event::Nwk(up) => (
            info_span!(parent: None, "handset.nwk", base = %up.link.base),
            up.trace,
        ),
        Event::Sip { message, trace, .. } => {
            let span = match (message.method(), message.status()) {
                (Some(method), _) => {
                    info_span!(parent: None, "sip.request", method = method.as_str())
                }
                (None, Some(status)) => {
                    info_span!(parent: None, "sip.response", status = status.code())
                }
                (None, None) => Span::none(),
            };
            (span, *trace)
        }
        Event::SessionOpened { .. } | Event::LegOpened { .. } => {
            (info_span!(parent: None, "handset.media"), Trace(None))
        }
        Event::MediaSilent { .. } | Event::MediaLost { .. } | Event::SessionClosed { .. } => {
            (info_span!(parent: None, "handset.media"), Trace(None))
        }
        Event::Done { .. } => (info_span!(parent: None, "handset.commit"), Trace(None)),
        _ => (info_span!(parent: None, "handset.timer"), Trace(None)),
    };
    let parent = if call.0.is_some() { call } else { &brought };
    if let Some(octets) = parent.0 {
        ipdect_node::trace::set_parent(&span, &octets);
    }
    span
}

fn begins_a_call(event: &Event) -> bool {
    match event {
        Event::Sip { message, .. } => message.method() == Some(&Method::Invite),
        Event::Nwk(_) => true,
        _ => false,
    }
}

/// The trace of an INVITE that begins a call here: a span of its own, as message and mind will carry it.
pub(crate) fn begun(method: Option<&Method>) -> Trace {
    if method != Some(&Method::Invite) {
        return Trace(None);
    }
    let span = info_span!(parent: None, "sip.invite");
    Trace(ipdect_node::trace::of_span(&span).try_into().ok())
}
