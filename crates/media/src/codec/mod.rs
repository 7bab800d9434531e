//! Speech codecs: G.711, G.726 and the direct ways between them.

pub mod g711;
pub mod g726;
mod transcode;

pub use g711::Law;
pub use transcode::{Format, StreamDecoder, StreamEncoder};

/// Samples of one second: every codec here runs at 8 kHz.
pub const SAMPLE_RATE_HZ: u32 = 8000;
