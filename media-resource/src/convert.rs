//! Between the wire and what we work with: orders in, descriptions and figures out.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use ipdect_media::codec::Format;
use ipdect_media::session::{
    Codec, Direction, JunctionDirection, KeyIn, KeyOut, LegId, LegStats, PathSpec, SipLocal,
    SipRemote, SourceRule,
};
use ipdect_media::srtp::{KeyMaterial, Mki, Suite};
use ipdect_media::tones::{Region, Tone};
use ipdect_proto::link::v1::{Order, PathSrtp, SpeechPath, SrtpSuite};
use ipdect_proto::media::v1::{self as wire, server_to_media::Body};

use crate::book::{Asked, Head};
use crate::session::{Act, LegState};

/// DSCP that orders may leave out: expedited forwarding.
const EXPEDITED: u8 = 46;
/// Default length of a digit and of the pause after it.
const DIGIT: Duration = Duration::from_millis(100);
/// Level of tones that an order asks for may be this at most, dBm0.
const LOUDEST: i32 = 3;

/// An order that came.
#[derive(Debug)]
pub struct Ordered {
    /// Who orders, of which session, with which record.
    pub head: Head,
    /// What is asked of the book.
    pub asked: Asked,
    /// What is asked of the session; why not, if it makes no sense.
    pub act: Result<Option<Act>, String>,
}

/// Reads an order. `None`: the message is none. `default_region` is for tones without one.
#[must_use]
pub fn order(body: Body, default_region: Region) -> Option<Ordered> {
    let within =
        |order, session, record, act| Some(ordered(order, session, record, Asked::Within, act));
    match body {
        Body::OpenSession(m) => {
            let emergency = m.priority() == wire::Priority::Emergency;
            let asked = Asked::Open {
                call_ref: m.call_ref,
                emergency,
            };
            Some(ordered(
                m.order,
                m.session_id,
                m.record,
                asked,
                Ok(Some(Act::Open)),
            ))
        }
        Body::OpenLeg(m) => {
            let act = open_leg(&m);
            within(m.order, m.session_id, m.record, act)
        }
        Body::ModifyLeg(m) => {
            let act = remote(&m).map(|remote| Act::Modify {
                leg: m.leg_id,
                remote,
            });
            within(m.order, m.session_id, m.record, act.map(Some))
        }
        Body::AddPath(m) => {
            let spec = path(m.path.as_ref());
            let act = spec.map(|spec| Act::AddPath {
                leg: m.leg_id,
                path: m.path_id,
                spec,
            });
            within(m.order, m.session_id, m.record, act.map(Some))
        }
        Body::DropPath(m) => {
            let act = Act::DropPath {
                leg: m.leg_id,
                path: m.path_id,
            };
            within(m.order, m.session_id, m.record, Ok(Some(act)))
        }
        Body::Connect(m) => {
            let act = Act::Connect {
                a: m.leg_a,
                b: m.leg_b,
                direction: junction(m.direction()),
            };
            within(m.order, m.session_id, m.record, Ok(Some(act)))
        }
        Body::Disconnect(m) => {
            let act = Act::Disconnect {
                a: m.leg_a,
                b: m.leg_b,
                direction: junction(m.direction()),
            };
            within(m.order, m.session_id, m.record, Ok(Some(act)))
        }
        Body::PlayTone(m) => {
            let act = play_tone(&m, default_region);
            within(m.order, m.session_id, Bytes::new(), act.map(Some))
        }
        Body::StopTone(m) => {
            let act = Act::StopTone { leg: m.leg_id };
            within(m.order, m.session_id, Bytes::new(), Ok(Some(act)))
        }
        Body::SendDtmf(m) => {
            let or_default = |ms: u32| {
                if ms == 0 {
                    DIGIT
                } else {
                    Duration::from_millis(ms.into())
                }
            };
            let act = Act::SendDtmf {
                leg: m.leg_id,
                duration: or_default(m.duration_ms),
                gap: or_default(m.gap_ms),
                cause: (m.connection_id, m.seq),
                digits: m.digits,
            };
            within(m.order, m.session_id, Bytes::new(), Ok(Some(act)))
        }
        Body::CloseLeg(m) => {
            let act = Act::CloseLeg { leg: m.leg_id };
            within(m.order, m.session_id, m.record, Ok(Some(act)))
        }
        Body::CloseSession(m) => Some(ordered(
            m.order,
            m.session_id,
            m.record,
            Asked::Close,
            Ok(Some(Act::Close)),
        )),
        Body::Note(m) => Some(ordered(
            m.order,
            m.session_id,
            m.record,
            Asked::Note,
            Ok(None),
        )),
        Body::Adopt(m) => Some(ordered(
            m.order,
            m.session_id,
            Bytes::new(),
            Asked::Note,
            Ok(None),
        )),
        _ => None,
    }
}

