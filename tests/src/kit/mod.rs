//! The words that the tests of the whole are written in.

pub mod capture;
pub mod disk;
pub mod handset;
pub mod namespace;
pub mod program;
pub mod sound;
pub mod wait;
