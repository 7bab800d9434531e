//! The handset of an owner that died: its idle state from the presence row, its call from the record.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use ipdect_dect::nwk::Transaction;
use ipdect_dect::nwk::ie::ReleaseReason;
use ipdect_sip::dialog::{DialogRecord, EarlyRecord, Phase as DialogPhase, SessionTimerRecord};
use ipdect_sip::user_agent as sip;

use crate::action::PresenceRow;
use crate::call::{Call, Party, Phase};
use crate::ending::{ToHandset, ToPeer};
use crate::profile::Profile;
use crate::record::{DialogPart, Record};
use crate::speech::{Leg, Speech};
use crate::state::State;
use crate::status::Location;
use crate::turn::Turn;

/// F-10, active: EN 300 175-5 section 9.2.1.
const ACTIVE: u8 = 10;

impl State {
    /// The handset of a record: it had a call when its last owner died. Feed it [`crate::Event::Restored`] next.
    ///
    /// A call that both sides had answered goes on. One that was being set up ends: CANCEL, refusal or BYE by what the
    /// record tells of its dialog, and `{CC-RELEASE}`.
    #[must_use]
    pub fn restore(profile: Profile, record: Record) -> State {
        let mut state = State::new(profile);
        state.inherited = Some(Box::new(record));
        state
    }

    /// Takes in what the store knew of the idle handset.
    pub(crate) fn restored(&mut self, t: &mut Turn<'_>, row: PresenceRow) {
        if let Some((base, rpn)) = row.location.clone() {
            self.location = Location::Located {
                base,
                rpn,
                since: t.wall,
            };
        }
        self.row = row;
        if let Some(record) = self.inherited.take() {
            self.inherit(t, *record);
        }
        if self.location != Location::Detached {
            self.register(t);
        }
    }

    /// Takes the call of a record over, or ends it.
    fn inherit(&mut self, t: &mut Turn<'_>, record: Record) {
        if let Some(path) = &record.media.path {
            self.links.restore(&record.handset, path.remote);
        }
        let active = record.cc.state == ACTIVE;
        let generations = self.profile.generation.saturating_sub(record.generation);
        let dialog = record
            .sip
            .as_ref()
            .and_then(|sip| Some((sip::Call(sip.number), sip.dialog.clone()?)));
        let mut call = rebuilt(record, generations);
        let known = dialog
            .zip(self.ua.as_mut())
            .and_then(|((number, dialog), ua)| {
                self.placed = number.0.wrapping_add(1) % sip::Call::INCOMING.0;
                ua.restore(t.now, number, dialog.into())
                    .ok()
                    .map(|()| number)
            });
        call.sip = known;
        self.call = Some(Box::new(call));
        match known {
            Some(number) if active => {
                self.usage.begins();
                // The ACK may not have left; once too often does no harm.
                self.with_ua(t, |ua, t| ua.ack(t.now, t.rng, number));
                self.with_ua(t, |ua, t| ua.refresh(t.now, t.rng, number));
            }
            _ => {
                let handset = ToHandset::Release(ReleaseReason::UNEXPECTED_MESSAGE, "");
                self.end(
                    t,
                    ToPeer::Bye(None),
                    handset,
                    "the server was lost while the call was set up",
                );
            }
        }
    }
}

/// The call of a record; its SDP goes on with higher versions (`takeover.md` 5, rule 4).
fn rebuilt(record: Record, generations: u32) -> Call {
    let Record {
        handset,
        cc,
        call: part,
        sip,
        media,
        ..
    } = record;
    let time = |s: u64| UNIX_EPOCH + Duration::from_secs(s);
    let open = |rtp: Option<(std::net::SocketAddr, u16)>| {
        rtp.map_or(Leg::None, |(rtp, rtcp_port)| Leg::Open { rtp, rtcp_port })
    };
    let mut speech = Speech::new(media.session);
    speech.resource = media.resource;
    speech.base = open(media.base_rtp);
    speech.sip = open(media.sip_rtp);
    speech.path = media.path;
    speech.path_id = media.path_id;
    speech.sip_key = media.sip_key;
    speech.connected = cc.state == ACTIVE;
    speech.tone = cc.tone;
    speech.open_on.clone_from(&handset.link);
    let mut call = Call::new(
        part.call,
        part.placed,
        Phase::Active,
        speech,
        time(part.began_s),
    );
    call.link = handset.link;
    call.transaction = Transaction {
        value: cc.tv,
        from_destination: !cc.ours,
    };
    call.digits = cc.digits;
    call.dialled = cc.dialled;
    call.party = Party {
        uri: part.number,
        name: part.name,
    };
    call.answered = part.answered_s.map(time);
    call.codec = media.codec;
    if let Some(sip) = sip {
        let bytes = |sdp: Option<String>| sdp.map(Bytes::from);
        call.sdp.id = sip.sdp_id;
        call.sdp.version = sip.sdp_version + u64::from(generations) * 65_536;
        call.sdp.local = bytes(sip.local_sdp);
        call.sdp.remote = bytes(sip.remote_sdp);
        call.sip_srtp = call
            .sdp
            .remote
            .as_ref()
            .is_some_and(|sdp| String::from_utf8_lossy(sdp).contains("a=crypto"));
    }
    call
}

