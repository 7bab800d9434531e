//! Base stations: the pool, its contract and its door.

pub(crate) mod convert;
mod orders;
pub mod pool;
