//! Calls that the handset places: from `{CC-SETUP}` to the answer or the refusal (`contracts.md` section 10, outgoing).

use bytes::Bytes;
use ipdect_dect::nwk::ie::{ProgressIndicator, ReleaseReason};
use ipdect_dect::nwk::{self, Cc, Ie};
use ipdect_sip::message::{Host, Uri};
use ipdect_sip::user_agent as sip;

use crate::action::{Action, Media};
use crate::call::{Call, Phase};
use crate::cause;
use crate::ending::{ToHandset, ToPeer};
use crate::event::{Link, Trace};
use crate::ids::uuid_v7;
use crate::media::{CallRef, Priority, SessionId, Tone};
use crate::notice::Placed;
use crate::record::Milestone;
use crate::sip::domain;
use crate::speech::Speech;
use crate::state::State;
use crate::timers::CC_01;
use crate::turn::Turn;

/// Most digits of a number.
const MOST_DIGITS: usize = 64;
/// Ends a number.
const HASH: u8 = b'#';

impl State {
    /// The user took the handset off hook.
    pub(crate) fn setup(
        &mut self,
        t: &mut Turn<'_>,
        link: &Link,
        message: &nwk::Message,
        trace: Trace,
    ) {
        let ours = message.transaction.answered();
        if let Err(reason) = self.may_call(message) {
            return self.release_com(link, ours, reason, None);
        }
        self.make_way(t);
        let began = t.wall;
        let id = CallRef(uuid_v7(began, t.rng));
        let speech = Speech::new(SessionId(uuid_v7(began, t.rng)));
        let mut call = Call::new(id, Placed::ByUs, Phase::Seizing, speech, began);
        call.link = Some(link.clone());
        call.transaction = ours;
        call.trace = trace;
        self.call = Some(Box::new(call));
        self.keys(t, &message.keypad(), message.sending_complete());
        self.open_session(t, Milestone::SetupTaken);
    }

    /// Whether the handset may place calls.
    fn may_call(&self, message: &nwk::Message) -> Result<(), ReleaseReason> {
        let identity = message
            .ipui()
            .ok_or_else(|| message.lack_of(0x05).release_reason())?;
        if Some(identity) != self.ipui() || self.profile.handset.uak.is_none() || self.ua.is_none()
        {
            return Err(ReleaseReason::UNKNOWN_IDENTITY);
        }
        match message.basic_service() {
            Some(service) if !service.is_speech() => Err(ReleaseReason::SERVICE_NOT_IMPLEMENTED),
            _ => Ok(()),
        }
    }

    /// The user's own call goes before whatever stands: a call from the peer that is not answered yields
    /// (`dect-domain.md` 9.3), a call that the handset has forgotten is over.
    fn make_way(&mut self, t: &mut Turn<'_>) {
        let Some(call) = &self.call else { return };
        let handset = match call.phase {
            Phase::Presenting { .. } | Phase::Alerting { .. } | Phase::Answering { .. } => {
                ToHandset::Complete(ReleaseReason::COLLISION)
            }
            _ => ToHandset::Nothing,
        };
        let peer = match call.answered {
            None if call.placed == Placed::ByPeer => ToPeer::Refuse(486, Vec::new()),
            _ => ToPeer::Bye(None),
        };
        self.end(t, peer, handset, "the handset placed a call");
    }

    /// Asks for a session; the record goes along.
    pub(crate) fn open_session(&mut self, t: &mut Turn<'_>, milestone: Milestone) {
        let record = self.record(t, milestone);
        let tag = self.tags.fresh();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.opening = Some(tag);
        let session = call.speech.session;
        let order = Media::OpenSession {
            tag,
            session,
            call: call.id,
            priority: Priority::Normal,
            record: record.clone(),
        };
        self.outbox.ask(Action::Media(order), tag);
        self.keep(record);
    }

