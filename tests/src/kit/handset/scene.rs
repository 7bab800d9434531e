//! The stage: time, wires and who answers on them.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use ipdect_dect::nwk::{self, Cc, Kind, Transaction};
use ipdect_handset::{
    Action, BaseId, Event, LegId, Link, Media, MediaId, NwkUp, Outcome, PresenceRow, Profile,
    Radio, SessionId, State, Store, Tag, Trace,
};
use ipdect_sip::message::Message;
use ipdect_sip::transaction::{Flow, Transport};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::ladder::Ladder;
use super::said;
use super::{profile, t0};

/// Something that happens: it makes its event out of what was said before.
pub type Happening = Box<dyn FnOnce(&mut Scene) -> Vec<Event>>;

/// One handset's mind with the world around it.
pub struct Scene {
    /// The mind.
    pub state: State,
    start: Instant,
    now: Instant,
    rng: ChaCha8Rng,
    fates: BTreeMap<String, Outcome>,
    held: Vec<String>,
    /// Orders whose results are held back.
    pub withheld: Vec<(Tag, Event)>,
    /// SIP messages sent, oldest first.
    pub sent: Vec<Message>,
    /// The INVITE that the peer sent last.
    pub peer_invite: Option<Message>,
    /// NWK messages to the handset, oldest first.
    pub shown: Vec<nwk::Message>,
    link: Link,
    standing: bool,
    seq: u64,
    /// Numbers of the peer's messages.
    pub counter: u32,
    transaction: Transaction,
    deaf: bool,
    /// Everything done so far, records and status included.
    pub actions: Vec<Action>,
}

/// What came of a happening, to be compared as a whole.
#[must_use = "say what comes of it"]
pub struct Then {
    at: String,
    lines: Vec<String>,
}

/// Where the base station takes speech.
pub(super) fn speech_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 30], 24592))
}

impl Then {
    /// All that comes of it, in order.
    #[track_caller]
    pub fn then(self, lines: impl Into<Ladder>) {
        assert_eq!(Ladder(self.lines), lines.into(), "at {}", self.at);
    }

    /// The lines themselves.
    pub fn lines(self) -> Vec<String> {
        self.lines
    }
}

impl Scene {
    /// A handset that is subscribed, located and registered, at 00:00.
    pub fn new() -> Scene {
        Scene::of(profile())
    }

    /// Such a handset with another profile.
    pub fn of(profile: Profile) -> Scene {
        let mut scene = Scene::unknown(profile);
        let location = Some((BaseId("base-1".into()), 3));
        scene.run(Event::Restored(PresenceRow {
            location,
            ..PresenceRow::default()
        }));
        let ok = scene.response_to("REGISTER", 200, "OK", None);
        scene.run(ok);
        scene.actions.clear();
        scene
    }

    /// A handset of which nothing is known but its profile.
    pub fn unknown(profile: Profile) -> Scene {
        let start = t0();
        Scene {
            state: State::new(profile),
            start,
            now: start,
            rng: ChaCha8Rng::seed_from_u64(1),
            fates: BTreeMap::new(),
            held: Vec::new(),
            withheld: Vec::new(),
            sent: Vec::new(),
            peer_invite: None,
            shown: Vec::new(),
            link: Link {
                base: BaseId("base-1".into()),
                connection: 1,
            },
            standing: false,
            seq: 0,
            counter: 0,
            transaction: Transaction::default(),
            deaf: false,
            actions: Vec::new(),
        }
    }

    /// Handset and peer are those of another scene: its handset is at this mind from now on.
    pub fn goes_on_from(&mut self, other: &Scene) {
        self.sent.clone_from(&other.sent);
        self.shown.clone_from(&other.shown);
        self.peer_invite.clone_from(&other.peer_invite);
        self.link.clone_from(&other.link);
        (self.standing, self.seq, self.counter) = (other.standing, other.seq, other.counter);
        self.transaction = other.transaction;
    }

    /// Another seed of chance.
    pub fn seeded(mut self, seed: u64) -> Scene {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
        self
    }

    /// Orders of this name, such as `OpenSession`, get this result from now on; `Done` ends it.
    pub fn media_answers(&mut self, order: &str, outcome: Outcome) {
        self.fates.insert(order.into(), outcome);
    }

    /// Results of orders of this name are held back from now on, until [`lets_go`](super::lets_go).
    pub fn holds(&mut self, order: &str) {
        self.held.push(order.into());
    }

