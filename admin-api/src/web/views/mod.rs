//! What pages show: plain values made from resources, without server and clock beyond "how long ago".

mod calls;
pub(crate) mod ladder;
pub(crate) mod phones;
pub(crate) mod summary;

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::PresenceState;

use super::words::{self, Status};
pub(crate) use calls::{CallRow, call, conversation, user};

/// A state as HTML: shape, word and colour.
#[derive(askama::Template)]
#[template(
    source = "<span class=\"s s-{{ self.0.shape }}\">{{ self.0.word }}</span>",
    ext = "html"
)]
pub(crate) struct Mark(pub(crate) Status);

/// A handset in a table.
pub(crate) struct HandsetRow {
    pub(crate) ipei: String,
    pub(crate) ipei_shown: String,
    pub(crate) user_id: String,
    pub(crate) username: String,
    pub(crate) mark: Mark,
    pub(crate) why: String,
    pub(crate) base: String,
    pub(crate) located_html: String,
    pub(crate) registrar: String,
    pub(crate) presence: &'static str,
    pub(crate) model: String,
    pub(crate) display: String,
}

/// One handset.
pub(crate) fn handset(handset: &admin::Handset) -> HandsetRow {
    let state = handset.state.clone().unwrap_or_default();
    HandsetRow {
        ipei: handset.ipei.clone(),
        ipei_shown: words::ipei(&handset.ipei),
        user_id: handset.user_id.clone(),
        username: handset.username.clone(),
        mark: Mark(words::handset(handset)),
        why: if state.registered {
            String::new()
        } else {
            state.last_error.clone()
        },
        base: if state.base_node_id.is_empty() {
            String::new()
        } else {
            format!("{} (RPN {})", state.base_node_id, state.rpn)
        },
        located_html: if state.located_utc_ms == 0 {
            String::new()
        } else {
            words::ago(state.located_utc_ms)
        },
        registrar: state.registrar.clone(),
        presence: presence(state.presence()),
        model: handset.model.clone(),
        display: state.display.join(" / "),
    }
}

fn presence(presence: PresenceState) -> &'static str {
    match presence {
        PresenceState::Unspecified => "",
        PresenceState::Available => "available",
        PresenceState::Inactive => "inactive",
        PresenceState::Away => "away",
        PresenceState::InACall => "in a call",
    }
}

/// A device in a table.
pub(crate) struct DeviceRow {
    pub(crate) node_id: String,
    pub(crate) role: &'static str,
    pub(crate) mark: Mark,
    pub(crate) release: String,
    pub(crate) site: String,
    pub(crate) serial: String,
    pub(crate) note: String,
    pub(crate) address: String,
    pub(crate) busy: String,
    pub(crate) load: String,
    pub(crate) links: Vec<String>,
    pub(crate) seen_html: String,
    pub(crate) enrolled_html: String,
    pub(crate) why: String,
    pub(crate) remedy: String,
    pub(crate) rpn: String,
    pub(crate) certificate: String,
}

/// One device.
pub(crate) fn device(device: &admin::Device) -> DeviceRow {
    use ipdect_proto::link::v1::Role;
    let status = device.status.clone().unwrap_or_default();
    let what = match device.role() {
        Role::Base => "bearers",
        Role::Media => "sessions",
        _ => "",
    };
    let refusal = status
        .refusal
        .as_ref()
        .filter(|_| status.state() == admin::DeviceState::Refused);
    DeviceRow {
        node_id: device.node_id.clone(),
        role: words::role(device.role()),
        mark: Mark(words::device(device)),
        release: device.release.clone(),
        site: if device.site.is_empty() {
            "main".into()
        } else {
            device.site.clone()
        },
        serial: device.serial.clone(),
        note: device.note.clone(),
        address: status.address.clone(),
        busy: if what.is_empty() || status.capacity == 0 {
            String::new()
        } else {
            format!("{} of {} {what}", status.busy, status.capacity)
        },
        load: if status.load > 0.0 {
            format!("{:.0} %", status.load * 100.0)
        } else {
            String::new()
        },
        links: status.links.iter().map(link).collect(),
        seen_html: if status.seen_utc_ms == 0 {
            String::new()
        } else {
            words::ago(status.seen_utc_ms)
        },
        enrolled_html: if device.enrolled_utc_ms == 0 {
            String::new()
        } else {
            words::ago(device.enrolled_utc_ms)
        },
        why: refusal.map_or_else(|| status.warning.clone(), why_refused),
        remedy: refusal.map(|r| r.remedy.clone()).unwrap_or_default(),
        rpn: if device.role() == Role::Base {
            device.rpn.to_string()
        } else {
            String::new()
        },
        certificate: match status.certificate_days_left {
            0 => String::new(),
            days => format!("{days} days left"),
        },
    }
}

