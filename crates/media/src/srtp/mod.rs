//! SRTP and SRTCP (RFC 3711) with keys from SDES (RFC 4568) or from our own link.
//!
//! The AES-CM suites are our own transform, in place on the caller's buffer and without allocation; the AEAD suites are
//! done by `webrtc-srtp`, which only this module imports, and which is the oracle of the tests.

mod aead;
mod index;
mod key;
mod transform;

use aead::Aead;
use index::Streams;
pub use key::{KeyMaterial, Mki, Suite};
use transform::Keys;

use crate::rtp::{Header, RtpError};

/// Octets by which protecting may lengthen a packet: SRTCP index, tag of 16 octets, longest MKI.
pub const MAX_OVERHEAD: usize = 4 + 16 + key::MAX_MKI;

/// Octets of an RTCP header with the sender's SSRC: these stay in the clear.
const RTCP_CLEAR: usize = 8;
/// Octets of the word with E flag and SRTCP index.
const RTCP_INDEX: usize = 4;
/// The flag of encrypted SRTCP.
const ENCRYPTED: u32 = 1 << 31;
/// Most RTCP packets under one key (RFC 3711 section 9.2).
const RTCP_LIFETIME: u32 = 1 << 31;

/// Why a packet was not protected or not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// Not an RTP or RTCP packet, or cut short.
    #[error("not an SRTP packet")]
    Malformed,
    /// The buffer has no room for tag and MKI.
    #[error("buffer too small")]
    NoRoom,
    /// Another master key identifier than agreed.
    #[error("unknown MKI")]
    Mki,
    /// This index was received before, or is too old to tell.
    #[error("replayed")]
    Replay,
    /// The tag is wrong.
    #[error("authentication failed")]
    Auth,
    /// The key has protected as many packets as it may.
    #[error("key lifetime is over")]
    KeyExpired,
    /// Sending this sequence number would use a key stream twice.
    #[error("sequence number used before under this key")]
    IndexReused,
    /// Key and salt have another length than the suite needs.
    #[error("key and salt must be {expected} octets, not {given}")]
    KeyLength {
        /// Octets that the suite needs.
        expected: usize,
        /// Octets given.
        given: usize,
    },
}

impl From<RtpError> for SrtpError {
    fn from(_: RtpError) -> SrtpError {
        SrtpError::Malformed
    }
}

enum Cipher {
    CounterMode(Box<Keys>),
    Aead(Box<Aead>),
}

impl Cipher {
    fn new(material: &KeyMaterial) -> Result<Cipher, SrtpError> {
        Ok(match material.suite().is_aead() {
            true => Cipher::Aead(Box::new(Aead::new(material))),
            false => Cipher::CounterMode(Box::new(Keys::derive(material))),
        })
    }
}

/// The sending side of one master key.
pub struct Sender {
    cipher: Cipher,
    mki: Mki,
    streams: Streams,
    lifetime: u64,
    used: u64,
    rtcp_index: u32,
}

impl Sender {
    /// A sender that may protect `lifetime` RTP packets (0 or more than the suite's 2^48: the suite's).
    ///
    /// # Errors
    /// None today: key lengths were checked when the material was made.
    pub fn new(material: &KeyMaterial, mki: Mki, lifetime: u64) -> Result<Sender, SrtpError> {
        let suite = index::MAX_INDEX + 1;
        Ok(Sender {
            cipher: Cipher::new(material)?,
            mki,
            streams: Streams::default(),
            lifetime: if lifetime == 0 {
                suite
            } else {
                lifetime.min(suite)
            },
            used: 0,
            rtcp_index: 0,
        })
    }

