//! Settings: each field with its value, default and what it does; the difference before, undo after.

use actix_web::{HttpResponse, web};
use askama::Template;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::settings_document::Scope;
use tonic::{Code, Status};

use crate::web::answer::{mistaken_page, page};
use crate::web::changes::{Difference, differences, digest};
use crate::web::fields::{Fields, Input, place_mistakes};
use crate::web::settings::{self, About};
use crate::web::trouble::Trouble;
use crate::web::visit::{Posted, Visit};

#[derive(Template)]
#[template(path = "settings.html")]
struct Body<'a> {
    csrf: &'a str,
    administers: bool,
    about: &'static About,
    revision: u64,
    inputs: Vec<Input>,
    errors: Vec<String>,
    /// What saving would change, or has changed.
    changes: Vec<Difference>,
    stage: Stage,
    /// Names the values whose difference is shown.
    seen: String,
    /// Fields of the undo form.
    undo: Vec<(String, String)>,
    undo_seen: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Form,
    NothingChanges,
    Confirm,
    Saved,
}

impl Body<'_> {
    fn confirms(&self) -> bool {
        self.stage == Stage::Confirm
    }

    fn saved(&self) -> bool {
        self.stage == Stage::Saved
    }

    fn idle(&self) -> bool {
        self.stage == Stage::NothingChanges
    }
}

fn body<'a>(
    visit: &'a Visit,
    about: &'static About,
    revision: u64,
    inputs: Vec<Input>,
) -> Body<'a> {
    Body {
        csrf: &visit.csrf,
        administers: visit.administers(),
        about,
        revision,
        inputs,
        errors: Vec::new(),
        changes: Vec::new(),
        stage: Stage::Form,
        seen: String::new(),
        undo: Vec::new(),
        undo_seen: String::new(),
    }
}

fn about(path: &str) -> Result<&'static About, Trouble> {
    settings::about(path)
        .ok_or_else(|| Status::not_found(format!("there are no settings `{path}`")).into())
}

async fn document(visit: &Visit, about: &About) -> Result<(u64, Scope), Trouble> {
    let document = visit
        .gui
        .api
        .settings_get(&visit.caller, about.scope)
        .await?;
    let scope = document
        .scope
        .ok_or_else(|| Status::internal("the server told no settings"))?;
    Ok((document.revision, scope))
}

/// The form.
pub(crate) async fn show(visit: Visit, scope: web::Path<String>) -> Result<HttpResponse, Trouble> {
    let about = about(&scope)?;
    let (revision, present) = document(&visit, about).await?;
    Ok(page(
        &visit,
        about.title,
        &body(&visit, about, revision, settings::inputs(&present)),
    ))
}

/// First shows the difference; sent again with it seen, saves.
pub(crate) async fn save(
    posted: Posted,
    scope: web::Path<String>,
) -> Result<HttpResponse, Trouble> {
    let Posted { visit, fields } = posted;
    let about = about(&scope)?;
    let (revision, present) = document(&visit, about).await?;
    let old = settings::inputs(&present);
    let mut wanted = present.clone();
    let mistakes = settings::fill(&mut wanted, &fields);
    let mut new = if mistakes.is_empty() {
        settings::inputs(&wanted)
    } else {
        as_sent(&old, &fields)
    };
    let read: u64 = fields.get("revision").parse().unwrap_or(revision);
    if !mistakes.is_empty() {
        for (name, said) in mistakes {
            new.iter_mut()
                .filter(|i| i.name == name)
                .for_each(|i| i.mistake.clone_from(&said));
        }
        return Ok(mistaken_page(
            &visit,
            about.title,
            &body(&visit, about, read, new),
        ));
    }
    let changes = differences(&old, &new);
    let seen = digest(read, &new);
    let confirmed = fields.get("seen") == seen;
    let request = admin::UpdateSettingsRequest {
        document: Some(admin::SettingsDocument {
            revision: read,
            scope: Some(wanted),
        }),
        reason: fields.get("reason").into(),
        dry_run: !confirmed,
    };
    if changes.is_empty() {
        let body = Body {
            stage: Stage::NothingChanges,
            ..body(&visit, about, read, new)
        };
        return Ok(page(&visit, about.title, &body));
    }
    match visit.gui.api.settings_update(&visit.caller, request).await {
        Ok(_) if !confirmed => {
            let body = Body {
                stage: Stage::Confirm,
                changes,
                seen,
                ..body(&visit, about, read, new)
            };
            Ok(page(&visit, about.title, &body))
        }
        Ok(_) => saved(&visit, about, &old, changes).await,
        Err(status) if status.code() == Code::InvalidArgument => {
            let errors = place_mistakes(status.message(), &mut new);
            Ok(mistaken_page(
                &visit,
                about.title,
                &Body {
                    errors,
                    ..body(&visit, about, read, new)
                },
            ))
        }
        Err(status) => Err(status.into()),
    }
}

async fn saved(
    visit: &Visit,
    about: &'static About,
    old: &[Input],
    changes: Vec<Difference>,
) -> Result<HttpResponse, Trouble> {
    let (revision, present) = document(visit, about).await?;
    let body = Body {
        stage: Stage::Saved,
        changes,
        undo: old
            .iter()
            .map(|i| (i.name.clone(), i.value.clone()))
            .collect(),
        undo_seen: digest(revision, old),
        ..body(visit, about, revision, settings::inputs(&present))
    };
    Ok(page(visit, about.title, &body))
}

/// The fields as they were sent, wrong ones too.
fn as_sent(old: &[Input], fields: &Fields) -> Vec<Input> {
    old.iter()
        .cloned()
        .map(|i| {
            let value = fields.get(&i.name).replace("\r\n", "\n");
            i.holding(value)
        })
        .collect()
}
