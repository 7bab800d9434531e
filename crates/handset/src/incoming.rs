//! Calls that come in: from INVITE to the answer, or to the end of patience (`contracts.md` section 10, incoming).

use bytes::Bytes;
use ipdect_dect::display;
use ipdect_dect::nwk::ie::{BasicService, FixedIdentity, PortableIdentity, ReleaseReason, Signal};
use ipdect_dect::nwk::{self, Cc, Ie, Kind, Transaction};
use ipdect_sip::message::Uri;
use ipdect_sip::user_agent as sip;

use crate::call::{Call, Party, Phase};
use crate::ending::{ToHandset, ToPeer};
use crate::event::Link;
use crate::ids::uuid_v7;
use crate::media::{CallRef, SessionId};
use crate::notice::{Notice, Placed};
use crate::record::Milestone;
use crate::sip::no_bandwidth;
use crate::speech::Speech;
use crate::state::State;
use crate::status::Location;
use crate::timers::{ANSWERING, CC_03};
use crate::turn::Turn;

/// Normal call, basic speech (EN 300 175-5 section 7.6.4).
const NORMAL_SPEECH: BasicService = BasicService(0x80);

impl State {
    /// INVITE.
    pub(crate) fn incoming(
        &mut self,
        t: &mut Turn<'_>,
        number: sip::Call,
        from: &Uri,
        name: String,
        offer: Option<Bytes>,
        alert_info: Option<&str>,
    ) {
        if let Some((status, extra)) = self.cannot_take(offer.as_ref()) {
            return self.with_ua(t, |ua, t| ua.reject(t.now, t.rng, number, status, extra));
        }
        let began = t.wall;
        let id = CallRef(uuid_v7(began, t.rng));
        let speech = Speech::new(SessionId(uuid_v7(began, t.rng)));
        let mut call = Call::new(id, Placed::ByPeer, Phase::Admitting, speech, began);
        call.sip = Some(number);
        call.trace = t.trace;
        call.transaction = Transaction::originated(0);
        call.party = party(from, name);
        call.alert = ring_pattern(alert_info);
        call.sdp.remote = offer;
        self.call = Some(Box::new(call));
        self.open_session(t, Milestone::InviteTaken);
    }

    /// Why a call cannot be taken at all, as a final status.
    fn cannot_take(&self, offer: Option<&Bytes>) -> Option<(u16, Vec<sip::Extra>)> {
        if self.call.is_some() {
            return Some((486, Vec::new()));
        }
        if self.location == Location::Detached || self.profile.handset.uak.is_none() {
            return Some((480, Vec::new()));
        }
        let refused = offer.and_then(|offer| self.would_answer(offer).err());
        refused.map(|error| (error.status().code(), Vec::new()))
    }

    /// The session stands: the handset is looked for.
    pub(crate) fn admitted(&mut self, t: &mut Turn<'_>) {
        if let Some(call) = self.call.as_mut() {
            call.phase = Phase::Paging;
        }
        if let Some(message) = self.call_setup(false) {
            self.find(t, message);
        }
    }

    /// Admission refused the call: 480 with a warning, never 503.
    pub(crate) fn not_admitted(&mut self, t: &mut Turn<'_>) {
        let settings = &self.profile.settings;
        let host = settings.sent_by.of(settings.sip.transport);
        let warning = no_bandwidth(host.split(':').next().unwrap_or(host));
        let handset = self.unless_unheard(ReleaseReason::INSUFFICIENT_RESOURCES, "");
        let peer = ToPeer::Refuse(480, vec![warning]);
        self.end(t, peer, handset, "no media resource had room");
    }

