use proptest::prelude::*;

use super::ie::*;
use super::*;
use crate::identity::{Ari, Ipui, Rfpi, Rpn, Tpui};

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

/// Contents of one element as it stands in the reference: identifier, length, contents.
fn element(text: &str) -> Ie {
    let octets = [&[0x03, 0x7B], &hex(text)[..]].concat();
    let message = Message::decode(&octets).unwrap();
    assert_eq!(message.encode(), octets, "{text}");
    assert_eq!(message.elements.len(), 1, "{text}");
    message.elements[0].clone()
}

#[test]
fn elements_have_the_octets_of_the_worked_examples() {
    let ipui = Ipui::N("05003 0070387".parse().unwrap());
    let ari = Ari::class_b(0x1002, 0x345).unwrap();
    let examples = [
        (
            "05 07 80 A8 01 38 B1 12 F3",
            Ie::PortableIdentity(PortableIdentity::Ipui(ipui)),
        ),
        (
            "06 06 A0 A0 11 00 23 45",
            Ie::FixedIdentity(FixedIdentity::Park(ari.park())),
        ),
        (
            "06 06 80 A0 11 00 23 45",
            Ie::FixedIdentity(FixedIdentity::Ari(ari)),
        ),
        (
            "06 07 81 A8 11 00 23 45 2A",
            Ie::FixedIdentity(FixedIdentity::AriRpn(Rfpi::new(ari, Rpn(0x2A)))),
        ),
        (
            "05 05 A0 94 00 12 34",
            Ie::PortableIdentity(PortableIdentity::Tpui(Tpui::from_bits(0x01234).unwrap())),
        ),
        ("07 01 5F", Ie::LocationArea(LocationArea::level(31))),
        ("E0 80", Ie::BasicService(BasicService::NORMAL_SPEECH)),
        ("E0 88", Ie::BasicService(BasicService::NORMAL_WIDEBAND)),
        ("E0 90", Ie::BasicService(BasicService::INTERNAL_SPEECH)),
        (
            "0A 03 01 18 18",
            Ie::AuthType(AuthType::new(Algorithm::DSAA, KeyType::Uak, 8).keeping(8)),
        ),
        (
            "0A 03 01 48 00",
            Ie::AuthType(AuthType::new(Algorithm::DSAA, KeyType::AccessCode, 8)),
        ),
        (
            "0B 02 01 88",
            Ie::AllocationType(AllocationType {
                algorithm: Algorithm::DSAA,
                uak_number: 8,
                access_code_number: 8,
            }),
        ),
        (
            "19 02 81 98",
            Ie::CipherInfo(CipherInfo {
                enable: true,
                algorithm: Algorithm::DSC,
                key_type: CipherInfo::DERIVED,
                key_number: 8,
            }),
        ),
        (
            "1E 02 80 88",
            Ie::ProgressIndicator(ProgressIndicator::IN_BAND),
        ),
        (
            "6C 06 09 80 34 37 31 31",
            Ie::CallingPartyNumber(CallingPartyNumber::private("4711")),
        ),
        ("2C 02 15 34", Ie::MultiKeypad(vec![0x15, b'4'])),
        (
            "7C 07 90 03 00 01 02 00 84",
            Ie::CodecList(CodecList {
                negotiation: 1,
                codecs: vec![
                    Codec {
                        id: 3,
                        service: 0,
                        slot: 1,
                    },
                    Codec {
                        id: 2,
                        service: 0,
                        slot: 4,
                    },
                ],
            }),
        ),
        (
            "7D 03 00 81 81",
            Ie::EventsNotification(EventsNotification::voice_messages(1)),
        ),
        (
            "7D 03 00 81 80",
            Ie::EventsNotification(EventsNotification::voice_messages(0)),
        ),
        (
            "7E 03 01 00 82",
            Ie::CallInformation(CallInformation(vec![CallItem {
                kind: 1,
                subtype: 0,
                value: vec![2],
            }])),
        ),
        ("E4 04", Ie::Signal(Signal::BUSY)),
        ("A1", Ie::SendingComplete),
        (
            "5A 02 01 02",
            Ie::Opaque {
                id: 0x5A,
                contents: vec![1, 2],
            },
        ),
    ];
    for (text, expected) in examples {
        assert_eq!(element(text), expected, "{text}");
    }
}

#[test]
fn the_subscription_trace_of_the_standard_round_trips() {
    let trace = [
        (
            "05 44 05 07 80 A8 00 04 FF FF FF 0A 03 01 48 00",
            Mm::AccessRightsRequest,
        ),
        (
            "05 42 0B 02 01 88 0C 08 D0 1F F9 E2 11 68 04 21 0E 08 00 00 00 00 00 00 00 00",
            Mm::KeyAllocate,
        ),
        (
            "85 40 0A 03 01 48 00 0C 08 A0 3F F2 C5 23 D0 08 42 0D 04 F2 8C F9 11",
            Mm::AuthRequest,
        ),
        ("05 41 0D 04 EE BA 4D B9", Mm::AuthReply),
        (
            "85 45 05 05 80 94 12 61 20 06 06 A0 A0 10 00 90 34 07 01 5F 0A 03 01 18 0F",
            Mm::AccessRightsAccept,
        ),
    ];
    for (text, kind) in trace {
        let (message, notes) = Message::decode_noting(&hex(text)).unwrap();
        assert_eq!(message.kind, Kind::Mm(kind));
        assert_eq!(notes, Notes::default());
        assert_eq!(message.encode(), hex(text));
    }
    let accept = Message::decode(&hex(trace[4].0)).unwrap();
    assert!(accept.transaction.from_destination);
    assert_eq!(accept.park().unwrap().ari().bits(), 0x1000_9034);
    assert_eq!(accept.ipui().unwrap().to_string(), "O 2612");
    assert_eq!(
        Message::decode(&hex(trace[2].0)).unwrap().res(),
        Some([0xF2, 0x8C, 0xF9, 0x11])
    );
}

