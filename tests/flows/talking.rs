//! Calls that stand: keys, hold, both hanging up, the handset lost and found.

use ipdect_tests::kit::handset::*;

/// Brings a call to 4711 up to speech at 00:02.
fn talks(s: &mut Scene) {
    let _ = s.at("00:00", dials("4711#"));
    let _ = s.at("00:01", peer_says(180));
    let _ = s.at("00:02", peer_answers());
}

#[test]
fn keys_become_events_once() {
    let mut s = Scene::new();
    talks(&mut s);
    s.at("00:03", presses("12#")).then(["M SendDtmf 12# of 2", "B NwkAck 2"]);
    s.at("00:04", repeats(|s| presses("5")(s))).then(["M SendDtmf 5 of 3", "B NwkAck 3", "B NwkAck 3"]);
}

#[test]
fn the_peer_holds_and_resumes() {
    let mut s = Scene::new();
    talks(&mut s);
    s.at("00:05", peer_reinvites(2, "sendonly")).then([
        "M ModifyLeg RecvOnly [Changed]",
        "P 200 (INVITE)",
        "B {Info '4711            On hold'}",
    ]);
    s.at("00:05", peer_acks_change()).then(["M Note [Acknowledged]"]);
    s.at("00:10", peer_reinvites(3, "sendrecv")).then([
        "M ModifyLeg SendRecv [Changed]",
        "P 200 (INVITE)",
        "B {Info '4711'}",
    ]);
}

#[test]
fn a_refresh_with_the_same_media_changes_nothing() {
    let mut s = Scene::new();
    talks(&mut s);
    s.at("00:05", peer_reinvites(1, "sendrecv")).then(["P 200 (INVITE)"]);
}

#[test]
fn both_hang_up_at_once() {
    let mut s = Scene::new();
    talks(&mut s);
    s.at("00:05", peer_hangs_up()).then([
        "P 200 (BYE)",
        "M CloseSession [Ending]",
        "= Available",
        "B CloseSpeech",
        "B {Release reason=00}",
        "! ended: hung up by the peer",
    ]);
    s.at("00:05", hangs_up()).then(["S RemoveRecord", "B NwkAck 2"]);
}

#[test]
fn our_bye_crosses_that_of_the_peer() {
    let mut s = Scene::new();
    talks(&mut s);
    s.peer_is_deaf();
    let _ = s.at("00:05", hangs_up());
    s.at("00:05", peer_hangs_up()).then(["P 200 (BYE)"]);
}

#[test]
fn a_handset_that_confirms_no_release_is_let_go_after_cc_02() {
    let mut s = Scene::new();
    talks(&mut s);
    let _ = s.at("00:04", peer_hangs_up());
    s.at("00:40", clock()).then(["B {ReleaseCom reason=0d}", "S RemoveRecord"]);
    s.at("00:45", clock()).then(["B ReleaseConnection"]);
}

#[test]
fn a_handset_that_comes_back_to_another_base_resumes_its_call() {
    let mut s = Scene::new();
    talks(&mut s);
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
    s.at("00:30", hangs_up()).then([
        "M CloseSession [Ending]",
        "= Available",
        "P BYE",
        "B NwkAck 4",
        "B {ReleaseCom reason=00}",
        "B CloseSpeech",
        "S RemoveRecord",
        "! ended: hung up at the handset",
    ]);
}

#[test]
fn a_handset_that_does_not_come_back_loses_its_call_after_30_s() {
    let mut s = Scene::new();
    talks(&mut s);
    let _ = s.at("00:10", radio_breaks());
    let pages = s.wait(std::time::Duration::from_secs(29));
    assert_eq!(pages, ["B* Page", "B* Page", "B* Page", "B* Page", "B* CancelPage"]);
    s.at("00:40", clock()).then([
        "M CloseSession [Ending]",
        "= Available",
        "P BYE",
        "S RemoveRecord",
        "! ended: radio contact lost",
    ]);
}

#[test]
fn radio_lost_while_it_rings_refuses_the_call() {
    let mut s = Scene::new();
    let _ = s.at("00:00", peer_calls());
    let _ = s.at("00:01", answers_page());
    let _ = s.at("00:02", rings());
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
    s.at("00:00", presses("1")).then(["B Bind", "B NwkAck 1", "B {ReleaseCom reason=02}"]);
    s.at("00:05", clock()).then(["B ReleaseConnection"]);
}
