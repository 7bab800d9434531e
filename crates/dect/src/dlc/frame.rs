//! The Lc frame FA: address, control, length, information, fill, checksum.
//!
//! ```text
//!  octet 1   NLF | LLN 3 | SAPI 2 | C/R | 1
//!  octet 2   I: N(R) P N(S) 0     RR: N(R) P 0001     RNR: 0101     REJ: 1001
//!  octet 3   length 6 | more | 1
//!  4 ...     information 0..63, fill F0 up to a multiple of 5 with the checksum, checksum X, Y
//! ```
//! Source: EN 300 175-4 sections 6.1, 7, 10.3.1.

use smallvec::SmallVec;

use crate::mac::{SEGMENT_OCTETS, Segment};

/// Most octets of information in a frame. Source: EN 300 175-4 section 6.1.4.
pub const MAX_INFO: usize = 63;
/// Most octets of a frame on the air, fill and checksum included.
pub const MAX_FRAME: usize = (3 + MAX_INFO + CHECKSUM_OCTETS).next_multiple_of(SEGMENT_OCTETS);

const CHECKSUM_OCTETS: usize = 2;
const FILL: u8 = 0xF0;

/// Which end of the link: the C/R bit has opposite meanings at the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Portable termination: commands with C/R 0.
    Portable,
    /// Fixed termination: commands with C/R 1.
    Fixed,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Portable => Self::Fixed,
            Self::Fixed => Self::Portable,
        }
    }
}

/// What the control octet says; sequence numbers are modulo 2 in class A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Information, a command.
    Information {
        /// Number next expected, N(R).
        n_r: bool,
        /// Number of this frame, N(S).
        n_s: bool,
    },
    /// Ready for number N(R), a response.
    ReceiveReady {
        /// Number next expected.
        n_r: bool,
    },
    /// Not ready; N(R) acknowledges all the same.
    ReceiveNotReady {
        /// Number next expected.
        n_r: bool,
    },
    /// Send again from N(R).
    Reject {
        /// Number next expected.
        n_r: bool,
    },
}

/// A frame without fill and checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// New link flag: this frame establishes the link, or answers the one that does.
    pub new_link: bool,
    /// Sent as a command (`true`) or as a response, seen from its sender.
    pub command: bool,
    /// Kind and sequence numbers.
    pub control: Control,
    /// The message goes on in the next frame.
    pub more: bool,
    /// Information, 0 to [`MAX_INFO`] octets.
    pub info: SmallVec<[u8; MAX_INFO]>,
}

/// Why octets are not a frame of a class A link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Its length is not the one that its third octet asks for.
    #[error("{found} octets where {wanted} belong")]
    Length {
        /// Octets given.
        found: usize,
        /// Octets asked for, 0 if there is no length octet.
        wanted: usize,
    },
    /// The length octet has no N bit: extended lengths are not spoken.
    #[error("extended length")]
    ExtendedLength,
    /// The checksum is wrong: damaged, or of another link.
    #[error("wrong checksum")]
    Checksum,
    /// The address is not the one of a class A link with SAPI 0.
    #[error("address {0:02x} is not of a class A link")]
    Address(u8),
    /// The control octet is none of class A.
    #[error("control {0:02x} is not of class A")]
    Control(u8),
}

impl Frame {
    /// The frame as it goes on the air, in whole segments, with fill and checksum.
    ///
    /// `sender` says who sends it, `signature` is the LSIG of the link (see [`crate::mac::Pmid::lsig`]).
    /// Information beyond [`MAX_INFO`] octets is cut off.
    pub fn encode(&self, sender: Side, signature: u16) -> Vec<u8> {
        let info = &self.info[..self.info.len().min(MAX_INFO)];
        let mut out = Vec::with_capacity(MAX_FRAME);
        out.extend([
            self.address(sender),
            self.control.octet(),
            length_octet(info.len(), self.more),
        ]);
        out.extend_from_slice(info);
        let whole = (out.len() + CHECKSUM_OCTETS).next_multiple_of(SEGMENT_OCTETS);
        out.resize(whole - CHECKSUM_OCTETS, FILL);
        out.extend([0; CHECKSUM_OCTETS]);
        set_checksum(&mut out, signature);
        out
    }