fn ordered(
    order: Option<Order>,
    session: String,
    record: Bytes,
    asked: Asked,
    act: Result<Option<Act>, String>,
) -> Ordered {
    let order = order.unwrap_or_default();
    // A missing fence is shard 0 with the lowest token: fenced.
    let fence = order.fence.unwrap_or_default();
    let record = (!record.is_empty()).then_some(record);
    Ordered {
        head: Head {
            order_id: order.order_id,
            fence,
            session,
            record,
        },
        asked,
        act,
    }
}

fn open_leg(m: &wire::OpenLeg) -> Result<Option<Act>, String> {
    match m.kind() {
        wire::LegKind::Base => {
            let spec = path(m.path.as_ref())?;
            let payload_type = spec.payload_type;
            let format = match codecs(&m.codecs)?.first() {
                Some(codec) => codec.format,
                None if m.codecs.is_empty() => Format::AAL2_G726_32,
                None => return Err("no codec that we speak".into()),
            };
            let codec = Codec {
                payload_type,
                format,
            };
            Ok(Some(Act::OpenBase {
                leg: m.leg_id,
                codec,
                path: m.path_id,
                spec,
            }))
        }
        wire::LegKind::Sip => {
            if m.ice() == wire::IceMode::Full {
                return Err("ICE is not spoken by this release".into());
            }
            let key = m.srtp.as_ref().map(key_out).transpose()?.flatten();
            let local = SipLocal {
                codecs: codecs(&m.codecs)?,
                telephone_event: payload_type(m.telephone_event_pt)?.filter(|pt| *pt > 0),
                key,
            };
            let dscp = match m.dscp {
                0 => EXPEDITED,
                dscp => u8::try_from(dscp)
                    .ok()
                    .filter(|d| *d < 64)
                    .ok_or("DSCP over 63")?,
            };
            Ok(Some(Act::OpenSip {
                leg: m.leg_id,
                local,
                sockets: None,
                dscp,
            }))
        }
        wire::LegKind::Unspecified => Err("kind of leg missing".into()),
    }
}

fn remote(m: &wire::ModifyLeg) -> Result<SipRemote, String> {
    let address = m.remote.as_ref().ok_or("remote address missing")?;
    let ip: IpAddr = address
        .address
        .parse()
        .map_err(|_| "remote is no IP address")?;
    if ip.is_unspecified() || ip.is_multicast() {
        return Err("remote address cannot be sent to".into());
    }
    let port = |port: u32| u16::try_from(port).ok().filter(|p| *p > 0);
    let rtp = port(address.rtp_port).ok_or("RTP port out of range")?;
    let rtcp = match address.rtcp_port {
        0 => rtp.checked_add(1).ok_or("RTCP port out of range")?,
        given => port(given).ok_or("RTCP port out of range")?,
    };
    Ok(SipRemote {
        rtp: SocketAddr::new(ip, rtp),
        rtcp: SocketAddr::new(ip, rtcp),
        codecs: codecs(&m.codecs)?,
        telephone_event: payload_type(m.telephone_event_pt)?.filter(|pt| *pt > 0),
        key: m.srtp.as_ref().map(key_in).transpose()?.flatten(),
        direction: match m.direction() {
            wire::MediaDirection::Sendonly => Direction::SendOnly,
            wire::MediaDirection::Recvonly => Direction::RecvOnly,
            wire::MediaDirection::Inactive => Direction::Inactive,
            _ => Direction::SendRecv,
        },
        source: match m.source() {
            wire::SourceRule::LatchOnce => SourceRule::LatchOnce,
            _ => SourceRule::Strict,
        },
    })
}

