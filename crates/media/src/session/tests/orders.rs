//! What a session is told while it runs: paths, directions, orders repeated.

use super::rig::*;
use crate::rtp::Header;
use crate::session::*;
use crate::srtp::{MAX_OVERHEAD, Mki};

#[test]
fn on_handover_both_paths_are_spoken_to_and_the_newest_that_delivers_is_heard() {
    let mut rig = Rig::new();
    rig.base_says(None, &[0xFF; 80]);
    rig.session
        .add_path(BASE, 1, path(20, 5), &mut rig.rng)
        .unwrap();
    assert_eq!(
        rig.session.add_path(BASE, 1, path(20, 5), &mut rig.rng),
        Ok(())
    );
    assert_eq!(
        rig.session.add_path(BASE, 1, path(21, 5), &mut rig.rng),
        Err(OrderError::Conflict)
    );
    rig.base_says(None, &[0xFF; 80]);
    assert_eq!(rig.at_peer().len(), 2);
    rig.peer_says(8, 1, &[0xD5; 160]);
    assert_eq!(rig.sent_on(BASE).len(), 2);
    // The new base delivers: from now on the old one is not heard.
    let mut new = crate::srtp::Sender::new(&material(6), Mki::default(), 0).unwrap();
    let header = Header {
        marker: false,
        payload_type: 96,
        sequence: 5,
        timestamp: 9,
        ssrc: 20,
    };
    let mut packet = vec![0xFF; 12 + 80 + MAX_OVERHEAD];
    header.write(None, &mut packet).unwrap();
    let length = new.protect(&mut packet, 92).unwrap();
    let now = rig.now;
    rig.session.on_rtp(
        now,
        BASE,
        1,
        &mut packet[..length],
        base_address(),
        &mut rig.post,
    );
    rig.base_says(None, &[0xFF; 80]);
    assert_eq!(rig.at_peer().len(), 1);
    rig.session.drop_path(BASE, 0).unwrap();
    rig.peer_says(8, 2, &[0xD5; 160]);
    assert_eq!(rig.sent_on(BASE).len(), 1);
}

#[test]
fn a_held_leg_is_neither_heard_nor_spoken_to() {
    let mut rig = Rig::new();
    for (direction, to_peer, to_base) in [
        (Direction::SendOnly, 1, 0),
        (Direction::RecvOnly, 0, 1),
        (Direction::Inactive, 0, 0),
        (Direction::SendRecv, 1, 1),
    ] {
        rig.session
            .modify_sip(
                SIP,
                SipRemote {
                    direction,
                    ..remote()
                },
            )
            .unwrap();
        let sequence = rig.sequence;
        rig.base_says(None, &[0xFF; 80]);
        assert_eq!(rig.at_peer().len(), to_peer, "{direction:?}");
        rig.peer_says(8, sequence, &[0xD5; 160]);
        assert_eq!(rig.at_base().len(), to_base, "{direction:?}");
    }
}

#[test]
fn orders_repeated_are_harmless_and_other_content_is_a_conflict() {
    let mut rig = Rig::new();
    let (now, session, rng) = (rig.now, &mut rig.session, &mut rig.rng);
    assert_eq!(
        session.open_base(now, BASE, AAL2, 0, path(10, 1), rng),
        Ok(())
    );
    let other = session.open_base(now, BASE, AAL2, 0, path(12, 1), rng);
    assert_eq!(other, Err(OrderError::Conflict));
    assert_eq!(session.open_sip(now, SIP, local(), rng), Ok(()));
    let other = SipLocal {
        telephone_event: None,
        ..local()
    };
    assert_eq!(
        session.open_sip(now, SIP, other, rng),
        Err(OrderError::Conflict)
    );
    assert_eq!(
        session.open_sip(now, BASE, local(), rng),
        Err(OrderError::Conflict)
    );
    assert_eq!(session.modify_sip(9, remote()), Err(OrderError::UnknownLeg));
    let region = Region::Germany;
    assert_eq!(
        session.play_tone(now, 9, Tone::Busy, region, 0.0),
        Err(OrderError::UnknownLeg)
    );
    assert!(session.close_leg(now, SIP, &mut rig.post).is_some());
    assert!(session.close_leg(now, SIP, &mut rig.post).is_none());
    assert_eq!(session.junctions(), []);
}
