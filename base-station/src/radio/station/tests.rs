use ipdect_dect::mac::air::{Ct, RefuseReason};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::tests::t0;

const RFPI: [u8; 5] = [0x11, 0x00, 0x23, 0x45, 0x2A];

struct Air {
    station: Station,
    now: Instant,
    frame: u32,
    rng: ChaCha8Rng,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    events: VecDeque<Event>,
}

fn portable() -> SocketAddr {
    "127.0.0.1:4000".parse().unwrap()
}

fn pmid() -> Pmid {
    Pmid::from_bits(0x1234).unwrap()
}

impl Air {
    fn silent() -> Self {
        let place = Place {
            position: Position::default(),
            power_dbm: 24,
            propagation: Propagation::default(),
        };
        Self {
            station: Station::new(place),
            now: t0(),
            frame: 0,
            rng: ChaCha8Rng::seed_from_u64(3),
            sent: Vec::new(),
            events: VecDeque::new(),
        }
    }

    fn on() -> Self {
        let mut air = Self::silent();
        air.order(Order::Broadcast(SystemInfo {
            rfpi: RFPI,
            capabilities: [1, 2, 3, 4, 5],
            busy: false,
            synchronised: true,
            free_bearers: 12,
        }));
        air
    }

    /// With a bearer on which the portable was heard.
    fn connected() -> Self {
        let mut air = Self::on();
        air.hears(
            Body::Access {
                kind: AccessKind::Access,
                attempt: 1,
            },
            0,
        );
        air.order(Order::Confirm {
            pmid: pmid(),
            bearer: 1,
        });
        air.frame();
        air.hears(burst(None, false), 1);
        air.events.clear();
        air.sent.clear();
        air
    }

    fn order(&mut self, order: Order) {
        self.station.order(self.now, order, &mut self.sent);
    }

    fn hears(&mut self, body: Body, bearer: u8) {
        self.hears_from(portable(), body, bearer, RFPI);
    }

    fn hears_from(&mut self, from: SocketAddr, body: Body, bearer: u8, rfpi: [u8; 5]) {
        let header = Header {
            frame: FrameNumber::new(self.frame),
            position: Position::from_metres([5.0, 0.0, 0.0]),
            power_dbm: 24,
            bearer,
            rfpi,
            pmid: pmid(),
        };
        let octets = Datagram { header, body }.to_vec();
        self.station
            .received(self.now, from, &octets, &mut self.rng, &mut self.events);
    }

    fn frame(&mut self) -> Vec<Datagram> {
        self.frame += 1;
        self.now += Duration::from_millis(10);
        self.station
            .start_frame(self.now, FrameNumber::new(self.frame), &mut self.events);
        self.events.retain(|e| !matches!(e, Event::FrameStarted(_)));
        self.station.finish_frame(&mut self.sent);
        self.said()
    }

    fn said(&mut self) -> Vec<Datagram> {
        self.sent
            .drain(..)
            .map(|(_, octets)| Datagram::parse(&octets).unwrap())
            .collect()
    }
}

fn burst(ct: Option<Ct>, expected: bool) -> Body {
    Body::Burst(Burst {
        ct,
        expected,
        b_field: None,
        ciphered: false,
        heard_dbm: None,
    })
}

fn beacons(datagrams: &[Datagram]) -> Vec<usize> {
    let pages = |d: &Datagram| match &d.body {
        Body::Beacon(beacon) => Some(beacon.pages.len()),
        _ => None,
    };
    datagrams.iter().filter_map(pages).collect()
}

#[test]
fn whoever_tunes_in_gets_a_beacon_at_once_and_one_a_multiframe() {
    let mut air = Air::on();
    air.frame();
    air.hears_from(portable(), Body::Tune { seconds: 1 }, 0, [0; 5]);
    air.station.send_urgent(&mut air.sent);
    assert_eq!(beacons(&air.said()), [0]);
    let heard: Vec<usize> = (0..200).flat_map(|_| beacons(&air.frame())).collect();
    // One second at a beacon each 160 ms.
    assert_eq!(heard.len(), 6);
}

#[test]
fn nothing_is_on_the_air_before_the_first_broadcast() {
    let mut air = Air::silent();
    air.hears_from(portable(), Body::Tune { seconds: 60 }, 0, [0; 5]);
    air.hears(
        Body::Access {
            kind: AccessKind::Access,
            attempt: 1,
        },
        0,
    );
    assert!((0..40).all(|_| air.frame().is_empty()));
    assert!(air.events.is_empty());
}

