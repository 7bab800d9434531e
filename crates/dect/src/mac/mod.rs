//! MAC layer of the virtual air, alike on both sides: datagrams, propagation, C-channel.
//!
//! Kept from EN 300 175-3: identities (RFPI, PMID), frame and multiframe numbers, the 5-octet CT segments of
//! the C-channel in odd frames with number and acknowledge bits, B-fields of 40 octets, paging in the beacon,
//! set-up and handover by the portable, the MAC cipher handshake, T200, T201, T203.
//!
//! Simplified: one UDP datagram stands for one burst; carriers, slot positions, preambles, CRCs, scrambling,
//! half-slot timing and interference between cells do not exist; reception is judged from a path-loss model
//! ([`propagation`]); `attributes_T` and "other" messages of a set-up are left out, so that a set-up is
//! ACCESS, then CONFIRM (or WAIT, REFUSE); release is sent twice without acknowledgement.

pub mod air;
pub mod propagation;
pub mod segments;

use std::time::Duration;

pub use crate::identity::Pmid;

/// Length of a TDMA frame. Source: EN 300 175-2 section 4.
pub const FRAME: Duration = Duration::from_millis(10);
/// Frames in a multiframe. Source: EN 300 175-2 section 4.
pub const FRAMES_PER_MULTIFRAME: u32 = 16;
/// Duplex full-slot bearers of one base station, numbered 1 to 12.
pub const BEARERS: u8 = 12;
/// Connection set-up limit at the portable, T200. Source: EN 300 175-3 annex A.
pub const T200: Duration = Duration::from_secs(3);
/// Set-up attempts at one base, N200. Source: EN 300 175-3 annex A.
pub const N200: u8 = 10;
/// A bearer without a good burst for this long is lost, T201. Source: EN 300 175-3 annex A.
pub const T201: Duration = Duration::from_secs(5);
/// Frames for which two bearers of one connection may live side by side, T203. Source: EN 300 175-3 annex A.
pub const T203_FRAMES: u32 = 16;
/// Octets of a C-channel segment (the tail of an A-field).
pub const SEGMENT_OCTETS: usize = 5;
/// Octets of a full-slot B-field: 80 samples of G.726-32.
pub const B_FIELD_OCTETS: usize = 40;

/// One CT segment of the C-channel.
pub type Segment = [u8; SEGMENT_OCTETS];
/// One full-slot B-field, 10 ms of G.726-32 with the first sample in the high nibble.
pub type BField = [u8; B_FIELD_OCTETS];

/// Radio fixed part identity as sent on the air, 40 bits. Source: EN 300 175-6 section 6.
pub type RfpiOctets = [u8; 5];

/// Number of a TDMA frame: multiframe x 16 + frame, 28 bits, wrapping.
///
/// Source: EN 300 175-3 section 7.2.3.7 (24-bit multiframe number).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FrameNumber(u32);

impl FrameNumber {
    const MASK: u32 = (1 << 28) - 1;

    /// Keeps the low 28 bits of a number.
    pub const fn new(number: u32) -> Self {
        Self(number & Self::MASK)
    }

    /// The number, 0 to 2^28 - 1.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The number `frames` later, wrapping.
    #[must_use]
    pub const fn plus(self, frames: u32) -> Self {
        Self::new(self.0.wrapping_add(frames))
    }

    /// The frame that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// Whether CT segments may go in this frame (odd ones). Source: EN 300 175-3 section 6.2.2 (T-MUX).
    pub const fn is_odd(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether a multiframe begins with this frame.
    pub const fn starts_multiframe(self) -> bool {
        self.0.is_multiple_of(FRAMES_PER_MULTIFRAME)
    }

    /// Signed distance in frames from `earlier` to `self`, by the shorter way around.
    pub const fn since(self, earlier: Self) -> i32 {
        let ahead = self.0.wrapping_sub(earlier.0) & Self::MASK;
        if ahead > Self::MASK / 2 {
            ahead as i32 - (1 << 28)
        } else {
            ahead as i32
        }
    }

    /// Whether this frame comes after `other`, by the shorter way around.
    pub const fn is_after(self, other: Self) -> bool {
        self.since(other) > 0
    }
}

/// Who is meant by broadcasts: all portables.
pub const ALL_PORTABLES: Pmid = match Pmid::from_bits(0) {
    Some(pmid) => pmid,
    None => panic!("0 has no more than 20 bits"),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_numbers_wrap_at_28_bits_and_compare_by_the_shorter_way() {
        let last = FrameNumber::new(u32::MAX);
        assert_eq!(last.value(), (1 << 28) - 1);
        assert_eq!(last.next().value(), 0);
        assert_eq!(last.next().since(last), 1);
        assert_eq!(last.since(last.next()), -1);
        assert!(last.next().is_after(last) && !last.is_after(last.next()));
    }
}
