//! What a mind shows and tells, put into the live tables in the words of the admin contract.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ipdect_dect::identity::Ipei;
use ipdect_handset::{
    CallRef, CallView, Entry, Layer, Location, Notice, Phase, Placed, Presence, Registration,
    SessionId, Status, Summary, Way,
};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::media::v1 as media;
use parking_lot::Mutex;
use tracing::{info, warn};

use crate::directory::Directory;
use crate::live::{Live, Told, ms, utc_ms};

/// Shows handsets, calls and ladders.
pub struct Shown {
    live: Live,
    directory: Arc<Directory>,
    node: String,
    sessions: Mutex<HashMap<SessionId, Session>>,
}

/// What is known of a speech session, for the call that it serves.
#[derive(Default)]
struct Session {
    call: Option<CallRef>,
    media: String,
}

impl Shown {
    /// Over the live tables.
    #[must_use]
    pub fn new(live: Live, directory: Arc<Directory>, node: String) -> Self {
        Self {
            live,
            directory,
            node,
            sessions: Mutex::default(),
        }
    }

    /// The state of a handset.
    pub fn status(&self, ipei: Ipei, status: &Status) {
        let mut handset = self.handset(ipei);
        handset.subscribed = status.subscribed;
        handset.state = Some(self.state(status));
        self.live.handset(handset);
        if let Some(call) = &status.call {
            self.call(ipei, call, status);
        }
    }

    /// A handset's row changed: the live view follows, its state stays.
    pub fn row(&self, ipei: Ipei) {
        let known = self.live.list(
            ipdect_proto::cluster::v1::LiveKind::Handset,
            &ipei.digits(),
            1,
        );
        let state = known.into_iter().find_map(|item| match item {
            ipdect_proto::cluster::v1::live_item::Item::Handset(h) => h.state,
            _ => None,
        });
        if self.directory.book().handset(ipei).is_none() {
            return self.live.forget_handset(&ipei.digits());
        }
        let mut handset = self.handset(ipei);
        handset.state = state;
        self.live.handset(handset);
    }

    fn handset(&self, ipei: Ipei) -> admin::Handset {
        let book = self.directory.book();
        let username = book
            .user_of(ipei)
            .and_then(|id| book.user(id))
            .and_then(|k| k.row.user.as_ref());
        let username = username.map(|u| u.username.clone()).unwrap_or_default();
        match book.handset(ipei) {
            Some(kept) => crate::keep::shown(&kept.row, username),
            None => admin::Handset {
                ipei: ipei.digits(),
                username,
                ..Default::default()
            },
        }
    }

    fn state(&self, status: &Status) -> admin::HandsetState {
        let mut state = admin::HandsetState {
            server_node_id: self.node.clone(),
            presence: presence(status.presence).into(),
            calls: u32::from(status.call.is_some()),
            display: status.display.clone(),
            ..Default::default()
        };
        match &status.location {
            Location::Detached => {}
            Location::Located { base, rpn, since } => {
                state.located = true;
                state.base_reachable = true;
                state.base_node_id.clone_from(&base.0);
                state.rpn = u32::from(*rpn);
                state.located_utc_ms = ms(*since);
            }
            Location::Unreachable { since } => state.located_utc_ms = ms(*since),
            Location::BaseUnreachable { base } => {
                state.located = true;
                state.base_node_id.clone_from(&base.0);
            }
        }
        match &status.registration {
            Registration::None => {}
            Registration::Pending => state.last_error = "registering".into(),
            Registration::Registered => {
                state.registered = true;
                state.last_status = 200;
            }
            Registration::Failed { status, reason } => {
                state.last_status = u32::from(status.unwrap_or(0));
                state.last_error.clone_from(reason);
            }
        }
        state
    }

