//! Offer and answer of a call's SIP leg, in the terms of orders to the media resource.

use std::net::SocketAddr;

use bytes::Bytes;
use ipdect_sip::sdp::{self, Crypto, KeySalt, Local, Mki, Negotiated, SdpError, SrtpPolicy, Suite};

use crate::media::{Codec, Direction, Remote, RemoteSrtp, SRTP_KEY_LENGTH, Source, SrtpKey};
use crate::profile::{MediaSettings, SipSrtp};

/// Our side of the SIP leg.
#[derive(Debug, Clone)]
pub(crate) struct Ours<'a> {
    /// Where the media resource takes RTP.
    pub(crate) rtp: SocketAddr,
    /// Its RTCP port.
    pub(crate) rtcp_port: u16,
    /// `o=` id and version.
    pub(crate) origin: (u64, u64),
    /// Our key.
    pub(crate) key: Option<&'a SrtpKey>,
    /// What we are willing to do.
    pub(crate) direction: Direction,
    /// The media page.
    pub(crate) settings: &'a MediaSettings,
}

/// What offer and answer agreed on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agreed {
    pub(crate) remote: Remote,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) telephone_event: Option<u8>,
    pub(crate) srtp: Option<RemoteSrtp>,
    pub(crate) direction: Direction,
    pub(crate) source: Source,
}

impl Ours<'_> {
    /// Our offer.
    pub(crate) fn offer(&self) -> Bytes {
        sdp::to_bytes(&sdp::offer(&self.local())).into()
    }

    /// Our answer to an offer, and what is agreed by it.
    pub(crate) fn answer(&self, offer: &[u8]) -> Result<(Bytes, Agreed), SdpError> {
        let (session, negotiated) = sdp::answer(&sdp::parse(offer)?, &self.local())?;
        Ok((sdp::to_bytes(&session).into(), self.agreed(negotiated)))
    }

    /// What is agreed by the peer's answer to our offer.
    pub(crate) fn answered(&self, answer: &[u8]) -> Result<Agreed, SdpError> {
        let negotiated = sdp::read_answer(&sdp::parse(answer)?, &self.local())?;
        Ok(self.agreed(negotiated))
    }

    fn local(&self) -> Local {
        let settings = self.settings;
        Local {
            address: self.rtp.ip(),
            rtp_port: self.rtp.port(),
            rtcp_port: self.rtcp_port,
            session_id: self.origin.0,
            version: self.origin.1,
            codecs: settings.codecs.iter().map(offered).collect(),
            telephone_event: settings.telephone_event,
            ptime_ms: settings
                .codecs
                .first()
                .map_or(20, |codec| codec.ptime_ms as u16),
            srtp: match settings.srtp {
                SipSrtp::Off => SrtpPolicy::Off,
                SipSrtp::Enabled => SrtpPolicy::Enabled,
                SipSrtp::Required => SrtpPolicy::Required,
            },
            crypto: self.crypto(),
            direction: match self.direction {
                Direction::SendRecv => sdp::Direction::SendRecv,
                Direction::SendOnly => sdp::Direction::SendOnly,
                Direction::RecvOnly => sdp::Direction::RecvOnly,
                Direction::Inactive => sdp::Direction::Inactive,
            },
            prefer_ours: settings.answer_with_preferred_codec,
            single_codec: settings.answer_with_single_codec,
        }
    }

    fn crypto(&self) -> Option<Crypto> {
        let key: [u8; SRTP_KEY_LENGTH] = self.key?.0.as_slice().try_into().ok()?;
        Some(Crypto {
            tag: 1,
            suite: Suite::AesCm128HmacSha1_80,
            key: KeySalt(key),
            lifetime_packets: self
                .settings
                .srtp_lifetime
                .then_some(crate::speech::LIFETIME),
            mki: self.settings.srtp_mki.then_some(Mki {
                value: 1,
                octets: 1,
            }),
        })
    }

    fn agreed(&self, negotiated: Negotiated) -> Agreed {
        let ptime_ms = u32::from(negotiated.ptime_ms);
        let srtp = negotiated.srtp.map(|srtp| RemoteSrtp {
            suite: srtp.theirs.suite.as_str().into(),
            key_in: SrtpKey(srtp.theirs.key.0.to_vec()),
            mki: srtp.theirs.mki.map(|mki| (mki.value, mki.octets)),
        });
        Agreed {
            remote: Remote {
                address: negotiated.address,
                rtp_port: negotiated.rtp_port,
                rtcp_port: negotiated.rtcp_port,
            },
            codecs: negotiated
                .codecs
                .into_iter()
                .map(|codec| taken(codec, ptime_ms))
                .collect(),
            telephone_event: negotiated.telephone_event,
            source: Source::LatchOnce,
            srtp,
            direction: match negotiated.direction {
                sdp::Direction::SendRecv => Direction::SendRecv,
                sdp::Direction::SendOnly => Direction::SendOnly,
                sdp::Direction::RecvOnly => Direction::RecvOnly,
                sdp::Direction::Inactive => Direction::Inactive,
            },
        }
    }
}

fn offered(codec: &Codec) -> sdp::Codec {
    sdp::Codec {
        payload_type: codec.payload_type,
        name: codec.name.clone().into(),
        clock_hz: codec.clock_hz,
    }
}

fn taken(codec: sdp::Codec, ptime_ms: u32) -> Codec {
    Codec {
        payload_type: codec.payload_type,
        name: codec.name.into_owned(),
        clock_hz: codec.clock_hz,
        ptime_ms,
    }
}
