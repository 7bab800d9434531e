//! The steps of a check, in order: first login, users, subscriptions, calls both ways, nothing left.

use std::time::{Duration, Instant};

use ipdect_portable::Status as Portable;
use ipdect_proto::admin::v1::handsets_client::HandsetsClient;
use ipdect_proto::admin::v1::session_client::SessionClient;
use ipdect_proto::admin::v1::users_client::UsersClient;
use ipdect_proto::admin::v1::{
    ChangePasswordRequest, CreateUserRequest, HandsetState, ListHandsetsRequest, ListUsersRequest,
    OpenSubscriptionRequest, User,
};
use tokio::time::{sleep, timeout};

use super::call::{Line, Spoken, call};
use super::left::{Scrape, settle};
use super::progress;
use super::report::{Failure, Handset, Report, ms, tenths};
use crate::client::{ClientError, Session};
use crate::host::{Host, Known, View};
use crate::up::System;
use crate::up::people::{Person, setups};

/// Reason of a call that is refused before the first password is changed; source: contracts 14.
const PASSWORD_CHANGE_REQUIRED: &str = "PASSWORD_CHANGE_REQUIRED";
/// Longest wait for one step of a handset.
const STEP: Duration = Duration::from_secs(8);
/// Longest wait until nothing is in use: links linger 5 s after a call (LCE.02).
const SETTLE: Duration = Duration::from_secs(9);
/// How often a registration is asked for.
const ASK: Duration = Duration::from_millis(20);
/// The system is open for subscriptions for so long.
const OPEN_S: u32 = 120;

/// Takes all steps; figures go to the report.
///
/// # Errors
/// The first step that failed; no later one makes sense then.
pub(super) async fn all(system: &System, report: &mut Report) -> Result<(), Failure> {
    let session = first_login(system, report).await?;
    let people = &system.plan.people;
    for person in people {
        create(&session, person).await?;
    }
    progress("logged in, changed the password, created two users");
    open(&session).await?;
    let failed = |what: &str| Failure::new("portables", "host", "running", what);
    let setups = setups(people, system.base_m()).map_err(|error| failed(&error.to_string()))?;
    let host = system
        .host(setups)
        .await
        .map_err(|error| failed(&error.to_string()))?;
    let attached = system
        .attach(&host)
        .await
        .map_err(|error| failed(&error.to_string()))?;
    let result = with_portables(system, &session, &host, report).await;
    attached.abort();
    host.end().await;
    result
}

async fn with_portables(
    system: &System,
    session: &Session,
    host: &Host,
    report: &mut Report,
) -> Result<(), Failure> {
    let probes = system.probes.address();
    let unasked = |why: String| Failure::new("left", "probes", "an answer", &why);
    let ports_free = Scrape::take(probes).await.map_err(unasked)?.ports_free();
    for index in 0..host.known().len() {
        host.subscribe(index).await.map_err(gone)?;
    }
    let begun = Instant::now();
    let enter = |known: &Known| enter(session.clone(), known.clone(), begun);
    for entered in futures_util::future::join_all(host.known().iter().map(enter)).await {
        let (handset, failure) = entered;
        report.handsets.push(handset);
        report.failures.extend(failure);
    }
    if !report.failures.is_empty() {
        return Err(Failure::new(
            "calls",
            "handsets",
            "both registered",
            "not made",
        ));
    }
    progress("both handsets are subscribed, located, registered");
    let line = |from, to, released_by| Line {
        host,
        session,
        from,
        to,
        released_by,
    };
    let said = (Spoken { hz: 1000.0 }, Spoken { hz: 700.0 });
    for line in [line(0, 1, 0), line(1, 0, 0)] {
        // The first call finds the links of the registrations; the second one has to page its handset.
        if !report.calls.is_empty() {
            settle(probes, ports_free, SETTLE).await.map_err(unasked)?;
        }
        let (from, to) = (
            &host.known()[line.from].number,
            &host.known()[line.to].number,
        );
        let made = call(&line, said.0, said.1).await?;
        progress(&format!("called {to} from {from}: {}", heard(&made)));
        report.calls.push(made);
    }
    report.left = Some(settle(probes, ports_free, SETTLE).await.map_err(unasked)?);
    Ok(())
}

fn heard(call: &super::report::Call) -> String {
    let ears = call.ears.iter();
    let ears = ears.map(|ear| {
        format!(
            "{} heard {} Hz at {} dBm0",
            ear.at,
            tenths(ear.heard_hz),
            tenths(ear.heard_dbm0)
        )
    });
    ears.collect::<Vec<_>>().join(", ")
}

fn gone(error: crate::host::Ended) -> Failure {
    Failure::new("portables", "host", "running", &error.to_string())
}

