//! What the tests of this crate share: the one place that may look at the clock.

mod portable;

use std::time::Instant;

/// The first instant of a test's own time.
pub(crate) fn t0() -> Instant {
    Instant::now()
}
