//! The way of a packet through a session: believe, count, decode, conceal, pass on.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use super::leg::{Kind, Leg};
use super::line::Stamp;
use super::path::Outgoing;
use super::types::{Destination, Distrust, Event, LegId, Outbox, PathId};
use super::{MAX_SAMPLES, Session};
use crate::codec::StreamDecoder;
use crate::rtp::{AirMark, Arrival, Header, Packet, Reception, rtcp};
use crate::srtp::SrtpError;

/// Samples of an air frame: what is concealed and counted.
const FRAME: usize = 80;
/// Missing packets that are made up at once: 100 ms of the usual ones; after that it is silence anyway.
const MAX_GAP: u16 = 5;
/// Comfort noise (RFC 3389): says that nobody speaks.
const COMFORT_NOISE: u8 = 13;

/// Speech that was believed and is in order.
struct Speech<'a> {
    header: Header,
    air: Option<AirMark>,
    payload: &'a [u8],
    gap: Gap,
}

/// What is missing before a packet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Gap {
    packets: u32,
    /// Samples of each.
    samples: u32,
}

impl Session {
    /// Takes an RTP packet that arrived for a leg; what follows from it goes out at once.
    ///
    /// Packets that are not believed, or that nobody waits for, are counted and dropped.
    pub fn on_rtp(
        &mut self,
        now: Instant,
        leg: LegId,
        path: PathId,
        packet: &mut [u8],
        from: SocketAddr,
        out: &mut dyn Outbox,
    ) {
        let Some(at) = self.index(leg) else { return };
        let leg = &mut self.legs[at];
        let Some(length) = leg.believe(path, packet, from) else {
            return;
        };
        let Ok(parsed) = Packet::parse(&packet[..length]) else {
            return;
        };
        leg.heard(now, &mut self.events);
        let Some(arrival) = leg.count(now, path, &parsed) else {
            return;
        };
        if !leg.direction().receives() {
            return leg.skip(path);
        }
        if let Some(digit) = leg.event(&parsed) {
            let (digit, duration) = (digit.digit, digit.duration);
            self.events.push_back(Event::Dtmf {
                leg: leg.id,
                digit,
                duration,
            });
        }
        if let Some(speech) = leg.speech(path, parsed, arrival) {
            self.relay(now, at, &speech, out);
        }
    }

    /// Takes an RTCP packet that arrived for a leg.
    pub fn on_rtcp(
        &mut self,
        now: Instant,
        leg: LegId,
        path: PathId,
        packet: &mut [u8],
        from: SocketAddr,
    ) {
        let elapsed = now.saturating_duration_since(self.opened);
        let Some(at) = self.index(leg) else { return };
        let leg = &mut self.legs[at];
        if !leg.admits_rtcp(from) {
            return leg.distrust(Distrust::UnexpectedSource);
        }
        let Some(path) = leg.path_index(path) else {
            return;
        };
        let length = match &mut leg.paths[path].receiver {
            Some(receiver) => receiver.unprotect_rtcp(packet),
            None => Ok(packet.len()),
        };
        match length {
            Ok(length) => {
                let ssrc = leg.paths[path].ssrc_out;
                if let Ok(heard) = rtcp::parse(&packet[..length], ssrc) {
                    leg.paths[path].heard_report(now, elapsed, &heard);
                    leg.last_heard = now;
                    leg.silences_told = 0;
                }
            }
            Err(error) => leg.refused(error),
        }
    }

    /// Decodes speech, makes up what is missing before it, and passes all of it to whoever hears the leg.
    fn relay(&mut self, now: Instant, at: usize, speech: &Speech<'_>, out: &mut dyn Outbox) {
        let Gap { packets, samples } = speech.gap;
        for left in (1..=packets).rev() {
            let timestamp = speech.header.timestamp.wrapping_sub(left * samples);
            let (leg, samples) = (&mut self.legs[at], samples as usize);
            leg.concealer.lost(&mut self.speech[..samples]);
            leg.counts.concealed += samples.div_ceil(FRAME) as u64;
            self.pass(now, at, speech.header.ssrc, timestamp, samples, out);
        }
        let samples = self.legs[at].decode(speech, &mut self.speech);
        self.pass(
            now,
            at,
            speech.header.ssrc,
            speech.header.timestamp,
            samples,
            out,
        );
    }

