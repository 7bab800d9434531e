//! Calls, and the ladder of one.

use actix_web::{HttpResponse, web};
use askama::Template;
use ipdect_proto::admin::v1 as admin;

use crate::conversation::{Conversation, conversations};
use crate::web::answer::live_page;
use crate::web::trouble::Trouble;
use crate::web::views::ladder::{Ladder, ladder};
use crate::web::views::{self, CallRow};
use crate::web::visit::Visit;
use crate::web::words;

/// Calls of the list.
const ROWS: u32 = 200;

#[derive(Template)]
#[template(path = "calls.html")]
pub(crate) struct ListBody {
    now: Vec<CallRow>,
    recent: Vec<CallRow>,
}

struct LegRow {
    kind: String,
    codec: String,
    srtp: String,
    remote: String,
    sent: u64,
    received: u64,
    lost: u64,
    late: u64,
    concealed: u64,
    jitter: String,
    round_trip: String,
    level: String,
    r_factor: String,
}

#[derive(Template)]
#[template(path = "call.html")]
pub(crate) struct CallBody {
    row: CallRow,
    ends: Vec<End>,
}

/// What one handset tells of the conversation.
struct End {
    /// ` of 1001`; empty if no other handset takes part.
    of: String,
    ladder: Ladder,
    legs: Vec<LegRow>,
    facts: Vec<(&'static str, String)>,
}

/// The list.
pub(crate) async fn list(visit: Visit) -> Result<HttpResponse, Trouble> {
    let body = list_body(&visit).await?;
    Ok(live_page(&visit, "Calls", "/live/calls", &body))
}

/// Its body.
pub(crate) async fn list_body(visit: &Visit) -> Result<ListBody, Trouble> {
    let request = admin::ListCallsRequest {
        ended: true,
        ipei: String::new(),
        limit: ROWS,
    };
    let calls = visit.gui.api.calls_list(&visit.caller, request).await?;
    let (now, recent): (Vec<_>, Vec<_>) = conversations(&calls)
        .into_iter()
        .partition(Conversation::stands);
    Ok(ListBody {
        now: now.iter().map(views::conversation).collect(),
        recent: recent.iter().map(views::conversation).collect(),
    })
}

/// One call.
pub(crate) async fn show(visit: Visit, call: web::Path<String>) -> Result<HttpResponse, Trouble> {
    let body = call_body(&visit, &call).await?;
    let live = format!("/live/calls/{}", words::escaped(&call));
    Ok(live_page(&visit, "Call", &live, &body))
}

/// Its body: the conversation, with the ladder of every handset in it.
pub(crate) async fn call_body(visit: &Visit, call_ref: &str) -> Result<CallBody, Trouble> {
    let found = visit.gui.api.call_get(&visit.caller, call_ref).await?;
    let call = found.call.unwrap_or_default();
    let mut told = Vec::new();
    for other in &call.other_ends {
        // An end that is kept no longer is told of no more.
        if let Ok(found) = visit.gui.api.call_get(&visit.caller, other).await {
            told.push((found.call.unwrap_or_default(), found.steps));
        }
    }
    told.insert(0, (call, found.steps));
    Ok(call_body_of(&told))
}

/// The page from what the ends of one conversation tell.
fn call_body_of(told: &[(admin::Call, Vec<admin::LadderStep>)]) -> CallBody {
    let all = conversations(told.iter().map(|(call, _)| call));
    let ends = all.iter().flat_map(Conversation::ends);
    let several = told.len() > 1;
    let end = |(place, call): (usize, &admin::Call)| {
        let steps = told.iter().find(|(end, _)| end == call);
        End {
            of: if several {
                format!(" of {}", views::user(call))
            } else {
                String::new()
            },
            ladder: ladder(call, place, steps.map_or(&[], |(_, steps)| steps)),
            legs: call.legs.iter().map(leg).collect(),
            facts: facts(call),
        }
    };
    CallBody {
        row: all
            .first()
            .map_or_else(|| views::call(&admin::Call::default()), views::conversation),
        ends: ends.enumerate().map(end).collect(),
    }
}

fn leg(leg: &admin::CallLeg) -> LegRow {
    let ms = |us: u32| {
        if us == 0 {
            "unknown".to_string()
        } else {
            format!("{:.1} ms", f64::from(us) / 1000.0)
        }
    };
    LegRow {
        kind: leg.kind.clone(),
        codec: leg.codec.clone(),
        srtp: if leg.srtp_suite.is_empty() {
            "plain RTP".into()
        } else {
            leg.srtp_suite.clone()
        },
        remote: leg.remote.clone(),
        sent: leg.sent,
        received: leg.received,
        lost: leg.lost,
        late: leg.late,
        concealed: leg.concealed,
        jitter: format!("{:.1} ms", f64::from(leg.jitter_us) / 1000.0),
        round_trip: ms(leg.round_trip_us),
        level: format!("{:.1} dBm0", leg.level_dbm0),
        r_factor: if leg.r_factor > 0.0 {
            format!("{:.0} of 100", leg.r_factor)
        } else {
            "unknown".into()
        },
    }
}

/// What else is known of a call; what is empty is left out.
fn facts(call: &admin::Call) -> Vec<(&'static str, String)> {
    let handovers = if call.handovers == 0 {
        String::new()
    } else {
        call.handovers.to_string()
    };
    let all = [
        ("Handset", words::ipei(&call.ipei)),
        ("Server", call.server_node_id.clone()),
        ("Base station", call.base_node_id.clone()),
        ("Media resource", call.media_node_id.clone()),
        ("Handovers", handovers),
        ("SIP Call-ID", call.sip_call_id.clone()),
        ("Trace", hex::encode(&call.trace_id)),
        ("Call reference", call.call_ref.clone()),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ladders_of_a_conversation_are_on_its_page_each_with_its_user() {
        let end = |username: &str, outgoing, other: &str| {
            let call = admin::Call {
                call_ref: format!("call-{username}"),
                username: username.into(),
                outgoing,
                peer_number: "somebody".into(),
                other_ends: vec![format!("call-{other}")],
                ..Default::default()
            };
            let step = admin::LadderStep {
                summary: format!("said by {username}"),
                ..Default::default()
            };
            (call, vec![step])
        };
        let called_first = [end("1002", false, "1001"), end("1001", true, "1002")];
        let html = call_body_of(&called_first).render().unwrap();
        assert!(
            html.contains("1001 <span aria-hidden=\"true\">\u{2192}</span>"),
            "{html}"
        );
        let places = [
            "Ladder of 1001",
            "said by 1001",
            "Ladder of 1002",
            "said by 1002",
        ]
        .map(|text| html.find(text).unwrap_or_else(|| panic!("{text}: {html}")));
        assert!(places.is_sorted(), "{html}");
        for id in ["id=\"step-0-0\"", "id=\"step-1-0\""] {
            assert_eq!(html.matches(id).count(), 1, "{html}");
        }
        let alone = call_body_of(&[end("1001", true, "gone")]).render().unwrap();
        assert!(alone.contains("<h2>Ladder</h2>"), "{alone}");
    }
}