/// The codecs that we speak, in their order; those that we do not (comfort noise, G.722) are left out.
fn codecs(named: &[wire::Codec]) -> Result<Vec<Codec>, String> {
    let mut codecs = Vec::new();
    for codec in named {
        let payload_type = payload_type(codec.payload_type)?.unwrap_or(0);
        let narrow = codec.clock_hz == 8000 || codec.clock_hz == 0;
        if let Some(format) = Format::from_name(&codec.name).filter(|_| narrow) {
            codecs.push(Codec {
                payload_type,
                format,
            });
        }
    }
    Ok(codecs)
}

fn payload_type(number: u32) -> Result<Option<u8>, String> {
    match u8::try_from(number) {
        Ok(number) if number < 128 => Ok(Some(number)),
        _ => Err("payload type over 127".into()),
    }
}

fn path(named: Option<&SpeechPath>) -> Result<PathSpec, String> {
    let named = named.ok_or("path missing")?;
    Ok(PathSpec {
        remote: named
            .remote
            .parse()
            .map_err(|_| "path's remote is no address with port")?,
        ssrc_out: named.ssrc_out,
        ssrc_in: named.ssrc_in,
        payload_type: payload_type(named.payload_type)?.unwrap_or(0),
        keys: named.srtp.as_ref().map(path_keys).transpose()?.flatten(),
    })
}

fn path_keys(srtp: &PathSrtp) -> Result<Option<(KeyMaterial, KeyMaterial)>, String> {
    let Some(suite) = suite(srtp.suite())? else {
        return Ok(None);
    };
    Ok(Some((
        material(suite, &srtp.key_out)?,
        material(suite, &srtp.key_in)?,
    )))
}

fn key_out(srtp: &wire::LegSrtp) -> Result<Option<KeyOut>, String> {
    let Some(suite) = suite(srtp.suite())? else {
        return Ok(None);
    };
    let material = material(suite, &srtp.key)?;
    Ok(Some(KeyOut {
        material,
        mki: mki(srtp)?,
        lifetime: srtp.lifetime_packets,
    }))
}

fn key_in(srtp: &wire::LegSrtp) -> Result<Option<KeyIn>, String> {
    let Some(suite) = suite(srtp.suite())? else {
        return Ok(None);
    };
    Ok(Some(KeyIn {
        material: material(suite, &srtp.key)?,
        mki: mki(srtp)?,
    }))
}

fn mki(srtp: &wire::LegSrtp) -> Result<Mki, String> {
    Mki::new(&srtp.mki).ok_or_else(|| "MKI over 128 octets".into())
}

fn material(suite: Suite, octets: &[u8]) -> Result<KeyMaterial, String> {
    KeyMaterial::new(suite, octets).map_err(|error| error.to_string())
}

fn suite(suite: SrtpSuite) -> Result<Option<Suite>, String> {
    Ok(Some(match suite {
        SrtpSuite::Unspecified => return Ok(None),
        SrtpSuite::AesCm128HmacSha180 => Suite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha132 => Suite::AesCm128HmacSha1_32,
        SrtpSuite::Aes256CmHmacSha180 => Suite::AesCm256HmacSha1_80,
        SrtpSuite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm => Suite::AeadAes256Gcm,
    }))
}

