//! Lines of the call ladder (B4): what came and what went, in words and in full.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::SystemTime;

use bytes::Bytes;
use ipdect_dect::nwk;
use ipdect_sip::message::Message;

use crate::action::{Action, Entry, Layer, Media, Radio, Way};
use crate::event::Event;
use crate::media::CallRef;

/// The line for something that happened, if it belongs on a ladder.
pub(crate) fn heard(at: SystemTime, call: Option<CallRef>, event: &Event) -> Option<Entry> {
    let entry = |layer, summary, raw| Entry {
        at,
        call,
        layer,
        way: Way::In,
        summary,
        raw,
    };
    match event {
        Event::Nwk(up) => Some(entry(Layer::Nwk, nwk_name(&up.pdu), hex(&up.pdu))),
        Event::Sip { message, .. } => Some(entry(Layer::Sip, sip_name(message), text(message))),
        Event::LegOpened { leg, rtp, .. } => Some(entry(
            Layer::Media,
            format!("LegOpened {} {rtp}", leg.0),
            String::new(),
        )),
        Event::SessionOpened { resource, .. } => Some(entry(
            Layer::Media,
            format!("SessionOpened {resource}"),
            String::new(),
        )),
        Event::MediaSilent { leg, silent_ms, .. } => Some(entry(
            Layer::Media,
            format!("MediaSilent {} {silent_ms} ms", leg.0),
            String::new(),
        )),
        Event::ConnectionDown { reason, .. } => Some(entry(
            Layer::Nwk,
            format!("ConnectionDown {reason:?}"),
            String::new(),
        )),
        _ => None,
    }
}

/// The line for something that is done, if it belongs on a ladder.
pub(crate) fn said(at: SystemTime, call: Option<CallRef>, action: &Action) -> Option<Entry> {
    let entry = |layer, summary, raw| Entry {
        at,
        call,
        layer,
        way: Way::Out,
        summary,
        raw,
    };
    match action {
        Action::Radio(Radio::SendNwk { pdu, .. }) => {
            Some(entry(Layer::Nwk, nwk_name(pdu), hex(pdu)))
        }
        Action::Radio(Radio::Page { .. }) => Some(entry(Layer::Nwk, "Page".into(), String::new())),
        Action::Sip(transmit) => Some(entry(
            Layer::Sip,
            sip_name(&transmit.message),
            text(&transmit.message),
        )),
        Action::Media(order) => Some(entry(Layer::Media, order_name(order), String::new())),
        _ => None,
    }
}

/// A NWK message's name as in the standard, such as `{CC-SETUP}`.
fn nwk_name(pdu: &Bytes) -> String {
    match nwk::Message::decode(pdu) {
        Ok(message) => braces(&format!("{:?}", message.kind)),
        Err(error) => format!("unreadable: {error}"),
    }
}

/// `Cc(SetupAck)` as `{CC-SETUP-ACK}`.
fn braces(debug: &str) -> String {
    let mut name = String::from("{");
    let mut after_lower = false;
    for c in debug.chars() {
        match c {
            '(' => name.push('-'),
            ')' => name.push('}'),
            _ => {
                if c.is_ascii_uppercase() && after_lower && !name.ends_with('-') {
                    name.push('-');
                }
                name.push(c.to_ascii_uppercase());
            }
        }
        after_lower = c.is_ascii_lowercase();
    }
    name
}

fn sip_name(message: &Message) -> String {
    match (message.method(), message.status()) {
        (Some(method), _) => method.to_string(),
        (None, Some(status)) => {
            let of = message
                .cseq()
                .map(|cseq| format!(" ({})", cseq.method))
                .unwrap_or_default();
            format!("{} {}{of}", status.code(), message.reason())
        }
        (None, None) => "unreadable".into(),
    }
}

/// The message as text, keys of SDES and answers to challenges left out.
fn text(message: &Message) -> String {
    let full = String::from_utf8_lossy(message.bytes());
    full.split_inclusive('\n').map(redacted).collect()
}

fn redacted(line: &str) -> Cow<'_, str> {
    let lower = line.get(..20).unwrap_or(line).to_ascii_lowercase();
    let secret = ["authorization:", "proxy-authorization:"]
        .iter()
        .any(|name| lower.starts_with(name));
    let kept = if secret {
        line.find(':').map(|at| at + 2)
    } else {
        line.find("inline:").map(|at| at + 7)
    };
    match kept.and_then(|at| line.get(..at)) {
        Some(kept) => format!("{kept}(redacted)\r\n").into(),
        None => line.into(),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(
        String::with_capacity(octets.len() * 2),
        |mut text, octet| {
            let _ = write!(text, "{octet:02x}");
            text
        },
    )
}

fn order_name(order: &Media) -> String {
    match order {
        Media::OpenSession { .. } => "OpenSession".into(),
        Media::OpenLeg { kind, .. } => format!("OpenLeg {kind:?}"),
        Media::ModifyLeg { direction, .. } => format!("ModifyLeg {direction:?}"),
        Media::AddPath { id, .. } => format!("AddPath {}", id.0),
        Media::DropPath { id, .. } => format!("DropPath {}", id.0),
        Media::Connect { .. } => "Connect".into(),
        Media::Disconnect { .. } => "Disconnect".into(),
        Media::PlayTone { tone, .. } => format!("PlayTone {tone:?}"),
        Media::StopTone { .. } => "StopTone".into(),
        // What is dialled within a call may be a PIN.
        Media::SendDtmf { digits, .. } => format!("SendDtmf, {} digits", digits.len()),
        Media::Note { .. } => "Note".into(),
        Media::CloseLeg { .. } => "CloseLeg".into(),
        Media::CloseSession { .. } => "CloseSession".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_the_ladder() {
        assert_eq!(
            redacted("Proxy-Authorization: Digest username=\"1001\", response=\"00\"\r\n"),
            "Proxy-Authorization: (redacted)\r\n"
        );
        assert_eq!(
            redacted("authorization: Digest x\r\n"),
            "authorization: (redacted)\r\n"
        );
        assert_eq!(
            redacted("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n"),
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:(redacted)\r\n"
        );
        assert_eq!(
            redacted("Via: SIP/2.0/UDP 192.0.2.1\r\n"),
            "Via: SIP/2.0/UDP 192.0.2.1\r\n"
        );
    }

    #[test]
    fn messages_are_named_as_in_the_standard() {
        assert_eq!(nwk_name(&Bytes::from_static(&[0x03, 0x05])), "{CC-SETUP}");
        assert_eq!(
            nwk_name(&Bytes::from_static(&[0x83, 0x0d])),
            "{CC-SETUP-ACK}"
        );
        assert_eq!(
            nwk_name(&Bytes::from_static(&[0x05, 0x44])),
            "{MM-ACCESS-RIGHTS-REQUEST}"
        );
        assert_eq!(
            nwk_name(&Bytes::from_static(&[0x00, 0x71])),
            "{LCE-PAGE-RESPONSE}"
        );
        assert_eq!(
            nwk_name(&Bytes::from_static(&[0x03])),
            "unreadable: message of 1 octets is too short"
        );
    }

    #[test]
    fn keys_do_not_get_into_the_ladder() {
        assert_eq!(
            redacted("a=crypto:1 X inline:AAAA|2^31\r\n"),
            "a=crypto:1 X inline:(redacted)\r\n"
        );
    }
}
