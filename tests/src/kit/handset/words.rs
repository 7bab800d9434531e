//! What may happen, in the words of a ladder.

use ipdect_dect::identity::Ipui;
use ipdect_dect::nwk::ie::{BasicService, PortableIdentity};
use ipdect_dect::nwk::{self, Cc, Ie, Kind, Lce, Mm, Transaction, mm};
use ipdect_dect::security::Key;
use ipdect_handset::{BaseId, DownReason, Event, Held, LegId, MediaId};

use super::scene::Happening;
use super::scene::speech_address;
use super::{Scene, UAK, ipei, peer};

fn nwk(make: impl FnOnce(&mut Scene) -> nwk::Message + 'static) -> Happening {
    Box::new(move |s| {
        let message = make(s);
        vec![Event::Nwk(s.up(&message))]
    })
}

fn cc(kind: Cc, elements: Vec<Ie>) -> Happening {
    nwk(move |s| nwk::Message::new(s.transaction(), Kind::Cc(kind)).with_all(elements))
}

fn identity() -> Ie {
    Ie::PortableIdentity(PortableIdentity::Ipui(Ipui::N(ipei())))
}

/// The time of the next deadline, and nothing else.
pub fn clock() -> Happening {
    Box::new(|_| vec![Event::Deadline])
}

/// Off hook.
pub fn lifts() -> Happening {
    dials("")
}

/// Off hook with a number typed before.
pub fn dials(digits: &'static str) -> Happening {
    nwk(move |s| {
        let setup = nwk::Message::new(s.begins(), Kind::Cc(Cc::Setup))
            .with(identity())
            .with(Ie::BasicService(BasicService(0x80)));
        match digits.is_empty() {
            true => setup,
            false => setup.with(Ie::MultiKeypad(digits.as_bytes().to_vec())),
        }
    })
}

/// Keys.
pub fn presses(keys: &'static str) -> Happening {
    cc(Cc::Info, vec![Ie::MultiKeypad(keys.as_bytes().to_vec())])
}

/// On hook.
pub fn hangs_up() -> Happening {
    cc(Cc::Release, vec![])
}

/// The handset confirms a release.
pub fn confirms_release() -> Happening {
    cc(Cc::ReleaseCom, vec![])
}

/// The handset rings.
pub fn rings() -> Happening {
    cc(Cc::Alerting, vec![])
}

/// The user takes the call.
pub fn takes_call() -> Happening {
    cc(Cc::Connect, vec![])
}

/// The handset answers the page.
pub fn answers_page() -> Happening {
    nwk(|_| {
        nwk::Message::new(Transaction::originated(0), Kind::Lce(Lce::PageResponse)).with(identity())
    })
}

/// The last message of the handset once more, because its acknowledgement was lost.
pub fn repeats(message: impl FnOnce(&mut Scene) -> Vec<Event> + 'static) -> Happening {
    Box::new(move |s| {
        message(s)
            .into_iter()
            .flat_map(|event| [event.clone(), event])
            .collect()
    })
}

/// The handset comes into range.
pub fn locates() -> Happening {
    nwk(|_| {
        nwk::Message::new(Transaction::originated(0), Kind::Mm(Mm::LocateRequest)).with(identity())
    })
}

/// The handset answers the authentication, with the key of its subscription or another.
pub fn authenticates(uak: [u8; 16]) -> Happening {
    nwk(move |s| {
        let request = s
            .shown
            .iter()
            .rev()
            .find(|m| m.kind == Kind::Mm(Mm::AuthRequest))
            .cloned();
        let request = request.expect("an authentication was asked for");
        let mut rng =
            <rand_chacha::ChaCha8Rng as rand_chacha::rand_core::SeedableRng>::seed_from_u64(2);
        let answer = mm::answer_authentication(&mut rng, &Key::new(uak), &request);
        answer
            .map(|(reply, _)| reply)
            .unwrap_or_else(|refused| refused.0)
    })
}

/// The handset answers the authentication as ours does.
pub fn proves_itself() -> Happening {
    authenticates(UAK)
}

/// The handset takes its temporary identity.
pub fn takes_identity() -> Happening {
    nwk(|_| {
        let transaction = Transaction::originated(0);
        nwk::Message::new(transaction, Kind::Mm(Mm::TemporaryIdentityAssignAck))
    })
}

/// The handset is switched off.
pub fn switches_off() -> Happening {
    nwk(|_| mm::detach(ipei()))
}

/// A message of the handset as it is.
pub fn sends(message: nwk::Message) -> Happening {
    nwk(move |_| message)
}

/// Octets that are no message.
pub fn mumbles(octets: &'static [u8]) -> Happening {
    Box::new(move |s| {
        let any = nwk::Message::new(Transaction::originated(0), Kind::Cc(Cc::Info));
        let mut up = s.up(&any);
        up.pdu = bytes::Bytes::from_static(octets);
        vec![Event::Nwk(up)]
    })
}

/// The proxy or peer answers our INVITE.
pub fn peer_says(status: u16) -> Happening {
    Box::new(move |s| vec![s.response_to("INVITE", status, "Phrase", None)])
}

/// The peer answers our INVITE with a session description.
pub fn peer_says_with_media(status: u16) -> Happening {
    Box::new(move |s| {
        vec![s.response_to(
            "INVITE",
            status,
            "Phrase",
            Some(&peer::sdp(1, "sendrecv", false)),
        )]
    })
}

/// The peer takes our call.
pub fn peer_answers() -> Happening {
    peer_says_with_media(200)
}

/// The peer takes our call with SRTP.
pub fn peer_answers_secured() -> Happening {
    Box::new(|s| vec![s.response_to("INVITE", 200, "OK", Some(&peer::sdp(1, "sendrecv", true)))])
}

