//! The playout buffer between a packet network and a clock of 10 ms: adaptive, 20 to 100 ms deep.
//!
//! The base station has one for each bearer: packets come in when they like, the air takes 40 octets of ADPCM every
//! 10 ms. Depth means how long before its turn a packet arrives; the buffer keeps the smallest depth of the last
//! seconds just above zero.

use crate::rtp::Header;

/// Octets of a frame of 10 ms at 32 kbit/s: one B-field.
pub const FRAME_OCTETS: usize = 40;
/// Samples of a frame: what the RTP timestamp counts.
pub const FRAME_SAMPLES: u32 = 80;
/// What the air carries in place of a lost frame: zero difference for a G.726 decoder, which fades out.
pub const FILLER: u8 = 0xFF;

/// Frames that fit in: more than the deepest depth plus the longest packet.
const SLOTS: usize = 32;
/// Frames in which a depth must stay unused before the buffer gets shorter: 5 s.
const CALM_FRAMES: u32 = 500;
/// A frame number further away than this (1 s) means that the sender started anew.
const JUMP_FRAMES: i64 = 100;

/// How deep the buffer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Smallest depth in frames of 10 ms.
    pub least: u8,
    /// Depth at the start.
    pub start: u8,
    /// Greatest depth, 20 at most.
    pub most: u8,
}

impl Default for Depth {
    /// 20 to 100 ms, 40 ms at the start.
    fn default() -> Depth {
        Depth {
            least: 2,
            start: 4,
            most: 10,
        }
    }
}

/// What [`Playout::pull`] put into the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// Speech that came in time.
    Speech,
    /// The frame is missing: filled with [`FILLER`].
    Concealed,
    /// No packet yet, or none for a second: filled with [`FILLER`] and not counted.
    Silence,
}

/// What a playout buffer has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Frames played.
    pub played: u64,
    /// Frames concealed.
    pub concealed: u64,
    /// Frames that came after their turn.
    pub late: u64,
    /// Frames that came twice.
    pub duplicated: u64,
    /// Frames left out to get shorter.
    pub skipped: u64,
    /// Times the sender's timestamps jumped.
    pub restarts: u64,
}

/// A playout buffer.
#[derive(Debug, Clone)]
pub struct Playout {
    depth: Depth,
    slots: [[u8; FRAME_OCTETS]; SLOTS],
    filled: [bool; SLOTS],
    stream: Option<Stream>,
    counts: Counts,
}

/// Position in the stream of one sender; frame numbers are timestamps divided by 80, unwrapped.
#[derive(Debug, Clone, Copy)]
struct Stream {
    ssrc: u32,
    last_timestamp: u32,
    last_frame: i64,
    next: i64,
    /// Frames to wait before the play position moves on.
    hold: u8,
    /// Smallest depth seen in this calm period, and frames since it began.
    least_depth: i64,
    calm: u32,
    /// Frames since one was there to play.
    missing: u32,
}

impl Default for Playout {
    fn default() -> Playout {
        Playout::new(Depth::default())
    }
}

impl Playout {
    /// An empty buffer.
    #[must_use]
    pub fn new(depth: Depth) -> Playout {
        Playout {
            depth: Depth {
                most: depth.most.min(20),
                ..depth
            },
            slots: [[FILLER; FRAME_OCTETS]; SLOTS],
            filled: [false; SLOTS],
            stream: None,
            counts: Counts::default(),
        }
    }

    /// Takes in the payload of a packet: any whole number of frames, in any order. Octets beyond whole frames are dropped.
    pub fn push(&mut self, header: &Header, payload: &[u8]) {
        let frame = self.place(header);
        for (n, octets) in payload.chunks_exact(FRAME_OCTETS).enumerate() {
            self.store(frame + n as i64, octets);
        }
        self.judge(frame);
    }

    /// Fills the next frame of 10 ms; to be called by the clock of the air.
    pub fn pull(&mut self, frame: &mut [u8; FRAME_OCTETS]) -> Played {
        frame.fill(FILLER);
        let Some(stream) = &mut self.stream else {
            return Played::Silence;
        };
        if stream.hold > 0 {
            stream.hold -= 1;
            return self.conceal();
        }
        let slot = slot(stream.next);
        stream.next += 1;
        stream.calm += 1;
        let there = std::mem::take(&mut self.filled[slot]);
        if there {
            stream.missing = 0;
            frame.copy_from_slice(&self.slots[slot]);
            self.counts.played += 1;
            self.shorten();
            return Played::Speech;
        }
        self.conceal()
    }

