//! The base's side of the virtual air, without socket and clock: who listens, who has which bearer, what goes out.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_dect::mac::air::{
    AccessKind, Beacon, Body, Burst, CipherStep, Datagram, Header, MAX_OCTETS, MAX_PAGES, PageTail,
    Position, ReleaseReason,
};
use ipdect_dect::mac::propagation::{Propagation, Reception, unit};
use ipdect_dect::mac::segments::CChannel;
use ipdect_dect::mac::{ALL_PORTABLES, BEARERS, BField, FrameNumber, Pmid, T201};
use rand_core::RngCore;

use super::{BearerNumber, Event, Field, Order, SystemInfo};
use crate::wire::Sink;

/// Sockets that may listen at once; one serves all portables behind it.
const MAX_LISTENERS: usize = 1024;
/// Portables between ACCESS and its answer.
const MAX_ASKING: usize = 256;

/// Where a base stands and what lies around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Its position.
    pub position: Position,
    /// Its transmit power, dBm.
    pub power_dbm: i8,
    /// The air between.
    pub propagation: Propagation,
}

/// What the station counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Datagrams that do not parse.
    pub malformed: u64,
    /// Bursts of another address, RFPI or PMID than the bearer's.
    pub strangers: u64,
    /// Bursts that the air lost.
    pub lost: u64,
}

/// State of the virtual air at one base.
#[derive(Debug)]
pub struct Station {
    place: Place,
    info: Option<SystemInfo>,
    frame: FrameNumber,
    listeners: BTreeMap<SocketAddr, Instant>,
    asking: BTreeMap<Pmid, SocketAddr>,
    bearers: [Option<Bearer>; BEARERS as usize],
    pages: VecDeque<OnAir>,
    beacon_due: bool,
    farewells: Vec<(SocketAddr, Datagram)>,
    counts: Counts,
}

#[derive(Debug)]
struct Bearer {
    pmid: Pmid,
    address: SocketAddr,
    channel: CChannel,
    b_field: Option<BField>,
    ciphered: bool,
    last_good: Instant,
    heard_dbm: Option<i8>,
    up: bool,
}

#[derive(Debug)]
struct OnAir {
    page_id: u64,
    tail: PageTail,
    left: u32,
}

