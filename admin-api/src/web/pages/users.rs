//! Users: list, add, change, remove.

use actix_web::{HttpResponse, web};
use askama::Template;
use ipdect_proto::admin::v1 as admin;
use tonic::Code;

use crate::web::answer::{elsewhere, live_page, mistaken_page, page};
use crate::web::fields::{Fields, Input, Kind, place_mistakes};
use crate::web::trouble::Trouble;
use crate::web::views::{self, CallRow, EventRow, HandsetRow, Mark};
use crate::web::visit::{Posted, Visit};
use crate::web::words::{self, escaped, ipei, status};

/// Rows of a page.
const ROWS: u32 = 100;
/// Calls and events shown with a user.
const LAST: usize = 20;

pub(crate) struct UserRow {
    id: String,
    username: String,
    display_name: String,
    ipei_shown: String,
    mark: Mark,
    why: String,
    base: String,
}

#[derive(Template)]
#[template(path = "users.html")]
pub(crate) struct ListBody {
    operates: bool,
    filter: String,
    total: u64,
    users: Vec<UserRow>,
    next: String,
    first: bool,
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserBody<'a> {
    csrf: &'a str,
    operates: bool,
    id: &'a str,
    username: &'a str,
    revision: u64,
    handset: Option<HandsetRow>,
    calls: Vec<CallRow>,
    events: Vec<EventRow>,
    inputs: Vec<Input>,
    errors: Vec<String>,
    saved: bool,
}

#[derive(Template)]
#[template(path = "delete.html")]
pub(super) struct DeleteBody<'a> {
    pub(super) csrf: &'a str,
    pub(super) what: &'a str,
    pub(super) happens: Vec<String>,
    pub(super) action: String,
    pub(super) back: String,
    pub(super) revision: u64,
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).take(12).collect()
}

/// The list of users.
pub(crate) async fn list(
    visit: Visit,
    query: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Trouble> {
    let query = Fields::new(query.into_inner());
    let body = list_body(&visit, &query).await?;
    let live = format!(
        "/live/users?q={}&after={}",
        escaped(query.get("q")),
        escaped(query.raw("after"))
    );
    Ok(live_page(&visit, "Users", &live, &body))
}

/// Its body.
pub(crate) async fn list_body(visit: &Visit, query: &Fields) -> Result<ListBody, Trouble> {
    let request = admin::ListUsersRequest {
        filter: query.get("q").into(),
        page_size: ROWS,
        page_token: query.raw("after").into(),
    };
    let listed = visit.gui.api.users_list(&visit.caller, request).await?;
    Ok(ListBody {
        operates: visit.operates(),
        filter: query.get("q").into(),
        total: listed.total,
        users: visit.gui.board.look(|t| {
            listed
                .users
                .iter()
                .map(|u| row(u, t.handsets.get(&digits(&u.ipei))))
                .collect()
        }),
        next: if listed.next_page_token.is_empty() {
            String::new()
        } else {
            escaped(&listed.next_page_token)
        },
        first: query.raw("after").is_empty(),
    })
}

fn row(user: &admin::User, handset: Option<&admin::Handset>) -> UserRow {
    let shown = handset.map(views::handset);
    let state = match (handset, user.ipei.is_empty()) {
        (Some(handset), _) => words::handset(handset),
        (None, true) => status("unknown", "no handset"),
        (None, false) => status("unknown", "not subscribed"),
    };
    UserRow {
        id: escaped(&user.id),
        username: user.username.clone(),
        display_name: user.display_name.clone(),
        ipei_shown: ipei(&digits(&user.ipei)),
        mark: Mark(state),
        why: shown.as_ref().map(|h| h.why.clone()).unwrap_or_default(),
        base: shown.map(|h| h.base).unwrap_or_default(),
    }
}

/// The fields of a user.
pub(crate) fn inputs(user: &admin::User) -> Vec<Input> {
    let text = |name, label, default, help, value: &str| {
        Input::new(name, label, Kind::Text, default, help).holding(value)
    };
    let set = if user.auth_password_set {
        "stored; empty leaves it"
    } else {
        "random"
    };
    vec![
        text(
            "username",
            "User name or extension",
            "",
            "The SIP user name without domain, such as 1001 or jim.kander. Others dial it.",
            &user.username,
        )
        .required(),
        text(
            "display_name",
            "Display name",
            "empty",
            "Shown to those who are called.",
            &user.display_name,
        ),
        text(
            "ipei",
            "IPEI of the handset",
            "empty: no handset yet",
            "Printed in the battery compartment, as 05003 0070387, with or without check digit.",
            &ipei(&digits(&user.ipei)),
        ),
        text(
            "access_code",
            "Access code",
            "empty: the system's",
            "1 to 8 digits, typed on the handset when it subscribes.",
            &user.access_code,
        ),
        text(
            "standby_text",
            "Standby text",
            "empty",
            "Shown by the handset while it is idle.",
            &user.standby_text,
        ),
        text(
            "domain",
            "SIP domain",
            "empty: the default domain",
            "Only if it differs from the default domain of the SIP page.",
            &user.domain,
        ),
        text(
            "auth_user",
            "Authentication user",
            "empty: the user name",
            "Name under which the handset registers at the proxy.",
            &user.auth_user,
        ),
        Input::new(
            "auth_password",
            "Authentication password",
            Kind::Secret,
            set,
            "Password for the registration. It is never shown again.",
        ),
        Input::new(
            "call_forward_disabled",
            "Call forward unconditional is off",
            Kind::Switch,
            "off",
            "Takes this feature away from the user.",
        )
        .holding(if user.call_forward_disabled { "on" } else { "" }),
    ]
}

fn filled(fields: &Fields, known: admin::User) -> admin::User {
    admin::User {
        username: fields.get("username").into(),
        display_name: fields.get("display_name").into(),
        ipei: fields.get("ipei").into(),
        access_code: fields.get("access_code").into(),
        standby_text: fields.get("standby_text").into(),
        domain: fields.get("domain").into(),
        auth_user: fields.get("auth_user").into(),
        auth_password: fields.raw("auth_password").into(),
        call_forward_disabled: fields.ticked("call_forward_disabled"),
        ..known
    }
}

/// What was sent, shown again; a half-typed IPEI stays as it was typed.
fn inputs_as_sent(user: &admin::User) -> Vec<Input> {
    let mut all = inputs(user);
    if let Some(field) = all.iter_mut().find(|i| i.name == "ipei") {
        field.value.clone_from(&user.ipei);
    }
    all
}

fn new_body<'a>(visit: &'a Visit, inputs: Vec<Input>, errors: Vec<String>) -> UserBody<'a> {
    UserBody {
        csrf: &visit.csrf,
        operates: visit.operates(),
        id: "",
        username: "",
        revision: 0,
        handset: None,
        calls: Vec::new(),
        events: Vec::new(),
        inputs,
        errors,
        saved: false,
    }
}

