//! Messages of real stacks: the NIST corpus and an IMS trace.

use ipdect_sip::fuzzing::{fuzz_message, fuzz_sdp, fuzz_stream};
use ipdect_sip::message::{Builder, HeaderName, Message, StatusCode};

use crate::vectors::{names, parse, sample, verdict};

fn hold_invariants(octets: &[u8]) {
    fuzz_message(octets);
    for split in (0..=255).step_by(15) {
        let mut stream = vec![split];
        stream.extend_from_slice(octets);
        fuzz_stream(&stream);
    }
}

#[test]
fn the_nist_corpus_is_read_and_written_without_change() {
    let files = names("sip-corpus-nist", ".sip");
    assert_eq!(files.len(), 173);
    for file in &files {
        hold_invariants(&sample("sip-corpus-nist", file));
        hold_invariants(&nist(file));
    }
}

/// The samples without a body lost their empty line when they were taken out of their XML file.
fn nist(file: &str) -> Vec<u8> {
    let mut octets = sample("sip-corpus-nist", file).trim_ascii_start().to_vec();
    if !octets.windows(4).any(|window| window == b"\r\n\r\n") {
        octets.extend_from_slice(b"\r\n");
    }
    octets
}

#[test]
fn the_nist_corpus_is_judged_stricter_than_by_its_parser_in_known_places_only() {
    let index: serde_json::Value =
        serde_json::from_slice(&sample("sip-corpus-nist", "index.json")).unwrap();
    let mut differing = Vec::new();
    for entry in index.as_array().unwrap() {
        let file = entry["file"].as_str().unwrap();
        let faulty = entry["expects_parse_error"].as_bool().unwrap();
        let got = Message::parse(nist(file).into())
            .ok()
            .map(|message| verdict(&message));
        if (got == Some(0)) == faulty {
            differing.push((file.to_owned(), got));
        }
    }
    let expected = [
        ("n015.sip", Some(400)), // blanks inside angle brackets
        ("n019.sip", Some(416)), // scheme nobody knows
        ("n021.sip", Some(416)),
        ("n025.sip", Some(400)), // no From
        ("n127.sip", Some(400)), // a fold inside angle brackets
        ("n129.sip", Some(400)),
        ("n285.sip", Some(400)),
        ("n289.sip", Some(400)),
        ("n301.sip", Some(501)), // unknown method
        ("n309.sip", None),      // not a status line
        ("n321.sip", Some(0)),   // Date, which is not used, is not GMT
        ("n329.sip", Some(400)), // branch is the cookie alone
        ("n331.sip", Some(416)),
        ("n337.sip", Some(400)), // two From
    ];
    let expected: Vec<(String, Option<u16>)> =
        expected.map(|(file, got)| (file.to_owned(), got)).into();
    assert_eq!(differing, expected);
}

#[test]
fn the_ims_corpus_is_stable_and_its_short_bodies_are_found() {
    let files = names("sip-corpus", ".sip");
    assert_eq!(files.len(), 13);
    let mut short = Vec::new();
    for file in &files {
        let octets = sample("sip-corpus", file);
        hold_invariants(&octets);
        let message = parse(&octets);
        fuzz_sdp(message.body());
        match verdict(&message) {
            0 => {}
            400 if message
                .check()
                .unwrap_err()
                .detail
                .starts_with("Content-Length") =>
            {
                short.push(file.as_str())
            }
            other => panic!("{file}: {other}"),
        }
    }
    let expected = [
        "call_invite",
        "call_invite_183",
        "call_update_200",
        "reg_message",
    ];
    assert_eq!(short, expected.map(|name| format!("sip_flow_{name}.sip")));
}

#[test]
fn responses_to_the_corpus_copy_what_they_must() {
    for file in names("sip-corpus", ".sip") {
        let request = parse(&sample("sip-corpus", &file));
        if request.method().is_none() || request.check().is_err() {
            continue;
        }
        let response = Builder::response_with_tag(&request, StatusCode::OK, None, "abc").build();
        assert_eq!(response.check(), Ok(()));
        for name in [
            HeaderName::Via,
            HeaderName::From,
            HeaderName::CallId,
            HeaderName::CSeq,
        ] {
            let raw = |message: &Message| {
                message
                    .headers(name)
                    .map(|v| v.raw().to_vec())
                    .collect::<Vec<_>>()
            };
            assert_eq!(raw(&response), raw(&request), "{file} {name}");
        }
        assert!(response.to().unwrap().tag().is_some());
    }
}
