use super::*;

mod addresses;
mod judging;
mod making;
mod streaming;

const INVITE: &str = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9, SIP/2.0/UDP [2001:db8::1];rport\r\n\
v: SIP/2.0/UDP 192.0.2.1:5062 ; branch = z9hG4bKabc\r\n\
Max-Forwards: 70\r\n\
f: \"Alice, A.\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n\
To: Bob <sip:bob@biloxi.example.com>\r\n\
i: 3848276298220188511@atlanta.example.com\r\n\
CSeq: 2 INVITE\r\n\
Contact: <sip:alice@client.atlanta.example.com;transport=tcp>\r\n\
Subject: lunch\r\n \ttomorrow\r\n\
Supported: timer, 100rel\r\n\
X-Odd : caf\u{e9}\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 4\r\n\r\nv=0\nmore";

fn invite() -> Message {
    Message::parse(Bytes::from_static(INVITE.as_bytes())).unwrap()
}

#[test]
fn typed_headers_are_read() {
    let m = invite();
    m.check().unwrap();
    assert_eq!(m.method(), Some(&Method::Invite));
    assert_eq!(
        m.request_uri().unwrap().to_string(),
        "sip:bob@biloxi.example.com"
    );
    let vias: Vec<String> = m.vias().unwrap().iter().map(Via::to_string).collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9",
            "SIP/2.0/UDP [2001:db8::1];rport",
            "SIP/2.0/UDP 192.0.2.1:5062; branch = z9hG4bKabc",
        ]
    );
    assert_eq!(m.vias().unwrap()[2].branch(), Some("z9hG4bKabc"));
    assert_eq!(m.from().unwrap().display.as_deref(), Some("Alice, A."));
    assert_eq!(m.from().unwrap().tag(), Some("9fxced76sl"));
    assert_eq!(m.to().unwrap().tag(), None);
    assert_eq!(
        m.call_id().unwrap(),
        "3848276298220188511@atlanta.example.com"
    );
    assert_eq!(
        m.cseq().unwrap(),
        CSeq {
            number: 2,
            method: Method::Invite
        }
    );
    assert_eq!(
        m.header(HeaderName::Subject).unwrap().text(),
        "lunch tomorrow"
    );
    assert!(m.lists(HeaderName::Supported, "100REL"));
    assert_eq!(m.header("x-odd").unwrap().text(), "caf\u{e9}");
    assert_eq!(m.body(), b"v=0\n");
    assert_eq!(
        m.content_type().unwrap().as_deref(),
        Some("application/sdp")
    );
}
