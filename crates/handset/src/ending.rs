//! How calls end: what the media resource, the peer and the handset are told, and in which order.

use bytes::Bytes;
use ipdect_dect::display::{self, Size};
use ipdect_dect::nwk::ie::ReleaseReason;
use ipdect_dect::nwk::{Cc, Ie};
use ipdect_sip::user_agent::{self as sip, By, Extra, Reason};

use crate::action::{Media, Radio, Store};
use crate::call::{Call, Phase};
use crate::notice::{Notice, Placed};
use crate::record::{FORMAT, HandsetPart, MediaPart, Milestone, Record, SipPart};
use crate::state::State;
use crate::timers::CC_02;
use crate::turn::Turn;

/// What the SIP peer is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ToPeer {
    /// Nothing: it told us, or knows nothing of the call.
    Nothing,
    /// BYE, or what stands for it before the answer.
    Bye(Option<Reason>),
    /// A final refusal of its INVITE.
    Refuse(u16, Vec<Extra>),
}

/// What the handset is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToHandset {
    /// Nothing: it was not reached, or is gone.
    Nothing,
    /// `{CC-RELEASE-COM}`.
    Complete(ReleaseReason),
    /// `{CC-RELEASE}`, with a text.
    Release(ReleaseReason, &'static str),
}

impl State {
    /// Ends the call: commit, peer, handset, in this order (`contracts.md` section 10).
    pub(crate) fn end(&mut self, t: &mut Turn<'_>, peer: ToPeer, handset: ToHandset, cause: &str) {
        if self.call.is_none() {
            return;
        }
        self.stop_page(t);
        self.close_session(t);
        self.tell_peer(t, peer);
        self.acknowledge_all(t);
        let Some(call) = &self.call else { return };
        let summary = call.summary(cause);
        let used = call.placed == Placed::ByUs || call.answered.is_some();
        match handset {
            ToHandset::Nothing => {
                self.close_speech();
                self.finish(t);
            }
            ToHandset::Complete(reason) => {
                let mut elements = vec![Ie::ReleaseReason(reason)];
                elements.extend(self.new_idle_display());
                self.say(Cc::ReleaseCom, elements);
                self.close_speech();
                self.finish(t);
            }
            ToHandset::Release(reason, text) => {
                self.close_speech();
                let mut elements = vec![Ie::ReleaseReason(reason)];
                elements.extend((!text.is_empty()).then(|| self.text(&[text])));
                elements.extend(self.new_idle_display());
                self.say(Cc::Release, elements);
                self.release_pending(t);
            }
        }
        self.tell(Notice::CallEnded(summary));
        if used {
            self.usage.ends(t.now);
            self.row.last_used = Some(t.wall);
        }
    }

    /// Waits for `{CC-RELEASE-COM}`, where there is somebody to send it.
    fn release_pending(&mut self, t: &mut Turn<'_>) {
        match self.call.as_mut() {
            Some(call) if call.link.is_some() => {
                (call.missing, call.written.1) = (None, None);
                call.phase = Phase::Releasing {
                    until: t.now + CC_02,
                }
            }
            _ => self.finish(t),
        }
    }

    /// The handset confirmed the release, or released at the same time.
    pub(crate) fn released(&mut self, t: &mut Turn<'_>) {
        match self.call.as_ref().map(|call| call.phase) {
            Some(Phase::Releasing { .. }) => self.finish(t),
            Some(_) => self.end(
                t,
                ToPeer::Bye(None),
                ToHandset::Nothing,
                "released by the handset",
            ),
            None => {}
        }
    }

    /// Forgets the call.
    pub(crate) fn finish(&mut self, _: &mut Turn<'_>) {
        if self.call.take().is_some() {
            self.display.clear();
            let presence = self.row.clone();
            self.outbox
                .push(crate::action::Action::Store(Store::RemoveRecord {
                    presence,
                }));
        }
    }

