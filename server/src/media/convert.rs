//! Between the mind's orders and the media contract. No wire type goes further in than this.

use bytes::Bytes;
use ipdect_handset::{
    Codec, Direction, Junction, LegId, LegKind, LegSrtp, LegStats, Priority, Remote, RemoteSrtp,
    SessionId, Source, Tone,
};
use ipdect_proto::link::v1 as link;
use ipdect_proto::media::v1 as media;

use crate::radio::convert::suite;

/// Level of tones towards handsets, dBm0: as loud as speech, not louder.
const TONE_LEVEL: i32 = -16;

pub(crate) fn codec(codec: &Codec) -> media::Codec {
    media::Codec {
        payload_type: u32::from(codec.payload_type),
        name: codec.name.clone(),
        clock_hz: codec.clock_hz,
        ptime_ms: codec.ptime_ms,
    }
}

pub(crate) fn codecs(all: &[Codec]) -> Vec<media::Codec> {
    all.iter().map(codec).collect()
}

pub(crate) fn leg_kind(kind: LegKind) -> media::LegKind {
    match kind {
        LegKind::Base => media::LegKind::Base,
        LegKind::Sip => media::LegKind::Sip,
    }
}

pub(crate) fn priority(priority: Priority) -> media::Priority {
    match priority {
        Priority::Normal => media::Priority::Normal,
        Priority::Emergency => media::Priority::Emergency,
    }
}

pub(crate) fn own_srtp(srtp: &LegSrtp) -> media::LegSrtp {
    media::LegSrtp {
        suite: suite(&srtp.suite).into(),
        key: Bytes::from(srtp.key_out.0.clone()),
        mki: mki(srtp.mki),
        lifetime_packets: srtp.lifetime_packets.unwrap_or(0),
    }
}

pub(crate) fn peer_srtp(srtp: &RemoteSrtp) -> media::LegSrtp {
    media::LegSrtp {
        suite: suite(&srtp.suite).into(),
        key: Bytes::from(srtp.key_in.0.clone()),
        mki: mki(srtp.mki),
        lifetime_packets: 0,
    }
}

/// A master key identifier in as many octets as were agreed, network order.
fn mki(mki: Option<(u64, u8)>) -> Bytes {
    let Some((value, length)) = mki else {
        return Bytes::new();
    };
    let length = usize::from(length);
    let octets = value.to_be_bytes();
    if length <= octets.len() {
        return Bytes::copy_from_slice(&octets[octets.len() - length..]);
    }
    let mut padded = vec![0; length - octets.len()];
    padded.extend_from_slice(&octets);
    padded.into()
}

pub(crate) fn remote(remote: &Remote) -> media::MediaAddress {
    media::MediaAddress {
        address: remote.address.to_string(),
        rtp_port: u32::from(remote.rtp_port),
        rtcp_port: u32::from(remote.rtcp_port),
    }
}

pub(crate) fn direction(direction: Direction) -> media::MediaDirection {
    match direction {
        Direction::SendRecv => media::MediaDirection::Sendrecv,
        Direction::SendOnly => media::MediaDirection::Sendonly,
        Direction::RecvOnly => media::MediaDirection::Recvonly,
        Direction::Inactive => media::MediaDirection::Inactive,
    }
}

pub(crate) fn source(source: Source) -> media::SourceRule {
    match source {
        Source::Strict => media::SourceRule::Strict,
        Source::LatchOnce => media::SourceRule::LatchOnce,
    }
}

pub(crate) fn flow(flow: Junction) -> media::JunctionDirection {
    match flow {
        Junction::Both => media::JunctionDirection::Both,
        Junction::AToB => media::JunctionDirection::AToB,
        Junction::BToA => media::JunctionDirection::BToA,
    }
}

pub(crate) fn tone(
    order: link::Order,
    session: SessionId,
    leg: LegId,
    tone: Tone,
    region: &str,
) -> media::PlayTone {
    let tone = match tone {
        Tone::Dial => media::Tone::Dial,
        Tone::RingBack => media::Tone::RingBack,
        Tone::Busy => media::Tone::Busy,
        Tone::Congestion => media::Tone::Congestion,
        Tone::Confirm => media::Tone::Confirm,
        Tone::NegativeAck => media::Tone::NegativeAck,
        Tone::CallWaiting => media::Tone::CallWaiting,
        Tone::Intercept => media::Tone::Intercept,
    };
    media::PlayTone {
        order: Some(order),
        session_id: session.to_string(),
        leg_id: leg.0,
        tone: tone.into(),
        region: region.into(),
        level_dbm0: TONE_LEVEL,
    }
}

/// A session's name from the wire.
pub(crate) fn session(text: &str) -> Option<SessionId> {
    uuid(text).map(SessionId)
}

fn uuid(text: &str) -> Option<u128> {
    uuid::Uuid::parse_str(text).ok().map(|u| u.as_u128())
}

/// Figures of a leg from the wire.
pub(crate) fn stats(stats: &media::LegStats) -> (LegId, LegStats) {
    let figures = LegStats {
        sent: stats.sent,
        received: stats.received,
        lost: stats.lost,
        concealed: stats.concealed,
        bad_air: stats.bad_air,
        jitter_us: stats.jitter_us,
        level_dbm0: stats.level_dbm0,
        r_factor: stats.r_factor,
    };
    (LegId(stats.leg_id), figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mki_has_the_agreed_length() {
        assert_eq!(&mki(Some((1, 1)))[..], [1]);
        assert_eq!(&mki(Some((0x0102, 4)))[..], [0, 0, 1, 2]);
        assert_eq!(mki(Some((7, 10))).len(), 10);
        assert!(mki(None).is_empty());
    }

    #[test]
    fn a_session_reads_back_as_printed() {
        let id = SessionId(0x0192_1234_5678_7abc_8def_0123_4567_89ab);
        assert_eq!(session(&id.to_string()), Some(id));
        assert_eq!(session("nonsense"), None);
    }
}
