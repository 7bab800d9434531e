//! Numbers, times and states in words.

use std::time::SystemTime;

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::{
    CallState, DeviceState, PortableCallState, PortableLinkState, Severity,
};
use ipdect_proto::link::v1::{RefusalReason, Role};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::api::sessions::utc_ms;

/// A state: a word, with a shape and colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// `up`, `busy`, `degraded`, `down`, `refused`, `draining`, `unknown`.
    pub(crate) shape: &'static str,
    /// The word.
    pub(crate) word: String,
}

/// A state.
pub(crate) fn status(shape: &'static str, word: impl Into<String>) -> Status {
    Status {
        shape,
        word: word.into(),
    }
}

/// Now, milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    utc_ms(SystemTime::now())
}

/// The exact time, in UTC.
pub(crate) fn exact(ms: u64) -> String {
    let nanos = i128::from(ms) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.and_then(|t| t.format(&form).ok())
        .unwrap_or_else(|| "unknown".into())
}

fn element(ms: u64, kind: &str, text: &str) -> String {
    let exact = exact(ms);
    let machine = exact.replace(" UTC", "Z").replace(' ', "T");
    format!(
        "<time datetime=\"{machine}\" title=\"{exact}\" data-ms=\"{ms}\" data-kind=\"{kind}\">{text}</time>"
    )
}

/// A time as HTML: how long ago, the exact one as title. Zero: never.
pub(crate) fn ago(ms: u64) -> String {
    if ms == 0 {
        return "never".into();
    }
    let seconds = now_ms().saturating_sub(ms) / 1000;
    let text = match seconds {
        0..2 => "just now".to_string(),
        2..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    };
    element(ms, "ago", &text)
}

/// A running length as HTML.
pub(crate) fn since(ms: u64) -> String {
    if ms == 0 {
        String::new()
    } else {
        element(ms, "since", &length(now_ms().saturating_sub(ms)))
    }
}

/// Time until then as HTML.
pub(crate) fn until(ms: u64) -> String {
    let left = ms.saturating_sub(now_ms());
    let text = if left == 0 {
        "over".to_string()
    } else {
        format!("in {}", length(left))
    };
    element(ms, "until", &text)
}

/// A length as `m:ss` or `h:mm:ss`.
pub(crate) fn length(ms: u64) -> String {
    let s = ms / 1000;
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}

/// An IPEI as printed: `05003 0070387 8`, with check digit (EN 300 175-6 annex C). Other texts stay as they are.
pub(crate) fn ipei(digits: &str) -> String {
    if digits.len() != 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return digits.into();
    }
    let sum: u32 = digits
        .bytes()
        .zip(1..)
        .map(|(b, place)| u32::from(b - b'0') * place)
        .sum();
    let check = match sum % 11 {
        10 => "*".to_string(),
        digit => digit.to_string(),
    };
    format!("{} {} {check}", &digits[..5], &digits[5..])
}

/// A SIP address without scheme and parameters, for tables.
pub(crate) fn short_uri(uri: &str) -> &str {
    let rest = uri
        .strip_prefix("sips:")
        .or_else(|| uri.strip_prefix("sip:"));
    rest.map_or(uri, |r| r.split(';').next().unwrap_or(r))
}

/// A text for use inside an address.
pub(crate) fn escaped(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().fold(String::new(), |out, b| {
        if keep(b) {
            out + &char::from(b).to_string()
        } else {
            out + &format!("%{b:02X}")
        }
    })
}

/// `1 base station`, `2 base stations`.
pub(crate) fn count(n: usize, one: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {one}s")
    }
}

/// A role for a person.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Media => "media resource",
        Role::Base => "base station",
        Role::Admin => "admin API",
        Role::Host => "host of virtual handsets",
        Role::Unspecified => "unknown",
    }
}

/// What a device does.
pub(crate) fn device(device: &admin::Device) -> Status {
    let state = device
        .status
        .as_ref()
        .map_or(DeviceState::Unspecified, admin::DeviceStatus::state);
    if device.disabled && state != DeviceState::Up {
        return status("draining", "switched off");
    }
    match state {
        DeviceState::Up
            if device
                .status
                .as_ref()
                .is_some_and(|s| !s.warning.is_empty()) =>
        {
            status("degraded", "up, with a warning")
        }
        DeviceState::Up => status("up", "up"),
        DeviceState::Down => status("down", "down"),
        DeviceState::Refused => status("refused", "refused"),
        DeviceState::Draining => status("draining", "draining"),
        // It may be attached to another admin API.
        DeviceState::Enrolled if device.role() == Role::Host => {
            status("unknown", "enrolled, not attached here")
        }
        DeviceState::Enrolled => status("unknown", "enrolled, not seen yet"),
        DeviceState::Unspecified => status("unknown", "unknown"),
    }
}

