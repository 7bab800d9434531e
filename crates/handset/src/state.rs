//! The mind itself: one event in, actions out, in order.

use std::time::{Instant, SystemTime};

use bytes::Bytes;
use ipdect_dect::identity::{Ipei, Ipui, Tpui};
use ipdect_dect::nwk::lce::Paging;
use ipdect_sip::transaction::Flow;
use ipdect_sip::user_agent::UserAgent;
use rand_core::RngCore;

use crate::action::{Action, Media, PresenceRow, Radio, Store};
use crate::call::Call;
use crate::event::{Event, Outcome, Tag, Trace};
use crate::ids::Tags;
use crate::ladder;
use crate::links::Links;
use crate::media::CallRef;
use crate::mobility::Mobility;
use crate::notice::Notice;
use crate::outbox::{Outbox, Verdict};
use crate::presence::Use;
use crate::profile::Profile;
use crate::record::Record;
use crate::sip;
use crate::status::{CallView, Location, Registration, Status};
use crate::turn::Turn;

/// The mind of one handset.
#[derive(Debug)]
pub struct State {
    pub(crate) profile: Profile,
    pub(crate) ipei: Option<Ipei>,
    pub(crate) tags: Tags,
    pub(crate) outbox: Outbox,
    pub(crate) links: Links,
    pub(crate) paging: Paging,
    pub(crate) pages: u64,
    pub(crate) mobility: Mobility,
    pub(crate) ua: Option<UserAgent>,
    /// Calls placed so far: numbers them within the user agent.
    pub(crate) placed: u32,
    pub(crate) call: Option<Box<Call>>,
    pub(crate) usage: Use,
    pub(crate) row: PresenceRow,
    pub(crate) location: Location,
    pub(crate) registration: Registration,
    /// Connection on which the registrar granted the registration.
    pub(crate) registered_over: Option<Flow>,
    pub(crate) display: Vec<String>,
    /// The idle display as the handset was told it last.
    pub(crate) told_idle: Option<Vec<String>>,
    /// A record of the last owner whose call cannot go on.
    pub(crate) inherited: Option<Box<Record>>,
    shown: Status,
    fenced: bool,
}

impl State {
    /// A handset without call, of which nothing is known but its profile.
    #[must_use]
    pub fn new(profile: Profile) -> State {
        let ua = sip::user_agent(&profile);
        let open = profile.settings.system.subscription_open;
        State {
            ipei: Ipei::from_bits(profile.handset.ipei).ok(),
            profile,
            tags: Tags::default(),
            outbox: Outbox::default(),
            links: Links::default(),
            paging: Paging::default(),
            pages: 0,
            mobility: Mobility::new(open),
            ua,
            placed: 0,
            call: None,
            usage: Use::default(),
            row: PresenceRow::default(),
            location: Location::default(),
            registration: Registration::default(),
            registered_over: None,
            display: Vec::new(),
            told_idle: None,
            inherited: None,
            shown: Status::default(),
            fenced: false,
        }
    }

    /// Takes in one event and answers with what must now be done, in order.
    pub fn handle(
        &mut self,
        now: Instant,
        wall: SystemTime,
        rng: &mut dyn RngCore,
        event: Event,
    ) -> Vec<Action> {
        if self.fenced {
            return Vec::new();
        }
        let mut turn = Turn {
            now,
            wall,
            rng,
            flow: None,
            trace: Trace(None),
            unacked: None,
            cause: None,
        };
        let before = self.call.as_ref().map(|call| call.id);
        let mut heard = ladder::heard(wall, before, &event);
        self.take_in(&mut turn, event);
        // What begins a call belongs to it, and so does what ends it.
        let call = before.or(self.call.as_ref().map(|call| call.id));
        if let Some(heard) = heard.as_mut() {
            heard.call = call;
        }
        self.acknowledge(&mut turn);
        self.settle(now);
        self.usage.age(now, &self.profile.settings.presence);
        let mut out: Vec<Action> = heard.map(Action::Ladder).into_iter().collect();
        self.flush(&turn, call, &mut out);
        out.extend(self.news(now).map(Action::Show));
        out
    }

    /// Connections that neither call nor procedure uses are on their way out.
    fn settle(&mut self, now: Instant) {
        let (call, mobility) = (
            self.call.as_ref().and_then(|call| call.link.as_ref()),
            &self.mobility,
        );
        self.links
            .settle(now, |link| call == Some(link) || mobility.uses(link));
    }