    fn call(&self, ipei: Ipei, view: &CallView, status: &Status) {
        let name = view.call.to_string();
        if let Some(session) = view.session {
            self.sessions.lock().entry(session).or_default().call = Some(view.call);
        }
        let media = view
            .session
            .and_then(|s| self.sessions.lock().get(&s).map(|k| k.media.clone()));
        let base = match &status.location {
            Location::Located { base, .. } | Location::BaseUnreachable { base } => base.0.clone(),
            _ => String::new(),
        };
        let mut call = self.live.find_call(&name).unwrap_or_else(|| admin::Call {
            call_ref: name,
            ipei: ipei.digits(),
            username: self.handset(ipei).username,
            outgoing: view.placed == Placed::ByUs,
            server_node_id: self.node.clone(),
            ..Default::default()
        });
        call.peer_number.clone_from(&view.party);
        call.peer_name.clone_from(&view.party_name);
        call.state = state_of(view.phase).into();
        call.began_utc_ms = ms(view.began);
        call.answered_utc_ms = view.answered.map_or(0, ms);
        if let Some(id) = &view.sip_call_id {
            call.sip_call_id.clone_from(id);
        }
        call.session_id = view.session.map(|s| s.to_string()).unwrap_or_default();
        call.media_node_id = media.unwrap_or_default();
        if !base.is_empty() {
            call.base_node_id = base;
        }
        let suite = if view.sip_srtp {
            "AES_CM_128_HMAC_SHA1_80"
        } else {
            ""
        };
        leg(&mut call, "sip").srtp_suite = suite.into();
        let (media_page, _) = self.directory.settings("media");
        if let admin::settings_document::Scope::Media(page) = media_page
            && !page.base_srtp_off
        {
            leg(&mut call, "base").srtp_suite = "AES_CM_128_HMAC_SHA1_80".into();
        }
        if let Some(codec) = &view.codec {
            leg(&mut call, "sip").codec.clone_from(codec);
        }
        self.live.call(call);
    }

    /// A media resource took a session.
    pub fn placed(&self, session: SessionId, node: &str) {
        self.sessions.lock().entry(session).or_default().media = node.into();
    }

