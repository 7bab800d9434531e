//! Servers, media resources, base stations; enrolment tokens.

use actix_web::{HttpResponse, web};
use askama::Template;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::link::v1::Role;
use tonic::{Code, Status};

use super::users::DeleteBody;
use crate::web::answer::{elsewhere, live_page, mistaken_page, page};
use crate::web::fields::{Fields, Input, Kind, place_mistakes};
use crate::web::trouble::Trouble;
use crate::web::views::{self, DeviceRow};
use crate::web::visit::{Posted, Visit};
use crate::web::words::{self, escaped};

struct TokenRow {
    id: String,
    role: &'static str,
    uses: u32,
    expires_html: String,
    created_html: String,
    by: String,
    note: String,
}

/// A token that was just made; told this once.
struct Made {
    text: String,
    role: &'static str,
    use_it: &'static str,
}

#[derive(Template)]
#[template(path = "devices.html")]
pub(crate) struct ListBody {
    csrf: String,
    administers: bool,
    refused: Vec<DeviceRow>,
    devices: Vec<DeviceRow>,
    tokens: Vec<TokenRow>,
    made: Option<Made>,
}

#[derive(Template)]
#[template(path = "radio.html")]
pub(crate) struct RadioBody {
    bases: Vec<(DeviceRow, u32, u32)>,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DeviceBody<'a> {
    csrf: &'a str,
    administers: bool,
    device: DeviceRow,
    id: String,
    revision: u64,
    enrolled: bool,
    inputs: Vec<Input>,
    errors: Vec<String>,
    saved: bool,
}

/// Base stations.
pub(crate) async fn radio(visit: Visit) -> HttpResponse {
    live_page(&visit, "Base stations", "/live/radio", &radio_body(&visit))
}

/// Its body.
pub(crate) fn radio_body(visit: &Visit) -> RadioBody {
    let figures = |d: &admin::Device| d.status.as_ref().map_or((0, 0), |s| (s.busy, s.capacity));
    let row = |d: &admin::Device| (views::device(d), figures(d).0, figures(d).1);
    RadioBody {
        bases: visit.gui.board.look(|t| {
            t.devices
                .values()
                .filter(|d| d.role() == Role::Base)
                .map(row)
                .collect()
        }),
    }
}

/// All devices.
pub(crate) async fn list(visit: Visit) -> Result<HttpResponse, Trouble> {
    let body = list_body(&visit).await?;
    Ok(live_page(&visit, "Devices", "/live/devices", &body))
}

/// Its body.
pub(crate) async fn list_body(visit: &Visit) -> Result<ListBody, Trouble> {
    let mut all = visit
        .gui
        .api
        .devices_list(&visit.caller, Role::Unspecified)
        .await?;
    all.sort_by_key(|d| (d.role, d.node_id.clone()));
    let is_refused = |d: &&admin::Device| {
        d.status
            .as_ref()
            .is_some_and(|s| s.state() == admin::DeviceState::Refused)
    };
    let (refused, devices): (Vec<_>, Vec<_>) = all.iter().partition(is_refused);
    let tokens = if visit.administers() {
        visit.gui.api.token_list(&visit.caller).await?
    } else {
        Vec::new()
    };
    Ok(ListBody {
        csrf: visit.csrf.clone(),
        administers: visit.administers(),
        refused: refused.into_iter().map(views::device).collect(),
        devices: devices.into_iter().map(views::device).collect(),
        tokens: tokens.iter().map(token).collect(),
        made: None,
    })
}

fn token(token: &admin::Token) -> TokenRow {
    TokenRow {
        id: token.id.clone(),
        role: words::role(token.role()),
        uses: token.uses_left,
        expires_html: words::until(token.expires_utc_ms),
        created_html: words::ago(token.created_utc_ms),
        by: token.created_by.clone(),
        note: token.note.clone(),
    }
}

/// Makes a token and tells it, this once.
pub(crate) async fn create_token(posted: Posted) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    let (role, use_it) = match fields.get("role") {
        "base" => (
            Role::Base,
            "Write it into base.toml as [enrol] token (or set IPDECT_ENROL__TOKEN) and start ipdect-base.",
        ),
        "media" => (
            Role::Media,
            "Write it into media.toml as [enrol] token (or set IPDECT_ENROL__TOKEN) and start ipdect-media.",
        ),
        "admin" => (
            Role::Admin,
            "Write it into admin.toml as [enrol] token (or set IPDECT_ENROL__TOKEN) and start ipdect-admin.",
        ),
        "host" => (
            Role::Host,
            "Give it to the program that runs virtual handsets.",
        ),
        _ => {
            return Err(Status::invalid_argument(
                "role: choose base station, media resource, admin API or host",
            )
            .into());
        }
    };
    let number = |name: &str, most: u32| {
        fields
            .get(name)
            .parse::<u32>()
            .ok()
            .filter(|n| (1..=most).contains(n))
    };
    let (Some(uses), Some(hours)) = (number("uses", 1000), number("hours", 720)) else {
        return Err(Status::invalid_argument(
            "uses and hours: write whole numbers, 1 to 1000 uses and 1 to 720 hours",
        )
        .into());
    };
    let request = admin::CreateTokenRequest {
        role: role.into(),
        uses,
        valid_s: hours * 3600,
        note: fields.get("note").into(),
    };
    let made = visit.gui.api.token_create(&visit.caller, request).await?;
    let mut body = list_body(&visit).await?;
    body.made = Some(Made {
        text: made.text,
        role: words::role(role),
        use_it,
    });
    Ok(page(&visit, "Devices", &body))
}

