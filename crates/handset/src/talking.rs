//! A call that stands: keys, changes of media by the peer, a handset or a media resource that is lost and found.

use bytes::Bytes;
use ipdect_dect::nwk::ie::ReleaseReason;
use ipdect_dect::nwk::{Cc, Ie, Transaction};
use ipdect_sip::sdp;
use ipdect_sip::user_agent::{self as sip, Reason};

use crate::action::{Action, Media, Radio};
use crate::call::{Missing, Phase};
use crate::ending::{ToHandset, ToPeer};
use crate::event::{Link, MediaId};
use crate::ids::uuid_v7;
use crate::media::{Direction, LegId, PathId, SessionId};
use crate::notice::Placed;
use crate::record::Milestone;
use crate::speech::Speech;
use crate::state::State;
use crate::timers::{DISPLAY_PAUSE, DL_05, LOOKED_FOR, MEDIA_LOST_MS};
use crate::turn::Turn;

impl State {
    /// Keys in a call are sent as RFC 4733 events, once however often the message comes.
    pub(crate) fn send_dtmf(&mut self, t: &mut Turn<'_>, keys: &[u8]) {
        let digits: String = keys
            .iter()
            .map(|key| char::from(*key))
            .filter(|key| is_dtmf(*key))
            .collect();
        let (Some(call), Some((link, seq))) = (&self.call, t.cause.clone()) else {
            return;
        };
        if digits.is_empty() || !call.speech.sip.is_open() {
            return;
        }
        let (tag, session) = (self.tags.fresh(), call.speech.session);
        let order = Media::SendDtmf {
            tag,
            session,
            leg: LegId::SIP,
            digits,
            link,
            seq,
        };
        // It commits itself: the media resource does it once for each message.
        self.outbox.ask(Action::Media(order), tag);
    }

    /// re-INVITE or UPDATE of the peer.
    pub(crate) fn reoffered(&mut self, t: &mut Turn<'_>, number: sip::Call, offer: Option<Bytes>) {
        if !self.is_ours(number) {
            return self.with_ua(t, |ua, t| ua.reject_reinvite(t.now, t.rng, number, 481));
        }
        let Some(offer) = offer else {
            return self.offer_anew(t, number);
        };
        if let Some(same) = self.unchanged(&offer) {
            return self.with_ua(t, |ua, t| ua.answer_reinvite(t.now, t.rng, number, same));
        }
        match self.make_answer(&offer) {
            Ok(agreed) => {
                let held = !matches!(agreed.direction, Direction::SendRecv | Direction::SendOnly);
                self.modify_committed(t, agreed, Milestone::Changed);
                let answer = self
                    .call
                    .as_mut()
                    .and_then(|call| call.sdp.answer.take())
                    .unwrap_or_default();
                self.with_ua(t, |ua, t| ua.answer_reinvite(t.now, t.rng, number, answer));
                self.show_hold(t, held);
            }
            Err(error) => {
                let status = error.status().code();
                self.with_ua(t, |ua, t| ua.reject_reinvite(t.now, t.rng, number, status));
            }
        }
    }

    /// The peer wants our offer: what is in force.
    fn offer_anew(&mut self, t: &mut Turn<'_>, number: sip::Call) {
        let Some(offer) = self.offer() else { return };
        self.note(t, Milestone::Changed);
        self.with_ua(t, |ua, t| ua.answer_reinvite(t.now, t.rng, number, offer));
    }

    /// Our last SDP, if the offer says by its version that nothing changed (G21, ignore SDP version).
    fn unchanged(&self, offer: &Bytes) -> Option<Bytes> {
        let call = self.call.as_ref()?;
        let last = call.sdp.remote.as_ref()?;
        let ignore = self.profile.settings.media.ignore_sdp_version;
        let same = offer == last || !ignore && version(offer)? == version(last)?;
        same.then(|| call.sdp.local.clone()).flatten()
    }

