//! The overview in words, and what needs attention.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::DeviceState;
use ipdect_proto::link::v1::Role;

use crate::web::board::Tables;
use crate::web::views::why_refused;
use crate::web::words::{count, escaped, ipei};

/// How long a failed attempt to subscribe is worth mentioning, milliseconds.
const ATTEMPT_LIFE_MS: u64 = 3_600_000;
/// Certificates renew themselves at a third of their life; fewer days left mean that it fails.
const CERTIFICATE_DAYS: u32 = 30;

/// Something to look at, with its cause and the way to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attention {
    /// What is the matter.
    pub(crate) what: String,
    /// Why.
    pub(crate) why: String,
    /// What to do.
    pub(crate) remedy: String,
    /// Where to do it.
    pub(crate) link: String,
    /// The link in words.
    pub(crate) word: &'static str,
    /// `error` or empty.
    pub(crate) class: &'static str,
}

fn state(device: &admin::Device) -> DeviceState {
    device
        .status
        .as_ref()
        .map_or(DeviceState::Unspecified, admin::DeviceStatus::state)
}

/// "The server, 1 media resource and 1 base station are up; 0 calls; all 2 handsets are registered."
pub(crate) fn sentence(tables: &Tables) -> String {
    let parts: Vec<(String, usize)> = [Role::Server, Role::Media, Role::Base]
        .into_iter()
        .map(|role| part(tables, role))
        .collect();
    let up: usize = parts.iter().map(|(_, n)| n).sum();
    let verb = if up == 1 && parts.iter().filter(|(_, n)| *n > 0).count() == 1 {
        "is"
    } else {
        "are"
    };
    let names: Vec<String> = parts.into_iter().map(|(text, _)| text).collect();
    let calls = tables.conversations().len();
    let text = format!(
        "{} {verb} up; {}; {}",
        joined(&names),
        count(calls, "call"),
        handsets(tables)
    );
    capital(&text)
}

fn part(tables: &Tables, role: Role) -> (String, usize) {
    use crate::web::words::role as word;
    let of_role = || {
        tables
            .devices
            .values()
            .filter(|d| d.role() == role && !d.disabled)
    };
    let all = of_role().count();
    let up = of_role().filter(|d| state(d) == DeviceState::Up).count();
    let text = match (up, all) {
        (0, 0 | 1) => format!("no {}", word(role)),
        (1, 1) if role == Role::Server => "the server".to_string(),
        _ if up == all => count(up, word(role)),
        _ => format!("{up} of {}", count(all, word(role))),
    };
    (text, up)
}

fn handsets(tables: &Tables) -> String {
    let wanted: Vec<_> = tables
        .handsets
        .values()
        .filter(|h| h.subscribed && !h.user_id.is_empty())
        .collect();
    let registered = wanted
        .iter()
        .filter(|h| h.state.as_ref().is_some_and(|s| s.registered))
        .count();
    match (registered, wanted.len()) {
        (_, 0) => "no handset is subscribed".into(),
        (1, 1) => "the handset is registered".into(),
        (r, n) if r == n => format!("all {n} handsets are registered"),
        (1, n) => format!("1 of {n} handsets is registered"),
        (r, n) => format!("{r} of {} are registered", count(n, "handset")),
    }
}

