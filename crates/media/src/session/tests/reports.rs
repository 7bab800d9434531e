//! What a session tells: silence, figures, RTCP.

use super::rig::*;
use crate::rtp::rtcp;
use crate::session::*;

#[test]
fn silence_is_told_every_ten_seconds_and_a_minute_of_both_is_the_end() {
    let mut rig = Rig::new();
    let mut told = vec![];
    for _ in 0..62 {
        rig.pass(1000);
        told.extend(
            rig.events()
                .into_iter()
                .filter(|e| !matches!(e, Event::Stats { .. })),
        );
    }
    let silences = |of: LegId| {
        (told.iter())
            .filter_map(|e| match e {
                Event::Silent { leg, lasting } if *leg == of => Some(lasting.as_secs()),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(silences(SIP), [10, 20, 30, 40, 50, 60]);
    assert_eq!(silences(BASE), [10, 20, 30, 40, 50, 60]);
    assert!(told.contains(&Event::Abandoned));
}

#[test]
fn legs_that_nobody_hears_may_be_silent_and_one_that_speaks_keeps_the_session() {
    let mut rig = Rig::new();
    rig.session
        .disconnect(BASE, SIP, JunctionDirection::Both)
        .unwrap();
    for _ in 0..70 {
        rig.pass(1000);
    }
    assert!(
        rig.events()
            .iter()
            .all(|e| matches!(e, Event::Stats { .. }))
    );
    let now = rig.now;
    rig.session
        .connect(now, BASE, SIP, JunctionDirection::Both)
        .unwrap();
    for _ in 0..70 {
        rig.pass(1000);
        rig.base_says(None, &[0xFF; 80]);
    }
    assert!(!rig.events().contains(&Event::Abandoned));
}

#[test]
fn reports_go_out_every_five_seconds_and_tell_the_round_trip() {
    let mut rig = Rig::new();
    rig.base_says(None, &[0xFF; 80]);
    rig.peer_says(8, 1, &[0xD5; 160]);
    rig.pass(5000);
    let reports: Vec<_> = rig
        .post
        .sent
        .drain(..)
        .filter(|(_, o)| rtcp::is_rtcp(o))
        .collect();
    assert_eq!(reports.len(), 2);
    let (destination, report) = reports.iter().find(|(d, _)| d.leg == SIP).unwrap();
    assert!(destination.rtcp);
    assert_eq!(destination.to, address("198.51.100.5:4001"));
    let ours = rtcp::parse(report, 77).unwrap();
    assert_eq!(ours.block.unwrap().lost, 0);
    let ssrc = u32::from_be_bytes(report[4..8].try_into().unwrap());
    rig.pass(150);
    let block = rtcp::ReportBlock {
        ssrc,
        fraction_lost: 0,
        lost: 0,
        highest: 1,
        jitter: 0,
        last_sr: ours.last_sr.unwrap(),
        delay: 65_536 / 10,
    };
    let answer = rtcp::Report {
        ssrc: 77,
        sender: None,
        block: Some(block),
        cname: b"p",
        bye: false,
    };
    let mut buffer = [0; 200];
    let length = answer.write(&mut buffer).unwrap();
    let (now, from) = (rig.now, address("198.51.100.5:4001"));
    rig.session
        .on_rtcp(now, SIP, 0, &mut buffer[..length], from);
    let trip = rig.stats(SIP).round_trip.unwrap();
    assert!((trip.as_secs_f64() - 0.05).abs() < 0.001, "{trip:?}");
}

#[test]
fn figures_are_of_their_window_and_overflows_count_as_lost() {
    let mut rig = Rig::new();
    for payload in adpcm(1000.0, 100) {
        rig.base_says(None, &payload);
        rig.pass(20);
    }
    rig.session.overflowed(BASE, 3);
    rig.pass(3000);
    rig.pass(5000);
    let windows: Vec<LegStats> = (rig.events().into_iter())
        .filter_map(|e| match e {
            Event::Stats { leg: BASE, stats } => Some(stats),
            _ => None,
        })
        .collect();
    assert_eq!(windows.len(), 2);
    assert_eq!(
        (windows[0].received, windows[0].lost, windows[0].overflows),
        (100, 3, 3)
    );
    assert!(
        (windows[0].level_dbm0 + 10.0).abs() < 0.5,
        "{:?}",
        windows[0]
    );
    assert!(windows[0].r_factor > 60.0);
    assert_eq!((windows[1].received, windows[1].lost), (0, 0));
}
