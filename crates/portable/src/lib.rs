//! A whole virtual handset without IO: the portable's side of the virtual air, DLC, network layer, keys, display, ringer and speech.
//!
//! The host owns sockets, clock and sound: it passes datagrams, keys and the passing of time to [`Portable::handle`], carries out the
//! [`Action`]s in order, lends samples of the mouth and takes those of the ear. Which base station is heard how well is judged here, from positions
//! and injected randomness.
//!
//! One socket may serve many portables: pass what it receives to all of them (each takes its own), or only to the one with the datagram's
//! [`Portable::pmid`], and beacons to all.
#![warn(missing_docs)]

mod config;
mod connection;
mod event;
mod mind;
mod mobility;
mod screen;
pub mod speech;
mod surroundings;

pub use config::{Config, Memory, MemoryError};
pub use event::{
    Action, CallState, Digit, Event, Key, KeyError, LocationFailure, Status, SubscriptionFailure,
};
pub use ipdect_media::meter as ear;
pub use mind::Portable;

#[cfg(test)]
pub(crate) mod tests;
