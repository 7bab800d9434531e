//! Fields of the pages Wireless, and SDP and SRTP.

use ipdect_proto::admin::v1::{DectSettings, MediaSettings};

use crate::web::fields::Kind;
use crate::web::settings::{Field, list, number};

/// Radio and subscriptions.
pub(in crate::web::settings) const DECT: &[Field<DectSettings>] = &[
    text!(
        park,
        "PARK",
        "made at random",
        "The system's identity on the air, as typed on handsets; changing it loses all subscriptions."
    ),
    Field {
        name: "access_code",
        label: "System access code",
        kind: || Kind::Text,
        default: "none",
        help: "1 to 8 digits for users without one of their own; empty leaves the present one.",
        read: |d| d.access_code.clone(),
        write: |d, text| {
            // Only administrators are told it: for others empty must not mean none.
            if !text.is_empty() {
                d.access_code = text.into();
            }
            Ok(())
        },
    },
    switch!(
        subscription_open,
        "Subscription always open",
        "off",
        "Handsets may subscribe at any time; better open it for a while on the Subscription page."
    ),
    whole!(
        subscription_window_s,
        "Subscription window (seconds)",
        10..=3600,
        "120",
        "How long the button on the Subscription page opens it."
    ),
    whole!(
        handover_reserve,
        "Bearers kept for handover",
        0..=11,
        "1",
        "Of each base station; new calls are refused sooner, moving ones are not."
    ),
    switch!(
        authenticate_calls,
        "Authenticate each call",
        "off",
        "Handsets prove their key at each call, not only when they locate."
    ),
    switch!(
        cipher_calls,
        "Encrypt the air",
        "off",
        "Speech and signalling between handset and base station are encrypted (DSC)."
    ),
    switch!(
        local_tones,
        "Tones by the handset",
        "off",
        "Handsets that say they can make dial and busy tones themselves; else the media resource does."
    ),
];

/// SDP and SRTP (G21).
pub(in crate::web::settings) const MEDIA: &[Field<MediaSettings>] = &[
    words!(
        codecs,
        "Codecs",
        "PCMA, PCMU",
        "Offered to SIP peers, best first, with commas between."
    ),
    whole!(
        ptime_ms,
        "Packet length (ms)",
        10..=60,
        "20",
        "Speech in one RTP packet."
    ),
    switch!(
        answer_preferred_codec,
        "SDP answer with preferred codec",
        "off",
        "Answers with our own best codec instead of the offerer's."
    ),
    switch!(
        answer_single_codec,
        "SDP answer with a single codec",
        "on",
        "Answers with one codec, so that the peer cannot change in mid-call."
    ),
    switch!(
        ignore_sdp_version,
        "Ignore SDP version",
        "off",
        "Reads a new SDP though its version number did not rise, as Lync sends."
    ),
    switch!(
        srtp_enabled,
        "Enable media encryption (SRTP)",
        "off",
        "Offers SRTP and takes it; a peer that cannot gets plain RTP."
    ),
    switch!(
        srtp_required,
        "Require media encryption (SRTP)",
        "off",
        "Calls without SRTP are refused."
    ),
    switch!(
        srtp_lifetime,
        "Include lifetime in SDES offers",
        "off",
        "Writes the life of the key into the crypto line."
    ),
    switch!(
        srtp_mki,
        "Include MKI in SDES offers",
        "off",
        "Writes a key number into the crypto line and each packet."
    ),
    switch!(
        base_srtp_off,
        "Plain RTP to base stations",
        "off",
        "Switches off encryption between base stations and media resources; for measuring only."
    ),
    whole!(
        dscp,
        "DSCP of speech",
        0..=63,
        "46",
        "Mark in the IP header of speech packets; 46 is expedited forwarding."
    ),
    text!(
        tone_region,
        "Country of the tones",
        "DE",
        "Two capital letters: whose dial, ringing and busy tones are played."
    ),
    switch!(
        ice,
        "ICE",
        "off",
        "Finds a way through NAT to SIP peers that can do it too."
    ),
    whole!(
        dtmf_payload_type,
        "Payload type of telephone events",
        96..=127,
        "101",
        "RTP payload type in our offers for keys pressed in a call (RFC 4733)."
    ),
    switch!(
        latch,
        "Send to where packets come from",
        "off",
        "Once after SDP, follows the peer's real address, for peers behind NAT."
    ),
];
