//! The overview: is everything all right, and if not, what to do.

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::{AccountRole, PressRequest};
use ipdect_proto::link::v1::Role;

use crate::web::answer::{elsewhere, live_page};
use crate::web::board::Tables;
use crate::web::trouble::{Trouble, http_status};
use crate::web::views::phones::{Phone, phones};
use crate::web::views::summary::{Attention, attention, sentence};
use crate::web::views::{self, CallRow, DeviceRow, HandsetRow};
use crate::web::visit::{Posted, Visit};
use crate::web::words::{ago, now_ms};

/// Rows of a table here; the rest has pages of its own.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "overview.html")]
pub(crate) struct Body {
    csrf: String,
    operates: bool,
    lost_html: String,
    lost_because: String,
    synced: bool,
    sentence: String,
    attention: Vec<Attention>,
    phones: Vec<Phone>,
    calls: Vec<CallRow>,
    handsets: Vec<HandsetRow>,
    more_handsets: usize,
    tables: Vec<(&'static str, &'static str, Vec<DeviceRow>)>,
}

/// The page.
pub(crate) async fn show(visit: Visit) -> HttpResponse {
    live_page(&visit, "Overview", "/live/overview", &body(&visit))
}

/// Its body.
pub(crate) fn body(visit: &Visit) -> Body {
    let portables = visit.gui.api.portables().list();
    let phones = phones(&portables, visit.operates());
    visit.gui.board.look(|tables| Body {
        csrf: visit.csrf.clone(),
        operates: visit.operates(),
        lost_html: if tables.lost_utc_ms == 0 {
            String::new()
        } else {
            ago(tables.lost_utc_ms)
        },
        lost_because: tables.lost_because.clone(),
        synced: tables.synced,
        sentence: sentence(tables),
        attention: attention(tables, now_ms()),
        phones,
        calls: tables
            .conversations()
            .iter()
            .take(ROWS)
            .map(views::conversation)
            .collect(),
        handsets: handsets(tables),
        more_handsets: known(tables).count().saturating_sub(ROWS),
        tables: [
            (
                "Servers",
                "A server is missing here only while none answers.",
                Role::Server,
            ),
            (
                "Media resources",
                "None yet: make an enrolment token under Devices and give it to ipdect-media.",
                Role::Media,
            ),
            (
                "Base stations",
                "None yet: make an enrolment token under Devices and give it to ipdect-base.",
                Role::Base,
            ),
        ]
        .into_iter()
        .map(|(title, empty, role)| (title, empty, devices(tables, role)))
        .collect(),
    })
}

fn devices(tables: &Tables, role: Role) -> Vec<DeviceRow> {
    tables
        .devices
        .values()
        .filter(|d| d.role() == role)
        .take(ROWS)
        .map(views::device)
        .collect()
}

/// Handsets that somebody has or that subscribed; the others only tried once.
fn handsets(tables: &Tables) -> Vec<HandsetRow> {
    known(tables).take(ROWS).map(views::handset).collect()
}

fn known(tables: &Tables) -> impl Iterator<Item = &admin::Handset> {
    let handsets = tables.handsets.values();
    handsets.filter(|h| h.subscribed || !h.user_id.is_empty())
}

/// Presses keys of a virtual handset.
pub(crate) async fn press(posted: Posted, request: HttpRequest) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    visit.caller.must_be(AccountRole::Operator)?;
    let press = PressRequest {
        ipei: fields.get("ipei").into(),
        keys: fields.get("keys").into(),
        speech_source: fields.get("source").into(),
    };
    let pressed = visit.gui.api.portables().press(press).await;
    let by_script = request
        .headers()
        .get(ACCEPT)
        .is_some_and(|a| a == "text/plain");
    match pressed {
        Ok(()) if by_script => Ok(HttpResponse::NoContent().finish()),
        Ok(()) => Ok(elsewhere("/")),
        Err(status) if by_script => Ok(HttpResponse::build(http_status(status.code()))
            .content_type("text/plain; charset=utf-8")
            .body(status.message().to_string())),
        Err(status) => Err(status.into()),
    }
}
