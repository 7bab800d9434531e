//! Calls that the handset places.

use ipdect_handset::Outcome;
use ipdect_tests::kit::handset::*;

use crate::ladders::*;

#[test]
fn a_call_dialled_digit_by_digit_is_answered_and_ended_by_the_handset() {
    let mut s = Scene::new();
    s.at("00:00", lifts())
        .then(takes_set_up() + ["M PlayTone Dial", "B {SetupAck progress=8}"]);
    s.at("00:01", presses("4")).then(["M StopTone"]);
    s.at("00:02", presses("711#")).then([
        "M OpenLeg sip",
        "B {CallProc}",
        "M Note [Calling]",
        "B NwkAck 3",
        INVITE,
    ]);
    s.at("00:03", peer_says(180)).then(hears_ring_back());
    s.at("00:07", peer_answers()).then(is_connected());
    s.at("01:06", hangs_up()).then(is_hung_up(["P BYE"], 4));
    s.at("01:11", clock()).then(["B ReleaseConnection"]);
    s.at("06:06", clock()).then(["= Inactive"]);
    s.at("11:06", clock()).then(["= Away"]);
}

#[test]
fn a_number_typed_before_goes_off_hook_needs_no_dial_tone() {
    let mut s = Scene::new();
    s.at("00:00", dials("4711")).then(takes_set_up());
    s.at("00:04", clock()).then(is_routed() + [INVITE]);
    s.at("00:06", peer_answers_secured()).then([
        "M ModifyLeg SendRecv srtp [Active]",
        "= InACall",
        "P ACK",
        "M Connect",
        "B {Connect}",
    ]);
    s.at("00:10", peer_hangs_up()).then(is_hung_up_by_peer());
    s.at("00:11", confirms_release()).then(is_confirmed(2));
}

#[test]
fn early_media_take_the_place_of_the_ring_back_tone() {
    let mut s = calling();
    s.at("00:01", peer_says_with_media(183)).then([
        "M Note [FirstTag]",
        "M ModifyLeg SendRecv",
        "M Connect",
        "B {Alerting progress=8}",
    ]);
    s.at("00:02", peer_says(180)).then([]);
    s.at("00:03", peer_says(200)).then([
        "M ModifyLeg SendRecv [Active]",
        "= InACall",
        "P ACK",
        "B {Connect}",
    ]);
}

#[test]
fn nothing_dialled_ends_the_call_after_cc_01() {
    let mut s = Scene::new();
    let _ = s.at("00:00", lifts());
    s.at("00:20", clock())
        .then(is_released([], "0d 'No number'", "nothing was dialled"));
    s.at("00:21", confirms_release()).then(is_confirmed(2));
}

#[test]
fn a_busy_peer_is_heard_for_20_s() {
    let mut s = calling();
    s.at("00:01", peer_says(486))
        .then(["P ACK", "M PlayTone Busy", "B {Info progress=8 'Busy'}"]);
    s.at("00:21", clock())
        .then(is_released([], "14", "refused: 486 Phrase"));
    s.at("00:22", confirms_release()).then(is_confirmed(2));
}

#[test]
fn on_hook_ends_the_busy_tone() {
    let mut s = calling();
    let _ = s.at("00:01", peer_says(404));
    s.at("00:03", hangs_up()).then(is_hung_up([], 2));
}

#[test]
fn the_user_gives_up_while_it_rings() {
    let mut s = hearing_ring_back();
    s.at("00:05", hangs_up()).then(is_hung_up(["P CANCEL"], 2));
    s.at("00:05", peer_says(487)).then(["P ACK"]);
}

#[test]
fn the_user_gives_up_while_dialling() {
    let mut s = Scene::new();
    let _ = s.at("00:00", lifts());
    s.at("00:05", hangs_up()).then(is_hung_up([], 2));
}

