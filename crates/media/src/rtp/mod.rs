//! RTP and RTCP: headers, the air's header extension, reception statistics.

mod header;

pub use header::{AirMark, HEADER_LENGTH, Header, Packet, RtpError, WITH_AIR_MARK};
