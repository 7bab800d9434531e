//! Pages on a telephone and on a desk.

use anyhow::Result;
use serde_json::json;

use crate::desk::Desk;

/// Widths of a small telephone, a laptop and a large screen, pixels.
const WIDTHS: [u32; 3] = [360, 1280, 1920];

/// Pages and what they are called in the pictures' names.
const PAGES: &[(&str, &str)] = &[
    ("/", "overview"),
    ("/users", "users"),
    ("/users/new", "user-new"),
    ("/users/import", "import"),
    ("/calls", "calls"),
    ("/subscription", "subscription"),
    ("/radio", "radio"),
    ("/devices", "devices"),
    ("/settings/sip", "settings-sip"),
    ("/events", "events"),
    ("/audit", "audit"),
    ("/password", "password"),
];

#[tokio::test]
async fn no_page_is_wider_than_its_window() -> Result<()> {
    let desk = Desk::new().await?;
    let b = &desk.browser;
    b.goes_to("/login").await?;
    in_all_widths(&desk, "login").await?;
    desk.enters().await?;

    // With a call that talks, and one that ended.
    b.presses("Call 1002 from 1001").await?;
    b.presses("Answer").await?;
    b.sees("tr[id^='c-'] .s-up", "in call").await?;
    in_all_widths(&desk, "overview-call").await?;
    let call = b
        .asks(
            "return document.querySelector(\"tr[id^='c-'] a\").getAttribute('href')",
            json!([]),
        )
        .await?;
    b.presses("Hang up").await?;
    b.sees("#live", "No call now").await?;

    b.goes_to(call.as_str().unwrap_or_default()).await?;
    b.finds(".ladder svg").await?;
    in_all_widths(&desk, "call").await?;
    for (path, name) in PAGES {
        b.goes_to(path).await?;
        b.finds("h1").await?;
        in_all_widths(&desk, name).await?;
    }
    desk.nothing_was_amiss().await
}

async fn in_all_widths(desk: &Desk, name: &str) -> Result<()> {
    for width in WIDTHS {
        desk.fits(name, width).await?;
    }
    Ok(())
}
