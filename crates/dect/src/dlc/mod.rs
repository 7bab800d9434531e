//! DLC C-plane: Lc frames and the LAPC link of class A, both sides.
//!
//! Kept from EN 300 175-4: the FA frame with address, control, length, fill and checksum (exclusive-or with the
//! link signature), window 1, modulus 2, DL.04, DL.07, N250, segmentation with the "more" bit.
//! Simplified: one LLN and one SAPI (class A, connection oriented) a link; no class B, no connectionless SAPI,
//! no extended length. Speech (LU1) needs no code: a B-field is 40 octets of ADPCM without header.

pub mod frame;
pub mod lapc;

pub use frame::{Assembler, Control, Frame, FrameError, Side};
pub use lapc::{Context, Lapc, Output, SendError};

/// Fuzz entry: any octets as frames, as a segment stream, and as a link's input.
pub fn fuzz_dlc(data: &[u8], now: std::time::Instant) {
    frame::fuzz_frame(data);
    lapc::fuzz_lapc(data, now);
}
