//! Beacons, access, bursts: the MAC side of the mind.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipdect_dect::identity::{Pmid, Rfpi};
use ipdect_dect::mac::air::{AccessKind, Beacon, Body, Datagram, Header, PageTail, ReleaseReason};
use ipdect_dect::mac::propagation::{Reception, unit};
use ipdect_dect::mac::{ALL_PORTABLES, FrameNumber, N200, T200};
use ipdect_dect::nwk::{FixedPartCapabilities, Page};
use rand_core::RngCore;
use tracing::{debug, trace};

use super::{Access, Link, Portable, Want};
use crate::connection::{Connection, Told};
use crate::event::Action;
use crate::surroundings::{Heard, TUNE_SECONDS};

/// An access that is not answered is repeated after this long: N200 of them fill T200.
const ACCESS_AGAIN: Duration = Duration::from_millis(300);

impl Portable {
    pub(super) fn datagram(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        from: SocketAddr,
        octets: &[u8],
    ) {
        let Datagram { header, body } = match Datagram::parse(octets) {
            Ok(datagram) => datagram,
            Err(error) => {
                debug!(%from, %error, "datagram dropped");
                return;
            }
        };
        let beacon = matches!(body, Body::Beacon(_));
        if !beacon && self.pmid() != Some(header.pmid) {
            return;
        }
        let propagation = self.config.propagation;
        let rssi_dbm = propagation.rssi_dbm(&header, self.config.position());
        let reception = propagation.judge(rssi_dbm, unit(rng.next_u32()));
        if reception == Reception::Lost {
            return;
        }
        match body {
            Body::Beacon(beacon) => self.beacon(now, from, &header, &beacon, rssi_dbm),
            body => self.own_datagram(now, rng, from, &header, body, (reception, rssi_dbm)),
        }
    }

    fn beacon(
        &mut self,
        now: Instant,
        from: SocketAddr,
        header: &Header,
        beacon: &Beacon,
        rssi_dbm: i8,
    ) {
        let rfpi = Rfpi::from_octets(header.rfpi);
        let heard = Heard {
            at: now,
            rfpi,
            rssi_dbm,
            frame: header.frame,
            open: FixedPartCapabilities(beacon.capabilities).subscription_open(),
            busy: beacon.busy,
        };
        self.surroundings.hear(from, heard);
        let Some(memory) = &self.memory else { return };
        let ours = rfpi.ari().is_ok_and(|ari| memory.park.opens(ari));
        if !ours || matches!(self.link, Link::Up(_)) {
            return;
        }
        let (ipui, tpui) = (self.config.ipei.into(), memory.tpui);
        let called = beacon.pages.iter().any(|tail: &PageTail| {
            Page::decode(tail.octets()).is_ok_and(|page| page.calls(ipui, tpui))
        });
        if called {
            self.want(now, Want::PageResponse);
        }
    }

    /// A datagram with our PMID.
    fn own_datagram(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        from: SocketAddr,
        header: &Header,
        body: Body,
        (reception, rssi_dbm): (Reception, i8),
    ) {
        match &mut self.link {
            Link::Down => {}
            Link::Accessing(access) => {
                if access.base != from || access.heard.rfpi.octets() != header.rfpi {
                    return;
                }
                match body {
                    // A burst means that the confirmation was lost.
                    Body::Confirm | Body::Burst(_) => self.connected(now, from, header),
                    Body::Wait => access.try_at = access.give_up_at,
                    Body::Refuse(reason) => {
                        debug!(?reason, "access refused");
                        self.next_base(now, rng);
                    }
                    _ => {}
                }
            }
            Link::Up(connection) => {
                if connection.base != from || connection.rfpi.octets() != header.rfpi {
                    return;
                }
                match body {
                    Body::Burst(burst) if connection.bearer == header.bearer => {
                        if let Some(down) =
                            connection.burst(now, header, &burst, reception, rssi_dbm)
                        {
                            self.down(now, rng, down);
                        }
                    }
                    Body::Release(reason) => {
                        trace!(?reason, "released by the base station");
                        self.connection_gone(now);
                    }
                    _ => {}
                }
            }
        }
    }

    fn down(&mut self, now: Instant, rng: &mut dyn RngCore, down: crate::connection::Down) {
        if self.listening {
            self.ear.miss(down.missing);
            self.ear.hear(down.b_field.as_ref());
        }
        if let Some(frame) = down.answer {
            self.answer_frame(frame);
        }
        self.told(now, Some(rng), down.told);
    }

    /// Deals with what the link told. Without random source only its failure can have been told.
    fn told(&mut self, now: Instant, mut rng: Option<&mut dyn RngCore>, told: Vec<Told>) {
        for told in told {
            match (told, rng.as_mut()) {
                (Told::Message(octets), Some(rng)) => self.message(now, &mut **rng, &octets),
                (Told::Message(_), None) => {}
                (Told::Failed, _) => self.link_failed(now),
            }
        }
    }

