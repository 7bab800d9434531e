//! Users from CSV: each line is judged by itself, and told what became of it.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::{AccountRole, ImportOutcome, ImportUsersReport};
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::resource::Value;
use tonic::Status;

use super::Api;
use super::caller::Caller;
use super::upstream::{Actor, put};
use super::users::user_of;

/// Largest file, octets.
pub const FILE_MAX: usize = 4 * 1024 * 1024;
/// Columns that a file may have, in any order; `username` must be there.
pub const COLUMNS: &[&str] = &[
    "username",
    "display_name",
    "ipei",
    "access_code",
    "standby_text",
    "domain",
    "auth_user",
    "auth_password",
    "call_forward_disabled",
];

/// One line that could be read.
#[derive(Debug, PartialEq)]
struct Line {
    number: u64,
    user: admin::User,
}

/// Reads a file: lines that became users, and what is wrong with the others.
fn read(csv_text: &[u8]) -> Result<(Vec<Line>, Vec<ImportUsersReport>), Status> {
    let text = std::str::from_utf8(csv_text).map_err(|e| {
        Status::invalid_argument(format!(
            "file: is not UTF-8 (octet {}); save it as UTF-8",
            e.valid_up_to()
        ))
    })?;
    // The reader counts a line too few after each CR LF, which Windows and browsers write.
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n");
    let delimiter = if text.lines().next().is_some_and(|l| l.contains(';')) {
        b';'
    } else {
        b','
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let header: Vec<String> = reader
        .headers()
        .map_err(|e| Status::invalid_argument(format!("file: {e}")))?
        .iter()
        .map(|h| h.to_lowercase().replace([' ', '-'], "_"))
        .collect();
    check_header(&header)?;
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let number = record.position().map_or(0, |at| number_of(&text, at));
                match line(&header, &record) {
                    Ok(user) => lines.push(Line { number, user }),
                    Err(mistake) => failed.push(failure(number, "", vec![mistake])),
                }
            }
            Err(error) => {
                let number = error.position().map_or(0, csv::Position::line);
                let mistake = mistake("line", "", &format!("cannot be read: {error}"));
                failed.push(failure(number, "", vec![mistake]));
            }
        }
    }
    Ok((lines, failed))
}

/// The line on which a record stands: its position is before the empty lines that the reader skips.
fn number_of(text: &str, at: &csv::Position) -> u64 {
    let from = usize::try_from(at.byte()).unwrap_or(usize::MAX);
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    at.line() + rest.iter().take_while(|b| **b == b'\n').count() as u64
}

fn check_header(header: &[String]) -> Result<(), Status> {
    let unknown: Vec<&str> = header
        .iter()
        .map(String::as_str)
        .filter(|h| !COLUMNS.contains(h))
        .collect();
    if !unknown.is_empty() {
        return Err(Status::invalid_argument(format!(
            "header: unknown column {}; the columns are {}",
            unknown.join(", "),
            COLUMNS.join(", ")
        )));
    }
    if !header.iter().any(|h| h == "username") {
        return Err(Status::invalid_argument(
            "header: the column username is missing; the first line names the columns",
        ));
    }
    Ok(())
}

fn line(header: &[String], record: &csv::StringRecord) -> Result<admin::User, admin::Mistake> {
    if record.len() != header.len() {
        let what = format!(
            "has {} fields, the header has {}; put texts with separators in quotes",
            record.len(),
            header.len()
        );
        return Err(mistake("line", "", &what));
    }
    let mut user = admin::User::default();
    for (name, value) in header.iter().zip(record.iter()) {
        let value = value.to_string();
        match name.as_str() {
            "username" => user.username = value,
            "display_name" => user.display_name = value,
            "ipei" => user.ipei = value,
            "access_code" => user.access_code = value,
            "standby_text" => user.standby_text = value,
            "domain" => user.domain = value,
            "auth_user" => user.auth_user = value,
            "auth_password" => user.auth_password = value,
            "call_forward_disabled" => {
                user.call_forward_disabled = match value.to_lowercase().as_str() {
                    "" | "no" | "false" | "0" => false,
                    "yes" | "true" | "1" => true,
                    _ => return Err(mistake("call_forward_disabled", &value, "write yes or no")),
                }
            }
            _ => {}
        }
    }
    Ok(user)
}

fn mistake(field: &str, value: &str, remedy: &str) -> admin::Mistake {
    admin::Mistake {
        change: 0,
        field: field.into(),
        value: value.into(),
        remedy: remedy.into(),
    }
}

fn failure(line: u64, username: &str, mistakes: Vec<admin::Mistake>) -> ImportUsersReport {
    ImportUsersReport {
        line,
        outcome: ImportOutcome::Failed.into(),
        username: username.into(),
        mistakes,
        ..Default::default()
    }
}

/// Whether the file would change anything; fields that it leaves empty are kept.
fn merged(known: &admin::User, wanted: &admin::User) -> admin::User {
    let pick = |new: &String, old: &String| {
        if new.is_empty() {
            old.clone()
        } else {
            new.clone()
        }
    };
    admin::User {
        id: known.id.clone(),
        revision: known.revision,
        username: known.username.clone(),
        domain: pick(&wanted.domain, &known.domain),
        ipei: pick(&wanted.ipei, &known.ipei),
        access_code: pick(&wanted.access_code, &known.access_code),
        standby_text: pick(&wanted.standby_text, &known.standby_text),
        display_name: pick(&wanted.display_name, &known.display_name),
        auth_user: pick(&wanted.auth_user, &known.auth_user),
        auth_password: wanted.auth_password.clone(),
        auth_password_set: known.auth_password_set,
        call_forward_disabled: wanted.call_forward_disabled,
    }
}

