//! BYE both ways, OPTIONS, and the timers of a call. Source: RFC 3261 sections 11 and 15.

use super::call::{CallState, reason_of, reason_value};
use super::core::{Attempt, Outcome, Owner, Turn};
use super::{By, Call, Event, Reason, UserAgent};
use crate::dialog::Phase;
use crate::message::{Edit, HeaderName, Message, Method, NameAddr};
use crate::transaction::{Hop, TransactionKey};

impl UserAgent {
    /// Ends a call in the way its phase asks for.
    pub(super) fn hang_up(&mut self, t: &mut Turn<'_>, call: Call, reason: Option<Reason>) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        let keep = match state.phase {
            Phase::Calling | Phase::Early => {
                self.calls.insert(call, state);
                return self.give_up(t, call, reason);
            }
            Phase::Incoming => {
                self.calls.insert(call, state);
                return self.refuse(t, call, 480, &[]);
            }
            Phase::Answered => {
                // A dialog whose 2xx was never acknowledged cannot be ended cleanly.
                self.send_ack(t, &mut state);
                self.send_bye(t, call, &mut state, reason)
            }
            Phase::Unacknowledged => {
                // RFC 3261 section 15: not before the ACK came or is given up.
                state.bye_wanted = Some(reason);
                true
            }
            Phase::Confirmed => {
                if state.ours.as_ref().is_some_and(|ours| ours.answered) {
                    self.ack_change(t, &mut state);
                }
                self.send_bye(t, call, &mut state, reason)
            }
            // After a takeover: again, with a number above all that the former owner used.
            Phase::Ending if state.bye.is_none() => self.send_bye(t, call, &mut state, reason),
            Phase::Ending => true,
        };
        if keep {
            self.calls.insert(call, state);
        }
    }

    /// Sends BYE; tells whether the call is still there to wait for its answer.
    pub(super) fn send_bye(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        state: &mut CallState,
        reason: Option<Reason>,
    ) -> bool {
        let value = reason.as_ref().map(reason_value);
        let Some((builder, hop)) = self.in_dialog(t, state, Method::Bye) else {
            return false;
        };
        let mut attempt = Attempt::new(builder.header_opt(HeaderName::Reason, value).build());
        attempt.key = self.transmit(t, attempt.request.clone(), hop, Owner::Bye(call));
        state.phase = Phase::Ending;
        state.session = None;
        state.wanted = None;
        state.bye = Some(attempt);
        true
    }

    /// Takes in the answer to our BYE: whatever it is, the call is over.
    pub(super) fn bye_concluded(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        key: &TransactionKey,
        outcome: Outcome,
    ) {
        let ours = |s: &&CallState| {
            s.bye
                .as_ref()
                .is_some_and(|bye| bye.key.as_ref() == Some(key))
        };
        if outcome.status() < 200 || self.calls.get(&call).filter(ours).is_none() {
            return;
        }
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if let (Outcome::Response(response), Some(mut bye)) = (&outcome, state.bye.take())
            && matches!(outcome.status(), 401 | 407)
            && self.answer_challenge(t, &mut bye, response)
            && let Some(hop) = self.table.hop(key).cloned()
        {
            bye.request = self.renumbered(t, &mut state, &bye.request, &hop);
            bye.key = self.transmit(t, bye.request.clone(), hop, Owner::Bye(call));
            state.bye = Some(bye);
            self.calls.insert(call, state);
            return;
        }
        t.tell(Event::Ended {
            call,
            by: By::Local,
            reason: None,
        });
    }

    /// A request inside the dialog once more: next number, new branch.
    pub(super) fn renumbered(
        &mut self,
        t: &mut Turn<'_>,
        state: &mut CallState,
        request: &Message,
        hop: &Hop,
    ) -> Message {
        let number = state.next_number(self.config.generation);
        let method = request.method().map_or("", Method::as_str);
        Edit::new(request)
            .set(HeaderName::CSeq, format!("{number} {method}"))
            .replace_top(HeaderName::Via, self.via(t, hop))
            .build()
    }

    /// The peer hangs up.
    pub(super) fn bye_received(
        &mut self,
        t: &mut Turn<'_>,
        call: Call,
        key: &TransactionKey,
        request: &Message,
    ) {
        self.respond(t, key, request, 200, &[]);
        let Some(state) = self.calls.remove(&call) else {
            return;
        };
        if state.theirs.is_some() {
            // RFC 3261 section 15.1.2.
            let response = self.dialog_response(&state, 487).build();
            self.send_response(t, &state, response);
        }
        self.abandon(&state);
        let by = if state.phase == Phase::Ending {
            By::Local
        } else {
            By::Peer
        };
        t.tell(Event::Ended {
            call,
            by,
            reason: reason_of(request),
        });
    }

    /// Asks the peer of a call, or the proxy, for its abilities.
    pub(super) fn ask_options(&mut self, t: &mut Turn<'_>, call: Option<Call>) {
        let Some(number) = call else {
            return self.ask_proxy(t);
        };
        let Some(mut state) = self.calls.remove(&number) else {
            return;
        };
        if state.phase == Phase::Confirmed
            && let Some((builder, hop)) = self.in_dialog(t, &mut state, Method::Options)
        {
            self.transmit(t, builder.build(), hop, Owner::Options(call));
        }
        self.calls.insert(number, state);
    }

    fn ask_proxy(&mut self, t: &mut Turn<'_>) {
        let (call_id, tag) = (self.new_call_id(t), self.tag(t));
        let (from, to) = (
            self.own_address(&tag),
            NameAddr::new(self.config.registrar.clone()),
        );
        let ids = (&from, &to, &*call_id);
        let request = self.request(Method::Options, &self.config.registrar, ids, 1);
        let mut attempt = Attempt::new(request.header(HeaderName::Contact, self.contact()).build());
        self.try_next(t, &mut attempt, Owner::Options(None));
    }

    pub(super) fn options_concluded(
        &mut self,
        t: &mut Turn<'_>,
        call: Option<Call>,
        _: &TransactionKey,
        outcome: &Outcome,
    ) {
        let status = outcome.status();
        if status < 200 {
            return;
        }
        t.tell(Event::OptionsAnswered { call, status });
        if let (481, Some(call)) = (status, call)
            && self.calls.remove(&call).is_some()
        {
            t.tell(Event::Ended {
                call,
                by: By::Gone,
                reason: None,
            });
        }
    }

    /// Forgets an INVITE that will never get its final response; one that ended forgets itself.
    fn abandon(&mut self, state: &CallState) {
        let open = state
            .attempt
            .key
            .as_ref()
            .filter(|key| self.table.is_proceeding(key));
        if let Some(key) = open {
            self.owners.remove(key);
            self.table.abandon(key);
        }
    }

    /// Does what is due in one call.
    pub(super) fn call_deadline(&mut self, t: &mut Turn<'_>, call: Call) {
        let Some(mut state) = self.calls.remove(&call) else {
            return;
        };
        if state
            .giving_up
            .as_ref()
            .and_then(|g| g.until)
            .is_some_and(|until| t.now >= until)
        {
            self.abandon(&state);
            t.tell(Event::Ended {
                call,
                by: By::Local,
                reason: None,
            });
            return;
        }
        self.repeat_progress(t, &mut state);
        if !self.await_ack(t, call, &mut state) {
            return;
        }
        if state.phase == Phase::Confirmed {
            self.session_due(t, call, &mut state);
            self.offer_due(t, call, &mut state);
        }
        self.calls.insert(call, state);
    }

    fn session_due(&mut self, t: &mut Turn<'_>, call: Call, state: &mut CallState) {
        let Some(mut session) = state.session else {
            return;
        };
        if session.expires_at.is_some_and(|at| t.now >= at) {
            session.expires_at = None;
            state.session = Some(session);
            t.tell(Event::SessionExpired { call });
        }
        if session.refresh_at.is_some_and(|at| t.now >= at) && !state.is_negotiating() {
            self.send_refresh(t, call, state);
        }
    }
}
