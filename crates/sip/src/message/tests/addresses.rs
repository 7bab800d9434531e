use super::*;

fn name_addr(text: &str) -> NameAddr {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn addresses_come_in_many_forms() {
    let table = [
        ("sip:a@b;tag=1", None, "sip:a@b", Some("1")),
        ("<sip:a@b;tag=1>", None, "sip:a@b;tag=1", None),
        (
            "Anna Lena <sip:a@b>;tag=x",
            Some("Anna Lena"),
            "sip:a@b",
            Some("x"),
        ),
        (
            "\"A \\\"B\\\" <x>, C\"<sip:a@b> ; tag = y",
            Some("A \"B\" <x>, C"),
            "sip:a@b",
            Some("y"),
        ),
        (
            "M\u{fc}ller <tel:+49>",
            Some("M\u{fc}ller"),
            "tel:+49",
            None,
        ),
        ("\"\" <sip:a@b>", Some(""), "sip:a@b", None),
    ];
    for (text, display, uri, tag) in table {
        let read = name_addr(text);
        assert_eq!(read.display.as_deref(), display, "{text}");
        assert_eq!(
            (read.uri.to_string().as_str(), read.tag()),
            (uri, tag),
            "{text}"
        );
        assert_eq!(name_addr(&read.to_string()), read, "{text}");
    }
}

#[test]
fn broken_addresses_are_refused() {
    for bad in [
        "",
        "\"a <sip:b@c>",
        "<sip:a@b",
        "a <sip:b@c> d",
        "\"a\" sip:b@c",
        "a, b <sip:c@d>",
        "sip:a@b?x=y",
        "< sip:a@b>",
    ] {
        assert!(bad.parse::<NameAddr>().is_err(), "{bad}");
    }
}

#[test]
fn a_display_name_cannot_break_out() {
    let address = NameAddr::new("sip:a@b".parse().unwrap())
        .with_display("x\"\r\nEvil: 1")
        .with_tag("t");
    assert_eq!(address.to_string(), "\"x\\\"  Evil: 1\" <sip:a@b>;tag=t");
}

#[test]
fn the_source_is_noted_as_rfc_3261_and_3581_ask() {
    let source = "192.0.2.7".parse().unwrap();
    let noted = |text: &str| {
        let mut via: Via = text.parse().unwrap();
        via.note_source(source, 5099);
        via.to_string()
    };
    assert_eq!(
        noted("SIP/2.0/UDP 192.0.2.7:5060;branch=z"),
        "SIP/2.0/UDP 192.0.2.7:5060;branch=z"
    );
    assert_eq!(
        noted("SIP/2.0/UDP host;branch=z"),
        "SIP/2.0/UDP host;branch=z;received=192.0.2.7"
    );
    let both = "SIP/2.0/UDP 192.0.2.7;rport=5099;branch=z;received=192.0.2.7";
    assert_eq!(noted("SIP/2.0/UDP 192.0.2.7;rport;branch=z"), both);
    let via: Via = both.parse().unwrap();
    assert_eq!((via.rport(), via.received()), (Some(5099), Some(source)));
}

#[test]
fn branches_tell_whether_they_are_unique() {
    let via = |branch: &str| Via::new("udp", Host::V4([192, 0, 2, 1].into()), None, branch);
    assert!(via("z9hG4bKx").has_unique_branch());
    assert!(!via("z9hG4bK").has_unique_branch() && !via("1").has_unique_branch());
    assert_eq!(
        via("z9hG4bKx").to_string(),
        "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx"
    );
}

#[test]
fn broken_vias_are_refused() {
    for bad in [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 host",
        "SIP/3.0/UDP host",
        "HTTP/2.0/UDP host",
        "SIP/2.0/U,P host",
        "SIP/2.0/UDP ho st",
        "SIP/2.0/UDP[::1]",
        "SIP/2.0/ host",
        "SIP/2.0/UDP host:70000",
    ] {
        assert!(bad.parse::<Via>().is_err(), "{bad}");
    }
}

#[test]
fn sequence_numbers_are_32_bits_and_name_their_method() {
    assert_eq!(
        "4294967295  INVITE".parse(),
        Ok(CSeq {
            number: u32::MAX,
            method: Method::Invite
        })
    );
    for bad in [
        "4294967296 INVITE",
        "1",
        "INVITE",
        "1 INVITE x",
        "-1 INVITE",
        "1 IN,VITE",
    ] {
        assert!(bad.parse::<CSeq>().is_err(), "{bad}");
    }
    let rack: RAck = "776656 1 INVITE".parse().unwrap();
    assert_eq!(
        (rack.rseq, rack.cseq.number, rack.to_string().as_str()),
        (776656, 1, "776656 1 INVITE")
    );
}

#[test]
fn methods_are_case_sensitive() {
    assert_eq!(Method::parse("INVITE"), Some(Method::Invite));
    assert_eq!(
        Method::parse("Invite"),
        Some(Method::Other("Invite".into()))
    );
    assert_eq!(Method::parse("BENOTIFY").unwrap().to_string(), "BENOTIFY");
    assert_eq!(Method::parse("IN VITE"), None);
}
