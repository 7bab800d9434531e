//! One call: what is known of it, and how far it is.

use std::time::{Instant, SystemTime};

use bytes::Bytes;
use ipdect_dect::nwk::Transaction;
use ipdect_dect::nwk::ie::ReleaseReason;
use ipdect_sip::user_agent as sip;

use crate::event::{Link, Tag, Trace};
use crate::media::CallRef;
use crate::notice::{Placed, Summary};
use crate::record::{CallPart, CcPart};
use crate::speech::Speech;
use crate::status::{self, CallView};
use crate::turn::utc_s;

/// A call of the handset; it has one at most.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallRef,
    pub(crate) placed: Placed,
    pub(crate) phase: Phase,
    /// Connection that carries it, and its transaction there.
    pub(crate) link: Option<Link>,
    pub(crate) transaction: Transaction,
    /// Its number within the user agent, once it has one there.
    pub(crate) sip: Option<sip::Call>,
    pub(crate) speech: Speech,
    pub(crate) sdp: Sdp,
    /// Digits dialled.
    pub(crate) digits: String,
    pub(crate) party: Party,
    pub(crate) alert: u8,
    pub(crate) began: SystemTime,
    pub(crate) answered: Option<SystemTime>,
    /// Dialling is over.
    pub(crate) dialled: bool,
    /// `{CC-ALERTING}` was sent.
    pub(crate) alerted: bool,
    /// The peer's tag was seen in a provisional answer.
    pub(crate) tag_seen: bool,
    /// Why it failed, once it did.
    pub(crate) cause: String,
    /// Records written.
    pub(crate) sequence: u32,
    /// Tag of the session's opening, while it is not opened.
    pub(crate) opening: Option<Tag>,
    /// There is no session (any longer) that could be closed.
    pub(crate) no_session: bool,
    pub(crate) codec: Option<String>,
    pub(crate) sip_srtp: bool,
    /// The peer holds the call.
    pub(crate) held: bool,
    /// When the display was last written, and when it may be written again if it is out of date.
    pub(crate) written: (Option<Instant>, Option<Instant>),
    /// A message of the handset whose effect the next record brings: it is acknowledged then.
    pub(crate) unacked: Option<(Link, u64)>,
    /// The handset lost radio contact: look for it from, give up at.
    pub(crate) missing: Option<Missing>,
    pub(crate) trace: Trace,
}

/// Offer and answer.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sdp {
    /// `o=` id of ours.
    pub(crate) id: u64,
    /// Version of our last.
    pub(crate) version: u64,
    /// Our last, as sent.
    pub(crate) local: Option<Bytes>,
    /// The peer's last.
    pub(crate) remote: Option<Bytes>,
    /// Our answer that waits for being sent.
    pub(crate) answer: Option<Bytes>,
}

/// The other party.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Party {
    /// Digits dialled, or the caller's address.
    pub(crate) uri: String,
    /// Name, if known.
    pub(crate) name: String,
}

/// A handset that was lost in the middle of a call (`contracts.md` section 10, base link lost and regained, step 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    /// From then on it is paged, until then it may come back by itself (DL.05).
    pub(crate) page_at: Option<Instant>,
    /// Then the call ends.
    pub(crate) until: Instant,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Outgoing: session and base leg are asked for.
    Seizing,
    /// Outgoing: digits are collected; dialling ends at `until`.
    Dialling { until: Instant },
    /// Outgoing: the SIP leg is asked for.
    Preparing,
    /// Outgoing: INVITE is out; given up at `until`.
    Calling { until: Instant },
    /// Outgoing: the other side rings.
    Delivered { until: Instant },
    /// Incoming: the session is asked for.
    Admitting,
    /// Incoming: the handset is looked for.
    Paging,
    /// Incoming: `{CC-SETUP}` is out (CC.03).
    Presenting { until: Instant },
    /// Incoming: the handset rings.
    Alerting { until: Instant },
    /// Incoming: the user answered, speech is not ready.
    Answering { until: Instant },
    /// Both talk.
    Active,
    /// The user hears why it failed.
    Refused {
        until: Instant,
        reason: ReleaseReason,
    },
    /// `{CC-RELEASE}` is out (CC.02).
    Releasing { until: Instant },
}

impl Phase {
    /// When the phase ends by itself.
    pub(crate) fn until(self) -> Option<Instant> {
        match self {
            Phase::Dialling { until }
            | Phase::Calling { until }
            | Phase::Delivered { until }
            | Phase::Presenting { until }
            | Phase::Alerting { until }
            | Phase::Answering { until }
            | Phase::Refused { until, .. }
            | Phase::Releasing { until } => Some(until),
            Phase::Seizing
            | Phase::Preparing
            | Phase::Admitting
            | Phase::Paging
            | Phase::Active => None,
        }
    }

