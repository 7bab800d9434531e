//! Users: one by one, and by the file.

use anyhow::Result;
use serde_json::json;

use crate::desk::Desk;

#[tokio::test]
async fn a_user_is_added_changed_and_removed_and_a_mistake_is_told_at_its_field() -> Result<()> {
    let desk = Desk::of_an_administrator().await?;
    let b = &desk.browser;

    b.goes_to("/users").await?;
    b.presses("Add a user").await?;
    b.arrives_at("/users/new").await?;
    b.types("username", "1003").await?;
    b.types("display_name", "Jim Kander").await?;
    b.types("ipei", "05003 0070387 9").await?;
    b.presses("Add the user").await?;
    b.sees("#m-ipei", "check digit of the IPEI is 9, expected 8")
        .await?;
    // What was typed is still there.
    let kept = "return [...document.querySelectorAll('#f-username, #f-display_name, #f-ipei')].map((e) => e.value)";
    assert_eq!(
        b.asks(kept, json!([])).await?,
        json!(["1003", "Jim Kander", "05003 0070387 9"])
    );

    b.types("ipei", "05003 0070387 8").await?;
    b.presses("Add the user").await?;
    b.sees("h1", "User 1003").await?;
    b.sees("[role=status]", "Saved").await?;
    b.goes_to("/users").await?;
    b.sees("tbody tr", "1003").await?;
    b.sees("tbody tr", "Jim Kander").await?;
    b.sees("tbody tr", "05003 0070387 8").await?;

    b.types("q", "kander").await?;
    b.sees("form", "1 found").await?;
    b.sees_no("tbody tr", "1001").await?;

    b.presses("1003").await?;
    b.sees("h1", "User 1003").await?;
    b.types("display_name", "Jim A. Kander").await?;
    b.presses("Save").await?;
    b.sees("[role=status]", "Saved").await?;
    b.goes_to("/users").await?;
    b.sees("tbody tr", "Jim A. Kander").await?;

    // Numbers are dialled: there cannot be two.
    b.goes_to("/users/new").await?;
    b.types("username", "1003").await?;
    b.presses("Add the user").await?;
    b.sees("#m-username, .errors", "1003").await?;

    b.goes_to("/users").await?;
    b.presses("1003").await?;
    b.presses("Remove").await?;
    b.sees("h1", "1003").await?;
    b.types("reason", "he left").await?;
    b.finds("button.danger").await?.click().await?;
    b.arrives_at("/users").await?;
    b.sees("form", "2 found").await?;
    b.sees_no("tbody tr", "1003").await?;
    b.goes_to("/audit").await?;
    b.sees("tbody tr", "he left").await?;
    desk.nothing_was_amiss().await
}

/// Lines 2 to 5: good, a wrong check digit, the number of line 2 again, a user that exists.
const FILE: &str = "username,display_name,ipei
1003,Jim Kander,05003 0070387 8
1004,Anna Berg,05003 0070388 1
1003,Jim Again,
1001,Somebody Else,
";

#[tokio::test]
async fn an_import_tells_of_each_line_what_became_of_it() -> Result<()> {
    let desk = Desk::of_an_administrator().await?;
    let b = &desk.browser;

    b.goes_to("/users/import").await?;
    b.types("csv", FILE).await?;
    b.presses("Only check").await?;
    b.sees("h2", "Check: nothing was changed").await?;
    assert_eq!(outcomes(&desk).await?, outcome("would be added"));
    b.presses("Import").await?;
    b.sees("h2", "Imported").await?;
    assert_eq!(outcomes(&desk).await?, outcome("added"));
    b.sees(".lead", "1 were added").await?;
    b.sees("tbody tr:nth-child(2)", "check digit").await?;

    b.goes_to("/users").await?;
    b.sees("form", "3 found").await?;
    b.sees("tbody tr", "Jim Kander").await?;
    b.sees_no("tbody tr", "Anna Berg").await?;
    b.sees_no("tbody tr", "Somebody Else").await?;
    desk.nothing_was_amiss().await
}

async fn outcomes(desk: &Desk) -> Result<serde_json::Value> {
    let look = "return [...document.querySelectorAll('tbody tr')].map((tr) => [...tr.cells].slice(0, 3).map((td) => td.innerText.trim()))";
    desk.browser.asks(look, json!([])).await
}

fn outcome(good: &str) -> serde_json::Value {
    json!([
        ["2", "1003", good],
        ["3", "1004", "not taken"],
        ["4", "1003", "not taken"],
        ["5", "1001", "not taken"],
    ])
}