    /// Closes the session; the record that says so is the commit of what follows.
    fn close_session(&mut self, t: &mut Turn<'_>) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        if std::mem::replace(&mut call.no_session, true) {
            return;
        }
        let session = call.speech.session;
        let tag = self.tags.fresh();
        let record = self.record(t, Milestone::Ending);
        let order = Media::CloseSession {
            tag,
            session,
            record: record.clone(),
        };
        self.outbox
            .commit(crate::action::Action::Media(order), tag, record);
    }

    pub(crate) fn close_speech(&mut self) {
        let open_on = self
            .call
            .as_mut()
            .and_then(|call| call.speech.open_on.take());
        // A connection that is gone took its speech along.
        let link = open_on.filter(|link| {
            self.links
                .get(link)
                .is_some_and(|_| self.links.reaches(&link.base))
        });
        self.radio(link.map(|link| Radio::CloseSpeech { link }));
    }

    fn tell_peer(&mut self, t: &mut Turn<'_>, peer: ToPeer) {
        let Some(number) = self.call.as_mut().and_then(|call| call.sip.take()) else {
            return;
        };
        match peer {
            ToPeer::Nothing => {}
            ToPeer::Bye(reason) => self.with_ua(t, |ua, t| ua.bye(t.now, t.rng, number, reason)),
            ToPeer::Refuse(status, extra) => {
                self.with_ua(t, |ua, t| ua.reject(t.now, t.rng, number, status, extra))
            }
        }
    }

    /// An administrator, or the configuration, ends the call.
    pub(crate) fn hang_up(&mut self, t: &mut Turn<'_>, cause: &str) {
        match self.call.as_ref().map(|call| call.phase) {
            None | Some(Phase::Releasing { .. }) => {}
            Some(_) => self.end(
                t,
                ToPeer::Bye(None),
                ToHandset::Release(ReleaseReason::NORMAL, ""),
                cause,
            ),
        }
    }

    /// The server goes away: everything is ended.
    pub(crate) fn shut_down(&mut self, t: &mut Turn<'_>) {
        self.hang_up(t, "the server shuts down");
        self.unregister(t);
    }

    /// The peer ended the call, or its end is known otherwise.
    pub(crate) fn peer_ended(
        &mut self,
        t: &mut Turn<'_>,
        number: sip::Call,
        by: By,
        reason: Option<Reason>,
    ) {
        if !self.is_ours(number) {
            return;
        }
        let cause = match (by, &reason) {
            (_, Some(reason)) if !reason.text.is_empty() => {
                format!("hung up by the peer: {}", reason.text)
            }
            (By::Gone, _) => "the peer knows the call no more".into(),
            (By::TimedOut, _) => "no answer".into(),
            _ => "hung up by the peer".into(),
        };
        if let Some(call) = self.call.as_mut() {
            call.sip = None;
        }
        self.end(
            t,
            ToPeer::Nothing,
            ToHandset::Release(ReleaseReason::NORMAL, ""),
            &cause,
        );
    }

    /// The dialog broke down: it is ended from our side.
    pub(crate) fn broken(&mut self, t: &mut Turn<'_>, number: sip::Call, cause: &str) {
        if self.is_ours(number) {
            let handset = ToHandset::Release(ReleaseReason::IWU_CONGESTION, "Call lost");
            self.end(t, ToPeer::Bye(None), handset, cause);
        }
    }

    /// Whether the user agent speaks of the call that stands.
    pub(crate) fn is_ours(&self, number: sip::Call) -> bool {
        self.call
            .as_ref()
            .is_some_and(|call| call.sip == Some(number))
    }

    /// Text for the display of this handset; what was sent last is what live views show.
    pub(crate) fn text(&mut self, lines: &[&str]) -> Ie {
        let capability = self.profile.handset.capability();
        self.display = lines.iter().map(|line| (*line).to_owned()).collect();
        display::text(lines, Size::of(capability.as_ref()))
    }

    /// The record of the call as it is now.
    pub(crate) fn record(&mut self, t: &Turn<'_>, milestone: Milestone) -> Bytes {
        if let Some(call) = self.call.as_mut() {
            call.sequence += 1;
        }
        let Some(call) = self.call.as_ref() else {
            return Bytes::new();
        };
        let connection = call.link.as_ref().and_then(|link| self.links.get(link));
        let record = Record {
            format: FORMAT,
            lowest: FORMAT,
            generation: self.profile.generation,
            sequence: call.sequence,
            milestone,
            written_s: t.utc_s(),
            trace: call.trace.id(),
            handset: HandsetPart {
                ipei: self.profile.handset.ipei,
                link: call.link.clone(),
                rpn: connection.map_or(0, |c| c.rpn),
                last_up: connection.map_or(0, |c| c.last_up),
                last_down: connection.map_or(0, |c| c.last_down),
            },
            cc: call.cc_part(),
            call: call.call_part(),
            sip: self.sip_part(call),
            media: media_part(call),
        };
        record.encode().into()
    }

    fn sip_part(&self, call: &Call) -> Option<SipPart> {
        let number = call.sip?;
        let dialog = self
            .ua
            .as_ref()
            .and_then(|ua| ua.record(number))
            .map(Into::into);
        let text = |sdp: &Option<Bytes>| {
            sdp.as_ref()
                .map(|sdp| String::from_utf8_lossy(sdp).into_owned())
        };
        Some(SipPart {
            number: number.0,
            dialog,
            local_sdp: text(&call.sdp.local),
            remote_sdp: text(&call.sdp.remote),
            sdp_id: call.sdp.id,
            sdp_version: call.sdp.version,
        })
    }
}

fn media_part(call: &Call) -> MediaPart {
    MediaPart {
        session: call.speech.session,
        resource: call.speech.resource.clone(),
        path: call.speech.path.clone(),
        path_id: call.speech.path_id,
        base_rtp: call.speech.base.rtp(),
        sip_rtp: call.speech.sip.rtp(),
        sip_key: call.speech.sip_key.clone(),
        codec: call.codec.clone(),
    }
}