    fn answer_frame(&mut self, frame: FrameNumber) {
        let Link::Up(connection) = &mut self.link else {
            return;
        };
        let talking = self.call_state == crate::CallState::Connected;
        let b_field = self.listening.then(|| self.mouth.next(talking));
        let burst = connection.uplink(frame, b_field);
        let (to, rfpi, pmid, bearer) = (
            connection.base,
            connection.rfpi,
            connection.pmid,
            connection.bearer,
        );
        self.emit(to, frame, rfpi, pmid, bearer, Body::Burst(burst));
    }

    pub(super) fn pass_link_time(&mut self, now: Instant) {
        if let Link::Up(connection) = &mut self.link {
            let told = connection.deadline(now);
            self.told(now, None, told);
        }
        while let Link::Up(connection) = &mut self.link {
            match connection.tick(now) {
                Some(frame) => self.answer_frame(frame),
                None => break,
            }
        }
    }

    /// Gives up the connection and tells the base station that something is wrong.
    pub(super) fn link_failed(&mut self, now: Instant) {
        self.send_release(ReleaseReason::Abnormal);
        self.connection_gone(now);
    }

    /// Ends an idle connection.
    pub(crate) fn release_link(&mut self) {
        self.send_release(ReleaseReason::Normal);
        self.link = Link::Down;
        self.release_at = None;
    }

    fn send_release(&mut self, reason: ReleaseReason) {
        let Link::Up(connection) = &self.link else {
            return;
        };
        let (to, rfpi, pmid, bearer) = (
            connection.base,
            connection.rfpi,
            connection.pmid,
            connection.bearer,
        );
        let frame = connection.frame();
        // Nobody acknowledges a release, so it goes twice.
        for _ in 0..2 {
            self.emit(to, frame, rfpi, pmid, bearer, Body::Release(reason));
        }
    }

    pub(super) fn tune(&mut self, now: Instant) {
        let nobody = Rfpi::from_octets([0; 5]);
        for to in self.surroundings.tune(now) {
            let body = Body::Tune {
                seconds: TUNE_SECONDS,
            };
            self.emit(to, FrameNumber::new(0), nobody, ALL_PORTABLES, 0, body);
        }
    }

    /// Begins a set-up at the strongest base station that serves what is wanted; without one, what cannot wait fails.
    pub(super) fn begin_access(&mut self, now: Instant, rng: &mut dyn RngCore) {
        let subscribing = self.wants.first() == Some(&Want::Subscribe);
        let park = match subscribing {
            true => self.mobility.wanted_park(),
            false => self.memory.as_ref().map(|memory| memory.park),
        };
        let mut candidates = self.surroundings.candidates(now, park);
        candidates.retain(|(_, heard)| heard.open || !subscribing);
        if candidates.is_empty() {
            return self.nobody_heard();
        }
        self.access_first_of(now, rng, candidates);
    }

    fn access_first_of(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        mut candidates: Vec<(SocketAddr, Heard)>,
    ) {
        let (base, heard) = candidates.remove(0);
        self.link = Link::Accessing(Access {
            others: candidates,
            base,
            heard,
            pmid: self.new_pmid(rng),
            attempt: 0,
            try_at: now,
            give_up_at: now + T200,
        });
    }

    fn new_pmid(&self, rng: &mut dyn RngCore) -> Pmid {
        match self.memory.as_ref().and_then(|memory| memory.tpui) {
            Some(tpui) => Pmid::assigned(tpui),
            None => Pmid::default_random(rng),
        }
    }

    /// Sends or repeats the access request when it is time, or goes on to the next base station.
    pub(super) fn try_access(&mut self, now: Instant, rng: &mut dyn RngCore) {
        let Link::Accessing(access) = &mut self.link else {
            return;
        };
        if now >= access.give_up_at || (access.attempt == N200 && now >= access.try_at) {
            return self.next_base(now, rng);
        }
        if now < access.try_at {
            return;
        }
        access.attempt += 1;
        access.try_at = now + ACCESS_AGAIN;
        let body = Body::Access {
            kind: AccessKind::Access,
            attempt: access.attempt,
        };
        let (to, frame, rfpi, pmid) = (
            access.base,
            access.heard.frame,
            access.heard.rfpi,
            access.pmid,
        );
        self.emit(to, frame, rfpi, pmid, 0, body);
    }

    fn next_base(&mut self, now: Instant, rng: &mut dyn RngCore) {
        let Link::Accessing(access) = &mut self.link else {
            return;
        };
        let others = std::mem::take(&mut access.others);
        if others.is_empty() {
            self.link = Link::Down;
            self.access_failed(now);
        } else {
            self.access_first_of(now, rng, others);
            self.try_access(now, rng);
        }
    }

    fn connected(&mut self, now: Instant, from: SocketAddr, header: &Header) {
        self.link = Link::Up(Box::new(Connection::new(now, from, header)));
        for want in std::mem::take(&mut self.wants) {
            self.begin(now, want);
        }
    }

    fn emit(
        &mut self,
        to: SocketAddr,
        frame: FrameNumber,
        rfpi: Rfpi,
        pmid: Pmid,
        bearer: u8,
        body: Body,
    ) {
        let header = Header {
            frame,
            position: self.config.position(),
            power_dbm: self.config.tx_power_dbm,
            bearer,
            rfpi: rfpi.octets(),
            pmid,
        };
        let octets = Datagram { header, body }.to_vec();
        self.actions.push(Action::Send { to, octets });
    }
}
