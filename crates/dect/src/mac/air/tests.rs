use proptest::prelude::*;
use smallvec::smallvec;

use super::*;

fn header(bearer: u8) -> Header {
    Header {
        frame: FrameNumber::new(0x0123_4567),
        position: Position {
            x_dm: 10,
            y_dm: -2,
            z_dm: 15,
        },
        power_dbm: -4,
        bearer,
        rfpi: [0x11, 0x00, 0x23, 0x45, 0x2A],
        pmid: Pmid::from_bits(0x0_1234).unwrap(),
    }
}

const HEADER_HEX: &str = "01234567000afffe000ffc";

fn wire(kind: u8, bearer: u8, body: &str) -> Vec<u8> {
    let text = format!("dec701{kind:02x}{HEADER_HEX}{bearer:02x}110023452a001234{body}");
    hex::decode(text).unwrap()
}

fn speech() -> BField {
    std::array::from_fn(|i| i as u8)
}

#[test]
fn every_type_has_the_octets_of_the_contract() {
    let beacon = Beacon {
        capabilities: [1, 2, 3, 4, 5],
        busy: true,
        synchronised: true,
        free_bearers: 11,
        pages: smallvec![
            PageTail::Short([0x0C, 0x12, 0x34]),
            PageTail::Full([1, 2, 3, 4, 5])
        ],
    };
    let burst = Burst {
        ct: Some(Ct {
            number: true,
            segment: [0x91, 0, 1, 0xB7, 0xB5],
        }),
        expected: true,
        b_field: Some(speech()),
        ciphered: true,
        heard_dbm: Some(-60),
    };
    let silent = Burst {
        ct: None,
        expected: false,
        b_field: None,
        ciphered: false,
        heard_dbm: None,
    };
    let cases = [
        (0, Body::Tune { seconds: 60 }, wire(1, 0, "3c")),
        (
            0,
            Body::Beacon(beacon),
            wire(2, 0, "0102030405030b02030c1234050102030405"),
        ),
        (
            0,
            Body::Access {
                kind: AccessKind::ConnectionHandover,
                attempt: 10,
            },
            wire(3, 0, "020a"),
        ),
        (12, Body::Confirm, wire(4, 12, "")),
        (0, Body::Wait, wire(5, 0, "")),
        (0, Body::Refuse(RefuseReason::Draining), wire(6, 0, "03")),
        (
            3,
            Body::Burst(burst),
            wire(7, 3, &format!("1f3c910001b7b5{}", hex::encode(speech()))),
        ),
        (
            3,
            Body::Burst(silent),
            wire(7, 3, &format!("007f{}", "00".repeat(45))),
        ),
        (3, Body::Cipher(CipherStep::StartGrant), wire(8, 3, "02")),
        (
            3,
            Body::Release(ReleaseReason::HandedOver),
            wire(9, 3, "02"),
        ),
    ];
    for (bearer, body, octets) in cases {
        let datagram = Datagram {
            header: header(bearer),
            body,
        };
        assert_eq!(datagram.to_vec(), octets, "{datagram:?}");
        assert_eq!(Datagram::parse(&octets), Ok(datagram));
    }
}

#[test]
fn a_burst_has_71_octets() {
    assert_eq!(BURST_OCTETS, 71);
}

#[test]
fn what_is_cut_short_is_refused_at_every_length() {
    let whole = wire(7, 3, &format!("1f3c910001b7b5{}", hex::encode(speech())));
    for length in 0..whole.len() {
        assert_eq!(
            Datagram::parse(&whole[..length]),
            Err(AirError::TooShort(length))
        );
    }
}

#[test]
fn values_out_of_range_are_named() {
    let refused = |octets: Vec<u8>| Datagram::parse(&octets).unwrap_err();
    assert_eq!(refused(b"DE\xC7\x01".to_vec()), AirError::NotAir);
    assert_eq!(refused(vec![0xDE, 0xC7, 2, 1]), AirError::Version(2));
    assert_eq!(refused(wire(10, 0, "")), AirError::Type(10));
    assert_eq!(
        refused(wire(1, 13, "01")),
        AirError::Field {
            field: "bearer",
            value: 13
        }
    );
    assert_eq!(
        refused(wire(4, 0, "")),
        AirError::Field {
            field: "bearer",
            value: 0
        }
    );
    assert_eq!(
        refused(wire(1, 0, "00")),
        AirError::Field {
            field: "seconds",
            value: 0
        }
    );
    assert_eq!(
        refused(wire(3, 0, "0301")),
        AirError::Field {
            field: "kind of access",
            value: 3
        }
    );
    assert_eq!(
        refused(wire(6, 0, "00")),
        AirError::Field {
            field: "reason of refusal",
            value: 0
        }
    );
    assert_eq!(
        refused(wire(2, 0, "0102030405000b0104aabbccdd")),
        AirError::Field {
            field: "length of a page",
            value: 4
        }
    );
}

#[test]
fn a_beacon_never_grows_beyond_its_buffer() {
    let beacon = Beacon {
        pages: (0..60).map(|_| PageTail::Full([0; 5])).collect(),
        ..Beacon::default()
    };
    let octets = Datagram {
        header: header(0),
        body: Body::Beacon(beacon),
    }
    .to_vec();
    assert_eq!(octets.len(), MAX_OCTETS);
    let Body::Beacon(read) = Datagram::parse(&octets).unwrap().body else {
        panic!("a beacon")
    };
    assert_eq!(read.pages.len(), MAX_PAGES);
}

#[test]
fn positions_in_metres_are_clamped() {
    assert_eq!(
        Position::from_metres([1.26, -0.5, 9999.0]),
        Position {
            x_dm: 13,
            y_dm: -5,
            z_dm: i16::MAX
        }
    );
    let far = Position {
        x_dm: i16::MIN,
        y_dm: 0,
        z_dm: 0,
    };
    let away = Position {
        x_dm: i16::MAX,
        y_dm: 0,
        z_dm: 0,
    };
    assert!((far.distance_m(away) - 6553.5).abs() < 1e-9);
}

proptest! {
    #[test]
    fn any_octets_are_parsed_or_refused(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz_air(&data);
    }

    #[test]
    fn any_body_behind_a_good_header_is_parsed_or_refused(kind in 0u8..11, bearer in 0u8..14, body in proptest::collection::vec(any::<u8>(), 0..250)) {
        fuzz_air(&wire(kind, bearer, &hex::encode(body)));
    }
}