    /// Reads a whole frame that `sender` sent, fill and checksum included.
    ///
    /// # Errors
    /// [`FrameError`], all of them.
    pub fn parse(octets: &[u8], sender: Side, signature: u16) -> Result<Self, FrameError> {
        let wanted = octets.get(2).map_or(
            Err(FrameError::Length {
                found: octets.len(),
                wanted: 0,
            }),
            |l| frame_length(*l),
        )?;
        if octets.len() != wanted {
            return Err(FrameError::Length {
                found: octets.len(),
                wanted,
            });
        }
        if !checksum_holds(octets, signature) {
            return Err(FrameError::Checksum);
        }
        let address = octets[0];
        // LLN 1 (class A), SAPI 0, reserved bit 1; NLF and C/R are free.
        if address & 0b0111_1101 != 0b0001_0001 {
            return Err(FrameError::Address(address));
        }
        let info_length = usize::from(octets[2] >> 2);
        Ok(Self {
            new_link: address & 0x80 != 0,
            command: (address & 2 != 0) == (sender == Side::Fixed),
            control: Control::from_octet(octets[1])?,
            more: octets[2] & 2 != 0,
            info: SmallVec::from_slice(&octets[3..3 + info_length]),
        })
    }

    fn address(&self, sender: Side) -> u8 {
        let command_bit = self.command == (sender == Side::Fixed);
        u8::from(self.new_link) << 7 | 0b0001_0001 | u8::from(command_bit) << 1
    }
}

impl Control {
    fn octet(self) -> u8 {
        let n_r = |n: bool| u8::from(n) << 5;
        match self {
            Self::Information { n_r: r, n_s } => n_r(r) | u8::from(n_s) << 1,
            Self::ReceiveReady { n_r: r } => n_r(r) | 0x01,
            Self::ReceiveNotReady { n_r: r } => n_r(r) | 0x05,
            Self::Reject { n_r: r } => n_r(r) | 0x09,
        }
    }

    fn from_octet(octet: u8) -> Result<Self, FrameError> {
        let n_r = octet >> 5 & 1 == 1;
        // Modulo 2: the upper bits of N(R) and N(S) are not looked at; nor is the poll bit.
        match octet & 0x0F {
            low if low & 1 == 0 => Ok(Self::Information {
                n_r,
                n_s: low >> 1 & 1 == 1,
            }),
            0x01 => Ok(Self::ReceiveReady { n_r }),
            0x05 => Ok(Self::ReceiveNotReady { n_r }),
            0x09 => Ok(Self::Reject { n_r }),
            _ => Err(FrameError::Control(octet)),
        }
    }
}

fn length_octet(length: usize, more: bool) -> u8 {
    (length as u8) << 2 | u8::from(more) << 1 | 1
}

/// Octets of the whole frame that has this length octet.
fn frame_length(length_octet: u8) -> Result<usize, FrameError> {
    if length_octet & 1 == 0 {
        return Err(FrameError::ExtendedLength);
    }
    let content = 3 + usize::from(length_octet >> 2) + CHECKSUM_OCTETS;
    Ok(content.next_multiple_of(SEGMENT_OCTETS))
}

/// Both sums of EN 300 175-4 section 10.3.1, modulo 255.
fn sums(octets: &[u8]) -> (u32, u32) {
    octets.iter().fold((0, 0), |(c0, c1), octet| {
        let c0 = (c0 + u32::from(*octet)) % 255;
        (c0, (c1 + c0) % 255)
    })
}

