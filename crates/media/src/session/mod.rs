//! The mind of a media session: one base leg and SIP legs, who hears whom, and what is played meanwhile.
//!
//! Packets go in with the leg they belong to and come out in buffers that the caller lends ([`Outbox`]). Nothing is
//! buffered for time: a packet is transcoded and sent on as it comes, what is missing before it is made up and sent
//! just ahead of it, and timestamps keep their distances. The playout buffer is in the base station.

mod flow;
mod leg;
mod line;
mod pace;
mod path;
mod source;
mod types;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rand_core::RngCore;
use smallvec::SmallVec;

use leg::{Kind, Leg};
use path::Path;
use source::Gate;
pub use types::{
    Codec, Destination, Direction, Distrust, Event, JunctionDirection, KeyIn, KeyOut, LegId,
    LegStats, MAX_PACKET, OrderError, Outbox, PathId, PathSpec, SipLocal, SipRemote, SourceRule,
};

use crate::codec::StreamEncoder;
use crate::dtmf::Digit;
use crate::srtp::{Receiver, Sender};
use crate::tones::{Player, Region, Tone};

/// Legs that a session may have: a base leg, and three SIP calls of which one is in front.
const MAX_LEGS: usize = 8;
/// Samples of the longest packet taken: 160 ms.
const MAX_SAMPLES: usize = 1280;
/// Connections whose digits are told apart; handover makes one now and then.
const MAX_CAUSES: usize = 32;

/// A media session.
pub struct Session {
    opened: Instant,
    cname: Vec<u8>,
    legs: SmallVec<[Leg; 2]>,
    /// Speaker and listener.
    junctions: SmallVec<[(LegId, LegId); 4]>,
    events: VecDeque<Event>,
    /// Highest sequence number by connection of the digits sent.
    causes: BTreeMap<u64, u64>,
    speech: Box<[i16; MAX_SAMPLES]>,
    tick_at: Option<Instant>,
    house_at: Instant,
    houses: u64,
}

/// A description of one leg as it stands, for the inventory.
#[derive(Debug, Clone, Copy)]
pub struct LegView<'a> {
    /// The leg.
    pub id: LegId,
    /// SIP legs: our side.
    pub local: Option<&'a SipLocal>,
    /// SIP legs: the peer's side, once known.
    pub remote: Option<&'a SipRemote>,
    /// Tone being played.
    pub tone: Option<Tone>,
}

impl Session {
    /// A session without legs. `cname` is what its RTCP calls us (RFC 7022 wants it random).
    #[must_use]
    pub fn new(now: Instant, cname: &[u8]) -> Session {
        Session {
            opened: now,
            cname: cname[..cname.len().min(64)].to_vec(),
            legs: SmallVec::new(),
            junctions: SmallVec::new(),
            events: VecDeque::with_capacity(16),
            causes: BTreeMap::new(),
            speech: Box::new([0; MAX_SAMPLES]),
            tick_at: None,
            house_at: now + pace::HOUSE,
            houses: 0,
        }
    }

    /// Opens a base leg with its first path. Repeating it is harmless.
    ///
    /// # Errors
    /// [`OrderError::Conflict`] if the leg exists with other content; [`OrderError::Invalid`] for too many legs.
    pub fn open_base(
        &mut self,
        now: Instant,
        leg: LegId,
        codec: Codec,
        path: PathId,
        spec: PathSpec,
        rng: &mut dyn RngCore,
    ) -> Result<(), OrderError> {
        if let Some(at) = self.index(leg) {
            let there = &self.legs[at];
            let first = there
                .path_index(path)
                .and_then(|p| there.paths[p].spec.as_ref());
            let same = matches!(&there.kind, Kind::Base { codec: c } if *c == codec);
            return if same && first == Some(&spec) {
                Ok(())
            } else {
                Err(OrderError::Conflict)
            };
        }
        let mut new = Leg::new(now, leg, Kind::Base { codec }, codec.format);
        new.paths.push(base_path(path, spec, rng)?);
        self.add(new)
    }