    /// `{CC-SETUP}` to the handset.
    pub(crate) fn call_setup(&mut self, resumes: bool) -> Option<nwk::Message> {
        let identity = PortableIdentity::Ipui(self.ipui()?);
        let ari = FixedIdentity::Park(self.profile.settings.system.pari.park());
        let call = self.call.as_ref()?;
        let name = Some(call.party.name.as_str()).filter(|name| !name.is_empty());
        let (caller, alert) = (display::caller(&call.party.uri, name), call.alert);
        let shown = call.line();
        let text = match resumes {
            true => self.text(&[&shown, "call resumes"]),
            false => self.text(&[&shown]),
        };
        Some(
            nwk::Message::new(self.call.as_ref()?.transaction, Kind::Cc(Cc::Setup))
                .with(Ie::PortableIdentity(identity))
                .with(Ie::FixedIdentity(ari))
                .with(Ie::BasicService(NORMAL_SPEECH))
                .with(Ie::Signal(Signal::alerting(alert)))
                .with(text)
                .with_all(caller),
        )
    }

    /// The handset is there: what waited for it is sent.
    pub(crate) fn found(&mut self, t: &mut Turn<'_>, link: Link, messages: Vec<nwk::Message>) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.link = Some(link.clone());
        if call.phase == Phase::Paging {
            call.phase = Phase::Presenting {
                until: t.now + CC_03,
            };
        }
        for message in messages {
            self.send_nwk(&link, &message);
        }
    }

    /// The handset answered no page.
    pub(crate) fn not_found(&mut self, t: &mut Turn<'_>) {
        if self
            .call
            .as_ref()
            .is_some_and(|call| call.phase == Phase::Paging)
        {
            self.missed();
            self.end(
                t,
                ToPeer::Refuse(480, Vec::new()),
                ToHandset::Nothing,
                "the handset was not found",
            );
        }
    }

