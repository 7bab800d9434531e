//! The pages and their addresses.

mod calls;
mod devices;
mod login;
mod overview;
mod records;
mod settings;
mod subscription;
mod users;
mod users_import;

use actix_web::web::{self, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse};
use ipdect_proto::admin::v1::AccountRole;

use super::answer::render;
use super::assets::asset;
use super::fields::Fields;
use super::live::live;
use super::trouble::Trouble;
use super::visit::Visit;

/// Largest login form, octets.
const LOGIN_MAX: usize = 16 * 1024;

/// All addresses.
pub(crate) fn routes(to: &mut ServiceConfig) {
    to.route("/assets/{name}", get().to(asset))
        .service(
            web::resource("/login")
                // Nobody is known yet: no large forms.
                .app_data(web::FormConfig::default().limit(LOGIN_MAX))
                .route(get().to(login::show))
                .route(post().to(login::login)),
        )
        .route("/logout", post().to(login::logout))
        .route("/password", get().to(login::password))
        .route("/password", post().to(login::change_password))
        .route("/live/{page:.*}", get().to(live))
        .route("/", get().to(overview::show))
        .route("/portables/press", post().to(overview::press))
        .route("/users", get().to(users::list))
        .route("/users", post().to(users::create))
        .route("/users/new", get().to(users::new))
        .route("/users/import", get().to(users_import::show))
        .route("/users/import", post().to(users_import::import))
        .route("/users/export.csv", get().to(users_import::export))
        .route("/users/{id}", get().to(users::show))
        .route("/users/{id}", post().to(users::update))
        .route("/users/{id}/delete", get().to(users::ask_delete))
        .route("/users/{id}/delete", post().to(users::delete))
        .route("/calls", get().to(calls::list))
        .route("/calls/{call}", get().to(calls::show))
        .route("/radio", get().to(devices::radio))
        .route("/devices", get().to(devices::list))
        .route("/devices/tokens", post().to(devices::create_token))
        .route(
            "/devices/tokens/{id}/revoke",
            post().to(devices::revoke_token),
        )
        .route("/devices/{node}", get().to(devices::show))
        .route("/devices/{node}", post().to(devices::update))
        .route("/devices/{node}/delete", get().to(devices::ask_delete))
        .route("/devices/{node}/delete", post().to(devices::delete))
        .route("/subscription", get().to(subscription::show))
        .route("/subscription/open", post().to(subscription::open))
        .route("/subscription/close", post().to(subscription::close))
        .route(
            "/subscription/{ipei}/remove",
            post().to(subscription::remove),
        )
        .route("/settings/{scope}", get().to(settings::show))
        .route("/settings/{scope}", post().to(settings::save))
        .route("/events", get().to(records::events))
        .route("/audit", get().to(records::audit))
        .default_service(web::to(nowhere));
}

/// The body of a live page, as its stream sends it.
pub(crate) async fn body(visit: &Visit, page: &str, query: &Fields) -> Result<String, Trouble> {
    visit.caller.must_be(AccountRole::Viewer)?;
    Ok(match page.split_once('/').unwrap_or((page, "")) {
        ("overview", "") => render(&overview::body(visit)),
        ("users", "") => render(&users::list_body(visit, query).await?),
        ("calls", "") => render(&calls::list_body(visit).await?),
        ("calls", call) => render(&calls::call_body(visit, call).await?),
        ("radio", "") => render(&devices::radio_body(visit)),
        ("devices", "") => render(&devices::list_body(visit).await?),
        ("subscription", "") => render(&subscription::body(visit)),
        ("events", "") => render(&records::events_body(visit, query).await?),
        _ => {
            return Err(tonic::Status::not_found(format!("there is no live page `{page}`")).into());
        }
    })
}

async fn nowhere(request: HttpRequest) -> Result<HttpResponse, Trouble> {
    Err(tonic::Status::not_found(format!("there is no page {}", request.path())).into())
}
