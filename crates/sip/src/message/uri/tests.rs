use std::net::Ipv4Addr;

use super::*;

fn uri(text: &str) -> Uri {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn all_parts_are_read_and_written() {
    let text = "sips:alice:secret@[2001:db8::1]:5061;transport=tcp;lr;gr=a-b?Replaces=a%40b%3Bto-tag%3D1&Subject=x";
    let read = uri(text);
    assert_eq!(read.scheme(), &Scheme::Sips);
    assert_eq!(
        (read.user(), read.password()),
        (Some("alice"), Some("secret"))
    );
    assert_eq!(read.host(), Some(&Host::V6("2001:db8::1".parse().unwrap())));
    assert_eq!((read.port(), read.transport()), (Some(5061), Some("tcp")));
    assert!(read.is_loose_router());
    assert_eq!(read.header("replaces").as_deref(), Some("a@b;to-tag=1"));
    assert_eq!(read.to_string(), text);
}

#[test]
fn tel_and_unknown_schemes_are_carried() {
    let tel = uri("tel:+49-89-1234;phone-context=example.com");
    assert_eq!(
        (tel.user(), tel.param("phone-context")),
        (Some("+49-89-1234"), Some("example.com"))
    );
    assert_eq!((tel.host(), tel.is_sip()), (None, false));
    assert_eq!(uri("urn:service:sos").to_string(), "urn:service:sos");
    assert_eq!(uri("URN:x").scheme(), &Scheme::Other("urn".into()));
}

/// The examples of RFC 3261 section 19.1.4.
#[test]
fn equal_uris_are_equal() {
    for (a, b) in [
        (
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp",
        ),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ] {
        assert_eq!(uri(a), uri(b));
        assert_eq!(uri(b), uri(a));
    }
}

/// The examples of RFC 3261 section 19.1.4.
#[test]
fn different_uris_differ() {
    for (a, b) in [
        (
            "SIP:ALICE@AtLanTa.CoM;Transport=udp",
            "sip:alice@AtLanTa.CoM;Transport=UDP",
        ),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        (
            "sip:bob@biloxi.com",
            "sip:bob@biloxi.com:6000;transport=tcp",
        ),
        (
            "sip:carol@chicago.com",
            "sip:carol@chicago.com?Subject=next%20meeting",
        ),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        (
            "sip:carol@chicago.com;security=on",
            "sip:carol@chicago.com;security=off",
        ),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:a%40b@c", "sip:a%2Fb@c"),
    ] {
        assert_ne!(uri(a), uri(b));
        assert_ne!(uri(b), uri(a));
    }
}

#[test]
fn changes_leave_the_rest_alone() {
    let base = uri("sip:bob@example.com;ob;x=1");
    assert_eq!(
        base.clone().with_param("lr", None).to_string(),
        "sip:bob@example.com;ob;x=1;lr"
    );
    assert_eq!(
        base.clone().without_param("ob").to_string(),
        "sip:bob@example.com;x=1"
    );
    assert_eq!(
        base.clone().with_port(Some(5070)).to_string(),
        "sip:bob@example.com:5070;ob;x=1"
    );
    let referred = base.with_header("Replaces", "a@b;to-tag=1\r\n");
    assert_eq!(
        referred.header("Replaces").as_deref(),
        Some("a@b;to-tag=1\r\n")
    );
    assert!(!referred.to_string().contains('\r'));
    assert_eq!(referred.without_headers().headers(), None);
}

#[test]
fn users_are_escaped_where_they_must_be() {
    let made = Uri::sip(Some("a b@c#*1;x"), Host::V4(Ipv4Addr::LOCALHOST), None);
    assert_eq!(made.to_string(), "sip:a%20b%40c%23*1;x@127.0.0.1");
    assert_eq!(
        uri(&made.to_string()).user_unescaped().as_deref(),
        Some("a b@c#*1;x")
    );
}

#[test]
fn broken_uris_are_refused() {
    for bad in [
        "",
        "sip",
        "sip:",
        ":x",
        "1sip:a",
        "sip:a b@c",
        "sip:a@",
        "sip:@c",
        "sip:a@b:99999",
        "sip:a@b:",
        "sip:a@b:x",
        "sip:a@[::1",
        "sip:a@[::g]",
        "sip:a@[::1]x",
        "sip:a@b c",
        "sip:a%zz@b",
        "sip:a%4@b%",
        "sip:a@b@c",
        "sip:a@b;x=@c",
        "sip:a@b;x=<",
        "tel:",
        "sip:\u{e9}@b",
        "sip:a@b;=x",
    ] {
        assert!(bad.parse::<Uri>().is_err(), "{bad}");
    }
}
