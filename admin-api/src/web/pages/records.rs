//! Events and the audit log.

use actix_web::{HttpResponse, web};
use askama::Template;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::Severity;

use crate::web::answer::{live_page, page};
use crate::web::fields::Fields;
use crate::web::trouble::Trouble;
use crate::web::views::{self, EventRow, Mark};
use crate::web::visit::Visit;
use crate::web::words;

/// Rows of a page.
const ROWS: u32 = 200;

#[derive(Template)]
#[template(path = "events.html")]
pub(crate) struct EventsBody {
    least: String,
    events: Vec<EventRow>,
}

struct AuditRow {
    at_html: String,
    actor: String,
    address: String,
    action: String,
    subject: String,
    reason: String,
    change: String,
    mark: Mark,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditBody {
    entries: Vec<AuditRow>,
    older: u64,
}

/// Events.
pub(crate) async fn events(
    visit: Visit,
    query: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Trouble> {
    let query = Fields::new(query.into_inner());
    let body = events_body(&visit, &query).await?;
    let live = format!("/live/events?least={}", words::escaped(query.get("least")));
    Ok(live_page(&visit, "Events", &live, &body))
}

/// Its body.
pub(crate) async fn events_body(visit: &Visit, query: &Fields) -> Result<EventsBody, Trouble> {
    let least = match query.get("least") {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => Severity::Unspecified,
    };
    let request = admin::ListEventsRequest {
        least: least.into(),
        limit: ROWS,
    };
    let events = visit.gui.api.events_list(&visit.caller, request).await?;
    Ok(EventsBody {
        least: query.get("least").into(),
        events: events.iter().map(views::event).collect(),
    })
}

/// The audit log.
pub(crate) async fn audit(
    visit: Visit,
    query: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Trouble> {
    let before_utc_ms = Fields::new(query.into_inner())
        .get("before")
        .parse()
        .unwrap_or(0);
    let request = admin::ListAuditRequest {
        limit: ROWS,
        before_utc_ms,
    };
    let entries = visit.gui.api.audit_list(&visit.caller, request).await?;
    let older = if entries.len() == ROWS as usize {
        entries.last().map_or(0, |e| e.at_utc_ms)
    } else {
        0
    };
    Ok(page(
        &visit,
        "Audit",
        &AuditBody {
            entries: entries.iter().map(audit_row).collect(),
            older,
        },
    ))
}

fn audit_row(entry: &admin::AuditEntry) -> AuditRow {
    let state = if entry.done {
        words::status("up", "done")
    } else {
        words::status("refused", "refused")
    };
    AuditRow {
        at_html: words::ago(entry.at_utc_ms),
        actor: entry.actor.clone(),
        address: entry.address.clone(),
        action: entry.action.clone(),
        subject: entry.subject.clone(),
        reason: entry.reason.clone(),
        change: entry.change.clone(),
        mark: Mark(state),
    }
}
