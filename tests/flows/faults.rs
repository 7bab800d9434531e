//! Devices that are lost, and come back or not.

use ipdect_handset::Outcome;
use ipdect_tests::kit::handset::*;

use crate::ladders::*;

#[test]
fn a_call_lives_on_while_its_base_station_has_no_server() {
    let mut s = talking();
    s.at("00:05", base_lost()).then([]);
    s.at("00:30", base_back(true, 3)).then(["B Adopt"]);
    s.at("00:31", hangs_up()).then(is_hung_up(["P BYE"], 2));
}

#[test]
fn a_release_waits_for_the_base_station() {
    let mut s = talking();
    let _ = s.at("00:05", base_lost());
    s.at("00:06", peer_hangs_up()).then([
        "P 200 (BYE)",
        "M CloseSession [Ending]",
        "= Available",
        "! ended: hung up by the peer",
    ]);
    s.at("00:10", base_back(true, 3))
        .then(["B Adopt", "B {Release reason=00}", "B CloseSpeech"]);
    s.at("00:10", confirms_release()).then(is_confirmed(2));
}

#[test]
fn what_the_base_station_took_is_not_sent_again() {
    let mut s = Scene::new();
    s.media_answers("SendNwk", Outcome::Unreachable);
    let _ = s.at("00:00", lifts());
    let _ = s.at("00:01", base_lost());
    s.at("00:02", base_back(true, 1)).then(["B Adopt"]);
}

#[test]
fn what_the_base_station_did_not_take_is_sent_again() {
    let mut s = Scene::new();
    s.media_answers("SendNwk", Outcome::Unreachable);
    let _ = s.at("00:00", lifts());
    let _ = s.at("00:01", base_lost());
    s.at("00:02", base_back(true, 0))
        .then(["B Adopt", "B {SetupAck progress=8}"]);
}

#[test]
fn a_base_station_started_anew_has_lost_the_handset() {
    let mut s = talking();
    let _ = s.at("00:05", base_lost());
    s.at("00:06", base_restarts()).then([]);
    let _ = s.wait(std::time::Duration::from_secs(29));
    s.at("00:36", clock()).then(is_lost());
}

#[test]
fn a_base_station_without_link_and_speech_is_gone_and_the_handset_looked_for_elsewhere() {
    let mut s = talking();
    let _ = s.at("00:05", base_lost());
    s.at("00:15", silence_of_the_base(10)).then([]);
    s.at("00:25", clock()).then(["B* Page"]);
}

#[test]
fn a_base_station_that_has_a_link_is_not_gone_though_it_is_silent() {
    let mut s = talking();
    s.at("00:15", silence_of_the_base(10)).then([]);
    assert!(s.wait(std::time::Duration::from_secs(40)).is_empty());
}

#[test]
fn no_speech_from_the_peer_for_30_s_ends_the_call() {
    let mut s = talking();
    s.at("00:20", silence(10)).then([]);
    s.at("00:40", silence(30)).then(is_released(
        ["P BYE"],
        "34 'Speech lost'",
        "no speech from the peer",
    ));
}

#[test]
fn silence_of_a_peer_that_holds_is_no_fault() {
    let mut s = talking();
    let _ = s.at("00:05", peer_reinvites(2, "inactive"));
    let _ = s.at("00:05", peer_acks_change());
    s.at("00:40", silence(30)).then([]);
}

#[test]
fn another_media_resource_takes_over_by_reinvite() {
    let mut s = talking();
    s.at("00:05", media_dies()).then([
        "M OpenSession [Moved]",
        "M OpenLeg base",
        "M OpenLeg sip",
        "B OpenSpeech",
        "M Connect",
        "M Note [Moved]",
        "P INVITE sip:peer@192.0.2.60:5060",
    ]);
    s.at("00:05", peer_answers())
        .then(["M ModifyLeg SendRecv [Changed]", "P ACK"]);
}

#[test]
fn a_call_going_out_ends_with_its_media_resource() {
    let mut s = hearing_ring_back();
    s.at("00:02", media_dies()).then([
        "P CANCEL",
        "B CloseSpeech",
        "B {Release reason=34 'Network error'}",
        "! ended: the media resource was lost",
        "= Available",
    ]);
}

#[test]
fn an_ssrc_in_use_is_drawn_anew() {
    let mut s = Scene::new();
    s.holds("OpenSpeech");
    let _ = s.at("00:00", lifts());
    s.at("00:01", lets_go_with(Outcome::Conflict)).then([
        "M AddPath 2",
        "B OpenSpeech",
        "M DropPath 1",
    ]);
}

#[test]
fn a_connection_that_the_base_station_does_not_know_is_gone() {
    let mut s = Scene::new();
    s.media_answers("SendNwk", Outcome::UnknownTarget);
    s.at("00:00", lifts()).then(
        takes_set_up()
            + [
                "M PlayTone Dial",
                "B {SetupAck progress=8}",
                "M CloseSession [Ending]",
                "= Available",
                "S RemoveRecord",
                "! ended: radio contact lost",
            ],
    );
}
