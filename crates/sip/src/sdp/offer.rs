//! Our offer, and the parts an answer shares with it.

use sdp_types::{Connection, Media, MediaType, Origin, Session, Time, TransportProto};

use super::crypto::Crypto;
use super::negotiated::{Codec, Local, SrtpPolicy};

/// Our offer of one audio stream.
pub fn offer(local: &Local) -> Session {
    let profile = match local.srtp {
        SrtpPolicy::Required => TransportProto::RtpSavp,
        SrtpPolicy::Off | SrtpPolicy::Enabled => TransportProto::RtpAvp,
    };
    let mut session = session(local);
    let crypto = local.usable_crypto();
    session.add_media(audio(
        local,
        profile.as_str(),
        &local.codecs,
        local.telephone_event,
        crypto,
    ));
    session
}

/// Everything above the media lines.
pub(super) fn session(local: &Local) -> Session {
    let origin = Origin::with_ip_addr(local.session_id, local.version, local.address);
    let mut session = Session::new(origin, "-");
    session.set_connection(Connection::from_ip_addr(local.address));
    session.add_time(Time::new(0, 0));
    session
}

/// One audio line of ours; the direction is the caller's last word.
pub(super) fn audio(
    local: &Local,
    profile: &str,
    codecs: &[Codec],
    events: Option<u8>,
    crypto: Option<&Crypto>,
) -> Media {
    let mut formats: Vec<String> = codecs
        .iter()
        .map(|codec| codec.payload_type.to_string())
        .collect();
    formats.extend(events.map(|payload_type| payload_type.to_string()));
    let mut media = Media::new(
        MediaType::Audio,
        local.rtp_port,
        TransportProto::RtpAvp,
        formats.join(" "),
    );
    profile.clone_into(&mut media.proto);
    for codec in codecs {
        let map = format!("{} {}/{}", codec.payload_type, codec.name, codec.clock_hz);
        media.add_attribute_with_value("rtpmap", map);
    }
    if let Some(events) = events {
        media.add_attribute_with_value("rtpmap", format!("{events} telephone-event/8000"));
        media.add_attribute_with_value("fmtp", format!("{events} 0-16"));
    }
    if let Some(crypto) = crypto {
        media.add_attribute_with_value("crypto", crypto);
    }
    if Some(local.rtcp_port) != local.rtp_port.checked_add(1) {
        media.add_attribute_with_value("rtcp", local.rtcp_port);
    }
    media.add_attribute_with_value("ptime", local.ptime_ms);
    media.add_attribute_from_str(local.direction.as_str());
    media
}
