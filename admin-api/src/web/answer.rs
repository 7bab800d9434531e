//! From a body to a whole page: the shell around it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use askama::Template;
use tracing::error;

use super::assets::VERSION;
use super::visit::Visit;
use super::words::now_ms;

/// One entry of the navigation.
struct Entry {
    path: &'static str,
    word: &'static str,
    here: bool,
}

/// One group of the navigation; names as in the configuration guide where it has them.
struct Group {
    word: &'static str,
    entries: Vec<Entry>,
}

const NAVIGATION: &[(&str, &[(&str, &str)])] = &[
    ("", &[("/", "Overview")]),
    (
        "Handsets",
        &[
            ("/users", "Users"),
            ("/users/import", "Import and export"),
            ("/subscription", "Subscription"),
        ],
    ),
    ("Calls", &[("/calls", "Calls")]),
    ("Radio", &[("/radio", "Base stations")]),
    ("Cluster", &[("/devices", "Devices")]),
    (
        "Configuration",
        &[
            ("/settings/general", "General"),
            ("/settings/sip", "SIP"),
            ("/settings/proxies", "Proxies"),
            ("/settings/media", "SDP and SRTP"),
            ("/settings/domain", "SIP domain"),
            ("/settings/dect", "Wireless"),
            ("/settings/links", "Links"),
        ],
    ),
    (
        "Administration",
        &[
            ("/events", "Events"),
            ("/audit", "Audit"),
            ("/password", "Password"),
        ],
    ),
];

#[derive(Template)]
#[template(path = "shell.html")]
struct Shell<'a> {
    title: &'a str,
    version: &'a str,
    /// Account; empty: nobody is logged in, no navigation.
    account: &'a str,
    csrf: &'a str,
    groups: Vec<Group>,
    /// The server\'s clock, milliseconds since 1970.
    now: u64,
    /// Address of the live stream; empty: the page does not change.
    live: &'a str,
    body: String,
}

fn groups(path: &str) -> Vec<Group> {
    // The longest entry that the path begins with is where we are.
    let all = NAVIGATION
        .iter()
        .flat_map(|(_, entries)| entries.iter().map(|(p, _)| *p));
    let here = all.filter(|p| {
        path == *p || (*p != "/" && path.strip_prefix(p).is_some_and(|r| r.starts_with('/')))
    });
    let here = here.max_by_key(|p| p.len()).unwrap_or("");
    let group = |(word, entries): &(&'static str, &[(&'static str, &'static str)])| Group {
        word,
        entries: entries
            .iter()
            .map(|(p, w)| Entry {
                path: p,
                word: w,
                here: *p == here,
            })
            .collect(),
    };
    NAVIGATION.iter().map(group).collect()
}

/// Renders a template; an error is logged and gives an empty text.
pub(crate) fn render(template: &impl Template) -> String {
    template.render().unwrap_or_else(|why| {
        error!(error = %why, "a template did not render");
        String::new()
    })
}

fn respond(status: StatusCode, shell: &Shell<'_>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8")
        .body(render(shell))
}

/// A page without navigation.
pub(crate) fn bare(status: StatusCode, title: &str, body: &impl Template) -> HttpResponse {
    let shell = Shell {
        title,
        version: &VERSION,
        account: "",
        csrf: "",
        now: now_ms(),
        groups: Vec::new(),
        live: "",
        body: render(body),
    };
    respond(status, &shell)
}

/// A page for somebody who is logged in.
pub(crate) fn page(visit: &Visit, title: &str, body: &impl Template) -> HttpResponse {
    answer(visit, StatusCode::OK, title, "", body)
}

/// A page that the stream at `live` keeps up to date.
pub(crate) fn live_page(
    visit: &Visit,
    title: &str,
    live: &str,
    body: &impl Template,
) -> HttpResponse {
    answer(visit, StatusCode::OK, title, live, body)
}

/// A page that says what is wrong with the form on it.
pub(crate) fn mistaken_page(visit: &Visit, title: &str, body: &impl Template) -> HttpResponse {
    answer(visit, StatusCode::UNPROCESSABLE_ENTITY, title, "", body)
}

fn answer(
    visit: &Visit,
    status: StatusCode,
    title: &str,
    live: &str,
    body: &impl Template,
) -> HttpResponse {
    let shell = Shell {
        title,
        version: &VERSION,
        account: &visit.caller.name,
        csrf: &visit.csrf,
        now: now_ms(),
        groups: if visit.caller.must_change {
            Vec::new()
        } else {
            groups(&visit.path)
        },
        live,
        body: render(body),
    };
    respond(status, &shell)
}

/// Go there, by GET.
pub(crate) fn elsewhere(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, path))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(path: &str) -> Vec<&'static str> {
        groups(path)
            .into_iter()
            .flat_map(|g| g.entries)
            .filter(|e| e.here)
            .map(|e| e.path)
            .collect()
    }

    #[test]
    fn the_navigation_shows_one_place() {
        assert_eq!(here("/"), ["/"]);
        assert_eq!(here("/users"), ["/users"]);
        assert_eq!(here("/users/0197-abc"), ["/users"]);
        assert_eq!(here("/users/import"), ["/users/import"]);
        assert_eq!(here("/elsewhere"), Vec::<&str>::new());
    }
}