impl Api {
    /// Imports users; good lines count whatever is wrong with others. The last report is the sum (`line` 0).
    ///
    /// # Errors
    /// INVALID_ARGUMENT when the file as a whole cannot be read.
    pub async fn users_import(
        &self,
        caller: &Caller,
        csv_text: &[u8],
        dry_run: bool,
        update_existing: bool,
    ) -> Result<Vec<ImportUsersReport>, Status> {
        caller.must_be(AccountRole::Operator)?;
        if csv_text.len() > FILE_MAX {
            return Err(Status::invalid_argument(
                "file: has more than 4 MiB; split it",
            ));
        }
        let (lines, mut reports) = read(csv_text)?;
        let known = self.upstream().list(rows::Kind::User).await?;
        let known: Vec<admin::User> = known
            .into_iter()
            .filter_map(|r| user_of(r, AccountRole::Administrator))
            .collect();
        let mut seen: Vec<String> = Vec::new();
        for line in lines {
            reports.push(
                self.import_line(caller, line, &known, &mut seen, dry_run, update_existing)
                    .await?,
            );
        }
        reports.sort_by_key(|r| r.line);
        let count = |outcome: ImportOutcome| {
            reports.iter().filter(|r| r.outcome() == outcome).count() as u64
        };
        let sum = ImportUsersReport {
            created: count(ImportOutcome::Created),
            updated: count(ImportOutcome::Updated),
            failed: count(ImportOutcome::Failed),
            ..Default::default()
        };
        reports.push(sum);
        Ok(reports)
    }

    async fn import_line(
        &self,
        caller: &Caller,
        line: Line,
        known: &[admin::User],
        seen: &mut Vec<String>,
        dry_run: bool,
        update_existing: bool,
    ) -> Result<ImportUsersReport, Status> {
        let Line { number, user } = line;
        let name = user.username.clone();
        if seen.contains(&name) {
            return Ok(failure(
                number,
                &name,
                vec![mistake(
                    "username",
                    &name,
                    "stands on an earlier line of this file too; remove one",
                )],
            ));
        }
        seen.push(name.clone());
        let before = known
            .iter()
            .find(|k| k.username == name && k.domain == user.domain);
        let (change, outcome) = match before {
            Some(_) if !update_existing => {
                let why = "exists already; allow changes of existing users, or remove the line";
                return Ok(failure(
                    number,
                    &name,
                    vec![mistake("username", &name, why)],
                ));
            }
            Some(before) => {
                let wanted = merged(before, &user);
                if wanted == *before {
                    return Ok(ImportUsersReport {
                        line: number,
                        outcome: ImportOutcome::Unchanged.into(),
                        username: name,
                        ..Default::default()
                    });
                }
                let (id, revision) = (wanted.id.clone(), wanted.revision);
                (
                    put(rows::Kind::User, &id, revision, Value::User(wanted)),
                    ImportOutcome::Updated,
                )
            }
            None => (
                put(rows::Kind::User, "", 0, Value::User(user)),
                ImportOutcome::Created,
            ),
        };
        let answer = self
            .upstream()
            .try_apply(&Actor::from(caller), "CSV import", dry_run, vec![change])
            .await?;
        if answer.mistakes.is_empty() {
            Ok(ImportUsersReport {
                line: number,
                outcome: outcome.into(),
                username: name,
                ..Default::default()
            })
        } else {
            Ok(failure(number, &name, answer.mistakes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_either_separator_and_a_byte_order_mark() {
        for text in [
            "username,display_name\n1001,Anna\n",
            "\u{feff}Username;Display name\n1001;Anna\n",
        ] {
            let (lines, failed) = read(text.as_bytes()).unwrap();
            assert_eq!(failed, []);
            assert_eq!(
                (
                    lines[0].number,
                    lines[0].user.username.as_str(),
                    lines[0].user.display_name.as_str()
                ),
                (2, "1001", "Anna")
            );
        }
    }

    #[test]
    fn lines_are_numbered_alike_whatever_ends_them() {
        for text in [
            "username\n1001\n\n1002\n",
            "username\r\n1001\r\n\r\n1002\r\n",
        ] {
            let (lines, _) = read(text.as_bytes()).unwrap();
            let numbers: Vec<u64> = lines.iter().map(|l| l.number).collect();
            assert_eq!(numbers, [2, 4], "{text:?}");
        }
    }

    #[test]
    fn a_bad_line_is_told_with_its_number_and_the_others_count() {
        let (lines, failed) = read(b"username,ipei\n1001\n1002,05003 0070387\n").unwrap();
        assert_eq!(
            (failed[0].line, failed[0].outcome()),
            (2, ImportOutcome::Failed)
        );
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn an_unknown_column_is_named_with_those_that_are_known() {
        let said = read(b"username,phone\n").unwrap_err();
        assert!(
            said.message().contains("phone") && said.message().contains("ipei"),
            "{}",
            said.message()
        );
        assert!(read(b"name\n").is_err());
        assert!(read(&[0xff, 0xfe]).unwrap_err().message().contains("UTF-8"));
    }
}