    /// Opens a SIP leg with our side of its description. Repeating it is harmless.
    ///
    /// # Errors
    /// [`OrderError::Conflict`] if the leg exists with other content; [`OrderError::Invalid`] without a codec, or for too
    /// many legs.
    pub fn open_sip(
        &mut self,
        now: Instant,
        leg: LegId,
        local: SipLocal,
        rng: &mut dyn RngCore,
    ) -> Result<(), OrderError> {
        if let Some(at) = self.index(leg) {
            let kind = &self.legs[at].kind;
            let same = matches!(kind, Kind::Sip { local: l, .. } if **l == local);
            return if same {
                Ok(())
            } else {
                Err(OrderError::Conflict)
            };
        }
        let first = local
            .codecs
            .first()
            .ok_or(OrderError::Invalid("no codec that we speak"))?;
        let format = first.format;
        let mut path = Path::new(0, rng.next_u32(), rng);
        if let Some(key) = &local.key {
            let sender = Sender::new(&key.material, key.mki.clone(), key.lifetime);
            path.sender = Some(sender.map_err(|_| OrderError::Invalid("SRTP key"))?);
        }
        let kind = Kind::Sip {
            local: Box::new(local),
            remote: None,
            gate: None,
        };
        let mut new = Leg::new(now, leg, kind, format);
        new.paths.push(path);
        self.add(new)
    }

    /// Takes what the peer's SDP says about a SIP leg. The same again changes nothing: no latch, no replay window.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`]; [`OrderError::Invalid`] for a base leg, without a common codec, or for a peer's key
    /// where we have none.
    pub fn modify_sip(&mut self, leg: LegId, new: SipRemote) -> Result<(), OrderError> {
        let at = self.index(leg).ok_or(OrderError::UnknownLeg)?;
        let leg = &mut self.legs[at];
        let Kind::Sip {
            local,
            remote,
            gate,
        } = &mut leg.kind
        else {
            return Err(OrderError::Invalid("not a SIP leg"));
        };
        if remote.as_deref() == Some(&new) {
            return Ok(());
        }
        let first = new
            .codecs
            .first()
            .ok_or(OrderError::Invalid("no codec in common"))?;
        if new.key.is_some() && local.key.is_none() {
            return Err(OrderError::Invalid("SRTP needs a key of ours"));
        }
        let path = leg.paths.first_mut().ok_or(OrderError::UnknownPath)?;
        let before = remote.as_ref().and_then(|r| r.key.as_ref());
        if new.key.as_ref() != before {
            path.receiver = match &new.key {
                Some(key) => Some(
                    Receiver::new(&key.material, key.mki.clone())
                        .map_err(|_| OrderError::Invalid("SRTP key"))?,
                ),
                None => None,
            };
        }
        // A peer that answers without a key gets plain RTP; the context stays, for its indices must not come again.
        path.protects = new.key.is_some();
        if leg.encoder.format() != first.format {
            leg.encoder = StreamEncoder::new(first.format);
        }
        *gate = Some(match gate {
            Some(gate) => gate.renewed(new.source, new.rtp),
            None => Gate::new(new.source, new.rtp),
        });
        *remote = Some(Box::new(new));
        Ok(())
    }

    /// Adds a path to a base leg. Repeating it is harmless.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`], [`OrderError::Conflict`], [`OrderError::Invalid`] for a SIP leg.
    pub fn add_path(
        &mut self,
        leg: LegId,
        path: PathId,
        spec: PathSpec,
        rng: &mut dyn RngCore,
    ) -> Result<(), OrderError> {
        let at = self.index(leg).ok_or(OrderError::UnknownLeg)?;
        let leg = &mut self.legs[at];
        if !leg.is_base() {
            return Err(OrderError::Invalid("not a base leg"));
        }
        if let Some(there) = leg.path_index(path) {
            let same = leg.paths[there].spec.as_ref() == Some(&spec);
            return if same {
                Ok(())
            } else {
                Err(OrderError::Conflict)
            };
        }
        if leg.paths.len() >= 4 {
            return Err(OrderError::Invalid("too many paths"));
        }
        leg.paths.push(base_path(path, spec, rng)?);
        Ok(())
    }

