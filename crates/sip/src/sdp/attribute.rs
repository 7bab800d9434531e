//! Readers for the attributes of a media line. What cannot be read counts as absent.

use sdp_types::{Media, Session};

use crate::message::grammar::number;

/// Who sends, seen from the side that wrote it (RFC 8866 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The writer sends only: it put the other on hold.
    SendOnly,
    /// The writer receives only.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same, seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            both => both,
        }
    }

    /// Only what both allow, seen from the same side.
    #[must_use]
    pub fn and(self, other: Direction) -> Direction {
        Direction::from_flags(
            self.sends() && other.sends(),
            self.receives() && other.receives(),
        )
    }

    /// Whether the writer sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Whether the writer receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    fn from_flags(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

/// `a=rtpmap:101 telephone-event/8000`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpMap {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Name of the encoding, as written.
    pub encoding: String,
    /// Clock in Hz.
    pub clock_hz: u32,
    /// Channels, 1 where not written.
    pub channels: u8,
}

impl RtpMap {
    fn parse(text: &str) -> Option<RtpMap> {
        let (payload_type, rest) = text.trim().split_once(' ')?;
        let mut fields = rest.trim().split('/');
        let (encoding, clock) = (fields.next()?, fields.next()?);
        let channels = fields.next().map_or(Some(1), number)?;
        Some(RtpMap {
            payload_type: number(payload_type).filter(|payload_type| *payload_type < 128)?,
            encoding: encoding.to_owned(),
            clock_hz: number(clock)?,
            channels,
        })
    }

    /// Whether it is this encoding on one channel.
    pub fn is(&self, encoding: &str, clock_hz: u32) -> bool {
        self.encoding.eq_ignore_ascii_case(encoding)
            && self.clock_hz == clock_hz
            && self.channels == 1
    }
}

/// The encodings of a media line in its order of preference; static payload types (RFC 3551) need no rtpmap.
pub fn rtp_maps(media: &Media) -> Vec<RtpMap> {
    let named: Vec<RtpMap> = values(media, "rtpmap").filter_map(RtpMap::parse).collect();
    let listed = media.fmt.split_ascii_whitespace().filter_map(number::<u8>);
    listed
        .filter_map(|wanted| {
            let found = named.iter().find(|map| map.payload_type == wanted);
            found.cloned().or_else(|| static_map(wanted))
        })
        .collect()
}

fn static_map(payload_type: u8) -> Option<RtpMap> {
    let encoding = match payload_type {
        0 => "PCMU",
        8 => "PCMA",
        9 => "G722",
        13 => "CN",
        18 => "G729",
        _ => return None,
    };
    Some(RtpMap {
        payload_type,
        encoding: encoding.to_owned(),
        clock_hz: 8000,
        channels: 1,
    })
}

/// Payload type of telephone events at 8 kHz (RFC 4733), if offered.
pub fn telephone_event(media: &Media) -> Option<u8> {
    let maps = rtp_maps(media);
    maps.iter()
        .find(|map| map.is("telephone-event", 8000))
        .map(|map| map.payload_type)
}

/// Format parameters of a payload type.
pub fn fmtp(media: &Media, payload_type: u8) -> Option<&str> {
    values(media, "fmtp").find_map(|text| {
        let (found, rest) = text.split_once(' ')?;
        (number(found) == Some(payload_type)).then(|| rest.trim())
    })
}

/// Packet time in milliseconds, 1 to 200.
pub fn ptime_ms(media: &Media) -> Option<u16> {
    let ptime = values(media, "ptime").find_map(|text| number(text.trim()));
    ptime.filter(|ptime| (1..=200).contains(ptime))
}

/// Direction of the media line, else of the session, else both ways.
pub fn direction(session: &Session, media: &Media) -> Direction {
    let all = [
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ];
    let found = |has: &dyn Fn(&str) -> bool| all.into_iter().find(|one| has(one.as_str()));
    found(&|name| media.has_attribute(name))
        .or_else(|| found(&|name| session.has_attribute(name)))
        .unwrap_or_default()
}

/// RTCP port of `a=rtcp` (RFC 3605), else the one after the RTP port; `None` past the last port.
pub fn rtcp_port(media: &Media) -> Option<u16> {
    let written =
        values(media, "rtcp").find_map(|text| number(text.split_ascii_whitespace().next()?));
    written.or(media.port.checked_add(1))
}

/// ICE candidates as written, not looked into.
pub fn candidates(media: &Media) -> Vec<String> {
    values(media, "candidate").map(str::to_owned).collect()
}

pub(super) fn values<'a>(media: &'a Media, name: &'a str) -> impl Iterator<Item = &'a str> {
    media
        .attributes
        .iter()
        .filter(move |one| one.attribute == name)
        .filter_map(|one| one.value.as_deref())
}
