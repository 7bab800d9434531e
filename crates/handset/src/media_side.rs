//! The media side: results of orders, legs that open, and what offer and answer make of them.

use std::net::SocketAddr;

use bytes::Bytes;
use ipdect_dect::nwk::ie::{ReleaseReason, Signal};
use ipdect_sip::sdp::SdpError;

use crate::action::{Action, Media, Radio, Store};
use crate::call::Phase;
use crate::ending::{ToHandset, ToPeer};
use crate::event::{BaseId, Held, MediaId, Outcome, Tag};
use crate::media::{Direction, LegId, SessionId, Tone};
use crate::notice::Placed;
use crate::record::Milestone;
use crate::sdp::{Agreed, Ours};
use crate::speech::Leg;
use crate::state::State;
use crate::turn::Turn;

impl State {
    /// Commits the record where no other order is due.
    pub(crate) fn note(&mut self, t: &Turn<'_>, milestone: Milestone) {
        let Some(session) = self.call.as_ref().map(|call| call.speech.session) else {
            return;
        };
        let record = self.record(t, milestone);
        let tag = self.tags.fresh();
        self.commit(
            Media::Note {
                tag,
                session,
                record: record.clone(),
            },
            tag,
            record,
        );
    }

    /// Keeps a record in the store too.
    pub(crate) fn keep(&mut self, record: Bytes) {
        self.outbox
            .push(Action::Store(Store::Record { tag: None, record }));
    }

    pub(crate) fn session_opened(
        &mut self,
        t: &mut Turn<'_>,
        tag: Tag,
        session: SessionId,
        by: (MediaId, u64),
    ) {
        self.result(t, tag, Outcome::Done);
        let Some(call) = self
            .call
            .as_mut()
            .filter(|call| call.opening == Some(tag) && call.speech.session == session)
        else {
            return;
        };
        call.opening = None;
        call.speech.resource = Some(by);
        match call.phase {
            Phase::Seizing => self.open_base_leg(t),
            Phase::Admitting => self.admitted(t),
            Phase::Active | Phase::Alerting { .. } | Phase::Answering { .. } => self.open_legs(t),
            _ => {}
        }
    }

    /// Asks for the base leg, towards the base station of the call's connection.
    pub(crate) fn open_base_leg(&mut self, t: &mut Turn<'_>) {
        let Some(remote) = self.speech_address() else {
            return;
        };
        let tag = self.tags.fresh();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let order = call
            .speech
            .open_base(tag, t.rng, remote, &self.profile.settings.media);
        self.media([order]);
    }

    /// Asks for both legs; not before the session stands, and the base station has said where it takes speech.
    pub(crate) fn open_legs(&mut self, t: &mut Turn<'_>) {
        let opens = self.call.as_ref().is_some_and(|c| c.opening.is_some());
        if opens || self.speech_address().is_none() {
            return;
        }
        self.open_base_leg(t);
        let tag = self.tags.fresh();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let order = call
            .speech
            .open_sip(tag, t.rng, &self.profile.settings.media);
        self.media([order]);
    }

    pub(crate) fn leg_opened(
        &mut self,
        t: &mut Turn<'_>,
        tag: Tag,
        session: SessionId,
        leg: LegId,
        rtp: SocketAddr,
        rtcp_port: u16,
    ) {
        let Some(call) = self
            .call
            .as_mut()
            .filter(|call| call.speech.session == session)
        else {
            return;
        };
        let open = Leg::Open { rtp, rtcp_port };
        match leg {
            LegId::BASE if call.speech.base.waits_for(tag) => {
                call.speech.base = open;
                self.open_speech(rtp);
            }
            LegId::SIP if call.speech.sip.waits_for(tag) => call.speech.sip = open,
            _ => return,
        }
        self.leg_ready(t);
    }

    /// The base station is there: legs that waited for it are asked for.
    pub(crate) fn open_waiting_legs(&mut self, t: &mut Turn<'_>) {
        let Some(call) = &self.call else { return };
        if call.opening.is_some() || call.no_session || call.speech.base != Leg::None {
            return;
        }
        match call.phase {
            Phase::Seizing => self.open_base_leg(t),
            Phase::Alerting { .. } | Phase::Answering { .. } => self.open_legs(t),
            _ => {}
        }
    }

    /// The base station can be told again: speech that it does not have open is opened.
    pub(crate) fn open_missing_speech(&mut self, base: &BaseId, held: &[Held]) {
        let Some(call) = &self.call else { return };
        let (Some(link), Some((rtp, _))) = (&call.link, call.speech.base.rtp()) else {
            return;
        };
        let holds = |held: &&Held| link.base == *base && link.connection == held.connection;
        let missing = |held: &Held| call.speech.untold || !held.speech;
        let ends = matches!(call.phase, Phase::Releasing { .. });
        if !ends && held.iter().find(holds).is_some_and(missing) {
            self.open_speech(rtp);
        }
    }

