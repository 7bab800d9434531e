//! What tests of this crate share.

use std::time::Instant;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

/// The first instant of a test: the one look at the clock.
#[allow(clippy::disallowed_methods)]
pub(crate) fn t0() -> Instant {
    Instant::now()
}

/// Chance from a seed.
pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}
