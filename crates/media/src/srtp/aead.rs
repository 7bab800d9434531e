//! The AEAD suites (RFC 7714), done by `webrtc-srtp`.
//!
//! That crate remembers every SSRC before it has authenticated one. So each SSRC gets a context of its own, which is
//! kept only once a packet was believed, and the number of contexts is bounded.

use smallvec::SmallVec;
use webrtc_srtp::context::Context;
use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use webrtc_srtp::protection_profile::ProtectionProfile;

use super::{KeyMaterial, RTCP_CLEAR, RTCP_INDEX, SrtpError, Suite};

/// Octets of the tag.
const TAG: usize = 16;
/// SSRCs under one key, as for the other suites.
const MAX_CONTEXTS: usize = 16;
const WINDOW: usize = 128;

pub(super) struct Aead {
    material: KeyMaterial,
    contexts: SmallVec<[(u32, Context); 1]>,
}

impl Aead {
    pub(super) fn new(material: &KeyMaterial) -> Aead {
        Aead {
            material: material.clone(),
            contexts: SmallVec::new(),
        }
    }

    pub(super) fn protect(
        &mut self,
        ssrc: u32,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<usize, SrtpError> {
        let mut context = self.take(ssrc)?;
        let done = context.encrypt_rtp(&buffer[..length]);
        self.keep(ssrc, context);
        copy_back(&done.map_err(|_| SrtpError::Malformed)?, buffer)
    }

    pub(super) fn protect_rtcp(
        &mut self,
        ssrc: u32,
        buffer: &mut [u8],
        length: usize,
    ) -> Result<usize, SrtpError> {
        let mut context = self.take(ssrc)?;
        let done = context.encrypt_rtcp(&buffer[..length]);
        self.keep(ssrc, context);
        copy_back(&done.map_err(|_| SrtpError::Malformed)?, buffer)
    }

    pub(super) fn unprotect(
        &mut self,
        ssrc: u32,
        packet: &mut [u8],
        start: usize,
        end: usize,
    ) -> Result<usize, SrtpError> {
        if end < start + TAG {
            return Err(SrtpError::Malformed);
        }
        self.open(ssrc, packet, |context, packet| {
            context.decrypt_rtp(&packet[..end])
        })
    }

    pub(super) fn unprotect_rtcp(
        &mut self,
        ssrc: u32,
        packet: &mut [u8],
        end: usize,
    ) -> Result<usize, SrtpError> {
        if end < RTCP_CLEAR + RTCP_INDEX + TAG {
            return Err(SrtpError::Malformed);
        }
        self.open(ssrc, packet, |context, packet| {
            context.decrypt_rtcp(&packet[..end])
        })
    }

    fn open(
        &mut self,
        ssrc: u32,
        packet: &mut [u8],
        decrypt: impl FnOnce(&mut Context, &[u8]) -> Result<bytes::Bytes, webrtc_srtp::Error>,
    ) -> Result<usize, SrtpError> {
        use webrtc_srtp::Error;
        let known = self.contexts.iter().any(|(s, _)| *s == ssrc);
        let mut context = self.take(ssrc)?;
        let opened = decrypt(&mut context, packet);
        if known || opened.is_ok() {
            self.keep(ssrc, context);
        }
        match opened {
            Ok(plain) => copy_back(&plain, packet),
            Err(Error::SrtpSsrcDuplicated(..) | Error::SrtcpSsrcDuplicated(..)) => {
                Err(SrtpError::Replay)
            }
            Err(_) => Err(SrtpError::Auth),
        }
    }

    fn take(&mut self, ssrc: u32) -> Result<Context, SrtpError> {
        if let Some(at) = self.contexts.iter().position(|(s, _)| *s == ssrc) {
            return Ok(self.contexts.remove(at).1);
        }
        let profile = match self.material.suite() {
            Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
            _ => ProtectionProfile::AeadAes128Gcm,
        };
        Context::new(
            self.material.key(),
            self.material.salt(),
            profile,
            Some(srtp_replay_protection(WINDOW)),
            Some(srtcp_replay_protection(WINDOW)),
        )
        .map_err(|_| SrtpError::Malformed)
    }

    /// Puts a context last; the one idle longest goes first.
    fn keep(&mut self, ssrc: u32, context: Context) {
        if self.contexts.len() == MAX_CONTEXTS {
            self.contexts.remove(0);
        }
        self.contexts.push((ssrc, context));
    }
}

fn copy_back(octets: &[u8], buffer: &mut [u8]) -> Result<usize, SrtpError> {
    buffer
        .get_mut(..octets.len())
        .ok_or(SrtpError::NoRoom)?
        .copy_from_slice(octets);
    Ok(octets.len())
}
