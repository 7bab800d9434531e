//! The RTP header (RFC 3550 section 5.1) and the one header extension we use (RFC 8285, one-byte form).

/// Octets of a header without CSRCs and extension.
pub const HEADER_LENGTH: usize = 12;
/// Octets of a header that carries an [`AirMark`].
pub const WITH_AIR_MARK: usize = HEADER_LENGTH + 12;

/// Profile value of one-byte header extensions (RFC 8285 section 4.2).
const ONE_BYTE_PROFILE: u16 = 0xBEDE;
/// Our extension's local identifier.
const AIR_ID: u8 = 1;
/// Its octets.
const AIR_LENGTH: usize = 6;

/// Why octets are not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The version field is not 2: STUN, DTLS, noise.
    #[error("not RTP version 2")]
    Version,
    /// The packet ends within its header, extension or padding.
    #[error("RTP packet cut short")]
    Short,
    /// The caller's buffer cannot hold the packet.
    #[error("buffer too small")]
    NoRoom,
}

/// The fields of an RTP header that we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// First packet of a talkspurt, or of an event.
    pub marker: bool,
    /// Payload type, 0..127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in samples (8000 a second).
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// What the base station says about the two air frames of a packet: header extension 1, 6 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AirMark {
    /// The first 10 ms were bad on the air; their octets are `FF`.
    pub first_bad: bool,
    /// The second 10 ms were bad on the air.
    pub second_bad: bool,
    /// The frames were ciphered on the air.
    pub ciphered: bool,
    /// Received level in -dBm: 60 is -60 dBm.
    pub rssi_minus_dbm: u8,
    /// Air frame number of the first 10 ms.
    pub frame: u32,
}

impl AirMark {
    fn octets(self) -> [u8; AIR_LENGTH] {
        let flags = u8::from(self.first_bad) << 7
            | u8::from(self.second_bad) << 6
            | u8::from(self.ciphered) << 5;
        let frame = self.frame.to_be_bytes();
        [
            flags,
            self.rssi_minus_dbm,
            frame[0],
            frame[1],
            frame[2],
            frame[3],
        ]
    }

    fn from_octets(octets: &[u8]) -> Option<AirMark> {
        let [flags, rssi_minus_dbm, f0, f1, f2, f3] = *octets else {
            return None;
        };
        Some(AirMark {
            first_bad: flags & 0x80 != 0,
            second_bad: flags & 0x40 != 0,
            ciphered: flags & 0x20 != 0,
            rssi_minus_dbm,
            frame: u32::from_be_bytes([f0, f1, f2, f3]),
        })
    }
}

/// A parsed packet; the payload lies in the octets it was parsed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// The air's mark, if the packet has one.
    pub air: Option<AirMark>,
    /// Payload without padding.
    pub payload: &'a [u8],
}

impl Packet<'_> {
    /// Reads a packet in the clear.
    ///
    /// # Errors
    /// [`RtpError::Version`] or [`RtpError::Short`]; unknown extensions are skipped, not refused.
    pub fn parse(octets: &[u8]) -> Result<Packet<'_>, RtpError> {
        let header = Header::parse(octets)?;
        let start = Header::length(octets)?;
        let mut payload = &octets[start..];
        if octets[0] & 0x20 != 0 {
            let padding = usize::from(*payload.last().ok_or(RtpError::Short)?);
            let kept = payload.len().checked_sub(padding).filter(|_| padding > 0);
            payload = &payload[..kept.ok_or(RtpError::Short)?];
        }
        Ok(Packet {
            header,
            air: air_mark(octets),
            payload,
        })
    }
}

