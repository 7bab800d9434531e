//! RTP and RTCP: headers, the air's header extension, reports, reception statistics, quality.

mod header;
pub mod quality;
mod reception;
pub mod rtcp;

pub use header::{AirMark, HEADER_LENGTH, Header, Packet, RtpError, WITH_AIR_MARK};
pub use reception::{Arrival, Reception};
