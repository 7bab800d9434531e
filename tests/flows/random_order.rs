//! Whatever order things happen in, the invariants hold: no media without a call, no call without its media, no timer for
//! a dead state, and everything is closed in the end.

use std::collections::BTreeSet;
use std::time::Duration;

use ipdect_dect::nwk::{self, Kind, Mm};
use ipdect_handset::{Action, Event, LegId, Link, Media, Outcome, Radio, SessionId};
use ipdect_tests::kit::handset::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Seeds played, each a handset's life of some minutes.
const SEEDS: u64 = 400;

/// What devices hold, by the orders given.
#[derive(Default)]
struct Devices {
    sessions: BTreeSet<SessionId>,
    speech: BTreeSet<Link>,
}

impl Devices {
    fn obey(&mut self, action: &Action) {
        match action {
            Action::Media(Media::OpenSession { session, .. }) => {
                assert!(self.sessions.insert(*session), "opened twice")
            }
            Action::Media(Media::CloseSession { session, .. }) => {
                self.sessions.remove(session);
            }
            Action::Media(
                Media::OpenLeg { session, .. }
                | Media::Note { session, .. }
                | Media::PlayTone { session, .. },
            ) => assert!(
                self.sessions.contains(session),
                "an order for a session that is closed"
            ),
            Action::Radio(Radio::OpenSpeech { link, .. }) => {
                self.speech.insert(link.clone());
            }
            Action::Radio(Radio::CloseSpeech { link } | Radio::ReleaseConnection { link, .. }) => {
                self.speech.remove(link);
            }
            _ => {}
        }
    }
}

/// Something that might happen now; what makes no sense in the state at hand is just another surprise.
fn anything(rng: &mut ChaCha8Rng, s: &Scene) -> Option<Happening> {
    let called = s
        .sent
        .iter()
        .any(|m| m.method().is_some_and(|m| m.to_string() == "INVITE"));
    let hears = s.peer_invite.is_some();
    Some(match rng.next_u32() % 29 {
        0 => lifts(),
        1 => dials("4711#"),
        2 => presses("4"),
        3 => presses("711#"),
        4 | 5 => hangs_up(),
        6 => confirms_release(),
        7 => answers_page(),
        8 => rings(),
        9 | 10 => takes_call(),
        11 if called => peer_says(180),
        12 if called => peer_answers(),
        13 if called => peer_says(486),
        14 | 15 => peer_calls(),
        16 if hears => peer_acks(),
        17 if hears => peer_cancels(),
        18 if hears || called => peer_hangs_up(),
        19 => radio_breaks(),
        20 if !s.actions.is_empty() => base_lost(),
        21 => base_restarts(),
        22 => locates(),
        23 if hears || called => peer_reinvites(2, "sendonly"),
        24 => media_dies(),
        25 => switches_off(),
        26 => peer_calls_without_offer(),
        27 => proves_if_asked(s)?,
        28 => repeats(|s| presses("1")(s)),
        _ => return None,
    })
}

/// The answer to an authentication, where one was asked for.
fn proves_if_asked(s: &Scene) -> Option<Happening> {
    let asked = |m: &nwk::Message| m.kind == Kind::Mm(Mm::AuthRequest);
    s.shown.last().filter(|m| asked(m)).map(|_| proves_itself())
}

fn play(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut s = Scene::new().seeded(seed);
    match seed % 8 {
        1 => s.media_answers("OpenLeg sip", Outcome::NoResource),
        2 => s.media_answers("OpenLeg base", Outcome::NoResource),
        3 => s.media_answers("OpenSpeech", Outcome::NoResource),
        4 => s.media_answers("Note", Outcome::UnknownTarget),
        5 => s.media_answers("SendNwk", Outcome::Unreachable),
        _ => {}
    }
    let mut deaths = Vec::new();
    for _ in 0..60 {
        if let Some(happening) = anything(&mut rng, &s) {
            for event in happening(&mut s) {
                deaths.extend(matches!(event, Event::MediaLost { .. }).then_some(s.actions.len()));
                s.run(event);
            }
        }
        s.wait(Duration::from_millis(u64::from(rng.next_u32() % 3_000)));
    }
    let _ = s.run(Event::Hangup);
    s.wait(Duration::from_secs(300));
    let mut devices = Devices::default();
    for (at, action) in s.actions.iter().enumerate() {
        if deaths.contains(&at) {
            devices.sessions.clear();
        }
        devices.obey(action);
    }
    assert_eq!(
        devices.sessions,
        BTreeSet::new(),
        "seed {seed}: sessions left open"
    );
    assert_eq!(s.state.status().call, None, "seed {seed}");
    assert!(s.state.is_idle(), "seed {seed}: {:#?}", s.state);
}

#[test]
fn in_any_order_everything_is_closed_in_the_end() {
    for seed in 0..SEEDS {
        play(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut s = Scene::new().seeded(seed);
        let lines = s.at("00:00", dials("4711#")).lines();
        (lines, s.request("INVITE").bytes().clone(), LegId::SIP)
    };
    assert_eq!(run(4), run(4));
    assert_ne!(run(4).1, run(5).1);
}
