//! Calls that stand: keys, hold, both hanging up, the handset lost and found.

use ipdect_handset::{Action, Phase};
use ipdect_tests::kit::handset::*;

use crate::ladders::*;

#[test]
fn keys_become_events_once() {
    let mut s = talking();
    s.at("00:03", presses("12#"))
        .then(["M SendDtmf 12# of 2", "B NwkAck 2"]);
    s.at("00:04", repeats(|s| presses("5")(s))).then([
        "M SendDtmf 5 of 3",
        "B NwkAck 3",
        "B NwkAck 3",
    ]);
}

#[test]
fn the_peer_holds_and_resumes() {
    let mut s = talking();
    s.at("00:05", peer_reinvites(2, "sendonly")).then([
        "M ModifyLeg RecvOnly [Changed]",
        "P 200 (INVITE)",
        "B {Info '4711            On hold'}",
    ]);
    s.at("00:05", peer_acks_change())
        .then(["M Note [Acknowledged]"]);
    s.at("00:10", peer_reinvites(3, "sendrecv")).then([
        "M ModifyLeg SendRecv [Changed]",
        "P 200 (INVITE)",
        "B {Info '4711'}",
    ]);
}

#[test]
fn a_refresh_with_the_same_media_changes_nothing() {
    let mut s = talking();
    s.at("00:05", peer_reinvites(1, "sendrecv"))
        .then(["P 200 (INVITE)"]);
}

#[test]
fn both_hang_up_at_once() {
    let mut s = talking();
    s.at("00:05", peer_hangs_up()).then(is_hung_up_by_peer());
    s.at("00:05", hangs_up())
        .then(["S RemoveRecord", "B NwkAck 2"]);
}

#[test]
fn our_bye_crosses_that_of_the_peer() {
    let mut s = talking();
    s.peer_is_deaf();
    let _ = s.at("00:05", hangs_up());
    s.at("00:05", peer_hangs_up()).then(["P 200 (BYE)"]);
}

#[test]
fn a_handset_that_confirms_no_release_is_let_go_after_cc_02() {
    let mut s = talking();
    let _ = s.at("00:04", peer_hangs_up());
    s.at("00:40", clock())
        .then(["B {ReleaseCom reason=0d}", "S RemoveRecord"]);
    s.at("00:45", clock()).then(["B ReleaseConnection"]);
}

#[test]
fn a_handset_that_comes_back_to_another_base_resumes_its_call() {
    let mut s = talking();
    s.at("00:10", radio_breaks()).then([]);
    s.at("00:20", clock()).then(["B* Page"]);
    s.at("00:21", answers_page()).then([
        "B Bind",
        "S Presence",
        "B* CancelPage",
        "B {Setup '4711            call resumes' signal=40 number=4711}",
        "B NwkAck 1",
    ]);
    s.at("00:22", rings()).then(["B NwkAck 2"]);
    s.at("00:23", takes_call()).then([
        "M AddPath 2",
        "B OpenSpeech",
        "M DropPath 1",
        "M Note [Changed]",
        "B {ConnectAck}",
        "B NwkAck 3",
    ]);
    s.at("00:30", hangs_up()).then(is_hung_up(["P BYE"], 4));
}

#[test]
fn a_handset_that_does_not_come_back_loses_its_call_after_30_s() {
    let mut s = talking();
    let _ = s.at("00:10", radio_breaks());
    let pages = s.wait(std::time::Duration::from_secs(29));
    assert_eq!(
        pages,
        ["B* Page", "B* Page", "B* Page", "B* Page", "B* CancelPage"]
    );
    s.at("00:40", clock()).then(is_lost());
}

#[test]
fn radio_lost_while_it_rings_refuses_the_call() {
    let mut s = ringing();
    s.at("00:03", radio_breaks()).then([
        "M CloseSession [Ending]",
        "P 480 (INVITE)",
        "S RemoveRecord",
        "! ended: radio contact lost",
    ]);
}

#[test]
fn a_message_of_no_call_is_completed_with_unknown_transaction() {
    let mut s = Scene::new();
    s.at("00:00", presses("1"))
        .then(["B Bind", "B NwkAck 1", "B {ReleaseCom reason=02}"]);
    s.at("00:05", clock()).then(["B ReleaseConnection"]);
}

#[test]
fn the_display_is_written_once_a_second_at_most() {
    let mut s = talking();
    let _ = s.at("00:05", peer_reinvites(2, "sendonly"));
    let _ = s.at("00:05", peer_acks_change());
    s.at("00:05.2", peer_reinvites(3, "sendrecv"))
        .then(["M ModifyLeg SendRecv [Changed]", "P 200 (INVITE)"]);
    s.at("00:05.2", peer_acks_change())
        .then(["M Note [Acknowledged]"]);
    s.at("00:06", clock()).then(["B {Info '4711'}"]);
}

#[test]
fn the_ladder_shows_each_message_and_order_but_no_key() {
    let s = calling();
    let entries = s.actions.iter().filter_map(|action| match action {
        Action::Ladder(entry) => Some(entry),
        _ => None,
    });
    let entries: Vec<_> = entries.collect();
    let lines: Vec<String> = entries
        .iter()
        .map(|e| format!("{:?} {:?} {}", e.layer, e.way, e.summary))
        .collect();
    let wanted = [
        "Nwk In {CC-SETUP}",
        "Media Out OpenSession",
        "Media In SessionOpened media-1",
        "Media Out OpenLeg Base",
        "Media In LegOpened 1 192.0.2.40:24576",
        "Media Out OpenLeg Sip",
        "Media In LegOpened 2 192.0.2.40:16384",
        "Nwk Out {CC-CALL-PROC}",
        "Media Out Note",
        "Sip Out INVITE",
        "Sip In 100 Trying (INVITE)",
    ];
    assert_eq!(lines, wanted);
    let invite = &entries[9].raw;
    assert!(
        invite.contains("a=crypto:1") && invite.contains("inline:(redacted)"),
        "{invite}"
    );
    assert!(!format!("{:?}", s.actions).contains("inline:WV"));
}

#[test]
fn live_views_see_the_call() {
    let mut s = calling();
    let _ = s.at("00:02", peer_answers_secured());
    let view = s.state.status().call.clone().expect("there is a call");
    assert_eq!(
        (view.party.as_str(), view.phase, view.codec.as_deref()),
        ("4711", Phase::InCall, Some("PCMA"))
    );
    assert_eq!((view.session, view.sip_srtp), (Some(s.session()), true));
}

#[test]
fn live_views_see_who_calls_and_under_which_call_id() {
    let s = ringing();
    let view = s.state.status().call.clone().expect("there is a call");
    let invite = s.peer_invite.as_ref().expect("the peer called");
    assert_eq!(
        (view.party.as_str(), view.party_name.as_str()),
        ("sip:1002@example.com", "Bob")
    );
    assert_eq!(
        view.sip_call_id.as_deref(),
        invite.call_id().ok(),
        "both ends of a call through a proxy have this in common"
    );
}
