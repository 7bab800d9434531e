//! Handset actors: the shell around each mind, the table of all, and what they can reach.

pub mod actor;
pub mod effects;
pub mod registry;
pub(crate) mod trace;
