//! Calls of the peer until they stand: INVITE, our answers, CANCEL, ACK. Source: RFC 3261 sections 9.2 and 13.3.

use std::time::Duration;

use bytes::Bytes;

use super::call::{CallState, MIN_SE, SessionTimer, TheirChange, Unacknowledged, reason_of};
use super::caller::session_expires;
use super::core::{ALLOW, Attempt, SDP, SUPPORTED, Turn, hop_by_via, sdp_of, with_extra};
use super::{Call, Event, Extra, Output, Transmit, UserAgent};
use crate::dialog::{Dialog, Phase, Sequence};
use crate::message::{Builder, HeaderName, Message, StatusCode};
use crate::transaction::{Resend, TransactionKey};

/// A 1xx is repeated this often while the handset rings (RFC 3261 section 13.3.1.1).
const PROGRESS_AGAIN: Duration = Duration::from_secs(60);

impl UserAgent {
    /// Takes in an INVITE that opens a call.
    pub(super) fn invited(&mut self, t: &mut Turn<'_>, key: TransactionKey, invite: Message) {
        if self.invited_again(t, &key, &invite) {
            return;
        }
        let no_body = invite.body().is_empty();
        let offer = sdp_of(&invite);
        if !no_body && offer.is_none() {
            return self.respond(t, &key, &invite, 415, &[(HeaderName::Accept, SDP.into())]);
        }
        if let Some(status) = self.judge_replaces(&invite) {
            return self.respond(t, &key, &invite, status, &[]);
        }
        if session_expires(&invite).is_some_and(|(seconds, _)| seconds < MIN_SE) {
            return self.respond(
                t,
                &key,
                &invite,
                422,
                &[(HeaderName::MinSe, MIN_SE.to_string())],
            );
        }
        let tag = self.tag(t);
        let dialog = match Dialog::of_callee(&invite, &tag, Sequence::new(self.config.generation)) {
            Ok(dialog) => dialog,
            Err(error) => {
                tracing::debug!(%error, "INVITE that makes no dialog");
                return self.respond(t, &key, &invite, 400, &[]);
            }
        };
        let call = self.free_number();
        let mut state = CallState::new(
            Phase::Incoming,
            (dialog.call_id.clone(), tag),
            dialog.sequence,
            Attempt::new(invite.clone()),
        );
        state.note_abilities(&invite);
        state.note_remote_sdp(offer.as_ref());
        state.contact_sent = self.contact().uri.to_string();
        let from = dialog.remote.clone();
        let to = dialog.local.uri.clone();
        state.dialog = Some(dialog);
        state.theirs = Some(TheirChange {
            key: Some(key.clone()),
            request: invite.clone(),
            offered: offer.is_some(),
        });
        self.calls.insert(call, state);
        let trying = Builder::response_to(&invite, StatusCode::TRYING, None).build();
        let effects = self.table.respond(t.now, &key, trying);
        self.run(t, effects);
        t.tell(Event::Incoming {
            call,
            display: from.display.as_deref().unwrap_or("").to_owned(),
            from: from.uri,
            to,
            offer,
            alert_info: invite
                .header(HeaderName::AlertInfo)
                .map(|v| v.text().into_owned()),
            message: invite,
        });
    }

    /// The INVITE of a call that was taken over before it was answered, repeated or on another path: answers go there from
    /// now on (`takeover.md` 6, rule 8).
    fn invited_again(&mut self, t: &mut Turn<'_>, key: &TransactionKey, invite: &Message) -> bool {
        let names = |m: &Message| {
            let from = m.from().ok()?;
            let tag = from.tag()?.to_owned();
            Some((m.call_id().ok()?.to_owned(), tag, m.cseq().ok()?.number))
        };
        let Some(wanted) = names(invite) else {
            return false;
        };
        let is_it = |state: &CallState| {
            let theirs = state.theirs.as_ref()?;
            // Its transaction, if there is one, began with this very request.
            let lives = |known: &TransactionKey| known != key && self.table.has(known);
            let orphan = !theirs.key.as_ref().is_some_and(lives);
            let same = state.phase == Phase::Incoming && names(&theirs.request)? == wanted;
            Some(orphan && same)
        };
        let found = self
            .calls
            .iter()
            .find(|(_, state)| is_it(state) == Some(true));
        let Some(call) = found.map(|(call, _)| *call) else {
            return false;
        };
        let Some(mut state) = self.calls.remove(&call) else {
            return false;
        };
        state.attempt = Attempt::new(invite.clone());
        if let Some(theirs) = &mut state.theirs {
            (theirs.key, theirs.request) = (Some(key.clone()), invite.clone());
        }
        let status = state.progress.as_ref().and_then(|(said, _)| said.status());
        let response = match status {
            Some(status) => self.dialog_response(&state, status.code()).build(),
            None => Builder::response_to(invite, StatusCode::TRYING, None).build(),
        };
        self.send_response(t, &state, response);
        self.calls.insert(call, state);
        true
    }

