//! The socket and the frame clock of the virtual air; what it decides is in [`station`](super::station).

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use ipdect_dect::mac::{FRAME, FrameNumber};
use rand_core::RngCore;
use tokio::net::UdpSocket;
use tokio::time;

use super::station::{Counts, Place, Station};
use super::{Event, Order, Radio};
use crate::wire::UdpSink;

/// Frames made good after the base was held up; the rest is skipped.
const MAX_CATCH_UP: u32 = 5;
/// Longest datagram worth reading; longer ones are cut, and their rest ignored.
const RECEIVE_OCTETS: usize = 512;

/// A radio whose air is UDP.
pub struct VirtualAir<R> {
    station: Station,
    socket: UdpSocket,
    clock: FrameClock,
    events: VecDeque<Event>,
    rng: R,
    frame_open: bool,
}

impl<R: RngCore + Send> VirtualAir<R> {
    /// A radio on a bound socket; the frame clock starts now.
    pub fn new(socket: UdpSocket, place: Place, rng: R) -> Self {
        Self {
            station: Station::new(place),
            socket,
            clock: FrameClock::start(Instant::now()),
            events: VecDeque::with_capacity(64),
            rng,
            frame_open: false,
        }
    }

    /// What the station counted.
    pub fn counts(&self) -> Counts {
        self.station.counts()
    }

    /// Waits for a datagram or the next frame, and puts what follows from it into `events`.
    async fn step(&mut self) -> io::Result<()> {
        let mut octets = [0; RECEIVE_OCTETS];
        tokio::select! {
            biased;
            () = time::sleep_until(self.clock.next_at().into()) => {
                let now = Instant::now();
                if let Some(frame) = self.clock.tick(now) {
                    self.frame_open = true;
                    self.station.start_frame(now, frame, &mut self.events);
                }
                Ok(())
            }
            received = self.socket.recv_from(&mut octets) => {
                let (length, from) = match received {
                    Ok(received) => received,
                    // An ICMP error of an earlier datagram: that portable is gone, the air is not.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(()),
                    Err(error) => return Err(error),
                };
                let now = Instant::now();
                self.station.received(now, from, &octets[..length], &mut self.rng, &mut self.events);
                self.station.send_urgent(&mut UdpSink(&self.socket));
                Ok(())
            }
        }
    }
}

impl<R: RngCore + Send> Radio for VirtualAir<R> {
    async fn event(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.step().await?;
        }
    }

    fn order(&mut self, order: Order) {
        self.station
            .order(Instant::now(), order, &mut UdpSink(&self.socket));
    }

    fn flush(&mut self) {
        // Events of the same instant come before the frame's own: the frame goes out after the last of them.
        if self.frame_open && self.events.is_empty() {
            self.frame_open = false;
            self.station.finish_frame(&mut UdpSink(&self.socket));
        }
        self.station.send_urgent(&mut UdpSink(&self.socket));
    }
}

/// Absolute deadlines of 10 ms, so that lateness does not add up.
#[derive(Debug)]
struct FrameClock {
    next_at: Instant,
    frame: FrameNumber,
}

impl FrameClock {
    fn start(now: Instant) -> Self {
        Self {
            next_at: now + FRAME,
            frame: FrameNumber::default(),
        }
    }

    fn next_at(&self) -> Instant {
        self.next_at
    }

    /// The frame that begins, if one is due. After a hold-up the oldest missed frames are skipped.
    fn tick(&mut self, now: Instant) -> Option<FrameNumber> {
        let late = now.checked_duration_since(self.next_at)?;
        let missed = u32::try_from(late.as_nanos() / FRAME.as_nanos()).unwrap_or(u32::MAX);
        let skipped = missed.saturating_sub(MAX_CATCH_UP);
        if skipped > 0 {
            tracing::debug!(frames = skipped, "held up: frames skipped");
        }
        let frame = self.frame.plus(skipped);
        self.next_at += FRAME * skipped.saturating_add(1);
        self.frame = frame.next();
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tests::t0;

    #[test]
    fn frames_follow_absolute_deadlines() {
        let start = t0();
        let mut clock = FrameClock::start(start);
        assert_eq!(clock.tick(start), None);
        let late = start + FRAME + Duration::from_millis(3);
        assert_eq!(clock.tick(late).map(FrameNumber::value), Some(0));
        assert_eq!(clock.next_at(), start + 2 * FRAME);
        assert_eq!(clock.tick(late), None);
    }

    #[test]
    fn after_a_hold_up_five_missed_frames_are_made_good() {
        let start = t0();
        let mut clock = FrameClock::start(start);
        // Frames 0 to 20 are due; 5 missed ones and the current one go out.
        let late = start + 21 * FRAME;
        let sent: Vec<u32> = std::iter::from_fn(|| clock.tick(late))
            .map(FrameNumber::value)
            .collect();
        assert_eq!(sent, [15, 16, 17, 18, 19, 20]);
        assert_eq!(clock.next_at(), start + 22 * FRAME);
    }
}