#[test]
fn a_page_is_on_as_many_beacons_as_ordered() {
    let mut air = Air::on();
    air.hears(Body::Tune { seconds: 60 }, 0);
    air.frame();
    air.order(Order::Page {
        page_id: 1,
        tail: PageTail::Short([0x0C, 0x12, 0x34]),
        multiframes: 6,
    });
    air.station.send_urgent(&mut air.sent);
    let mut heard = beacons(&air.said());
    heard.extend((0..160).flat_map(|_| beacons(&air.frame())));
    assert_eq!(heard, [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
    air.order(Order::Page {
        page_id: 2,
        tail: PageTail::Short([0x0C, 0x12, 0x35]),
        multiframes: 6,
    });
    air.order(Order::CancelPage { page_id: 2 });
    assert_eq!(beacons(&air.frame()), [0]);
}

#[test]
fn an_access_is_answered_to_where_it_came_from() {
    let mut air = Air::on();
    air.hears(
        Body::Access {
            kind: AccessKind::Access,
            attempt: 1,
        },
        0,
    );
    // 24 dBm, 38 dB for the first metre and 30 dB a decade.
    let wanted = Event::Access {
        pmid: pmid(),
        kind: AccessKind::Access,
        rssi_dbm: -35,
    };
    assert_eq!(air.events.pop_front(), Some(wanted));
    air.order(Order::Wait { pmid: pmid() });
    air.order(Order::Confirm {
        pmid: pmid(),
        bearer: 3,
    });
    assert!(air.sent.iter().all(|(to, _)| *to == portable()));
    let said = air.said();
    assert_eq!(
        (&said[0].body, &said[1].body, said[1].header.bearer),
        (&Body::Wait, &Body::Confirm, 3)
    );
    // A refusal needs somebody who asked.
    air.order(Order::Refuse {
        pmid: pmid(),
        reason: RefuseReason::NoBearer,
    });
    assert!(air.sent.is_empty());
}

#[test]
fn every_frame_has_a_burst_with_speech_only_where_ordered() {
    let mut air = Air::connected();
    air.order(Order::Send {
        bearer: 1,
        segment: Some([7; 5]),
        b_field: Some([9; 40]),
    });
    let first = air.frame();
    let second = air.frame();
    let parts = |said: &[Datagram]| match &said[0].body {
        Body::Burst(b) => (b.ct.map(|c| c.segment), b.b_field.is_some(), b.heard_dbm),
        other => panic!("{other:?}"),
    };
    // Frame 2 is even and carries no CT segment; speech is for one frame.
    assert_eq!(parts(&first), (None, true, Some(-35)));
    assert_eq!(parts(&second), (Some([7; 5]), false, Some(-35)));
    // Repeated until the portable expects the next number.
    air.frame();
    assert_eq!(parts(&air.frame()).0, Some([7; 5]));
    air.hears(burst(None, true), 1);
    assert!(air.events.contains(&Event::SegmentTaken { bearer: 1 }));
    air.frame();
    assert_eq!(parts(&air.frame()).0, None);
}

#[test]
fn segments_and_speech_of_the_portable_come_up() {
    let mut air = Air::connected();
    air.frame();
    let speech = Body::Burst(Burst {
        ct: Some(Ct {
            number: false,
            segment: [1; 5],
        }),
        expected: false,
        b_field: Some([2; 40]),
        ciphered: false,
        heard_dbm: None,
    });
    air.hears(speech.clone(), 1);
    let field = Field::Good([2; 40]);
    let frame = FrameNumber::new(2);
    assert_eq!(
        air.events.drain(..).collect::<Vec<_>>(),
        [
            Event::Segment {
                bearer: 1,
                segment: [1; 5]
            },
            Event::BField {
                bearer: 1,
                frame,
                field,
                rssi_dbm: -35
            },
        ]
    );
    // The segment again, in a later frame: it is known.
    air.frame();
    air.hears(speech, 1);
    assert_eq!(air.events.len(), 1);
}

#[test]
fn strangers_are_dropped_and_counted() {
    let mut air = Air::connected();
    air.hears_from(
        "127.0.0.1:4001".parse().unwrap(),
        burst(None, false),
        1,
        RFPI,
    );
    air.hears_from(portable(), burst(None, false), 1, [9; 5]);
    air.hears(burst(None, false), 2);
    air.hears(Body::Release(ReleaseReason::Normal), 4);
    air.station.received(
        air.now,
        portable(),
        b"rubbish",
        &mut air.rng,
        &mut air.events,
    );
    assert!(air.events.is_empty());
    assert_eq!(
        air.station.counts(),
        Counts {
            malformed: 1,
            strangers: 4,
            lost: 0
        }
    );
}

#[test]
fn a_bearer_without_a_good_burst_is_lost_after_five_seconds() {
    let mut air = Air::connected();
    let quiet: Vec<usize> = (0..500).map(|_| air.frame().len()).collect();
    assert_eq!(
        quiet.iter().sum::<usize>(),
        500,
        "one burst a frame, and RELEASE in place of the last"
    );
    assert_eq!(air.events.pop_back(), Some(Event::BearerLost { bearer: 1 }));
    assert!(air.frame().is_empty());
}

#[test]
fn a_release_is_said_twice() {
    let mut air = Air::connected();
    air.order(Order::Release {
        bearer: 1,
        reason: ReleaseReason::Normal,
    });
    let mut said = air.said();
    said.extend(air.frame());
    let bodies: Vec<_> = said.into_iter().map(|d| d.body).collect();
    assert_eq!(
        bodies,
        [
            Body::Release(ReleaseReason::Normal),
            Body::Release(ReleaseReason::Normal)
        ]
    );
    assert!(air.frame().is_empty());
}

#[test]
fn far_away_the_air_loses_bursts() {
    let mut air = Air::connected();
    air.station.place.position = Position::from_metres([400.0, 0.0, 0.0]);
    air.frame();
    air.hears(burst(None, false), 1);
    assert_eq!((air.events.len(), air.station.counts().lost), (0, 1));
}