    /// INVITE with Replaces (RFC 3891): we do not replace dialogs yet, so 501 for ours, 481 for others.
    fn judge_replaces(&self, invite: &Message) -> Option<u16> {
        let value = invite.header(HeaderName::Replaces)?.text().into_owned();
        let call_id = value.split(';').next().unwrap_or("").trim();
        Some(if self.calls.values().any(|c| c.call_id == call_id) {
            501
        } else {
            481
        })
    }

    fn free_number(&self) -> Call {
        let mut call = Call::INCOMING;
        while self.calls.contains_key(&call) {
            call.0 += 1;
        }
        call
    }

    /// Says 1xx to the caller.
    pub(super) fn say_progress(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        status: u16,
        sdp: Option<Bytes>,
    ) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if state.phase == Phase::Incoming && (101..200).contains(&status) {
            let builder = self.dialog_response(&state, status);
            if let Some(sdp) = &sdp {
                state.local_sdp = Some(sdp.clone());
            }
            let response = with_sdp(builder, sdp).build();
            state.progress = Some((response.clone(), t.now + PROGRESS_AGAIN));
            self.send_response(t, &state, response);
        }
        self.calls.insert(call, state);
    }

    /// Repeats the last 1xx, so that proxies do not give up.
    pub(super) fn repeat_progress(&mut self, t: &mut Turn<'_>, state: &mut CallState) {
        if let Some((response, at)) = &mut state.progress
            && t.now >= *at
        {
            *at = t.now + PROGRESS_AGAIN;
            let response = response.clone();
            self.send_response(t, state, response);
        }
    }

    /// Accepts the call.
    pub(super) fn accept(&mut self, t: &mut Turn<'_>, call: Call, sdp: Bytes) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if state.phase == Phase::Incoming && state.giving_up.is_none() {
            state.progress = None;
            self.accept_change(t, &mut state, Some(sdp), false);
            state.phase = Phase::Unacknowledged;
        }
        self.calls.insert(call, state);
    }

    /// Says 200 to the peer's open INVITE or UPDATE; an INVITE then waits for its ACK.
    pub(super) fn accept_change(
        &mut self,
        t: &mut Turn<'_>,
        state: &mut CallState,
        sdp: Option<Bytes>,
        silent: bool,
    ) {
        let Some(theirs) = &state.theirs else { return };
        let is_invite = theirs.request.method() == Some(&crate::message::Method::Invite);
        let (offered, key) = (theirs.offered, theirs.key.clone());
        let timer = self.session_for(t, &theirs.request);
        let mut builder = self.dialog_response(state, 200);
        if let Some((timer, supported)) = &timer {
            let refresher = if timer.we_refresh { "uas" } else { "uac" };
            builder = builder
                .header_opt(HeaderName::Require, supported.then_some("timer"))
                .header(
                    HeaderName::SessionExpires,
                    format!("{};refresher={refresher}", timer.interval.as_secs()),
                );
        }
        if let Some(sdp) = &sdp {
            if offered || !is_invite {
                state.local_sdp = Some(sdp.clone());
            } else {
                state.pending_sdp = Some(sdp.clone());
            }
        }
        let response = with_sdp(builder, sdp).build();
        state.session = timer.map(|(timer, _)| timer);
        self.send_response(t, state, response.clone());
        state.theirs = None;
        if is_invite {
            let timers = self.config.timers;
            state.unacknowledged = Some(Unacknowledged {
                response,
                key,
                resend: Resend::new(t.now, timers.t1, Some(timers.t2)),
                give_up_at: t.now + timers.t64(),
                offered: !offered,
                silent,
            });
        }
    }

    /// Refuses the call.
    pub(super) fn refuse(&mut self, t: &mut Turn<'_>, call: Call, status: u16, extra: &[Extra]) {
        let Some(state) = self.calls.remove(&call) else {
            return;
        };
        if state.phase != Phase::Incoming {
            self.calls.insert(call, state);
            return;
        }
        let status = status.clamp(300, 699);
        let response = with_extra(self.dialog_response(&state, status), extra).build();
        self.send_response(t, &state, response);
    }

    /// CANCEL: answered at once; the INVITE is refused by its owner. Source: RFC 3261 section 9.2.
    pub(super) fn cancelled(&mut self, t: &mut Turn<'_>, key: &TransactionKey, request: &Message) {
        let invite = TransactionKey::cancelled(request);
        let found = self.calls.iter().find(|(_, s)| {
            let theirs = s.theirs.as_ref().filter(|theirs| theirs.key.is_some());
            theirs.is_some_and(|theirs| theirs.key == invite)
        });
        let Some((&call, state)) = found else {
            let known = invite.is_some_and(|invite| self.table.has(&invite));
            return self.respond(t, key, request, if known { 200 } else { 481 }, &[]);
        };
        let phase = state.phase;
        let ok = self.response(request, 200, &state.local_tag).build();
        let effects = self.table.respond(t.now, key, ok);
        self.run(t, effects);
        if phase == Phase::Incoming {
            let reason = reason_of(request);
            let completed_elsewhere =
                reason.is_some_and(|r| r.protocol.eq_ignore_ascii_case("SIP") && r.cause == 200);
            if let Some(state) = self.calls.get_mut(&call) {
                // From here on only a refusal makes sense.
                state.giving_up = Some(super::call::GivingUp {
                    reason: None,
                    sent: true,
                    until: None,
                });
                state.progress = None;
            }
            t.tell(Event::Cancelled {
                call,
                completed_elsewhere,
            });
        } else {
            self.reject_change(t, call, 487);
        }
    }

    /// Takes in an ACK of one of our 2xx.
    pub(super) fn ack_received(&mut self, t: &mut Turn<'_>, ack: &Message) {
        let Some(call) = self.call_of(ack) else {
            return;
        };
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        let number = ack.cseq().map_or(0, |c| c.number);
        let waits = state
            .unacknowledged
            .take_if(|u| u.response.cseq().is_ok_and(|c| c.number == number));
        let Some(waits) = waits else {
            self.calls.insert(call, state);
            return;
        };
        if state.phase == Phase::Unacknowledged {
            state.phase = Phase::Confirmed;
        }
        let sdp = sdp_of(ack).filter(|_| waits.offered);
        if waits.offered {
            state.local_sdp = state.pending_sdp.take().or(state.local_sdp.take());
            state.note_remote_sdp(sdp.as_ref());
        }
        if !waits.silent {
            t.tell(Event::Acked { call, sdp });
        }
        let keep = match state.bye_wanted.take() {
            Some(reason) => self.send_bye(t, call, &mut state, reason),
            None => true,
        };
        if keep {
            self.calls.insert(call, state);
        }
    }

    /// Repeats a 2xx, or gives up waiting for its ACK. Source: RFC 3261 section 13.3.1.4.
    pub(super) fn await_ack(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
    ) -> bool {
        let Some(waits) = &mut state.unacknowledged else {
            return true;
        };
        if t.now >= waits.give_up_at {
            state.unacknowledged = None;
            state.phase = Phase::Confirmed;
            t.tell(Event::AckTimeout { call });
            return match state.bye_wanted.take() {
                Some(reason) => self.send_bye(t, call, state, reason),
                None => true,
            };
        }
        if waits.resend.is_due(t.now) {
            waits.resend.advance(t.now);
            let (key, response) = (waits.key.clone(), waits.response.clone());
            self.send_by(t, key.as_ref(), response);
        }
        true
    }

    /// Starts a response inside the dialog to the peer's open request.
    pub(super) fn dialog_response(&self, state: &CallState, status: u16) -> Builder {
        let request = state
            .theirs
            .as_ref()
            .map_or(&state.attempt.request, |theirs| &theirs.request);
        let builder = self.response(request, status, &state.local_tag);
        if status >= 300 {
            return builder;
        }
        builder
            .copy_all(request, HeaderName::RecordRoute)
            .header(HeaderName::Contact, self.contact())
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
    }

    /// Sends a response to the peer's open request.
    pub(super) fn send_response(&mut self, t: &mut Turn<'_>, state: &CallState, response: Message) {
        let key = state.theirs.as_ref().and_then(|theirs| theirs.key.clone());
        self.send_by(t, key.as_ref(), response);
    }

    /// Sends a response by its transaction, or by its Via when that died with the former owner.
    pub(super) fn send_by(
        &mut self,
        t: &mut Turn<'_>,
        key: Option<&TransactionKey>,
        response: Message,
    ) {
        if let Some(key) = key.filter(|key| self.table.has(key)) {
            let effects = self.table.respond(t.now, key, response);
            self.run(t, effects);
        } else if let Ok(via) = response.top_via() {
            t.out.push(Output::Send(Transmit {
                message: response,
                to: hop_by_via(&via),
                transaction: None,
            }));
        }
    }

    /// The session timer for our 2xx to a request, and whether the peer knows timers. Source: RFC 4028 section 9, table 2.
    fn session_for(&self, t: &Turn<'_>, request: &Message) -> Option<(SessionTimer, bool)> {
        let supported = request.lists(HeaderName::Supported, "timer");
        let ours = u32::try_from(self.config.session_expires.as_secs()).unwrap_or(0);
        let (interval, refresher) = match session_expires(request) {
            Some((asked, refresher)) => (asked, refresher),
            None if ours > 0 => (ours, None),
            None => return None,
        };
        let we_refresh = refresher.as_deref() != Some("uac");
        Some((
            SessionTimer::new(t.now, interval, we_refresh),
            supported && !we_refresh,
        ))
    }
}

fn with_sdp(builder: Builder, sdp: Option<Bytes>) -> Builder {
    match sdp {
        Some(sdp) => builder.body(SDP, sdp),
        None => builder,
    }
}
