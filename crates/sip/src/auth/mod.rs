//! Proving who one is.

pub mod digest;
