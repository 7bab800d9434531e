//! What goes into offer and answer, and what comes out: plain data.

use std::borrow::Cow;
use std::net::IpAddr;

use super::attribute::Direction;
use super::crypto::Crypto;

/// A speech codec with its payload type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codec {
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Name of the encoding.
    pub name: Cow<'static, str>,
    /// Clock in Hz.
    pub clock_hz: u32,
}

impl Codec {
    /// G.711 A-law, payload type 8.
    pub const PCMA: Codec = Codec {
        payload_type: 8,
        name: Cow::Borrowed("PCMA"),
        clock_hz: 8000,
    };
    /// G.711 mu-law, payload type 0.
    pub const PCMU: Codec = Codec {
        payload_type: 0,
        name: Cow::Borrowed("PCMU"),
        clock_hz: 8000,
    };
}

/// Whether speech is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SrtpPolicy {
    /// No keys are offered; an offer that needs SRTP is refused.
    #[default]
    Off,
    /// `RTP/AVP` with keys is offered; what the peer wants is taken.
    Enabled,
    /// `RTP/SAVP` is offered; without SRTP there is no call.
    Required,
}

/// Our side of one audio stream.
#[derive(Debug, Clone)]
pub struct Local {
    /// Where we receive.
    pub address: IpAddr,
    /// RTP port.
    pub rtp_port: u16,
    /// RTCP port; written as `a=rtcp` where it is not the next one.
    pub rtcp_port: u16,
    /// Session id of `o=`: the same for the whole dialog.
    pub session_id: u64,
    /// Version of `o=`: grows with each change (`takeover.md` 5.4).
    pub version: u64,
    /// Codecs in our order of preference.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone events in our offers.
    pub telephone_event: Option<u8>,
    /// Packet time, milliseconds.
    pub ptime_ms: u16,
    /// What to do about SRTP.
    pub srtp: SrtpPolicy,
    /// Our key; its tag counts in offers only. Not used with [`SrtpPolicy::Off`].
    pub crypto: Option<Crypto>,
    /// What we are willing to do; [`Direction::SendOnly`] puts the peer on hold.
    pub direction: Direction,
    /// Whether our preference decides in answers; else that of the offer does.
    pub prefer_ours: bool,
    /// Whether an answer names one codec only.
    pub single_codec: bool,
}

impl Local {
    /// G.711 and telephone events at an address, both ways, 20 ms, without SRTP; RTCP on the port after RTP.
    pub fn g711(address: IpAddr, rtp_port: u16, session_id: u64, version: u64) -> Local {
        Local {
            address,
            rtp_port,
            rtcp_port: rtp_port.saturating_add(1),
            session_id,
            version,
            codecs: vec![Codec::PCMA, Codec::PCMU],
            telephone_event: Some(101),
            ptime_ms: 20,
            srtp: SrtpPolicy::Off,
            crypto: None,
            direction: Direction::SendRecv,
            prefer_ours: true,
            single_codec: false,
        }
    }

    /// Our key, where the policy lets it be used.
    pub(super) fn usable_crypto(&self) -> Option<&Crypto> {
        self.crypto
            .as_ref()
            .filter(|_| self.srtp != SrtpPolicy::Off)
    }
}

/// Keys of both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srtp {
    /// What we send with.
    pub ours: Crypto,
    /// What we receive with.
    pub theirs: Crypto,
}

/// What offer and answer agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where to send RTP.
    pub address: IpAddr,
    /// RTP port of the peer.
    pub rtp_port: u16,
    /// RTCP port of the peer.
    pub rtcp_port: u16,
    /// Codecs that may come, with the payload types to use; the first is to be sent. Never empty.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone events, if the peer takes them.
    pub telephone_event: Option<u8>,
    /// Packet time the peer wants, milliseconds.
    pub ptime_ms: u16,
    /// What we do.
    pub direction: Direction,
    /// Keys, if speech is encrypted.
    pub srtp: Option<Srtp>,
    /// ICE candidates of the peer, as written.
    pub candidates: Vec<String>,
}

/// Why there is no speech.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Not a session description.
    #[error("session description cannot be read: {0}")]
    Syntax(String),
    /// No audio over RTP, or refused with port 0.
    #[error("no audio stream over RTP")]
    NoAudio,
    /// Neither side's codecs are the other's.
    #[error("no common codec")]
    NoCommonCodec,
    /// We require SRTP and the peer does not do it.
    #[error("SRTP is required here and the peer offers none")]
    SrtpRequired,
    /// The peer requires SRTP and it is off here.
    #[error("the peer requires SRTP, which is off here")]
    SrtpOff,
    /// The peer requires SRTP but no key of it can be used.
    #[error("no usable crypto attribute; AES_CM_128_HMAC_SHA1_80 with an inline key is")]
    NoUsableCrypto,
    /// No address to send to.
    #[error("no IP address in c=; a host name cannot be used")]
    NoAddress,
}

impl SdpError {
    /// Status to refuse an offer with (RFC 3261 section 13.3.1.3).
    pub fn status(&self) -> crate::message::StatusCode {
        match self {
            SdpError::Syntax(_) => crate::message::StatusCode::BAD_REQUEST,
            _ => crate::message::StatusCode::NOT_ACCEPTABLE_HERE,
        }
    }
}
