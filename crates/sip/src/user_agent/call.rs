//! All that is remembered of one call, and what both sides of it do alike.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::core::{Attempt, Turn, hash};
use super::{Reason, UserAgent};
use crate::dialog::{Dialog, Phase, Sequence};
use crate::message::{Builder, HeaderName, Message, Method};
use crate::transaction::{Hop, Resend, TransactionKey};

/// One call.
#[derive(Debug)]
pub(super) struct CallState {
    pub(super) phase: Phase,
    pub(super) we_called: bool,
    pub(super) call_id: String,
    pub(super) local_tag: String,
    /// Numbers until there is a dialog, which then goes on with them.
    pub(super) sequence: Sequence,
    /// Our INVITE on its way, or the peer's.
    pub(super) attempt: Attempt,
    /// CSeq number of the INVITE that opened the call, for its ACK.
    pub(super) invite_cseq: u32,
    /// Early dialogs of our INVITE by the peer's tag.
    pub(super) early: BTreeMap<String, Dialog>,
    pub(super) dialog: Option<Dialog>,
    pub(super) giving_up: Option<GivingUp>,
    /// The ACK of the first 2xx, for repetitions of it.
    pub(super) ack: Option<Message>,
    /// Our 2xx that waits for its ACK.
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// The last 1xx and when to repeat it (RFC 3261 section 13.3.1.1).
    pub(super) progress: Option<(Message, Instant)>,
    /// Our open re-INVITE or UPDATE.
    pub(super) ours: Option<OurChange>,
    /// The peer's open re-INVITE or UPDATE, or its INVITE.
    pub(super) theirs: Option<TheirChange>,
    /// An offer that waits until nothing is open.
    pub(super) wanted: Option<(Bytes, Instant)>,
    pub(super) allows_update: bool,
    pub(super) session: Option<SessionTimer>,
    pub(super) local_sdp: Option<Bytes>,
    pub(super) pending_sdp: Option<Bytes>,
    pub(super) remote_sdp_hash: Option<u64>,
    /// BYE is due as soon as the ACK is there.
    pub(super) bye_wanted: Option<Option<Reason>>,
    pub(super) bye: Option<Attempt>,
    pub(super) contact_sent: String,
}

/// Our CANCEL.
#[derive(Debug)]
pub(super) struct GivingUp {
    pub(super) reason: Option<Reason>,
    pub(super) sent: bool,
    /// Without a final response by then the call is over (RFC 3261 section 9.1).
    pub(super) until: Option<Instant>,
}

/// A 2xx of ours, repeated until the ACK comes. Source: RFC 3261 section 13.3.1.4.
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) response: Message,
    pub(super) key: Option<TransactionKey>,
    pub(super) resend: Resend,
    pub(super) give_up_at: Instant,
    /// The ACK brings the answer to our offer.
    pub(super) offered: bool,
    /// Nobody waits for [`super::Event::Acked`].
    pub(super) silent: bool,
}

/// A re-INVITE or UPDATE of ours.
#[derive(Debug)]
pub(super) struct OurChange {
    pub(super) key: Option<TransactionKey>,
    pub(super) request: Message,
    /// Only keeps the session alive: no event, acknowledged at once.
    pub(super) refresh: bool,
    pub(super) sdp: Option<Bytes>,
    /// Accepted; the ACK is due.
    pub(super) answered: bool,
    pub(super) challenges: u8,
}

/// A request of the peer that our owner has to answer.
#[derive(Debug)]
pub(super) struct TheirChange {
    /// Absent once the transaction died with its owner.
    pub(super) key: Option<TransactionKey>,
    pub(super) request: Message,
    pub(super) offered: bool,
}

/// The session timer. Source: RFC 4028.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionTimer {
    pub(super) interval: Duration,
    pub(super) we_refresh: bool,
    pub(super) refresh_at: Option<Instant>,
    pub(super) expires_at: Option<Instant>,
}

/// Shortest session interval that we accept (RFC 4028 section 5).
pub(super) const MIN_SE: u32 = 90;
/// Pause before a session refresh that failed is tried again.
const REFRESH_AGAIN: Duration = Duration::from_secs(30);

impl SessionTimer {
    pub(super) fn new(now: Instant, interval_s: u32, we_refresh: bool) -> SessionTimer {
        let interval = Duration::from_secs(interval_s.max(MIN_SE).into());
        let mut timer = SessionTimer {
            interval,
            we_refresh,
            refresh_at: None,
            expires_at: None,
        };
        timer.restart(now);
        timer
    }

    /// Counts from now, after a refresh of either side.
    pub(super) fn restart(&mut self, now: Instant) {
        // RFC 4028 section 10: the other side gives up 32 s or a third before the end.
        let margin = (self.interval / 3).min(Duration::from_secs(32));
        self.refresh_at = self.we_refresh.then(|| now + self.interval / 2);
        self.expires_at = Some(now + self.interval - margin);
    }

    /// Tries again later, after a refresh that came to nothing.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.refresh_at = self.we_refresh.then(|| now + REFRESH_AGAIN);
    }
}

