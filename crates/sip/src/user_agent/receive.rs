//! The way of each message to its transaction, dialog or call. Source: RFC 3261 sections 8.2, 12.2.2 and 18.1.2.

use super::core::{ALLOW, SDP, SUPPORTED, Turn};
use super::{Call, UserAgent};
use crate::dialog::{Order, Phase};
use crate::message::{HeaderName, Message, Method};
use crate::transaction::{Flow, TransactionKey, note_source};

impl UserAgent {
    pub(super) fn received(&mut self, t: &mut Turn<'_>, message: &Message, from: Flow) {
        if message.is_response() {
            match self.table.receive_response(t.now, message.clone()) {
                Some(effects) => self.run(t, effects),
                None => tracing::debug!("response without transaction"),
            }
            return;
        }
        let request = note_source(message, from);
        let Some(key) = TransactionKey::server(&request) else {
            return;
        };
        if let Some(effects) = self.table.receive_request(t.now, &key, request.clone()) {
            return self.run(t, effects);
        }
        match request.method() {
            Some(Method::Ack) => self.ack_received(t, &request),
            Some(Method::Benotify) => tracing::debug!("BENOTIFY wants no answer and has no taker"),
            _ => self.requested(t, key, request, from),
        }
    }

    /// A request that starts a transaction.
    fn requested(&mut self, t: &mut Turn<'_>, key: TransactionKey, request: Message, from: Flow) {
        let merged = self.table.is_merged(&key, &request);
        self.table.start_server(key.clone(), &request, from);
        if request.method() == Some(&Method::Cancel) {
            return self.cancelled(t, &key, &request);
        }
        if merged {
            return self.respond(t, &key, &request, 482, &[]);
        }
        if let Some((status, extra)) = refusal(&request) {
            return self.respond(t, &key, &request, status, &extra);
        }
        if request.to().is_ok_and(|to| to.tag().is_some()) {
            return self.requested_in_dialog(t, key, request);
        }
        match request.method() {
            Some(Method::Invite) => self.invited(t, key, request),
            Some(Method::Options) => self.capable(t, &key, &request),
            // Only inside a dialog; 481 is ours to say, as we are the owner.
            _ => self.respond(t, &key, &request, 481, &[]),
        }
    }

    fn requested_in_dialog(&mut self, t: &mut Turn<'_>, key: TransactionKey, request: Message) {
        let found = self
            .call_of(&request)
            .and_then(|call| Some((call, self.calls.get_mut(&call)?)));
        let Some((call, state)) = found else {
            // A goodbye to a call of ours that is over: nobody may refuse a BYE (`takeover.md` 5, rule 7).
            let status = if request.method() == Some(&Method::Bye) && self.is_our_tag(&request) {
                200
            } else {
                481
            };
            return self.respond(t, &key, &request, status, &[]);
        };
        let number = request.cseq().map_or(0, |c| c.number);
        let order = state.dialog.as_mut().map(|dialog| dialog.note_cseq(number));
        let is_bye = request.method() == Some(&Method::Bye);
        if order == Some(Order::Stale) {
            return self.respond(t, &key, &request, 500, &[]);
        }
        if state.phase == Phase::Ending && !is_bye {
            return self.respond(t, &key, &request, 481, &[]);
        }
        match request.method() {
            Some(Method::Bye) => self.bye_received(t, call, &key, &request),
            Some(Method::Invite) => self.reinvited(t, call, key, request),
            Some(Method::Update) => self.updated(t, call, key, request),
            Some(Method::Options) => self.capable(t, &key, &request),
            // PRACK: we send nothing reliably that it could confirm (RFC 3262 section 3).
            _ => self.respond(t, &key, &request, 481, &[]),
        }
    }

    /// Whether the To tag is one that this user agent, or a former owner of its handset, made.
    fn is_our_tag(&self, request: &Message) -> bool {
        let prefix = &self.config.branch_prefix;
        let made_here = |tag: &str| {
            tag.strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
        };
        request.to().is_ok_and(|to| to.tag().is_some_and(made_here))
    }

    /// Answers OPTIONS. Source: RFC 3261 section 11.2.
    fn capable(&mut self, t: &mut Turn<'_>, key: &TransactionKey, request: &Message) {
        let extra = [
            (HeaderName::Allow, ALLOW.into()),
            (HeaderName::Accept, SDP.into()),
            (HeaderName::Supported, SUPPORTED.into()),
            (HeaderName::Contact, self.contact().to_string()),
        ];
        self.respond(t, key, request, 200, &extra);
    }

    /// The call whose dialog a request of the peer is in.
    pub(super) fn call_of(&self, request: &Message) -> Option<Call> {
        let owns = |dialog: &crate::dialog::Dialog| dialog.owns_request(request);
        let found = self.calls.iter().find(|(_, state)| {
            state.dialog.as_ref().is_some_and(owns) || state.early.values().any(owns)
        });
        found.map(|(call, _)| *call)
    }
}

/// Why a request is refused whatever it is about: its method, or an extension it requires.
fn refusal(request: &Message) -> Option<(u16, Vec<(HeaderName, String)>)> {
    let allow = || vec![(HeaderName::Allow, ALLOW.to_owned())];
    let method = request.method()?;
    if request.check_method().is_err() {
        return Some((501, allow()));
    }
    let known = [
        Method::Invite,
        Method::Bye,
        Method::Update,
        Method::Options,
        Method::Prack,
    ];
    if !known.contains(method) {
        return Some((405, allow()));
    }
    let required = request
        .headers(HeaderName::Require)
        .map(|v| v.text().into_owned());
    let unknown: Vec<_> = required
        .filter(|tag| !tag.eq_ignore_ascii_case(SUPPORTED))
        .collect();
    (!unknown.is_empty()).then(|| (420, vec![(HeaderName::Unsupported, unknown.join(", "))]))
}
