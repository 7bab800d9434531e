//! What the tests of this crate share: the first instant and the vectors of the standards.

use std::path::PathBuf;
use std::time::Instant;

/// The first instant of a test; the one place here that asks the clock.
#[allow(clippy::disallowed_methods)]
pub(crate) fn t0() -> Instant {
    Instant::now()
}

/// A file of `tests/conformance/vectors`.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/conformance/vectors")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// 16-bit little-endian words, the form of the ITU vectors.
pub(crate) fn words(octets: &[u8]) -> Vec<u16> {
    octets
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}
