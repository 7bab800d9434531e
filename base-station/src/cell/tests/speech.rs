use std::time::Duration;

use super::scene::*;
use crate::cell::Action;
use crate::cell::connection::DownReason;
use crate::cell::message::*;
use crate::radio;

fn qualities(out: &[Action]) -> usize {
    reports(out)
        .iter()
        .filter(|r| matches!(r, Report::Quality { .. }))
        .count()
}

#[test]
fn open_speech_is_reported_every_five_seconds_until_it_is_closed() {
    let (mut scene, id) = Scene::bound();
    let out = scene.told(
        Task::OpenSpeech {
            connection: id,
            path: path(7),
        },
        Outcome::Done,
    );
    assert_eq!(out, [Action::MarkSpeech { dscp: 46 }]);
    assert_eq!(qualities(&scene.pass(Duration::from_secs(14))), 2);
    let close = Task::CloseSpeech { connection: id };
    assert_eq!(qualities(&scene.told(close.clone(), Outcome::Done)), 1);
    assert_eq!(scene.told(close, Outcome::Done), []);
    assert_eq!(qualities(&scene.pass(Duration::from_secs(14))), 0);
}

#[test]
fn another_path_replaces_the_one_that_is_open() {
    let (mut scene, id) = Scene::bound();
    for ssrc in [7, 7, 8] {
        scene.told(
            Task::OpenSpeech {
                connection: id,
                path: path(ssrc),
            },
            Outcome::Done,
        );
    }
    assert_eq!(scene.cell.speech().path(id), Some(&path(8)));
    assert_eq!(scene.cell.speech().open_streams(), 1);
}

#[test]
fn an_ssrc_in_use_is_a_conflict() {
    let (mut scene, id) = Scene::bound();
    scene.told(
        Task::OpenSpeech {
            connection: id,
            path: path(7),
        },
        Outcome::Done,
    );
    let other = scene.access(0x77);
    scene.told(
        Task::Bind {
            connection: other,
            ipei: ipei(),
        },
        Outcome::Done,
    );
    scene.told(
        Task::OpenSpeech {
            connection: other,
            path: path(7),
        },
        Outcome::Conflict("SSRC 00000007 is in use by another connection".into()),
    );
}

#[test]
fn the_last_report_comes_with_the_end() {
    let (mut scene, id) = Scene::bound();
    scene.told(
        Task::OpenSpeech {
            connection: id,
            path: path(7),
        },
        Outcome::Done,
    );
    scene.pass(Duration::from_secs(1));
    let out = scene.radio(radio::Event::BearerLost { bearer: 1 });
    let [
        Report::ConnectionDown {
            connection,
            reason,
            last: Some(last),
        },
    ] = &reports(&out)[..]
    else {
        panic!("{out:?}");
    };
    assert_eq!(
        (*connection, *reason, last.window),
        (id, DownReason::RadioLost, Duration::from_secs(1))
    );
}
