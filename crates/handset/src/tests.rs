//! The first instant of all tests of this crate.

use std::time::Instant;

/// The one place of this crate that asks the clock.
#[allow(clippy::disallowed_methods)]
pub(crate) fn t0() -> Instant {
    Instant::now()
}

#[test]
fn an_idle_handset_is_small() {
    // Beside the user agent's own tables; the budget of all is 6 KiB (design section 11).
    let size = std::mem::size_of::<crate::State>();
    assert!(size <= 4096, "{size} octets");
}
