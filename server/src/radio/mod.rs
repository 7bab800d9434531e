//! Base stations: the pool, its contract and its door.

pub(crate) mod convert;
pub mod pool;
