//! DECT, EN 300 175, without IO: identities, network layer messages and procedures of both sides, keys, display text,
//! MAC C-channel, virtual air and DLC.
//!
//! Time is an argument, randomness is an argument, effects are values. Nothing here panics on what the radio brings.
#![warn(missing_docs)]

pub mod display;
pub mod dlc;
pub mod identity;
pub mod mac;
pub mod nwk;
pub mod security;

#[cfg(test)]
pub(crate) mod tests;