    /// What was seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Frames of speech that wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.filled.iter().filter(|f| **f).count()
    }

    fn conceal(&mut self) -> Played {
        let Some(stream) = &mut self.stream else {
            return Played::Silence;
        };
        stream.missing = stream.missing.saturating_add(1);
        if i64::from(stream.missing) > JUMP_FRAMES {
            return Played::Silence;
        }
        self.counts.concealed += 1;
        Played::Concealed
    }

    /// Frame number of a packet; starts the stream where there is none that it could belong to.
    fn place(&mut self, header: &Header) -> i64 {
        if let Some(stream) = self.stream.filter(|s| s.ssrc == header.ssrc) {
            let moved = i64::from(header.timestamp.wrapping_sub(stream.last_timestamp) as i32);
            let frame = stream.last_frame + moved.div_euclid(i64::from(FRAME_SAMPLES));
            let silent = i64::from(stream.missing) > JUMP_FRAMES;
            if (frame - stream.next).abs() <= JUMP_FRAMES && !silent {
                return self.follow(header.timestamp, frame);
            }
        }
        self.restart(header)
    }

    fn follow(&mut self, timestamp: u32, frame: i64) -> i64 {
        if let Some(stream) = self.stream.as_mut().filter(|s| frame > s.last_frame) {
            stream.last_timestamp = timestamp;
            stream.last_frame = frame;
        }
        frame
    }

    fn restart(&mut self, header: &Header) -> i64 {
        self.counts.restarts += u64::from(self.stream.is_some());
        self.filled = [false; SLOTS];
        let frame = i64::from(header.timestamp / FRAME_SAMPLES);
        self.stream = Some(Stream {
            ssrc: header.ssrc,
            last_timestamp: header.timestamp,
            last_frame: frame,
            next: frame - i64::from(self.depth.start),
            hold: 0,
            least_depth: i64::MAX,
            calm: 0,
            missing: 0,
        });
        frame
    }

    fn store(&mut self, frame: i64, octets: &[u8]) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        if frame < stream.next {
            self.counts.late += 1;
            return;
        }
        // Too far ahead: the sender is early by more than the buffer holds; move on to it.
        if frame >= stream.next + SLOTS as i64 {
            let target = frame - i64::from(self.depth.most);
            for skipped in stream.next..target {
                self.counts.skipped += u64::from(std::mem::take(&mut self.filled[slot(skipped)]));
            }
            stream.next = target;
        }
        let slot = slot(frame);
        self.counts.duplicated += u64::from(self.filled[slot]);
        self.slots[slot].copy_from_slice(octets);
        self.filled[slot] = true;
    }

    /// Learns from the depth of a packet: too late makes the buffer deeper at once.
    fn judge(&mut self, frame: i64) {
        let most = i64::from(self.depth.most);
        let Some(stream) = &mut self.stream else {
            return;
        };
        let depth = frame - stream.next + i64::from(stream.hold);
        stream.least_depth = stream.least_depth.min(depth);
        if depth < 0 {
            let ahead = stream.last_frame - stream.next;
            // Waiting must not put the newest frame further off than the greatest depth.
            let wait = i64::from(stream.hold) - depth;
            stream.hold = wait.min(most - ahead).clamp(0, most) as u8;
            stream.least_depth = i64::MAX;
            stream.calm = 0;
        }
    }

    /// Leaves out one frame if for 5 s every packet came earlier than needed.
    fn shorten(&mut self) {
        let Some(stream) = self.stream.as_mut().filter(|s| s.calm >= CALM_FRAMES) else {
            return;
        };
        let unused = stream.least_depth > i64::from(self.depth.least);
        if unused && stream.least_depth != i64::MAX {
            self.counts.skipped += u64::from(std::mem::take(&mut self.filled[slot(stream.next)]));
            stream.next += 1;
        }
        stream.calm = 0;
        stream.least_depth = i64::MAX;
    }
}