/// Logs in with the first password, sees that it is good for nothing else, and changes it.
async fn first_login(system: &System, report: &mut Report) -> Result<Session, Failure> {
    let failed =
        |got: &dyn std::fmt::Display| Failure::new("login", "admin", "a session", &got.to_string());
    let address = System::reach(&system.admin, "grpc.listen").to_string();
    let root = std::fs::read(system.root_file()).map_err(|error| failed(&error))?;
    let begun = Instant::now();
    let mut session = Session::connect(&address, &root)
        .await
        .map_err(|error| failed(&error))?;
    let first = &system.plan.admin.bootstrap_password.0;
    session
        .login("admin", first)
        .await
        .map_err(|error| failed(&error))?;
    report.admin.login_ms = ms(begun.elapsed());

    let asked = UsersClient::new(session.channel())
        .list(session.request(ListUsersRequest::default()))
        .await;
    report.admin.refused_before_change = match asked {
        Err(status) => {
            status.code() == tonic::Code::FailedPrecondition
                && status.message().starts_with(PASSWORD_CHANGE_REQUIRED)
        }
        Ok(_) => false,
    };
    if !report.admin.refused_before_change {
        let failure = Failure::new(
            "first password",
            "admin",
            PASSWORD_CHANGE_REQUIRED,
            "another answer",
        );
        report.failures.push(failure);
    }
    let request = ChangePasswordRequest {
        old_password: first.clone(),
        new_password: password(system),
    };
    SessionClient::new(session.channel())
        .change_password(session.request(request))
        .await
        .map_err(|status| Failure::new("password", "admin", "changed", status.message()))?;
    Ok(session)
}

/// A password that nobody can know, not even whoever runs the check.
fn password(system: &System) -> String {
    let random = &system.environment.random;
    format!("{:016x}{:016x}", random.number(), random.number())
}

async fn create(session: &Session, person: &Person) -> Result<(), Failure> {
    let request = CreateUserRequest {
        user: Some(User {
            username: person.number.clone(),
            ipei: person.ipei.to_string(),
            access_code: person.access_code.clone(),
            display_name: format!("Handset {}", person.number),
            ..User::default()
        }),
        reason: "check".into(),
        dry_run: false,
    };
    UsersClient::new(session.channel())
        .create(session.request(request))
        .await
        .map(drop)
        .map_err(|status| Failure::new("user", &person.number, "created", status.message()))
}

async fn open(session: &Session) -> Result<(), Failure> {
    HandsetsClient::new(session.channel())
        .open_subscription(session.request(OpenSubscriptionRequest { seconds: OPEN_S }))
        .await
        .map(drop)
        .map_err(|status| Failure::new("subscription", "system", "open", status.message()))
}

/// Waits until a handset is subscribed, located, registered.
async fn enter(session: Session, known: Known, begun: Instant) -> (Handset, Option<Failure>) {
    let mut handset = Handset {
        number: known.number.clone(),
        ipei: known.ipei.to_string(),
        ..Handset::default()
    };
    let failure = go_in(&session, &known, begun, &mut handset).await.err();
    (handset, failure)
}

async fn go_in(
    session: &Session,
    known: &Known,
    begun: Instant,
    handset: &mut Handset,
) -> Result<(), Failure> {
    let failed = |check: &str, got: &str| Err(Failure::new(check, &known.number, "done", got));
    let seen = wait(known, STEP, |view| view.subscription.is_some()).await;
    let subscribed = match seen.as_ref().and_then(|view| view.subscription) {
        Some((Ok(_), at)) => at,
        Some((Err(why), _)) => return failed("subscribed", &why.to_string()),
        None => return failed("subscribed", "nothing in time"),
    };
    handset.subscribed_ms = Some(ms(subscribed.saturating_duration_since(begun)));
    let Some(seen) = wait(known, STEP, |view| view.status.located).await else {
        return failed("located", "nothing in time");
    };
    let located = seen
        .location
        .as_ref()
        .map_or_else(Instant::now, |(_, at)| *at);
    handset.located_ms = Some(ms(located.saturating_duration_since(subscribed)));
    handset.rpn = rpn(&seen.status);
    match timeout(STEP, registered(session, known)).await {
        Ok(Ok(())) => {
            handset.registered_ms = Some(ms(located.elapsed()));
            Ok(())
        }
        Ok(Err(why)) => failed("registered", &why),
        Err(_) => failed("registered", &last_error(session, known).await),
    }
}

fn rpn(status: &Portable) -> Option<u8> {
    status.base.map(|(rpn, _)| rpn.0)
}

/// Waits until something can be seen of a portable; gives what was seen then.
pub(super) async fn wait(
    known: &Known,
    within: Duration,
    holds: impl FnMut(&View) -> bool,
) -> Option<View> {
    let mut view = known.view.clone();
    let seen = timeout(within, view.wait_for(holds)).await.ok()?.ok()?;
    Some(seen.clone())
}

/// Waits until the system says that the user of a handset is registered.
async fn registered(session: &Session, known: &Known) -> Result<(), String> {
    loop {
        if state(session, known)
            .await?
            .is_some_and(|state| state.registered)
        {
            return Ok(());
        }
        sleep(ASK).await;
    }
}

async fn state(session: &Session, known: &Known) -> Result<Option<HandsetState>, String> {
    let request = ListHandsetsRequest {
        filter: known.ipei.digits(),
        ..ListHandsetsRequest::default()
    };
    let found = HandsetsClient::new(session.channel())
        .list(session.request(request))
        .await
        .map_err(|status| ClientError::from(status).to_string())?;
    Ok(found
        .into_inner()
        .handsets
        .into_iter()
        .find_map(|handset| handset.state))
}

async fn last_error(session: &Session, known: &Known) -> String {
    match state(session, known).await {
        Ok(Some(state)) if !state.last_error.is_empty() => state.last_error,
        Ok(Some(_)) => "not in time".to_owned(),
        Ok(None) => "the system does not list the handset".to_owned(),
        Err(why) => why,
    }
}
