//! The first instant of all tests of this crate.

use std::time::Instant;

/// The one place of this crate that asks the clock.
#[allow(clippy::disallowed_methods)]
pub(crate) fn t0() -> Instant {
    Instant::now()
}