impl Station {
    /// A silent station: nothing is sent before [`Order::Broadcast`].
    pub fn new(place: Place) -> Self {
        Self {
            place,
            info: None,
            frame: FrameNumber::default(),
            listeners: BTreeMap::new(),
            asking: BTreeMap::new(),
            bearers: std::array::from_fn(|_| None),
            pages: VecDeque::new(),
            beacon_due: false,
            farewells: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Begins a frame: lets listeners, and bearers that are silent for T201, expire.
    pub fn start_frame(&mut self, now: Instant, frame: FrameNumber, events: &mut VecDeque<Event>) {
        self.frame = frame;
        self.beacon_due |= frame.starts_multiframe();
        self.listeners.retain(|_, until| *until > now);
        for bearer in 1..=BEARERS {
            let silent = self
                .bearer(bearer)
                .is_some_and(|b| now >= b.last_good + T201);
            if silent {
                self.release(bearer, ReleaseReason::Abnormal);
                events.push_back(Event::BearerLost { bearer });
            }
        }
        events.push_back(Event::FrameStarted(frame));
    }

    /// Sends the frame: a burst on each bearer, the beacon if one is due.
    pub fn finish_frame(&mut self, sink: &mut impl Sink) {
        self.say_farewells(sink);
        let Some(info) = self.info else { return };
        for bearer in 1..=BEARERS {
            self.send_burst(bearer, &info, sink);
        }
        self.send_beacon(&info, sink);
    }

    /// Sends a beacon that is due at once, for a page or a listener, without waiting for the frame.
    pub fn send_urgent(&mut self, sink: &mut impl Sink) {
        if let Some(info) = self.info {
            self.send_beacon(&info, sink);
        }
    }

    /// Carries out an order; answers to portables go to `sink` at once.
    pub fn order(&mut self, now: Instant, order: Order, sink: &mut impl Sink) {
        match order {
            Order::Broadcast(info) => self.info = Some(info),
            Order::Page {
                page_id,
                tail,
                multiframes,
            } => self.page(page_id, tail, multiframes),
            Order::CancelPage { page_id } => self.pages.retain(|p| p.page_id != page_id),
            Order::Confirm { pmid, bearer } => self.confirm(now, pmid, bearer, sink),
            Order::Wait { pmid } => self.answer(pmid, 0, Body::Wait, sink),
            Order::Refuse { pmid, reason } => {
                self.answer(pmid, 0, Body::Refuse(reason), sink);
                self.asking.remove(&pmid);
            }
            Order::Send {
                bearer,
                segment,
                b_field,
            } => {
                if let Some(bearer) = self.bearer_mut(bearer) {
                    segment.into_iter().for_each(|s| bearer.channel.push(s));
                    bearer.b_field = b_field.or(bearer.b_field);
                }
            }
            Order::Cipher { bearer } => self.confirm_cipher(bearer, sink),
            Order::Release { bearer, reason } => {
                self.release(bearer, reason);
                self.say_farewells_once(sink);
            }
        }
    }

    /// Takes in a datagram.
    pub fn received(
        &mut self,
        now: Instant,
        from: SocketAddr,
        octets: &[u8],
        rng: &mut dyn RngCore,
        events: &mut VecDeque<Event>,
    ) {
        let Ok(datagram) = Datagram::parse(octets) else {
            self.counts.malformed += 1;
            return;
        };
        if !self.is_for_us(&datagram) {
            self.counts.strangers += 1;
            return;
        }
        if let Body::Tune { seconds } = datagram.body {
            self.tuned(now, from, seconds);
            return;
        }
        let header = datagram.header;
        let rssi_dbm = self
            .place
            .propagation
            .rssi_dbm(&header, self.place.position);
        let reception = self.place.propagation.judge(rssi_dbm, unit(rng.next_u32()));
        if reception == Reception::Lost {
            self.counts.lost += 1;
            return;
        }
        match datagram.body {
            Body::Access { kind, .. } => self.accessed(header.pmid, from, kind, rssi_dbm, events),
            Body::Burst(burst) => {
                self.burst(now, from, &header, &burst, rssi_dbm, reception, events)
            }
            Body::Cipher(step) => self.cipher(from, &header, step, events),
            Body::Release(reason) => self.released(from, &header, reason, events),
            // What only bases say.
            Body::Tune { .. } | Body::Beacon(_) | Body::Confirm | Body::Wait | Body::Refuse(_) => {}
        }
    }

    /// A receiver may listen before it knows, or while it knows wrongly, who is here.
    fn is_for_us(&self, datagram: &Datagram) -> bool {
        let ours = self
            .info
            .is_some_and(|info| info.rfpi == datagram.header.rfpi);
        ours || matches!(datagram.body, Body::Tune { .. })
    }

    fn tuned(&mut self, now: Instant, from: SocketAddr, seconds: u8) {
        let known = self.listeners.contains_key(&from);
        if known || self.listeners.len() < MAX_LISTENERS {
            self.listeners
                .insert(from, now + Duration::from_secs(u64::from(seconds)));
            self.beacon_due |= !known;
        }
    }

    fn accessed(
        &mut self,
        pmid: Pmid,
        from: SocketAddr,
        kind: AccessKind,
        rssi_dbm: i8,
        events: &mut VecDeque<Event>,
    ) {
        if self.asking.len() >= MAX_ASKING && !self.asking.contains_key(&pmid) {
            self.asking.pop_first();
        }
        self.asking.insert(pmid, from);
        events.push_back(Event::Access {
            pmid,
            kind,
            rssi_dbm,
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn burst(
        &mut self,
        now: Instant,
        from: SocketAddr,
        header: &Header,
        burst: &Burst,
        rssi_dbm: i8,
        reception: Reception,
        events: &mut VecDeque<Event>,
    ) {
        let Some(state) = self.owned(from, header) else {
            return;
        };
        state.last_good = now;
        state.heard_dbm = Some(rssi_dbm);
        let bearer = header.bearer;
        if !std::mem::replace(&mut state.up, true) {
            events.push_back(Event::BearerUp { bearer });
        }
        let heard = state.channel.heard(header.frame, burst);
        if heard.taken {
            events.push_back(Event::SegmentTaken { bearer });
        }
        if let Some(segment) = heard.segment {
            events.push_back(Event::Segment { bearer, segment });
        }
        let field = match (burst.b_field, reception) {
            (None, _) => Field::Absent,
            (Some(_), Reception::BFieldBad) => Field::Bad,
            (Some(octets), _) => Field::Good(octets),
        };
        events.push_back(Event::BField {
            bearer,
            frame: header.frame,
            field,
            rssi_dbm,
        });
    }

    fn cipher(
        &mut self,
        from: SocketAddr,
        header: &Header,
        step: CipherStep,
        events: &mut VecDeque<Event>,
    ) {
        let Some(state) = self.owned(from, header) else {
            return;
        };
        match step {
            CipherStep::StartRequest => events.push_back(Event::CipherAsked {
                bearer: header.bearer,
            }),
            CipherStep::StartGrant => state.ciphered = true,
            CipherStep::StartConfirm => {}
        }
    }

    fn released(
        &mut self,
        from: SocketAddr,
        header: &Header,
        reason: ReleaseReason,
        events: &mut VecDeque<Event>,
    ) {
        if self.owned(from, header).is_some() {
            self.bearers[usize::from(header.bearer) - 1] = None;
            events.push_back(Event::Released {
                bearer: header.bearer,
                reason,
            });
        }
    }

    /// The bearer of a datagram, if its sender is who has it.
    fn owned(&mut self, from: SocketAddr, header: &Header) -> Option<&mut Bearer> {
        let index = usize::from(header.bearer).checked_sub(1)?;
        let state = self.bearers.get_mut(index)?.as_mut();
        let state = state.filter(|s| s.address == from && s.pmid == header.pmid);
        if state.is_none() {
            self.counts.strangers += 1;
        }
        state
    }

    fn bearer(&self, bearer: BearerNumber) -> Option<&Bearer> {
        self.bearers
            .get(usize::from(bearer).checked_sub(1)?)?
            .as_ref()
    }

    fn bearer_mut(&mut self, bearer: BearerNumber) -> Option<&mut Bearer> {
        self.bearers
            .get_mut(usize::from(bearer).checked_sub(1)?)?
            .as_mut()
    }

    fn page(&mut self, page_id: u64, tail: PageTail, multiframes: u32) {
        self.pages.retain(|p| p.page_id != page_id);
        self.pages.push_back(OnAir {
            page_id,
            tail,
            left: multiframes,
        });
        self.beacon_due = true;
    }

    fn confirm(&mut self, now: Instant, pmid: Pmid, bearer: BearerNumber, sink: &mut impl Sink) {
        let Some(&address) = self.asking.get(&pmid) else {
            return;
        };
        let repeated = self
            .bearer(bearer)
            .is_some_and(|b| b.pmid == pmid && b.address == address && !b.up);
        let Some(slot) = usize::from(bearer)
            .checked_sub(1)
            .and_then(|i| self.bearers.get_mut(i))
        else {
            return;
        };
        if !repeated {
            *slot = Some(Bearer {
                pmid,
                address,
                channel: CChannel::new(),
                b_field: None,
                ciphered: false,
                last_good: now,
                heard_dbm: None,
                up: false,
            });
        }
        self.answer(pmid, bearer, Body::Confirm, sink);
        self.asking.remove(&pmid);
    }

    fn answer(&mut self, pmid: Pmid, bearer: BearerNumber, body: Body, sink: &mut impl Sink) {
        if let (Some(&to), Some(info)) = (self.asking.get(&pmid), self.info) {
            send(
                sink,
                to,
                Datagram {
                    header: self.header(&info, bearer, pmid),
                    body,
                },
            );
        }
    }

    fn confirm_cipher(&mut self, bearer: BearerNumber, sink: &mut impl Sink) {
        let Some((pmid, to)) = self.bearer(bearer).map(|b| (b.pmid, b.address)) else {
            return;
        };
        if let Some(info) = self.info {
            let header = self.header(&info, bearer, pmid);
            send(
                sink,
                to,
                Datagram {
                    header,
                    body: Body::Cipher(CipherStep::StartConfirm),
                },
            );
        }
    }

    /// Frees the bearer; RELEASE goes out now and again with the next frame.
    fn release(&mut self, bearer: BearerNumber, reason: ReleaseReason) {
        let Some(index) = usize::from(bearer).checked_sub(1) else {
            return;
        };
        let Some(gone) = self.bearers.get_mut(index).and_then(Option::take) else {
            return;
        };
        if let Some(info) = self.info {
            let header = self.header(&info, bearer, gone.pmid);
            self.farewells.push((
                gone.address,
                Datagram {
                    header,
                    body: Body::Release(reason),
                },
            ));
        }
    }

    fn say_farewells_once(&self, sink: &mut impl Sink) {
        if let Some((to, datagram)) = self.farewells.last() {
            send(sink, *to, datagram.clone());
        }
    }

    fn say_farewells(&mut self, sink: &mut impl Sink) {
        for (to, datagram) in self.farewells.drain(..) {
            send(sink, to, datagram);
        }
    }

    fn header(&self, info: &SystemInfo, bearer: BearerNumber, pmid: Pmid) -> Header {
        Header {
            frame: self.frame,
            position: self.place.position,
            power_dbm: self.place.power_dbm,
            bearer,
            rfpi: info.rfpi,
            pmid,
        }
    }

    fn send_burst(&mut self, bearer: BearerNumber, info: &SystemInfo, sink: &mut impl Sink) {
        let frame = self.frame;
        let Some(state) = self.bearer_mut(bearer) else {
            return;
        };
        let burst = Burst {
            ct: state.channel.outgoing(frame),
            expected: state.channel.expected(),
            b_field: state.b_field.take(),
            ciphered: state.ciphered,
            heard_dbm: state.heard_dbm,
        };
        let (to, pmid) = (state.address, state.pmid);
        let header = self.header(info, bearer, pmid);
        send(
            sink,
            to,
            Datagram {
                header,
                body: Body::Burst(burst),
            },
        );
    }

    fn send_beacon(&mut self, info: &SystemInfo, sink: &mut impl Sink) {
        if !std::mem::take(&mut self.beacon_due) {
            return;
        }
        let beacon = Beacon {
            capabilities: info.capabilities,
            busy: info.busy,
            synchronised: info.synchronised,
            free_bearers: info.free_bearers,
            pages: self.pages.iter().take(MAX_PAGES).map(|p| p.tail).collect(),
        };
        let datagram = Datagram {
            header: self.header(info, 0, ALL_PORTABLES),
            body: Body::Beacon(beacon),
        };
        let mut octets = [0; MAX_OCTETS];
        let length = datagram.write(&mut octets);
        for to in self.listeners.keys() {
            sink.send(*to, &octets[..length]);
        }
        self.age_pages();
    }

    /// Pages that were on this beacon have one beacon less to live; those beyond its room wait.
    fn age_pages(&mut self) {
        for page in self.pages.iter_mut().take(MAX_PAGES) {
            page.left = page.left.saturating_sub(1);
        }
        self.pages.retain(|p| p.left > 0);
    }
}

fn send(sink: &mut impl Sink, to: SocketAddr, datagram: Datagram) {
    let mut octets = [0; MAX_OCTETS];
    let length = datagram.write(&mut octets);
    sink.send(to, &octets[..length]);
}

#[cfg(test)]
mod tests;