/// The form for a new user, with the IPEI of a handset that tried to subscribe.
pub(crate) async fn new(visit: Visit, query: web::Query<Vec<(String, String)>>) -> HttpResponse {
    let query = Fields::new(query.into_inner());
    let user = admin::User {
        ipei: query.get("ipei").into(),
        ..Default::default()
    };
    page(
        &visit,
        "New user",
        &new_body(&visit, inputs(&user), Vec::new()),
    )
}

/// Adds a user.
pub(crate) async fn create(posted: Posted) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    let user = filled(&fields, admin::User::default());
    let request = admin::CreateUserRequest {
        user: Some(user.clone()),
        reason: fields.get("reason").into(),
        dry_run: false,
    };
    match visit.gui.api.user_create(&visit.caller, request).await {
        Ok(made) => Ok(elsewhere(&format!("/users/{}?saved=1", escaped(&made.id)))),
        Err(status) if status.code() == Code::InvalidArgument => {
            let mut inputs = inputs_as_sent(&user);
            let errors = place_mistakes(status.message(), &mut inputs);
            Ok(mistaken_page(
                &visit,
                "New user",
                &new_body(&visit, inputs, errors),
            ))
        }
        Err(status) => Err(status.into()),
    }
}

async fn user_body<'a>(
    visit: &'a Visit,
    user: &'a admin::User,
    inputs: Vec<Input>,
    errors: Vec<String>,
) -> Result<UserBody<'a>, Trouble> {
    let ipei = digits(&user.ipei);
    let mut body = new_body(visit, inputs, errors);
    (body.id, body.username, body.revision) = (&user.id, &user.username, user.revision);
    if ipei.is_empty() {
        return Ok(body);
    }
    body.handset = visit
        .gui
        .board
        .look(|t| t.handsets.get(&ipei).map(views::handset));
    let request = admin::ListCallsRequest {
        ended: true,
        ipei: ipei.clone(),
        limit: LAST as u32,
    };
    body.calls = visit
        .gui
        .api
        .calls_list(&visit.caller, request)
        .await?
        .iter()
        .map(views::call)
        .collect();
    let request = admin::ListEventsRequest {
        limit: 1000,
        ..Default::default()
    };
    let events = visit.gui.api.events_list(&visit.caller, request).await?;
    body.events = events
        .iter()
        .filter(|e| e.subject == ipei || e.subject == user.id)
        .take(LAST)
        .map(views::event)
        .collect();
    Ok(body)
}