    /// Drops a path of a base leg; one that is gone already counts as dropped.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`]; [`OrderError::Invalid`] for a SIP leg.
    pub fn drop_path(&mut self, leg: LegId, path: PathId) -> Result<(), OrderError> {
        let at = self.index(leg).ok_or(OrderError::UnknownLeg)?;
        let leg = &mut self.legs[at];
        if !leg.is_base() {
            return Err(OrderError::Invalid("not a base leg"));
        }
        if let Some(there) = leg.path_index(path) {
            leg.paths.remove(there);
        }
        if leg.heard_path == Some(path) {
            leg.heard_path = None;
        }
        Ok(())
    }

    /// Lets legs hear each other.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`]; [`OrderError::Invalid`] for a leg with itself.
    pub fn connect(
        &mut self,
        now: Instant,
        a: LegId,
        b: LegId,
        direction: JunctionDirection,
    ) -> Result<(), OrderError> {
        if a == b {
            return Err(OrderError::Invalid("a leg does not hear itself"));
        }
        for leg in [a, b] {
            let at = self.index(leg).ok_or(OrderError::UnknownLeg)?;
            // Silence counts from here: before, nobody had to speak.
            if !self.is_connected(leg) {
                self.legs[at].last_heard = now;
            }
        }
        for pair in pairs(a, b, direction) {
            if !self.junctions.contains(&pair) {
                self.junctions.push(pair);
            }
        }
        Ok(())
    }

    /// Parts legs.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`].
    pub fn disconnect(
        &mut self,
        a: LegId,
        b: LegId,
        direction: JunctionDirection,
    ) -> Result<(), OrderError> {
        for leg in [a, b] {
            self.index(leg).ok_or(OrderError::UnknownLeg)?;
        }
        let cut = pairs(a, b, direction);
        self.junctions.retain(|pair| !cut.contains(pair));
        Ok(())
    }

    /// Plays a tone towards a leg, instead of what is connected. The tone that plays already goes on.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`].
    pub fn play_tone(
        &mut self,
        now: Instant,
        leg: LegId,
        tone: Tone,
        region: Region,
        level_dbm0: f64,
    ) -> Result<(), OrderError> {
        let at = self.index(leg).ok_or(OrderError::UnknownLeg)?;
        let playing = self.legs[at]
            .tone
            .as_ref()
            .is_some_and(|t| t.tone() == tone);
        if !playing {
            self.legs[at].tone = Some(Player::new(tone, region, level_dbm0));
            self.tick_at.get_or_insert(now);
        }
        Ok(())
    }

    /// Stops the tone towards a leg.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`].
    pub fn stop_tone(&mut self, leg: LegId) -> Result<(), OrderError> {
        let at = self.index(leg).ok_or(OrderError::UnknownLeg)?;
        self.legs[at].tone = None;
        Ok(())
    }

    /// Sends digits towards a leg: as events, or as tones where the peer takes no events.
    ///
    /// `cause` is connection and sequence number of the key press; a cause not newer than one done already is done.
    ///
    /// # Errors
    /// [`OrderError::UnknownLeg`]; [`OrderError::Invalid`] for what is no digit, or too many; then none is sent.
    pub fn send_dtmf(
        &mut self,
        now: Instant,
        leg: LegId,
        digits: &str,
        duration: Duration,
        gap: Duration,
        cause: (u64, u64),
    ) -> Result<(), OrderError> {
        let at = self.index(leg).ok_or(OrderError::UnknownLeg)?;
        let digits: Option<SmallVec<[Digit; 32]>> = digits.chars().map(Digit::new).collect();
        let digits = digits.ok_or(OrderError::Invalid("not a digit"))?;
        if self
            .causes
            .get(&cause.0)
            .is_some_and(|done| cause.1 <= *done)
        {
            return Ok(());
        }
        if digits.len() > self.legs[at].dtmf_out.room() {
            return Err(OrderError::Invalid("too many digits"));
        }
        if self.causes.len() >= MAX_CAUSES {
            // Connection ids rise: the first is the oldest.
            self.causes.pop_first();
        }
        self.causes.insert(cause.0, cause.1);
        for digit in digits {
            self.legs[at].dtmf_out.push(digit, duration, gap);
        }
        self.tick_at.get_or_insert(now);
        Ok(())
    }