/// Makes a token worthless.
pub(crate) async fn revoke_token(
    posted: Posted,
    id: web::Path<String>,
) -> Result<HttpResponse, Trouble> {
    posted
        .visit
        .gui
        .api
        .token_revoke(&posted.visit.caller, &id)
        .await?;
    Ok(elsewhere("/devices#tokens"))
}

async fn found(visit: &Visit, node: &str) -> Result<admin::Device, Trouble> {
    let all = visit
        .gui
        .api
        .devices_list(&visit.caller, Role::Unspecified)
        .await?;
    let device = all.into_iter().find(|d| d.node_id == node);
    device.ok_or_else(|| Status::not_found(format!("there is no device `{node}`")).into())
}

fn inputs(device: &admin::Device) -> Vec<Input> {
    vec![
        Input::new("site", "Site", Kind::Text, "main", "Where it stands; calls prefer media resources of the same site.").holding(device.site.as_str()),
        Input::new("note", "Note", Kind::Text, "empty", "Free text, such as the room or the switch port.").holding(device.note.as_str()),
        Input::new("disabled", "Switched off", Kind::Switch, "off", "Its certificate does not count any more: the link ends at once and it cannot come back.")
            .holding(if device.disabled { "on" } else { "" }),
    ]
}

fn device_body<'a>(
    visit: &'a Visit,
    device: &admin::Device,
    inputs: Vec<Input>,
    errors: Vec<String>,
) -> DeviceBody<'a> {
    DeviceBody {
        csrf: &visit.csrf,
        administers: visit.administers(),
        device: views::device(device),
        id: escaped(&device.node_id),
        revision: device.revision,
        enrolled: device.enrolled_utc_ms != 0,
        inputs,
        errors,
        saved: false,
    }
}

/// One device.
pub(crate) async fn show(
    visit: Visit,
    node: web::Path<String>,
    query: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Trouble> {
    let device = found(&visit, &node).await?;
    let mut body = device_body(&visit, &device, inputs(&device), Vec::new());
    body.saved = Fields::new(query.into_inner()).ticked("saved");
    Ok(page(&visit, &device.node_id, &body))
}

/// Changes a device.
pub(crate) async fn update(
    posted: Posted,
    node: web::Path<String>,
) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    let mut device = found(&visit, &node).await?;
    device.site = fields.get("site").into();
    device.note = fields.get("note").into();
    device.disabled = fields.ticked("disabled");
    device.revision = fields.get("revision").parse().unwrap_or(0);
    device.status = None;
    let request = admin::UpdateDeviceRequest {
        device: Some(device.clone()),
        reason: fields.get("reason").into(),
    };
    match visit.gui.api.device_update(&visit.caller, request).await {
        Ok(_) => Ok(elsewhere(&format!("/devices/{}?saved=1", escaped(&node)))),
        Err(status) if status.code() == Code::InvalidArgument => {
            let mut inputs = inputs(&device);
            let errors = place_mistakes(status.message(), &mut inputs);
            Ok(mistaken_page(
                &visit,
                &device.node_id,
                &device_body(&visit, &device, inputs, errors),
            ))
        }
        Err(status) => Err(status.into()),
    }
}

/// Asks before a device is removed.
pub(crate) async fn ask_delete(
    visit: Visit,
    node: web::Path<String>,
) -> Result<HttpResponse, Trouble> {
    let device = found(&visit, &node).await?;
    let what = format!("Remove {} {}", words::role(device.role()), device.node_id);
    let busy = device.status.as_ref().map_or(0, |s| s.busy);
    let mut happens =
        vec!["Its certificate no longer counts, and its link ends at once.".to_string()];
    if busy > 0 {
        happens.push(format!(
            "{} that it carries now will end or move.",
            words::count(busy as usize, "stream of speech")
        ));
    }
    happens.push("To use the unit again, enrol it with a new token.".into());
    let body = DeleteBody {
        csrf: &visit.csrf,
        what: &what,
        happens,
        action: format!("/devices/{}/delete", escaped(&device.node_id)),
        back: format!("/devices/{}", escaped(&device.node_id)),
        revision: device.revision,
    };
    Ok(page(&visit, &what, &body))
}

/// Removes a device.
pub(crate) async fn delete(
    posted: Posted,
    node: web::Path<String>,
) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    visit
        .gui
        .api
        .device_delete(&visit.caller, &node, fields.get("reason"))
        .await?;
    Ok(elsewhere("/devices"))
}