impl Header {
    /// Reads the fixed part.
    ///
    /// # Errors
    /// [`RtpError::Short`] under 12 octets, [`RtpError::Version`] for a version other than 2.
    pub fn parse(octets: &[u8]) -> Result<Header, RtpError> {
        let [b0, b1, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *octets
            .first_chunk::<HEADER_LENGTH>()
            .ok_or(RtpError::Short)?;
        if b0 >> 6 != 2 {
            return Err(RtpError::Version);
        }
        Ok(Header {
            marker: b1 & 0x80 != 0,
            payload_type: b1 & 0x7F,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        })
    }

    /// Octets of the whole header, CSRCs and extension included: where the payload (and encryption) starts.
    ///
    /// # Errors
    /// As [`Header::parse`].
    pub fn length(octets: &[u8]) -> Result<usize, RtpError> {
        Header::parse(octets)?;
        let csrcs = usize::from(octets[0] & 0x0F);
        let mut length = HEADER_LENGTH + 4 * csrcs;
        if octets[0] & 0x10 != 0 {
            let words = octets.get(length + 2..length + 4).ok_or(RtpError::Short)?;
            length += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        if length > octets.len() {
            Err(RtpError::Short)
        } else {
            Ok(length)
        }
    }

    /// Writes the header, with the air's mark if there is one; answers its length: 12 or 24.
    ///
    /// # Errors
    /// [`RtpError::NoRoom`] if the buffer is shorter than that.
    pub fn write(&self, air: Option<AirMark>, buffer: &mut [u8]) -> Result<usize, RtpError> {
        let length = if air.is_some() {
            WITH_AIR_MARK
        } else {
            HEADER_LENGTH
        };
        let out = buffer.get_mut(..length).ok_or(RtpError::NoRoom)?;
        out[0] = 0x80 | u8::from(air.is_some()) << 4;
        out[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7F;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        if let Some(mark) = air {
            out[12..14].copy_from_slice(&ONE_BYTE_PROFILE.to_be_bytes());
            out[14..16].copy_from_slice(&2u16.to_be_bytes());
            out[16] = AIR_ID << 4 | (AIR_LENGTH as u8 - 1);
            out[17..23].copy_from_slice(&mark.octets());
            out[23] = 0;
        }
        Ok(length)
    }
}

/// Looks for our element among the one-byte extensions.
fn air_mark(octets: &[u8]) -> Option<AirMark> {
    if octets[0] & 0x10 == 0 {
        return None;
    }
    let start = HEADER_LENGTH + 4 * usize::from(octets[0] & 0x0F);
    let profile = u16::from_be_bytes([*octets.get(start)?, *octets.get(start + 1)?]);
    let mut rest = octets.get(start + 4..Header::length(octets).ok()?)?;
    if profile != ONE_BYTE_PROFILE {
        return None;
    }
    while let [first, tail @ ..] = rest {
        let (id, length) = (first >> 4, usize::from(first & 0x0F) + 1);
        rest = match id {
            // Padding between elements.
            0 => tail,
            // Reserved: what follows must not be read.
            15 => return None,
            AIR_ID => return AirMark::from_octets(tail.get(..length)?),
            _ => tail.get(length..)?,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            marker: true,
            payload_type: 96,
            sequence: 0xFFFE,
            timestamp: 0x8000_0001,
            ssrc: 0xCAFE_BABE,
        }
    }

    #[test]
    fn the_air_mark_is_where_the_contract_says() {
        let mark = AirMark {
            first_bad: true,
            second_bad: false,
            ciphered: true,
            rssi_minus_dbm: 62,
            frame: 0x0102_0304,
        };
        let mut buffer = [0xEE; 30];
        let length = header().write(Some(mark), &mut buffer).unwrap();
        assert_eq!(length, WITH_AIR_MARK);
        assert_eq!(hex::encode(&buffer[12..24]), "bede000215a03e0102030400");
        let packet = Packet::parse(&buffer).unwrap();
        assert_eq!((packet.header, packet.air), (header(), Some(mark)));
        assert_eq!(packet.payload, &[0xEE; 6]);
    }

    #[test]
    fn foreign_extensions_and_csrcs_are_skipped() {
        // Two CSRCs; extension: element 2 of 3 octets, a pad octet, element 1.
        let mut octets = hex::decode("92600001000000a0cafebabe0000000100000002bede0003").unwrap();
        octets.extend(hex::decode("22aabbcc00154001000000070000").unwrap());
        let packet = Packet::parse(&octets[..36]).unwrap();
        assert_eq!(packet.air.unwrap().frame, 7);
        assert!(packet.air.unwrap().second_bad);
        assert!(packet.payload.is_empty());
    }

    #[test]
    fn padding_is_cut_and_bad_padding_refused() {
        let mut octets = [0u8; 20];
        header().write(None, &mut octets).unwrap();
        octets[0] |= 0x20;
        octets[19] = 4;
        assert_eq!(Packet::parse(&octets).unwrap().payload.len(), 4);
        for bad in [0, 9, 255] {
            octets[19] = bad;
            assert_eq!(Packet::parse(&octets), Err(RtpError::Short));
        }
        assert_eq!(Packet::parse(&octets[..12]), Err(RtpError::Short));
        octets[0] = 0x40;
        assert_eq!(Packet::parse(&octets), Err(RtpError::Version));
    }

    proptest! {
        #[test]
        fn written_headers_read_back(
            marker: bool, pt in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            mark in proptest::option::of(any::<(bool, bool, bool, u8, u32)>()),
        ) {
            let header = Header { marker, payload_type: pt, sequence, timestamp, ssrc };
            let air = mark.map(|(first_bad, second_bad, ciphered, rssi_minus_dbm, frame)| AirMark {
                first_bad, second_bad, ciphered, rssi_minus_dbm, frame,
            });
            let mut buffer = [0; 40];
            let length = header.write(air, &mut buffer).unwrap();
            let packet = Packet::parse(&buffer).unwrap();
            prop_assert_eq!(packet.header, header);
            prop_assert_eq!(packet.air, air);
            prop_assert_eq!(packet.payload.len(), buffer.len() - length);
        }

        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Packet::parse(&octets);
        }
    }
}