    fn take_in(&mut self, t: &mut Turn<'_>, event: Event) {
        match event {
            Event::Configured(profile) => self.configured(t, *profile),
            Event::Restored(row) => self.restored(t, row),
            Event::Deadline => self.deadline(t),
            Event::Nwk(up) => self.nwk(t, up),
            Event::ConnectionDown { link, reason } => self.connection_down(t, &link, reason),
            Event::BaseLost { base } => self.base_lost(t, &base),
            Event::BaseBack {
                base,
                same_boot,
                connections,
            } => self.base_back(t, &base, same_boot, connections),
            Event::Done { tag, outcome } => self.result(t, tag, outcome),
            Event::SessionOpened {
                tag,
                session,
                resource,
                boot,
            } => {
                self.session_opened(t, tag, session, (resource, boot));
            }
            Event::LegOpened {
                tag,
                session,
                leg,
                rtp,
                rtcp_port,
            } => {
                self.leg_opened(t, tag, session, leg, rtp, rtcp_port);
            }
            Event::MediaSilent {
                session,
                leg,
                silent_ms,
            } => self.media_silent(t, session, leg, silent_ms),
            Event::MediaLost { resource } => self.media_lost(t, &resource),
            Event::SessionClosed { session, .. } => self.session_closed(t, session),
            Event::DtmfReceived { .. } | Event::LegStats { .. } => {}
            Event::Sip {
                message,
                flow,
                trace,
            } => {
                t.flow = Some(flow);
                t.trace = trace;
                self.with_ua(t, |ua, t| ua.receive(t.now, t.rng, *message, flow));
            }
            Event::SipFailed { transaction } => {
                self.with_ua(t, |ua, t| ua.transport_failed(t.now, t.rng, &transaction));
            }
            Event::FlowLost(flow) => self.flow_lost(t, flow),
            Event::TrunkHealth(health) => {
                self.with_ua(t, |ua, t| ua.trunk_health(t.now, t.rng, health))
            }
            Event::SubscriptionOpen(open) => self.mobility.open = open,
            Event::Hangup => self.hang_up(t, "ended by an administrator"),
            Event::Shutdown => self.shut_down(t),
        }
    }

    /// Takes in the result of an order.
    pub(crate) fn result(&mut self, t: &mut Turn<'_>, tag: Tag, outcome: Outcome) {
        let tags = &mut self.tags;
        match self.outbox.result(tag, outcome, || tags.fresh()) {
            Verdict::Fenced => self.fence(),
            Verdict::Open | Verdict::NotOurs
                if matches!(outcome, Outcome::Fenced | Outcome::WrongShard) =>
            {
                self.fence()
            }
            Verdict::Open | Verdict::NotOurs => self.done(t, tag, outcome),
        }
    }

    /// Looks for whoever waits for the result of an order.
    fn done(&mut self, t: &mut Turn<'_>, tag: Tag, outcome: Outcome) {
        match self.links.waits_for(tag).cloned() {
            Some(_) if outcome == Outcome::Done => {
                self.links.taken(tag);
            }
            Some(link) if outcome == Outcome::UnknownTarget => self.connection_gone(t, &link),
            // The base station is told again when it is back.
            Some(_) => {}
            None if self.mobility_result(t, tag, outcome) => {}
            None => self.media_result(t, tag, outcome),
        }
    }

    /// Another owner is at work: not a word more.
    fn fence(&mut self) {
        self.fenced = true;
        self.outbox = Outbox::default();
        self.outbox.push(Action::Tell(Notice::Fenced));
    }

    fn deadline(&mut self, t: &mut Turn<'_>) {
        if let Some(tag) = self.outbox.overdue(t.now) {
            self.result(t, tag, Outcome::Unreachable);
        }
        self.page_deadline(t);
        self.mobility_deadline(t);
        self.call_deadline(t);
        for link in self.links.overdue(t.now) {
            self.release_connection(&link);
        }
        if self
            .ua
            .as_ref()
            .and_then(UserAgent::next_deadline)
            .is_some_and(|at| at <= t.now)
        {
            self.with_ua(t, |ua, t| ua.deadline(t.now, t.rng));
        }
    }

