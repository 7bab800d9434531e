//! Calls as records, and back. Source: `takeover.md` sections 7 and 8.

use std::time::Instant;

use bytes::Bytes;

use super::Config;
use super::call::{CallState, SessionTimer, TheirChange, Unacknowledged};
use super::core::Attempt;
use crate::dialog::{Dialog, DialogRecord, EarlyRecord, Phase, Sequence, SessionTimerRecord};
use crate::message::{Builder, HeaderName, Message, Method, NameAddr, Uri};
use crate::transaction::{Resend, TransactionKey};

/// A record that cannot be read back: damaged, or written by something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record of a dialog cannot be read: {0}")]
pub struct BadRecord(pub &'static str);

pub(super) fn record(state: &CallState) -> DialogRecord {
    let dialog = state.dialog.as_ref();
    let request = &state.attempt.request;
    let address = |from_request: fn(&Message) -> Option<NameAddr>,
                   of_dialog: fn(&Dialog) -> &NameAddr| {
        let address = dialog
            .map(|d| of_dialog(d).clone())
            .or_else(|| from_request(request));
        address.map(without_tag).unwrap_or_default()
    };
    let ours = matches!(
        state.phase,
        Phase::Calling | Phase::Early | Phase::Answered | Phase::Ending
    );
    DialogRecord {
        phase: state.phase,
        we_called: state.we_called,
        call_id: state.call_id.clone(),
        local_tag: state.local_tag.clone(),
        remote_tag: dialog.and_then(|d| d.remote.tag().map(str::to_owned)),
        early: state
            .early
            .iter()
            .map(|(tag, d)| early_record(tag, d))
            .collect(),
        local: address(|m| m.from().ok(), |d| &d.local),
        remote: address(|m| m.to().ok(), |d| &d.remote),
        remote_target: dialog
            .map(|d| d.remote_target.to_string())
            .unwrap_or_default(),
        route_set: dialog.map(|d| texts(&d.route_set)).unwrap_or_default(),
        created_in: dialog.map_or(&state.sequence, |d| &d.sequence).created_in(),
        remote_cseq: dialog.and_then(|d| d.remote_cseq),
        invite_cseq: state.invite_cseq,
        contact: state.contact_sent.clone(),
        proxy: state.attempt.proxy,
        allows_update: state.allows_update,
        session: state.session.map(|s| SessionTimerRecord {
            interval_s: u32::try_from(s.interval.as_secs()).unwrap_or(u32::MAX),
            we_refresh: s.we_refresh,
        }),
        open_invite: (state.we_called && ours).then(|| head_of(request)),
        peer_request: state.theirs.as_ref().map(|theirs| head_of(&theirs.request)),
        peer_offered: state.theirs.as_ref().is_some_and(|theirs| theirs.offered),
        unacknowledged: state
            .unacknowledged
            .as_ref()
            .map(|u| u.response.bytes().clone()),
        local_sdp: state.local_sdp.clone(),
        pending_sdp: state.pending_sdp.clone(),
        remote_sdp_hash: state.remote_sdp_hash,
    }
}

fn early_record(tag: &str, dialog: &Dialog) -> EarlyRecord {
    EarlyRecord {
        tag: tag.to_owned(),
        target: dialog.remote_target.to_string(),
        route_set: texts(&dialog.route_set),
    }
}

fn texts(addresses: &[NameAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

fn without_tag(mut address: NameAddr) -> String {
    address.params.remove("tag");
    address.to_string()
}

/// A request without its body: what CANCEL, ACK and responses are made from.
fn head_of(request: &Message) -> Bytes {
    let (Some(method), Ok(uri)) = (request.method(), request.request_uri()) else {
        return Bytes::new();
    };
    let kept = [
        HeaderName::Via,
        HeaderName::RecordRoute,
        HeaderName::Route,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
        HeaderName::Contact,
        HeaderName::Supported,
        HeaderName::SessionExpires,
        HeaderName::Authorization,
        HeaderName::ProxyAuthorization,
    ];
    let start = Builder::request(method.clone(), &uri);
    kept.into_iter()
        .fold(start, |builder, name| builder.copy_all(request, name))
        .build()
        .bytes()
        .clone()
}

/// Makes a call of its record. Timers that keep something alive are due at `now`; those that end something start anew.
pub(super) fn restored(
    now: Instant,
    config: &Config,
    record: DialogRecord,
) -> Result<CallState, BadRecord> {
    let read =
        |bytes: Bytes| Message::parse(bytes).map_err(|_| BadRecord("a message in it is damaged"));
    let open_invite = record.open_invite.clone().map(read).transpose()?;
    let peer_request = record.peer_request.clone().map(read).transpose()?;
    let unacknowledged = record.unacknowledged.clone().map(read).transpose()?;
    let sequence = Sequence::new(record.created_in);
    let needs_dialog = !matches!(record.phase, Phase::Calling | Phase::Early);
    let dialog = needs_dialog.then(|| dialog_of(&record, None)).transpose()?;
    let mut early = std::collections::BTreeMap::new();
    for one in &record.early {
        early.insert(one.tag.clone(), dialog_of(&record, Some(one))?);
    }
    let request = match open_invite.or_else(|| peer_request.clone()) {
        Some(request) => request,
        None => placeholder(&record, dialog.as_ref())?,
    };
    let mut attempt = Attempt::new(request);
    attempt.proxy = record.proxy;
    let ids = (record.call_id.clone(), record.local_tag.clone());
    let mut state = CallState::new(record.phase, ids, sequence, attempt);
    state.we_called = record.we_called;
    state.invite_cseq = record.invite_cseq;
    (state.early, state.dialog) = (early, dialog);
    let offered = record.peer_offered;
    state.theirs = peer_request.map(|request| TheirChange {
        // The transaction died with its owner; its name lets a CANCEL find the call.
        key: TransactionKey::server(&request),
        request,
        offered,
    });
    state.unacknowledged = unacknowledged.map(|response| Unacknowledged {
        response,
        key: None,
        resend: Resend::new(now, config.timers.t1, Some(config.timers.t2)),
        give_up_at: now + config.timers.t64(),
        offered: record.pending_sdp.is_some(),
        silent: record.phase != Phase::Unacknowledged,
    });
    state.session = record.session.map(|s| {
        let mut timer = SessionTimer::new(now, s.interval_s, s.we_refresh);
        timer.refresh_at = s.we_refresh.then_some(now);
        timer
    });
    state.contact_sent = record.contact;
    state.allows_update = record.allows_update;
    state.local_sdp = record.local_sdp;
    state.pending_sdp = record.pending_sdp;
    state.remote_sdp_hash = record.remote_sdp_hash;
    Ok(state)
}

fn dialog_of(record: &DialogRecord, early: Option<&EarlyRecord>) -> Result<Dialog, BadRecord> {
    let bad = BadRecord("an address in it is damaged");
    let address = |text: &str| text.parse::<NameAddr>().map_err(|_| bad.clone());
    let tag = early.map(|e| &e.tag).or(record.remote_tag.as_ref());
    let remote = address(&record.remote)?;
    let target = early.map_or(&record.remote_target, |e| &e.target);
    let routes = early.map_or(&record.route_set, |e| &e.route_set);
    Ok(Dialog {
        call_id: record.call_id.clone(),
        local: address(&record.local)?.with_tag(&record.local_tag),
        remote: tag.map_or(remote.clone(), |tag| remote.with_tag(tag)),
        remote_target: target.parse().map_err(|_| bad.clone())?,
        route_set: routes
            .iter()
            .map(|r| address(r))
            .collect::<Result<_, _>>()?,
        sequence: Sequence::new(record.created_in),
        remote_cseq: record.remote_cseq,
    })
}

/// Stands for the INVITE of a call that stands: only its CSeq is still of use, for an ACK.
fn placeholder(record: &DialogRecord, dialog: Option<&Dialog>) -> Result<Message, BadRecord> {
    let uri: Uri = dialog
        .ok_or(BadRecord("an open call without its INVITE"))?
        .remote_target
        .clone();
    let builder = Builder::request(Method::Invite, &uri);
    Ok(builder
        .header(HeaderName::CSeq, format!("{} INVITE", record.invite_cseq))
        .build())
}