fn joined(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// What needs attention, worst first.
pub(crate) fn attention(tables: &Tables, now_ms: u64) -> Vec<Attention> {
    let mut all: Vec<Attention> = tables.devices.values().filter_map(about_device).collect();
    all.extend(
        [Role::Media, Role::Base]
            .into_iter()
            .filter_map(|role| missing(tables, role)),
    );
    all.extend(tables.handsets.values().filter_map(about_handset));
    all.extend(about_attempts(tables, now_ms));
    // Stable: within a class the order above stays.
    all.sort_by_key(|a| a.class.is_empty());
    all
}

fn about_device(device: &admin::Device) -> Option<Attention> {
    let status = device.status.as_ref()?;
    let name = format!(
        "{} {}",
        capital(crate::web::words::role(device.role())),
        device.node_id
    );
    let link = format!("/devices/{}", escaped(&device.node_id));
    let told = |what: String, why: String, remedy: String, class| {
        Some(Attention {
            what,
            why,
            remedy,
            link: link.clone(),
            word: "Show the unit",
            class,
        })
    };
    match status.state() {
        DeviceState::Refused => {
            let refusal = status.refusal.clone().unwrap_or_default();
            told(
                format!("{name} is refused"),
                why_refused(&refusal),
                refusal.remedy.clone(),
                "error",
            )
        }
        DeviceState::Down if !device.disabled => told(
            format!("{name} is down"),
            "its link broke and it has not come back".into(),
            "Look whether it runs and reaches the server; remove it if it is gone for good.".into(),
            "error",
        ),
        _ if !status.warning.is_empty() => told(
            format!("{name} has a warning"),
            status.warning.clone(),
            String::new(),
            "",
        ),
        DeviceState::Up if (1..CERTIFICATE_DAYS).contains(&status.certificate_days_left) => told(
            format!(
                "The certificate of {name} ends in {}",
                count(status.certificate_days_left as usize, "day")
            ),
            "it has not been renewed, though a third of its life is left".into(),
            "Restart the unit; if it stays, enrol it anew.".into(),
            "",
        ),
        _ => None,
    }
}

fn missing(tables: &Tables, role: Role) -> Option<Attention> {
    if !tables.synced || tables.devices.values().any(|d| d.role() == role) {
        return None;
    }
    let word = crate::web::words::role(role);
    Some(Attention {
        what: format!("There is no {word}"),
        why: "none has been enrolled yet, so no call can be made".into(),
        remedy: format!("Make an enrolment token for a {word} and give it to the unit."),
        link: "/devices#tokens".into(),
        word: "Make a token",
        class: "error",
    })
}

fn about_handset(handset: &admin::Handset) -> Option<Attention> {
    let state = handset.state.as_ref()?;
    let cannot =
        handset.subscribed && !handset.user_id.is_empty() && state.located && !state.registered;
    if !cannot {
        return None;
    }
    let why = match (state.last_error.as_str(), state.last_status) {
        ("", 0) => "its user has no registration yet".to_string(),
        ("", code) => format!("the registrar answered {code}"),
        (said, _) => said.to_string(),
    };
    let remedy = match state.last_status {
        401 | 403 | 407 => "Check authentication user and password of the user.",
        404 => "Check user name and domain; the registrar does not know them.",
        _ => "Check the proxies and the user's domain; it tries again by itself.",
    };
    Some(Attention {
        what: format!(
            "Handset {} of {} cannot register",
            ipei(&handset.ipei),
            handset.username
        ),
        why,
        remedy: remedy.into(),
        link: format!("/users/{}", escaped(&handset.user_id)),
        word: "Show the user",
        class: "",
    })
}

/// The latest attempt of each handset, if it failed lately.
fn about_attempts(tables: &Tables, now_ms: u64) -> Vec<Attention> {
    let mut seen: Vec<&str> = Vec::new();
    let mut all = Vec::new();
    for attempt in tables.attempts.iter().rev() {
        if seen.contains(&attempt.ipei.as_str()) {
            continue;
        }
        seen.push(&attempt.ipei);
        if attempt.accepted || attempt.at_utc_ms + ATTEMPT_LIFE_MS < now_ms {
            continue;
        }
        all.push(Attention {
            what: format!("Handset {} could not subscribe", ipei(&attempt.ipei)),
            why: attempt.reason.clone(),
            remedy: attempt.remedy.clone(),
            link: "/subscription".into(),
            word: "Show the attempts",
            class: "",
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_proto::admin::v1::{DeviceStatus, HandsetState, SubscriptionAttempt};
    use ipdect_proto::link::v1::{Refusal, RefusalReason};

    fn device(name: &str, role: Role, state: DeviceState) -> admin::Device {
        let status = DeviceStatus {
            state: state.into(),
            ..Default::default()
        };
        admin::Device {
            node_id: name.into(),
            role: role.into(),
            status: Some(status),
            ..Default::default()
        }
    }

    fn handset(n: u32, registered: bool) -> admin::Handset {
        admin::Handset {
            ipei: format!("65535000000{n}"),
            user_id: format!("u{n}"),
            username: format!("100{n}"),
            subscribed: true,
            state: Some(HandsetState {
                located: true,
                base_reachable: true,
                registered,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn tables(devices: Vec<admin::Device>, handsets: Vec<admin::Handset>) -> Tables {
        Tables {
            devices: devices
                .into_iter()
                .map(|d| (d.node_id.clone(), d))
                .collect(),
            handsets: handsets.into_iter().map(|h| (h.ipei.clone(), h)).collect(),
            synced: true,
            ..Default::default()
        }
    }

    fn usual() -> Vec<admin::Device> {
        vec![
            device("s", Role::Server, DeviceState::Up),
            device("m", Role::Media, DeviceState::Up),
            device("b", Role::Base, DeviceState::Up),
        ]
    }

    #[test]
    fn all_is_well_in_one_line() {
        let all = tables(usual(), vec![handset(1, true), handset(2, true)]);
        assert_eq!(
            sentence(&all),
            "The server, 1 media resource and 1 base station are up; 0 calls; all 2 handsets are registered"
        );
        assert_eq!(attention(&all, 0), []);
    }

    #[test]
    fn what_is_missing_is_counted() {
        let mut devices = usual();
        devices.push(device("b2", Role::Base, DeviceState::Down));
        devices.remove(1);
        let all = tables(devices, vec![handset(1, true), handset(2, false)]);
        assert_eq!(
            sentence(&all),
            "The server, no media resource and 1 of 2 base stations are up; 0 calls; 1 of 2 handsets is registered"
        );
        let whats: Vec<String> = attention(&all, 0).into_iter().map(|a| a.what).collect();
        assert_eq!(
            whats,
            [
                "Base station b2 is down",
                "There is no media resource",
                "Handset 65535 0000002 4 of 1002 cannot register"
            ]
        );
    }

    #[test]
    fn a_refused_device_comes_with_reason_and_remedy() {
        let mut old = device("b9", Role::Base, DeviceState::Refused);
        let refusal = Refusal {
            reason: RefusalReason::ReleaseTooOld.into(),
            remedy: "Load PCS16_.".into(),
            ..Default::default()
        };
        old.status.as_mut().unwrap().refusal = Some(refusal);
        let mut devices = usual();
        devices.push(old);
        let wanted = Attention {
            what: "Base station b9 is refused".into(),
            why: "its firmware is too old".into(),
            remedy: "Load PCS16_.".into(),
            link: "/devices/b9".into(),
            word: "Show the unit",
            class: "error",
        };
        assert_eq!(attention(&tables(devices, vec![]), 0), [wanted]);
    }

    #[test]
    fn an_attempt_that_failed_is_forgotten_once_one_succeeds_or_an_hour_is_over() {
        let attempt = |id, accepted| SubscriptionAttempt {
            id,
            ipei: "655350000009".into(),
            at_utc_ms: 1000,
            accepted,
            ..Default::default()
        };
        let mut all = tables(usual(), vec![]);
        all.attempts.push_back(attempt(1, false));
        assert_eq!(attention(&all, 2000).len(), 1);
        assert_eq!(attention(&all, 2000 + ATTEMPT_LIFE_MS), []);
        all.attempts.push_back(attempt(2, true));
        assert_eq!(attention(&all, 2000), []);
    }

    #[test]
    fn an_empty_system_says_what_to_do() {
        let all = tables(vec![], vec![]);
        assert_eq!(
            sentence(&all),
            "No server, no media resource and no base station are up; 0 calls; no handset is subscribed"
        );
        assert_eq!(attention(&all, 0).len(), 2);
    }
}
