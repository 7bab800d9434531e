//! `ipdect users`: lists, adds, imports.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ipdect_proto::admin::v1::users_client::UsersClient;
use ipdect_proto::admin::v1::{
    CreateUserRequest, ImportOutcome, ImportUsersReport, ImportUsersRequest, ListUsersRequest, User,
};

use super::{ClientError, Session};

/// Largest piece of a file that is sent at once; source: admin.proto.
const PIECE: usize = 64 * 1024;
/// Users of one page.
const PAGE: u32 = 500;

/// What to do with users.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Users {
    /// List users.
    List {
        /// Part of name, number or IPEI.
        #[arg(default_value = "")]
        filter: String,
    },
    /// Add a user.
    Add(NewUser),
    /// Read users from a CSV file; each line is reported.
    Import {
        /// The file.
        file: PathBuf,
        /// Only check.
        #[arg(long)]
        dry_run: bool,
        /// Change users that exist.
        #[arg(long)]
        update: bool,
    },
}

/// A user to add.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewUser {
    /// User name or extension.
    username: String,
    /// Handset, as printed in it: 05003 0070387 8.
    #[arg(long, default_value = "")]
    ipei: String,
    /// Access code for the subscription, up to 8 digits.
    #[arg(long, default_value = "")]
    code: String,
    /// Name shown to others.
    #[arg(long, default_value = "")]
    name: String,
    /// Only check.
    #[arg(long)]
    dry_run: bool,
}

/// Does it, and prints the outcome.
///
/// # Errors
/// [`ClientError`].
pub(crate) async fn run(session: &Session, task: Users) -> Result<(), ClientError> {
    match task {
        Users::List { filter } => list(session, filter).await,
        Users::Add(user) => add(session, user).await,
        Users::Import {
            file,
            dry_run,
            update,
        } => {
            let content = std::fs::read(&file)
                .map_err(|error| ClientError::Input(format!("{}: {error}", file.display())))?;
            import(session, &content, dry_run, update).await
        }
    }
}

async fn list(session: &Session, filter: String) -> Result<(), ClientError> {
    let mut users = UsersClient::new(session.channel());
    let mut page_token = String::new();
    loop {
        let request = ListUsersRequest {
            filter: filter.clone(),
            page_size: PAGE,
            page_token,
        };
        let page = users.list(session.request(request)).await?.into_inner();
        for user in page.users {
            println!(
                "{:16}  {:15}  {}",
                user.username, user.ipei, user.display_name
            );
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

async fn add(session: &Session, new: NewUser) -> Result<(), ClientError> {
    let request = CreateUserRequest {
        user: Some(User {
            username: new.username,
            ipei: new.ipei,
            access_code: new.code,
            display_name: new.name,
            ..User::default()
        }),
        reason: "ipdect users add".into(),
        dry_run: new.dry_run,
    };
    let made = UsersClient::new(session.channel())
        .create(session.request(request))
        .await?
        .into_inner();
    println!("{} {}", made.username, made.id);
    Ok(())
}

async fn import(
    session: &Session,
    content: &[u8],
    dry_run: bool,
    update_existing: bool,
) -> Result<(), ClientError> {
    let pieces = pieces(content, dry_run, update_existing);
    let mut reports = UsersClient::new(session.channel())
        .import(session.request(tokio_stream::iter(pieces)))
        .await?
        .into_inner();
    let mut failed = 0;
    while let Some(report) = reports.message().await? {
        println!("{}", line(&report));
        failed += report.failed;
    }
    match failed {
        0 => Ok(()),
        lines => Err(ClientError::Lines(lines)),
    }
}

/// The file in pieces; an empty one is one empty piece.
fn pieces(content: &[u8], dry_run: bool, update_existing: bool) -> Vec<ImportUsersRequest> {
    let piece = |(n, chunk): (usize, &[u8])| ImportUsersRequest {
        chunk: chunk.to_vec().into(),
        dry_run: dry_run && n == 0,
        update_existing: update_existing && n == 0,
    };
    let mut pieces: Vec<_> = content.chunks(PIECE).enumerate().map(piece).collect();
    if pieces.is_empty() {
        pieces.push(piece((0, &[])));
    }
    pieces
}

fn line(report: &ImportUsersReport) -> String {
    if report.line == 0 {
        return format!(
            "{} created, {} updated, {} failed",
            report.created, report.updated, report.failed
        );
    }
    let outcome = match report.outcome() {
        ImportOutcome::Created => "created",
        ImportOutcome::Updated => "updated",
        ImportOutcome::Unchanged => "unchanged",
        ImportOutcome::Failed => "failed",
        ImportOutcome::Unspecified => "unknown outcome",
    };
    let mistakes: Vec<String> = report
        .mistakes
        .iter()
        .map(|m| format!("{} {:?}: {}", m.field, m.value, m.remedy))
        .collect();
    let why = if mistakes.is_empty() {
        String::new()
    } else {
        format!(": {}", mistakes.join("; "))
    };
    format!("line {}: {} {outcome}{why}", report.line, report.username)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_piece_says_how() {
        let pieces = pieces(&vec![b'x'; PIECE + 1], true, true);
        let said: Vec<_> = pieces
            .iter()
            .map(|p| (p.chunk.len(), p.dry_run, p.update_existing))
            .collect();
        assert_eq!(said, [(PIECE, true, true), (1, false, false)]);
        assert_eq!(super::pieces(b"", true, false).len(), 1);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let report = ImportUsersReport {
            line: 3,
            outcome: ImportOutcome::Failed.into(),
            username: "1001".into(),
            mistakes: vec![ipdect_proto::admin::v1::Mistake {
                change: 0,
                field: "ipei".into(),
                value: "x".into(),
                remedy: "not an IPEI".into(),
            }],
            ..ImportUsersReport::default()
        };
        assert_eq!(
            line(&report),
            "line 3: 1001 failed: ipei \"x\": not an IPEI"
        );
    }
}