    /// The base leg stands: dial tone, unless a number came along.
    pub(crate) fn seized(&mut self, t: &mut Turn<'_>) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        if !call.digits.is_empty() {
            call.phase = Phase::Dialling {
                until: t.now + self.profile.settings.call.digit_timeout,
            };
            return self.check_number(t, false);
        }
        call.phase = Phase::Dialling {
            until: t.now + CC_01,
        };
        let progress = self.sound(Tone::Dial);
        self.say(Cc::SetupAck, progress);
    }

    /// Lets a tone sound, and answers with the element that makes the handset play or hear it.
    fn sound(&mut self, tone: Tone) -> Vec<Ie> {
        if let Some(signal) = self.local_signal(tone) {
            return vec![Ie::Signal(signal)];
        }
        let order = self.call.as_mut().and_then(|call| call.speech.play(tone));
        self.media(order);
        vec![Ie::ProgressIndicator(ProgressIndicator::IN_BAND)]
    }

    /// Keys: digits while dialling, DTMF in a call.
    pub(crate) fn keys(&mut self, t: &mut Turn<'_>, keys: &[u8], complete: bool) {
        match self.call.as_ref().map(|call| call.phase) {
            Some(Phase::Seizing | Phase::Dialling { .. }) => self.dial(t, keys, complete),
            Some(Phase::Active) => self.send_dtmf(t, keys),
            _ => {}
        }
    }

    fn dial(&mut self, t: &mut Turn<'_>, keys: &[u8], complete: bool) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let mut complete = complete;
        for key in keys {
            match *key {
                HASH if !call.digits.is_empty() => complete = true,
                b'0'..=b'9' | b'*' | HASH | b'+'
                    if !complete && call.digits.len() < MOST_DIGITS =>
                {
                    call.digits.push(char::from(*key));
                }
                _ => {}
            }
        }
        call.dialled |= complete;
        if let Phase::Dialling { until } = &mut call.phase
            && !call.digits.is_empty()
        {
            *until = t.now + self.profile.settings.call.digit_timeout;
            let stop = call.speech.stop_tone();
            self.media(stop);
            self.check_number(t, false);
        }
    }

    /// Calls the number if it is complete, or if no more digits will come.
    fn check_number(&mut self, t: &mut Turn<'_>, timed_out: bool) {
        let Some(call) = self.call.as_ref() else {
            return;
        };
        let plan = &self.profile.settings.call.dial_plan;
        if timed_out || call.dialled || plan.iter().any(|rule| rule.completes(&call.digits)) {
            self.prepare(t);
        }
    }

    /// Dialling came to its end by time.
    pub(crate) fn dialling_over(&mut self, t: &mut Turn<'_>) {
        match self
            .call
            .as_ref()
            .is_some_and(|call| call.digits.is_empty())
        {
            true => {
                let handset = ToHandset::Release(ReleaseReason::TIMER_EXPIRY, "No number");
                self.end(t, ToPeer::Nothing, handset, "nothing was dialled");
            }
            false => self.check_number(t, true),
        }
    }

    /// The number is complete: the SIP leg is asked for.
    fn prepare(&mut self, t: &mut Turn<'_>) {
        let tag = self.tags.fresh();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.dialled = true;
        call.phase = Phase::Preparing;
        call.party.uri.clone_from(&call.digits);
        let order = call
            .speech
            .open_sip(tag, t.rng, &self.profile.settings.media);
        self.media([order]);
    }

    /// The SIP leg stands: INVITE, once the record that says so is committed.
    pub(crate) fn invite(&mut self, t: &mut Turn<'_>) {
        let Some(to) = self.target() else {
            return self.unreachable_number(t);
        };
        let number = sip::Call(self.placed);
        self.placed = (self.placed + 1) % sip::Call::INCOMING.0;
        let Some(offer) = self.offer() else { return };
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.sip = Some(number);
        call.phase = Phase::Calling {
            until: t.now + self.profile.settings.call.ring_limit,
        };
        self.say(Cc::CallProc, Vec::new());
        self.note(t, Milestone::Calling);
        self.acknowledge_all(t);
        self.with_ua(t, |ua, t| {
            ua.invite(t.now, t.rng, number, to, offer, Vec::new())
        });
    }

    /// Whom the digits mean: the number at the user's own domain.
    fn target(&self) -> Option<Uri> {
        let (call, user) = (self.call.as_ref()?, self.profile.user.as_ref()?);
        let host = Host::parse(domain(&self.profile, user)).ok()?;
        Some(Uri::sip(Some(&call.digits), host, None))
    }

    fn unreachable_number(&mut self, t: &mut Turn<'_>) {
        let handset = ToHandset::Release(ReleaseReason::USER_UNKNOWN, "Unknown number");
        self.end(t, ToPeer::Nothing, handset, "the number makes no address");
    }

    /// 18x: the other side rings, or talks already.
    pub(crate) fn progress(
        &mut self,
        t: &mut Turn<'_>,
        number: sip::Call,
        status: u16,
        tag: Option<&str>,
        sdp: Option<Bytes>,
    ) {
        let Some(call) = self.call.as_mut().filter(|call| call.sip == Some(number)) else {
            return;
        };
        let (Phase::Calling { until } | Phase::Delivered { until }) = call.phase else {
            return;
        };
        let first_tag = tag.is_some() && !std::mem::replace(&mut call.tag_seen, true);
        if first_tag {
            self.note(t, Milestone::FirstTag);
        }
        if let Some(sdp) = sdp {
            self.early_media(&sdp);
        }
        if status == 180 || status == 183 && self.has_early_media() {
            self.delivered(until);
        }
    }

    fn has_early_media(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.speech.connected)
    }

    /// Says once that the other side rings; ring-back sounds unless the peer brings its own.
    fn delivered(&mut self, until: std::time::Instant) {
        let early = self.has_early_media();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.phase = Phase::Delivered { until };
        if std::mem::replace(&mut call.alerted, true) {
            return;
        }
        let progress = match early {
            true => vec![Ie::ProgressIndicator(ProgressIndicator::IN_BAND)],
            false => self.sound(Tone::RingBack),
        };
        self.say(Cc::Alerting, progress);
    }

    fn early_media(&mut self, sdp: &Bytes) {
        if let Ok(agreed) = self.read_answer(sdp) {
            let order = self.modify(agreed, None);
            let call = self.call.as_mut();
            let (stop, connect) = call
                .map(|c| (c.speech.stop_tone(), c.speech.connect()))
                .unwrap_or_default();
            self.media(order.into_iter().chain(stop).chain(connect));
        }
    }

    /// 200: commit, ACK, connect.
    pub(crate) fn answered(&mut self, t: &mut Turn<'_>, number: sip::Call, sdp: Option<Bytes>) {
        if !self.is_ours(number) {
            return;
        }
        let known = self.call.as_ref().and_then(|call| call.sdp.remote.clone());
        let agreed = sdp.or(known).map(|sdp| self.read_answer(&sdp));
        let Some(Ok(agreed)) = agreed else {
            return self.no_common_media(t, number);
        };
        self.answered_now(t);
        self.modify_committed(t, agreed, Milestone::Active);
        self.with_ua(t, |ua, t| ua.ack(t.now, t.rng, number));
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let orders = call
            .speech
            .stop_tone()
            .into_iter()
            .chain(call.speech.connect());
        let orders: Vec<Media> = orders.collect();
        self.media(orders);
        self.say(Cc::Connect, Vec::new());
    }

    /// The call is answered now.
    pub(crate) fn answered_now(&mut self, t: &Turn<'_>) {
        if let Some(call) = self.call.as_mut() {
            call.phase = Phase::Active;
            call.answered = Some(t.wall);
        }
        self.usage.begins();
    }

    /// The peer accepted with media that cannot be had.
    fn no_common_media(&mut self, t: &mut Turn<'_>, number: sip::Call) {
        self.with_ua(t, |ua, t| ua.ack(t.now, t.rng, number));
        let handset = ToHandset::Release(ReleaseReason::INCOMPATIBLE_SERVICE, "Not compatible");
        self.end(t, ToPeer::Bye(None), handset, "no common media");
    }

    /// The peer, or the way to it, refused.
    pub(crate) fn refused(&mut self, t: &mut Turn<'_>, number: sip::Call, status: u16, why: &str) {
        if !self.is_ours(number) {
            return;
        }
        if let Some(call) = self.call.as_mut() {
            call.sip = None;
            call.cause = format!("refused: {status} {why}");
        }
        self.hear_refusal(t, cause::refusal(status));
    }

    /// Lets the user hear and read why, until they hang up or time is over.
    fn hear_refusal(&mut self, t: &Turn<'_>, refusal: cause::Refusal) {
        let until = t.now + self.profile.settings.call.refusal_tone;
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.phase = Phase::Refused {
            until,
            reason: refusal.reason,
        };
        let orders: Vec<Media> = call.speech.disconnect().into_iter().collect();
        self.media(orders);
        let mut elements = self.sound(refusal.tone);
        elements.push(self.text(&[refusal.text]));
        self.say(Cc::Info, elements);
    }

    /// The tone of a refusal was long enough.
    pub(crate) fn refusal_over(&mut self, t: &mut Turn<'_>, reason: ReleaseReason) {
        let cause = self
            .call
            .as_ref()
            .map(|call| call.cause.clone())
            .unwrap_or_default();
        self.end(t, ToPeer::Nothing, ToHandset::Release(reason, ""), &cause);
    }

    /// Nobody answered in time: CANCEL, once the record that says so is committed.
    pub(crate) fn ring_limit_out(&mut self, t: &mut Turn<'_>) {
        self.note(t, Milestone::Ending);
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.cause = "no answer".into();
        if let Some(number) = call.sip.take() {
            self.with_ua(t, |ua, t| ua.cancel(t.now, t.rng, number, None));
        }
        self.hear_refusal(t, cause::refusal(408));
    }
}
