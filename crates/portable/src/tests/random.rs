use ipdect_dect::mac::propagation::Propagation;
use ipdect_dect::nwk::cc::Order;
use ipdect_dect::nwk::ie::ReleaseReason;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::world::{World, config, ipei};
use crate::{CallState, Config, Key, Status};

/// What no order of events may break.
fn assert_sound(status: &Status) {
    let ringing = matches!(status.call, CallState::Ringing { .. });
    assert_eq!(status.ringing.is_some(), ringing, "{status:?}");
    if status.call == CallState::Connected {
        assert!(status.connected, "speech needs a connection: {status:?}");
    }
}

#[test]
fn whatever_users_and_network_do_in_whatever_order_the_portable_comes_to_rest() {
    for seed in 0..12 {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let loss = f64::from(dice.next_u32() % 3) * 0.05;
        let propagation = Propagation {
            loss,
            ..Propagation::default()
        };
        let mut w = World::located(Config {
            propagation,
            ..config()
        });
        for _ in 0..60 {
            match dice.next_u32() % 10 {
                0 | 1 => w.key(Key::OffHook),
                2 => w.key(Key::OnHook),
                3 => w.press("1"),
                4 => w.press("R2"),
                5 => w.press("1002"),
                6 => w.fp.call(w.now, ipei()),
                7 => w.fp.order(
                    w.now,
                    ipei(),
                    Order::Release(ReleaseReason::USER_BUSY, vec![]),
                ),
                8 => w.fp.release_bearer(ipei()),
                _ => w.subscribe(),
            }
            w.run_ms(u64::from(dice.next_u32() % 700));
            assert_sound(&w.pp.status(w.now));
        }
        w.key(Key::OnHook);
        w.fp.order(w.now, ipei(), Order::Release(ReleaseReason::NORMAL, vec![]));
        w.run_ms(100_000);
        let status = w.pp.status(w.now);
        assert_eq!(status.call, CallState::Idle, "seed {seed}");
        assert!(!status.connected, "seed {seed}: {:?}", w.fp.log);
        assert_eq!(w.fp.busy(), 0, "seed {seed}");
    }
}
