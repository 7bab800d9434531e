//! User agents in an invented world: ladders, lost messages, random events.

mod calls;
mod chaos;
mod registering;
mod records;
pub(crate) mod world;
