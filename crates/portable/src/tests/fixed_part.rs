//! A fixed part for tests: one base station, and a mind for each handset made of the fixed side machines of `ipdect-dect`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ipdect_dect::dlc::{Lapc, Output, Side};
use ipdect_dect::identity::{Ari, Ipei, Ipui, Pmid, Rfpi, Rpn, Tpui};
use ipdect_dect::mac::air::{
    Beacon, Body, Burst, Datagram, Header, PageTail, Position, ReleaseReason as MacRelease,
};
use ipdect_dect::mac::propagation::{Propagation, Reception, unit};
use ipdect_dect::mac::segments::CChannel;
use ipdect_dect::mac::{ALL_PORTABLES, BField, FRAME, FrameNumber};
use ipdect_dect::nwk::cc::{FixedAction, FixedCall, FixedEvent, Order};
use ipdect_dect::nwk::ie::{
    BasicService, FixedIdentity, PortableIdentity, ProgressIndicator, RejectReason, ReleaseReason,
    Signal,
};
use ipdect_dect::nwk::mm::{
    FixedLocation, FixedSubscription, Grant, LocationAction, Offer, SubscriptionAction,
};
use ipdect_dect::nwk::{FixedPartCapabilities, Ie, Kind, Lce, LceHeader, Message, Mm, Page, lce};
use ipdect_dect::security::Key;
use ipdect_dect::{display, display::Size};
use rand_core::RngCore;

use crate::speech::{Ear, Mouth, Source};

/// Frames without a burst up after which a bearer is forgotten.
const T201_FRAMES: u32 = 500;

/// One bearer of the base station.
struct Bearer {
    pmid: Pmid,
    channel: CChannel,
    lapc: Lapc,
    ipei: Option<Ipei>,
    speech: bool,
    /// Frames since the last burst up.
    silent: u32,
}

/// What the system knows of one handset.
struct Handset {
    uak: Option<Key>,
    tpui: Tpui,
    located: bool,
    call: FixedCall,
    paging: lce::Paging,
    mouth: Mouth,
    ear: Ear,
    heard: Vec<i16>,
}

pub(crate) struct FixedPart {
    pub(crate) rfpi: Rfpi,
    pub(crate) open: bool,
    pub(crate) code: &'static str,
    pub(crate) confirms: bool,
    /// Digits that complete a number.
    pub(crate) digits: usize,
    pub(crate) propagation: Propagation,
    frame: FrameNumber,
    next_frame: Instant,
    bearers: BTreeMap<u8, Bearer>,
    handsets: BTreeMap<Ipei, Handset>,
    subscribing: BTreeMap<Ipei, FixedSubscription>,
    locating: BTreeMap<Ipei, FixedLocation>,
    pages: Vec<(Vec<u8>, u32)>,
    /// What happened, in order.
    pub(crate) log: Vec<String>,
    pub(crate) typed: Vec<u8>,
    out: Vec<Vec<u8>>,
}