#[test]
fn elements_are_written_in_the_order_of_the_tables() {
    let message = Message::new(Transaction::originated(0), Kind::Cc(Cc::Setup))
        .with(Ie::SendingComplete)
        .with(Ie::Signal(Signal::alerting(0)))
        .with(Ie::MultiKeypad(b"12".to_vec()))
        .with(Ie::RepeatIndicator(Repeat::Prioritized))
        .with(Ie::Opaque {
            id: 0x12,
            contents: vec![1],
        })
        .with(Ie::Opaque {
            id: 0x12,
            contents: vec![2],
        })
        .with(Ie::BasicService(BasicService::NORMAL_SPEECH))
        .with(Ie::LocationArea(LocationArea::level(31)))
        .with(Ie::PortableIdentity(PortableIdentity::Ipui(Ipui::N(
            "05003 0070387".parse().unwrap(),
        ))));
    assert_eq!(
        message.encode(),
        hex(
            "03 05 05 07 80 A8 01 38 B1 12 F3 E0 80 07 01 5F D2 12 01 01 12 01 02 2C 02 31 32 E4 40 A1"
        )
    );
}

#[test]
fn what_is_unknown_empty_or_spare_is_no_error() {
    // Unknown FIXED F3, empty 05, extra octet in progress, unknown 5A, other codeset (next only), order.
    let octets = hex("03 7B F3 05 00 1E 03 80 88 FF 5A 01 07 9D 28 01 41 28 01 42 0C 01 00");
    let (message, notes) = Message::decode_noting(&octets).unwrap();
    assert_eq!(
        message.elements,
        [
            Ie::ProgressIndicator(ProgressIndicator::IN_BAND),
            Ie::Opaque {
                id: 0x5A,
                contents: vec![7]
            },
            Ie::MultiDisplay(b"B".to_vec()),
            Ie::Rand(vec![0]),
        ]
    );
    assert_eq!(
        notes,
        Notes {
            out_of_order: true,
            other_codeset: true
        }
    );
    let locked = Message::decode(&hex("03 7B 95 28 01 41 90 28 01 42")).unwrap();
    assert_eq!(locked.display(), Some(b"B".to_vec()));
}

#[test]
fn what_is_cut_or_foreign_is_refused_with_the_reason() {
    let transaction = Transaction {
        value: 1,
        from_destination: true,
    };
    let error = |text: &str| Message::decode(&hex(text)).unwrap_err();
    assert_eq!(
        error("93 7B 28 05 41"),
        DecodeError::Truncated {
            id: 0x28,
            transaction
        }
    );
    assert_eq!(
        error("93 7B 28"),
        DecodeError::Truncated {
            id: 0x28,
            transaction
        }
    );
    assert_eq!(
        error("93 7B E4"),
        DecodeError::Truncated {
            id: 0xE4,
            transaction
        }
    );
    assert_eq!(
        error("93 99"),
        DecodeError::MessageType {
            discriminator: 3,
            code: 0x99,
            transaction
        }
    );
    assert_eq!(error("F3 05"), DecodeError::TransactionValue);
    assert_eq!(error("01 05"), DecodeError::Entity(1));
    assert_eq!(error("03"), DecodeError::Short(1));
}

#[test]
fn a_faulty_mandatory_element_is_told_from_a_missing_one() {
    let faulty = Message::decode(&hex("03 05 05 03 80 A8 01")).unwrap();
    assert_eq!(faulty.ipui(), None);
    assert_eq!(faulty.lack_of(0x05), ElementError::Faulty(0x05));
    assert_eq!(faulty.lack_of(0x06), ElementError::Missing(0x06));
}

#[test]
fn every_message_type_round_trips() {
    for kind in Kind::all() {
        for value in 0..7 {
            for transaction in [
                Transaction::originated(value),
                Transaction::originated(value).answered(),
            ] {
                let message = Message::new(transaction, kind).with(Ie::MultiDisplay(b"x".to_vec()));
                assert_eq!(Message::decode(&message.encode()), Ok(message));
            }
        }
    }
    assert_eq!(Kind::all().count(), 2 + 21 + 3 + 28 + 1 + 7);
}

#[test]
fn terminal_capability_tells_display_and_tones() {
    let ours = TerminalCapability::gap(false, 4, 16);
    assert_eq!(ours.display_size(), Some((4, 16)));
    assert!(!ours.makes_tones() && ours.has_dsaa2());
    assert!(TerminalCapability::gap(true, 1, 1).makes_tones());
    let message = Message::new(Transaction::default(), Kind::Mm(Mm::LocateRequest))
        .with(Ie::TerminalCapability(ours.clone()));
    let again = Message::decode(&message.encode()).unwrap();
    assert_eq!(again.terminal_capability(), Some(&ours));
}

proptest! {
    #[test]
    fn any_octets_decode_to_something_stable_or_not_at_all(octets in prop::collection::vec(any::<u8>(), 0..120)) {
        fuzz_nwk(&octets);
    }

    #[test]
    fn any_elements_of_known_kinds_are_stable(
        kind in 0usize..62,
        parts in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..12)), 0..8),
    ) {
        let kinds: Vec<Kind> = Kind::all().collect();
        let (discriminator, code) = kinds[kind].codes();
        let mut octets = vec![discriminator, code];
        for (id, contents) in parts {
            octets.extend([id & 0x7F, contents.len() as u8]);
            octets.extend(contents);
        }
        fuzz_nwk(&octets);
    }
}
