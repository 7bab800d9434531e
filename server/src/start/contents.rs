//! What a new store is filled with, and the token that lets the first admin API in.

use std::sync::Arc;
use std::time::Duration;

use ipdect_dect::identity::Ari;
use ipdect_link::role::Role;
use ipdect_link::token::EnrolToken;
use ipdect_node::run_file::create_dir;
use ipdect_node::{Environment, StartError};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::settings_document::Scope;
use ipdect_proto::cluster::v1 as rows;
use tracing::info;

use super::TOKEN_LIFE;
use crate::directory::{Applied, Directory};
use crate::enrol::{Admission, tidy_tokens};
use crate::initial::Initial;
use crate::live::utc_ms;
use crate::trust::{self, Trust, not_kept, other, store_error};

/// An empty store gets `[initial]` and a PARK; a full one is told that it is ignored. The first admin API gets its token.
///
/// # Errors
/// [`StartError`] for what the directory refuses in `[initial]`, and for a store or a folder that takes nothing.
pub(super) async fn fill(
    initial: &Initial,
    trust: &Trust,
    directory: &Arc<Directory>,
    admission: &Admission,
    env: &Environment,
) -> Result<(), StartError> {
    if trust.is_new {
        for batch in first_changes(initial, env).chunks(20) {
            apply(directory, batch.to_vec()).await?;
        }
        keep_initial_tokens(initial, admission).await?;
    } else if *initial != Initial::default() {
        info!(
            "[initial] is ignored: the store has contents already; change settings through the admin API"
        );
    }
    admin_token(directory, admission, env).await
}

/// Settings of `[initial]`, with those of DECT in any case, then its users.
fn first_changes(initial: &Initial, env: &Environment) -> Vec<rows::Change> {
    let mut settings = initial.settings.clone();
    let is_dect = |s: &Scope| matches!(s, Scope::Dect(_));
    if !settings.iter().any(is_dect) {
        settings.push(crate::directory::settings::default_of("dect").expect("dect is a scope"));
    }
    for scope in &mut settings {
        give_park(scope, env);
    }
    let settings = settings.into_iter().map(settings_change);
    let users = initial.users.iter().cloned().map(user_change);
    settings.chain(users).collect()
}

async fn apply(directory: &Directory, changes: Vec<rows::Change>) -> Result<(), StartError> {
    let request = rows::ApplyRequest {
        actor: "system".into(),
        reason: "first start".into(),
        dry_run: false,
        changes,
        address: String::new(),
    };
    let applied = directory.apply(request, utc_ms()).await;
    match applied.map_err(|e| store_error(&e))? {
        Applied::Done { .. } => Ok(()),
        Applied::Refused(mistakes) => {
            let said = mistakes
                .iter()
                .map(|m| format!("{} = {:?}: {}", m.field, m.value, m.remedy));
            let what = format!("[initial]: {}", said.collect::<Vec<_>>().join("; "));
            Err(other(
                what,
                "mend the file, remove the data directory's store.redb, and start again",
            ))
        }
    }
}

async fn keep_initial_tokens(initial: &Initial, admission: &Admission) -> Result<(), StartError> {
    for token in &initial.tokens {
        let made = EnrolToken::with_secret(token.role, &token.secret, admission.pin());
        let made = made.map_err(|e| {
            other(
                format!("[[initial.token]]: {e}"),
                "write letters and digits only",
            )
        })?;
        let valid = Duration::from_secs(u64::from(token.valid_hours) * 3600);
        let kept = admission.keep_token(&made, token.role, token.uses, valid);
        kept.await.map_err(not_kept)?;
    }
    Ok(())
}

fn settings_change(scope: Scope) -> rows::Change {
    let key = crate::directory::settings::name(&scope).to_string();
    let document = admin::SettingsDocument {
        revision: 0,
        scope: Some(scope),
    };
    put(
        rows::Kind::Settings,
        key,
        rows::resource::Value::Settings(document),
    )
}

fn user_change(user: admin::User) -> rows::Change {
    put(
        rows::Kind::User,
        String::new(),
        rows::resource::Value::User(user),
    )
}

fn put(kind: rows::Kind, key: String, value: rows::resource::Value) -> rows::Change {
    rows::Change {
        kind: kind.into(),
        key: key.clone(),
        expected_revision: 0,
        act: Some(rows::change::Act::Put(rows::Resource {
            key,
            revision: 0,
            value: Some(value),
        })),
    }
}

/// A new system gets a PARK of its own, so that two systems in one house do not take each other's handsets.
fn give_park(scope: &mut Scope, env: &Environment) {
    let Scope::Dect(dect) = scope else { return };
    if dect.park.is_empty() {
        let number = env.random.number();
        let eic = 0x1000 | (number & 0x0fff) as u16;
        let system = ((number >> 16) & 0x0fff) as u16;
        let ari = Ari::class_b(eic, system).expect("12 bits of system number fit class B");
        dect.park = ari.park().to_string();
    }
}

/// Until an admin API has enrolled, its token lies in a file for the administrator.
async fn admin_token(
    directory: &Arc<Directory>,
    admission: &Admission,
    env: &Environment,
) -> Result<(), StartError> {
    let enrolled = directory.book().devices().any(|(_, k)| {
        k.row
            .device
            .as_ref()
            .is_some_and(|d| d.role() == Role::Admin)
    });
    tidy_tokens(directory, env.clock.wall()).await;
    if enrolled {
        return Ok(());
    }
    let token = admission.issue_token(Role::Admin, 1, TOKEN_LIFE).await;
    let token = token.map_err(not_kept)?.reveal();
    *admission.first_token.lock() = Some(token.clone());
    if let Some(folder) = admission.token_file.parent() {
        create_dir(folder)?;
    }
    trust::write_token(&admission.token_file, &token)?;
    info!(file = %admission.token_file.display(), "the admin API enrols with the token in this file");
    Ok(())
}
