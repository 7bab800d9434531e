//! The words that the tests of the whole are written in.

pub mod handset;
