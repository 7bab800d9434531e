//! The server: one actor per handset, SIP, call control, radio and media pools, the directory.

mod adoption;
pub mod config;
pub mod core;
pub mod directory;
pub mod enrol;
pub mod fence;
pub mod handset;
pub mod initial;
pub mod keep;
mod line;
pub mod links;
pub mod live;
pub mod live_service;
pub mod media;
pub mod metrics;
pub mod profile;
pub mod radio;
pub mod shown;
pub mod sip;
pub mod snapshots;
mod start;
mod threads;
pub mod trust;

pub use config::Config;
pub use start::{Running, start};
