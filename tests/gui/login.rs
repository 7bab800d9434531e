//! The first login.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::desk::{ACCOUNT, Desk, FIRST_PASSWORD, PASSWORD};

/// Pages that a person may have bookmarked.
const PAGES: &[&str] = &[
    "/",
    "/users",
    "/users/new",
    "/users/import",
    "/calls",
    "/radio",
    "/devices",
    "/subscription",
    "/settings/sip",
    "/events",
    "/audit",
];

#[tokio::test]
async fn the_first_login_ends_with_a_new_password_and_an_overview_where_all_is_up() -> Result<()> {
    let desk = Desk::new().await?;
    let b = &desk.browser;

    for page in PAGES {
        b.goes_to(page).await?;
        b.arrives_at("/login").await?;
    }

    // The answer is the same whether the account exists or not.
    b.goes_to("/login").await?;
    desk.logs_in(ACCOUNT, "not the password").await?;
    let known = b.reads("[role=alert].error:not([hidden])").await?;
    desk.logs_in("nobody", "not the password").await?;
    let unknown = b.reads("[role=alert].error:not([hidden])").await?;
    assert_eq!(known, "Name or password is wrong.");
    assert_eq!(unknown, known);
    b.arrives_at("/login").await?;

    desk.logs_in(ACCOUNT, FIRST_PASSWORD).await?;
    b.arrives_at("/password").await?;
    for page in PAGES {
        b.goes_to(page).await?;
        b.arrives_at("/password").await?;
    }

    desk.changes_password(FIRST_PASSWORD, "Password123").await?;
    b.sees(
        "#new-m",
        "is one that everybody tries first; choose another",
    )
    .await?;
    desk.changes_password("not the old one", PASSWORD).await?;
    b.sees("#old-m", "It ").await?;
    desk.changes_password(FIRST_PASSWORD, PASSWORD).await?;
    b.arrives_at("/").await?;

    all_is_up(&desk).await?;

    // The new password counts, the first one no more.
    b.presses("Log out").await?;
    b.arrives_at("/login").await?;
    desk.logs_in(ACCOUNT, FIRST_PASSWORD).await?;
    b.sees("[role=alert]", "Name or password is wrong.").await?;
    desk.logs_in(ACCOUNT, PASSWORD).await?;
    b.arrives_at("/").await?;
    desk.nothing_was_amiss().await
}

async fn all_is_up(desk: &Desk) -> Result<()> {
    let b = &desk.browser;
    b.sees(
        ".lead",
        "The server, 1 media resource and 1 base station are up; 0 calls",
    )
    .await?;
    for part in ["server-1", "media-1", "base-1"] {
        b.sees(&format!("#d-{part} .s-up"), "up").await?;
    }
    for (ipei, number) in [("655350000001", "1001"), ("655350000002", "1002")] {
        b.sees(&format!("#h-{ipei} a"), number).await?;
        b.sees(&format!("#h-{ipei} .s-up"), "registered").await?;
        b.sees(&format!("#p-{ipei} .s-up"), "idle").await?;
    }
    let attention = b
        .asks(
            "return [...document.querySelectorAll('.attention li')].map((e) => e.innerText)",
            json!([]),
        )
        .await?;
    ensure!(attention == json!([]), "needs attention: {attention:#}");
    Ok(())
}
