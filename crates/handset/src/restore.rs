//! The handset of an owner that died: its idle state from the presence row, its call from the record.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use ipdect_dect::nwk::Transaction;
use ipdect_dect::nwk::ie::ReleaseReason;
use ipdect_sip::dialog::{DialogRecord, EarlyRecord, Phase as DialogPhase, SessionTimerRecord};
use ipdect_sip::user_agent as sip;

use crate::action::{Media, PresenceRow};
use crate::call::{Call, Party, Phase};
use crate::ending::{ToHandset, ToPeer};
use crate::ids::uuid_v7;
use crate::media::SessionId;
use crate::notice::Placed;
use crate::profile::Profile;
use crate::record::{DialogPart, Milestone, Record};
use crate::speech::{Leg, Speech};
use crate::state::State;
use crate::status::Location;
use crate::turn::Turn;

/// F-10, active: EN 300 175-5 section 9.2.1.
const ACTIVE: u8 = 10;

impl State {
    /// The handset of a record: it had a call when its last owner died. Feed it [`crate::Event::Restored`] next.
    ///
    /// The call goes on from where it was (`takeover.md` section 8).
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

    /// Takes the call of a record over, as far as it was.
    fn inherit(&mut self, t: &mut Turn<'_>, record: Record) {
        self.links.restore(&record.handset);
        let generations = self.profile.generation.saturating_sub(record.generation);
        let step = Step::of(&record);
        let dialog = record
            .sip
            .as_ref()
            .and_then(|sip| Some((sip::Call(sip.number), sip.dialog.clone()?)));
        let mut call = rebuilt(record, generations);
        call.sip = dialog
            .zip(self.ua.as_mut())
            .and_then(|((number, dialog), ua)| {
                self.placed = number.0.wrapping_add(1) % sip::Call::INCOMING.0;
                ua.restore(t.now, number, dialog.into())
                    .ok()
                    .map(|()| number)
            });
        let number = call.sip;
        self.call = Some(Box::new(call));
        match (step, number) {
            (Step::Talking(open), Some(number)) => self.talk_on(t, number, open),
            (Step::Dialling, _) => self.dial_on(t, Phase::Seizing),
            (Step::Calling, number) => self.call_anew(t, number),
            (Step::Presented, Some(_)) => self.dial_on(t, Phase::Admitting),
            (Step::Ringing, Some(number)) => self.ring_on(t, number),
            (Step::Over, _) | (_, None) => self.end(
                t,
                ToPeer::Bye(None),
                ToHandset::Release(ReleaseReason::UNEXPECTED_MESSAGE, ""),
                "the server was lost while the call was being ended",
            ),
        }
    }

    /// Both talk: nobody notices.
    fn talk_on(&mut self, t: &mut Turn<'_>, number: sip::Call, open: Open) {
        self.usage.begins();
        // The ACK may not have left; once too often does no harm.
        self.with_ua(t, |ua, t| ua.ack(t.now, t.rng, number));
        match open {
            Open::Nothing => self.with_ua(t, |ua, t| ua.refresh(t.now, t.rng, number)),
            Open::Theirs => {
                let answer = self.call.as_ref().and_then(|call| call.sdp.local.clone());
                let answer = answer.unwrap_or_default();
                self.with_ua(t, |ua, t| ua.answer_reinvite(t.now, t.rng, number, answer));
            }
            Open::Ours => {
                let Some(offer) = self.offer() else { return };
                self.note(t, Milestone::Changed);
                self.with_ua(t, |ua, t| ua.reinvite(t.now, t.rng, number, offer));
            }
        }
    }

    /// Nothing was said to the peer, or nothing but 100: the way goes on from its beginning, with a session of its own.
    fn dial_on(&mut self, t: &mut Turn<'_>, phase: Phase) {
        self.leave_session(t);
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.phase = phase;
        let milestone = match phase {
            Phase::Seizing => Milestone::SetupTaken,
            _ => Milestone::InviteTaken,
        };
        self.open_session(t, milestone);
    }

    /// Our INVITE is out, and its answers go to an owner that is dead: it is given up and said anew (`takeover.md` 8).
    fn call_anew(&mut self, t: &mut Turn<'_>, number: Option<sip::Call>) {
        self.note(t, Milestone::Calling);
        if let Some(number) = number {
            self.with_ua(t, |ua, t| ua.cancel(t.now, t.rng, number, None));
        }
        if let Some(call) = self.call.as_mut() {
            call.sip = None;
            call.dialled = true;
        }
        self.dial_on(t, Phase::Seizing);
    }

    /// The handset rings, and goes on ringing.
    fn ring_on(&mut self, t: &mut Turn<'_>, number: sip::Call) {
        self.leave_session(t);
        let until = t.now + self.profile.settings.call.ring_limit;
        if let Some(call) = self.call.as_mut() {
            call.phase = Phase::Alerting { until };
        }
        self.open_session(t, Milestone::Alerting);
        self.with_ua(t, |ua, t| ua.ring(t.now, t.rng, number));
    }

    /// Gives the session of the last owner up for a new one: which of its legs stand is not in the record.
    fn leave_session(&mut self, t: &mut Turn<'_>) {
        let record = self.record(t, Milestone::Moved);
        let tag = self.tags.fresh();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let fresh = Speech::new(SessionId(uuid_v7(t.wall, t.rng)));
        let left = std::mem::replace(&mut call.speech, fresh);
        call.sdp.answer = None;
        // Whether it was opened at all is not in every record.
        let session = left.session;
        self.media([Media::CloseSession {
            tag,
            session,
            record,
        }]);
    }
}

/// How far a call was (`takeover.md` section 8, the table).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// No INVITE yet.
    Dialling,
    /// INVITE sent, nothing heard or ringing.
    Calling,
    /// INVITE taken, the handset not heard to ring.
    Presented,
    /// The handset rings.
    Ringing,
    /// Both talk.
    Talking(Open),
    /// Refused, or on its way to the end.
    Over,
}

/// What was open in a call that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// An offer of the peer, already carried out.
    Theirs,
    /// An offer of ours.
    Ours,
}

impl Step {
    fn of(record: &Record) -> Step {
        let dialog = record.sip.as_ref().and_then(|sip| sip.dialog.as_ref());
        if record.milestone == Milestone::Ending {
            return Step::Over;
        }
        if record.cc.state == ACTIVE {
            let theirs = dialog.is_some_and(|d| d.peer_request.is_some());
            return Step::Talking(match record.milestone {
                Milestone::Changed if theirs => Open::Theirs,
                Milestone::Moved => Open::Ours,
                _ => Open::Nothing,
            });
        }
        match record.milestone {
            Milestone::SetupTaken => Step::Dialling,
            Milestone::Calling | Milestone::FirstTag => Step::Calling,
            Milestone::InviteTaken => Step::Presented,
            Milestone::Alerting => Step::Ringing,
            _ if record.call.placed == Placed::ByPeer => Step::Ringing,
            _ => Step::Over,
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
        sequence,
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
    call.sequence = sequence;
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
