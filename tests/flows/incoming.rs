//! Calls that come in.

use ipdect_handset::Outcome;
use ipdect_tests::kit::handset::*;

use crate::ladders::*;

#[test]
fn a_call_is_answered_and_ended_by_the_peer() {
    let mut s = Scene::new();
    s.at("00:00", peer_calls())
        .then(["P 100 (INVITE)", "M OpenSession [InviteTaken]", "B* Page"]);
    s.at("00:01", answers_page()).then(is_set_up_for_bob());
    s.at("00:02", rings())
        .then(is_alerting() + ["M ModifyLeg SendRecv"]);
    s.at("00:05", takes_call()).then(is_taken(3));
    s.at("00:05", peer_acks()).then(["M Note [Acknowledged]"]);
    s.at("01:05", peer_hangs_up()).then(is_hung_up_by_peer());
    s.at("01:06", confirms_release()).then(is_confirmed(4));
    s.at("01:11", clock()).then(["B ReleaseConnection"]);
}

#[test]
fn a_call_without_offer_gets_ours_and_brings_its_answer_in_the_ack() {
    let mut s = Scene::new();
    let _ = s.at("00:00", peer_calls_without_offer());
    let _ = s.at("00:01", answers_page());
    s.at("00:02", rings()).then(is_alerting());
    s.at("00:05", takes_call()).then(is_taken(3));
}

#[test]
fn a_handset_that_answers_by_itself_need_not_ring() {
    let mut s = found();
    s.at("00:02", takes_call()).then(
        Ladder::from([
            "M OpenLeg base",
            "M OpenLeg sip",
            "B OpenSpeech",
            "M ModifyLeg SendRecv",
        ]) + is_taken(2),
    );
}

#[test]
fn a_second_call_finds_the_handset_busy() {
    let mut s = ringing();
    s.at("00:03", peer_calls())
        .then(["P 100 (INVITE)", "P 486 (INVITE)"]);
}

#[test]
fn a_handset_that_is_not_there_is_paged_four_times() {
    let mut s = Scene::new();
    let _ = s.at("00:00", peer_calls());
    s.at("00:03", clock()).then(["B* Page"]);
    s.at("00:06", clock()).then(["B* Page"]);
    s.at("00:09", clock()).then(["B* Page"]);
    s.at("00:12", clock()).then([
        "B* CancelPage",
        MISSED,
        "M CloseSession [Ending]",
        "P 480 (INVITE)",
        "S RemoveRecord",
        "! ended: the handset was not found",
    ]);
}

#[test]
fn the_caller_gives_up_while_the_handset_is_paged() {
    let mut s = Scene::new();
    let _ = s.at("00:00", peer_calls());
    s.at("00:02", peer_cancels()).then([
        "P 200 (CANCEL)",
        MISSED,
        "B* CancelPage",
        "M CloseSession [Ending]",
        "P 487 (INVITE)",
        "S RemoveRecord",
        "! ended: the caller gave up",
    ]);
    s.at("00:02.5", answers_page())
        .then(["B Bind", "B {PageReject reject=22}", "B NwkAck 1"]);
}

#[test]
fn the_caller_gives_up_while_it_rings() {
    let mut s = ringing();
    s.at("00:06", peer_cancels()).then(
        Ladder::from(["P 200 (CANCEL)", MISSED]) + is_given_up(487, "00", "the caller gave up"),
    );
    s.at("00:07", confirms_release()).then(is_confirmed(3));
}

#[test]
fn another_phone_takes_the_call() {
    let mut s = ringing();
    s.at("00:06", taken_elsewhere()).then(
        Ladder::from(["P 200 (CANCEL)"])
            + is_given_up(
                487,
                "00 'Answered elsewhe'",
                "answered by another phone of the user",
            ),
    );
}

#[test]
fn the_user_declines() {
    let mut s = ringing();
    s.at("00:06", hangs_up()).then([
        "M CloseSession [Ending]",
        "P 480 (INVITE)",
        "B NwkAck 3",
        "B {ReleaseCom reason=00}",
        "B CloseSpeech",
        "S RemoveRecord",
        "! ended: hung up at the handset",
    ]);
}

#[test]
fn the_handset_does_not_answer_its_set_up() {
    let mut s = found();
    s.at("00:21", clock()).then([
        MISSED,
        "M CloseSession [Ending]",
        "P 480 (INVITE)",
        "B {Release reason=0d}",
        "! ended: nobody answered",
    ]);
    s.at("00:57", clock())
        .then(["B {ReleaseCom reason=0d}", "S RemoveRecord"]);
}