    fn pass(
        &mut self,
        now: Instant,
        at: usize,
        ssrc: u32,
        timestamp: u32,
        samples: usize,
        out: &mut dyn Outbox,
    ) {
        let speaker = self.legs[at].id;
        for (from, to) in &self.junctions {
            let Some(listener) = self
                .legs
                .iter_mut()
                .find(|l| *from == speaker && l.id == *to)
            else {
                continue;
            };
            if listener.is_open() {
                let length = samples as u32;
                let stamp = listener.line.relay(now, (speaker, ssrc), timestamp, length);
                listener.say(stamp, &self.speech[..samples], out);
                listener.watch_key(&mut self.events);
            }
        }
    }
}

impl Leg {
    /// Checks source and tag of a packet; answers its length in the clear.
    fn believe(&mut self, path: PathId, packet: &mut [u8], from: SocketAddr) -> Option<usize> {
        let path = self.path_index(path)?;
        let secured = self.paths[path].receiver.is_some();
        let admitted = match &self.kind {
            // The tag says more than the address, and a base station may have several.
            Kind::Base { .. } => secured || self.rtp_destination(path) == Some(from),
            Kind::Sip { gate, .. } => gate.as_ref().is_some_and(|g| g.admits(from)),
        };
        if !admitted {
            self.distrust(Distrust::UnexpectedSource);
            return None;
        }
        let length = match &mut self.paths[path].receiver {
            Some(receiver) => receiver.unprotect(packet),
            None => Ok(packet.len()),
        };
        match length {
            Ok(length) => self
                .recognise(path, &packet[..length], from)
                .then_some(length),
            Err(error) => {
                self.refused(error);
                None
            }
        }
    }

    /// Whether a packet in the clear is of this leg at all; only such a one may set the latch.
    fn recognise(&mut self, path: usize, packet: &[u8], from: SocketAddr) -> bool {
        let Ok(header) = Header::parse(packet) else {
            return false;
        };
        let kind = header.payload_type;
        let known = self.format_in(kind).is_some() || self.is_event(kind) || kind == COMFORT_NOISE;
        let ours = match &self.paths[path].spec {
            Some(spec) => spec.ssrc_in == header.ssrc,
            None => true,
        };
        if let Kind::Sip {
            gate: Some(gate), ..
        } = &mut self.kind
            && known
        {
            gate.believed(from);
        }
        known && ours
    }

    fn admits_rtcp(&self, from: SocketAddr) -> bool {
        match &self.kind {
            Kind::Base { .. } => true,
            Kind::Sip { gate, .. } => gate.as_ref().is_some_and(|g| g.admits_rtcp(from)),
        }
    }

    fn refused(&mut self, error: SrtpError) {
        match error {
            SrtpError::Replay => self.distrust(Distrust::Replay),
            SrtpError::Auth | SrtpError::Mki => self.distrust(Distrust::AuthFailed),
            _ => {}
        }
    }

    /// Notes that the peer is there.
    fn heard(&mut self, now: Instant, events: &mut VecDeque<Event>) {
        self.last_heard = now;
        self.silences_told = 0;
        if !self.heard_once {
            self.heard_once = true;
            let after = now.saturating_duration_since(self.opened);
            events.push_back(Event::FirstPacket {
                leg: self.id,
                after,
            });
        }
    }

    /// What is not listened to leaves no gap behind.
    fn skip(&mut self, path: PathId) {
        if let Some(at) = self.path_index(path) {
            self.paths[at].expected = None;
        }
    }

    /// Counts a packet; answers its place in the sequence if it is of the path that is heard.
    fn count(&mut self, now: Instant, path: PathId, packet: &Packet<'_>) -> Option<Arrival> {
        let at = self.path_index(path)?;
        let header = &packet.header;
        let stream = &mut self.paths[at];
        stream.delivered = true;
        let arrival = match stream
            .reception
            .as_mut()
            .filter(|r| r.ssrc() == header.ssrc)
        {
            Some(reception) => reception.arrived(now, header),
            None => {
                stream.reception = Some(Reception::new(now, header));
                Arrival::First
            }
        };
        if arrival == Arrival::First {
            stream.expected = None;
        }
        let newest = self.paths.iter().rposition(|p| p.delivered);
        if newest != Some(at) {
            return None;
        }
        self.heard_path = Some(path);
        let counts = &mut self.counts;
        match arrival {
            Arrival::Duplicate => {
                counts.duplicated += 1;
                return None;
            }
            Arrival::Late => {
                counts.late += 1;
                counts.lost = counts.lost.saturating_sub(1);
            }
            Arrival::Next { missing } => counts.lost += u64::from(missing),
            Arrival::First => {}
        }
        counts.received += 1;
        counts.received_octets += packet.payload.len() as u64;
        Some(arrival)
    }

    fn event(&mut self, packet: &Packet<'_>) -> Option<crate::dtmf::Received> {
        if !self.is_event(packet.header.payload_type) {
            return None;
        }
        self.dtmf_in.packet(packet.header.timestamp, packet.payload)
    }

