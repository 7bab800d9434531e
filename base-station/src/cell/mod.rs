//! The mind of a base station: bearers, LAPC, paging, fencing, orphan grace, speech. No IO, no clock, no chance.
//!
//! [`Cell::handle`] takes in what a radio or a server tells and answers with what must now be done, in order.
//! Speech of 10 ms goes past it to [`Speech`](crate::speech::Speech), which lends buffers instead of making lists.
//!
//! Handover between bases follows `TakeContext` (old base: freeze LAPC, answer with its variables, keep speech until
//! released) and `HandoverRequested`, `HandoverGrant`, `HandoverDone` (new base: hold a bearer, let the portable WAIT).

mod access;
pub mod connection;
pub mod fence;
mod inventory;
mod links;
pub mod message;
mod orders;
mod paging;
mod state;
mod watch;

pub use state::{Action, Cell, Event, LinkId, Settings};

#[cfg(test)]
mod tests;
