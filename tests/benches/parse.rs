//! An INVITE as it comes from the wire: read, judged, and the fields read that every request needs.

use bytes::Bytes;
use ipdect_sip::message::Message;
use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::HeadersExt;

use crate::bench::Bench;
use crate::rsipstack;

/// Within what both parsers get right: long names, no folds, one value a header, UTF-8.
const HEAD: &str = "INVITE sip:1001@192.0.2.5:5060;h=331-7k2m9q4x SIP/2.0\r\n\
Via: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK2d4790.1;rport\r\n\
Via: SIP/2.0/UDP 192.0.2.60:5060;branch=z9hG4bKnashds8;received=192.0.2.60\r\n\
Max-Forwards: 69\r\n\
Record-Route: <sip:192.0.2.9;lr>\r\n\
From: \"Bob Builder\" <sip:1002@example.com>;tag=a6c85cf\r\n\
To: \"Ann\" <sip:1001@example.com>\r\n\
Call-ID: 5f2b1a7e4d@192.0.2.60\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:1002@192.0.2.60:5060>\r\n\
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, PRACK, INFO\r\n\
Supported: replaces, timer, 100rel\r\n\
User-Agent: Example Phone 1.2.3\r\n\
Session-Expires: 1800;refresher=uac\r\n\
Min-SE: 90\r\n\
Content-Type: application/sdp\r\n";
const BODY: &str = "v=0\r\no=- 77 1 IN IP4 192.0.2.60\r\ns=-\r\nc=IN IP4 192.0.2.60\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 0 101\r\n\
a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// The whole message.
pub(crate) fn invite() -> Bytes {
    Bytes::from(format!(
        "{HEAD}Content-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    ))
}

fn ours(octets: &Bytes) -> usize {
    let message = Message::parse(octets.clone()).expect("a good message");
    message.check().expect("a good message");
    let (from, to, via) = (
        message.from().expect("From"),
        message.to().expect("To"),
        message.top_via().expect("Via"),
    );
    let (cseq, contacts) = (
        message.cseq().expect("CSeq"),
        message.contacts().expect("Contact"),
    );
    let id = message.call_id().expect("Call-ID").len();
    id + contacts.len()
        + cseq.number as usize
        + from.tag().map_or(0, str::len)
        + usize::from(to.tag().is_some())
        + via.branch().map_or(0, str::len)
}

fn theirs(octets: &Bytes) -> usize {
    let message = rsip::Request::try_from(&octets[..]).expect("a good message");
    let (from, to) = (
        message.from_header().expect("From").typed(),
        message.to_header().expect("To").typed(),
    );
    let (via, cseq) = (
        message.via_header().expect("Via").typed(),
        message.cseq_header().expect("CSeq").typed(),
    );
    let contact = message
        .contact_header()
        .expect("Contact")
        .typed()
        .expect("Contact");
    let id = message.call_id_header().expect("Call-ID").value().len();
    let (from, to, via, cseq) = (
        from.expect("From"),
        to.expect("To"),
        via.expect("Via"),
        cseq.expect("CSeq"),
    );
    id + usize::from(contact.uri.port().is_some())
        + cseq.seq as usize
        + from.tag().map_or(0, |t| t.value().len())
        + usize::from(to.tag().is_some())
        + via.branch().map_or(0, |b| b.value().len())
}

pub(crate) fn run(bench: &mut Bench) {
    let octets = invite();
    assert_eq!(ours(&octets), theirs(&octets), "both read the same");
    let what = format!("SIP: split an INVITE of {} octets", octets.len());
    let split = bench.each("parse/split/ipdect", || Message::parse(octets.clone()));
    let peer = bench.each("parse/split/rsip", || rsip::Request::try_from(&octets[..]));
    bench.beside(&what, split, "rsip 0.4", peer);
    let message = Message::parse(octets.clone()).expect("a good message");
    let judged = bench.each("parse/check/ipdect", || message.check());
    bench.alone("SIP: check it against RFC 3261", judged, |_| {
        String::from("within the next line")
    });
    let typed = bench.each("parse/typed/ipdect", || ours(&octets));
    let peer = bench.each("parse/typed/rsip", || theirs(&octets));
    let typed_what = "SIP: split, check, six typed fields";
    bench.beside(typed_what, typed, "rsip 0.4", peer);
    if !Bench::is_measuring() || split.or(typed).is_none() {
        return;
    }
    match rsipstack::parses(&octets) {
        Ok([theirs_split, theirs_typed]) => {
            bench.beside(&what, split, rsipstack::NAME, Some(theirs_split));
            bench.beside(typed_what, typed, rsipstack::NAME, Some(theirs_typed));
        }
        Err(why) => bench.note(format!(
            "SIP: no {} beside the parser ({why:#})",
            rsipstack::NAME
        )),
    }
}
