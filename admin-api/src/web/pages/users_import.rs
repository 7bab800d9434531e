//! Users from and to CSV.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use askama::Template;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::{ImportOutcome, ImportUsersReport};
use tonic::{Code, Status};

use crate::api::import::COLUMNS;
use crate::web::answer::{mistaken_page, page};
use crate::web::trouble::Trouble;
use crate::web::views::Mark;
use crate::web::visit::{Posted, Visit};
use crate::web::words::status;

/// Columns of an export: all but the passwords, which are never told.
const EXPORTED: &[&str] = &[
    "username",
    "display_name",
    "ipei",
    "access_code",
    "standby_text",
    "domain",
    "auth_user",
    "call_forward_disabled",
];

struct LineRow {
    line: u64,
    username: String,
    mark: Mark,
    mistakes: Vec<String>,
}

#[derive(Template)]
#[template(path = "users_import.html")]
struct Body<'a> {
    csrf: &'a str,
    operates: bool,
    columns: String,
    csv: &'a str,
    update_existing: bool,
    error: &'a str,
    sum: String,
    dry_run: bool,
    lines: Vec<LineRow>,
}

fn body<'a>(visit: &'a Visit) -> Body<'a> {
    Body {
        csrf: &visit.csrf,
        operates: visit.operates(),
        columns: COLUMNS.join(", "),
        csv: "",
        update_existing: false,
        error: "",
        sum: String::new(),
        dry_run: false,
        lines: Vec::new(),
    }
}

/// The form.
pub(crate) async fn show(visit: Visit) -> HttpResponse {
    page(&visit, "Import and export", &body(&visit))
}

/// Checks or imports a file, and tells of each line what became of it.
pub(crate) async fn import(posted: Posted) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    let csv = fields.raw("csv");
    let (dry_run, update) = (
        fields.get("act") != "import",
        fields.ticked("update_existing"),
    );
    let done = visit
        .gui
        .api
        .users_import(&visit.caller, csv.as_bytes(), dry_run, update)
        .await;
    let mut body = Body {
        csv,
        update_existing: update,
        dry_run,
        ..body(&visit)
    };
    match done {
        Ok(reports) => {
            body.sum = sum(&reports, dry_run);
            body.lines = reports
                .iter()
                .filter(|r| r.line != 0)
                .map(|r| row(r, dry_run))
                .collect();
            Ok(page(&visit, "Import and export", &body))
        }
        Err(status) if status.code() == Code::InvalidArgument => {
            body.error = status.message();
            Ok(mistaken_page(&visit, "Import and export", &body))
        }
        Err(status) => Err(status.into()),
    }
}

fn sum(reports: &[ImportUsersReport], dry_run: bool) -> String {
    let Some(sum) = reports.iter().find(|r| r.line == 0) else {
        return "The file has no lines".into();
    };
    let unchanged = reports
        .iter()
        .filter(|r| r.line != 0 && r.outcome() == ImportOutcome::Unchanged)
        .count();
    let verb = if dry_run { "would be" } else { "were" };
    format!(
        "{} {verb} added, {} {verb} changed, {unchanged} stay as they are, {} cannot be taken",
        sum.created, sum.updated, sum.failed
    )
}

fn row(report: &ImportUsersReport, dry_run: bool) -> LineRow {
    let state = match (report.outcome(), dry_run) {
        (ImportOutcome::Created, true) => status("up", "would be added"),
        (ImportOutcome::Created, false) => status("up", "added"),
        (ImportOutcome::Updated, true) => status("up", "would be changed"),
        (ImportOutcome::Updated, false) => status("up", "changed"),
        (ImportOutcome::Unchanged, _) => status("unknown", "as it is"),
        (ImportOutcome::Failed, _) => status("refused", "not taken"),
        (ImportOutcome::Unspecified, _) => status("unknown", "unknown"),
    };
    let mistake = |m: &admin::Mistake| {
        if m.value.is_empty() {
            format!("{}: {}", m.field, m.remedy)
        } else {
            format!("{} \u{2018}{}\u{2019}: {}", m.field, m.value, m.remedy)
        }
    };
    LineRow {
        line: report.line,
        username: report.username.clone(),
        mark: Mark(state),
        mistakes: report.mistakes.iter().map(mistake).collect(),
    }
}

/// All users as a file that can be imported again.
pub(crate) async fn export(visit: Visit) -> Result<HttpResponse, Trouble> {
    let mut users: Vec<admin::User> = Vec::new();
    let mut token = String::new();
    loop {
        let request = admin::ListUsersRequest {
            filter: String::new(),
            page_size: 1000,
            page_token: token,
        };
        let listed = visit.gui.api.users_list(&visit.caller, request).await?;
        users.extend(listed.users);
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let file = written(&users)
        .map_err(|e| Status::internal(format!("the file could not be written: {e}")))?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"users.csv\""))
        .body(file))
}

fn written(users: &[admin::User]) -> Result<Vec<u8>, csv::Error> {
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(EXPORTED)?;
    for u in users {
        let disabled = if u.call_forward_disabled { "yes" } else { "no" };
        file.write_record([
            &u.username,
            &u.display_name,
            &u.ipei,
            &u.access_code,
            &u.standby_text,
            &u.domain,
            &u.auth_user,
            disabled,
        ])?;
    }
    file.into_inner().map_err(|e| e.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_has_columns_that_an_import_knows_and_quotes_what_needs_it() {
        assert!(EXPORTED.iter().all(|c| COLUMNS.contains(c)));
        let user = admin::User {
            username: "1001".into(),
            display_name: "Berg, \"Anna\"".into(),
            auth_password: "secret".into(),
            ..Default::default()
        };
        let text = String::from_utf8(written(&[user]).unwrap()).unwrap();
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "1001,\"Berg, \"\"Anna\"\"\",,,,,,no"
        );
    }

    #[test]
    fn the_sum_says_what_a_dry_run_would_do() {
        let line = |line, outcome: ImportOutcome| ImportUsersReport {
            line,
            outcome: outcome.into(),
            ..Default::default()
        };
        let mut all = vec![
            line(2, ImportOutcome::Created),
            line(3, ImportOutcome::Unchanged),
            line(4, ImportOutcome::Failed),
        ];
        all.push(ImportUsersReport {
            created: 1,
            failed: 1,
            ..Default::default()
        });
        assert_eq!(
            sum(&all, true),
            "1 would be added, 0 would be changed, 1 stay as they are, 1 cannot be taken"
        );
    }
}