fn link(link: &admin::DeviceLink) -> String {
    let way = if link.active { "active" } else { "standby" };
    let delay = f64::from(link.round_trip_us) / 1000.0;
    format!(
        "{} {way}, generation {}, {delay:.1} ms",
        link.server_node_id, link.generation
    )
}

/// Reason of a refusal with the releases it is about.
pub(crate) fn why_refused(refusal: &ipdect_proto::link::v1::Refusal) -> String {
    let mut text = words::refusal(refusal.reason()).to_string();
    if !refusal.offered_release.is_empty() {
        text.push_str(&format!("; it runs {}", refusal.offered_release));
    }
    if !refusal.required_release.is_empty() {
        text.push_str(&format!(", needed is {}", refusal.required_release));
    }
    if !refusal.rule.is_empty() {
        text.push_str(&format!(" (rule {})", refusal.rule));
    }
    text
}

/// An attempt to subscribe in a table.
pub(crate) struct AttemptRow {
    pub(crate) id: String,
    pub(crate) at_html: String,
    pub(crate) ipei: String,
    pub(crate) ipei_shown: String,
    pub(crate) base: String,
    pub(crate) mark: Mark,
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    pub(crate) remedy: String,
    /// No user has this IPEI: one can be made for it.
    pub(crate) adopt: bool,
}

/// One attempt.
pub(crate) fn attempt(attempt: &admin::SubscriptionAttempt) -> AttemptRow {
    let state = if attempt.accepted {
        words::status("up", "subscribed")
    } else {
        words::status("refused", "refused")
    };
    AttemptRow {
        id: format!("{}-{}", attempt.at_utc_ms, attempt.id),
        at_html: words::ago(attempt.at_utc_ms),
        ipei: attempt.ipei.clone(),
        ipei_shown: words::ipei(&attempt.ipei),
        base: if attempt.base_node_id.is_empty() {
            format!("RPN {}", attempt.rpn)
        } else {
            format!("{} (RPN {})", attempt.base_node_id, attempt.rpn)
        },
        mark: Mark(state),
        code: if attempt.access_code_right {
            "right"
        } else {
            "wrong or not asked"
        },
        reason: attempt.reason.clone(),
        remedy: attempt.remedy.clone(),
        adopt: !attempt.known && !attempt.accepted,
    }
}

/// An event in a table.
pub(crate) struct EventRow {
    pub(crate) id: String,
    pub(crate) at_html: String,
    pub(crate) mark: Mark,
    pub(crate) code: String,
    pub(crate) text: String,
    pub(crate) remedy: String,
    pub(crate) node: String,
    pub(crate) subject: String,
}

/// One event.
pub(crate) fn event(event: &admin::Event) -> EventRow {
    EventRow {
        id: format!("{}-{}", event.at_utc_ms, event.id),
        at_html: words::ago(event.at_utc_ms),
        mark: Mark(words::severity(event.severity())),
        code: event.code.clone(),
        text: event.text.clone(),
        remedy: event.remedy.clone(),
        node: event.node_id.clone(),
        subject: words::ipei(&event.subject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_proto::link::v1::{Refusal, RefusalReason};

    #[test]
    fn a_refusal_names_what_runs_and_what_is_needed() {
        let refusal = Refusal {
            reason: RefusalReason::ReleaseTooOld.into(),
            rule: "R1".into(),
            offered_release: "PCS07_".into(),
            required_release: "PCS08_".into(),
            ..Default::default()
        };
        assert_eq!(
            why_refused(&refusal),
            "its firmware is too old; it runs PCS07_, needed is PCS08_ (rule R1)"
        );
    }

    #[test]
    fn what_a_phone_says_of_itself_is_escaped() {
        let mark = Mark(words::status("up", "<img src=x onerror=alert(1)>"));
        assert!(!mark.to_string().contains("<img"));
    }
}
