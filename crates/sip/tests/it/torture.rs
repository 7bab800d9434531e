//! RFC 4475, message by message; the expectations are those of the README beside the samples.

use ipdect_sip::message::{FramingError, HeaderName, Message, Method, Name, Via};

use crate::vectors::{assert_stream, names, parse, sample, stream_verdict, verdict};

/// Reads a sample as a datagram and asserts the verdict, also over a stream cut anywhere.
fn judged(file: &str, expected: u16) -> Message {
    let octets = sample("sip-torture", file);
    let message = parse(&octets);
    assert_eq!(verdict(&message), expected, "{:?}", message.check());
    assert_stream(&octets, expected);
    message
}

fn texts(message: &Message, name: HeaderName) -> Vec<String> {
    message
        .headers(name)
        .map(|value| value.text().into_owned())
        .collect()
}

#[test]
fn every_sample_has_a_test() {
    let source = include_str!("torture.rs");
    let missing: Vec<String> = names("sip-torture", ".dat")
        .into_iter()
        .filter(|name| !source.contains(&format!("\"{name}\"")))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn wsinv_blanks_and_folds_everywhere_are_read() {
    let m = judged("wsinv.dat", 0);
    assert_eq!(m.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(
        m.from().unwrap().display.as_deref(),
        Some("J Rosenberg \\\"")
    );
    assert_eq!(m.max_forwards().unwrap(), Some(68));
    assert_eq!(m.cseq().unwrap().to_string(), "9 INVITE");
    let vias = m.vias().unwrap();
    let hops: Vec<(&str, String)> = vias
        .iter()
        .map(|via| (&*via.transport, via.host.to_string()))
        .collect();
    let expected = [
        ("UDP", "192.0.2.2"),
        ("TCP", "spindle.example.com"),
        ("UDP", "192.168.255.111"),
    ];
    assert_eq!(
        hops,
        expected.map(|(transport, host)| (transport, host.to_owned()))
    );
    let branches: Vec<Option<&str>> = vias.iter().map(Via::branch).collect();
    assert_eq!(
        branches,
        [
            Some("390skdjuw"),
            Some("z9hG4bK9ikj8"),
            Some("z9hG4bK30239")
        ]
    );
    assert_eq!(
        m.header("NewFangledHeader").unwrap().text(),
        "newfangled value continued newfangled value"
    );
    assert_eq!(
        m.header("UnknownHeaderWithUnusualValue").unwrap().raw(),
        b";;,,;;,;"
    );
    assert_eq!(m.header(HeaderName::Subject).unwrap().raw(), b"");
    assert!(m.routes().unwrap()[0].uri.is_loose_router());
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    assert_eq!(contact.params.get("q"), Some("0.33"));
    assert_eq!(m.body().len(), 150);
}

#[test]
fn esc01_escapes_are_resolved_once_and_only_where_they_stand() {
    let m = judged("esc01.dat", 0);
    let uri = m.request_uri().unwrap();
    assert_eq!(
        uri.user_unescaped().as_deref(),
        Some("sips:user@example.com")
    );
    assert_eq!(
        m.to().unwrap().uri.user_unescaped().as_deref(),
        Some("user")
    );
    let contact = m.contact().unwrap().unwrap().uri;
    assert_eq!(contact.param("lr"), Some(""));
    assert_eq!(
        contact.param("name"),
        Some("value%2541"),
        "value%41 once unescaped, never valueA"
    );
}

#[test]
fn esc02_percent_outside_uris_is_a_plain_character() {
    let m = judged("esc02.dat", 501);
    assert_eq!(m.method(), Some(&Method::Other("RE%47IST%45R".into())));
    assert_eq!(m.check(), Ok(()), "a proxy forwards it");
    assert_eq!(m.contacts().unwrap().len(), 2);
    assert_eq!(m.to().unwrap().display.as_deref(), Some("%Z%45"));
    assert!(
        m.all_headers()
            .any(|(name, _)| name == Name::Other("C%6Fntact"))
    );
}

#[test]
fn longreq_nothing_is_cut() {
    let m = judged("longreq.dat", 0);
    assert_eq!(m.vias().unwrap().len(), 34);
    assert!(
        m.to()
            .unwrap()
            .display
            .is_some_and(|display| display.len() > 100)
    );
    assert!(m.call_id().unwrap().len() > 100 && m.call_id().unwrap().ends_with("longcallid"));
    assert_eq!(m.body().len(), 150);
}

#[test]
fn semiuri_the_user_holds_semicolon_and_escaped_at() {
    let m = judged("semiuri.dat", 0);
    let uri = m.request_uri().unwrap();
    assert_eq!(
        uri.user_unescaped().as_deref(),
        Some("user;par=u@example.net")
    );
    assert!(uri.params().is_empty());
}

#[test]
fn mpart01_a_binary_body_stays_octet_for_octet() {
    let octets = sample("sip-torture", "mpart01.dat");
    let m = judged("mpart01.dat", 0);
    assert!(m.body().contains(&0));
    assert_eq!(m.bytes().as_ref(), octets);
    assert_eq!(
        m.content_type().unwrap().as_deref(),
        Some("multipart/mixed")
    );
}

#[test]
fn noreason_an_empty_phrase_is_fine() {
    let m = judged("noreason.dat", 0);
    assert_eq!((m.status().unwrap().code(), m.reason().as_ref()), (100, ""));
}

#[test]
fn clerr_a_short_body_is_400_and_a_stream_waits() {
    let octets = sample("sip-torture", "clerr.dat");
    assert_eq!(verdict(&parse(&octets)), 400);
    for at in 0..=octets.len() {
        assert_eq!(
            stream_verdict(&[&octets[..at], &octets[at..]]),
            None,
            "split at {at}"
        );
    }
}

#[test]
fn scalar02_numbers_too_large_are_400() {
    let m = judged("scalar02.dat", 400);
    assert!(m.cseq().is_err() && m.max_forwards().is_err() && m.expires().is_err());
}

#[test]
fn quotbal_an_open_quote_is_400() {
    assert!(judged("quotbal.dat", 400).to().is_err());
}

#[test]
fn lwsruri_a_blank_in_the_request_uri_is_400() {
    judged("lwsruri.dat", 400);
}

#[test]
fn trws_blanks_after_the_version_are_400() {
    judged("trws.dat", 400);
}

#[test]
fn baddate_is_accepted_as_date_is_not_used() {
    judged("baddate.dat", 0);
}

#[test]
fn badaspec_blanks_in_angle_brackets_are_400() {
    assert!(judged("badaspec.dat", 400).to().is_err());
}

#[test]
fn badvers_another_version_is_505() {
    judged("badvers.dat", 505);
}

#[test]
fn mismatch02_unknown_method_with_another_in_cseq_is_501() {
    judged("mismatch02.dat", 501);
}

#[test]
fn badbranch_the_cookie_alone_is_400() {
    let m = judged("badbranch.dat", 400);
    assert!(!m.top_via().unwrap().has_unique_branch());
}

#[test]
fn unkscm_an_unknown_scheme_is_416() {
    judged("unkscm.dat", 416);
}

#[test]
fn unksm2_unknown_schemes_in_headers_are_opaque() {
    let m = judged("unksm2.dat", 0);
    assert_eq!(m.to().unwrap().uri.scheme().as_str(), "isbn");
    assert_eq!(m.to().unwrap().uri.host(), None);
}

#[test]
fn invut_the_body_type_is_there_to_be_refused_with_415() {
    let m = judged("invut.dat", 0);
    assert_eq!(
        m.content_type().unwrap().as_deref(),
        Some("application/unknownformat")
    );
}

#[test]
fn multi01_repeated_single_headers_are_400() {
    judged("multi01.dat", 400);
}

#[test]
fn bcast_the_vias_show_that_the_response_is_not_ours() {
    let m = judged("bcast.dat", 0);
    let hosts: Vec<String> = m
        .vias()
        .unwrap()
        .iter()
        .map(|via| via.host.to_string())
        .collect();
    assert_eq!(hosts, ["192.0.2.198", "255.255.255.255"]);
}

#[test]
fn cparam01_the_parameter_belongs_to_the_header() {
    let contact = judged("cparam01.dat", 0).contact().unwrap().unwrap();
    assert!(contact.params.contains("unknownparam"));
    assert_eq!(contact.uri.to_string(), "sip:+19725552222@gw1.example.net");
}

#[test]
fn regescrt_the_header_of_the_uri_is_kept() {
    let contact = judged("regescrt.dat", 0).contact().unwrap().unwrap();
    assert_eq!(
        contact.uri.headers(),
        Some("Route=%3Csip:sip.example.com%3E")
    );
    assert_eq!(
        contact.uri.header("route").as_deref(),
        Some("<sip:sip.example.com>")
    );
}

#[test]
fn inv2543_the_old_style_is_accepted_and_needs_a_length_on_a_stream() {
    let octets = sample("sip-torture", "inv2543.dat");
    let m = parse(&octets);
    assert_eq!(m.check(), Ok(()));
    assert_eq!(
        (m.top_via().unwrap().branch(), m.from().unwrap().tag()),
        (None, None)
    );
    assert_eq!(m.max_forwards(), Ok(None));
    assert!(texts(&m, HeaderName::RecordRoute)[0].starts_with("<sip:"));
    for at in 0..=octets.len() {
        let got = stream_verdict(&[&octets[..at], &octets[at..]]);
        assert!(
            matches!(got, Some(Err(FramingError::ContentLength { .. }))),
            "split at {at}"
        );
    }
}
