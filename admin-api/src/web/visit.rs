//! Who visits: the session cookie, the forced change of the password, the secret that forms repeat.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;

use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use ipdect_proto::admin::v1::AccountRole;
use sha2::{Digest, Sha256};

use super::Gui;
use super::fields::Fields;
use super::trouble::Trouble;
use crate::api::caller::Caller;

/// Largest form: a CSV file of 4 MiB, each octet escaped.
pub(crate) const FORM_MAX: usize = 13 * 1024 * 1024;
/// Pages that are open before the first password was changed.
const BEFORE_CHANGE: &[&str] = &["/password", "/logout"];

/// A request of somebody who is logged in.
pub(crate) struct Visit {
    /// What all handlers share.
    pub(crate) gui: web::Data<Gui>,
    /// Who it is.
    pub(crate) caller: Caller,
    /// The secret that his forms repeat.
    pub(crate) csrf: String,
    /// Path of the page.
    pub(crate) path: String,
}

impl Visit {
    /// Whether users, handsets and subscriptions may be changed.
    pub(crate) fn operates(&self) -> bool {
        self.caller.role >= AccountRole::Operator
    }

    /// Whether everything may be changed.
    pub(crate) fn administers(&self) -> bool {
        self.caller.role >= AccountRole::Administrator
    }

    fn find(request: &HttpRequest) -> Result<Self, Trouble> {
        let gui = gui(request)?;
        let path = request.path().to_string();
        let to_login = || Trouble::Elsewhere(login_address(request));
        let cookie = request.cookie(cookie_name(request)).ok_or_else(to_login)?;
        let caller = gui
            .api
            .caller(cookie.value(), address(request))
            .map_err(|_| to_login())?;
        if caller.must_change && !BEFORE_CHANGE.contains(&path.as_str()) {
            return Err(Trouble::Elsewhere("/password".into()));
        }
        let csrf = gui.api.csrf(&caller);
        Ok(Self {
            gui,
            caller,
            csrf,
            path,
        })
    }
}

impl FromRequest for Visit {
    type Error = Trouble;
    type Future = Ready<Result<Self, Trouble>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::find(request))
    }
}

/// A form sent by somebody who is logged in, from one of our own pages.
pub(crate) struct Posted {
    /// Who sent it.
    pub(crate) visit: Visit,
    /// What it says.
    pub(crate) fields: Fields,
}

impl FromRequest for Posted {
    type Error = Trouble;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Trouble>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let visit = Visit::find(request);
        let form = web::Form::<Vec<(String, String)>>::from_request(request, payload);
        let stranger = comes_from_elsewhere(request);
        Box::pin(async move {
            let visit = visit?;
            let fields = Fields::new(
                form.await
                    .map_err(|e| Trouble::Form(e.to_string()))?
                    .into_inner(),
            );
            if stranger || !same_secret(fields.get("csrf"), &visit.csrf) {
                return Err(Trouble::Forged);
            }
            Ok(Self { visit, fields })
        })
    }
}

/// What all handlers share.
pub(crate) fn gui(request: &HttpRequest) -> Result<web::Data<Gui>, Trouble> {
    let gui = request.app_data::<web::Data<Gui>>().cloned();
    gui.ok_or_else(|| Trouble::Form("the pages are not set up".into()))
}

/// Where a request comes from.
pub(crate) fn address(request: &HttpRequest) -> IpAddr {
    request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip())
}

/// The session cookie's name. Ports share cookies, so plain HTTP has another one; `__Host-` keeps subdomains out.
pub(crate) fn cookie_name(request: &HttpRequest) -> &'static str {
    if request.app_config().secure() {
        "__Host-ipdect"
    } else {
        "ipdect"
    }
}

/// A cookie that scripts cannot read and other sites cannot send.
pub(crate) fn cookie(request: &HttpRequest, name: &str, value: &str) -> Cookie<'static> {
    Cookie::build(name.to_string(), value.to_string())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(request.app_config().secure())
        .finish()
}

/// Whether a browser says that another site made this request.
pub(crate) fn comes_from_elsewhere(request: &HttpRequest) -> bool {
    let said = request
        .headers()
        .get("Sec-Fetch-Site")
        .and_then(|v| v.to_str().ok());
    said.is_some_and(|site| site != "same-origin" && site != "none")
}

/// Compares secrets by their hashes, so that time tells nothing of them.
pub(crate) fn same_secret(said: &str, kept: &str) -> bool {
    !kept.is_empty() && Sha256::digest(said) == Sha256::digest(kept)
}

/// A path of our own to go to after login; anything else is the overview.
pub(crate) fn own_path(wanted: &str) -> &str {
    let own = wanted.starts_with('/')
        && !wanted.starts_with("//")
        && !wanted.contains(['\\', '\r', '\n']);
    if own { wanted } else { "/" }
}

fn login_address(request: &HttpRequest) -> String {
    let wanted = request.uri().path_and_query().map_or("/", |p| p.as_str());
    if request.method() != actix_web::http::Method::GET
        || wanted == "/"
        || wanted.starts_with("/live/")
    {
        return "/login".into();
    }
    format!("/login?next={}", super::words::escaped(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn after_login_only_our_own_pages_are_gone_to() {
        assert_eq!(own_path("/users?q=anna"), "/users?q=anna");
        for foreign in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "users",
            "/a\r\nSet-Cookie: b",
        ] {
            assert_eq!(own_path(foreign), "/", "{foreign}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_known_by_its_secret_and_its_origin() {
        assert!(same_secret("abc", "abc"));
        assert!(!same_secret("", ""));
        assert!(!same_secret("abd", "abc"));
        let request = TestRequest::post()
            .insert_header(("Sec-Fetch-Site", "cross-site"))
            .to_http_request();
        assert!(comes_from_elsewhere(&request));
        let request = TestRequest::post()
            .insert_header(("Sec-Fetch-Site", "same-origin"))
            .to_http_request();
        assert!(!comes_from_elsewhere(&request));
    }

    #[test]
    fn the_session_cookie_is_strict_and_hidden_from_scripts() {
        let request = TestRequest::get().to_http_request();
        let made = cookie(&request, cookie_name(&request), "secret").to_string();
        assert_eq!(made, "ipdect=secret; HttpOnly; SameSite=Strict; Path=/");
    }

    #[test]
    fn a_page_that_needs_login_is_come_back_to() {
        let request = TestRequest::get()
            .uri("/users?q=a b".replace(' ', "%20").as_str())
            .to_http_request();
        assert_eq!(
            login_address(&request),
            "/login?next=%2Fusers%3Fq%3Da%2520b"
        );
        let request = TestRequest::post().uri("/users").to_http_request();
        assert_eq!(login_address(&request), "/login");
    }
}
