//! SIP without IO: messages, transactions, dialogs, user agents and the embedded domain (RFC 3261 and its family).
//!
//! Nothing here opens a socket, looks at a clock or draws a random number: time and randomness are arguments, sending is
//! an action handed back to the caller.

#![warn(missing_docs)]

pub mod auth;
pub mod dialog;
pub mod domain;
#[doc(hidden)]
pub mod fuzzing;
pub mod message;
pub mod registration;
pub mod sdp;
pub mod transaction;
pub mod trunk;
pub mod user_agent;

#[cfg(test)]
pub(crate) mod tests;
