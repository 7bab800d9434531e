//! What a session does by the clock: tones, digits, reports, figures, silence.

use std::time::{Duration, Instant};

use super::types::{Destination, Distrust, Event, Outbox};
use super::{Leg, Session};
use crate::dtmf::Turn;
use crate::tones::Oscillator;

/// Distance of two packets of our own.
const TICK: Duration = Duration::from_millis(20);
/// Samples of one.
const TICK_SAMPLES: usize = 160;
/// Packets made up for when the clock was held up; more would be a burst.
const MAX_BEHIND: Duration = Duration::from_millis(100);
/// Distance of two looks at silence and distrust.
pub(super) const HOUSE: Duration = Duration::from_secs(1);
/// Looks between two reports and two sets of figures (RFC 3550 section 6.2).
const REPORT_EVERY: u64 = 5;
/// Silence that is told, and told again.
const SILENCE: Duration = Duration::from_secs(10);
/// Silence of both sides that ends a session.
const ABANDONED: Duration = Duration::from_secs(60);

/// Level of each of the two tones of a digit in the speech band (ITU-T Q.23, as terminals send it).
const IN_BAND_DBM0: f64 = -9.0;

impl Session {
    /// When [`Session::on_deadline`] is next due.
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        self.tick_at
            .map_or(self.house_at, |at| at.min(self.house_at))
    }

    /// Does what is due by the clock.
    pub fn on_deadline(&mut self, now: Instant, out: &mut dyn Outbox) {
        while let Some(at) = self.tick_at.filter(|at| *at <= now) {
            let at = if now - at > MAX_BEHIND { now } else { at };
            let busy = self.tick(at, out);
            self.tick_at = busy.then_some(at + TICK);
        }
        while self.house_at <= now {
            self.house_at += HOUSE;
            self.houses += 1;
            self.keep_house(now, out);
            if now.saturating_duration_since(self.house_at) > ABANDONED {
                self.house_at = now + HOUSE;
            }
        }
    }

    /// One turn of tones and digits; answers whether there is another.
    fn tick(&mut self, now: Instant, out: &mut dyn Outbox) -> bool {
        for leg in &mut self.legs {
            if leg.dtmf_out.is_busy() {
                leg.dial(now, out);
            } else if leg.tone.is_some() {
                leg.play(now, out);
            }
        }
        self.legs
            .iter()
            .any(|l| l.tone.is_some() || l.dtmf_out.is_busy())
    }

    fn keep_house(&mut self, now: Instant, out: &mut dyn Outbox) {
        let reporting = self.houses.is_multiple_of(REPORT_EVERY);
        for at in 0..self.legs.len() {
            self.tell_distrust(at);
            self.tell_silence(now, at);
            if reporting {
                self.report(now, at, false, out);
                let leg = &mut self.legs[at];
                let event = Event::Stats {
                    leg: leg.id,
                    stats: leg.window(now),
                };
                self.events.push_back(event);
            }
        }
        if self.is_abandoned(now) {
            self.events.push_back(Event::Abandoned);
        }
    }

    fn tell_distrust(&mut self, at: usize) {
        let leg = &mut self.legs[at];
        let counts = std::mem::take(&mut leg.distrust);
        let kinds = [
            Distrust::AuthFailed,
            Distrust::Replay,
            Distrust::UnexpectedSource,
        ];
        for (kind, count) in kinds
            .into_iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
        {
            self.events.push_back(Event::Security {
                leg: leg.id,
                kind,
                count,
            });
        }
    }

    /// A leg that nobody waits to hear may be silent.
    fn tell_silence(&mut self, now: Instant, at: usize) {
        let heard_by_someone = self
            .junctions
            .iter()
            .any(|(from, _)| *from == self.legs[at].id);
        let leg = &mut self.legs[at];
        if !heard_by_someone || !leg.direction().receives() {
            return;
        }
        let lasting = now.saturating_duration_since(leg.last_heard);
        if lasting >= SILENCE * (leg.silences_told + 1) {
            leg.silences_told = (lasting.as_secs() / SILENCE.as_secs()) as u32;
            self.events.push_back(Event::Silent {
                leg: leg.id,
                lasting,
            });
        }
    }

    /// Two legs were connected, and neither has been heard for a minute.
    fn is_abandoned(&self, now: Instant) -> bool {
        let connected = || self.legs.iter().filter(|l| self.is_connected(l.id));
        connected().count() >= 2
            && connected().all(|l| now.saturating_duration_since(l.last_heard) >= ABANDONED)
    }

    /// Sends a report on each path of a leg.
    pub(super) fn report(&mut self, now: Instant, at: usize, bye: bool, out: &mut dyn Outbox) {
        let elapsed = now.saturating_duration_since(self.opened);
        let leg = &mut self.legs[at];
        let clock = leg.line.clock(now);
        for path in 0..leg.paths.len() {
            let Some((to, rtcp)) = leg.rtcp_destination(path) else {
                continue;
            };
            let destination = Destination {
                leg: leg.id,
                rtcp,
                to,
            };
            let moment = super::path::Moment {
                now,
                elapsed,
                clock,
            };
            // A report that could not be protected is left out; the next one is due in 5 s.
            let _ = leg.paths[path].report(moment, &self.cname, bye, destination, out);
        }
    }
}

impl Leg {
    /// The next 20 ms of the tone.
    fn play(&mut self, now: Instant, out: &mut dyn Outbox) {
        let mut samples = [0; TICK_SAMPLES];
        if let Some(tone) = &mut self.tone {
            tone.fill(&mut samples);
        }
        if self.direction().sends() {
            let stamp = self.line.own(now, TICK_SAMPLES as u32);
            self.say(stamp, &samples, out);
        }
    }

    /// The next 20 ms of the digits.
    fn dial(&mut self, now: Instant, out: &mut dyn Outbox) {
        let Turn::Event {
            digit,
            first,
            payload,
        } = self.dtmf_out.turn()
        else {
            return;
        };
        let mut stamp = self.line.own(now, TICK_SAMPLES as u32);
        if !self.direction().sends() {
            return;
        }
        if let Some(payload_type) = self.event_type_out() {
            if first {
                self.event_timestamp = stamp.timestamp;
            }
            stamp.timestamp = self.event_timestamp;
            stamp.marker = first;
            return self.send(payload_type, stamp, &payload, out);
        }
        // The peer takes no events: it gets the tones, for as long as the event is not over.
        let mut samples = [0; TICK_SAMPLES];
        let (low, high) = digit.frequencies();
        let passed = usize::from(u16::from_be_bytes([payload[2], payload[3]])) - TICK_SAMPLES;
        for hz in [low, high] {
            Oscillator::starting(hz, IN_BAND_DBM0, passed).add(&mut samples);
        }
        if payload[1] & 0x80 != 0 && self.dtmf_out.is_repeating() {
            samples.fill(0);
        }
        self.say(stamp, &samples, out);
    }
}