    /// Tells the base station where its speech goes.
    fn open_speech(&mut self, rtp: SocketAddr) {
        let tag = self.tags.fresh();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let (Some(link), Some(path)) = (call.link.clone(), &call.speech.path) else {
            return;
        };
        let path = path.mirrored(rtp);
        call.speech.open_on = Some(link.clone());
        call.speech.opening_speech = Some(tag);
        call.speech.untold = false;
        self.radio([Radio::OpenSpeech { tag, link, path }]);
    }

    /// Goes on once the legs that the phase waits for stand.
    fn leg_ready(&mut self, t: &mut Turn<'_>) {
        let Some(call) = &self.call else { return };
        let (base, sip) = (call.speech.base.is_open(), call.speech.sip.is_open());
        match call.phase {
            Phase::Seizing if base => self.seized(t),
            Phase::Preparing if sip => self.invite(t),
            Phase::Alerting { .. } | Phase::Answering { .. } if base && sip => self.legs_ready(t),
            Phase::Active if base && sip => self.moved(t),
            _ => {}
        }
    }

    /// Looks whether the call waits for an order's result.
    pub(crate) fn media_result(&mut self, t: &mut Turn<'_>, tag: Tag, outcome: Outcome) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        if call.speech.opening_speech == Some(tag) {
            call.speech.opening_speech = None;
            return self.speech_opened(t, outcome);
        }
        if outcome == Outcome::Done {
            return;
        }
        if call.opening == Some(tag) {
            call.no_session = true;
            self.no_room(t);
        } else if call.speech.base.waits_for(tag) && outcome == Outcome::Conflict {
            // One of the SSRCs is in use there: others are drawn.
            self.open_base_leg(t);
        } else if call.speech.base.waits_for(tag) || call.speech.sip.waits_for(tag) {
            self.no_room(t);
        }
    }

    /// Admission, or the lack of ports, refused the call.
    fn no_room(&mut self, t: &mut Turn<'_>) {
        let Some(call) = &self.call else { return };
        match (call.placed, call.phase) {
            (Placed::ByPeer, Phase::Active) | (Placed::ByUs, Phase::Active) => {
                let handset = ToHandset::Release(ReleaseReason::IWU_CONGESTION, "Speech lost");
                self.end(t, ToPeer::Bye(None), handset, "no media resource had room");
            }
            (Placed::ByPeer, _) => self.not_admitted(t),
            (Placed::ByUs, Phase::Seizing) => self.refuse_setup(t),
            (Placed::ByUs, _) => {
                let handset =
                    ToHandset::Release(ReleaseReason::INSUFFICIENT_RESOURCES, "All lines busy");
                self.end(t, ToPeer::Bye(None), handset, "no media resource had room");
            }
        }
    }

    /// `{CC-SETUP}` is refused with `{CC-RELEASE-COM}` and a text.
    fn refuse_setup(&mut self, t: &mut Turn<'_>) {
        let text = self.text(&["All lines busy"]);
        let Some(call) = &self.call else { return };
        let (Some(link), transaction) = (call.link.clone(), call.transaction) else {
            return;
        };
        self.acknowledge(t);
        self.release_com(
            &link,
            transaction,
            ReleaseReason::INSUFFICIENT_RESOURCES,
            Some(text),
        );
        self.end(
            t,
            ToPeer::Nothing,
            ToHandset::Nothing,
            "no media resource had room",
        );
    }

    fn speech_opened(&mut self, t: &mut Turn<'_>, outcome: Outcome) {
        match outcome {
            Outcome::Done => {}
            // The link is told to be dead, or alive again with its inventory.
            Outcome::Unreachable => {
                if let Some(call) = self.call.as_mut() {
                    call.speech.untold = true;
                }
            }
            Outcome::Conflict => self.new_path(t),
            _ => {
                let handset = ToHandset::Release(ReleaseReason::INSUFFICIENT_BEARERS, "Radio busy");
                self.end(
                    t,
                    ToPeer::Bye(None),
                    handset,
                    "the base station did not open speech",
                );
            }
        }
    }

    /// Where the base station of the call's connection takes speech.
    pub(crate) fn speech_address(&self) -> Option<SocketAddr> {
        let link = self.call.as_ref()?.link.as_ref()?;
        self.links.get(link)?.speech
    }

    /// The `<<SIGNAL>>` of a tone, where the handset makes tones itself.
    pub(crate) fn local_signal(&self, tone: Tone) -> Option<Signal> {
        let makes_tones = self
            .profile
            .handset
            .capability()
            .is_some_and(|c| c.makes_tones());
        makes_tones.then_some(match tone {
            Tone::Dial => Signal::DIAL_TONE,
            Tone::RingBack => Signal::RING_BACK,
            Tone::Busy => Signal::BUSY,
            Tone::Congestion => Signal::CONGESTION,
            Tone::Confirm => Signal::CONFIRM,
            Tone::NegativeAck => Signal::NEGATIVE_ACK,
            Tone::CallWaiting => Signal::CALL_WAITING,
            Tone::Intercept => Signal::INTERCEPT,
        })
    }

    /// Our side of the SIP leg, for an SDP of this version.
    fn ours(&self, version: u64) -> Option<Ours<'_>> {
        let call = self.call.as_ref()?;
        let Leg::Open { rtp, rtcp_port } = call.speech.sip else {
            return None;
        };
        Some(Ours {
            rtp,
            rtcp_port,
            origin: (call.sdp.id, version),
            key: call.speech.sip_key.as_ref(),
            direction: Direction::SendRecv,
            settings: &self.profile.settings.media,
        })
    }

    /// Our offer, with a version of its own.
    pub(crate) fn offer(&mut self) -> Option<Bytes> {
        let version = self.call.as_ref()?.sdp.version + 1;
        let offer = self.ours(version)?.offer();
        let sdp = &mut self.call.as_mut()?.sdp;
        (sdp.version, sdp.local) = (version, Some(offer.clone()));
        Some(offer)
    }

    /// Answers an offer: the answer waits in the call, what is agreed comes back.
    pub(crate) fn make_answer(&mut self, offer: &Bytes) -> Result<Agreed, SdpError> {
        let version = self.call.as_ref().map_or(1, |call| call.sdp.version + 1);
        let ours = self.ours(version).ok_or(SdpError::NoAddress)?;
        let (answer, agreed) = ours.answer(offer)?;
        if let Some(call) = self.call.as_mut() {
            call.sdp.version = version;
            call.sdp.local = Some(answer.clone());
            call.sdp.answer = Some(answer);
            call.sdp.remote = Some(offer.clone());
        }
        self.took(&agreed);
        Ok(agreed)
    }

    /// Reads the peer's answer to our offer.
    pub(crate) fn read_answer(&mut self, answer: &Bytes) -> Result<Agreed, SdpError> {
        let version = self.call.as_ref().map_or(1, |call| call.sdp.version);
        let agreed = self
            .ours(version)
            .ok_or(SdpError::NoAddress)?
            .answered(answer)?;
        if let Some(call) = self.call.as_mut() {
            call.sdp.remote = Some(answer.clone());
        }
        self.took(&agreed);
        Ok(agreed)
    }

    fn took(&mut self, agreed: &Agreed) {
        if let Some(call) = self.call.as_mut() {
            call.codec = agreed.codecs.first().map(|codec| codec.name.clone());
            call.sip_srtp = agreed.srtp.is_some();
        }
    }

    /// Whether an offer could be answered at all, before anything is opened for it.
    pub(crate) fn would_answer(&self, offer: &Bytes) -> Result<(), SdpError> {
        let settings = &self.profile.settings.media;
        let key = crate::media::SrtpKey(vec![0; crate::media::SRTP_KEY_LENGTH]);
        let ours = Ours {
            rtp: SocketAddr::from(([127, 0, 0, 1], 2)),
            rtcp_port: 3,
            origin: (0, 0),
            key: Some(&key),
            direction: Direction::SendRecv,
            settings,
        };
        ours.answer(offer).map(|_| ())
    }

    /// `ModifyLeg` for what is agreed.
    pub(crate) fn modify(&mut self, agreed: Agreed, record: Option<Bytes>) -> Option<Media> {
        let tag = self.tags.fresh();
        self.modify_as(tag, agreed, record)
    }

    fn modify_as(&self, tag: Tag, agreed: Agreed, record: Option<Bytes>) -> Option<Media> {
        let session = self.call.as_ref()?.speech.session;
        Some(Media::ModifyLeg {
            tag,
            session,
            leg: LegId::SIP,
            remote: Some(agreed.remote),
            codecs: agreed.codecs,
            telephone_event: agreed.telephone_event,
            srtp: agreed.srtp,
            direction: agreed.direction,
            source: agreed.source,
            record,
        })
    }

    /// `ModifyLeg` that brings the record: what follows waits for it.
    pub(crate) fn modify_committed(&mut self, t: &Turn<'_>, agreed: Agreed, milestone: Milestone) {
        let record = self.record(t, milestone);
        let tag = self.tags.fresh();
        if let Some(order) = self.modify_as(tag, agreed, Some(record.clone())) {
            self.commit(order, tag, record);
        }
    }
}
