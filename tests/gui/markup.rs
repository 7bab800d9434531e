//! Texts that others choose are shown as texts: names, search words, reasons, lines of files, what came by SIP.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::desk::Desk;

/// Each would set `window.won`, or open a box, if a page took it for markup.
const PAYLOADS: &[&str] = &[
    "<script>won=true</script>",
    "\"><img src=x onerror=won=true>",
    "'><svg onload=alert()>",
    "</textarea><script>alert()</script>",
    "\" autofocus onfocus=\"won=true",
    "{{won}}${won=true}<%= won %>",
    "&lt;b&gt; &amp; &#39;",
    "javascript:won=true//",
];

#[tokio::test]
async fn no_name_is_taken_for_markup() -> Result<()> {
    let desk = Desk::of_an_administrator().await?;
    let b = &desk.browser;

    for (n, payload) in PAYLOADS.iter().enumerate() {
        b.goes_to("/users/new").await?;
        b.types("username", &format!("20{n:02}")).await?;
        b.types("display_name", payload).await?;
        b.presses("Add the user").await?;
        b.sees("h1", &format!("User 20{n:02}")).await?;
        let kept = b
            .asks(
                "return document.querySelector('#f-display_name').value",
                json!([]),
            )
            .await?;
        assert_eq!(kept, json!(payload));
        nothing_ran(&desk, payload).await?;

        b.goes_to("/users").await?;
        b.sees("tbody tr", payload).await?;
        b.types("q", payload).await?;
        b.sees_no("tbody tr", "1001").await?;
        b.sees("tbody tr", payload).await?;
        nothing_ran(&desk, payload).await?;

        b.types("q", &format!("nobody {payload}")).await?;
        b.sees("p", &format!("nobody {payload}")).await?;
        nothing_ran(&desk, payload).await?;

        b.goes_to("/users/new").await?;
        b.types("username", payload).await?;
        b.presses("Add the user").await?;
        b.finds("#m-username:not(:empty), .errors").await?;
        nothing_ran(&desk, payload).await?;
    }
    desk.nothing_was_amiss().await
}

#[tokio::test]
async fn what_comes_by_sip_or_from_a_file_is_no_markup_either() -> Result<()> {
    let desk = Desk::of_an_administrator().await?;
    let b = &desk.browser;
    let name = "<img src=x onerror=won=true>";

    b.goes_to("/users/import").await?;
    b.types(
        "csv",
        &format!("username,display_name\n{name},x\n3001,{name}\n{name}"),
    )
    .await?;
    b.presses("Import").await?;
    b.sees("tbody tr", name).await?;
    nothing_ran(&desk, "a line of a file").await?;

    b.goes_to("/users").await?;
    b.presses("1001").await?;
    b.types("display_name", name).await?;
    b.presses("Save").await?;
    b.sees("[role=status]", "Saved").await?;
    b.presses("Overview").await?;
    b.presses("Call 1002 from 1001").await?;
    b.sees("#p-655350000002 .display", "<img").await?;
    b.sees("tr[id^='c-']", name).await?;
    b.sees("tr[id^='c-'] .s-busy", "ringing").await?;
    nothing_ran(&desk, "a name in a call").await?;
    b.presses("Hang up").await?;
    b.sees("#live", "No call now").await?;
    b.goes_to("/calls").await?;
    b.sees("tr[id^='c-']", name).await?;
    nothing_ran(&desk, "a name in a list of calls").await?;
    let hrefs = "return [...document.querySelectorAll(\"tr[id^='c-']\")].filter((tr) => tr.innerText.includes(arguments[0])).map((tr) => tr.querySelector('a').getAttribute('href'))";
    let calls = b.asks(hrefs, json!([name])).await?;
    for call in calls.as_array().into_iter().flatten() {
        b.goes_to(call.as_str().unwrap_or_default()).await?;
        b.sees("h1", name).await?;
        b.sees("details.step summary", "INVITE").await?;
        nothing_ran(&desk, "a name in a ladder").await?;
    }
    desk.nothing_was_amiss().await
}

/// No script of a payload ran, nor did it become an element. An open box would have failed the question.
async fn nothing_ran(desk: &Desk, payload: &str) -> Result<()> {
    let look = "return [typeof window.won, document.querySelectorAll('#live script, #live [onerror], #live [onload], #live [onfocus], #live img').length]";
    let seen = desk.browser.asks(look, json!([])).await?;
    ensure!(seen == json!(["undefined", 0]), "{payload}: {seen}");
    Ok(())
}
