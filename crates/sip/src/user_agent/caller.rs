//! Calls of ours until they stand: INVITE, its responses, ACK, CANCEL. Source: RFC 3261 sections 9.1 and 13.2.

use bytes::Bytes;

use super::call::{CallState, GivingUp, MIN_SE, SessionTimer, reason_of, reason_value};
use super::core::{
    ALLOW, Attempt, Outcome, Owner, SDP, SUPPORTED, Turn, retry_after, sdp_of, with_extra,
};
use super::{By, Call, Event, Extra, Output, Reason, Transmit, UserAgent};
use crate::dialog::{Dialog, Phase, Sequence};
use crate::message::{Edit, HeaderName, Message, Method, NameAddr, Scheme, Uri};
use crate::transaction::{Hop, TransactionKey, cancel, code};

/// Early dialogs kept: what the record has room for.
const EARLY_DIALOGS: usize = 4;

impl UserAgent {
    pub(super) fn start_call(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        to: Uri,
        offer: Bytes,
        extra: &[Extra],
    ) {
        if self.calls.contains_key(&call) || call >= Call::INCOMING {
            tracing::debug!(
                call = call.0,
                "number of a call in use or not ours to choose"
            );
            return;
        }
        let to = if self.config.use_sips && to.scheme() == &Scheme::Sip {
            to.with_scheme(Scheme::Sips)
        } else {
            to
        };
        let ids = (self.new_call_id(t), self.tag(t));
        let mut sequence = Sequence::new(self.config.generation);
        let number = sequence.next(self.config.generation);
        let (from, to_address) = (self.own_address(&ids.1), NameAddr::new(to.clone()));
        let session = self.config.session_expires.as_secs();
        let timer = (session > 0).then(|| format!("{session};refresher=uac"));
        let builder = self
            .request(Method::Invite, &to, (&from, &to_address, &ids.0), number)
            .header(HeaderName::Contact, self.contact())
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED)
            .header_opt(HeaderName::SessionExpires, timer)
            .header(HeaderName::MinSe, MIN_SE);
        let request = with_extra(builder, extra).body(SDP, offer.clone()).build();
        let mut state = CallState::new(Phase::Calling, ids, sequence, Attempt::new(request));
        state.invite_cseq = number;
        state.contact_sent = self.contact().uri.to_string();
        state.pending_sdp = Some(offer);
        if self.try_next(t, &mut state.attempt, Owner::Invite(call)) {
            self.calls.insert(call, state);
        } else {
            t.tell(Event::Refused {
                call,
                status: 503,
                reason: String::new(),
                retry_after: None,
            });
        }
    }

    /// Takes in a response to an INVITE that opens a call, or its failure.
    pub(super) fn invite_concluded(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        key: &TransactionKey,
        outcome: Outcome,
    ) {
        if self
            .calls
            .get(&call)
            .is_none_or(|s| s.attempt.key.as_ref() != Some(key))
        {
            return self.too_late(t, key, &outcome);
        }
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        let keep = match outcome.status() {
            ..200 => self.provisional(t, call, &mut state, &outcome),
            200..=299 => self.accepted(t, call, &mut state, &outcome),
            _ => self.refused(t, call, &mut state, outcome),
        };
        if keep {
            self.calls.insert(call, state);
        }
    }

    /// A 2xx for a call that is over already makes a dialog all the same: end it.
    fn too_late(&mut self, t: &mut Turn<'_>, key: &TransactionKey, outcome: &Outcome) {
        if let (Some(invite), Outcome::Response(response)) =
            (self.table.request(key).cloned(), outcome)
            && code(response) / 100 == 2
        {
            self.end_fork(t, &invite, response);
        }
    }

    fn provisional(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        outcome: &Outcome,
    ) -> bool {
        let Outcome::Response(response) = outcome else {
            return true;
        };
        if !matches!(state.phase, Phase::Calling | Phase::Early) {
            return true;
        }
        self.judge_proxy(t, state.attempt.proxy, outcome);
        if state.giving_up.is_some() {
            self.send_cancel(t, call, state);
            return true;
        }
        let status = code(response);
        if status == 100 {
            return true;
        }
        let to_tag = response
            .to()
            .ok()
            .and_then(|to| to.tag().map(str::to_owned));
        if let Some(tag) = &to_tag {
            self.note_early(state, tag, response);
        }
        let sdp = sdp_of(response);
        state.note_remote_sdp(sdp.as_ref());
        t.tell(Event::Progress {
            call,
            status,
            to_tag,
            sdp,
        });
        true
    }

    fn note_early(&self, state: &mut CallState, tag: &str, response: &Message) {
        state.phase = Phase::Early;
        state.note_abilities(response);
        if let Some(known) = state.early.get_mut(tag) {
            known.refresh_target(response);
        } else if state.early.len() < EARLY_DIALOGS
            && let Ok(dialog) = Dialog::of_caller(&state.attempt.request, response, state.sequence)
        {
            state.early.insert(tag.to_owned(), dialog);
        }
    }

    fn accepted(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        outcome: &Outcome,
    ) -> bool {
        let Outcome::Response(response) = outcome else {
            return true;
        };
        let tag = response
            .to()
            .ok()
            .and_then(|to| to.tag().map(str::to_owned))
            .unwrap_or_default();
        if let Some(dialog) = &state.dialog {
            if dialog.remote_tag() != tag {
                self.end_fork(t, &state.attempt.request, response);
            } else if let Some(ack) = state.ack.clone() {
                let hop = self.dialog_hop(state, dialog);
                t.out.push(Output::Send(Transmit {
                    message: ack,
                    to: hop,
                    transaction: None,
                }));
            }
            return true;
        }
        self.judge_proxy(t, state.attempt.proxy, outcome);
        let Ok(dialog) = Dialog::of_caller(&state.attempt.request, response, state.sequence) else {
            tracing::debug!("2xx that makes no dialog");
            return true;
        };
        state.early.clear();
        state.note_abilities(response);
        state.dialog = Some(dialog);
        state.phase = Phase::Answered;
        if let Some(giving_up) = state.giving_up.take() {
            // It crossed our CANCEL.
            self.send_ack(t, state);
            return self.send_bye(t, call, state, giving_up.reason);
        }
        state.session = SessionTimer::granted(t.now, response);
        state.local_sdp = state.pending_sdp.take().or(state.local_sdp.take());
        let sdp = sdp_of(response);
        state.note_remote_sdp(sdp.as_ref());
        t.tell(Event::Answered { call, sdp });
        true
    }

    /// Ends a dialog that nobody waits for: another branch of our INVITE answered too.
    pub(super) fn end_fork(&mut self, t: &mut Turn<'_>, invite: &Message, response: &Message) {
        let mut sequence = Sequence::new(self.config.generation);
        sequence.raise(invite.cseq().map_or(0, |c| c.number));
        let Ok(mut dialog) = Dialog::of_caller(invite, response, sequence) else {
            return;
        };
        let hop = Hop::Uri(dialog.next_hop().clone());
        let message = self.ack_for(t, &dialog, invite, &hop);
        t.out.push(Output::Send(Transmit {
            message,
            to: hop.clone(),
            transaction: None,
        }));
        let (number, via) = (
            dialog.sequence.next(self.config.generation),
            self.via(t, &hop),
        );
        let bye = dialog
            .request(Method::Bye, number, &via, self.config.max_forwards)
            .build();
        self.transmit(t, bye, hop, Owner::Nobody);
    }

    fn refused(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        outcome: Outcome,
    ) -> bool {
        let failure = self.judge_proxy(t, state.attempt.proxy, &outcome);
        if state.dialog.is_some() {
            return true;
        }
        if state.giving_up.is_some() {
            t.tell(Event::Ended {
                call,
                by: By::Local,
                reason: None,
            });
            return false;
        }
        // Once a phone rings another attempt would make it ring twice.
        let may_go_on = failure.is_some() && state.phase == Phase::Calling;
        if may_go_on && self.try_next(t, &mut state.attempt, Owner::Invite(call)) {
            return true;
        }
        if let Outcome::Response(response) = &outcome
            && self.try_changed(t, call, state, response)
        {
            return true;
        }
        let status = outcome.status();
        let event = match &outcome {
            Outcome::Response(r) => {
                let reason = reason_of(r)
                    .map(|reason| reason.text)
                    .filter(|text| !text.is_empty());
                let reason = reason.unwrap_or_else(|| r.reason().into_owned());
                Event::Refused {
                    call,
                    status,
                    reason,
                    retry_after: retry_after(r),
                }
            }
            Outcome::Failed(_) => Event::Refused {
                call,
                status,
                reason: String::new(),
                retry_after: None,
            },
        };
        t.tell(event);
        false
    }

    /// Sends the INVITE again as its refusal asks: with credentials, or a longer session interval.
    fn try_changed(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        response: &Message,
    ) -> bool {
        let changed = match code(response) {
            401 | 407 => self.answer_challenge(t, &mut state.attempt, response),
            422 if state.attempt.challenges < 3 => {
                state.attempt.challenges += 1;
                lengthen(&mut state.attempt.request, response)
            }
            _ => false,
        };
        if changed {
            state.invite_cseq = state.sequence.next(self.config.generation);
            let edit = Edit::new(&state.attempt.request);
            state.attempt.request = edit
                .set(HeaderName::CSeq, format!("{} INVITE", state.invite_cseq))
                .build();
            state.phase = Phase::Calling;
            state.early.clear();
            self.send_attempt(t, &mut state.attempt, Owner::Invite(call));
        }
        changed
    }

    /// Acknowledges what was accepted: the call, or our re-INVITE.
    pub(super) fn ack_call(&mut self, t: &mut Turn<'_>, call: Call) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        match state.phase {
            Phase::Answered => {
                self.send_ack(t, &mut state);
                state.phase = Phase::Confirmed;
            }
            _ => self.ack_change(t, &mut state),
        }
        self.calls.insert(call, state);
    }

    pub(super) fn send_ack(&mut self, t: &mut Turn<'_>, state: &mut CallState) {
        let Some(dialog) = &state.dialog else { return };
        let hop = self.dialog_hop(state, dialog);
        let message = self.ack_for(t, dialog, &state.attempt.request, &hop);
        state.ack = Some(message.clone());
        t.out.push(Output::Send(Transmit {
            message,
            to: hop,
            transaction: None,
        }));
    }

    /// Gives up our INVITE.
    pub(super) fn give_up(&mut self, t: &mut Turn<'_>, call: Call, reason: Option<Reason>) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if matches!(state.phase, Phase::Calling | Phase::Early) && state.giving_up.is_none() {
            state.giving_up = Some(GivingUp {
                reason,
                sent: false,
                until: None,
            });
            // Before any 1xx nobody may be told (RFC 3261 section 9.1). After a takeover there is no transaction to ask.
            let orphan = state
                .attempt
                .key
                .as_ref()
                .is_none_or(|key| !self.table.has(key));
            if orphan
                || state
                    .attempt
                    .key
                    .as_ref()
                    .is_some_and(|key| self.table.is_proceeding(key))
            {
                self.send_cancel(t, call, &mut state);
            }
        }
        self.calls.insert(call, state);
    }

    fn send_cancel(&mut self, t: &mut Turn<'_>, call: Call, state: &mut CallState) {
        let Some(giving_up) = state.giving_up.as_mut().filter(|g| !g.sent) else {
            return;
        };
        giving_up.sent = true;
        giving_up.until = Some(t.now + self.config.timers.t64());
        let reason = giving_up.reason.as_ref().map(reason_value);
        let message = cancel(&state.attempt.request, reason.as_deref());
        self.transmit(
            t,
            message,
            Hop::Proxy(state.attempt.proxy.unwrap_or(0)),
            Owner::Cancel(call),
        );
    }
}