    /// Shows whether the peer holds the call.
    fn show_hold(&mut self, t: &Turn<'_>, held: bool) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        if std::mem::replace(&mut call.held, held) == held {
            return;
        }
        let (last, _) = call.written;
        match last
            .map(|last| last + DISPLAY_PAUSE)
            .filter(|at| t.now < *at)
        {
            Some(at) => call.written.1 = Some(at),
            None => self.write_display(t),
        }
    }

    /// Writes the display of a call that stands.
    fn write_display(&mut self, t: &Turn<'_>) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.written = (Some(t.now), None);
        let (party, held) = (call.line(), call.held);
        let text = match held {
            true => self.text(&[&party, "On hold"]),
            false => self.text(&[&party]),
        };
        self.say(Cc::Info, vec![text]);
    }

    /// 2xx to our re-INVITE.
    pub(crate) fn reoffer_answered(
        &mut self,
        t: &mut Turn<'_>,
        number: sip::Call,
        sdp: Option<Bytes>,
    ) {
        if !self.is_ours(number) {
            return;
        }
        match sdp.map(|sdp| self.read_answer(&sdp)) {
            Some(Ok(agreed)) => {
                self.modify_committed(t, agreed, Milestone::Changed);
                self.with_ua(t, |ua, t| ua.ack(t.now, t.rng, number));
            }
            _ => {
                self.with_ua(t, |ua, t| ua.ack(t.now, t.rng, number));
                self.broken(t, number, "the peer's answer cannot be used");
            }
        }
    }

    /// The peer did not take our new media; without them there is no speech.
    pub(crate) fn reoffer_refused(&mut self, t: &mut Turn<'_>, number: sip::Call, status: u16) {
        tracing::debug!(status, "the peer refused other media");
        self.broken(t, number, "the peer refused to move its media");
    }

    /// Neither RTP nor RTCP from the peer for long.
    pub(crate) fn media_silent(
        &mut self,
        t: &mut Turn<'_>,
        session: SessionId,
        leg: LegId,
        silent_ms: u64,
    ) {
        if leg == LegId::BASE {
            return self.base_silent(t, session);
        }
        let lost = silent_ms >= MEDIA_LOST_MS && leg == LegId::SIP;
        let Some(call) = self
            .call
            .as_ref()
            .filter(|call| lost && call.speech.session == session)
        else {
            return;
        };
        if call.phase != Phase::Active || call.held {
            return;
        }
        let reason = Reason {
            protocol: "SIP".into(),
            cause: 408,
            text: "Media timeout".into(),
        };
        let handset = ToHandset::Release(ReleaseReason::IWU_CONGESTION, "Speech lost");
        self.end(
            t,
            ToPeer::Bye(Some(reason)),
            handset,
            "no speech from the peer",
        );
    }

    /// Nothing comes from the base station. One that has no link either is gone, and its connection with it; a lost link
    /// alone is no death (`takeover.md` 9.2).
    fn base_silent(&mut self, t: &mut Turn<'_>, session: SessionId) {
        let call = self.call.as_ref();
        let call = call.filter(|call| call.speech.session == session);
        let Some(link) = call.and_then(|call| call.link.clone()) else {
            return;
        };
        if !self.links.reaches(&link.base) {
            self.connection_gone(t, &link);
        }
    }

    /// The media resource closed our session by itself.
    pub(crate) fn session_closed(&mut self, t: &mut Turn<'_>, session: SessionId) {
        let Some(call) = self
            .call
            .as_mut()
            .filter(|call| call.speech.session == session)
        else {
            return;
        };
        if !std::mem::replace(&mut call.no_session, true) {
            let handset = ToHandset::Release(ReleaseReason::IWU_CONGESTION, "Speech lost");
            self.end(
                t,
                ToPeer::Bye(None),
                handset,
                "the media resource closed the session",
            );
        }
    }

    /// A media resource is gone: a call that stands or comes in gets another one, a call going out ends (`takeover.md` 9.1).
    pub(crate) fn media_lost(&mut self, t: &mut Turn<'_>, resource: &MediaId) {
        let hit = |call: &&mut Box<crate::call::Call>| {
            call.speech
                .resource
                .as_ref()
                .is_some_and(|(id, _)| id == resource)
        };
        let Some(call) = self.call.as_mut().filter(hit) else {
            return;
        };
        if matches!(call.phase, Phase::Releasing { .. }) || call.no_session {
            return;
        }
        if call.phase != Phase::Active && call.placed == Placed::ByUs {
            call.no_session = true;
            let handset = ToHandset::Release(ReleaseReason::IWU_CONGESTION, "Network error");
            return self.end(t, ToPeer::Bye(None), handset, "the media resource was lost");
        }
        call.speech = Speech::new(SessionId(uuid_v7(t.wall, t.rng)));
        call.sdp.answer = None;
        self.open_session(t, Milestone::Moved);
    }

    /// Another media resource has both legs: the base station and the peer are told.
    pub(crate) fn moved(&mut self, t: &mut Turn<'_>) {
        let Some(offer) = self.offer() else { return };
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let (connect, Some(number)) = (call.speech.connect(), call.sip) else {
            return;
        };
        self.media(connect);
        self.note(t, Milestone::Moved);
        self.with_ua(t, |ua, t| ua.reinvite(t.now, t.rng, number, offer));
    }

    /// The handset released its connection in good order.
    pub(crate) fn link_left(&mut self, t: &mut Turn<'_>, link: &Link) {
        if self.carries(link) {
            self.without_handset(t, "released by the handset");
        }
    }

    /// Radio contact broke.
    pub(crate) fn link_lost(&mut self, t: &mut Turn<'_>, link: &Link) {
        if !self.carries(link) {
            return;
        }
        let Some(call) = self.call.as_mut() else {
            return;
        };
        if call.phase != Phase::Active {
            return self.without_handset(t, "radio contact lost");
        }
        call.link = None;
        call.speech.open_on = None;
        let page_at = t.now + DL_05;
        call.missing = Some(Missing {
            page_at: Some(page_at),
            until: page_at + LOOKED_FOR,
        });
    }

    fn carries(&self, link: &Link) -> bool {
        self.call
            .as_ref()
            .is_some_and(|call| call.link.as_ref() == Some(link))
    }

    fn without_handset(&mut self, t: &mut Turn<'_>, cause: &str) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.link = None;
        call.speech.open_on = None;
        if matches!(call.phase, Phase::Releasing { .. }) {
            return self.finish(t);
        }
        let peer = match call.answered.is_none() && call.placed == Placed::ByPeer {
            true => ToPeer::Refuse(480, Vec::new()),
            false => ToPeer::Bye(None),
        };
        self.end(t, peer, ToHandset::Nothing, cause);
    }

    /// The time of a handset that is missing: look for it, then give up.
    pub(crate) fn missing_deadline(&mut self, t: &mut Turn<'_>, missing: Missing) {
        if t.now >= missing.until {
            let reason = Reason {
                protocol: "Q.850".into(),
                cause: 27,
                text: "Radio contact lost".into(),
            };
            return self.end(
                t,
                ToPeer::Bye(Some(reason)),
                ToHandset::Nothing,
                "radio contact lost",
            );
        }
        if missing.page_at.is_some_and(|at| t.now >= at) {
            if let Some(call) = self.call.as_mut() {
                call.missing = Some(Missing {
                    page_at: None,
                    ..missing
                });
            }
            self.ring_again(t);
        }
    }

    /// The handset of a call that stands is rung again: "call resumes".
    pub(crate) fn ring_again(&mut self, t: &mut Turn<'_>) {
        let Some(call) = self.call.as_mut().filter(|call| call.missing.is_some()) else {
            return;
        };
        call.transaction = Transaction::originated(1);
        if let Some(message) = self.call_setup(true) {
            self.find(t, message);
        }
    }

    /// The user took the call again: a new path to wherever the handset is now.
    pub(crate) fn resumed(&mut self, t: &mut Turn<'_>) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        if call.missing.take().is_none() {
            return;
        }
        self.new_path(t);
        self.note(t, Milestone::Changed);
        self.say(Cc::ConnectAck, Vec::new());
    }

    /// Draws a new path of the base leg, opens it at both ends and drops the old one.
    pub(crate) fn new_path(&mut self, t: &mut Turn<'_>) {
        let Some(remote) = self.speech_address() else {
            return;
        };
        let (add, open) = (self.tags.fresh(), self.tags.fresh());
        let settings = &self.profile.settings.media;
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let Some(link) = call.link.clone() else {
            return;
        };
        let crate::speech::Leg::Open { rtp, .. } = call.speech.base else {
            return;
        };
        let (session, leg, old) = (call.speech.session, LegId::BASE, call.speech.path_id);
        let id = PathId(old.0 + 1);
        let path = call.speech.draw_path(t.rng, remote, settings);
        call.speech.path_id = id;
        call.speech.open_on = Some(link.clone());
        call.speech.opening_speech = Some(open);
        let mirrored = path.mirrored(rtp);
        self.media([Media::AddPath {
            tag: add,
            session,
            leg,
            id,
            path,
        }]);
        self.radio([Radio::OpenSpeech {
            tag: open,
            link,
            path: mirrored,
        }]);
        self.media([Media::DropPath {
            session,
            leg,
            id: old,
        }]);
    }

    /// Timers of the call.
    pub(crate) fn call_deadline(&mut self, t: &mut Turn<'_>) {
        let Some(call) = &self.call else { return };
        let due = call.phase.until().is_some_and(|until| t.now >= until);
        match call.phase {
            Phase::Dialling { .. } if due => self.dialling_over(t),
            Phase::Calling { .. } | Phase::Delivered { .. } if due => self.ring_limit_out(t),
            Phase::Presenting { .. } | Phase::Alerting { .. } | Phase::Answering { .. } if due => {
                self.nobody_answered(t);
            }
            Phase::Refused { reason, .. } if due => self.refusal_over(t, reason),
            Phase::Releasing { .. } if due => {
                self.say(
                    Cc::ReleaseCom,
                    vec![Ie::ReleaseReason(ReleaseReason::TIMER_EXPIRY)],
                );
                self.finish(t);
            }
            _ => {}
        }
        let stale = self.call.as_ref().and_then(|call| call.written.1);
        if stale.is_some_and(|at| t.now >= at) {
            self.write_display(t);
        }
        if let Some(missing) = self.call.as_ref().and_then(|call| call.missing) {
            self.missing_deadline(t, missing);
        }
    }
}

fn is_dtmf(key: char) -> bool {
    key.is_ascii_digit() || matches!(key, '*' | '#')
}

/// Session id and version of `o=`.
fn version(sdp: &[u8]) -> Option<(u64, u64)> {
    let session = sdp::parse(sdp).ok()?;
    Some((
        session.origin.sess_id.parse().ok()?,
        session.origin.sess_version,
    ))
}
