//! Actions in a few words: `B` base station, `M` media resource, `P` peer or proxy, `S` store, `!` people, `=` presence.

use ipdect_dect::display;
use ipdect_dect::nwk::{self, Ie, Kind};
use ipdect_handset::record::Record;
use ipdect_handset::{Action, LegId, Media, Notice, Presence, Radio, Status, Store};

/// The line of an action; `before` are all actions before it, newest first. Ladder lines and copies of records have none.
pub(super) fn line<'a>(
    action: &Action,
    before: impl Iterator<Item = &'a Action>,
) -> Option<String> {
    Some(match action {
        Action::Radio(order) => radio(order),
        Action::Media(order) => media(order),
        Action::Sip(transmit) => format!("P {}", sip(&transmit.message)),
        Action::Store(row) => store(row)?,
        Action::Tell(notice) => format!("! {}", told(notice)),
        Action::Show(status) => shown(status, before)?,
        Action::Ladder(_) => return None,
    })
}

fn radio(order: &Radio) -> String {
    match order {
        Radio::Bind { .. } => "B Bind".into(),
        Radio::SendNwk { pdu, .. } => match nwk::Message::decode(pdu) {
            Ok(message) => format!("B {}", nwk_words(&message)),
            Err(error) => format!("B unreadable: {error}"),
        },
        Radio::AckNwk { seq, .. } => format!("B NwkAck {seq}"),
        Radio::Page { .. } => "B* Page".into(),
        Radio::CancelPage { .. } => "B* CancelPage".into(),
        Radio::OpenSpeech { .. } => "B OpenSpeech".into(),
        Radio::CloseSpeech { .. } => "B CloseSpeech".into(),
        Radio::Adopt { .. } => "B Adopt".into(),
        Radio::ReleaseConnection { .. } => "B ReleaseConnection".into(),
    }
}

fn nwk_words(message: &nwk::Message) -> String {
    let name = match message.kind {
        Kind::Cc(kind) => format!("{kind:?}"),
        Kind::Mm(kind) => format!("{kind:?}"),
        Kind::Lce(kind) => format!("{kind:?}"),
        kind => format!("{kind:?}"),
    };
    let details: Vec<String> = message.elements.iter().filter_map(element).collect();
    match details.is_empty() {
        true => format!("{{{name}}}"),
        false => format!("{{{name} {}}}", details.join(" ")),
    }
}

fn element(element: &Ie) -> Option<String> {
    let text = |octets: &[u8]| {
        String::from_utf8_lossy(octets)
            .trim_start_matches('\u{c}')
            .to_string()
    };
    Some(match element {
        Ie::ReleaseReason(reason) => format!("reason={:02x}", reason.0),
        Ie::RejectReason(reason) => format!("reject={:02x}", reason.0),
        Ie::Signal(signal) => format!("signal={:02x}", signal.0),
        Ie::ProgressIndicator(progress) => format!("progress={}", progress.description),
        Ie::MultiDisplay(octets) => format!("'{}'", text(octets)),
        Ie::CallingPartyNumber(number) => format!("number={}", text(&number.number)),
        Ie::CallingPartyName(name) => format!("name='{}'", text(&name.name)),
        Ie::Proprietary { .. } => {
            let idle = display::idle_in(std::slice::from_ref(element))?;
            format!("idle='{}'", text(idle))
        }
        _ => return None,
    })
}

fn media(order: &Media) -> String {
    let kept = |octets: &bytes::Bytes| match Record::decode(octets) {
        Ok(record) => format!(" [{:?}]", record.milestone),
        Err(error) => format!(" [{error}]"),
    };
    let maybe = |octets: &Option<bytes::Bytes>| octets.as_ref().map(kept).unwrap_or_default();
    let leg = |leg: &LegId| if *leg == LegId::BASE { "base" } else { "sip" };
    match order {
        Media::OpenSession { record, .. } => format!("M OpenSession{}", kept(record)),
        Media::OpenLeg { leg: l, record, .. } => format!("M OpenLeg {}{}", leg(l), maybe(record)),
        Media::ModifyLeg {
            direction,
            srtp,
            record,
            ..
        } => {
            let srtp = if srtp.is_some() { " srtp" } else { "" };
            format!("M ModifyLeg {direction:?}{srtp}{}", maybe(record))
        }
        Media::AddPath { id, .. } => format!("M AddPath {}", id.0),
        Media::DropPath { id, .. } => format!("M DropPath {}", id.0),
        Media::Connect { .. } => "M Connect".into(),
        Media::Disconnect { .. } => "M Disconnect".into(),
        Media::PlayTone { tone, .. } => format!("M PlayTone {tone:?}"),
        Media::StopTone { .. } => "M StopTone".into(),
        Media::SendDtmf { digits, seq, .. } => format!("M SendDtmf {digits} of {seq}"),
        Media::Note { record, .. } => format!("M Note{}", kept(record)),
        Media::CloseLeg { leg: l, .. } => format!("M CloseLeg {}", leg(l)),
        Media::CloseSession { record, .. } => format!("M CloseSession{}", kept(record)),
    }
}

fn sip(message: &ipdect_sip::message::Message) -> String {
    match (message.method(), message.status()) {
        (Some(method), _) => {
            let target = message.request_uri_text().unwrap_or_default();
            match method.to_string().as_str() {
                "INVITE" => format!("INVITE {target}"),
                method => method.to_owned(),
            }
        }
        (None, Some(status)) => {
            let of = message
                .cseq()
                .map(|cseq| cseq.method.to_string())
                .unwrap_or_default();
            let warning = message
                .header("Warning")
                .map(|w| format!(" Warning {}", &w.to_string()[..3]));
            format!("{} ({of}){}", status.code(), warning.unwrap_or_default())
        }
        (None, None) => "nothing".into(),
    }
}

fn store(row: &Store) -> Option<String> {
    Some(match row {
        Store::Handset { .. } => "S Handset".into(),
        Store::ClaimTpui { .. } => "S ClaimTpui".into(),
        Store::Record { tag: Some(_), .. } => "S Record".into(),
        Store::Record { tag: None, .. } => return None,
        Store::RemoveRecord { .. } => "S RemoveRecord".into(),
        Store::Presence(_) => "S Presence".into(),
    })
}

fn told(notice: &Notice) -> String {
    match notice {
        Notice::Subscription(attempt) => {
            let how = if attempt.accepted {
                "accepted"
            } else {
                "rejected"
            };
            format!(
                "subscription of {} {how}, code right {:?}: {}",
                attempt.ipei, attempt.code_right, attempt.reason
            )
        }
        Notice::AuthenticationFailed { reason, .. } | Notice::LocationRefused { reason, .. } => {
            reason.clone()
        }
        Notice::Registered { aor } => format!("registered {aor}"),
        Notice::RegistrationFailed { status, reason, .. } => {
            format!("not registered ({status:?}): {reason}")
        }
        Notice::MissedCall { number, name, .. } => {
            format!("missed {} '{name}'", number.as_deref().unwrap_or("-"))
        }
        Notice::CallEnded(summary) => format!("ended: {}", summary.cause),
        Notice::Odd { what } => (*what).into(),
        Notice::Fenced => "fenced".into(),
    }
}

/// What contacts see, when that changed.
fn shown<'a>(status: &Status, mut before: impl Iterator<Item = &'a Action>) -> Option<String> {
    let last = before.find_map(|action| match action {
        Action::Show(status) => Some(status.presence),
        _ => None,
    });
    let presence = status.presence;
    (last.unwrap_or(Presence::Away) != presence).then(|| format!("= {presence:?}"))
}
