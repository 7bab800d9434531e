//! A call between the two virtual handsets, watched on the pages as it happens.

use anyhow::Result;
use serde_json::json;

use crate::desk::Desk;

/// The handsets of 1001 and 1002 on the overview.
const CALLER: &str = "#p-655350000001";
const CALLED: &str = "#p-655350000002";

#[tokio::test]
async fn a_call_is_seen_to_begin_and_to_end_and_leaves_its_ladder() -> Result<()> {
    let desk = Desk::of_an_administrator().await?;
    let b = &desk.browser;
    b.sees("#h-655350000001 .s-up", "registered").await?;
    b.sees("#h-655350000002 .s-up", "registered").await?;
    // Gone if the page were loaded anew: everything after comes in live.
    b.asks("window.stays = true", json!([])).await?;

    b.presses("Call 1002 from 1001").await?;
    b.sees(&format!("{CALLED} .s"), "ringing").await?;
    b.sees("tr[id^='c-'] .s-busy", "ringing").await?;
    b.sees("tr[id^='c-']", "1002").await?;
    b.sees(".lead", "1 call").await?;
    b.presses("Answer").await?;
    b.sees(&format!("{CALLER} .s-up"), "in call").await?;
    b.sees(&format!("{CALLED} .s-up"), "in call").await?;
    b.sees("tr[id^='c-'] .s-up", "in call").await?;
    // Both handsets tell of it, and it is one call.
    let rows = b
        .asks(
            "return document.querySelectorAll(\"tr[id^='c-']\").length",
            json!([]),
        )
        .await?;
    assert_eq!(rows, json!(1));
    b.sees("#h-655350000001 .s-busy", "in a call").await?;
    let call = b
        .asks(
            "return document.querySelector(\"tr[id^='c-'] a\").getAttribute('href')",
            json!([]),
        )
        .await?;
    let call = call.as_str().unwrap_or_default().to_string();

    b.presses("Speak 1000 Hz").await?;
    b.sees(&format!("{CALLED} .facts"), "1000 Hz").await?;

    b.presses("Hang up").await?;
    b.sees_no("#live", "in call").await?;
    b.sees(".lead", "0 calls").await?;
    for phone in [CALLER, CALLED] {
        b.sees(&format!("{phone} .s-up"), "idle").await?;
    }
    assert_eq!(b.asks("return window.stays", json!([])).await?, json!(true));

    b.goes_to(&call).await?;
    b.sees("h1", "1002").await?;
    b.sees("h2", "Ladder of 1001").await?;
    b.sees("h2", "Ladder of 1002").await?;
    for step in ["INVITE", "{CC-SETUP}", "{CC-CONNECT}", "BYE"] {
        b.sees(".ladder svg text", step).await?;
        b.sees("details.step summary", step).await?;
    }
    // An arrow opens the whole message.
    let invite = "const at = [...document.querySelectorAll('.ladder svg a')].find((a) => a.textContent.includes('INVITE'));
        return at.getAttribute('href')";
    let step = b.asks(invite, json!([])).await?;
    let step = step.as_str().unwrap_or_default().to_string();
    b.finds(&format!(".ladder svg a[href='{step}'] text:last-child"))
        .await?
        .click()
        .await?;
    b.sees(&format!("details{step}[open] pre"), "INVITE sip:")
        .await?;
    b.goes_to("/calls").await?;
    b.sees("tr[id^='c-'] .s", "ended").await?;
    desk.nothing_was_amiss().await
}
