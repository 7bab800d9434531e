//! A base station: MAC, DLC, bearers and speech frames behind a [`radio`], in the service of servers.
//!
//! [`cell`] is its mind, [`speech`] its path for B-fields; both are without IO.
#![warn(missing_docs)]

pub mod cell;
pub mod convert;
pub mod radio;
pub mod speech;
pub mod wire;