    /// The SIP side says nothing by itself any more.
    pub fn peer_is_deaf(&mut self) {
        self.deaf = true;
    }

    /// Results are held back no longer.
    pub fn holds_nothing(&mut self) {
        self.held.clear();
    }

    /// Lets time pass until `at`, in which nothing may be said, and then something happen.
    ///
    /// `at` is minutes and seconds, such as `00:04` or `01:36.5`.
    #[track_caller]
    pub fn at(&mut self, at: &str, happening: Happening) -> Then {
        let instant = self.start + parse(at);
        assert!(instant >= self.now, "{at} is in the past");
        let idle = self.pass(instant);
        assert_eq!(idle, Vec::<String>::new(), "said before {at}");
        self.now = instant;
        let events = happening(self);
        let lines = events
            .into_iter()
            .flat_map(|event| self.run(event))
            .collect();
        Then {
            at: at.into(),
            lines,
        }
    }

    /// Lets everything that is due before `until` happen, and answers with what was said.
    pub fn pass(&mut self, until: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(due) = self.state.next_deadline().filter(|due| *due < until) {
            self.now = due.max(self.now);
            lines.extend(self.run(Event::Deadline));
            assert!(
                self.state.next_deadline() != Some(due),
                "a deadline at {due:?} that does not go away"
            );
        }
        lines
    }

    /// Lets time pass by `time`, whatever is said.
    pub fn wait(&mut self, time: Duration) -> Vec<String> {
        let until = self.now + time;
        let lines = self.pass(until);
        self.now = until;
        lines
    }

    /// Tells the mind something, obeys what it orders, and answers with what was said.
    pub fn run(&mut self, event: Event) -> Vec<String> {
        let mut lines = Vec::new();
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let wall = SystemTime::UNIX_EPOCH
                + Duration::from_secs(1_800_000_000)
                + (self.now - self.start);
            for action in self.state.handle(self.now, wall, &mut self.rng, event) {
                lines.extend(said::line(&action, self.actions.iter().rev()));
                events.extend(self.obey(&action));
                self.actions.push(action);
            }
        }
        lines
    }

    /// Carries out one action; the event that it is answered with, if any.
    fn obey(&mut self, action: &Action) -> Option<Event> {
        match action {
            Action::Sip(transmit) => {
                self.sent.push(transmit.message.clone());
                return if self.deaf {
                    None
                } else {
                    self.courtesy(&transmit.message)
                };
            }
            Action::Radio(Radio::SendNwk { pdu, .. }) => {
                let message = nwk::Message::decode(pdu).expect("we send what can be read");
                if message.kind == Kind::Cc(Cc::Setup) {
                    self.transaction = message.transaction.answered();
                }
                self.shown.push(message);
            }
            Action::Radio(Radio::ReleaseConnection { link, .. }) if *link == self.link => {
                self.standing = false
            }
            _ => {}
        }
        let (name, tag) = order(action)?;
        let outcome = self.fates.get(name).copied().unwrap_or(Outcome::Done);
        let result = self.result(action, tag, outcome);
        if self.held.iter().any(|held| held == name) {
            self.withheld.push((tag, result));
            return None;
        }
        Some(result)
    }

    /// What any proxy or peer answers at once: 100 to INVITE, 200 to BYE and CANCEL, ACK to a refusal.
    fn courtesy(&mut self, message: &Message) -> Option<Event> {
        let cseq = message.cseq().ok()?.method.to_string();
        match (message.status().map(|status| status.code()), cseq.as_str()) {
            (None, "INVITE") => Some(self.response_to("INVITE", 100, "Trying", None)),
            (None, "BYE" | "CANCEL") => Some(self.response_to(&cseq, 200, "OK", None)),
            (Some(300..), "INVITE") => Some(self.ack_of(message)),
            _ => None,
        }
    }

    fn result(&mut self, action: &Action, tag: Tag, outcome: Outcome) -> Event {
        match action {
            Action::Media(Media::OpenSession { session, .. }) if outcome == Outcome::Done => {
                Event::SessionOpened {
                    tag,
                    session: *session,
                    resource: MediaId("media-1".into()),
                    boot: 1,
                }
            }
            Action::Media(Media::OpenLeg { session, leg, .. }) if outcome == Outcome::Done => {
                leg_opened(tag, *session, *leg)
            }
            _ => Event::Done { tag, outcome },
        }
    }

    /// The present connection, a new one if the last was released.
    pub fn link(&mut self) -> Link {
        if !self.standing {
            self.link.connection += 1;
            self.seq = 0;
            self.standing = true;
        }
        self.link.clone()
    }

    /// The connection is gone; the next message comes over a new one, perhaps of another base station.
    pub fn moves_to(&mut self, base: &str) {
        self.standing = false;
        self.link.base = BaseId(base.into());
    }

    /// A NWK message of the handset.
    pub fn up(&mut self, message: &nwk::Message) -> NwkUp {
        let link = self.link();
        self.seq += 1;
        NwkUp {
            link,
            rpn: 3,
            speech: speech_address(),
            seq: self.seq,
            pdu: Bytes::from(message.encode()),
            trace: Trace::default(),
        }
    }

    /// The transaction of the call as the handset sends it.
    pub fn transaction(&self) -> Transaction {
        self.transaction
    }

    /// The handset begins a transaction of its own.
    pub fn begins(&mut self) -> Transaction {
        self.transaction = Transaction::originated(0);
        self.transaction
    }

    /// The way between proxy and us.
    pub fn flow() -> Flow {
        Flow {
            transport: Transport::Udp,
            remote: "192.0.2.9:5060".parse().expect("an address"),
            local: "192.0.2.5:5080".parse().expect("an address"),
            connection: 0,
        }
    }

    /// A SIP message as event.
    pub fn sip(text: String) -> Event {
        let message = Message::parse(Bytes::from(text)).expect("the peer sends what can be read");
        Event::Sip {
            message: Box::new(message),
            flow: Scene::flow(),
            trace: Trace::default(),
        }
    }

    /// The speech session of the call.
    pub fn session(&self) -> SessionId {
        let opened = self.actions.iter().rev().find_map(|action| match action {
            Action::Media(Media::OpenSession { session, .. }) => Some(*session),
            _ => None,
        });
        opened.expect("a session was opened")
    }
}