    /// Protects the RTP packet in `buffer[..length]` in place; answers the new length.
    ///
    /// # Errors
    /// [`SrtpError::NoRoom`], [`SrtpError::Malformed`], [`SrtpError::KeyExpired`], and [`SrtpError::IndexReused`] for a
    /// sequence number that does not follow the last one of its SSRC.
    pub fn protect(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let packet = buffer.get(..length).ok_or(SrtpError::NoRoom)?;
        let (header, start) = (Header::parse(packet)?, Header::length(packet)?);
        if self.used >= self.lifetime {
            return Err(SrtpError::KeyExpired);
        }
        let index = self
            .streams
            .next(header.ssrc, header.sequence)
            .ok_or(SrtpError::IndexReused)?;
        let end = match &mut self.cipher {
            Cipher::CounterMode(keys) => {
                let end = length + keys.rtp_tag() + self.mki.len();
                let room = buffer.get_mut(..end).ok_or(SrtpError::NoRoom)?;
                let (packet, trailer) = room.split_at_mut(length);
                keys.rtp.encrypt(header.ssrc, index, &mut packet[start..]);
                let tag = keys.rtp.tag(packet, &((index >> 16) as u32).to_be_bytes());
                let (mki, tag_room) = trailer.split_at_mut(self.mki.len());
                mki.copy_from_slice(self.mki.octets());
                tag_room.copy_from_slice(&tag[..tag_room.len()]);
                end
            }
            Cipher::Aead(aead) => {
                let end = aead.protect(header.ssrc, buffer, length)?;
                append_mki(&self.mki, buffer, end)?
            }
        };
        self.streams.accept(header.ssrc, index);
        self.used += 1;
        Ok(end)
    }

    /// Protects the compound RTCP packet in `buffer[..length]` in place; answers the new length.
    ///
    /// # Errors
    /// [`SrtpError::NoRoom`], [`SrtpError::Malformed`] under 8 octets, [`SrtpError::KeyExpired`].
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(buffer.get(..length).ok_or(SrtpError::NoRoom)?)?;
        if self.rtcp_index + 1 >= RTCP_LIFETIME {
            return Err(SrtpError::KeyExpired);
        }
        let index = self.rtcp_index + 1;
        let end = match &mut self.cipher {
            Cipher::CounterMode(keys) => {
                let end = length + RTCP_INDEX + self.mki.len() + transform::RTCP_TAG;
                let room = buffer.get_mut(..end).ok_or(SrtpError::NoRoom)?;
                keys.rtcp
                    .encrypt(ssrc, u64::from(index), &mut room[RTCP_CLEAR..length]);
                let word = (index | ENCRYPTED).to_be_bytes();
                room[length..length + RTCP_INDEX].copy_from_slice(&word);
                let (packet, trailer) = room.split_at_mut(length + RTCP_INDEX);
                let tag = keys.rtcp.tag(packet, &[]);
                let (mki, tag_room) = trailer.split_at_mut(self.mki.len());
                mki.copy_from_slice(self.mki.octets());
                tag_room.copy_from_slice(&tag[..tag_room.len()]);
                end
            }
            Cipher::Aead(aead) => {
                let end = aead.protect_rtcp(ssrc, buffer, length)?;
                append_mki(&self.mki, buffer, end)?
            }
        };
        self.rtcp_index = index;
        Ok(end)
    }

    /// RTP packets that the key may still protect.
    #[must_use]
    pub fn packets_left(&self) -> u64 {
        self.lifetime - self.used
    }

    /// Whether nine tenths of the key's life are over: time to agree on another key.
    #[must_use]
    pub fn expires_soon(&self) -> bool {
        self.packets_left() <= self.lifetime / 10
    }
}

/// The receiving side of one master key.
pub struct Receiver {
    cipher: Cipher,
    mki: Mki,
    streams: Streams,
    rtcp_streams: Streams,
}

impl Receiver {
    /// A receiver of what the peer protects with its master key.
    ///
    /// # Errors
    /// None today: key lengths were checked when the material was made.
    pub fn new(material: &KeyMaterial, mki: Mki) -> Result<Receiver, SrtpError> {
        Ok(Receiver {
            cipher: Cipher::new(material)?,
            mki,
            streams: Streams::default(),
            rtcp_streams: Streams::default(),
        })
    }

