//! Calls, and the ladder of one.

use actix_web::{HttpResponse, web};
use askama::Template;
use ipdect_proto::admin::v1 as admin;

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
    let (now, recent): (Vec<_>, Vec<_>) = calls.iter().partition(|c| c.ended_utc_ms == 0);
    Ok(ListBody {
        now: now.into_iter().map(views::call).collect(),
        recent: recent.into_iter().map(views::call).collect(),
    })
}

/// One call.
pub(crate) async fn show(visit: Visit, call: web::Path<String>) -> Result<HttpResponse, Trouble> {
    let body = call_body(&visit, &call).await?;
    let live = format!("/live/calls/{}", words::escaped(&call));
    Ok(live_page(&visit, "Call", &live, &body))
}

/// Its body.
pub(crate) async fn call_body(visit: &Visit, call_ref: &str) -> Result<CallBody, Trouble> {
    let found = visit.gui.api.call_get(&visit.caller, call_ref).await?;
    let call = found.call.unwrap_or_default();
    Ok(CallBody {
        row: views::call(&call),
        ladder: ladder(&call, &found.steps),
        legs: call.legs.iter().map(leg).collect(),
        facts: facts(&call),
    })
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
