//! The next owner of a handset, phase by phase: it has the last record, what the base station holds, and nothing else.

use ipdect_handset::{Action, Event, Media, PresenceRow, Record, State, Store};
use ipdect_tests::kit::handset::*;

use crate::ladders::*;

/// The handset of the last record that `s` kept, at the next owner.
fn inherited(s: &Scene) -> Scene {
    let last = s.actions.iter().rev().find_map(record);
    let mut profile = profile();
    profile.generation = 2;
    let mut next = Scene::unknown(profile.clone());
    next.state = State::restore(profile, last.expect("a record was kept"));
    next.goes_on_from(s);
    next
}

/// The record that an action brings to the media session or to the store.
fn record(action: &Action) -> Option<Record> {
    let octets = match action {
        Action::Store(Store::Record { record, .. })
        | Action::Media(Media::CloseSession { record, .. } | Media::Note { record, .. }) => record,
        Action::Media(Media::ModifyLeg { record, .. }) => record.as_ref()?,
        _ => return None,
    };
    Record::decode(octets).ok()
}

/// What the store knew of the handset.
fn tells_presence() -> Happening {
    let location = Some((base("base-1"), 3));
    Box::new(|_| {
        vec![Event::Restored(PresenceRow {
            location,
            ..PresenceRow::default()
        })]
    })
}

/// What the next owner says first. Then the registrar takes its registration.
fn first_words(next: &mut Scene) -> Ladder {
    let lines = next.at("00:00", tells_presence()).lines();
    let taken = next.response_to("REGISTER", 200, "OK", None);
    let _ = next.run(taken);
    Ladder(lines)
}

#[test]
fn a_call_that_stands_goes_on() {
    let mut next = inherited(&talking());
    let wanted = [
        "P ACK",
        "P INVITE sip:peer@192.0.2.60:5060",
        "P REGISTER",
        "= InACall",
    ];
    assert_eq!(first_words(&mut next), wanted.into());
    next.at("00:00", base_back(true, 3)).then(["B Adopt"]);
    next.at("00:00", peer_hangs_up()).then(is_hung_up_by_peer());
}

#[test]
fn the_user_who_hung_up_meanwhile_is_heard() {
    let mut next = inherited(&talking());
    let _ = first_words(&mut next);
    let back = base_back_with(true, 3, vec![hangs_up()]);
    next.at("00:00", back)
        .then(Ladder::from(["B Adopt"]) + is_hung_up(["P BYE"], 2));
}

#[test]
fn a_number_that_was_being_dialled_is_dialled_on() {
    let mut s = Scene::new();
    let _ = s.at("00:00", dials("47"));
    let mut next = inherited(&s);
    let wanted = [
        "M CloseSession [Moved]",
        "M OpenSession [SetupTaken]",
        "P REGISTER",
    ];
    assert_eq!(first_words(&mut next), wanted.into());
    // The base station was told of no key that is in no record.
    let back = base_back_with(false, 0, vec![presses("11#")]);
    next.at("00:00", back).then(
        Ladder::from(["B Adopt", "M OpenLeg base", "B OpenSpeech"])
            + [
                "M OpenLeg sip",
                "B {CallProc}",
                "M Note [Calling]",
                "B NwkAck 2",
                INVITE,
            ],
    );
}

#[test]
fn a_call_that_was_on_its_way_is_given_up_and_made_anew() {
    let mut next = inherited(&hearing_ring_back());
    let wanted = [
        "M Note [Calling]",
        "P CANCEL",
        "M CloseSession [Moved]",
        "M OpenSession [SetupTaken]",
        "P REGISTER",
    ];
    assert_eq!(first_words(&mut next), wanted.into());
    next.at("00:00", base_back(true, 3)).then(
        Ladder::from(["B Adopt", "B CloseSpeech", "M OpenLeg base", "B OpenSpeech"])
            + is_routed()
            + [INVITE],
    );
    next.at("00:01", peer_says(180)).then(hears_ring_back());
    next.at("00:02", peer_answers()).then(is_connected());
}