    /// Authenticates and decrypts an SRTP packet in place; answers the length of the RTP packet.
    ///
    /// Nothing is remembered of a packet that fails.
    ///
    /// # Errors
    /// [`SrtpError::Malformed`], [`SrtpError::Mki`], [`SrtpError::Replay`], [`SrtpError::Auth`].
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (header, start) = (Header::parse(packet)?, Header::length(packet)?);
        match &mut self.cipher {
            Cipher::CounterMode(keys) => {
                let (end, tag) = trailer(packet, &self.mki, keys.rtp_tag(), start)?;
                let index = self.streams.estimate(header.ssrc, header.sequence);
                let index = index.filter(|i| self.streams.is_new(header.ssrc, *i));
                let index = index.ok_or(SrtpError::Replay)?;
                let roc = ((index >> 16) as u32).to_be_bytes();
                keys.rtp.verify(&packet[..end], &roc, &packet[tag..])?;
                keys.rtp
                    .encrypt(header.ssrc, index, &mut packet[start..end]);
                self.streams.accept(header.ssrc, index);
                Ok(end)
            }
            Cipher::Aead(aead) => {
                let end = cut_mki(packet, &self.mki)?;
                aead.unprotect(header.ssrc, packet, start, end)
            }
        }
    }

    /// Authenticates and decrypts an SRTCP packet in place; answers the length of the RTCP packet.
    ///
    /// # Errors
    /// As [`Receiver::unprotect`].
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet)?;
        match &mut self.cipher {
            Cipher::CounterMode(keys) => {
                let least = RTCP_CLEAR + RTCP_INDEX;
                let (end, tag) = trailer(packet, &self.mki, transform::RTCP_TAG, least)?;
                let word = read_word(packet, end - RTCP_INDEX).ok_or(SrtpError::Malformed)?;
                let index = u64::from(word & !ENCRYPTED);
                if !self.rtcp_streams.is_new(ssrc, index) {
                    return Err(SrtpError::Replay);
                }
                keys.rtcp.verify(&packet[..end], &[], &packet[tag..])?;
                let body = RTCP_CLEAR..end - RTCP_INDEX;
                if word & ENCRYPTED != 0 {
                    keys.rtcp.encrypt(ssrc, index, &mut packet[body]);
                }
                self.rtcp_streams.accept(ssrc, index);
                Ok(end - RTCP_INDEX)
            }
            Cipher::Aead(aead) => {
                let end = cut_mki(packet, &self.mki)?;
                aead.unprotect_rtcp(ssrc, packet, end)
            }
        }
    }
}

/// Where the authenticated part ends and where the tag begins; the MKI stands between and must be ours.
fn trailer(
    packet: &[u8],
    mki: &Mki,
    tag: usize,
    least: usize,
) -> Result<(usize, usize), SrtpError> {
    let tag_start = packet.len().checked_sub(tag).ok_or(SrtpError::Malformed)?;
    let end = tag_start
        .checked_sub(mki.len())
        .ok_or(SrtpError::Malformed)?;
    if end < least {
        return Err(SrtpError::Malformed);
    }
    if packet[end..tag_start] != *mki.octets() {
        return Err(SrtpError::Mki);
    }
    Ok((end, tag_start))
}

/// AEAD suites have the MKI at the very end (RFC 7714 section 8.2).
fn append_mki(mki: &Mki, buffer: &mut [u8], end: usize) -> Result<usize, SrtpError> {
    let room = buffer
        .get_mut(end..end + mki.len())
        .ok_or(SrtpError::NoRoom)?;
    room.copy_from_slice(mki.octets());
    Ok(end + mki.len())
}

fn cut_mki(packet: &[u8], mki: &Mki) -> Result<usize, SrtpError> {
    let end = packet
        .len()
        .checked_sub(mki.len())
        .ok_or(SrtpError::Malformed)?;
    if packet[end..] == *mki.octets() {
        Ok(end)
    } else {
        Err(SrtpError::Mki)
    }
}

fn rtcp_ssrc(packet: &[u8]) -> Result<u32, SrtpError> {
    if packet.first().is_none_or(|first| first >> 6 != 2) {
        return Err(SrtpError::Malformed);
    }
    read_word(packet, 4).ok_or(SrtpError::Malformed)
}

fn read_word(packet: &[u8], at: usize) -> Option<u32> {
    let octets = packet.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests;
