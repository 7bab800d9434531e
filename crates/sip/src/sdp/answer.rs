//! Answering an offer, reading an answer (RFC 3264 section 6, RFC 4568 section 7.1).

use std::net::IpAddr;

use sdp_types::{Media, Session};

use super::attribute::{self, Direction, RtpMap};
use super::crypto::{Crypto, Suite, cryptos};
use super::negotiated::{Codec, Local, Negotiated, SdpError, Srtp, SrtpPolicy};
use super::offer::{audio, session};

/// Answers an offer: the first audio stream that can be had is taken, all others are refused with port 0.
///
/// The answer repeats the offer's profile, payload types and crypto tag. `RTP/AVP` with a crypto line is encrypted
/// unless SRTP is off here.
///
/// # Errors
/// An [`SdpError`] whose [`SdpError::status`] refuses the request.
pub fn answer(offer: &Session, local: &Local) -> Result<(Session, Negotiated), SdpError> {
    let (at, media) = find_audio(offer)?;
    let srtp = answer_crypto(media, local)?;
    let codecs = answer_codecs(media, local)?;
    let negotiated = negotiate(offer, media, local, codecs, srtp)?;
    let events = negotiated.telephone_event;
    let with = Local {
        direction: negotiated.direction,
        ..local.clone()
    };
    let ours = negotiated.srtp.as_ref().map(|srtp| &srtp.ours);
    let mut session = session(local);
    for (index, offered) in offer.medias.iter().enumerate() {
        session.add_media(match index == at {
            true => audio(&with, &media.proto, &negotiated.codecs, events, ours),
            false => refused(offered),
        });
    }
    Ok((session, negotiated))
}

/// Reads the answer to an offer made of the same [`Local`].
///
/// # Errors
/// An [`SdpError`]: the call has no speech and must be ended.
pub fn read_answer(answer: &Session, local: &Local) -> Result<Negotiated, SdpError> {
    let (_, media) = find_audio(answer)?;
    let srtp = answered_crypto(media, local)?;
    let maps = attribute::rtp_maps(media);
    let codecs = maps.iter().filter_map(|map| common(map, local)).collect();
    negotiate(answer, media, local, codecs, srtp)
}

/// The first audio line over RTP that is not refused.
fn find_audio(session: &Session) -> Result<(usize, &Media), SdpError> {
    let profiles = ["RTP/AVP", "RTP/SAVP", "RTP/AVPF", "RTP/SAVPF"];
    let usable = |media: &Media| {
        media.media == "audio" && media.port != 0 && profiles.contains(&media.proto.as_str())
    };
    let mut all = session.medias.iter().enumerate();
    all.find(|(_, media)| usable(media))
        .ok_or(SdpError::NoAudio)
}

fn refused(offered: &Media) -> Media {
    Media {
        media: offered.media.clone(),
        port: 0,
        num_ports: None,
        proto: offered.proto.clone(),
        fmt: offered.fmt.clone(),
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
    }
}

fn is_secure(media: &Media) -> bool {
    matches!(media.proto.as_str(), "RTP/SAVP" | "RTP/SAVPF")
}

/// Keys for the answer to an offer; ours takes the tag and suite of theirs.
fn answer_crypto(media: &Media, local: &Local) -> Result<Option<Srtp>, SdpError> {
    let secure = is_secure(media);
    if local.srtp == SrtpPolicy::Off {
        return if secure {
            Err(SdpError::SrtpOff)
        } else {
            Ok(None)
        };
    }
    let theirs = cryptos(media)
        .into_iter()
        .find(|crypto| crypto.suite == Suite::AesCm128HmacSha1_80);
    match (theirs, local.usable_crypto()) {
        (Some(theirs), Some(ours)) => {
            let ours = Crypto {
                tag: theirs.tag,
                suite: theirs.suite,
                ..ours.clone()
            };
            Ok(Some(Srtp { ours, theirs }))
        }
        _ if secure => Err(SdpError::NoUsableCrypto),
        _ if local.srtp == SrtpPolicy::Required => Err(SdpError::SrtpRequired),
        _ => Ok(None),
    }
}

/// Keys after the answer to our offer.
fn answered_crypto(media: &Media, local: &Local) -> Result<Option<Srtp>, SdpError> {
    let theirs = local.usable_crypto().and_then(|ours| {
        let same = |crypto: &Crypto| crypto.tag == ours.tag && crypto.suite == ours.suite;
        let theirs = cryptos(media).into_iter().find(same)?;
        Some(Srtp {
            ours: ours.clone(),
            theirs,
        })
    });
    match theirs {
        Some(srtp) => Ok(Some(srtp)),
        None if is_secure(media) && local.srtp == SrtpPolicy::Off => Err(SdpError::SrtpOff),
        None if is_secure(media) => Err(SdpError::NoUsableCrypto),
        None if local.srtp == SrtpPolicy::Required => Err(SdpError::SrtpRequired),
        None => Ok(None),
    }
}

/// Common codecs with the payload types of the peer, the best first.
fn answer_codecs(media: &Media, local: &Local) -> Result<Vec<Codec>, SdpError> {
    let offered = attribute::rtp_maps(media);
    let mut codecs: Vec<Codec> = offered
        .iter()
        .filter_map(|map| common(map, local))
        .collect();
    if local.prefer_ours {
        let rank = |codec: &Codec| {
            local
                .codecs
                .iter()
                .position(|ours| ours.name.eq_ignore_ascii_case(&codec.name))
        };
        codecs.sort_by_key(rank);
    }
    if local.single_codec {
        codecs.truncate(1);
    }
    Ok(codecs)
}

/// Our codec for an encoding of the peer, with the peer's payload type.
fn common(map: &RtpMap, local: &Local) -> Option<Codec> {
    let ours = local
        .codecs
        .iter()
        .find(|codec| map.is(&codec.name, codec.clock_hz))?;
    Some(Codec {
        payload_type: map.payload_type,
        ..ours.clone()
    })
}

/// The result both roles share: what the peer wrote, cut down to what we do.
fn negotiate(
    session: &Session,
    media: &Media,
    local: &Local,
    codecs: Vec<Codec>,
    srtp: Option<Srtp>,
) -> Result<Negotiated, SdpError> {
    if codecs.is_empty() {
        return Err(SdpError::NoCommonCodec);
    }
    let address = address(session, media)?;
    let mut theirs = attribute::direction(session, media);
    if address.is_unspecified() {
        // The hold of RFC 2543: nobody receives at 0.0.0.0 (RFC 3264 section 8.4).
        theirs = theirs.and(Direction::SendOnly);
    }
    Ok(Negotiated {
        address,
        rtp_port: media.port,
        rtcp_port: attribute::rtcp_port(media).unwrap_or(media.port),
        codecs,
        telephone_event: local.telephone_event.and(attribute::telephone_event(media)),
        ptime_ms: attribute::ptime_ms(media).unwrap_or(local.ptime_ms),
        direction: theirs.reversed().and(local.direction),
        srtp,
        candidates: attribute::candidates(media),
    })
}

/// Address of the media line, else of the session.
fn address(session: &Session, media: &Media) -> Result<IpAddr, SdpError> {
    let connection = media.connections.first().or(session.connection.as_ref());
    let text = connection.map(|connection| connection.connection_address.as_str());
    text.and_then(|text| text.parse().ok())
        .ok_or(SdpError::NoAddress)
}
