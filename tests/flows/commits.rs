//! Commit, then speak: nothing that a peer cannot take back is said before its record is safe.

use ipdect_handset::{Action, Outcome, Record, Store};
use ipdect_tests::kit::handset::*;

use crate::ladders::*;

#[test]
fn the_invite_waits_for_its_record() {
    let mut s = Scene::new();
    s.holds("Note");
    s.at("00:00", dials("4711#"))
        .then(takes_set_up() + is_routed());
    s.at("00:00.1", lets_go()).then([INVITE]);
}

#[test]
fn the_acknowledgement_of_a_key_waits_for_its_effect() {
    let mut s = Scene::new();
    s.holds("OpenSession");
    s.at("00:00", dials("4711#"))
        .then(["B Bind", "M OpenSession [SetupTaken]"]);
    s.at("00:00.1", lets_go()).then(
        Ladder::from(["B NwkAck 1", "M OpenLeg base", "B OpenSpeech"]) + is_routed() + [INVITE],
    );
}

#[test]
fn the_bye_waits_for_its_record_and_an_older_one_is_not_overtaken() {
    let mut s = hearing_ring_back();
    s.holds("ModifyLeg");
    s.at("00:02", peer_answers())
        .then(["M ModifyLeg SendRecv [Active]", "= InACall"]);
    s.at("00:02.1", hangs_up()).then(["= Available"]);
    s.at("00:02.2", lets_go()).then([
        "P ACK",
        "M StopTone",
        "M Connect",
        "B {Connect}",
        "M CloseSession [Ending]",
        "P BYE",
        "B NwkAck 2",
        "B {ReleaseCom reason=00}",
        "B CloseSpeech",
        "S RemoveRecord",
        "! ended: hung up at the handset",
    ]);
}

#[test]
fn a_media_resource_that_does_not_answer_is_replaced_by_the_store() {
    let mut s = Scene::new();
    s.media_answers("Note", Outcome::Unreachable);
    s.at("00:00", dials("4711#"))
        .then(takes_set_up() + is_routed() + ["S Record", INVITE]);
}

#[test]
fn with_media_resource_and_store_away_calls_go_on() {
    let mut s = Scene::new();
    s.media_answers("Note", Outcome::Unreachable);
    s.media_answers("Record", Outcome::Unreachable);
    s.at("00:00", dials("4711#"))
        .then(takes_set_up() + is_routed() + ["S Record", INVITE]);
}

#[test]
fn a_fenced_owner_says_nothing_more() {
    let mut s = Scene::new();
    s.media_answers("Note", Outcome::Fenced);
    s.at("00:00", dials("4711#"))
        .then(takes_set_up() + is_routed() + ["! fenced"]);
    s.at("00:01", hangs_up()).then([]);
    assert_eq!(s.state.next_deadline(), None);
}

#[test]
fn every_record_goes_to_the_store_as_well_and_rises() {
    let mut s = talking();
    let _ = s.at("00:03", hangs_up());
    let records = s.actions.iter().filter_map(|action| match action {
        Action::Store(Store::Record { record, .. }) => Record::decode(record).ok(),
        _ => None,
    });
    let kept: Vec<(u32, String)> = records
        .map(|r| (r.sequence, format!("{:?}", r.milestone)))
        .collect();
    let wanted = ["SetupTaken", "Calling", "FirstTag", "Active"];
    assert_eq!(
        kept,
        (1..).zip(wanted.map(String::from)).collect::<Vec<_>>()
    );
}

#[test]
fn a_record_stays_below_its_limit_and_reads_back() {
    let s = talking();
    let last = s.actions.iter().rev().find_map(|action| match action {
        Action::Store(Store::Record { record, .. }) => Some(record.clone()),
        _ => None,
    });
    let last = last.expect("a record was kept");
    let record = Record::decode(&last).expect("it reads back");
    assert!(last.len() < 4096, "{} octets", last.len());
    assert_eq!(record.encode(), last);
    assert_eq!((record.cc.state, record.call.number.as_str()), (10, "4711"));
    assert!(
        record.sip.is_some_and(|sip| sip.dialog.is_some()),
        "the dialog is in it"
    );
}