    /// Speech to be passed on, with the gap before it. What comes late was made up already.
    fn speech<'a>(
        &mut self,
        path: PathId,
        packet: Packet<'a>,
        arrival: Arrival,
    ) -> Option<Speech<'a>> {
        let header = packet.header;
        let format = self.format_in(header.payload_type)?;
        let missing = match arrival {
            Arrival::Next { missing } => missing,
            Arrival::First => 0,
            Arrival::Late | Arrival::Duplicate => return None,
        };
        if self.decoder.format() != format {
            self.decoder = StreamDecoder::new(format);
        }
        let samples = format.samples(packet.payload.len());
        if samples == 0 || samples > MAX_SAMPLES {
            return None;
        }
        let at = self.path_index(path)?;
        let expected = &mut self.paths[at].expected;
        let gap = expected.map_or(Gap::default(), |e| gap(e, header.timestamp, missing));
        *expected = Some((
            header.timestamp.wrapping_add(samples as u32),
            samples as u32,
        ));
        Some(Speech {
            header,
            air: packet.air,
            payload: packet.payload,
            gap,
        })
    }

    /// Decodes a packet; frames that were bad on the air are made up, and the decoder does not see them.
    fn decode(&mut self, speech: &Speech<'_>, linear: &mut [i16; MAX_SAMPLES]) -> usize {
        let mark = speech.air.filter(|m| m.first_bad || m.second_bad);
        let frame_octets = self.decoder.format().octets(FRAME);
        let mut done = 0;
        let chunk = if mark.is_some() {
            frame_octets
        } else {
            speech.payload.len()
        };
        for (n, octets) in speech.payload.chunks(chunk).enumerate() {
            let bad = match (mark, n) {
                (Some(mark), 0) => mark.first_bad,
                (Some(mark), 1) => mark.second_bad,
                _ => false,
            };
            let samples = self.decoder.format().samples(octets.len());
            let room = &mut linear[done..done + samples];
            if bad {
                self.concealer.lost(room);
                self.counts.bad_air += 1;
                self.counts.concealed += 1;
            } else {
                self.decoder.decode(octets, room);
                self.concealer.good(room);
            }
            done += samples;
        }
        let energy: u64 = linear[..done]
            .iter()
            .map(|s| i64::from(*s).pow(2) as u64)
            .sum();
        self.counts.energy += energy as f64;
        self.counts.samples += done as u64;
        done
    }

    /// Codes speech and sends it on every path.
    pub(super) fn say(&mut self, stamp: Stamp, speech: &[i16], out: &mut dyn Outbox) {
        let Some(codec) = self.codec_out() else {
            return;
        };
        let mut payload = [0; MAX_SAMPLES];
        let length = self.encoder.encode(speech, &mut payload);
        self.send(codec.payload_type, stamp, &payload[..length], out);
    }

    /// Sends a payload on every path.
    pub(super) fn send(
        &mut self,
        payload_type: u8,
        stamp: Stamp,
        payload: &[u8],
        out: &mut dyn Outbox,
    ) {
        let packet = Outgoing {
            payload_type,
            marker: stamp.marker,
            timestamp: stamp.timestamp,
            payload,
        };
        let mut sent = false;
        for at in 0..self.paths.len() {
            let Some(to) = self.rtp_destination(at) else {
                continue;
            };
            let destination = Destination {
                leg: self.id,
                rtcp: false,
                to,
            };
            sent |= self.paths[at].send(&packet, destination, out).is_ok();
        }
        if sent {
            self.counts.sent += 1;
            self.counts.sent_octets += payload.len() as u64;
        }
    }

    /// Tells once that our key nears its end.
    pub(super) fn watch_key(&mut self, events: &mut VecDeque<Event>) {
        let sender = self.paths.first().and_then(|p| p.sender.as_ref());
        let Some(sender) = sender.filter(|s| !self.expiry_told && s.expires_soon()) else {
            return;
        };
        let packets_left = sender.packets_left();
        self.expiry_told = true;
        events.push_back(Event::KeyExpiring {
            leg: self.id,
            packets_left,
        });
    }
}

/// What to make up before a packet: as many as the sequence says, but no more time than the timestamps say.
fn gap((end, samples): (u32, u32), timestamp: u32, missing: u16) -> Gap {
    let silent = timestamp.wrapping_sub(end);
    if missing == 0 || samples == 0 || silent as i32 <= 0 {
        return Gap::default();
    }
    Gap {
        packets: u32::from(missing.min(MAX_GAP)).min(silent / samples),
        samples,
    }
}
