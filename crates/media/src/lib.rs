//! Speech on packets, without IO: codecs, RTP, SRTP, playout, concealment, tones and the mind of a media session.
//!
//! Machines here take `now` and random octets as arguments and fill buffers that the caller lends; none of them
//! allocates for a packet.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod codec;
pub mod conceal;
pub mod dtmf;
pub mod fuzz;
pub mod jitter;
pub mod meter;
pub mod mixer;
pub mod rtp;
pub mod session;
pub mod srtp;
pub mod tones;

#[cfg(test)]
pub(crate) mod tests;