/// One user: what his handset does, his calls and events, his fields.
pub(crate) async fn show(
    visit: Visit,
    id: web::Path<String>,
    query: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Trouble> {
    let user = visit.gui.api.user_get(&visit.caller, &id).await?;
    let mut body = user_body(&visit, &user, inputs(&user), Vec::new()).await?;
    body.saved = Fields::new(query.into_inner()).ticked("saved");
    Ok(page(&visit, &format!("User {}", user.username), &body))
}

/// Changes a user.
pub(crate) async fn update(posted: Posted, id: web::Path<String>) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    let known = visit.gui.api.user_get(&visit.caller, &id).await?;
    let mut user = filled(&fields, known.clone());
    // What was read when the form was made: a change by somebody else in between is not written over.
    user.revision = fields.get("revision").parse().unwrap_or(0);
    let request = admin::UpdateUserRequest {
        user: Some(user.clone()),
        reason: fields.get("reason").into(),
        dry_run: false,
    };
    match visit.gui.api.user_update(&visit.caller, request).await {
        Ok(_) => Ok(elsewhere(&format!("/users/{}?saved=1", escaped(&known.id)))),
        Err(status) if status.code() == Code::InvalidArgument => {
            let mut inputs = inputs_as_sent(&user);
            let errors = place_mistakes(status.message(), &mut inputs);
            let mut body = user_body(&visit, &known, inputs, errors).await?;
            body.revision = user.revision;
            Ok(mistaken_page(
                &visit,
                &format!("User {}", known.username),
                &body,
            ))
        }
        Err(status) => Err(status.into()),
    }
}

/// Asks before a user is removed.
pub(crate) async fn ask_delete(
    visit: Visit,
    id: web::Path<String>,
) -> Result<HttpResponse, Trouble> {
    let user = visit.gui.api.user_get(&visit.caller, &id).await?;
    let ipei = digits(&user.ipei);
    let handset = visit.gui.board.look(|t| t.handsets.get(&ipei).cloned());
    let what = format!("Remove user {}", user.username);
    let body = DeleteBody {
        csrf: &visit.csrf,
        what: &what,
        happens: happens(&user, handset.as_ref()),
        action: format!("/users/{}/delete", escaped(&user.id)),
        back: format!("/users/{}", escaped(&user.id)),
        revision: user.revision,
    };
    Ok(page(&visit, &what, &body))
}

fn happens(user: &admin::User, handset: Option<&admin::Handset>) -> Vec<String> {
    let mut all = vec![format!("Nobody can call {} any more.", user.username)];
    if let Some(handset) = handset {
        all.push(format!(
            "Handset {} keeps its subscription and is free for another user.",
            ipei(&handset.ipei)
        ));
        if handset.state.as_ref().is_some_and(|s| s.calls > 0) {
            all.push("The call that it is in now will end.".into());
        }
    }
    all.push(
        "The user's settings and passwords are gone; export the users first if you may need them."
            .into(),
    );
    all
}

/// Removes a user.
pub(crate) async fn delete(posted: Posted, id: web::Path<String>) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    let request = admin::DeleteUserRequest {
        id: id.into_inner(),
        reason: fields.get("reason").into(),
        revision: fields.get("revision").parse().unwrap_or(0),
    };
    visit.gui.api.user_delete(&visit.caller, request).await?;
    Ok(elsewhere("/users"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_filled_from_a_user_gives_the_same_user() {
        let user = admin::User {
            id: "u1".into(),
            username: "1001".into(),
            ipei: "050030070387".into(),
            access_code: "1234".into(),
            display_name: "Anna <b>".into(),
            call_forward_disabled: true,
            auth_password_set: true,
            revision: 7,
            ..Default::default()
        };
        let sent = inputs(&user)
            .into_iter()
            .map(|i| (i.name, i.value))
            .collect();
        let again = filled(&Fields::new(sent), user.clone());
        assert_eq!(
            admin::User {
                ipei: user.ipei.clone(),
                ..again.clone()
            },
            user
        );
        assert_eq!(again.ipei, "05003 0070387 8");
    }

    #[test]
    fn removing_names_what_will_happen() {
        let user = admin::User {
            username: "1001".into(),
            ..Default::default()
        };
        let state = admin::HandsetState {
            calls: 1,
            ..Default::default()
        };
        let handset = admin::Handset {
            ipei: "655350000001".into(),
            state: Some(state),
            ..Default::default()
        };
        assert_eq!(happens(&user, None).len(), 2);
        let all = happens(&user, Some(&handset));
        assert!(all[1].contains("65535 0000001 3") && all[2].contains("will end"));
    }
}
