use super::*;

fn with(from: &str, to: &str) -> Message {
    assert!(INVITE.contains(from), "{from}");
    Message::parse(INVITE.replace(from, to).into()).unwrap()
}

fn refused(message: &Message) -> (u16, String) {
    let refusal = message.check().unwrap_err();
    (refusal.status, refusal.detail)
}

#[test]
fn faults_are_named_with_their_status() {
    let table = [
        ("SIP/2.0\r\nVia", "SIP/3.0\r\nVia", 505, "SIP/2.0"),
        ("Max-Forwards: 70\r\n", "Max-Forwards\r\n", 400, "colon"),
        ("Max-Forwards: 70", "Max-Forwards: 256", 400, "Max-Forwards"),
        ("X-Odd :", "X Odd :", 400, "token"),
        ("lunch", "lu\rnch", 400, "alone"),
        ("lunch", "lu\0nch", 400, "NUL"),
        ("CSeq: 2 INVITE\r\n", "", 400, "CSeq is missing"),
        ("CSeq: 2 INVITE", "CSeq: 2 BYE", 400, "CSeq says BYE"),
        (
            "Content-Length: 4",
            "Content-Length: -4",
            400,
            "Content-Length",
        ),
        (
            "Content-Length: 4",
            "Content-Length: 4\r\nl: 5",
            400,
            "differ",
        ),
        (
            "Content-Length: 4",
            "Content-Length: 4\r\nl: 4",
            400,
            "more than once",
        ),
        ("Content-Length: 4", "Content-Length: 99", 400, "99"),
        (
            "sip:bob@biloxi.example.com SIP",
            "mailto:bob@x SIP",
            416,
            "mailto",
        ),
        (
            "sip:bob@biloxi.example.com SIP",
            "<sip:bob@x> SIP",
            400,
            "Request-URI",
        ),
        ("i: 3848", "i: 38 48", 400, "Call-ID"),
        ("Contact: ", "Contact: *, ", 400, "alone"),
        ("transport=tcp>", "transport=tcp>;expires=x", 400, "expires"),
        ("application/sdp", "sdp", 400, "Content-Type"),
    ];
    for (from, to, status, word) in table {
        let (got, detail) = refused(&with(from, to));
        assert_eq!(got, status, "{to}");
        assert!(detail.contains(word), "{to}: {detail}");
    }
}

#[test]
fn octets_that_are_no_message_are_refused() {
    let parse = |text: &'static str| Message::parse(Bytes::from_static(text.as_bytes())).map(drop);
    assert_eq!(parse(""), Err(ParseError::Empty));
    assert_eq!(parse("\r\n\r\n"), Err(ParseError::Empty));
    assert_eq!(parse("hello\r\n\r\n"), Err(ParseError::NotSip));
    assert_eq!(parse("GET / HTTP/1.1\r\n\r\n"), Err(ParseError::NotSip));
    assert_eq!(parse("SIP/2.0 OK\r\n\r\n"), Err(ParseError::NotSip));
    assert_eq!(
        parse("INVITE sip:a SIP/2.0\r\nVia: x"),
        Err(ParseError::Truncated)
    );
    let long = Message::parse(vec![b'a'; MAX_MESSAGE + 1].into()).map(drop);
    assert_eq!(
        long,
        Err(ParseError::TooLarge {
            octets: 65_536,
            limit: MAX_MESSAGE
        })
    );
}

#[test]
fn line_ends_before_the_message_are_skipped() {
    let message = Message::parse(format!("\r\n\r\n{INVITE}").into()).unwrap();
    assert_eq!(message, invite());
}

#[test]
fn a_missing_empty_line_is_400() {
    let cut = &INVITE[..INVITE.find("Content-Type").unwrap()];
    let message = Message::parse(cut.to_owned().into()).unwrap();
    assert_eq!((refused(&message).0, message.body()), (400, &b""[..]));
}

#[test]
fn an_unknown_method_is_the_user_agents_to_refuse() {
    let message = Message::parse(INVITE.replace("INVITE", "DANCE").into()).unwrap();
    assert_eq!(message.check(), Ok(()));
    assert_eq!(message.check_method().unwrap_err().status, 501);
    assert_eq!(invite().check_method(), Ok(()));
}

#[test]
fn a_star_is_no_contact() {
    let message = with("<sip:alice@client.atlanta.example.com;transport=tcp>", "*");
    assert!(message.contact_is_star());
    assert_eq!((message.check(), message.contacts()), (Ok(()), Ok(vec![])));
}

#[test]
fn errors_name_the_header_and_the_remedy() {
    let error = with("CSeq: 2 INVITE", "CSeq: two INVITE")
        .cseq()
        .unwrap_err();
    assert_eq!(error.name(), "CSeq");
    assert_eq!(
        error.to_string(),
        "CSeq cannot be read: sequence number is not a number below 2^32"
    );
}
