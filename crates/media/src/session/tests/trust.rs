//! Whom a leg believes: addresses, latches, SRTP, replays.

use super::rig::*;
use crate::rtp::Header;
use crate::session::*;
use crate::srtp::{MAX_OVERHEAD, Mki};

#[test]
fn a_strict_leg_believes_one_address_and_says_what_it_refused() {
    let mut rig = Rig::new();
    rig.peer_says_from(address("198.51.100.5:4002"), 8, 1, &[0xD5; 160]);
    rig.peer_says_from(address("203.0.113.1:4000"), 8, 2, &[0xD5; 160]);
    assert_eq!(rig.at_base().len(), 0);
    rig.pass(1000);
    let expected = [Event::Security {
        leg: SIP,
        kind: Distrust::UnexpectedSource,
        count: 2,
    }];
    assert_eq!(rig.events(), expected);
}

#[test]
fn a_latch_needs_a_valid_packet_and_holds() {
    let mut rig = Rig::new();
    let latching = SipRemote {
        source: SourceRule::LatchOnce,
        ..remote()
    };
    rig.session.modify_sip(SIP, latching).unwrap();
    let (real, other) = (address("203.0.113.9:7000"), address("203.0.113.66:1"));
    rig.peer_says_from(other, 99, 1, &[0; 160]);
    rig.peer_says_from(real, 8, 1, &[0xD5; 160]);
    rig.peer_says_from(other, 8, 2, &[0xD5; 160]);
    assert_eq!(rig.at_base().len(), 1);
    rig.base_says(None, &[0xFF; 80]);
    assert_eq!(rig.post.sent[0].0.to, real);
}

#[test]
fn under_srtp_only_an_authentic_packet_latches_and_a_plain_answer_is_spoken_to_plainly() {
    let mut rig = Rig::new();
    let there = rig.opens_secured(Mki::new(&[1]).unwrap(), SourceRule::LatchOnce);
    let now = rig.now;
    rig.session
        .connect(now, BASE, SECURED, JunctionDirection::Both)
        .unwrap();
    let mut forged = vec![0x80, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5];
    forged.extend([0xD5; 170]);
    let other = address("203.0.113.66:1");
    rig.session
        .on_rtp(now, SECURED, 0, &mut forged, other, &mut rig.post);
    rig.base_says(None, &[0xFF; 80]);
    let to = rig.sent_on(SECURED);
    assert_eq!(to.len(), 1);
    assert_eq!(
        (to[0].0.to, to[0].1.len()),
        (peer_address(), 12 + 160 + 1 + 10)
    );
    rig.session
        .modify_sip(SECURED, SipRemote { key: None, ..there })
        .unwrap();
    rig.base_says(None, &[0xFF; 80]);
    let to = rig.sent_on(SECURED);
    assert_eq!(to[0].1.len(), 12 + 160);
    rig.pass(1000);
    let refused = Event::Security {
        leg: SECURED,
        kind: Distrust::AuthFailed,
        count: 1,
    };
    assert!(rig.events().contains(&refused));
}

#[test]
fn the_same_sdp_again_keeps_the_replay_window() {
    let mut rig = Rig::new();
    let there = rig.opens_secured(Mki::default(), SourceRule::Strict);
    let now = rig.now;
    let mut sender = crate::srtp::Sender::new(&material(50), Mki::default(), 0).unwrap();
    let mut packet = vec![0xD5; 12 + 160 + MAX_OVERHEAD];
    Header {
        marker: false,
        payload_type: 8,
        sequence: 1,
        timestamp: 0,
        ssrc: 5,
    }
    .write(None, &mut packet)
    .unwrap();
    let length = sender.protect(&mut packet, 172).unwrap();
    rig.session.on_rtp(
        now,
        SECURED,
        0,
        &mut packet.clone()[..length],
        peer_address(),
        &mut rig.post,
    );
    // A re-INVITE of a new owner: another direction first, then all as before.
    let held = SipRemote {
        direction: Direction::Inactive,
        ..there.clone()
    };
    rig.session.modify_sip(SECURED, held).unwrap();
    rig.session.modify_sip(SECURED, there).unwrap();
    rig.session.on_rtp(
        now,
        SECURED,
        0,
        &mut packet[..length],
        peer_address(),
        &mut rig.post,
    );
    rig.pass(1000);
    let replay = Event::Security {
        leg: SECURED,
        kind: Distrust::Replay,
        count: 1,
    };
    assert!(rig.events().contains(&replay));
}