    /// When [`State::handle`] next wants [`Event::Deadline`], if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.fenced {
            return None;
        }
        let presence = &self.profile.settings.presence;
        [
            self.outbox.next_deadline(),
            self.paging.next_deadline(),
            self.mobility.next_deadline(),
            self.call.as_ref().and_then(|call| call.next_deadline()),
            self.links.next_deadline(),
            self.ua.as_ref().and_then(UserAgent::next_deadline),
            self.usage.next_deadline(presence),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What live views show now.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.shown
    }

    /// Trace of the call, for what the body says on its own account.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.call.as_ref().map_or(Trace(None), |call| call.trace)
    }

    /// Whether the handset has neither call nor connection nor anything under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.call.is_none() && self.outbox.is_empty() && self.links.iter().next().is_none()
    }

    /// What changed for live views, if anything.
    fn news(&mut self, now: Instant) -> Option<Box<Status>> {
        let status = Status {
            subscribed: self.profile.handset.uak.is_some(),
            location: self.location.clone(),
            registration: self.registration.clone(),
            presence: self.usage.presence(now, &self.profile.settings.presence),
            call: self.call_view(),
            display: self.shown_lines(),
        };
        let changed = status != self.shown;
        self.shown = status;
        changed.then(|| Box::new(self.shown.clone()))
    }

    fn call_view(&self) -> Option<CallView> {
        let call = self.call.as_ref()?;
        let ua = self.ua.as_ref();
        let call_id = call.sip.and_then(|number| ua?.call_id(number));
        Some(call.view(call_id))
    }

    /// What the handset shows, as far as the system knows.
    fn shown_lines(&self) -> Vec<String> {
        match self.location {
            _ if self.call.is_some() => self.display.clone(),
            Location::Detached => Vec::new(),
            _ => self.idle_lines(),
        }
    }

    /// Lets out what may go, each message and order with its line of the ladder.
    fn flush(&mut self, t: &Turn<'_>, call: Option<CallRef>, out: &mut Vec<Action>) {
        for action in self.outbox.take(t.now) {
            out.extend(ladder::said(t.wall, call, &action).map(Action::Ladder));
            out.push(action);
        }
    }

    /// Says that the effect of the NWK message in hand is committed, once what was said before is out.
    pub(crate) fn acknowledge(&mut self, t: &mut Turn<'_>) {
        let Some((link, seq)) = t.unacked.take() else {
            return;
        };
        let owing =
            |call: &&mut Box<Call>| call.phase.owes_a_record() && call.link.as_ref() == Some(&link);
        match self.call.as_mut().filter(owing) {
            // The next owner is told it again: no key is lost (`takeover.md` 4, rule 4).
            Some(call) => call.unacked = Some((link, seq)),
            None => self.outbox.push(Action::Radio(Radio::AckNwk { link, seq })),
        }
    }

    /// A record brings what the user did: what was not acknowledged is now.
    pub(crate) fn acknowledge_all(&mut self, t: &mut Turn<'_>) {
        let late = self.call.as_mut().and_then(|call| call.unacked.take());
        let unacked = t.unacked.take().or(late);
        self.radio(unacked.map(|(link, seq)| Radio::AckNwk { link, seq }));
    }

    /// Gives an order to the media resource.
    pub(crate) fn media(&mut self, order: impl IntoIterator<Item = Media>) {
        for order in order {
            self.outbox.push(Action::Media(order));
        }
    }

    /// Gives an order to a base station.
    pub(crate) fn radio(&mut self, order: impl IntoIterator<Item = Radio>) {
        for order in order {
            self.outbox.push(Action::Radio(order));
        }
    }

    /// Tells people.
    pub(crate) fn tell(&mut self, notice: Notice) {
        self.outbox.push(Action::Tell(notice));
    }

    /// Gives a commit to the session, and the same record to the store, and lets what follows wait for the first.
    pub(crate) fn commit(&mut self, order: Media, tag: Tag, record: Bytes) {
        self.outbox
            .commit(Action::Media(order), tag, record.clone());
        self.outbox
            .push(Action::Store(Store::Record { tag: None, record }));
    }

    /// Our identity on the air.
    pub(crate) fn ipui(&self) -> Option<Ipui> {
        self.ipei.map(Ipui::N)
    }

    /// The temporary identity in use.
    pub(crate) fn tpui(&self) -> Option<Tpui> {
        self.profile
            .handset
            .tpui
            .and_then(|bits| Tpui::from_bits(bits).ok())
    }
}
