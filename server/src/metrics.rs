//! What this server measures.

use ipdect_node::Metric;
use metrics::Unit;

use crate::core::Core;

/// Every metric of the server.
pub const METRICS: &[Metric] = &[
    Metric::counter(
        "ipdect_sip_requests_total",
        "Requests sent and received, first transmissions and repetitions.",
        &["direction", "method", "transport"],
    ),
    Metric::counter(
        "ipdect_sip_responses_total",
        "Responses sent and received.",
        &["direction", "code_class"],
    ),
    Metric::counter(
        "ipdect_sip_parse_errors_total",
        "What arrived and was no SIP message, or broke RFC 3261.",
        &["transport", "reason"],
    ),
    Metric::counter(
        "ipdect_sip_send_failures_total",
        "Messages that no address took.",
        &[],
    ),
    Metric::counter(
        "ipdect_sip_tls_failures_total",
        "TLS handshakes that failed.",
        &["direction"],
    ),
    Metric::gauge(
        "ipdect_sip_registrations",
        Unit::Count,
        "Handsets whose user is registered.",
        &[],
    ),
    Metric::gauge(
        "ipdect_sip_dialogs",
        Unit::Count,
        "Calls that have a SIP dialog or are about to.",
        &[],
    ),
    Metric::counter(
        "ipdect_radio_orders_refused_total",
        "Orders that base stations refused.",
        &[],
    ),
    Metric::counter(
        "ipdect_radio_frames_total",
        "Speech frames of 10 ms received on the air.",
        &[],
    ),
    Metric::counter(
        "ipdect_radio_bad_frames_total",
        "Speech frames of 10 ms that were bad on the air.",
        &[],
    ),
    Metric::counter(
        "ipdect_radio_unidentified_total",
        "First messages on a connection that named no handset.",
        &[],
    ),
    Metric::gauge(
        "ipdect_radio_bases",
        Unit::Count,
        "Base stations with a link.",
        &[],
    ),
    Metric::gauge(
        "ipdect_radio_connections",
        Unit::Count,
        "Connections of handsets at base stations.",
        &[],
    ),
    Metric::counter(
        "ipdect_media_orders_refused_total",
        "Orders that media resources refused.",
        &[],
    ),
    Metric::counter(
        "ipdect_media_security_events_total",
        "Speech packets that were refused: forged, repeated, of a stranger.",
        &[],
    ),
    Metric::gauge(
        "ipdect_media_resources",
        Unit::Count,
        "Media resources with a link.",
        &[],
    ),
    Metric::gauge(
        "ipdect_media_sessions",
        Unit::Count,
        "Speech sessions of this server's handsets.",
        &[],
    ),
    Metric::gauge("ipdect_handsets", Unit::Count, "Handset actors.", &[]),
    Metric::counter(
        "ipdect_handset_mailbox_full_total",
        "Messages refused because a handset did not keep up.",
        &[],
    ),
    Metric::counter(
        "ipdect_takeover_calls_total",
        "Calls of a start that is over: gone on with, or lost because their record could not be read.",
        &["outcome"],
    ),
    Metric::counter(
        "ipdect_handset_panics_total",
        "Handset actors that failed and were started again.",
        &[],
    ),
    Metric::counter(
        "ipdect_handset_odd_messages_total",
        "Messages of handsets or peers that did not belong.",
        &[],
    ),
    Metric::counter("ipdect_calls_ended_total", "Calls that ended.", &["result"]),
    Metric::counter(
        "ipdect_subscription_attempts_total",
        "Attempts to subscribe.",
        &["result"],
    ),
    Metric::counter(
        "ipdect_link_opened_total",
        "Links of devices that were opened.",
        &["role"],
    ),
    Metric::counter(
        "ipdect_link_rejected_total",
        "Links and enrolments that were refused.",
        &["peer_kind", "reason"],
    ),
    Metric::counter(
        "ipdect_store_errors_total",
        "Writes that the store did not take.",
        &[],
    ),
    Metric::counter(
        "ipdect_store_writes_dropped_total",
        "Writes given up because the store did not keep up.",
        &[],
    ),
    Metric::counter(
        "ipdect_domain_overload_total",
        "Messages the embedded domain dropped because it did not keep up.",
        &[],
    ),
    Metric::gauge(
        "ipdect_domain_transactions",
        Unit::Count,
        "Transactions of the embedded domain.",
        &[],
    ),
];

/// Sets what is a state rather than an event.
pub(crate) fn gauge(core: &Core) {
    use ipdect_proto::cluster::v1::LiveKind;
    use ipdect_proto::cluster::v1::live_item::Item;
    let handsets = core.live.list(LiveKind::Handset, "", 0);
    let registered = handsets.iter().filter(|item| match item {
        Item::Handset(h) => h.state.as_ref().is_some_and(|s| s.registered),
        _ => false,
    });
    metrics::gauge!("ipdect_sip_registrations").set(registered.count() as f64);
    metrics::gauge!("ipdect_sip_dialogs").set(core.live.calls_now() as f64);
    metrics::gauge!("ipdect_radio_bases").set(core.radio.linked() as f64);
    metrics::gauge!("ipdect_radio_connections").set(core.radio.connections() as f64);
    metrics::gauge!("ipdect_media_resources").set(core.media.linked() as f64);
    metrics::gauge!("ipdect_media_sessions").set(core.media.sessions() as f64);
    metrics::gauge!("ipdect_handsets").set(core.handsets.count() as f64);
}
