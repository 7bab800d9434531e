use std::net::{IpAddr, Ipv4Addr};

use super::*;

const US: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
const THEM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 50));

fn crypto(tag: u32, fill: u8) -> Crypto {
    let suite = Suite::AesCm128HmacSha1_80;
    Crypto {
        tag,
        suite,
        key: KeySalt([fill; 30]),
        lifetime_packets: Some(1 << 31),
        mki: None,
    }
}

fn us(srtp: SrtpPolicy) -> Local {
    Local {
        srtp,
        crypto: Some(crypto(1, 1)),
        ..Local::g711(US, 30000, 6710, 1)
    }
}

fn them(srtp: SrtpPolicy) -> Local {
    Local {
        srtp,
        crypto: Some(crypto(7, 2)),
        ..Local::g711(THEM, 40000, 99, 5)
    }
}

/// Offer and answer over the wire form; what each side got.
fn exchange(from: &Local, to: &Local) -> Result<(Negotiated, Negotiated), SdpError> {
    let wire = to_bytes(&offer(from));
    let (session, theirs) = answer(&parse(&wire)?, to)?;
    let ours = read_answer(&parse(&to_bytes(&session))?, from)?;
    Ok((ours, theirs))
}

fn text(session: &Session) -> String {
    String::from_utf8(to_bytes(session)).unwrap()
}

fn body(lines: &[&str]) -> Session {
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.50\r\ns=-\r\nc=IN IP4 192.0.2.50\r\nt=0 0\r\n";
    parse(format!("{head}{}\r\n", lines.join("\r\n")).as_bytes()).unwrap()
}

#[test]
fn our_offer_has_g711_and_telephone_events() {
    let lines = [
        "v=0",
        "o=- 6710 1 IN IP4 192.0.2.10",
        "s=-",
        "c=IN IP4 192.0.2.10",
        "t=0 0",
        "m=audio 30000 RTP/AVP 8 0 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ];
    assert_eq!(text(&offer(&us(SrtpPolicy::Off))), lines.join("\r\n"));
}

#[test]
fn profile_and_key_follow_the_policy() {
    let enabled = text(&offer(&us(SrtpPolicy::Enabled)));
    assert!(
        enabled.contains("RTP/AVP 8")
            && enabled.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQEB")
    );
    let required = text(&offer(&us(SrtpPolicy::Required)));
    assert!(required.contains("RTP/SAVP 8") && required.contains("|2^31\r\n"));
    assert!(!text(&offer(&us(SrtpPolicy::Off))).contains("crypto"));
}

#[test]
fn two_of_us_agree() {
    let (ours, theirs) = exchange(&us(SrtpPolicy::Off), &them(SrtpPolicy::Off)).unwrap();
    assert_eq!(
        (ours.address, ours.rtp_port, ours.rtcp_port),
        (THEM, 40000, 40001)
    );
    assert_eq!(
        (theirs.address, theirs.rtp_port, theirs.rtcp_port),
        (US, 30000, 30001)
    );
    assert_eq!(ours.codecs, [Codec::PCMA, Codec::PCMU]);
    assert_eq!((ours.telephone_event, ours.ptime_ms), (Some(101), 20));
    assert_eq!(
        (ours.direction, theirs.direction),
        (Direction::SendRecv, Direction::SendRecv)
    );
    assert_eq!((ours.srtp, theirs.srtp), (None, None));
}

#[test]
fn srtp_is_agreed_as_both_policies_allow() {
    use SrtpPolicy::{Enabled, Off, Required};
    let encrypted = |from, to| {
        exchange(&us(from), &them(to)).map(|(ours, theirs)| {
            assert_eq!(ours.srtp.is_some(), theirs.srtp.is_some());
            ours.srtp.is_some()
        })
    };
    let table = [
        (Off, Off, Ok(false)),
        (Off, Enabled, Ok(false)),
        (Off, Required, Err(SdpError::SrtpRequired)),
        (Enabled, Off, Ok(false)),
        (Enabled, Enabled, Ok(true)),
        (Enabled, Required, Ok(true)),
        (Required, Off, Err(SdpError::SrtpOff)),
        (Required, Enabled, Ok(true)),
        (Required, Required, Ok(true)),
    ];
    for (from, to, expected) in table {
        assert_eq!(encrypted(from, to), expected, "{from:?} {to:?}");
    }
}

#[test]
fn each_side_gets_the_other_sides_key_under_the_offered_tag() {
    let (ours, theirs) = exchange(&us(SrtpPolicy::Required), &them(SrtpPolicy::Enabled)).unwrap();
    let (ours, theirs) = (ours.srtp.unwrap(), theirs.srtp.unwrap());
    assert_eq!(ours.theirs, crypto(1, 2));
    assert_eq!(theirs.theirs, crypto(1, 1));
    assert_eq!((ours.ours, theirs.ours), (crypto(1, 1), crypto(1, 2)));
}

#[test]
fn an_answer_under_another_tag_is_no_key() {
    let media = "m=audio 40000 RTP/SAVP 8\r\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC";
    assert_eq!(
        read_answer(&body(&[media]), &us(SrtpPolicy::Required)),
        Err(SdpError::NoUsableCrypto)
    );
}

#[test]
fn a_lync_offer_is_answered_with_its_own_numbers() {
    let offer = body(&[
        "m=video 5000 RTP/AVP 121",
        "m=audio 23416 RTP/AVP 117 9 0 8 13 118 96",
        "a=candidate:1 1 UDP 2130706431 192.0.2.50 23416 typ host ",
        "a=cryptoscale:1 client AES_CM_128_HMAC_SHA1_80 inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC|2^31|1:1",
        "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC|2^31|1:1",
        "a=rtcp:23999",
        "a=rtpmap:117 G722/8000/2",
        "a=rtpmap:96 telephone-event/8000",
        "a=x-source:main-audio",
        "a=maxptime:200",
    ]);
    let local = Local {
        single_codec: true,
        ..us(SrtpPolicy::Enabled)
    };
    let (session, negotiated) = answer(&offer, &local).unwrap();
    let lines = [
        "m=video 0 RTP/AVP 121",
        "m=audio 30000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-16",
        "a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB|2^31",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ];
    let text = text(&session);
    assert_eq!(&text[text.find("m=").unwrap()..], lines.join("\r\n"));
    assert_eq!(
        (negotiated.rtcp_port, negotiated.telephone_event),
        (23999, Some(96))
    );
    assert_eq!(
        negotiated.srtp.unwrap().theirs.mki,
        Some(Mki {
            value: 1,
            octets: 1
        })
    );
    assert_eq!(negotiated.candidates.len(), 1);
}

#[test]
fn the_preference_of_either_side_can_decide() {
    let offer = body(&["m=audio 4000 RTP/AVP 0 8"]);
    let names = |prefer_ours| {
        let local = Local {
            prefer_ours,
            ..us(SrtpPolicy::Off)
        };
        let (_, negotiated) = answer(&offer, &local).unwrap();
        negotiated
            .codecs
            .iter()
            .map(|codec| codec.payload_type)
            .collect::<Vec<u8>>()
    };
    assert_eq!(names(true), [8, 0]);
    assert_eq!(names(false), [0, 8]);
}

#[test]
fn hold_is_mirrored() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    let table = [
        (SendRecv, SendRecv, SendRecv),
        (SendOnly, SendRecv, RecvOnly),
        (SendOnly, SendOnly, Inactive),
        (RecvOnly, SendRecv, SendOnly),
        (SendRecv, SendOnly, SendOnly),
        (Inactive, SendRecv, Inactive),
    ];
    for (offered, local, expected) in table {
        let from = Local {
            direction: offered,
            ..us(SrtpPolicy::Off)
        };
        let to = Local {
            direction: local,
            ..them(SrtpPolicy::Off)
        };
        let (ours, theirs) = exchange(&from, &to).unwrap();
        assert_eq!(
            (theirs.direction, ours.direction),
            (expected, expected.reversed()),
            "{offered:?} {local:?}"
        );
    }
}

