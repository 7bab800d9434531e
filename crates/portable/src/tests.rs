//! What the tests of this crate share, and a portable against a fixed part in virtual time.

mod calls;
mod fixed_part;
mod mobility;
mod random;
mod world;

use std::time::Instant;

/// The first instant of a test's own time.
#[allow(clippy::disallowed_methods)]
pub(crate) fn t0() -> Instant {
    Instant::now()
}