fn slot(frame: i64) -> usize {
    frame.rem_euclid(SLOTS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(frame: u32) -> Header {
        Header {
            marker: false,
            payload_type: 96,
            sequence: (frame / 2) as u16,
            timestamp: 0u32.wrapping_sub(800).wrapping_add(frame * FRAME_SAMPLES),
            ssrc: 7,
        }
    }

    /// A packet of two frames that carry their own number.
    fn push(playout: &mut Playout, frame: u32) {
        let mut payload = [frame as u8; 80];
        payload[40..].fill(frame as u8 + 1);
        playout.push(&header(frame), &payload);
    }

    fn pull(playout: &mut Playout) -> (Played, u8) {
        let mut frame = [0; FRAME_OCTETS];
        let played = playout.pull(&mut frame);
        assert!(frame.iter().all(|o| *o == frame[0]));
        (played, frame[0])
    }

    #[test]
    fn frames_come_out_in_order_after_the_starting_depth_and_over_a_timestamp_wrap() {
        let mut playout = Playout::default();
        assert_eq!(pull(&mut playout), (Played::Silence, FILLER));
        let mut out = vec![];
        for packet in 0..20 {
            push(&mut playout, packet * 2);
            out.extend([pull(&mut playout), pull(&mut playout)]);
        }
        let expected = (0..40).map(|n| match n {
            0..4 => (Played::Concealed, FILLER),
            n => (Played::Speech, n as u8 - 4),
        });
        assert_eq!(out, expected.collect::<Vec<_>>());
    }

    #[test]
    fn order_within_the_depth_does_not_matter_and_doubles_are_counted() {
        let mut playout = Playout::default();
        for frame in [0, 4, 2, 2] {
            push(&mut playout, frame);
        }
        let out: Vec<u8> = (0..10).map(|_| pull(&mut playout).1).collect();
        assert_eq!(out, [255, 255, 255, 255, 0, 1, 2, 3, 4, 5]);
        assert_eq!(playout.counts().duplicated, 2);
    }

    #[test]
    fn a_lost_packet_is_concealed_in_its_place() {
        let mut playout = Playout::default();
        for frame in [0, 4] {
            push(&mut playout, frame);
        }
        let out: Vec<_> = (0..10).map(|_| pull(&mut playout)).skip(6).collect();
        assert_eq!(out[..2], [(Played::Concealed, FILLER); 2]);
        assert_eq!(out[2..], [(Played::Speech, 4), (Played::Speech, 5)]);
    }

    #[test]
    fn lateness_makes_it_deeper_and_calm_makes_it_shorter_again() {
        let mut playout = Playout::default();
        push(&mut playout, 0);
        for _ in 0..8 {
            pull(&mut playout);
        }
        // Frame 2 had its turn 20 ms ago: it is lost, and the position waits for what follows.
        push(&mut playout, 2);
        assert_eq!(playout.counts().late, 2);
        push(&mut playout, 4);
        let out: Vec<_> = (0..4).map(|_| pull(&mut playout).1).collect();
        assert_eq!(out, [255, 255, 4, 5]);
        // Now packets come 8 frames ahead for a long time.
        for frame in (6..14).step_by(2) {
            push(&mut playout, frame);
        }
        for frame in (14..2000).step_by(2) {
            push(&mut playout, frame);
            pull(&mut playout);
            pull(&mut playout);
        }
        let counts = playout.counts();
        assert_eq!(counts.skipped, 2, "{counts:?}");
        assert_eq!(counts.late, 2);
    }

    #[test]
    fn a_new_source_or_a_jump_starts_anew() {
        let mut playout = Playout::default();
        push(&mut playout, 0);
        let other = Header {
            ssrc: 8,
            ..header(5000)
        };
        playout.push(&other, &[9; 80]);
        assert_eq!(playout.counts().restarts, 1);
        let out: Vec<_> = (0..6).map(|_| pull(&mut playout).1).collect();
        assert_eq!(out, [255, 255, 255, 255, 9, 9]);
        playout.push(
            &Header {
                timestamp: other.timestamp + 80 * 500,
                ..other
            },
            &[3; 80],
        );
        assert_eq!(playout.counts().restarts, 2);
    }

    #[test]
    fn a_burst_beyond_the_buffer_keeps_the_newest() {
        let mut playout = Playout::default();
        for frame in (0..60).step_by(2) {
            push(&mut playout, frame);
        }
        let first = (0..40)
            .map(|_| pull(&mut playout))
            .find(|p| p.0 == Played::Speech);
        assert!(first.unwrap().1 >= 20, "{first:?}");
        assert!(playout.waiting() <= SLOTS);
    }

    #[test]
    fn any_header_is_survived() {
        let mut playout = Playout::default();
        let mut seed = 5u32;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let header = Header {
                timestamp: seed,
                ssrc: seed >> 31,
                ..header(0)
            };
            playout.push(&header, &[0; 200][..(seed >> 25) as usize]);
            pull(&mut playout);
        }
    }
}
