//! A base station: MAC, DLC, bearers and speech frames behind a [`radio`], in the service of servers.
//!
//! [`cell`] is its mind, [`speech`] its path for B-fields; both are without IO. [`start`] is the door for programs.
#![warn(missing_docs)]

mod body;
pub mod cell;
pub mod config;
pub mod convert;
mod enrol;
pub mod metrics;
mod program;
pub mod radio;
pub mod speech;
mod traces;
mod uplink;
pub mod wire;

pub use config::Config;
pub use program::{NAME, start};

#[cfg(test)]
pub(crate) mod tests;