fn wire_suite(suite: Suite) -> SrtpSuite {
    match suite {
        Suite::AesCm128HmacSha1_80 => SrtpSuite::AesCm128HmacSha180,
        Suite::AesCm128HmacSha1_32 => SrtpSuite::AesCm128HmacSha132,
        Suite::AesCm256HmacSha1_80 => SrtpSuite::Aes256CmHmacSha180,
        Suite::AeadAes128Gcm => SrtpSuite::AeadAes128Gcm,
        Suite::AeadAes256Gcm => SrtpSuite::AeadAes256Gcm,
    }
}

fn junction(direction: wire::JunctionDirection) -> JunctionDirection {
    match direction {
        wire::JunctionDirection::AToB => JunctionDirection::AToB,
        wire::JunctionDirection::BToA => JunctionDirection::BToA,
        _ => JunctionDirection::Both,
    }
}

fn play_tone(m: &wire::PlayTone, default_region: Region) -> Result<Act, String> {
    let tone = match m.tone() {
        wire::Tone::Unspecified => return Err("tone missing".into()),
        wire::Tone::Dial => Tone::Dial,
        wire::Tone::RingBack => Tone::RingBack,
        wire::Tone::Busy => Tone::Busy,
        wire::Tone::Congestion => Tone::Congestion,
        wire::Tone::Confirm => Tone::Confirm,
        wire::Tone::NegativeAck => Tone::NegativeAck,
        wire::Tone::CallWaiting => Tone::CallWaiting,
        wire::Tone::Intercept => Tone::Intercept,
    };
    if !(-60..=LOUDEST).contains(&m.level_dbm0) {
        return Err("level not within -60 to 3 dBm0".into());
    }
    let region = if m.region.is_empty() {
        default_region
    } else {
        Region::from_code(&m.region)
    };
    Ok(Act::PlayTone {
        leg: m.leg_id,
        tone,
        region,
        level_dbm0: f64::from(m.level_dbm0),
    })
}

fn wire_tone(tone: Tone) -> wire::Tone {
    match tone {
        Tone::Dial => wire::Tone::Dial,
        Tone::RingBack => wire::Tone::RingBack,
        Tone::Busy => wire::Tone::Busy,
        Tone::Congestion => wire::Tone::Congestion,
        Tone::Confirm => wire::Tone::Confirm,
        Tone::NegativeAck => wire::Tone::NegativeAck,
        Tone::CallWaiting => wire::Tone::CallWaiting,
        Tone::Intercept => wire::Tone::Intercept,
    }
}

/// Figures of a leg for the wire.
#[must_use]
pub fn stats(session_id: &str, leg_id: LegId, stats: &LegStats, last: bool) -> wire::LegStats {
    let micros = |d: Duration| u32::try_from(d.as_micros()).unwrap_or(u32::MAX);
    wire::LegStats {
        session_id: session_id.to_owned(),
        leg_id,
        window_ms: u32::try_from(stats.window.as_millis()).unwrap_or(u32::MAX),
        sent: stats.sent,
        received: stats.received,
        lost: stats.lost,
        late: stats.late,
        duplicated: stats.duplicated,
        concealed: stats.concealed,
        bad_air: stats.bad_air,
        jitter_us: micros(stats.jitter),
        round_trip_us: stats.round_trip.map_or(0, micros),
        level_dbm0: stats.level_dbm0 as f32,
        r_factor: stats.r_factor as f32,
        overflows: stats.overflows,
        r#final: last,
    }
}

