//! Session descriptions: typed readers over `sdp-types`, offer and answer (RFC 8866, RFC 3264, RFC 4568).

mod answer;
mod attribute;
mod crypto;
mod negotiated;
mod offer;

pub use sdp_types::{Media, Session};

pub use answer::{answer, read_answer};
pub use attribute::{
    Direction, RtpMap, candidates, direction, fmtp, ptime_ms, rtcp_port, rtp_maps, telephone_event,
};
pub use crypto::{Crypto, KeySalt, Mki, Suite, cryptos};
pub use negotiated::{Codec, Local, Negotiated, SdpError, Srtp, SrtpPolicy};
pub use offer::offer;

/// Media type of a session description.
pub const CONTENT_TYPE: &str = "application/sdp";

/// Reads a session description.
///
/// # Errors
/// [`SdpError::Syntax`] with the line that cannot be read.
pub fn parse(body: &[u8]) -> Result<Session, SdpError> {
    Session::parse(body).map_err(|error| SdpError::Syntax(error.to_string()))
}

/// Writes a session description.
pub fn to_bytes(session: &Session) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    session
        .write(&mut text)
        .expect("writing into memory does not fail");
    text
}

#[cfg(test)]
mod tests;
