use std::time::Duration;

use ipdect_dect::display::{self, Size};
use ipdect_dect::mac::propagation::Propagation;
use ipdect_dect::nwk::cc::Order;
use ipdect_dect::nwk::ie::ReleaseReason;
use ipdect_media::meter;
use rand_chacha::rand_core::SeedableRng;

use super::world::{World, config, ipei};
use crate::speech::Source;
use crate::{Action, CallState, Key};

fn state(w: &World) -> CallState {
    w.pp.status(w.now).call
}

/// Both sides say a tone for a while; answers what was heard here and there.
fn talk(w: &mut World, ms: u64) -> (meter::Tone, meter::Tone) {
    w.fp.say(
        ipei(),
        Source::Tone {
            hz: 700.0,
            level_dbm0: -10.0,
        },
    );
    w.pp.set_source(Source::Tone {
        hz: 1000.0,
        level_dbm0: -10.0,
    });
    w.run_ms(300);
    w.ear.clear();
    w.fp.heard(ipei());
    w.run_ms(ms);
    let here = meter::tone(&w.ear).expect("a tone at the portable");
    let there = meter::tone(&w.fp.heard(ipei())).expect("a tone at the fixed part");
    (here, there)
}

fn assert_tone(tone: meter::Tone, hz: f64) {
    assert!((tone.frequency_hz - hz).abs() < 2.0, "{tone:?}");
    assert!((tone.level_dbm0 + 10.0).abs() < 1.0, "{tone:?}");
    assert!(tone.snr_db > 20.0, "{tone:?}");
}

#[test]
fn a_number_typed_before_is_sent_with_the_call() {
    let mut w = World::located(config());
    w.press("1002");
    assert_eq!(w.pp.status(w.now).display, ["1002"]);
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    assert_eq!(w.fp.typed, b"1002");
    assert_eq!(w.fp.log, ["Cc(Setup)"]);
    let (here, there) = talk(&mut w, 1000);
    assert_tone(here, 700.0);
    assert_tone(there, 1000.0);
    let ear = w.pp.status(w.now).ear;
    assert_eq!((ear.bad, ear.lost, ear.muted, ear.overrun), (0, 0, 0, 0));
    assert!(ear.frames > 120);
    w.key(Key::OnHook);
    w.until(3000, |w| state(w) == CallState::Idle);
    assert!(w.saw(|action| *action
        == Action::CallEnded {
            reason: ReleaseReason::NORMAL
        }));
    w.fp.release_bearer(ipei());
    w.run_ms(100);
    assert!(!w.pp.status(w.now).connected);
    assert_eq!(
        w.fp.log,
        ["Cc(Setup)", "Cc(Release)", "call ended Peer: normal"]
    );
}