/// A leg as it stands, for the wire.
#[must_use]
pub fn held_leg(state: &LegState) -> wire::HeldLeg {
    let is_sip = state.local.is_some();
    let local = wire::LegDescription {
        address: Some(media_address(state.rtp, state.rtcp)),
        codecs: state
            .local
            .as_ref()
            .map(|l| wire_codecs(&l.codecs))
            .unwrap_or_default(),
        srtp: state
            .local
            .as_ref()
            .and_then(|l| l.key.as_ref())
            .map(|key| wire::LegSrtp {
                lifetime_packets: key.lifetime,
                ..leg_srtp(&key.material, &key.mki)
            }),
        telephone_event_pt: events(state.local.as_ref().and_then(|l| l.telephone_event)),
        direction: state
            .remote
            .as_ref()
            .map_or(0, |r| wire_direction(r.direction).into()),
    };
    let remote = state.remote.as_ref().map(|remote| wire::LegDescription {
        address: Some(media_address(remote.rtp, remote.rtcp)),
        codecs: wire_codecs(&remote.codecs),
        srtp: remote
            .key
            .as_ref()
            .map(|key| leg_srtp(&key.material, &key.mki)),
        telephone_event_pt: events(remote.telephone_event),
        direction: wire_direction(remote.direction).into(),
    });
    let paths = state.paths.iter().map(|(path_id, spec)| wire::HeldPath {
        path_id: *path_id,
        path: Some(wire_path(spec)),
    });
    let kind = if is_sip {
        wire::LegKind::Sip
    } else {
        wire::LegKind::Base
    };
    wire::HeldLeg {
        leg_id: state.leg,
        kind: kind.into(),
        local: Some(local),
        remote,
        paths: paths.collect(),
        tone: state.tone.map_or(wire::Tone::Unspecified, wire_tone).into(),
    }
}

/// Pairs of speaker and listener as junctions.
#[must_use]
pub fn junctions(pairs: &[(LegId, LegId)]) -> Vec<wire::Junction> {
    let both = |a, b| pairs.contains(&(b, a));
    (pairs.iter())
        .filter(|(a, b)| a < b || !both(*a, *b))
        .map(|(a, b)| {
            let direction = match both(*a, *b) {
                true => wire::JunctionDirection::Both,
                false => wire::JunctionDirection::AToB,
            };
            wire::Junction {
                leg_a: *a,
                leg_b: *b,
                direction: direction.into(),
            }
        })
        .collect()
}

fn media_address(rtp: SocketAddr, rtcp: SocketAddr) -> wire::MediaAddress {
    wire::MediaAddress {
        address: rtp.ip().to_string(),
        rtp_port: rtp.port().into(),
        rtcp_port: rtcp.port().into(),
    }
}

fn wire_codecs(codecs: &[Codec]) -> Vec<wire::Codec> {
    (codecs.iter())
        .map(|codec| wire::Codec {
            payload_type: codec.payload_type.into(),
            name: codec.format.name().to_owned(),
            clock_hz: 8000,
            ptime_ms: 20,
        })
        .collect()
}

fn leg_srtp(material: &KeyMaterial, mki: &Mki) -> wire::LegSrtp {
    wire::LegSrtp {
        suite: wire_suite(material.suite()).into(),
        key: Bytes::copy_from_slice(material.key_and_salt()),
        mki: Bytes::copy_from_slice(mki.octets()),
        lifetime_packets: 0,
    }
}

fn events(payload_type: Option<u8>) -> u32 {
    payload_type.map_or(0, u32::from)
}

fn wire_direction(direction: Direction) -> wire::MediaDirection {
    match direction {
        Direction::SendRecv => wire::MediaDirection::Sendrecv,
        Direction::SendOnly => wire::MediaDirection::Sendonly,
        Direction::RecvOnly => wire::MediaDirection::Recvonly,
        Direction::Inactive => wire::MediaDirection::Inactive,
    }
}

fn wire_path(spec: &PathSpec) -> SpeechPath {
    let octets = |m: &KeyMaterial| Bytes::copy_from_slice(m.key_and_salt());
    SpeechPath {
        remote: spec.remote.to_string(),
        ssrc_out: spec.ssrc_out,
        ssrc_in: spec.ssrc_in,
        payload_type: spec.payload_type.into(),
        srtp: spec.keys.as_ref().map(|(out, inward)| PathSrtp {
            suite: wire_suite(out.suite()).into(),
            key_out: octets(out),
            key_in: octets(inward),
        }),
    }
}

#[cfg(test)]
mod tests;
