//! The web GUI in a real Chromium, before a whole system: what a person does, and what he sees.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod browser;
mod calls;
mod desk;
mod login;
mod markup;
mod users;
mod width;