    /// `{CC-ALERTING}`: the handset rings, and speech is made ready.
    pub(crate) fn alerting(&mut self, t: &mut Turn<'_>) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.phase = Phase::Alerting {
            until: t.now + self.profile.settings.call.ring_limit,
        };
        let Some(number) = call.sip else { return };
        self.note(t, Milestone::Alerting);
        self.with_ua(t, |ua, t| ua.ring(t.now, t.rng, number));
        self.open_legs(t);
    }

    /// Both legs stand: our answer, or offer, is made.
    pub(crate) fn legs_ready(&mut self, t: &mut Turn<'_>) {
        match self.call.as_ref().map(|call| call.sdp.remote.clone()) {
            Some(Some(offer)) => match self.make_answer(&offer) {
                Ok(agreed) => {
                    let order = self.modify(agreed, None);
                    self.media(order);
                }
                Err(error) => {
                    let handset =
                        ToHandset::Release(ReleaseReason::INCOMPATIBLE_SERVICE, "Not compatible");
                    let peer = ToPeer::Refuse(error.status().code(), Vec::new());
                    return self.end(t, peer, handset, "no common media");
                }
            },
            Some(None) => {
                let offer = self.offer();
                if let Some(call) = self.call.as_mut() {
                    call.sdp.answer = offer;
                }
            }
            None => return,
        }
        if self
            .call
            .as_ref()
            .is_some_and(|call| matches!(call.phase, Phase::Answering { .. }))
        {
            self.take_call(t);
        }
    }

    /// `{CC-CONNECT}`: the user answered.
    pub(crate) fn connect(&mut self, t: &mut Turn<'_>) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let unasked = call.speech.sip == crate::speech::Leg::None;
        call.phase = Phase::Answering {
            until: t.now + ANSWERING,
        };
        if unasked {
            // Answered without ringing first: a handset set to answer by itself.
            self.open_legs(t);
        } else if call.sdp.answer.is_some() {
            self.take_call(t);
        }
    }

    /// Everything is ready: connect, commit, 200, `{CC-CONNECT-ACK}`.
    fn take_call(&mut self, t: &mut Turn<'_>) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let (Some(number), Some(sdp)) = (call.sip, call.sdp.answer.take()) else {
            return;
        };
        let connect = call.speech.connect();
        self.media(connect);
        self.answered_now(t);
        self.note(t, Milestone::Active);
        self.acknowledge_all(t);
        self.with_ua(t, |ua, t| ua.answer(t.now, t.rng, number, sdp));
        self.say(Cc::ConnectAck, Vec::new());
    }

    /// ACK; with the peer's answer when the offer was ours.
    pub(crate) fn acked(&mut self, t: &mut Turn<'_>, number: sip::Call, sdp: Option<Bytes>) {
        if !self.is_ours(number) {
            return;
        }
        match sdp.map(|sdp| self.read_answer(&sdp)) {
            Some(Ok(agreed)) => self.modify_committed(t, agreed, Milestone::Acknowledged),
            Some(Err(_)) => self.broken(t, number, "the peer's answer cannot be used"),
            None => self.note(t, Milestone::Acknowledged),
        }
    }

    /// CANCEL: the caller gave up.
    pub(crate) fn cancelled(
        &mut self,
        t: &mut Turn<'_>,
        number: sip::Call,
        completed_elsewhere: bool,
    ) {
        if !self.is_ours(number) {
            return self.with_ua(t, |ua, t| ua.reject(t.now, t.rng, number, 487, Vec::new()));
        }
        let (text, cause) = match completed_elsewhere {
            true => (
                "Answered elsewhere",
                "answered by another phone of the user",
            ),
            false => ("", "the caller gave up"),
        };
        if !completed_elsewhere {
            self.missed();
        }
        let handset = self.unless_unheard(ReleaseReason::NORMAL, text);
        self.end(t, ToPeer::Refuse(487, Vec::new()), handset, cause);
    }

    /// CC.03, the ring limit, or the time for answering ran out.
    pub(crate) fn nobody_answered(&mut self, t: &mut Turn<'_>) {
        self.missed();
        let handset = self.unless_unheard(ReleaseReason::TIMER_EXPIRY, "");
        self.end(
            t,
            ToPeer::Refuse(480, Vec::new()),
            handset,
            "nobody answered",
        );
    }

    /// `{CC-RELEASE}`, unless the handset knows nothing of the call.
    fn unless_unheard(&self, reason: ReleaseReason, text: &'static str) -> ToHandset {
        match self.call.as_ref().is_some_and(|call| call.link.is_some()) {
            true => ToHandset::Release(reason, text),
            false => ToHandset::Nothing,
        }
    }

    /// The user missed a call.
    fn missed(&mut self) {
        let Some(call) = &self.call else { return };
        let long = call.party.uri.chars().count() > display::MAX_URI;
        let name = match long {
            true => call.shown().chars().take(display::MAX_NAME).collect(),
            false => call.party.name.clone(),
        };
        let number = (!long).then(|| call.party.uri.clone());
        let notice = Notice::MissedCall {
            call: call.id,
            number,
            name,
        };
        self.tell(notice);
    }
}

/// Caller's address without what only machines need, and name.
fn party(from: &Uri, name: String) -> Party {
    let scheme = from.scheme().as_str();
    let uri = match (from.user(), from.host()) {
        (Some(user), Some(host)) => format!("{scheme}:{user}@{host}"),
        (None, Some(host)) => format!("{scheme}:{host}"),
        _ => from.to_string(),
    };
    Party { uri, name }
}

/// Alerting pattern 0..=7 for `Alert-Info`: internal, external, priority and the like, as far as its words tell.
fn ring_pattern(alert_info: Option<&str>) -> u8 {
    let Some(info) = alert_info.map(str::to_ascii_lowercase) else {
        return 0;
    };
    let numbered = info
        .split("bellcore-dr")
        .nth(1)
        .or_else(|| info.split("ring").nth(1));
    let digit = numbered
        .and_then(|rest| rest.chars().next())
        .and_then(|c| c.to_digit(8));
    match digit {
        Some(digit) => digit as u8,
        None if info.contains("internal") => 1,
        None if info.contains("external") => 2,
        None if info.contains("priority") => 3,
        None => 0,
    }
}