/// The peer takes our call with nothing that we can use.
pub fn peer_answers_uselessly() -> Happening {
    Box::new(|s| {
        let useless = peer::sdp(1, "sendrecv", false)
            .replace("RTP/AVP 8 101", "RTP/AVP 9")
            .replace("8 PCMA", "9 G722");
        vec![s.response_to("INVITE", 200, "OK", Some(&useless))]
    })
}

/// The peer answers our request of this method.
pub fn peer_answers_to(method: &'static str, status: u16) -> Happening {
    Box::new(move |s| vec![s.response_to(method, status, "Phrase", None)])
}

/// The peer calls.
pub fn peer_calls() -> Happening {
    peer_calls_with("")
}

/// The peer calls with further header fields.
pub fn peer_calls_with(extra: &'static str) -> Happening {
    Box::new(move |s| vec![s.invite(extra, Some(&peer::sdp(1, "sendrecv", false)))])
}

/// The peer calls and wants our offer.
pub fn peer_calls_without_offer() -> Happening {
    Box::new(|s| vec![s.invite("", None)])
}

/// The peer's INVITE once more: our answer was lost.
pub fn peer_repeats_invite() -> Happening {
    Box::new(|s| {
        let invite = s.peer_invite.clone().expect("the peer called");
        vec![Scene::sip(
            String::from_utf8_lossy(invite.bytes()).into_owned(),
        )]
    })
}

/// ACK of the peer.
pub fn peer_acks() -> Happening {
    Box::new(|s| vec![s.about_invite("ACK", "")])
}

/// The caller gives up.
pub fn peer_cancels() -> Happening {
    Box::new(|s| vec![s.about_invite("CANCEL", "")])
}

/// Another phone took the call.
pub fn taken_elsewhere() -> Happening {
    let reason = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
    Box::new(move |s| vec![s.about_invite("CANCEL", reason)])
}

/// The peer hangs up.
pub fn peer_hangs_up() -> Happening {
    Box::new(|s| vec![s.within("BYE", "", None)])
}

/// The peer changes its media.
pub fn peer_reinvites(version: u32, direction: &'static str) -> Happening {
    Box::new(move |s| vec![s.within("INVITE", "", Some(&peer::sdp(version, direction, false)))])
}

/// The peer acknowledges our answer to its change of media.
pub fn peer_acks_change() -> Happening {
    Box::new(|s| vec![s.within("ACK", "", None)])
}

/// Nothing was heard on the SIP leg for so long.
pub fn silence(seconds: u64) -> Happening {
    Box::new(move |s| {
        vec![Event::MediaSilent {
            session: s.session(),
            leg: LegId::SIP,
            silent_ms: seconds * 1000,
        }]
    })
}

/// The media resource hears nothing from the base station.
pub fn silence_of_the_base(seconds: u64) -> Happening {
    Box::new(move |s| {
        vec![Event::MediaSilent {
            session: s.session(),
            leg: LegId::BASE,
            silent_ms: seconds * 1000,
        }]
    })
}

/// The media resource is gone.
pub fn media_dies() -> Happening {
    Box::new(|_| {
        vec![Event::MediaLost {
            resource: MediaId("media-1".into()),
        }]
    })
}

/// The base station's link is dead.
pub fn base_lost() -> Happening {
    Box::new(|s| {
        vec![Event::BaseLost {
            base: s.link().base,
        }]
    })
}

/// The base station is back with our connection, which took messages up to `down`.
pub fn base_back(speech: bool, down: u64) -> Happening {
    base_back_with(speech, down, Vec::new())
}

/// The same, and messages of the handset lie there that nobody acknowledged.
pub fn base_back_with(speech: bool, down: u64, waiting: Vec<Happening>) -> Happening {
    Box::new(move |s| {
        let link = s.link();
        let unacked = waiting.into_iter().flat_map(|happening| happening(s));
        let unacked = unacked.filter_map(|event| match event {
            Event::Nwk(up) => Some(up),
            _ => None,
        });
        let unacked = unacked.collect();
        let held = Held {
            connection: link.connection,
            address: speech_address(),
            speech,
            last_up_seq: 1,
            last_down_seq: down,
            unacked,
        };
        vec![Event::BaseBack {
            base: link.base,
            same_boot: true,
            connections: vec![held],
        }]
    })
}

/// The base station was started anew and knows of nothing.
pub fn base_restarts() -> Happening {
    Box::new(|s| {
        vec![Event::BaseBack {
            base: s.link().base,
            same_boot: false,
            connections: Vec::new(),
        }]
    })
}

/// Radio contact breaks.
pub fn radio_breaks() -> Happening {
    Box::new(|s| {
        let link = s.link();
        s.moves_to("base-2");
        vec![Event::ConnectionDown {
            link,
            reason: DownReason::RadioLost,
        }]
    })
}

/// Another base station hears the handset from now on; nothing happens yet.
pub fn base(name: &str) -> BaseId {
    BaseId(name.into())
}

/// The results held back come in, oldest first.
pub fn lets_go() -> Happening {
    Box::new(|s| {
        s.holds_nothing();
        std::mem::take(&mut s.withheld)
            .into_iter()
            .map(|(_, event)| event)
            .collect()
    })
}

/// The results held back come in as this one.
pub fn lets_go_with(outcome: ipdect_handset::Outcome) -> Happening {
    Box::new(move |s| {
        s.holds_nothing();
        let withheld = std::mem::take(&mut s.withheld);
        withheld
            .into_iter()
            .map(|(tag, _)| Event::Done { tag, outcome })
            .collect()
    })
}