/// Sets the last two octets, which must be zero, so that both sums become zero, then signs them with the LSIG.
fn set_checksum(frame: &mut [u8], signature: u16) {
    let (c0, c1) = sums(frame);
    let x = (255 + c0 - c1) % 255;
    let y = (c1 + 2 * 255 - 2 * c0) % 255;
    let [high, low] = signature.to_be_bytes();
    let at = frame.len() - CHECKSUM_OCTETS;
    frame[at] = x as u8 ^ high;
    frame[at + 1] = y as u8 ^ low;
}

fn checksum_holds(frame: &[u8], signature: u16) -> bool {
    let (content, checksum) = frame.split_at(frame.len() - CHECKSUM_OCTETS);
    let [high, low] = signature.to_be_bytes();
    let plain = [checksum[0] ^ high, checksum[1] ^ low];
    let (c0, c1) = sums(content);
    let c0_x = (c0 + u32::from(plain[0])) % 255;
    let c1_x = (c1 + c0_x) % 255;
    let c0_y = (c0_x + u32::from(plain[1])) % 255;
    c0_y == 0 && (c1_x + c0_y).is_multiple_of(255)
}

/// Puts CT segments together to frames.
///
/// The C-channel delivers segments once and in order, so frame bounds are known from the length octet. Should a
/// frame not parse, its first segment is dropped and the rest tried anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assembler {
    collected: Vec<u8>,
}

impl Assembler {
    /// An assembler at the start of a frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next segment that `sender` sent, and answers the frame that it completes.
    pub fn push(&mut self, segment: Segment, sender: Side, signature: u16) -> Option<Frame> {
        self.collected.extend_from_slice(&segment);
        loop {
            let length_octet = *self.collected.get(2)?;
            let wanted = frame_length(length_octet);
            if wanted
                .as_ref()
                .is_ok_and(|wanted| self.collected.len() < *wanted)
            {
                return None;
            }
            let parsed = wanted.and_then(|wanted| {
                Frame::parse(&self.collected[..wanted], sender, signature).map(|f| (wanted, f))
            });
            match parsed {
                Ok((length, frame)) => {
                    self.collected.drain(..length);
                    return Some(frame);
                }
                Err(error) => {
                    tracing::debug!(%error, "segment dropped");
                    self.collected.drain(..SEGMENT_OCTETS);
                }
            }
        }
    }
}