#[test]
fn nobody_answers_within_the_ring_limit() {
    let mut s = ringing();
    let provisional = s.wait(std::time::Duration::from_secs(179));
    assert_eq!(
        provisional,
        ["P 180 (INVITE)", "P 180 (INVITE)"],
        "repeated each minute, RFC 3261 section 13.3.1.1"
    );
    s.at("03:02", clock())
        .then(Ladder::from([MISSED]) + is_given_up(480, "0d", "nobody answered"));
}

#[test]
fn no_media_resource_has_room() {
    let mut s = Scene::new();
    s.media_answers("OpenSession", Outcome::NoResource);
    s.at("00:00", peer_calls()).then([
        "P 100 (INVITE)",
        "M OpenSession [InviteTaken]",
        "P 480 (INVITE) Warning 370",
        "S RemoveRecord",
        "! ended: no media resource had room",
    ]);
}

#[test]
fn a_repeated_invite_rings_once() {
    let mut s = ringing();
    s.at("00:03", peer_repeats_invite())
        .then(["P 180 (INVITE)"]);
}

#[test]
fn a_lost_200_is_sent_again_until_the_ack_comes() {
    let mut s = ringing();
    let _ = s.at("00:05", takes_call());
    s.at("00:05.5", clock()).then(["P 200 (INVITE)"]);
    s.at("00:06", peer_acks()).then(["M Note [Acknowledged]"]);
}

#[test]
fn without_ack_the_call_ends_after_32_s() {
    let mut s = ringing();
    let _ = s.at("00:05", takes_call());
    let mut lines = s.wait(std::time::Duration::from_secs(33));
    lines.retain(|line| line != "P 200 (INVITE)");
    let why = "the peer did not acknowledge our answer";
    assert_eq!(Ladder(lines), is_released(["P BYE"], "34 'Call lost'", why));
}

#[test]
fn going_off_hook_while_paged_beats_the_call_that_comes_in() {
    let mut s = Scene::new();
    let _ = s.at("00:00", peer_calls());
    s.at("00:01", dials("4711#")).then(
        Ladder::from(["B Bind", "B* CancelPage"])
            + gives_way(["B NwkAck 1"])
            + is_routed()
            + [INVITE],
    );
}

#[test]
fn set_ups_that_cross_leave_the_handsets_own() {
    let mut s = found();
    s.at("00:01", dials("4711#"))
        .then(gives_way(["B NwkAck 2", "B {ReleaseCom reason=0c}"]) + is_routed() + [INVITE]);
}

#[test]
fn a_caller_with_an_address_over_64_letters_shows_only_24_of_the_name() {
    let mut s = Scene::new();
    let long = format!("sip:{}@example.com", "b".repeat(60));
    let mut call = peer_calls()(&mut s);
    if let Some(ipdect_handset::Event::Sip { message, .. }) = call.first() {
        let text = String::from_utf8_lossy(message.bytes()).into_owned();
        let name = "Maximilian Alexander von Hohenfels";
        call = vec![Scene::sip(text.replace(
            "\"Bob\" <sip:1002@example.com>",
            &format!("\"{name}\" <{long}>"),
        ))];
    }
    let _ = s.at("00:00", Box::new(move |_| call));
    s.at("00:01", answers_page()).then([
        "B Bind",
        "B* CancelPage",
        "B {Setup 'Maximilian Alexa' signal=40 name='Maximilian Alexander von'}",
        "B NwkAck 1",
    ]);
    s.at("00:02", peer_cancels()).then([
        "P 200 (CANCEL)",
        "! missed - 'Maximilian Alexander von'",
        "M CloseSession [Ending]",
        "P 487 (INVITE)",
        "B {Release reason=00}",
        "! ended: the caller gave up",
    ]);
}

#[test]
fn the_ringer_follows_alert_info() {
    let mut s = Scene::new();
    let _ = s.at(
        "00:00",
        peer_calls_with("Alert-Info: <http://127.0.0.1/Bellcore-dr3>\r\n"),
    );
    s.at("00:01", answers_page()).then([
        "B Bind",
        "B* CancelPage",
        "B {Setup 'Bob' signal=43 number=1002 name='Bob'}",
        "B NwkAck 1",
    ]);
}

#[test]
fn an_offer_with_nothing_we_have_is_refused_at_once() {
    let mut s = Scene::new();
    let video = "v=0\r\no=- 1 1 IN IP4 192.0.2.60\r\ns=-\r\nc=IN IP4 192.0.2.60\r\nt=0 0\r\nm=audio 30000 RTP/AVP 9\r\n";
    s.at("00:00", Box::new(move |s| vec![s.invite("", Some(video))]))
        .then(["P 100 (INVITE)", "P 488 (INVITE)"]);
}
