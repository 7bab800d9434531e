//! The speech session of a call: its legs, keys and what is played.

use std::net::SocketAddr;

use rand_core::RngCore;

use crate::action::Media;
use crate::event::{Link, MediaId, Tag};
use crate::ids::{srtp_key, ssrc_pair};
use crate::media::{
    AES_CM_128_HMAC_SHA1_80, Codec, LegId, LegKind, LegSrtp, Path, PathId, PathSrtp, SessionId,
    SrtpKey, Tone,
};
use crate::profile::{MediaSettings, SipSrtp};

/// RTP payload type of speech between base station and media resource (`contracts.md` section 7).
const BASE_PAYLOAD_TYPE: u8 = 96;
/// Packets after which a key offered with a lifetime is spent: the form 2^31 (RFC 4568 section 6.1).
pub(crate) const LIFETIME: u64 = 1 << 31;

/// The speech of one call.
#[derive(Debug, Clone)]
pub(crate) struct Speech {
    pub(crate) session: SessionId,
    /// Who has the session, once it is opened.
    pub(crate) resource: Option<(MediaId, u64)>,
    pub(crate) base: Leg,
    pub(crate) sip: Leg,
    /// The base leg's path as the media resource sees it.
    pub(crate) path: Option<Path>,
    pub(crate) path_id: PathId,
    /// Connection on which the base station has speech open.
    pub(crate) open_on: Option<Link>,
    /// The order that opens it, until its result comes.
    pub(crate) opening_speech: Option<Tag>,
    /// The base station could not be told to open it.
    pub(crate) untold: bool,
    /// Our key towards the SIP peer, where SRTP is not off.
    pub(crate) sip_key: Option<SrtpKey>,
    pub(crate) tone: Option<Tone>,
    pub(crate) connected: bool,
}

/// State of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leg {
    /// Not asked for.
    None,
    /// Asked for.
    Asked(Tag),
    /// Open: where the media resource takes RTP and RTCP.
    Open { rtp: SocketAddr, rtcp_port: u16 },
}

impl Leg {
    /// Whether it is open.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Leg::Open { .. })
    }

    /// Where RTP and RTCP are taken, once it is open.
    pub(crate) fn rtp(self) -> Option<(SocketAddr, u16)> {
        match self {
            Leg::Open { rtp, rtcp_port } => Some((rtp, rtcp_port)),
            Leg::None | Leg::Asked(_) => None,
        }
    }

    /// Whether `tag` is the order that opens it.
    pub(crate) fn waits_for(self, tag: Tag) -> bool {
        self == Leg::Asked(tag)
    }
}

impl Speech {
    /// A session that nobody was asked for yet.
    pub(crate) fn new(session: SessionId) -> Speech {
        Speech {
            session,
            resource: None,
            base: Leg::None,
            sip: Leg::None,
            path: None,
            path_id: PathId(1),
            open_on: None,
            opening_speech: None,
            untold: false,
            sip_key: None,
            tone: None,
            connected: false,
        }
    }

    /// Draws a path to a base station that takes speech at `remote`.
    pub(crate) fn draw_path(
        &mut self,
        rng: &mut dyn RngCore,
        remote: SocketAddr,
        settings: &MediaSettings,
    ) -> Path {
        let (ssrc_out, ssrc_in) = ssrc_pair(rng);
        let srtp = settings.base_srtp.then(|| PathSrtp {
            suite: AES_CM_128_HMAC_SHA1_80.into(),
            key_out: srtp_key(rng),
            key_in: srtp_key(rng),
        });
        let path = Path {
            remote,
            ssrc_out,
            ssrc_in,
            payload_type: BASE_PAYLOAD_TYPE,
            srtp,
        };
        self.path = Some(path.clone());
        path
    }

    /// Asks for the base leg, towards a base station that takes speech at `remote`.
    pub(crate) fn open_base(
        &mut self,
        tag: Tag,
        rng: &mut dyn RngCore,
        remote: SocketAddr,
        settings: &MediaSettings,
    ) -> Media {
        self.base = Leg::Asked(tag);
        let path = self.draw_path(rng, remote, settings);
        Media::OpenLeg {
            tag,
            session: self.session,
            leg: LegId::BASE,
            kind: LegKind::Base,
            codecs: vec![Codec {
                payload_type: BASE_PAYLOAD_TYPE,
                name: "AAL2-G726-32".into(),
                clock_hz: 8000,
                ptime_ms: 20,
            }],
            telephone_event: None,
            srtp: None,
            path: Some(path),
            record: None,
        }
    }

    /// Asks for the SIP leg, with a key of its own where SRTP is not off.
    pub(crate) fn open_sip(
        &mut self,
        tag: Tag,
        rng: &mut dyn RngCore,
        settings: &MediaSettings,
    ) -> Media {
        self.sip = Leg::Asked(tag);
        self.sip_key = (settings.srtp != SipSrtp::Off).then(|| srtp_key(rng));
        Media::OpenLeg {
            tag,
            session: self.session,
            leg: LegId::SIP,
            kind: LegKind::Sip,
            codecs: settings.codecs.clone(),
            telephone_event: settings.telephone_event,
            srtp: self.sip_key.clone().map(|key_out| LegSrtp {
                suite: AES_CM_128_HMAC_SHA1_80.into(),
                key_out,
                mki: settings.srtp_mki.then_some((1, 1)),
                lifetime_packets: settings.srtp_lifetime.then_some(LIFETIME),
            }),
            path: None,
            record: None,
        }
    }

    /// Plays a tone to the handset, unless it sounds already.
    pub(crate) fn play(&mut self, tone: Tone) -> Option<Media> {
        let (session, leg) = (self.session, LegId::BASE);
        let starts = self.base.is_open() && self.tone.replace(tone) != Some(tone);
        starts.then_some(Media::PlayTone { session, leg, tone })
    }

    /// Ends the tone, if one sounds.
    pub(crate) fn stop_tone(&mut self) -> Option<Media> {
        self.tone.take().map(|_| Media::StopTone {
            session: self.session,
            leg: LegId::BASE,
        })
    }

    /// Lets speech through between handset and peer, unless it is let through already.
    pub(crate) fn connect(&mut self) -> Option<Media> {
        let fresh = !std::mem::replace(&mut self.connected, true);
        fresh.then_some(Media::Connect {
            session: self.session,
            a: LegId::BASE,
            b: LegId::SIP,
            flow: crate::media::Junction::Both,
        })
    }

    /// Stops letting speech through.
    pub(crate) fn disconnect(&mut self) -> Option<Media> {
        let (session, a, b) = (self.session, LegId::BASE, LegId::SIP);
        std::mem::take(&mut self.connected).then_some(Media::Disconnect { session, a, b })
    }
}
