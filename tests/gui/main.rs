//! The web GUI in a real Chromium, before a whole system: what a person does, and what he sees.

mod browser;
mod calls;
mod desk;
mod login;
mod markup;
mod users;
mod width;
