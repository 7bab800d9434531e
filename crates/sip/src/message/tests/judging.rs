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
        ("lunch", "lu\nnch", 400, "alone"),
        ("lunch", "lu\0nch", 400, "NUL"),
        ("Max-Forwards: 70", ": 70", 400, "token"),
        ("To: Bob <", "To: Bob, B <", 400, "To cannot"),
        ("f: \"Alice, A.\"", "f: \"Alice", 400, "From cannot"),
        ("Max-Forwards: 70", "Expires: soon", 400, "Expires cannot"),
        ("Max-Forwards: 70", "Route: x", 400, "Route cannot"),
        ("Max-Forwards: 70", "Record-Route: x", 400, "Record-Route"),
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
        ("Contact: ", "Contact: *\r\nContact: ", 400, "alone"),
        ("Subject: ", "Contact: *\r\nSubject: ", 400, "alone"),
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
fn what_every_message_has_must_be_there() {
    let table = [
        ("Via", vec!["Via: ", "v: "]),
        ("From", vec!["f: "]),
        ("To", vec!["To: "]),
        ("Call-ID", vec!["i: "]),
        ("CSeq", vec!["CSeq: "]),
    ];
    for (name, starts) in table {
        let is_gone = |line: &&str| starts.iter().any(|start| line.starts_with(start));
        let left: String = (INVITE.split_inclusive("\r\n"))
            .filter(|line| !is_gone(line))
            .collect();
        let message = Message::parse(left.into()).unwrap();
        let expected = format!("{name} is missing; the sender must add it");
        assert_eq!(refused(&message), (400, expected));
    }
    let empty = with("v: SIP", "X-Via: SIP").to_string();
    let via = empty.find("Via: ").unwrap() + 5..empty.find("\r\nX-Via").unwrap();
    let empty = empty.replace(&empty[via], " , ,");
    let message = Message::parse(empty.into()).unwrap();
    assert!(refused(&message).1.starts_with("Via is missing"));
}

#[test]
fn headers_with_one_value_stand_there_once() {
    let lines = [
        ("From", "f: <sip:a@b>;tag=1"),
        ("To", "t: <sip:a@b>"),
        ("Call-ID", "i: 1"),
        ("CSeq", "CSeq: 2 INVITE"),
        ("Max-Forwards", "Max-Forwards: 70"),
        ("Content-Length", "l: 4"),
        ("Content-Type", "c: application/sdp"),
        ("Expires", "Expires: 60"),
        ("RAck", "RAck: 1 1 INVITE"),
        ("RSeq", "RSeq: 1"),
        ("Session-Expires", "x: 90"),
    ];
    for (name, line) in lines {
        let twice = format!("{line}\r\n{line}\r\nX-Odd :");
        let expected = format!("{name} stands there more than once; the sender must send one");
        assert_eq!(refused(&with("X-Odd :", &twice)), (400, expected));
    }
    let free = ["Subject: a", "Supported: b", "Route: <sip:a;lr>"];
    for line in free {
        let twice = format!("{line}\r\n{line}\r\nX-Odd :");
        assert_eq!(with("X-Odd :", &twice).check(), Ok(()), "{line}");
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