impl FixedPart {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            rfpi: Rfpi::new(Ari::class_b(0x1002, 0x345).unwrap(), Rpn(0)),
            open: true,
            code: "1234",
            confirms: true,
            digits: 4,
            propagation: Propagation::default(),
            frame: FrameNumber::new(0),
            next_frame: now + FRAME,
            bearers: BTreeMap::new(),
            handsets: BTreeMap::new(),
            subscribing: BTreeMap::new(),
            locating: BTreeMap::new(),
            pages: Vec::new(),
            log: Vec::new(),
            typed: Vec::new(),
            out: Vec::new(),
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.next_frame
    }

    pub(crate) fn ari(&self) -> Ari {
        self.rfpi.ari().unwrap()
    }

    /// Bearers in use.
    pub(crate) fn busy(&self) -> usize {
        self.bearers.len()
    }

    /// Samples heard from a handset since the last time.
    pub(crate) fn heard(&mut self, ipei: Ipei) -> Vec<i16> {
        std::mem::take(&mut self.handsets.get_mut(&ipei).unwrap().heard)
    }

    pub(crate) fn say(&mut self, ipei: Ipei, source: Source) {
        self.handsets.get_mut(&ipei).unwrap().mouth.set(source);
    }

    /// Datagrams to be sent down.
    pub(crate) fn take_out(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.out)
    }

    fn emit(&mut self, pmid: Pmid, bearer: u8, body: Body) {
        let header = Header {
            frame: self.frame,
            position: Position::default(),
            power_dbm: 24,
            bearer,
            rfpi: self.rfpi.octets(),
            pmid,
        };
        self.out.push(Datagram { header, body }.to_vec());
    }

    /// One frame: bursts on all bearers, a beacon each multiframe, timers.
    pub(crate) fn tick(&mut self, now: Instant, rng: &mut dyn RngCore) {
        self.next_frame += FRAME;
        self.frame = self.frame.next();
        if self.frame.starts_multiframe() {
            self.beacon();
        }
        let numbers: Vec<u8> = self.bearers.keys().copied().collect();
        for number in numbers {
            self.burst(number);
            let bearer = self.bearers.get_mut(&number).unwrap();
            bearer.silent += 1;
            let outputs = bearer.lapc.deadline(now);
            if bearer.silent > T201_FRAMES {
                self.bearers.remove(&number);
                self.log.push("bearer lost".into());
            } else {
                self.outputs(now, rng, number, outputs);
            }
        }
        self.timers(now);
    }

    fn timers(&mut self, now: Instant) {
        let all: Vec<Ipei> = self.handsets.keys().copied().collect();
        for ipei in all {
            let handset = self.handsets.get_mut(&ipei).unwrap();
            let pages = handset.paging.handle(now, lce::Event::Deadline);
            let calls = handset.call.handle(now, FixedEvent::Deadline);
            self.paging(now, ipei, pages);
            self.call_actions(now, ipei, calls);
        }
    }

    fn beacon(&mut self) {
        let pages = self.pages.iter().map(|(octets, _)| match octets.len() {
            3 => PageTail::Short(octets[..].try_into().unwrap()),
            _ => PageTail::Full(octets[..].try_into().unwrap()),
        });
        let beacon = Beacon {
            capabilities: FixedPartCapabilities::ours(self.open).0,
            busy: false,
            synchronised: true,
            free_bearers: 12 - self.bearers.len() as u8,
            pages: pages.collect(),
        };
        for page in &mut self.pages {
            page.1 -= 1;
        }
        self.pages.retain(|page| page.1 > 0);
        self.emit(ALL_PORTABLES, 0, Body::Beacon(beacon));
    }

    fn burst(&mut self, number: u8) {
        let frame = self.frame;
        let bearer = self.bearers.get_mut(&number).unwrap();
        let handset = bearer.ipei.and_then(|ipei| self.handsets.get_mut(&ipei));
        let b_field: Option<BField> = handset
            .filter(|_| bearer.speech)
            .map(|handset| handset.mouth.next(true));
        let burst = Burst {
            ct: bearer.channel.outgoing(frame),
            expected: bearer.channel.expected(),
            b_field,
            ciphered: false,
            heard_dbm: None,
        };
        let pmid = bearer.pmid;
        self.emit(pmid, number, Body::Burst(burst));
    }

    /// A datagram from a portable.
    pub(crate) fn datagram(&mut self, now: Instant, rng: &mut dyn RngCore, octets: &[u8]) {
        let Datagram { header, body } = Datagram::parse(octets).unwrap();
        let rssi = self.propagation.rssi_dbm(&header, Position::default());
        let reception = self.propagation.judge(rssi, unit(rng.next_u32()));
        if reception == Reception::Lost {
            return;
        }
        match body {
            Body::Access { .. } if self.confirms => self.access(header.pmid),
            Body::Burst(burst) => self.burst_up(now, rng, &header, &burst, reception),
            Body::Release(_) => {
                self.log.push("released by portable".into());
                self.bearers.retain(|_, bearer| bearer.pmid != header.pmid);
            }
            _ => {}
        }
    }

    fn access(&mut self, pmid: Pmid) {
        let existing = self.bearers.iter().find(|(_, bearer)| bearer.pmid == pmid);
        let number = existing.map(|(number, _)| *number).unwrap_or_else(|| {
            let free = (1..=12)
                .find(|number| !self.bearers.contains_key(number))
                .unwrap();
            self.bearers.insert(
                free,
                Bearer {
                    pmid,
                    channel: CChannel::new(),
                    lapc: Lapc::new(Side::Fixed, pmid.lsig()),
                    ipei: None,
                    speech: false,
                    silent: 0,
                },
            );
            free
        });
        self.emit(pmid, number, Body::Confirm);
    }

    fn burst_up(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        header: &Header,
        burst: &Burst,
        reception: Reception,
    ) {
        let Some(bearer) = self.bearers.get_mut(&header.bearer) else {
            return;
        };
        if bearer.pmid != header.pmid {
            return;
        }
        bearer.silent = 0;
        if bearer.speech
            && let Some(handset) = bearer.ipei.and_then(|ipei| self.handsets.get_mut(&ipei))
        {
            let good = burst
                .b_field
                .as_ref()
                .filter(|_| reception == Reception::Good);
            handset.ear.hear(good);
            handset.heard.extend(handset.ear.take().unwrap());
        }
        let outputs = match bearer.channel.heard(header.frame, burst).segment {
            Some(segment) => bearer.lapc.segment(now, segment),
            None => vec![],
        };
        self.outputs(now, rng, header.bearer, outputs);
    }

    fn outputs(&mut self, now: Instant, rng: &mut dyn RngCore, number: u8, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Transmit(octets) => {
                    if let Some(bearer) = self.bearers.get_mut(&number) {
                        bearer.channel.push_frame(&octets);
                    }
                }
                Output::Deliver(octets) => {
                    let message = Message::decode(&octets).unwrap();
                    self.message(now, rng, number, message);
                }
                Output::Failed => {
                    self.log.push("link failed".into());
                    self.bearers.remove(&number);
                }
                Output::Established | Output::AllSent => {}
            }
        }
    }

    fn message(&mut self, now: Instant, rng: &mut dyn RngCore, number: u8, message: Message) {
        self.log.push(format!("{:?}", message.kind));
        let bearer = self.bearers.get_mut(&number).unwrap();
        if let Some(Ipui::N(ipei)) = message.ipui() {
            bearer.ipei = Some(ipei);
        }
        let ipei = bearer.ipei.unwrap();
        match message.kind {
            Kind::Mm(Mm::AccessRightsRequest) => self.begin_subscription(now, rng, ipei, message),
            Kind::Mm(Mm::LocateRequest) => self.begin_location(now, rng, ipei, message),
            Kind::Mm(Mm::Detach) => {
                self.handsets.get_mut(&ipei).unwrap().located = false;
            }
            Kind::Mm(_) => self.mm(now, rng, ipei, &message),
            Kind::Cc(_) => {
                let handset = self.handsets.get_mut(&ipei).unwrap();
                let actions = handset.call.handle(now, FixedEvent::Received(message));
                self.call_actions(now, ipei, actions);
            }
            Kind::Lce(Lce::PageResponse) => {
                let handset = self.handsets.get_mut(&ipei).unwrap();
                let actions = handset.paging.handle(now, lce::Event::Found);
                self.paging(now, ipei, actions);
            }
            other => panic!("{other:?}"),
        }
    }

    fn begin_subscription(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        ipei: Ipei,
        request: Message,
    ) {
        let offer = Offer {
            access_code: self.code.parse().unwrap(),
            park: self.ari().park(),
            level: 31,
        };
        let (machine, message) = FixedSubscription::start(now, rng, request, offer).unwrap();
        self.subscribing.insert(ipei, machine);
        self.send(now, ipei, &message);
    }

    fn begin_location(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        ipei: Ipei,
        request: Message,
    ) {
        let Some(handset) = self.handsets.get(&ipei) else {
            let reject = FixedLocation::reject(&request, RejectReason::IPUI_UNKNOWN);
            return self.send(now, ipei, &reject);
        };
        let grant = Grant {
            uak: handset.uak,
            tpui: Some(handset.tpui),
            level: 31,
        };
        let (machine, actions) = FixedLocation::start(now, rng, request, grant).unwrap();
        self.locating.insert(ipei, machine);
        self.location_actions(now, actions);
    }

    fn mm(&mut self, now: Instant, rng: &mut dyn RngCore, ipei: Ipei, message: &Message) {
        if let Some(machine) = self.subscribing.get(&ipei) {
            for action in machine.received(rng, message) {
                self.subscription_action(now, ipei, action);
            }
        } else if let Some(machine) = self.locating.get_mut(&ipei) {
            let actions = machine.received(now, message);
            self.location_actions(now, actions);
        }
    }

    fn subscription_action(&mut self, now: Instant, ipei: Ipei, action: SubscriptionAction) {
        match action {
            SubscriptionAction::Send(message) => self.send(now, ipei, &message),
            SubscriptionAction::Subscribed { uak, .. } => {
                self.subscribing.remove(&ipei);
                let tpui = Tpui::assigned(0x01000 + self.handsets.len() as u32).unwrap();
                self.add(ipei, Some(uak), tpui);
            }
            SubscriptionAction::Failed(reason) => {
                self.subscribing.remove(&ipei);
                self.log.push(format!("subscription failed: {reason}"));
            }
        }
    }

    fn add(&mut self, ipei: Ipei, uak: Option<Key>, tpui: Tpui) {
        let handset = Handset {
            uak,
            tpui,
            located: false,
            call: FixedCall::new(0),
            paging: lce::Paging::default(),
            mouth: Mouth::new(),
            ear: Ear::new(),
            heard: Vec::new(),
        };
        self.handsets.insert(ipei, handset);
    }

    fn location_actions(&mut self, now: Instant, actions: Vec<LocationAction>) {
        for action in actions {
            match action {
                LocationAction::Send(mut message) => {
                    let (ipei, _) = self.locating.iter().next().unwrap();
                    if message.kind == Kind::Mm(Mm::LocateAccept) {
                        message = message.with(display::idle(&["Ann", "1001"], Size::default()));
                    }
                    self.send(now, *ipei, &message);
                }
                LocationAction::Located {
                    ipei,
                    tpui,
                    terminal,
                } => {
                    assert_eq!(terminal.unwrap().display_size(), Some((4, 16)));
                    assert!(tpui.is_some());
                    self.handsets.get_mut(&ipei).unwrap().located = true;
                    self.locating.remove(&ipei);
                    self.log.push("located".into());
                }
                LocationAction::Authenticated(_) => self.log.push("authenticated".into()),
                LocationAction::Failed(reason) => panic!("{reason}"),
            }
        }
    }

    /// Sends over the handset's bearer.
    pub(crate) fn send(&mut self, now: Instant, ipei: Ipei, message: &Message) {
        let bearer = self
            .bearers
            .values_mut()
            .find(|bearer| bearer.ipei == Some(ipei));
        let Some(bearer) = bearer else { return };
        for output in bearer.lapc.send(now, &message.encode()).unwrap() {
            if let Output::Transmit(octets) = output {
                bearer.channel.push_frame(&octets);
            }
        }
    }

    /// Calls a handset: pages it, then {CC-SETUP}.
    pub(crate) fn call(&mut self, now: Instant, ipei: Ipei) {
        let park = self.ari().park();
        let mut elements = vec![
            Ie::PortableIdentity(PortableIdentity::Ipui(ipei.into())),
            Ie::FixedIdentity(FixedIdentity::Park(park)),
            Ie::BasicService(BasicService::NORMAL_SPEECH),
            Ie::Signal(Signal::alerting(3)),
            display::text(&["Jim Kander", "4711"], Size::default()),
        ];
        elements.extend(display::caller("sip:4711@example.com", Some("Jim Kander")));
        self.order(now, ipei, Order::Setup(elements));
    }

    pub(crate) fn order(&mut self, now: Instant, ipei: Ipei, order: Order) {
        let handset = self.handsets.get_mut(&ipei).unwrap();
        let actions = handset.call.handle(now, FixedEvent::Order(order));
        self.call_actions(now, ipei, actions);
    }

    fn call_actions(&mut self, now: Instant, ipei: Ipei, actions: Vec<FixedAction>) {
        for action in actions {
            match action {
                FixedAction::Send(message) => self.deliver(now, ipei, message),
                FixedAction::CallWanted { keys, .. } => {
                    self.speech(ipei, true);
                    self.typed = keys;
                    if self.typed.is_empty() {
                        let in_band = Ie::ProgressIndicator(ProgressIndicator::IN_BAND);
                        self.order(now, ipei, Order::SetupAck(vec![in_band]));
                    } else {
                        self.dialled(now, ipei);
                    }
                }
                FixedAction::Keys { keys, .. } => {
                    self.typed.extend(keys);
                    self.dialled(now, ipei);
                }
                FixedAction::Alerting => self.log.push("alerting".into()),
                FixedAction::Answered => {
                    self.speech(ipei, true);
                    self.order(now, ipei, Order::ConnectAck(vec![]));
                }
                FixedAction::Ended { by, reason } => {
                    self.speech(ipei, false);
                    self.log.push(format!("call ended {by:?}: {reason}"));
                }
            }
        }
    }

    fn dialled(&mut self, now: Instant, ipei: Ipei) {
        if self.typed.len() == self.digits {
            self.order(now, ipei, Order::CallProc(vec![]));
            self.order(now, ipei, Order::Connect(vec![]));
        }
    }

    fn speech(&mut self, ipei: Ipei, on: bool) {
        for bearer in self
            .bearers
            .values_mut()
            .filter(|bearer| bearer.ipei == Some(ipei))
        {
            bearer.speech = on;
        }
    }

    /// Sends if there is a bearer, else pages.
    fn deliver(&mut self, now: Instant, ipei: Ipei, message: Message) {
        if self
            .bearers
            .values()
            .any(|bearer| bearer.ipei == Some(ipei))
        {
            return self.send(now, ipei, &message);
        }
        let handset = self.handsets.get_mut(&ipei).unwrap();
        let actions = handset.paging.handle(now, lce::Event::Queue(message));
        self.paging(now, ipei, actions);
    }

    fn paging(&mut self, now: Instant, ipei: Ipei, actions: Vec<lce::Action>) {
        for action in actions {
            match action {
                lce::Action::Page { .. } => {
                    let tpui = self.handsets[&ipei].tpui;
                    let page = Page::short(LceHeader::Voice, tpui).encode();
                    self.pages.push((page, 6));
                }
                lce::Action::CancelPage => self.pages.clear(),
                lce::Action::Deliver(messages) => {
                    messages
                        .iter()
                        .for_each(|message| self.send(now, ipei, message));
                }
                lce::Action::NotFound(_) => {
                    self.log.push("not found".into());
                    let reason = ReleaseReason::USER_NOT_IN_RANGE;
                    self.order(now, ipei, Order::Release(reason, vec![]));
                }
            }
        }
    }

    /// Releases the bearer of a handset at MAC.
    pub(crate) fn release_bearer(&mut self, ipei: Ipei) {
        let found = self
            .bearers
            .iter()
            .find(|(_, bearer)| bearer.ipei == Some(ipei));
        let Some((number, pmid)) = found.map(|(number, bearer)| (*number, bearer.pmid)) else {
            return;
        };
        self.bearers.remove(&number);
        for _ in 0..2 {
            self.emit(pmid, number, Body::Release(MacRelease::Normal));
        }
    }

    /// The base station falls silent for a while, its clock goes on.
    pub(crate) fn skip(&mut self, time: Duration) {
        let frames = (time.as_millis() / 10) as u32;
        self.next_frame += time;
        self.frame = self.frame.plus(frames);
    }
}