    /// Closes a leg, says goodbye to its peer, and answers with the figures of its life; `None` if it is gone already.
    pub fn close_leg(
        &mut self,
        now: Instant,
        leg: LegId,
        out: &mut dyn Outbox,
    ) -> Option<LegStats> {
        let at = self.index(leg)?;
        self.report(now, at, true, out);
        let closed = self.legs.remove(at);
        self.junctions.retain(|(a, b)| *a != leg && *b != leg);
        Some(closed.life(now))
    }

    /// Packets of a leg that the receive queue dropped: they count as lost.
    pub fn overflowed(&mut self, leg: LegId, packets: u64) {
        if let Some(at) = self.index(leg) {
            self.legs[at].counts.overflows += packets;
            self.legs[at].counts.lost += packets;
        }
    }

    /// The next thing that the owner should know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Ids of the legs.
    pub fn leg_ids(&self) -> impl Iterator<Item = LegId> {
        self.legs.iter().map(|l| l.id)
    }

    /// The legs as they stand.
    pub fn legs(&self) -> impl Iterator<Item = LegView<'_>> {
        self.legs.iter().map(|leg| {
            let (local, remote) = match &leg.kind {
                Kind::Base { .. } => (None, None),
                Kind::Sip { local, remote, .. } => (Some(&**local), remote.as_deref()),
            };
            LegView {
                id: leg.id,
                local,
                remote,
                tone: leg.tone.as_ref().map(Player::tone),
            }
        })
    }

    /// Paths of a base leg, in the order in which they were added.
    pub fn paths(&self, leg: LegId) -> impl Iterator<Item = (PathId, &PathSpec)> {
        let paths = self
            .legs
            .iter()
            .filter(move |l| l.id == leg)
            .flat_map(|l| &l.paths);
        paths.filter_map(|p| p.spec.as_ref().map(|spec| (p.id, spec)))
    }

    /// Who hears whom: speaker and listener.
    #[must_use]
    pub fn junctions(&self) -> &[(LegId, LegId)] {
        &self.junctions
    }

    fn add(&mut self, leg: Leg) -> Result<(), OrderError> {
        if self.legs.len() >= MAX_LEGS {
            return Err(OrderError::Invalid("too many legs"));
        }
        self.legs.push(leg);
        Ok(())
    }

    fn index(&self, leg: LegId) -> Option<usize> {
        self.legs.iter().position(|l| l.id == leg)
    }

    fn is_connected(&self, leg: LegId) -> bool {
        self.junctions.iter().any(|(a, b)| *a == leg || *b == leg)
    }
}

fn base_path(id: PathId, spec: PathSpec, rng: &mut dyn RngCore) -> Result<Path, OrderError> {
    let mut path = Path::new(id, spec.ssrc_out, rng);
    if let Some((key_out, key_in)) = &spec.keys {
        let invalid = |_| OrderError::Invalid("SRTP key");
        path.sender = Some(Sender::new(key_out, Default::default(), 0).map_err(invalid)?);
        path.receiver = Some(Receiver::new(key_in, Default::default()).map_err(invalid)?);
        path.protects = true;
    }
    path.spec = Some(spec);
    Ok(path)
}

fn pairs(a: LegId, b: LegId, direction: JunctionDirection) -> SmallVec<[(LegId, LegId); 2]> {
    match direction {
        JunctionDirection::Both => SmallVec::from_slice(&[(a, b), (b, a)]),
        JunctionDirection::AToB => SmallVec::from_slice(&[(a, b)]),
        JunctionDirection::BToA => SmallVec::from_slice(&[(b, a)]),
    }
}

#[cfg(test)]
mod tests;