#[test]
fn digits_pressed_off_hook_follow_one_by_one_and_tones_are_heard_meanwhile() {
    let mut w = World::located(config());
    w.key(Key::OffHook);
    // The first digit is pressed before the system is ready for it.
    w.press("1");
    w.until(3000, |w| state(w) == CallState::Dialling);
    w.run_ms(200);
    assert!(w.pp.status(w.now).ear.frames > 0, "dial tone can be heard");
    for digit in ["0", "0", "2"] {
        w.run_ms(150);
        w.press(digit);
    }
    w.until(3000, |w| state(w) == CallState::Connected);
    assert_eq!(w.fp.typed, b"1002");
    let states: Vec<String> = (w.actions.iter())
        .filter_map(|action| match action {
            Action::Call(state) => Some(state.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(states, ["calling", "dialling", "proceeding", "connected"]);
    // Keys in the call go as keypad too.
    w.fp.typed.clear();
    w.press("R4");
    w.run_ms(500);
    assert_eq!(w.fp.typed, [0x15, b'4']);
}

#[test]
fn a_call_to_the_portable_rings_shows_the_caller_and_is_answered() {
    let mut w = World::located(config());
    w.fp.call(w.now, ipei());
    w.until(5000, |w| matches!(state(w), CallState::Ringing { .. }));
    w.run_ms(300);
    let status = w.pp.status(w.now);
    assert_eq!(
        status.call,
        CallState::Ringing {
            number: Some("4711".into()),
            name: Some("Jim Kander".into())
        }
    );
    assert_eq!(status.display, ["Jim Kander", "4711"]);
    assert_eq!(status.ringing, Some(3));
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    assert!(w.saw(|action| *action == Action::RingOff));
    let (here, there) = talk(&mut w, 1000);
    assert_tone(here, 700.0);
    assert_tone(there, 1000.0);
    w.fp.order(w.now, ipei(), Order::Release(ReleaseReason::NORMAL, vec![]));
    w.until(3000, |w| state(w) == CallState::Idle);
    w.run_ms(500);
    assert_eq!(
        w.fp.log,
        [
            "Lce(PageResponse)",
            "Cc(Alerting)",
            "alerting",
            "Cc(Connect)",
            "Cc(ReleaseCom)",
            "call ended Peer: normal"
        ]
    );
}

#[test]
fn a_caller_who_gives_up_stops_the_ringer() {
    let mut w = World::located(config());
    w.fp.call(w.now, ipei());
    w.until(5000, |w| w.pp.status(w.now).ringing.is_some());
    w.fp.order(w.now, ipei(), Order::Release(ReleaseReason::NORMAL, vec![]));
    w.until(3000, |w| state(w) == CallState::Idle);
    assert_eq!(w.pp.status(w.now).ringing, None);
}

#[test]
fn a_portable_out_of_range_is_not_found() {
    let mut w = World::located(config());
    w.pp.set_position([5000.0, 0.0, 0.0]);
    w.fp.call(w.now, ipei());
    w.run_ms(13_000);
    assert_eq!(w.fp.log[0], "not found");
}

#[test]
fn one_burst_in_ten_lost_costs_quality_not_the_call() {
    let lossy = Propagation {
        loss: 0.1,
        ..Propagation::default()
    };
    let mut w = World::located(crate::Config {
        propagation: lossy,
        ..config()
    });
    w.press("1002");
    w.key(Key::OffHook);
    w.until(8000, |w| state(w) == CallState::Connected);
    w.run_ms(2000);
    let (here, _) = talk(&mut w, 2000);
    assert!((here.frequency_hz - 700.0).abs() < 5.0, "{here:?}");
    let ear = w.pp.status(w.now).ear;
    assert!(
        ear.lost * 20 > ear.frames && ear.lost * 5 < ear.frames,
        "{ear:?}"
    );
    assert_eq!(ear.muted, ear.lost + ear.bad);
    w.key(Key::OnHook);
    w.until(8000, |w| state(w) == CallState::Idle);
    w.fp.call(w.now, ipei());
    w.until(15_000, |w| matches!(state(w), CallState::Ringing { .. }));
}

#[test]
fn a_weak_signal_spoils_frames() {
    let mut w = World::located(config());
    w.press("1002");
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    // 24 dBm over about 270 m with exponent 3: about -87 dBm, half of the frames bad.
    w.pp.set_position([270.0, 0.0, 0.0]);
    w.run_ms(2000);
    let ear = w.pp.status(w.now).ear;
    assert!(ear.bad > 20 && ear.lost > 20, "{ear:?}");
    assert_eq!(state(&w), CallState::Connected);
}

#[test]
fn a_bearer_silent_for_five_seconds_ends_the_call() {
    let mut w = World::located(config());
    w.press("1002");
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    w.fp.skip(Duration::from_secs(1));
    w.run_ms(2000);
    assert_eq!(
        state(&w),
        CallState::Connected,
        "a second of silence is survived"
    );
    w.pp.set_position([5000.0, 0.0, 0.0]);
    w.run_ms(5200);
    assert_eq!(state(&w), CallState::Idle);
    assert!(w.saw(|action| *action
        == Action::CallEnded {
            reason: ReleaseReason::UNKNOWN
        }));
}

#[test]
fn a_base_station_held_up_is_answered_by_the_portables_own_clock() {
    let mut w = World::located(config());
    w.press("1002");
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    w.pp.set_source(Source::Tone {
        hz: 1000.0,
        level_dbm0: -10.0,
    });
    w.run_ms(200);
    w.fp.heard(ipei());
    w.fp.skip(Duration::from_millis(200));
    w.run_ms(400);
    // 40 frames of the portable's own time, bursts or not.
    let frames = w.fp.heard(ipei()).len() / 80;
    assert!((38..=42).contains(&frames), "{frames}");
}

#[test]
fn hanging_up_before_the_connection_stands_leaves_nothing() {
    let mut w = World::located(config());
    w.fp.confirms = false;
    w.press("1002");
    w.key(Key::OffHook);
    w.run_ms(100);
    w.key(Key::OnHook);
    assert_eq!(state(&w), CallState::Idle);
    w.run_ms(5000);
    assert_eq!(w.fp.busy(), 0);
    w.fp.confirms = true;
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
}

#[test]
fn the_next_call_uses_the_connection_that_still_stands() {
    let mut w = World::located(config());
    for _ in 0..2 {
        w.press("1002");
        w.key(Key::OffHook);
        w.until(3000, |w| state(w) == CallState::Connected);
        w.key(Key::OnHook);
        w.until(3000, |w| state(w) == CallState::Idle);
    }
    w.fp.call(w.now, ipei());
    w.until(3000, |w| matches!(state(w), CallState::Ringing { .. }));
    assert!(
        !w.fp.log.contains(&"Lce(PageResponse)".to_owned()),
        "no page was needed"
    );
    w.key(Key::OnHook);
    w.until(3000, |w| state(w) == CallState::Idle);
    assert_eq!(w.fp.busy(), 1);
}

#[test]
fn a_datagram_for_another_portable_behind_the_same_socket_is_left_alone() {
    let mut w = World::located(config());
    w.press("1002");
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    let pmid = w.pp.pmid().unwrap();
    let mut other = crate::Portable::new(
        crate::Config::new("65535 0000002".parse().unwrap(), "1234".parse().unwrap()),
        None,
        vec![],
    );
    let mut rng = rand_chacha::ChaCha8Rng::from_seed([0; 32]);
    other.handle(w.now, &mut rng, crate::Event::Key(Key::PowerOn));
    w.fp.tick(w.now, &mut rng);
    let from = std::net::SocketAddr::from(([127, 0, 0, 1], 7462));
    for octets in w.fp.take_out() {
        assert_eq!(octets[21..24], pmid.bits().to_be_bytes()[1..]);
        let event = crate::Event::Datagram {
            from,
            octets: &octets,
        };
        assert_eq!(other.handle(w.now, &mut rng, event), []);
    }
}

/// The lines on the display, in one.
fn shown(w: &World) -> String {
    w.pp.status(w.now).display.join(" / ")
}

#[test]
fn after_a_call_the_idle_display_is_back() {
    let mut w = World::located(config());
    w.run_ms(100);
    assert_eq!(shown(&w), "Ann / 1001", "as the system told it");
    w.fp.call(w.now, ipei());
    w.until(5000, |w| matches!(state(w), CallState::Ringing { .. }));
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    w.run_ms(5000);
    assert_eq!(shown(&w), "Jim Kander / 4711", "as long as the call");
    w.key(Key::OnHook);
    w.until(3000, |w| state(w) == CallState::Idle);
    assert_eq!(shown(&w), "Ann / 1001");
}

#[test]
fn a_text_at_the_end_can_be_read_before_the_idle_display_is_back() {
    let mut w = World::located(config());
    w.press("1002");
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    w.run_ms(5000);
    let text = vec![display::text(&["Call lost"], Size::default())];
    w.fp.order(w.now, ipei(), Order::Release(ReleaseReason::NORMAL, text));
    w.until(3000, |w| state(w) == CallState::Idle);
    w.run_ms(2500);
    assert_eq!(shown(&w), "Call lost");
    w.run_ms(1000);
    assert_eq!(shown(&w), "Ann / 1001");
}

#[test]
fn an_idle_display_told_with_the_end_of_a_call_is_shown_from_then_on() {
    let mut w = World::located(config());
    w.press("1002");
    w.key(Key::OffHook);
    w.until(3000, |w| state(w) == CallState::Connected);
    let idle = vec![display::idle(&["Anna", "1001"], Size::default())];
    w.fp.order(w.now, ipei(), Order::Release(ReleaseReason::NORMAL, idle));
    w.until(3000, |w| state(w) == CallState::Idle);
    w.run_ms(3000);
    assert_eq!(shown(&w), "Anna / 1001");
}

#[test]
fn a_number_typed_stays_until_it_is_dropped() {
    let mut w = World::located(config());
    w.press("47");
    w.run_ms(10_000);
    assert_eq!(shown(&w), "47");
    w.key(Key::OnHook);
    assert_eq!(shown(&w), "Ann / 1001");
}