#[test]
fn a_handset_that_was_looked_for_is_looked_for_again() {
    let mut s = Scene::new();
    let _ = s.at("00:00", peer_calls());
    let mut next = inherited(&s);
    let wanted = [
        "M CloseSession [Moved]",
        "M OpenSession [InviteTaken]",
        "P REGISTER",
        "B* Page",
    ];
    assert_eq!(first_words(&mut next), wanted.into());
    next.at("00:01", answers_page()).then(is_set_up_for_bob());
    next.at("00:02", rings())
        .then(is_alerting() + ["M ModifyLeg SendRecv"]);
    next.at("00:05", takes_call()).then(is_taken(3));
}

#[test]
fn a_handset_that_was_found_already_is_not_looked_for() {
    let s = found();
    let mut next = inherited(&s);
    let _ = first_words(&mut next);
    let back = base_back_with(false, 1, vec![rings()]);
    next.at("00:00", back).then(
        Ladder::from(["B Adopt", "B* CancelPage"]) + is_alerting() + ["M ModifyLeg SendRecv"],
    );
    next.at("00:05", takes_call()).then(is_taken(3));
}

#[test]
fn a_handset_that_rang_rings_on() {
    let mut next = inherited(&ringing());
    let wanted = [
        "M CloseSession [Moved]",
        "M OpenSession [Alerting]",
        "P 180 (INVITE)",
        "P REGISTER",
    ];
    assert_eq!(first_words(&mut next), wanted.into());
    next.at("00:00", base_back(false, 1)).then([
        "B Adopt",
        "M OpenLeg base",
        "M OpenLeg sip",
        "B OpenSpeech",
        "M ModifyLeg SendRecv",
    ]);
    next.at("00:05", takes_call()).then(is_taken(3));
    next.at("00:05", peer_acks())
        .then(["M Note [Acknowledged]"]);
}

#[test]
fn an_answer_that_nobody_recorded_is_given() {
    let mut next = inherited(&ringing());
    let _ = first_words(&mut next);
    let back = base_back_with(false, 1, vec![takes_call()]);
    next.at("00:00", back).then(
        Ladder::from([
            "B Adopt",
            "M OpenLeg base",
            "M OpenLeg sip",
            "B OpenSpeech",
            "M ModifyLeg SendRecv",
        ]) + is_taken(3),
    );
}

#[test]
fn a_caller_who_gives_up_is_heard_by_the_next_owner() {
    let mut next = inherited(&ringing());
    let _ = first_words(&mut next);
    let _ = next.at("00:00", base_back(false, 1));
    next.at("00:01", peer_cancels()).then(
        Ladder::from(["P 200 (CANCEL)", MISSED]) + is_given_up(487, "00", "the caller gave up"),
    );
}

#[test]
fn a_change_of_the_peer_that_was_open_is_answered() {
    let mut s = talking();
    s.holds("ModifyLeg");
    let _ = s.at("00:05", peer_reinvites(2, "inactive"));
    let mut next = inherited(&s);
    next.at("00:00", tells_presence())
        .then(["P 200 (INVITE)", "P REGISTER", "= InACall"]);
}

#[test]
fn a_move_to_another_media_resource_that_was_open_is_offered_again() {
    let mut s = talking();
    let _ = s.at("00:05", media_dies());
    let mut next = inherited(&s);
    let wanted = [
        "M Note [Changed]",
        "= InACall",
        "P INVITE sip:peer@192.0.2.60:5060",
        "P REGISTER",
    ];
    assert_eq!(first_words(&mut next), wanted.into());
}

#[test]
fn a_call_that_was_being_ended_is_ended() {
    let mut s = talking();
    s.holds("CloseSession");
    let _ = s.at("00:05", hangs_up());
    let mut next = inherited(&s);
    let wanted = [
        "M CloseSession [Ending]",
        "= Available",
        "P BYE",
        "! ended: the server was lost while the call was being ended",
        "P REGISTER",
    ];
    assert_eq!(first_words(&mut next), wanted.into());
}
