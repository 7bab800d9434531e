//! Calls and conversations in tables.

use ipdect_proto::admin::v1 as admin;

use super::Mark;
use crate::conversation::Conversation;
use crate::web::words;

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
        (false, true) => (caller(all), users(all.others.iter().copied())),
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

/// The user who placed a call, with the name that the others saw.
fn caller(all: &Conversation<'_>) -> String {
    let mut seen = all.others.iter().map(|end| &end.peer_name);
    match seen.find(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({})", user(all.first)),
        None => user(all.first),
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_call_between_two_handsets_is_one_row_with_what_both_tell() {
        let caller = admin::Call {
            username: "1001".into(),
            outgoing: true,
            peer_number: "1002".into(),
            base_node_id: "base-1".into(),
            media_node_id: "media-1".into(),
            end_reason: "hung up at the handset".into(),
            ..Default::default()
        };
        let called = admin::Call {
            username: "1002".into(),
            peer_number: "sip:1001@ipdect.internal".into(),
            peer_name: "Ann".into(),
            base_node_id: "base-2".into(),
            media_node_id: "media-1".into(),
            end_reason: "hung up by the peer".into(),
            ..Default::default()
        };
        let row = conversation(&Conversation {
            first: &caller,
            others: vec![&called],
        });
        assert_eq!(
            (row.who.as_str(), row.arrow, row.peer.as_str()),
            ("Ann (1001)", "\u{2192}", "1002")
        );
        assert_eq!(row.through, "base-1, base-2, media-1");
        assert_eq!(
            row.end,
            "1001: hung up at the handset; 1002: hung up by the peer"
        );
        let alone = call(&called);
        assert_eq!(
            (alone.who.as_str(), alone.peer.as_str()),
            ("1002", "Ann (1001@ipdect.internal)")
        );
    }
}
