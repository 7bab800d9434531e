//! What pages show: plain values made from resources, without server and clock beyond "how long ago".

pub(crate) mod ladder;
pub(crate) mod phones;
pub(crate) mod summary;

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::PresenceState;

use super::words::{self, Status};
use crate::conversation::Conversation;

/// A state as HTML: shape, word and colour.
#[derive(askama::Template)]
#[template(
    source = "<span class=\"s s-{{ self.0.shape }}\">{{ self.0.word }}</span>",
    ext = "html"
)]
pub(crate) struct Mark(pub(crate) Status);

/// A call in a table. Fields named `_html` are our own markup around numbers.
pub(crate) struct CallRow {
    pub(crate) call_ref: String,
    pub(crate) mark: Mark,
    pub(crate) who: String,
    pub(crate) arrow: &'static str,
    pub(crate) way: &'static str,
    pub(crate) peer: String,
    pub(crate) began_html: String,
    pub(crate) length_html: String,
    pub(crate) end: String,
    pub(crate) through: String,
    pub(crate) quality: String,
}

/// One call, as its handset tells it.
pub(crate) fn call(call: &admin::Call) -> CallRow {
    conversation(&Conversation::of(call))
}

/// One conversation in one row, whoever of our handsets takes part.
pub(crate) fn conversation(all: &Conversation<'_>) -> CallRow {
    let first = all.first;
    let (who, peer) = match (all.others.is_empty(), first.outgoing) {
        (true, _) => (user(first), party(first)),
        (false, true) => (user(first), users(all.others.iter().copied())),
        (false, false) => (users(all.ends()), party(first)),
    };
    CallRow {
        call_ref: first.call_ref.clone(),
        mark: Mark(words::call(first)),
        who,
        arrow: if first.outgoing {
            "\u{2192}"
        } else {
            "\u{2190}"
        },
        way: if first.outgoing {
            "calls"
        } else {
            "is called by"
        },
        peer,
        began_html: words::ago(first.began_utc_ms),
        length_html: talked(first),
        end: told(all, end),
        through: through(all),
        quality: told(all, quality),
    }
}

/// The user of an end, or its handset.
pub(crate) fn user(call: &admin::Call) -> String {
    if call.username.is_empty() {
        words::ipei(&call.ipei)
    } else {
        call.username.clone()
    }
}

/// Who is at the other side of an end.
fn party(call: &admin::Call) -> String {
    match (call.peer_number.is_empty(), call.peer_name.is_empty()) {
        (true, true) => "unknown".to_string(),
        (false, true) => words::short_uri(&call.peer_number).into(),
        (true, false) => call.peer_name.clone(),
        (false, false) => format!(
            "{} ({})",
            call.peer_name,
            words::short_uri(&call.peer_number)
        ),
    }
}

fn users<'a>(ends: impl Iterator<Item = &'a admin::Call>) -> String {
    ends.map(user).collect::<Vec<_>>().join(", ")
}

/// What the ends tell, each with its user where there are several.
fn told(all: &Conversation<'_>, what: impl Fn(&admin::Call) -> String) -> String {
    let parts = all.ends().filter_map(|end| {
        let text = what(end);
        match (text.is_empty(), all.others.is_empty()) {
            (true, _) => None,
            (_, true) => Some(text),
            _ => Some(format!("{}: {text}", user(end))),
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// Base stations and media resources, each once.
fn through(all: &Conversation<'_>) -> String {
    let bases = all.ends().map(|end| end.base_node_id.as_str());
    let media = all.ends().map(|end| end.media_node_id.as_str());
    let mut names: Vec<&str> = Vec::new();
    for name in bases.chain(media) {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn talked(call: &admin::Call) -> String {
    match (call.answered_utc_ms, call.ended_utc_ms) {
        (0, _) => String::new(),
        (answered, 0) => words::since(answered),
        (answered, ended) => words::length(ended.saturating_sub(answered)),
    }
}

fn end(call: &admin::Call) -> String {
    let mut parts = Vec::new();
    if !call.end_reason.is_empty() {
        parts.push(call.end_reason.clone());
    }
    if call.end_status != 0 && !call.end_reason.contains(&call.end_status.to_string()) {
        parts.push(format!("SIP {}", call.end_status));
    }
    if !call.released_by.is_empty() {
        parts.push(format!("ended by the {}", call.released_by));
    }
    parts.join(", ")
}

fn quality(call: &admin::Call) -> String {
    let leg = |l: &admin::CallLeg| {
        let lost = if l.lost == 0 {
            String::new()
        } else {
            format!(", {} lost", l.lost)
        };
        let crypt = if l.srtp_suite.is_empty() {
            ""
        } else {
            ", SRTP"
        };
        format!("{} {}{crypt}{lost}", l.kind, l.codec)
    };
    call.legs.iter().map(leg).collect::<Vec<_>>().join("; ")
}

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
    fn a_call_is_told_from_the_handset() {
        let row = call(&admin::Call {
            username: "1001".into(),
            outgoing: true,
            peer_number: "1002".into(),
            answered_utc_ms: 1000,
            ended_utc_ms: 64_000,
            end_reason: "normal".into(),
            released_by: "peer".into(),
            ..Default::default()
        });
        assert_eq!(
            (row.who.as_str(), row.arrow, row.peer.as_str()),
            ("1001", "\u{2192}", "1002")
        );
        assert_eq!(
            (row.length_html.as_str(), row.end.as_str()),
            ("1:03", "normal, ended by the peer")
        );
    }

    #[test]
    fn what_a_phone_says_of_itself_is_escaped() {
        let mark = Mark(words::status("up", "<img src=x onerror=alert(1)>"));
        assert!(!mark.to_string().contains("<img"));
    }
}
