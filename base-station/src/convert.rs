//! Between wire types and the cell's: the only place here that knows prost structs, beside the uplink.

mod down;
mod up;

pub use down::{Rejection, instruction};
pub use up::{body, fence, rejected};

#[cfg(test)]
mod tests;