impl Default for Scene {
    fn default() -> Scene {
        Scene::new()
    }
}

fn leg_opened(tag: Tag, session: SessionId, leg: LegId) -> Event {
    let port = if leg == LegId::BASE { 24576 } else { 16384 };
    Event::LegOpened {
        tag,
        session,
        leg,
        rtp: SocketAddr::from(([192, 0, 2, 40], port)),
        rtcp_port: port + 1,
    }
}

/// Name and tag of an order that is answered.
fn order(action: &Action) -> Option<(&'static str, Tag)> {
    Some(match action {
        Action::Media(order) => match order {
            Media::OpenSession { tag, .. } => ("OpenSession", *tag),
            Media::OpenLeg {
                tag,
                leg: LegId::BASE,
                ..
            } => ("OpenLeg base", *tag),
            Media::OpenLeg { tag, .. } => ("OpenLeg sip", *tag),
            Media::ModifyLeg { tag, .. } => ("ModifyLeg", *tag),
            Media::AddPath { tag, .. } => ("AddPath", *tag),
            Media::SendDtmf { tag, .. } => ("SendDtmf", *tag),
            Media::Note { tag, .. } => ("Note", *tag),
            Media::CloseLeg { tag, .. } => ("CloseLeg", *tag),
            Media::CloseSession { tag, .. } => ("CloseSession", *tag),
            _ => return None,
        },
        Action::Radio(Radio::SendNwk { tag, .. }) => ("SendNwk", *tag),
        Action::Radio(Radio::Page { tag, .. }) => ("Page", *tag),
        Action::Radio(Radio::OpenSpeech { tag, .. }) => ("OpenSpeech", *tag),
        Action::Store(Store::Handset { tag, .. }) => ("Handset", *tag),
        Action::Store(Store::ClaimTpui { tag, .. }) => ("ClaimTpui", *tag),
        Action::Store(Store::Record { tag: Some(tag), .. }) => ("Record", *tag),
        _ => return None,
    })
}

fn parse(at: &str) -> Duration {
    let (minutes, seconds) = at.split_once(':').expect("minutes:seconds");
    let seconds: f64 = seconds.parse().expect("seconds");
    Duration::from_millis(
        minutes.parse::<u64>().expect("minutes") * 60_000 + (seconds * 1000.0).round() as u64,
    )
}
