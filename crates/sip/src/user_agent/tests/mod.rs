//! User agents in an invented world: ladders, lost messages, random events.

mod calls;
mod chaos;
mod records;
mod registering;
pub(crate) mod world;
