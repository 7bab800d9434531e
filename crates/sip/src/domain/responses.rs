//! What becomes of responses, of CANCEL, and of branches that say nothing. Source: RFC 3261 sections 16.7 to 16.10.

use super::fork::{Cancel, Fork, Last};
use super::{Domain, Output, Turn};
use crate::message::{Edit, HeaderName, Message, Method, StatusCode};
use crate::transaction::{Effect, Flow, TransactionKey, cancel, code};

/// Said to phones that need not ring on (RFC 3326).
const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

impl Domain {
    /// Runs effects of the transaction layer until there are none.
    pub(super) fn run(&mut self, t: &mut Turn<'_>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { key, message, to } => {
                    t.out.push(Output::Send {
                        message,
                        to,
                        transaction: Some(key),
                    });
                }
                Effect::Response { key, message } => self.responded(t, &key, &message),
                Effect::TimedOut { key } => self.silent(t, &key, 408),
                Effect::TransportFailed { key } => self.silent(t, &key, 480),
                // An ACK with the branch of an INVITE that was accepted has no route: the dialog's own ACK follows.
                Effect::Ack { .. } => {}
                Effect::Terminated { key } => self.terminated(&key),
            }
        }
    }

    fn terminated(&mut self, key: &TransactionKey) {
        let Some(id) = self.branches.remove(key) else {
            return;
        };
        let over = |fork: &Fork| {
            !fork
                .branches
                .iter()
                .any(|b| self.branches.contains_key(&b.key))
        };
        if self.forks.get(&id).is_some_and(over) {
            self.forks.remove(&id);
        }
    }

    fn responded(&mut self, t: &mut Turn<'_>, key: &TransactionKey, response: &Message) {
        let Some(id) = self.branches.get(key).copied() else {
            return;
        };
        let Some(mut fork) = self.forks.remove(&id) else {
            return;
        };
        let upstream = Edit::new(response).pop_top(HeaderName::Via).build();
        match code(response) {
            ..200 => self.provisional(t, &mut fork, key, upstream),
            200..=299 => self.success(t, &mut fork, key, upstream),
            _ => self.ended(t, &mut fork, key, Last::Response(upstream)),
        }
        self.forks.insert(id, fork);
    }

    fn provisional(
        &mut self,
        t: &mut Turn<'_>,
        fork: &mut Fork,
        key: &TransactionKey,
        response: Message,
    ) {
        let status = code(&response);
        let Some(branch) = fork.branch(key) else {
            return;
        };
        branch.rings = true;
        if branch.until.is_some() && status > 100 && branch.cancel.is_none() {
            branch.until = Some(t.now + super::fork::TIMER_C);
        }
        self.send_cancels(t, fork);
        if status > 100 && !fork.done {
            self.send_up(t, fork, response);
        }
    }

    fn success(
        &mut self,
        t: &mut Turn<'_>,
        fork: &mut Fork,
        key: &TransactionKey,
        response: Message,
    ) {
        let is_invite = fork.request.method() == Some(&Method::Invite);
        if let Some(branch) = fork.branch(key) {
            branch.last = Some(Last::Response(response.clone()));
        }
        // Every 2xx to INVITE goes back, the first only to others.
        if is_invite || !fork.done {
            fork.done = true;
            self.send_up(t, fork, response);
        }
        if is_invite {
            self.cancel_rest(t, fork, Some(ELSEWHERE));
        }
    }

    fn ended(&mut self, t: &mut Turn<'_>, fork: &mut Fork, key: &TransactionKey, last: Last) {
        let everywhere = last.status() >= 600;
        if let Some(branch) = fork.branch(key) {
            branch.last.get_or_insert(last);
        }
        if everywhere {
            self.cancel_rest(t, fork, None);
        }
        if !fork.done && fork.is_complete() {
            fork.done = true;
            self.send_best(t, fork);
        }
    }

    fn silent(&mut self, t: &mut Turn<'_>, key: &TransactionKey, status: u16) {
        let Some(id) = self.branches.get(key).copied() else {
            return;
        };
        let Some(mut fork) = self.forks.remove(&id) else {
            return;
        };
        self.ended(t, &mut fork, key, Last::Nothing(status));
        self.forks.insert(id, fork);
    }

    fn send_best(&mut self, t: &mut Turn<'_>, fork: &Fork) {
        match fork.best().cloned() {
            // 503 of a phone says nothing about us (RFC 3261 section 16.7 step 6).
            Some(Last::Response(r)) if code(&r) == 503 => {
                self.answer(t, &fork.server, &fork.request, 500, &[])
            }
            Some(Last::Response(r)) if matches!(code(&r), 401 | 407) => {
                let all = with_all_challenges(&r, fork);
                self.send_up(t, fork, all);
            }
            Some(Last::Response(r)) => self.send_up(t, fork, r),
            Some(Last::Nothing(status)) => self.answer(t, &fork.server, &fork.request, status, &[]),
            None => self.answer(
                t,
                &fork.server,
                &fork.request,
                StatusCode::SERVER_INTERNAL_ERROR.code(),
                &[],
            ),
        }
    }

    fn send_up(&mut self, t: &mut Turn<'_>, fork: &Fork, response: Message) {
        let effects = self.table.respond(t.now, &fork.server, response);
        self.run(t, effects);
    }

    /// CANCEL of a phone: answered at once, passed on to every branch. Source: RFC 3261 section 16.10.
    pub(super) fn cancelled(
        &mut self,
        t: &mut Turn<'_>,
        key: TransactionKey,
        request: &Message,
        flow: Flow,
    ) {
        self.table.start_server(key.clone(), request, flow);
        let invite = TransactionKey::cancelled(request).filter(|invite| self.table.has(invite));
        self.answer(
            t,
            &key,
            request,
            if invite.is_some() { 200 } else { 481 },
            &[],
        );
        let found = self
            .forks
            .iter()
            .find(|(_, fork)| Some(&fork.server) == invite.as_ref());
        let Some(id) = found.map(|(id, _)| *id) else {
            return;
        };
        let Some(mut fork) = self.forks.remove(&id) else {
            return;
        };
        let reason = request
            .header(HeaderName::Reason)
            .map(|v| v.text().into_owned());
        self.cancel_rest(t, &mut fork, reason.as_deref());
        self.forks.insert(id, fork);
    }

    /// Ends every branch that has not ended.
    fn cancel_rest(&mut self, t: &mut Turn<'_>, fork: &mut Fork, reason: Option<&str>) {
        for branch in fork.branches.iter_mut().filter(|b| b.last.is_none()) {
            let reason = reason.map(str::to_owned);
            branch.cancel.get_or_insert(Cancel {
                reason,
                sent: false,
            });
        }
        self.send_cancels(t, fork);
    }

    /// Sends the CANCELs that a 1xx allows.
    fn send_cancels(&mut self, t: &mut Turn<'_>, fork: &mut Fork) {
        let mut due = vec![];
        for branch in fork
            .branches
            .iter_mut()
            .filter(|b| b.rings && b.last.is_none())
        {
            let Some(wish) = branch.cancel.as_mut().filter(|c| !c.sent) else {
                continue;
            };
            wish.sent = true;
            branch.until = Some(t.now + self.config.timers.t64());
            due.push((
                cancel(&branch.request, wish.reason.as_deref()),
                branch.hop.clone(),
            ));
        }
        for (message, hop) in due {
            let reliable = self.transport_of(&hop).is_reliable();
            if let Some((_, effect)) = self.table.start_client(t.now, message, hop, reliable) {
                self.run(t, vec![effect]);
            }
        }
    }

    /// Timer C, or a branch that does not even answer its CANCEL.
    pub(super) fn fork_due(&mut self, t: &mut Turn<'_>, id: u64) {
        let Some(mut fork) = self.forks.remove(&id) else {
            return;
        };
        let mut given_up = vec![];
        for branch in fork
            .branches
            .iter_mut()
            .filter(|b| b.last.is_none() && b.until.is_some_and(|at| t.now >= at))
        {
            if branch.rings && branch.cancel.is_none() {
                branch.cancel = Some(Cancel {
                    reason: None,
                    sent: false,
                });
            } else {
                branch.until = None;
                let status = if branch.cancel.is_some() { 487 } else { 408 };
                given_up.push((branch.key.clone(), status));
            }
        }
        self.send_cancels(t, &mut fork);
        for (key, status) in given_up {
            self.ended(t, &mut fork, &key, Last::Nothing(status));
            // Its transaction will never end by itself: the phone is gone.
            let effects = self.table.abandon(&key);
            self.forks.insert(id, fork);
            self.run(t, effects);
            match self.forks.remove(&id) {
                Some(same) => fork = same,
                None => return,
            }
        }
        self.forks.insert(id, fork);
    }
}

/// A 401 or 407 with the challenges of all branches (RFC 3261 section 16.7 step 7).
fn with_all_challenges(best: &Message, fork: &Fork) -> Message {
    let mut edit = Edit::new(best);
    for branch in &fork.branches {
        let Some(Last::Response(other)) = &branch.last else {
            continue;
        };
        if other != best && matches!(code(other), 401 | 407) {
            for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
                for value in other.headers(name) {
                    edit = edit.push(name, value);
                }
            }
        }
    }
    edit.build()
}
