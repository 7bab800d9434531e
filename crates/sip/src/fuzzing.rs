//! Entry points for fuzzing: each takes any octets and panics if an invariant does not hold.

use bytes::Bytes;

use crate::auth::digest::{Challenge, Credentials};
use crate::message::{
    CSeq, Edit, Framed, FramingError, HeaderName, Message, NameAddr, RAck, StreamFramer, Uri, Via,
};
use crate::sdp;

/// Reads octets as a datagram; what is read must read the same again, and typed values survive writing.
pub fn fuzz_message(data: &[u8]) {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(data)) else {
        return;
    };
    let verdict = message.check();
    let again = Message::parse(message.bytes().clone()).expect("what was read once is read again");
    assert_eq!(again, message);
    assert_eq!(again.check(), verdict);
    read_everything(&message);
    if verdict.is_ok() {
        let edited = Edit::new(&message).build();
        assert_eq!(edited.check(), Ok(()), "an unchanged message stays good");
        assert_eq!(edited.body(), message.body());
        assert_eq!(
            others(&edited),
            others(&message),
            "what is not touched stays"
        );
    }
    if let Ok(converted) = rsip::SipMessage::try_from(&message) {
        drop(converted.to_string());
    }
}

/// Cuts octets out of a stream; the first octet says where the stream is split, which must not matter.
pub fn fuzz_stream(data: &[u8]) {
    let Some((first, stream)) = data.split_first() else {
        return;
    };
    let whole = frames(&[stream]);
    let at = usize::from(*first).min(stream.len());
    assert_eq!(
        frames(&[&stream[..at], &stream[at..]]),
        whole,
        "split at {at}"
    );
    for framed in whole {
        if let Ok(Framed::Message(message)) = framed {
            let datagram =
                Message::parse(message.bytes().clone()).expect("a framed message is one");
            assert_eq!(datagram.check(), message.check());
        }
    }
}

/// Reads octets as a session description and answers it.
pub fn fuzz_sdp(data: &[u8]) {
    let Ok(offer) = sdp::parse(data) else {
        return;
    };
    for srtp in [
        sdp::SrtpPolicy::Off,
        sdp::SrtpPolicy::Enabled,
        sdp::SrtpPolicy::Required,
    ] {
        let suite = sdp::Suite::AesCm128HmacSha1_80;
        let key = sdp::KeySalt([7; 30]);
        let crypto = sdp::Crypto {
            tag: 1,
            suite,
            key,
            lifetime_packets: None,
            mki: None,
        };
        let address = std::net::Ipv4Addr::new(192, 0, 2, 1).into();
        let local = sdp::Local {
            srtp,
            crypto: Some(crypto),
            ..sdp::Local::g711(address, 4000, 1, 1)
        };
        drop(sdp::read_answer(&offer, &local));
        let Ok((answer, negotiated)) = sdp::answer(&offer, &local) else {
            continue;
        };
        assert!(!negotiated.codecs.is_empty());
        assert_eq!(
            answer.medias.len(),
            offer.medias.len(),
            "an answer has the lines of the offer"
        );
        let written = sdp::to_bytes(&answer);
        assert!(
            sdp::parse(&written).is_ok(),
            "{}",
            String::from_utf8_lossy(&written)
        );
    }
}

/// Reads octets as digest challenge and credentials; both survive writing.
pub fn fuzz_digest(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(challenge) = text.parse::<Challenge>() {
        assert_eq!(challenge.to_string().parse(), Ok(challenge));
    }
    if let Ok(credentials) = text.parse::<Credentials>() {
        assert_eq!(credentials.to_string().parse(), Ok(credentials));
    }
}

fn frames(pieces: &[&[u8]]) -> Vec<Result<Framed, FramingError>> {
    let mut framer = StreamFramer::default();
    let mut all = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(framed) = framer.next() {
            all.push(framed);
        }
    }
    all.extend(framer.flush_pong().map(Ok));
    all
}

/// Names and values of all headers but Content-Length, which is written anew.
fn others(message: &Message) -> Vec<(String, Vec<u8>)> {
    let all = message
        .all_headers()
        .map(|(name, value)| (name.as_str().to_owned(), value.raw().to_vec()));
    all.filter(|(name, _)| name != HeaderName::ContentLength.as_str())
        .collect()
}

/// Calls every reader; each value that is read must survive writing.
fn read_everything(message: &Message) {
    survives::<Uri>(message.request_uri().ok());
    for via in message.vias().unwrap_or_default() {
        survives::<Via>(Some(via));
    }
    survives::<CSeq>(message.cseq().ok());
    survives::<RAck>(message.rack().ok().flatten());
    let addresses = [
        message.contacts(),
        message.routes(),
        message.record_routes(),
    ];
    let single = [message.from().ok(), message.to().ok()];
    for address in addresses
        .into_iter()
        .flatten()
        .flatten()
        .chain(single.into_iter().flatten())
    {
        survives::<NameAddr>(Some(address));
    }
    let numbers = (
        message.expires(),
        message.max_forwards(),
        message.content_length(),
        message.retry_after(),
    );
    drop((
        numbers,
        message.content_type(),
        message.rseq(),
        message.reason(),
        message.to_string(),
    ));
    for (name, value) in message.all_headers() {
        drop((message.headers(name).count(), value.text()));
    }
}

fn survives<T>(value: Option<T>)
where
    T: std::str::FromStr + ToString + PartialEq + std::fmt::Debug,
    T::Err: std::fmt::Debug,
{
    if let Some(value) = value {
        let text = value.to_string();
        assert_eq!(text.parse::<T>().as_ref().ok(), Some(&value), "{text}");
    }
}