    /// Whether what the user does now is in no record until the next step: keys dialled, an answer given.
    pub(crate) fn owes_a_record(self) -> bool {
        matches!(
            self,
            Phase::Dialling { .. } | Phase::Preparing | Phase::Answering { .. }
        )
    }

    /// State of the fixed part in EN 300 175-5 section 9.2.1.
    fn number(self) -> u8 {
        match self {
            Phase::Admitting | Phase::Paging => 0,
            Phase::Seizing => 1,
            Phase::Dialling { .. } => 2,
            Phase::Preparing | Phase::Calling { .. } => 3,
            Phase::Delivered { .. } | Phase::Refused { .. } => 4,
            Phase::Presenting { .. } => 6,
            Phase::Alerting { .. } | Phase::Answering { .. } => 7,
            Phase::Active => 10,
            Phase::Releasing { .. } => 19,
        }
    }
}

impl Call {
    /// A call that begins now.
    pub(crate) fn new(
        id: CallRef,
        placed: Placed,
        phase: Phase,
        speech: Speech,
        began: SystemTime,
    ) -> Call {
        Call {
            id,
            placed,
            phase,
            link: None,
            transaction: Transaction::default(),
            sip: None,
            speech,
            sdp: Sdp {
                id: utc_s(began),
                ..Sdp::default()
            },
            digits: String::new(),
            party: Party::default(),
            alert: 0,
            began,
            answered: None,
            dialled: false,
            alerted: false,
            tag_seen: false,
            cause: String::new(),
            sequence: 0,
            opening: None,
            no_session: false,
            codec: None,
            sip_srtp: false,
            held: false,
            written: (None, None),
            unacked: None,
            missing: None,
            trace: Trace::default(),
        }
    }

    /// The earliest of its timers.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let missing = self.missing.map(|m| m.page_at.unwrap_or(m.until));
        let times = [self.phase.until(), missing, self.written.1];
        times.into_iter().flatten().min()
    }

    /// The other party as people are shown it.
    pub(crate) fn shown(&self) -> &str {
        if self.party.name.is_empty() {
            &self.party.uri
        } else {
            &self.party.name
        }
    }

    /// The other party in one line of a display: its name, else the user part of its address.
    pub(crate) fn line(&self) -> String {
        let shown = self.shown();
        let rest = shown
            .strip_prefix("sip:")
            .or_else(|| shown.strip_prefix("sips:"))
            .unwrap_or(shown);
        match self.party.name.is_empty() {
            true => rest.split('@').next().unwrap_or(rest).to_owned(),
            false => shown.to_owned(),
        }
    }

    /// What live views show; the Call-ID is the user agent's to know.
    pub(crate) fn view(&self, sip_call_id: Option<&str>) -> CallView {
        CallView {
            call: self.id,
            session: self.opening.is_none().then_some(self.speech.session),
            placed: self.placed,
            party: self.party.uri.clone(),
            party_name: self.party.name.clone(),
            phase: self.shown_phase(),
            began: self.began,
            answered: self.answered,
            codec: self.codec.clone(),
            sip_srtp: self.sip_srtp,
            sip_call_id: sip_call_id.map(str::to_owned),
        }
    }

    fn shown_phase(&self) -> status::Phase {
        match self.phase {
            Phase::Seizing | Phase::Dialling { .. } => status::Phase::Dialling,
            Phase::Preparing | Phase::Calling { .. } => status::Phase::Calling,
            Phase::Delivered { .. } | Phase::Alerting { .. } | Phase::Answering { .. } => {
                status::Phase::Ringing
            }
            Phase::Admitting | Phase::Paging | Phase::Presenting { .. } => status::Phase::Paging,
            Phase::Active if self.held => status::Phase::Held,
            Phase::Active => status::Phase::InCall,
            Phase::Refused { .. } | Phase::Releasing { .. } => status::Phase::Releasing,
        }
    }

    /// Group *CC call* of the record.
    pub(crate) fn cc_part(&self) -> CcPart {
        CcPart {
            tv: self.transaction.value,
            ours: self.placed == Placed::ByPeer,
            state: self.phase.number(),
            digits: self.digits.clone(),
            dialled: self.dialled,
            tone: self.speech.tone,
        }
    }

    /// What people see of it, for the record.
    pub(crate) fn call_part(&self) -> CallPart {
        CallPart {
            call: self.id,
            placed: self.placed,
            began_s: utc_s(self.began),
            answered_s: self.answered.map(utc_s),
            number: self.party.uri.clone(),
            name: self.party.name.clone(),
        }
    }

    /// What is left to say when it is over.
    pub(crate) fn summary(&self, cause: &str) -> Summary {
        Summary {
            call: self.id,
            placed: self.placed,
            party: self.party.uri.clone(),
            began: self.began,
            answered: self.answered,
            cause: cause.into(),
        }
    }
}