pub(super) fn fuzz_frame(data: &[u8]) {
    for sender in [Side::Portable, Side::Fixed] {
        if let Ok(frame) = Frame::parse(data, sender, 0) {
            let again = Frame::parse(&frame.encode(sender, 0x1234), sender, 0x1234);
            assert_eq!(
                again.as_ref(),
                Ok(&frame),
                "written frames parse to themselves"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(control: Control, info: &[u8]) -> Frame {
        Frame {
            new_link: true,
            command: true,
            control,
            more: false,
            info: SmallVec::from_slice(info),
        }
    }

    #[test]
    fn the_standards_checksums_come_out() {
        let checksum = |content: &[u8]| {
            let mut octets = [content, &[0, 0]].concat();
            set_checksum(&mut octets, 0);
            octets[content.len()..].to_vec()
        };
        assert_eq!(checksum(&[0xFE, 0x02]), [0xFE, 0x00]);
        assert_eq!(checksum(&[0x91, 0x00, 0x01]), [0xB7, 0xB5]);
    }

    #[test]
    fn a_portables_first_frame_has_the_known_octets() {
        let first = frame(
            Control::Information {
                n_r: false,
                n_s: false,
            },
            &[],
        );
        assert_eq!(
            first.encode(Side::Portable, 0),
            [0x91, 0x00, 0x01, 0xB7, 0xB5]
        );
        assert_eq!(first.encode(Side::Fixed, 0)[0], 0x93);
        assert_eq!(
            first.encode(Side::Portable, 0x1234)[3..],
            [0xB7 ^ 0x12, 0xB5 ^ 0x34]
        );
    }

    #[test]
    fn a_response_of_the_fixed_side_has_its_bit_clear() {
        let answer = Frame {
            command: false,
            ..frame(Control::ReceiveReady { n_r: true }, &[])
        };
        let octets = answer.encode(Side::Fixed, 0);
        assert_eq!(octets[..3], [0x91, 0x21, 0x01]);
        assert_eq!(Frame::parse(&octets, Side::Fixed, 0), Ok(answer));
    }

    #[test]
    fn frames_fill_whole_segments() {
        for length in 0..=MAX_INFO {
            let frame = frame(
                Control::Information {
                    n_r: true,
                    n_s: true,
                },
                &vec![length as u8; length],
            );
            let octets = frame.encode(Side::Portable, 0xBEEF);
            assert!(octets.len().is_multiple_of(SEGMENT_OCTETS) && octets.len() <= MAX_FRAME);
            assert_eq!(Frame::parse(&octets, Side::Portable, 0xBEEF), Ok(frame));
        }
        assert_eq!(MAX_FRAME, 70);
    }

    #[test]
    fn every_single_bit_error_is_noticed() {
        let octets = frame(
            Control::Information {
                n_r: false,
                n_s: true,
            },
            b"speech path",
        )
        .encode(Side::Fixed, 7);
        for bit in 0..octets.len() * 8 {
            let mut damaged = octets.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::parse(&damaged, Side::Fixed, 7).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_links_frame_is_refused() {
        let octets = frame(Control::ReceiveReady { n_r: false }, &[]).encode(Side::Fixed, 7);
        assert_eq!(
            Frame::parse(&octets, Side::Fixed, 8),
            Err(FrameError::Checksum)
        );
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let mut octets = vec![0x01, 0x00, 0x01, 0, 0];
        set_checksum(&mut octets, 0);
        assert_eq!(
            Frame::parse(&octets, Side::Portable, 0),
            Err(FrameError::Address(0x01))
        );
        let mut octets = vec![0x91, 0x6F, 0x01, 0, 0];
        set_checksum(&mut octets, 0);
        assert_eq!(
            Frame::parse(&octets, Side::Portable, 0),
            Err(FrameError::Control(0x6F))
        );
        assert_eq!(
            Frame::parse(&[0x91, 0, 0], Side::Portable, 0),
            Err(FrameError::ExtendedLength)
        );
        assert_eq!(
            Frame::parse(&[0x91], Side::Portable, 0),
            Err(FrameError::Length {
                found: 1,
                wanted: 0
            })
        );
        assert_eq!(
            Frame::parse(&[0x91, 0, 0x05], Side::Portable, 0),
            Err(FrameError::Length {
                found: 3,
                wanted: 10
            })
        );
    }

    #[test]
    fn the_assembler_finds_frames_again_after_rubbish() {
        let good = frame(
            Control::Information {
                n_r: false,
                n_s: false,
            },
            &[1, 2, 3, 4, 5, 6],
        );
        let stream = [
            vec![0x55; 10],
            good.encode(Side::Portable, 9),
            good.encode(Side::Portable, 9),
        ]
        .concat();
        let mut assembler = Assembler::new();
        let found: Vec<Frame> = stream
            .chunks(5)
            .filter_map(|s| assembler.push(s.try_into().unwrap(), Side::Portable, 9))
            .collect();
        // 55 55 55 asks for 30 octets, so the rubbish is found out only then.
        let rest: Vec<Frame> = (0..6)
            .filter_map(|_| assembler.push([0; 5], Side::Portable, 9))
            .collect();
        assert_eq!([found, rest].concat(), [good.clone(), good]);
    }

    proptest! {
        #[test]
        fn any_octets_are_parsed_or_refused(data in proptest::collection::vec(any::<u8>(), 0..80)) {
            fuzz_frame(&data);
        }
    }
}
