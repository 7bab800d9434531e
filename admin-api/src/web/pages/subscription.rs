//! Subscriptions: the window, the attempts, handsets without a user.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::web::answer::{elsewhere, live_page};
use crate::web::trouble::Trouble;
use crate::web::views::{self, AttemptRow, HandsetRow};
use crate::web::visit::{Posted, Visit};
use crate::web::words::{now_ms, until};

#[derive(Template)]
#[template(path = "subscription.html")]
pub(crate) struct Body {
    csrf: String,
    operates: bool,
    /// End of the window as HTML; empty: none was opened here.
    open_html: String,
    attempts: Vec<AttemptRow>,
    handsets: Vec<HandsetRow>,
}

/// The page.
pub(crate) async fn show(visit: Visit) -> HttpResponse {
    live_page(&visit, "Subscription", "/live/subscription", &body(&visit))
}

/// Its body.
pub(crate) fn body(visit: &Visit) -> Body {
    let end = visit.gui.window.load(Ordering::Relaxed);
    visit.gui.board.look(|tables| Body {
        csrf: visit.csrf.clone(),
        operates: visit.operates(),
        open_html: if end > now_ms() {
            until(end)
        } else {
            String::new()
        },
        attempts: tables.attempts.iter().rev().map(views::attempt).collect(),
        handsets: tables
            .handsets
            .values()
            .filter(|h| h.subscribed)
            .map(views::handset)
            .collect(),
    })
}

/// Opens the system for subscriptions.
pub(crate) async fn open(posted: Posted) -> Result<HttpResponse, Trouble> {
    let seconds = posted.fields.get("seconds").parse().unwrap_or(0);
    let end = posted
        .visit
        .gui
        .api
        .subscription_open(&posted.visit.caller, seconds)
        .await?;
    posted.visit.gui.window.store(end, Ordering::Relaxed);
    Ok(elsewhere("/subscription"))
}

/// Closes it.
pub(crate) async fn close(posted: Posted) -> Result<HttpResponse, Trouble> {
    posted
        .visit
        .gui
        .api
        .subscription_close(&posted.visit.caller)
        .await?;
    posted.visit.gui.window.store(0, Ordering::Relaxed);
    Ok(elsewhere("/subscription"))
}

/// Removes the subscription of a handset.
pub(crate) async fn remove(
    posted: Posted,
    ipei: web::Path<String>,
) -> Result<HttpResponse, Trouble> {
    posted
        .visit
        .gui
        .api
        .handset_unsubscribe(&posted.visit.caller, &ipei, posted.fields.get("reason"))
        .await?;
    Ok(elsewhere("/subscription"))
}
