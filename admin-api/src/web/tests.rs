//! The pages as a browser meets them, without a server behind: who may see what, and what a form must bring.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actix_web::body::MessageBody;
use actix_web::cookie::Cookie;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::AccountRole;
use ipdect_proto::admin::v1::portable_report::Body;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::{Gui, headers, pages};

/// Texts that a stranger may put into names, displays and messages.
const PAYLOADS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'-alert(1)-'",
    "</textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
];

fn gui() -> Gui {
    Gui {
        api: crate::api::tests::api(),
        board: Board::new(),
        window: Arc::new(AtomicU64::new(0)),
        stop: CancellationToken::new(),
    }
}

/// The site, as a service that takes requests.
macro_rules! site {
    ($gui:expr) => {
        init_service(
            App::new()
                .app_data(web::Data::new($gui.clone()))
                .wrap(headers())
                .configure(pages::routes),
        )
        .await
    };
}

/// Cookie and form secret of somebody who is logged in.
fn visitor(gui: &Gui, role: AccountRole, must_change: bool) -> (Cookie<'static>, String) {
    let account = admin::Account {
        name: "anna".into(),
        role: role.into(),
        must_change,
        ..Default::default()
    };
    let token = gui.api.session_of(&account);
    let caller = gui.api.caller(&token, [127, 0, 0, 1].into()).unwrap();
    (Cookie::new("ipdect", token), gui.api.csrf(&caller))
}

fn location<B>(answer: &ServiceResponse<B>) -> &str {
    answer
        .headers()
        .get("location")
        .and_then(|l| l.to_str().ok())
        .unwrap_or("")
}

async fn text<B: MessageBody>(answer: ServiceResponse<B>) -> String {
    String::from_utf8(read_body(answer).await.to_vec()).unwrap()
}

#[actix_web::test]
async fn without_a_session_every_page_leads_to_the_login() {
    let gui = gui();
    let site = site!(gui);
    for path in [
        "/",
        "/users",
        "/calls",
        "/devices",
        "/settings/sip",
        "/audit",
        "/live/overview",
        "/users/export.csv",
    ] {
        let answer = call_service(&site, TestRequest::get().uri(path).to_request()).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        assert!(location(&answer).starts_with("/login"), "{path}");
    }
}

#[actix_web::test]
async fn before_the_password_is_changed_every_page_leads_there() {
    let gui = gui();
    let site = site!(gui);
    let (cookie, csrf) = visitor(&gui, AccountRole::Administrator, true);
    for path in ["/", "/users", "/settings/sip", "/live/overview"] {
        let answer = call_service(
            &site,
            TestRequest::get()
                .uri(path)
                .cookie(cookie.clone())
                .to_request(),
        )
        .await;
        assert_eq!(
            (answer.status(), location(&answer)),
            (StatusCode::SEE_OTHER, "/password"),
            "{path}"
        );
    }
    let form = [
        ("csrf", csrf.as_str()),
        ("ipei", "655350000001"),
        ("keys", "("),
    ];
    let answer = call_service(
        &site,
        TestRequest::post()
            .uri("/portables/press")
            .cookie(cookie.clone())
            .set_form(form)
            .to_request(),
    )
    .await;
    assert_eq!(
        (answer.status(), location(&answer)),
        (StatusCode::SEE_OTHER, "/password")
    );
    let page = text(
        call_service(
            &site,
            TestRequest::get()
                .uri("/password")
                .cookie(cookie)
                .to_request(),
        )
        .await,
    )
    .await;
    assert!(page.contains("still stands") && !page.contains("<nav"));
}

