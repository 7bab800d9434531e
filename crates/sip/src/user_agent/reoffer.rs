//! Changes of a standing session: re-INVITE and UPDATE both ways, session refreshes.
//!
//! Source: RFC 3261 section 14, RFC 3311, RFC 4028.

use std::time::Duration;

use bytes::Bytes;

use super::call::{CallState, MIN_SE, OurChange, SessionTimer, TheirChange};
use super::caller::lengthen;
use super::core::{ALLOW, Attempt, Outcome, Owner, SDP, SUPPORTED, Turn, hash, sdp_of};
use super::{By, Call, Event, Output, Transmit, UserAgent};
use crate::dialog::Phase;
use crate::message::{HeaderName, Message, Method};
use crate::transaction::TransactionKey;

/// Challenges and longer intervals accepted for one request.
const CHANGES: u8 = 3;

impl UserAgent {
    /// Notes the offer and sends it if nothing is open.
    pub(super) fn want_offer(&mut self, t: &mut Turn<'_>, call: Call, sdp: Bytes) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if matches!(state.phase, Phase::Confirmed | Phase::Unacknowledged) {
            state.wanted = Some((sdp, t.now));
            self.offer_due(t, call, &mut state);
        }
        self.calls.insert(call, state);
    }

    /// Sends the offer that waits, if its time has come and nothing is open.
    pub(super) fn offer_due(&mut self, t: &mut Turn<'_>, call: Call, state: &mut CallState) {
        if state.phase != Phase::Confirmed || state.is_negotiating() {
            return;
        }
        if let Some((sdp, _)) = state.wanted.take_if(|(_, at)| t.now >= *at) {
            self.send_change(t, call, state, Method::Invite, Some(sdp), false);
        }
    }

    /// Refreshes the session as the peer allows.
    pub(super) fn send_refresh(&mut self, t: &mut Turn<'_>, call: Call, state: &mut CallState) {
        if state.phase != Phase::Confirmed || state.is_negotiating() {
            return;
        }
        if let Some(session) = &mut state.session {
            // Until the answer says otherwise.
            session.put_off(t.now);
        }
        if state.allows_update {
            self.send_change(t, call, state, Method::Update, None, true);
        } else if let Some(sdp) = state.local_sdp.clone() {
            self.send_change(t, call, state, Method::Invite, Some(sdp), true);
        }
    }

    fn send_change(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        method: Method,
        sdp: Option<Bytes>,
        refresh: bool,
    ) {
        let owner = if method == Method::Invite {
            Owner::Reinvite(call)
        } else {
            Owner::Update(call)
        };
        let Some((builder, hop)) = self.in_dialog(t, state, method) else {
            return;
        };
        state.contact_sent = self.contact().uri.to_string();
        let mut builder = builder
            .header(HeaderName::Contact, self.contact())
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Supported, SUPPORTED);
        if let Some(session) = &state.session {
            let refresher = if session.we_refresh { "uac" } else { "uas" };
            builder = builder
                .header(
                    HeaderName::SessionExpires,
                    format!("{};refresher={refresher}", session.interval.as_secs()),
                )
                .header(HeaderName::MinSe, MIN_SE);
        }
        if let Some(sdp) = &sdp {
            builder = builder.body(SDP, sdp.clone());
        }
        let request = builder.build();
        let key = self.transmit(t, request.clone(), hop, owner);
        state.ours = Some(OurChange {
            key,
            request,
            refresh,
            sdp,
            answered: false,
            challenges: 0,
        });
    }

    /// Takes in the answer to our re-INVITE.
    pub(super) fn reinvite_concluded(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        key: &TransactionKey,
        outcome: Outcome,
    ) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        let keep = if state
            .ours
            .as_ref()
            .is_none_or(|ours| ours.key.as_ref() != Some(key))
        {
            self.repeat_change_ack(t, &state, &outcome);
            true
        } else {
            self.change_concluded(t, call, &mut state, outcome)
        };
        if keep {
            self.calls.insert(call, state);
        }
    }

    /// Takes in the answer to our UPDATE.
    pub(super) fn update_concluded(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        key: &TransactionKey,
        outcome: Outcome,
    ) {
        let ours = |s: &&CallState| {
            s.ours
                .as_ref()
                .is_some_and(|ours| ours.key.as_ref() == Some(key))
        };
        if self.calls.get(&call).filter(ours).is_none() {
            return;
        }
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if self.change_concluded(t, call, &mut state, outcome) {
            self.calls.insert(call, state);
        }
    }

    /// Does what the final answer to our change asks for; tells whether the call still stands.
    fn change_concluded(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        outcome: Outcome,
    ) -> bool {
        let status = outcome.status();
        match (status, &outcome) {
            (..200, _) => {}
            (200..=299, Outcome::Response(response)) => {
                self.change_accepted(t, call, state, response)
            }
            (401 | 407 | 422, Outcome::Response(response))
                if self.change_again(t, call, state, response) => {}
            // A glare: wait, then try again (RFC 3261 section 14.1).
            (491, _) => self.wait_out_glare(t, state),
            (405 | 501, _)
                if state
                    .ours
                    .as_ref()
                    .is_some_and(|o| o.request.method() == Some(&Method::Update)) =>
            {
                state.allows_update = false;
                state.ours = None;
                self.send_refresh(t, call, state);
            }
            // RFC 3261 section 12.2.1.2: the peer knows no such dialog. Silence alone ends nothing.
            (481, _) => {
                let by = if state.phase == Phase::Ending {
                    By::Local
                } else {
                    By::Gone
                };
                t.tell(Event::Ended {
                    call,
                    by,
                    reason: None,
                });
                return false;
            }
            _ => self.change_refused(t, call, state, status),
        }
        true
    }

    fn change_accepted(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        response: &Message,
    ) {
        let Some(ours) = &mut state.ours else { return };
        if ours.answered {
            return;
        }
        ours.answered = true;
        let (refresh, sdp) = (ours.refresh, sdp_of(response));
        let is_invite = ours.request.method() == Some(&Method::Invite);
        if let Some(local) = &ours.sdp {
            state.local_sdp = Some(local.clone());
        }
        if let Some(dialog) = &mut state.dialog {
            dialog.refresh_target(response);
        }
        state.note_abilities(response);
        state.note_remote_sdp(sdp.as_ref());
        state.session = SessionTimer::granted(t.now, response).or_else(|| {
            let mut session = state.session?;
            session.restart(t.now);
            Some(session)
        });
        match (is_invite, refresh) {
            (true, false) => t.tell(Event::ReofferAnswered { call, sdp }),
            (true, true) => self.ack_change(t, state),
            (false, _) => state.ours = None,
        }
    }

    /// Acknowledges the 2xx to our re-INVITE.
    pub(super) fn ack_change(&mut self, t: &mut Turn<'_>, state: &mut CallState) {
        let Some(ours) = state.ours.take_if(|ours| ours.answered) else {
            return;
        };
        let Some(dialog) = &state.dialog else { return };
        let hop = self.dialog_hop(state, dialog);
        let message = self.ack_for(t, dialog, &ours.request, &hop);
        state.ack = Some(message.clone());
        t.out.push(Output::Send(Transmit {
            message,
            to: hop,
            transaction: None,
        }));
    }

    /// The 2xx again: our ACK was lost.
    fn repeat_change_ack(&self, t: &mut Turn<'_>, state: &CallState, outcome: &Outcome) {
        let (Outcome::Response(response), Some(ack), Some(dialog)) =
            (outcome, &state.ack, &state.dialog)
        else {
            return;
        };
        let number = |m: &Message| m.cseq().map(|c| c.number).ok();
        if outcome.status() / 100 == 2 && number(ack) == number(response) {
            let hop = self.dialog_hop(state, dialog);
            t.out.push(Output::Send(Transmit {
                message: ack.clone(),
                to: hop,
                transaction: None,
            }));
        }
    }

    /// Sends our change again with credentials or a longer interval.
    fn change_again(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        response: &Message,
    ) -> bool {
        let Some(mut ours) = state.ours.take() else {
            return false;
        };
        let mut attempt = Attempt::new(ours.request.clone());
        attempt.challenges = ours.challenges;
        let changed = ours.challenges < CHANGES
            && match crate::transaction::code(response) {
                422 => lengthen(&mut attempt.request, response),
                _ => self.answer_challenge(t, &mut attempt, response),
            };
        let hop = state
            .dialog
            .as_ref()
            .map(|dialog| self.dialog_hop(state, dialog));
        if let (true, Some(hop)) = (changed, hop) {
            let is_invite = ours.request.method() == Some(&Method::Invite);
            ours.request = self.renumbered(t, state, &attempt.request, &hop);
            ours.challenges = attempt.challenges.max(ours.challenges + 1);
            let owner = if is_invite {
                Owner::Reinvite(call)
            } else {
                Owner::Update(call)
            };
            ours.key = self.transmit(t, ours.request.clone(), hop, owner);
        }
        state.ours = Some(ours);
        changed
    }

    /// The peer's change crossed ours: who made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms.
    fn wait_out_glare(&mut self, t: &mut Turn<'_>, state: &mut CallState) {
        let Some(ours) = state.ours.take() else {
            return;
        };
        let (least, steps) = if state.we_called {
            (2100, 191)
        } else {
            (0, 201)
        };
        let pause = Duration::from_millis(least + 10 * u64::from(t.rng.next_u32() % steps));
        match (&mut state.session, ours.refresh, ours.sdp) {
            (Some(session), true, _) => session.refresh_at = Some(t.now + pause),
            (_, false, Some(sdp)) => state.wanted = Some((sdp, t.now + pause)),
            _ => {}
        }
    }

    fn change_refused(&mut self, t: &mut Turn<'_>, call: Call, state: &mut CallState, status: u16) {
        let Some(ours) = state.ours.take() else {
            return;
        };
        if ours.refresh {
            tracing::debug!(status, "session refresh refused");
        } else {
            t.tell(Event::ReofferRefused { call, status });
        }
    }

    /// The peer's re-INVITE.
    pub(super) fn reinvited(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        key: TransactionKey,
        request: Message,
    ) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if let Some((status, extra)) = self.cannot_change(t, &state) {
            self.calls.insert(call, state);
            return self.respond(t, &key, &request, status, &extra);
        }
        if let Some(dialog) = &mut state.dialog {
            dialog.refresh_target(&request);
        }
        state.note_abilities(&request);
        let offer = sdp_of(&request);
        let same = offer
            .as_ref()
            .is_some_and(|sdp| state.remote_sdp_hash == Some(hash(sdp)));
        state.note_remote_sdp(offer.as_ref());
        state.theirs = Some(TheirChange {
            key: Some(key),
            request,
            offered: offer.is_some(),
        });
        match state.local_sdp.clone().filter(|_| same) {
            // Only a session refresh: nothing changes, so there is nothing to commit.
            Some(sdp) => self.accept_change(t, &mut state, Some(sdp), true),
            None => t.tell(Event::Reoffered { call, sdp: offer }),
        }
        self.calls.insert(call, state);
    }

    /// The peer's UPDATE.
    pub(super) fn updated(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        key: TransactionKey,
        request: Message,
    ) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        let offer = sdp_of(&request);
        let blocked = if offer.is_some() {
            self.cannot_change(t, &state)
        } else {
            None
        };
        if let Some((status, extra)) = blocked {
            self.calls.insert(call, state);
            return self.respond(t, &key, &request, status, &extra);
        }
        if let Some(dialog) = &mut state.dialog {
            dialog.refresh_target(&request);
        }
        state.note_abilities(&request);
        let same = offer
            .as_ref()
            .is_none_or(|sdp| state.remote_sdp_hash == Some(hash(sdp)));
        state.note_remote_sdp(offer.as_ref());
        let open = state.theirs.take();
        state.theirs = Some(TheirChange {
            key: Some(key),
            request,
            offered: offer.is_some(),
        });
        if same {
            let sdp = state.local_sdp.clone().filter(|_| offer.is_some());
            self.accept_change(t, &mut state, sdp, true);
            state.theirs = open;
        } else {
            t.tell(Event::Reoffered { call, sdp: offer });
        }
        self.calls.insert(call, state);
    }

    /// Why an offer of the peer cannot be taken now. Source: RFC 3261 section 14.2, RFC 3311 section 5.2.
    fn cannot_change(
        &self,
        t: &mut Turn<'_>,
        state: &CallState,
    ) -> Option<(u16, Vec<(HeaderName, String)>)> {
        if state.ours.is_some() || state.phase == Phase::Answered {
            return Some((491, vec![]));
        }
        if state.theirs.is_some() || state.phase != Phase::Confirmed {
            let seconds = (t.rng.next_u32() % 11).to_string();
            return Some((500, vec![(HeaderName::RetryAfter, seconds)]));
        }
        None
    }

    /// Accepts the peer's change.
    pub(super) fn accept_their_change(&mut self, t: &mut Turn<'_>, call: Call, sdp: Bytes) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if state.phase == Phase::Confirmed {
            self.accept_change(t, &mut state, Some(sdp), false);
        }
        self.calls.insert(call, state);
    }

    /// Refuses the peer's change; the call stands.
    pub(super) fn reject_change(&mut self, t: &mut Turn<'_>, call: Call, status: u16) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if state.phase == Phase::Confirmed && state.theirs.is_some() {
            let response = self.dialog_response(&state, status.clamp(300, 699)).build();
            self.send_response(t, &state, response);
            state.theirs = None;
        }
        self.calls.insert(call, state);
    }
}