impl CallState {
    pub(super) fn new(
        phase: Phase,
        ids: (String, String),
        sequence: Sequence,
        attempt: Attempt,
    ) -> CallState {
        CallState {
            phase,
            we_called: phase == Phase::Calling,
            call_id: ids.0,
            local_tag: ids.1,
            sequence,
            attempt,
            invite_cseq: 0,
            early: BTreeMap::new(),
            dialog: None,
            giving_up: None,
            ack: None,
            unacknowledged: None,
            progress: None,
            ours: None,
            theirs: None,
            wanted: None,
            allows_update: false,
            session: None,
            local_sdp: None,
            pending_sdp: None,
            remote_sdp_hash: None,
            bye_wanted: None,
            bye: None,
            contact_sent: String::new(),
        }
    }

    /// Notes what the peer's message says about its abilities.
    pub(super) fn note_abilities(&mut self, message: &Message) {
        if message.header(HeaderName::Allow).is_some() {
            self.allows_update = message.lists(HeaderName::Allow, "UPDATE");
        }
    }

    pub(super) fn note_remote_sdp(&mut self, sdp: Option<&Bytes>) {
        if let Some(sdp) = sdp {
            self.remote_sdp_hash = Some(hash(sdp));
        }
    }

    /// Tells whether an offer of either side waits for its answer.
    pub(super) fn is_negotiating(&self) -> bool {
        self.ours.is_some() || self.theirs.is_some() || self.unacknowledged.is_some()
    }

    /// Number of the next request inside the dialog.
    pub(super) fn next_number(&mut self, generation: u64) -> u32 {
        match &mut self.dialog {
            Some(dialog) => dialog.sequence.next(generation),
            None => self.sequence.next(generation),
        }
    }

    /// The earliest of all timers of this call.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let session = self.session.filter(|_| self.phase == Phase::Confirmed);
        let waiting = self
            .unacknowledged
            .as_ref()
            .map(|u| u.resend.at().min(u.give_up_at));
        let wanted = self
            .wanted
            .as_ref()
            .filter(|_| !self.is_negotiating())
            .map(|(_, at)| *at);
        let refresh = session
            .and_then(|s| s.refresh_at)
            .filter(|_| !self.is_negotiating());
        [
            waiting,
            wanted,
            refresh,
            session.and_then(|s| s.expires_at),
            self.progress.as_ref().map(|(_, at)| *at),
            self.giving_up.as_ref().and_then(|g| g.until),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl UserAgent {
    /// Where requests inside the dialog go first.
    pub(super) fn dialog_hop(&self, call: &CallState, dialog: &Dialog) -> Hop {
        match call.attempt.proxy {
            Some(proxy) if self.config.all_to_proxy && dialog.route_set.is_empty() => {
                Hop::Proxy(proxy)
            }
            _ => Hop::Uri(dialog.next_hop().clone()),
        }
    }

    /// Starts a request inside the dialog, with a new number; `None` without dialog.
    pub(super) fn in_dialog(
        &mut self,
        t: &mut Turn<'_>,
        call: &mut CallState,
        method: Method,
    ) -> Option<(Builder, Hop)> {
        let number = call.next_number(self.config.generation);
        let dialog = call.dialog.as_ref()?;
        let hop = self.dialog_hop(call, dialog);
        let via = self.via(t, &hop);
        let builder = dialog
            .request(method, number, &via, self.config.max_forwards)
            .header(HeaderName::UserAgent, &self.config.user_agent);
        Some((builder, hop))
    }

    /// The ACK of a 2xx: number of the INVITE, its credentials, a branch of its own (RFC 3261 section 13.2.2.4).
    pub(super) fn ack_for(
        &self,
        t: &mut Turn<'_>,
        dialog: &Dialog,
        invite: &Message,
        hop: &Hop,
    ) -> Message {
        let number = invite.cseq().map_or(0, |c| c.number);
        let via = self.via(t, hop);
        dialog
            .request(Method::Ack, number, &via, self.config.max_forwards)
            .copy_all(invite, HeaderName::Authorization)
            .copy_all(invite, HeaderName::ProxyAuthorization)
            .build()
    }
}

/// Value of Reason (RFC 3326).
pub(super) fn reason_value(reason: &Reason) -> String {
    let text = reason.text.replace(['"', '\\'], "'");
    let text = if text.is_empty() {
        text
    } else {
        format!(";text=\"{text}\"")
    };
    format!("{};cause={}{text}", reason.protocol, reason.cause)
}

/// The first Reason of a message that can be read.
pub(super) fn reason_of(message: &Message) -> Option<Reason> {
    message.headers(HeaderName::Reason).find_map(|value| {
        let value = value.text();
        let (protocol, params) = value.split_once(';')?;
        let params = crate::message::Params::parse(&format!(";{params}")).ok()?;
        Some(Reason {
            protocol: protocol.trim().to_owned(),
            cause: params.get("cause")?.trim().parse().ok()?,
            text: params.unquoted("text").unwrap_or_default().into_owned(),
        })
    })
}