#[actix_web::test]
async fn a_form_without_the_sessions_secret_or_from_another_site_changes_nothing() {
    let gui = gui();
    let site = site!(gui);
    let (cookie, csrf) = visitor(&gui, AccountRole::Administrator, false);
    for (secret, site_of) in [
        ("", "same-origin"),
        ("wrong", "same-origin"),
        (csrf.as_str(), "cross-site"),
    ] {
        let request = TestRequest::post()
            .uri("/logout")
            .cookie(cookie.clone())
            .insert_header(("Sec-Fetch-Site", site_of));
        let answer = call_service(&site, request.set_form([("csrf", secret)]).to_request()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    assert!(
        gui.api
            .caller(cookie.value(), [127, 0, 0, 1].into())
            .is_ok(),
        "the session stands"
    );
    let request = TestRequest::post()
        .uri("/logout")
        .cookie(cookie.clone())
        .set_form([("csrf", csrf)]);
    assert_eq!(
        location(&call_service(&site, request.to_request()).await),
        "/login"
    );
    assert!(
        gui.api
            .caller(cookie.value(), [127, 0, 0, 1].into())
            .is_err(),
        "the session is over"
    );
}

#[actix_web::test]
async fn pages_forbid_foreign_and_inline_script_and_are_not_kept() {
    let gui = gui();
    let site = site!(gui);
    let (cookie, _) = visitor(&gui, AccountRole::Viewer, false);
    let answer = call_service(
        &site,
        TestRequest::get().uri("/").cookie(cookie).to_request(),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
    let said = |name: &str| {
        answer
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("")
            .to_string()
    };
    let policy = said("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(
        (
            said("cache-control").as_str(),
            said("x-content-type-options").as_str()
        ),
        ("no-store", "nosniff")
    );
    let page = text(answer).await;
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("onclick"));
    assert_eq!(page.matches("<script").count(), 1);
}

#[actix_web::test]
async fn who_may_only_look_presses_no_keys_and_is_offered_none() {
    let gui = gui();
    let site = site!(gui);
    portable(&gui, "Idle");
    let (cookie, csrf) = visitor(&gui, AccountRole::Viewer, false);
    let page = text(
        call_service(
            &site,
            TestRequest::get()
                .uri("/")
                .cookie(cookie.clone())
                .to_request(),
        )
        .await,
    )
    .await;
    assert!(page.contains("65535 0000001 3") && !page.contains("/portables/press"));
    let form = [
        ("csrf", csrf.as_str()),
        ("ipei", "655350000001"),
        ("keys", "("),
    ];
    let answer = call_service(
        &site,
        TestRequest::post()
            .uri("/portables/press")
            .cookie(cookie)
            .set_form(form)
            .to_request(),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn without_any_server_a_page_says_so_and_what_to_do() {
    let gui = gui();
    let site = site!(gui);
    let (cookie, _) = visitor(&gui, AccountRole::Administrator, false);
    let answer = call_service(
        &site,
        TestRequest::get().uri("/users").cookie(cookie).to_request(),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = text(answer).await;
    assert!(
        page.contains("No server answers") && page.contains("ipdect-server"),
        "{page}"
    );
}

#[actix_web::test]
async fn what_a_handset_shows_runs_no_script() {
    let gui = gui();
    let site = site!(gui);
    let (cookie, _) = visitor(&gui, AccountRole::Operator, false);
    for payload in PAYLOADS {
        portable(&gui, payload);
        let page = text(
            call_service(
                &site,
                TestRequest::get()
                    .uri("/")
                    .cookie(cookie.clone())
                    .to_request(),
            )
            .await,
        )
        .await;
        assert!(
            !page.contains("<script>alert")
                && !page.contains("<img src=x")
                && !page.contains("<svg onload"),
            "{payload}"
        );
        assert!(
            page.contains("alert(1)"),
            "the text itself is shown: {payload}"
        );
    }
    for payload in PAYLOADS {
        let uri = format!("/login?next={}", super::words::escaped(payload));
        let page = text(call_service(&site, TestRequest::get().uri(&uri).to_request()).await).await;
        assert!(!page.contains("alert(1)"), "{payload}");
    }
}

fn portable(gui: &Gui, display: &str) {
    let (host, _orders) = gui.api.portables().attach("host-1");
    let portable = admin::Portable {
        ipei: "655350000001".into(),
        number: "1001".into(),
        display: vec![display.into()],
        link: admin::PortableLinkState::Ready.into(),
        call: admin::PortableCallState::Connected.into(),
        ..Default::default()
    };
    let report = admin::PortableReport {
        body: Some(Body::Portable(portable)),
        ..Default::default()
    };
    gui.api.portables().reported(host, report);
}

#[actix_web::test]
async fn a_login_needs_the_form_that_this_browser_was_given() {
    let gui = gui();
    let site = site!(gui);
    let form = [("csrf", "guess"), ("name", "admin"), ("password", "ip6000")];
    let answer = call_service(
        &site,
        TestRequest::post()
            .uri("/login")
            .set_form(form)
            .to_request(),
    )
    .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(
        answer.response().cookies().all(|c| c.name() != "ipdect"),
        "no session"
    );
    let given = call_service(&site, TestRequest::get().uri("/login").to_request()).await;
    let cookie = given
        .response()
        .cookies()
        .find(|c| c.name() == "ipdect-form")
        .map(|c| c.into_owned())
        .unwrap();
    assert!(cookie.http_only().unwrap() && cookie.value().len() == 32);
}