/// Raises Session-Expires and Min-SE to what a 422 asks for. Source: RFC 4028 section 7.4.
pub(super) fn lengthen(request: &mut Message, response: &Message) -> bool {
    let min = response
        .header(HeaderName::MinSe)
        .and_then(|v| v.text().split(';').next()?.trim().parse::<u32>().ok());
    let Some(min) = min.filter(|min| (MIN_SE..=86_400).contains(min)) else {
        return false;
    };
    let refresher = if request.to().is_ok_and(|to| to.tag().is_some()) {
        ""
    } else {
        ";refresher=uac"
    };
    *request = Edit::new(request)
        .set(HeaderName::SessionExpires, format!("{min}{refresher}"))
        .set(HeaderName::MinSe, min)
        .build();
    true
}

impl SessionTimer {
    /// The timer that a 2xx to our request grants, if any. Source: RFC 4028 section 7.2.
    pub(super) fn granted(now: std::time::Instant, response: &Message) -> Option<SessionTimer> {
        let (interval, refresher) = session_expires(response)?;
        Some(SessionTimer::new(
            now,
            interval,
            refresher.as_deref() != Some("uas"),
        ))
    }
}

/// Session-Expires: seconds and refresher.
pub(super) fn session_expires(message: &Message) -> Option<(u32, Option<String>)> {
    let text = message
        .header(HeaderName::SessionExpires)?
        .text()
        .into_owned();
    let (seconds, params) = text.split_once(';').unwrap_or((&text, ""));
    let params = crate::message::Params::parse(&format!(";{params}")).unwrap_or_default();
    let refresher = params.get("refresher").map(str::to_ascii_lowercase);
    Some((seconds.trim().parse().ok()?, refresher))
}
