//! What an idle handset holds: subscribed, located, registered, no call.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ipdect_handset::{Profile, State};
use ipdect_tests::kit::handset::{Scene, profile, settings};

use crate::allocator::counted;
use crate::bench::Bench;

const HANDSETS: usize = 10_000;
/// Longer than any transaction is kept.
const QUIET: Duration = Duration::from_secs(70);
/// `design.md` section 11.
const BUDGET: usize = 6 * 1024;

fn profiles() -> Vec<Profile> {
    // One set of settings for all, as in the server.
    let settings = Arc::new(settings());
    let own = |n: usize| {
        let mut one = profile();
        one.settings = Arc::clone(&settings);
        one.handset.key = format!("{}-{n:08}", n % 1024);
        if let Some(user) = &mut one.user {
            user.number = format!("{n:05}");
        }
        one
    };
    (0..HANDSETS).map(own).collect()
}

fn registered(profile: Profile) -> State {
    let mut scene = Scene::of(profile);
    // The transaction of the registration is forgotten.
    scene.wait(QUIET);
    assert!(scene.state.is_idle());
    scene.state
}

pub(crate) fn run(bench: &mut Bench) {
    if !Bench::is_measuring()
        || std::env::args()
            .skip(1)
            .any(|filter| !filter.starts_with('-') && !"memory".contains(&filter))
    {
        return;
    }
    let resident = resident();
    // What a profile holds is part of its handset, the settings shared by all are not.
    let (states, held) = counted(|| {
        let mut states = Vec::with_capacity(HANDSETS);
        states.extend(profiles().into_iter().map(registered));
        states
    });
    let resident = self::resident()
        .zip(resident)
        .map(|(after, before)| after.saturating_sub(before) / HANDSETS);
    black_box(&states);
    let each = held.alive.max(0) as usize / HANDSETS;
    let note = format!(
        "{:.2} of the budget of {BUDGET}; {} of it the value itself; resident {}",
        each as f64 / BUDGET as f64,
        size_of::<State>(),
        resident.map_or("unknown".into(), |octets| format!("{octets} B")),
    );
    bench.amount(
        &format!("handset: idle state, mean of {HANDSETS}"),
        format!("{each} B"),
        note,
    );
}

/// Resident memory of this process, octets.
fn resident() -> Option<usize> {
    let all = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = all.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .ok()
        .map(|kib| kib * 1024)
}