#[test]
fn nobody_answers_within_the_ring_limit() {
    let mut s = hearing_ring_back();
    s.at("03:00", clock()).then([
        "M Note [Ending]",
        "P CANCEL",
        "M PlayTone Congestion",
        "B {Info progress=8 'No answer'}",
    ]);
    s.at("03:00", peer_says(487)).then(["P ACK"]);
    s.at("03:20", clock())
        .then(is_released([], "0d", "no answer"));
}

#[test]
fn no_proxy_answers_at_all() {
    let mut s = Scene::new();
    s.peer_is_deaf();
    let _ = s.at("00:00", dials("4711#"));
    let repeated = s.wait(std::time::Duration::from_secs(5));
    let failed = ["M PlayTone Congestion", "B {Info progress=8 'No answer'}"];
    assert_eq!(
        repeated,
        [[INVITE; 3].as_slice(), &failed].concat(),
        "4 s, the client transaction timeout"
    );
}

#[test]
fn the_peer_takes_the_call_with_media_nobody_has() {
    let mut s = calling();
    s.at("00:01", peer_answers_uselessly()).then(
        Ladder::from(["P ACK"]) + is_released(["P BYE"], "05 'Not compatible'", "no common media"),
    );
}

#[test]
fn the_answer_crosses_the_hang_up() {
    let mut s = hearing_ring_back();
    let _ = s.at("00:05", hangs_up());
    s.at("00:05", peer_answers()).then(["P ACK", "P BYE"]);
}

#[test]
fn an_answer_told_twice_is_acknowledged_twice_and_connected_once() {
    let mut s = calling();
    let _ = s.at("00:01", peer_answers());
    s.at("00:02", peer_answers()).then(["P ACK"]);
}

#[test]
fn a_message_told_twice_by_the_base_station_is_only_acknowledged() {
    let mut s = Scene::new();
    let twice = repeats(|s| dials("4711#")(s));
    s.at("00:00", twice).then(goes_out() + ["B NwkAck 1"]);
}

#[test]
fn no_media_resource_has_room() {
    let mut s = Scene::new();
    s.media_answers("OpenSession", Outcome::NoResource);
    s.at("00:00", dials("4711#")).then([
        "B Bind",
        "M OpenSession [SetupTaken]",
        "B NwkAck 1",
        "B {ReleaseCom reason=32 'All lines busy'}",
        "S RemoveRecord",
        "! ended: no media resource had room",
        "= Available",
    ]);
    s.at("00:05", clock()).then(["B ReleaseConnection"]);
}

#[test]
fn the_sip_leg_finds_no_port() {
    let mut s = Scene::new();
    s.media_answers("OpenLeg sip", Outcome::NoResource);
    s.at("00:00", dials("4711#")).then(
        takes_set_up()
            + ["M OpenLeg sip"]
            + is_released([], "32 'All lines busy'", "no media resource had room"),
    );
}

#[test]
fn the_base_station_has_no_room_for_speech() {
    let mut s = Scene::new();
    s.media_answers("OpenSpeech", Outcome::NoResource);
    s.at("00:00", dials("4711#")).then(
        takes_set_up()
            + ["M OpenLeg sip"]
            + is_released(
                [],
                "33 'Radio busy'",
                "the base station did not open speech",
            ),
    );
}

#[test]
fn the_dial_plan_ends_dialling_at_once() {
    let mut p = profile();
    let mut settings = settings();
    settings.call.dial_plan = vec![ipdect_handset::DialRule {
        prefix: "4".into(),
        more: 3,
    }];
    p.settings = std::sync::Arc::new(settings);
    let mut s = Scene::of(p);
    s.at("00:00", dials("4711")).then(goes_out());
}

#[test]
fn a_handset_that_never_subscribed_gets_no_call() {
    let mut p = profile();
    p.handset.uak = None;
    let mut s = Scene::unknown(p);
    s.at("00:00", dials("4711#"))
        .then(["B Bind", "B {ReleaseCom reason=0a}", "B NwkAck 1"]);
    s.at("00:05", clock()).then(["B ReleaseConnection"]);
}
