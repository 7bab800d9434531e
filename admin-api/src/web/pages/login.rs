//! Login, logout, password.

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use tonic::{Code, Status};

use crate::web::answer::{bare, elsewhere, mistaken_page, page};
use crate::web::fields::Fields;
use crate::web::trouble::{Trouble, http_status, retry_after};
use crate::web::visit::{
    Posted, Visit, address, comes_from_elsewhere, cookie, cookie_name, gui, own_path, same_secret,
};

/// Holds the secret of the login form, before there is a session.
const FORM_COOKIE: &str = "ipdect-form";

#[derive(Template)]
#[template(path = "login.html")]
struct LoginBody<'a> {
    secret: &'a str,
    next: &'a str,
    name: &'a str,
    trouble: &'a str,
    first: bool,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordBody<'a> {
    csrf: &'a str,
    account: &'a str,
    forced: bool,
    old_mistake: &'a str,
    new_mistake: &'a str,
}

/// The login form.
pub(crate) async fn show(
    request: HttpRequest,
    query: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Trouble> {
    let query = Fields::new(query.into_inner());
    form(
        &request,
        own_path(query.get("next")),
        "",
        "",
        StatusCode::OK,
    )
    .await
}

async fn form(
    request: &HttpRequest,
    next: &str,
    name: &str,
    trouble: &str,
    status: StatusCode,
) -> Result<HttpResponse, Trouble> {
    // Said only where it helps: on a loopback address, while the first password stands.
    let first = address(request).is_loopback()
        && gui(request)?.api.bootstrap_stands().await.unwrap_or(false);
    let secret = format!("{:032x}", rand::random::<u128>());
    let body = LoginBody {
        secret: &secret,
        next,
        name,
        trouble,
        first,
    };
    let mut answer = bare(status, "Log in", &body);
    add_cookie(&mut answer, &cookie(request, FORM_COOKIE, &secret));
    Ok(answer)
}

fn add_cookie(answer: &mut HttpResponse, cookie: &Cookie<'_>) {
    // Fails only for names and values that no header can hold; ours are hexadecimal or base64.
    let _ = answer.add_cookie(cookie);
}

/// Opens a session; a former one of this browser ends.
pub(crate) async fn login(
    request: HttpRequest,
    form_: web::Form<Vec<(String, String)>>,
) -> Result<HttpResponse, Trouble> {
    let fields = Fields::new(form_.into_inner());
    let kept = request
        .cookie(FORM_COOKIE)
        .map(|c| c.value().to_string())
        .unwrap_or_default();
    let next = own_path(fields.get("next"));
    if comes_from_elsewhere(&request) || !same_secret(fields.get("csrf"), &kept) {
        return form(
            &request,
            next,
            fields.get("name"),
            "The form was too old. Please send it again.",
            StatusCode::FORBIDDEN,
        )
        .await;
    }
    let gui = gui(&request)?;
    let opened = gui
        .api
        .login(
            fields.get("name"),
            fields.raw("password"),
            address(&request),
        )
        .await;
    let (token, account) = match opened {
        Ok(opened) => opened,
        Err(status) => return refused(&request, next, fields.get("name"), &status).await,
    };
    if let Some(former) = request.cookie(cookie_name(&request))
        && let Ok(caller) = gui.api.caller(former.value(), address(&request))
    {
        gui.api.logout(&caller);
    }
    let mut answer = elsewhere(if account.must_change {
        "/password"
    } else {
        next
    });
    add_cookie(
        &mut answer,
        &cookie(&request, cookie_name(&request), &token),
    );
    let mut spent = cookie(&request, FORM_COOKIE, "");
    spent.make_removal();
    add_cookie(&mut answer, &spent);
    Ok(answer)
}

/// The same words whether the account exists or not.
async fn refused(
    request: &HttpRequest,
    next: &str,
    name: &str,
    status: &Status,
) -> Result<HttpResponse, Trouble> {
    let said = match status.code() {
        Code::Unauthenticated => "Name or password is wrong.".to_string(),
        Code::ResourceExhausted => format!("{}.", status.message()),
        _ => return Err(Trouble::Status(Box::new(status.clone()))),
    };
    let code = if status.code() == Code::Unauthenticated {
        StatusCode::UNAUTHORIZED
    } else {
        http_status(status.code())
    };
    let mut answer = form(request, next, name, &said, code).await?;
    if let Some(value) = retry_after(status).and_then(|s| s.parse().ok()) {
        answer.headers_mut().insert(RETRY_AFTER, value);
    }
    Ok(answer)
}

/// Ends the session.
pub(crate) async fn logout(posted: Posted, request: HttpRequest) -> HttpResponse {
    posted.visit.gui.api.logout(&posted.visit.caller);
    let mut answer = elsewhere("/login");
    let mut gone = cookie(&request, cookie_name(&request), "");
    gone.make_removal();
    add_cookie(&mut answer, &gone);
    answer
}

/// The form for another password.
pub(crate) async fn password(visit: Visit) -> HttpResponse {
    page(&visit, "Password", &password_body(&visit, "", ""))
}

fn password_body<'a>(
    visit: &'a Visit,
    old_mistake: &'a str,
    new_mistake: &'a str,
) -> PasswordBody<'a> {
    PasswordBody {
        csrf: &visit.csrf,
        account: &visit.caller.name,
        forced: visit.caller.must_change,
        old_mistake,
        new_mistake,
    }
}

/// Changes the password.
pub(crate) async fn change_password(posted: Posted) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    let (old, new) = (fields.raw("old_password"), fields.raw("new_password"));
    if new != fields.raw("again") {
        return Ok(mistaken_page(
            &visit,
            "Password",
            &password_body(&visit, "", "the two new passwords differ; type them again"),
        ));
    }
    match visit.gui.api.change_password(&visit.caller, old, new).await {
        Ok(()) => Ok(elsewhere("/")),
        Err(status) if status.code() == Code::InvalidArgument => {
            let said = status.message();
            let old_mistake = said.strip_prefix("old_password: ").unwrap_or_default();
            let new_mistake = if old_mistake.is_empty() {
                said.strip_prefix("new_password: ").unwrap_or(said)
            } else {
                ""
            };
            Ok(mistaken_page(
                &visit,
                "Password",
                &password_body(&visit, old_mistake, new_mistake),
            ))
        }
        Err(status) => Err(status.into()),
    }
}