/// Why a device was refused.
pub(crate) fn refusal(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::Unspecified => "it was refused",
        RefusalReason::NotEnrolled => "its certificate does not count here",
        RefusalReason::WrongCluster => "it is enrolled in another system",
        RefusalReason::ReleaseUnknown => "its firmware release cannot be read",
        RefusalReason::ReleaseTooOld => "its firmware is too old",
        RefusalReason::NotStated => "nothing is known about this pair of releases",
        RefusalReason::NoCommonGeneration => "no generation of the link that both speak",
        RefusalReason::DuplicateNode => "another unit with its name is linked",
        RefusalReason::Draining => "the server takes no new links",
    }
}

/// What a handset does, in the words of the status table.
pub(crate) fn handset(handset: &admin::Handset) -> Status {
    let Some(state) = handset.state.as_ref().filter(|_| handset.subscribed) else {
        return if handset.subscribed {
            status("unknown", "subscribed")
        } else {
            status("unknown", "not subscribed")
        };
    };
    if state.calls > 0 {
        return status("busy", "in a call");
    }
    if !state.located {
        return status("unknown", "subscribed, not located");
    }
    if !state.base_reachable {
        return status("degraded", "base unreachable");
    }
    if state.registered {
        return status("up", "registered");
    }
    match state.last_status {
        0 => status("degraded", "located, not registered"),
        code => status("down", format!("registration failed ({code})")),
    }
}

/// Where a call stands.
pub(crate) fn call(call: &admin::Call) -> Status {
    match call.state() {
        CallState::Dialling => status("busy", "dialling"),
        CallState::Calling => status("busy", "calling"),
        CallState::Ringing => status("busy", "ringing"),
        CallState::Active => status("up", "in call"),
        CallState::Held => status("degraded", "held"),
        CallState::Ended if call.answered_utc_ms == 0 => status("unknown", "not answered"),
        CallState::Ended => status("unknown", "ended"),
        CallState::Unspecified => status("unknown", "unknown"),
    }
}

/// What a virtual handset does.
pub(crate) fn portable(portable: &admin::Portable) -> Status {
    match (portable.link(), portable.call()) {
        (PortableLinkState::NoSignal, _) => status("down", "no signal"),
        (PortableLinkState::NotSubscribed, _) => status("degraded", "not subscribed"),
        (PortableLinkState::Subscribing, _) => status("busy", "subscribing"),
        (PortableLinkState::Locating, PortableCallState::Idle | PortableCallState::Unspecified) => {
            status("busy", "locating")
        }
        (_, PortableCallState::Dialling) => status("busy", "dialling"),
        (_, PortableCallState::Calling) => status("busy", "calling"),
        (_, PortableCallState::Ringing) => status("busy", "ringing"),
        (_, PortableCallState::Connected) => status("up", "in call"),
        (_, PortableCallState::Released) => status("degraded", "other side hung up"),
        (PortableLinkState::Ready, _) => status("up", "idle"),
        _ => status("unknown", "unknown"),
    }
}

/// How bad an event is.
pub(crate) fn severity(severity: Severity) -> Status {
    match severity {
        Severity::Error => status("down", "error"),
        Severity::Warning => status("degraded", "warning"),
        Severity::Info | Severity::Unspecified => status("unknown", "info"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipei_is_shown_as_printed_on_the_handset() {
        assert_eq!(ipei("050030070387"), "05003 0070387 8");
        assert_eq!(ipei("655350000001"), "65535 0000001 3");
        assert_eq!(ipei("655350000002"), "65535 0000002 4");
        assert_eq!(ipei("<b>"), "<b>");
    }

    #[test]
    fn times_are_relative_and_exact() {
        assert_eq!(ago(0), "never");
        let text = ago(1_000);
        assert!(text.contains("title=\"1970-01-01 00:00:01 UTC\""), "{text}");
        assert!(
            text.contains("datetime=\"1970-01-01T00:00:01Z\"") && text.contains("days ago"),
            "{text}"
        );
        assert_eq!(
            (length(61_000), length(3_661_000)),
            ("1:01".into(), "1:01:01".into())
        );
        assert!(
            ago(u64::MAX).contains("unknown"),
            "a time out of range is no panic"
        );
    }

    #[test]
    fn states_come_in_words() {
        let mut handset_ = admin::Handset {
            subscribed: true,
            ..Default::default()
        };
        assert_eq!(handset(&handset_).word, "subscribed");
        handset_.state = Some(admin::HandsetState {
            located: true,
            base_reachable: true,
            last_status: 403,
            ..Default::default()
        });
        assert_eq!(
            handset(&handset_),
            status("down", "registration failed (403)")
        );
        let ended = admin::Call {
            state: CallState::Ended.into(),
            ..Default::default()
        };
        assert_eq!(call(&ended).word, "not answered");
    }

    #[test]
    fn a_sip_address_is_shown_without_what_only_machines_need() {
        assert_eq!(
            short_uri("sip:1001@ipdect.internal;user=phone"),
            "1001@ipdect.internal"
        );
    }

    #[test]
    fn addresses_hold_any_text() {
        assert_eq!(escaped("a b/ü\0"), "a%20b%2F%C3%BC%00");
        assert_eq!(
            (count(1, "call"), count(0, "call")),
            ("1 call".into(), "0 calls".into())
        );
    }
}