#[test]
fn the_old_hold_and_the_direction_of_the_session_count() {
    let mut offer = body(&["m=audio 4000 RTP/AVP 8", "c=IN IP4 0.0.0.0"]);
    let (_, negotiated) = answer(&offer, &us(SrtpPolicy::Off)).unwrap();
    assert_eq!(negotiated.direction, Direction::RecvOnly);
    offer = body(&["a=inactive", "m=audio 4000 RTP/AVP 8"]);
    let (_, negotiated) = answer(&offer, &us(SrtpPolicy::Off)).unwrap();
    assert_eq!(negotiated.direction, Direction::Inactive);
}

#[test]
fn what_cannot_be_had_is_refused_with_488() {
    let refusals = [
        (vec!["m=audio 4000 RTP/AVP 18"], SdpError::NoCommonCodec),
        (
            vec![
                "m=audio 4000 RTP/AVP 101",
                "a=rtpmap:101 telephone-event/8000",
            ],
            SdpError::NoCommonCodec,
        ),
        (vec!["m=audio 0 RTP/AVP 8"], SdpError::NoAudio),
        (vec!["m=video 4000 RTP/AVP 8"], SdpError::NoAudio),
        (
            vec!["m=audio 4000 RTP/AVP 8", "c=IN IP4 host.example.com"],
            SdpError::NoAddress,
        ),
        (
            vec![
                "m=audio 4000 RTP/SAVP 8",
                "a=crypto:1 F8_128_HMAC_SHA1_80 inline:x",
            ],
            SdpError::NoUsableCrypto,
        ),
    ];
    for (lines, error) in refusals {
        let refused = answer(&body(&lines), &us(SrtpPolicy::Enabled)).unwrap_err();
        assert_eq!(refused, error);
        assert_eq!(refused.status(), 488);
    }
    assert_eq!(parse(b"hello").unwrap_err().status(), 400);
}

#[test]
fn the_last_port_has_no_next_one() {
    let (_, negotiated) =
        answer(&body(&["m=audio 65535 RTP/AVP 8"]), &us(SrtpPolicy::Off)).unwrap();
    assert_eq!(negotiated.rtcp_port, 65535);
}