    /// Figures of a leg.
    pub fn figures(&self, session: SessionId, stats: &media::LegStats) {
        let call = self.sessions.lock().get(&session).and_then(|s| s.call);
        let Some(call) = call else { return };
        let kind = if stats.leg_id == ipdect_handset::LegId::BASE.0 {
            "base"
        } else {
            "sip"
        };
        self.live.update_call(&call.to_string(), |call| {
            let leg = leg(call, kind);
            let before = if stats.r#final {
                admin::CallLeg::default()
            } else {
                leg.clone()
            };
            // Windows add up; the last report has the whole session.
            leg.sent = before.sent + stats.sent;
            leg.received = before.received + stats.received;
            leg.lost = before.lost + stats.lost;
            leg.late = before.late + stats.late;
            leg.concealed = before.concealed + stats.concealed;
            leg.jitter_us = stats.jitter_us;
            leg.round_trip_us = stats.round_trip_us;
            leg.level_dbm0 = stats.level_dbm0;
            leg.r_factor = stats.r_factor;
            if kind == "base" {
                leg.codec = "AAL2-G726-32".into();
            }
        });
    }

    /// A session is closed: no more figures will come.
    pub fn forget(&self, session: SessionId) {
        self.sessions.lock().remove(&session);
    }

    /// One line of a ladder.
    pub fn step(&self, ipei: Ipei, entry: Entry) {
        let Some(call) = entry.call else { return };
        let here = self.node.clone();
        let (there, protocol) = match entry.layer {
            Layer::Nwk => (format!("PP {}", ipei.digits()), "nwk"),
            Layer::Sip => ("SIP".to_string(), "sip"),
            Layer::Media => ("media".to_string(), "media"),
        };
        let (from, to) = if entry.way == Way::In {
            (there, here)
        } else {
            (here, there)
        };
        let at = entry
            .at
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        self.live.step(admin::LadderStep {
            call_ref: call.to_string(),
            at_utc_us: u64::try_from(at.as_micros()).unwrap_or(u64::MAX),
            from,
            to,
            protocol: protocol.into(),
            summary: entry.summary,
            detail: entry.raw,
            span_id: Bytes::new(),
            trace_id: Bytes::new(),
        });
    }

    /// Something out of the ordinary.
    pub fn notice(&self, ipei: Ipei, notice: Notice) {
        let subject = ipei.digits();
        match notice {
            Notice::Subscription(attempt) => self.attempt(ipei, attempt),
            Notice::AuthenticationFailed { base, reason } => self.event(
                subject,
                "handset.authentication-failed",
                admin::Severity::Warning,
                format!("Handset {ipei} at {base}: {reason}."),
                "If the handset was subscribed elsewhere since, subscribe it here again.",
            ),
            Notice::LocationRefused { base, reason } => self.event(
                subject,
                "handset.location-refused",
                admin::Severity::Warning,
                format!("Handset {ipei} at {base} may not locate: {reason}."),
                "Give the handset to a user, and subscribe it.",
            ),
            Notice::Registered { aor } => {
                info!(%ipei, aor = %ipdect_node::Redacted(&aor), "registered")
            }
            Notice::RegistrationFailed {
                aor,
                status,
                reason,
            } => {
                let code = status.map_or_else(|| "no answer".to_string(), |s| s.to_string());
                warn!(%ipei, %code, reason, "registration failed");
                self.event(
                    subject,
                    "sip.registration-failed",
                    admin::Severity::Warning,
                    format!("{aor} cannot register ({code}): {reason}."),
                    "Check the user's authentication user and password, and the proxies of the SIP page.",
                );
            }
            Notice::MissedCall { number, name, .. } => {
                let caller = number.unwrap_or(name);
                self.event(
                    subject,
                    "call.missed",
                    admin::Severity::Info,
                    format!("Missed call from {caller}."),
                    "",
                );
            }
            Notice::CallEnded(summary) => self.ended(&summary),
            Notice::Odd { what } => {
                metrics::counter!("ipdect_handset_odd_messages_total").increment(1);
                info!(%ipei, what, "something odd was received");
            }
            Notice::Fenced => self.event(
                subject,
                "cluster.fenced",
                admin::Severity::Error,
                format!("Handset {ipei} has another owner; this server no longer acts for it."),
                "Nothing to do if the other server is meant to have it.",
            ),
        }
    }

    fn attempt(&self, ipei: Ipei, attempt: ipdect_handset::Subscription) {
        let known = self.directory.book().user_of(ipei).is_some();
        let remedy = match (attempt.accepted, known, attempt.code_right) {
            (true, ..) => "",
            (_, false, _) => "Give this IPEI to a user, then try again.",
            (_, _, Some(false)) => "Enter the user's access code, or the system's, at the handset.",
            _ => "Open subscription, then try again at the handset.",
        };
        let rpn = match self.live.find_device(&attempt.base.0) {
            Some(device) => device.rpn,
            None => 0,
        };
        self.live.attempt(admin::SubscriptionAttempt {
            ipei: ipei.digits(),
            rpn,
            base_node_id: attempt.base.0.clone(),
            accepted: attempt.accepted,
            access_code_right: attempt.code_right == Some(true),
            known,
            reason: attempt.reason.clone(),
            remedy: remedy.into(),
            ..Default::default()
        });
        metrics::counter!("ipdect_subscription_attempts_total", "result" => if attempt.accepted { "accepted" } else { "refused" })
            .increment(1);
        if !attempt.accepted {
            warn!(%ipei, base = %attempt.base, reason = %attempt.reason, "a subscription was refused");
        }
    }

    fn ended(&self, summary: &Summary) {
        let name = summary.call.to_string();
        metrics::counter!("ipdect_calls_ended_total", "result" => if summary.answered.is_some() { "answered" } else { "unanswered" })
            .increment(1);
        self.live.update_call(&name, |call| {
            call.state = admin::CallState::Ended.into();
            call.ended_utc_ms = utc_ms();
            call.end_reason.clone_from(&summary.cause);
            call.answered_utc_ms = summary.answered.map_or(0, ms);
        });
    }

    fn event(
        &self,
        subject: String,
        code: &'static str,
        severity: admin::Severity,
        text: String,
        remedy: &str,
    ) {
        self.live.event(Told {
            code,
            severity,
            subject,
            text,
            remedy: remedy.into(),
        });
    }
}

fn leg<'a>(call: &'a mut admin::Call, kind: &str) -> &'a mut admin::CallLeg {
    let position = call
        .legs
        .iter()
        .position(|l| l.kind == kind)
        .unwrap_or_else(|| {
            call.legs.push(admin::CallLeg {
                kind: kind.into(),
                ..Default::default()
            });
            call.legs.len() - 1
        });
    &mut call.legs[position]
}

fn presence(presence: Presence) -> admin::PresenceState {
    match presence {
        Presence::Away => admin::PresenceState::Away,
        Presence::Inactive => admin::PresenceState::Inactive,
        Presence::Available => admin::PresenceState::Available,
        Presence::InACall => admin::PresenceState::InACall,
    }
}

fn state_of(phase: Phase) -> admin::CallState {
    match phase {
        Phase::Dialling => admin::CallState::Dialling,
        Phase::Calling | Phase::Paging => admin::CallState::Calling,
        Phase::Ringing => admin::CallState::Ringing,
        Phase::InCall => admin::CallState::Active,
        // What is heard now is a tone, or nothing: the call is over.
        Phase::Releasing => admin::CallState::Ended,
        Phase::Held => admin::CallState::Held,
    }
}