const PHASES: [DialogPhase; 7] = [
    DialogPhase::Calling,
    DialogPhase::Early,
    DialogPhase::Incoming,
    DialogPhase::Answered,
    DialogPhase::Unacknowledged,
    DialogPhase::Confirmed,
    DialogPhase::Ending,
];

fn text(octets: Option<Bytes>) -> Option<String> {
    octets.map(|octets| String::from_utf8_lossy(&octets).into_owned())
}

impl From<DialogRecord> for DialogPart {
    fn from(dialog: DialogRecord) -> DialogPart {
        let phase = PHASES
            .iter()
            .position(|phase| *phase == dialog.phase)
            .unwrap_or(0);
        DialogPart {
            phase: phase as u8,
            we_called: dialog.we_called,
            call_id: dialog.call_id,
            local_tag: dialog.local_tag,
            remote_tag: dialog.remote_tag,
            early: dialog
                .early
                .into_iter()
                .map(|early| (early.tag, early.target, early.route_set))
                .collect(),
            local: dialog.local,
            remote: dialog.remote,
            remote_target: dialog.remote_target,
            route_set: dialog.route_set,
            created_in: dialog.created_in,
            remote_cseq: dialog.remote_cseq,
            invite_cseq: dialog.invite_cseq,
            contact: dialog.contact,
            proxy: dialog.proxy,
            allows_update: dialog.allows_update,
            session: dialog
                .session
                .map(|session| (session.interval_s, session.we_refresh)),
            open_invite: text(dialog.open_invite),
            peer_request: text(dialog.peer_request),
            peer_offered: dialog.peer_offered,
            unacknowledged: text(dialog.unacknowledged),
            local_sdp: text(dialog.local_sdp),
            pending_sdp: text(dialog.pending_sdp),
            remote_sdp_hash: dialog.remote_sdp_hash,
        }
    }
}

impl From<DialogPart> for DialogRecord {
    fn from(part: DialogPart) -> DialogRecord {
        let early = |(tag, target, route_set)| EarlyRecord {
            tag,
            target,
            route_set,
        };
        DialogRecord {
            phase: PHASES
                .get(usize::from(part.phase))
                .copied()
                .unwrap_or(DialogPhase::Ending),
            we_called: part.we_called,
            call_id: part.call_id,
            local_tag: part.local_tag,
            remote_tag: part.remote_tag,
            early: part.early.into_iter().map(early).collect(),
            local: part.local,
            remote: part.remote,
            remote_target: part.remote_target,
            route_set: part.route_set,
            created_in: part.created_in,
            remote_cseq: part.remote_cseq,
            invite_cseq: part.invite_cseq,
            contact: part.contact,
            proxy: part.proxy,
            allows_update: part.allows_update,
            session: part
                .session
                .map(|(interval_s, we_refresh)| SessionTimerRecord {
                    interval_s,
                    we_refresh,
                }),
            open_invite: part.open_invite.map(Bytes::from),
            peer_request: part.peer_request.map(Bytes::from),
            peer_offered: part.peer_offered,
            unacknowledged: part.unacknowledged.map(Bytes::from),
            local_sdp: part.local_sdp.map(Bytes::from),
            pending_sdp: part.pending_sdp.map(Bytes::from),
            remote_sdp_hash: part.remote_sdp_hash,
        }
    }
}
