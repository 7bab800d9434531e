//! Subscription, location, registration.

use ipdect_dect::nwk::ie::{ModelIdentifier, TerminalCapability};
use ipdect_dect::nwk::mm::{PortableSubscription, PortableSubscriptionAction};
use ipdect_handset::{Event, Outcome, Profile, Registration};
use ipdect_sip::transaction::{Flow, Transport};
use ipdect_tests::kit::handset::*;

use crate::ladders::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A handset that has not subscribed.
fn stranger() -> Profile {
    let mut profile = profile();
    profile.handset.uak = None;
    profile.handset.tpui = None;
    profile
}

/// Subscribes with this access code, as a handset does; all that was said.
fn subscribes(s: &mut Scene, code: &str) -> Vec<String> {
    let now = std::time::Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let code = code.parse().expect("digits");
    let terminal = TerminalCapability::gap(false, 2, 16);
    let (mut portable, request) = PortableSubscription::start(
        now,
        ipei(),
        code,
        terminal,
        ModelIdentifier {
            emc: 0xFFFF,
            model: 1,
        },
    );
    let mut lines = s.at("00:00", sends(request)).lines();
    let mut read = 0;
    while let Some(message) = s.shown.get(read).cloned() {
        read += 1;
        for action in portable.received(&mut rng, &message) {
            if let PortableSubscriptionAction::Send(answer) = action {
                lines.extend(s.at("00:00", sends(answer)).lines());
            }
        }
    }
    lines
}

/// What is said to a handset that may not even try.
fn refused(why: &str) -> Vec<String> {
    let told = format!("! subscription of 65535 0000001 3 rejected, code right None: {why}");
    [
        "B Bind",
        "B {AccessRightsReject reject=05}",
        &told,
        "B NwkAck 1",
    ]
    .map(String::from)
    .to_vec()
}

#[test]
fn the_users_access_code_subscribes_and_the_key_is_stored_before_it_is_told() {
    let mut s = Scene::unknown(stranger());
    let wanted = [
        "B Bind",
        "B {KeyAllocate}",
        "B NwkAck 1",
        "B {AuthReply}",
        "S Handset",
        "B NwkAck 2",
        "B {AccessRightsAccept}",
        "! subscription of 65535 0000001 3 accepted, code right Some(true): subscribed",
    ];
    assert_eq!(subscribes(&mut s, CODE), wanted);
    assert!(s.state.status().subscribed);
}

#[test]
fn the_systems_access_code_serves_a_user_without_one() {
    let mut profile = stranger();
    profile.user.as_mut().expect("a user").access_code = Default::default();
    let mut s = Scene::unknown(profile);
    let lines = subscribes(&mut s, "9876");
    let accepted = "! subscription of 65535 0000001 3 accepted, code right Some(true): subscribed";
    assert_eq!(lines.last().map(String::as_str), Some(accepted));
    assert!(s.state.status().subscribed);
}

#[test]
fn a_wrong_access_code_is_told_to_handset_and_operator() {
    let mut s = Scene::unknown(stranger());
    let wanted = [
        "B Bind",
        "B {KeyAllocate}",
        "B NwkAck 1",
        "B {AuthReject reject=10}",
        "B {AccessRightsReject reject=10}",
        "! subscription of 65535 0000001 3 rejected, code right Some(false): wrong access code",
        "B NwkAck 2",
    ];
    assert_eq!(subscribes(&mut s, "4321"), wanted);
}

#[test]
fn a_key_that_cannot_be_stored_subscribes_nobody() {
    let mut s = Scene::unknown(stranger());
    s.media_answers("Handset", Outcome::Unreachable);
    let lines = subscribes(&mut s, CODE);
    let wanted = [
        "B NwkAck 2",
        "B {AccessRightsReject reject=2f}",
        "! subscription of 65535 0000001 3 rejected, code right Some(true): its key could not be stored",
    ];
    assert_eq!(lines[lines.len() - 3..], wanted);
    assert!(!s.state.status().subscribed);
}

#[test]
fn an_unknown_handset_is_listed_and_refused() {
    let mut profile = stranger();
    profile.user = None;
    let mut s = Scene::unknown(profile);
    assert_eq!(subscribes(&mut s, CODE), refused("no user has this IPEI"));
}

#[test]
fn subscription_that_is_not_open_is_refused() {
    let mut s = Scene::unknown(stranger());
    let _ = s.run(Event::SubscriptionOpen(false));
    assert_eq!(
        subscribes(&mut s, CODE),
        refused("subscription is not open")
    );
}

#[test]
fn a_handset_that_proves_itself_is_located_and_registered() {
    let mut profile = profile();
    profile.handset.tpui = None;
    let mut s = Scene::unknown(profile);
    s.at("00:00", locates()).then([
        "B Bind",
        "S ClaimTpui",
        "B NwkAck 1",
        "S Handset",
        "B {AuthRequest}",
    ]);
    s.at("00:01", proves_itself())
        .then(["B {LocateAccept}", "B NwkAck 2"]);
    s.at("00:02", takes_identity())
        .then(["S Presence", "P REGISTER", "B NwkAck 3"]);
    s.at("00:02", peer_answers_to("REGISTER", 200))
        .then(["! registered sip:1001@example.com", "S Presence"]);
    s.at("00:07", clock()).then(["B ReleaseConnection"]);
}

#[test]
fn a_temporary_identity_that_is_taken_is_drawn_anew() {
    let mut profile = profile();
    profile.handset.tpui = None;
    let mut s = Scene::unknown(profile);
    s.holds("ClaimTpui");
    s.at("00:00", locates())
        .then(["B Bind", "S ClaimTpui", "B NwkAck 1"]);
    s.at("00:01", lets_go_with(Outcome::Conflict)).then([
        "S ClaimTpui",
        "S Handset",
        "B {AuthRequest}",
    ]);
}

#[test]
fn a_handset_with_another_key_is_not_located() {
    let mut s = Scene::unknown(profile());
    s.at("00:00", locates())
        .then(["B Bind", "B {AuthRequest}", "B NwkAck 1"]);
    s.at("00:01", authenticates([9; 16])).then([
        "B {LocateReject reject=10}",
        "! location failed: authentication failed",
        "B NwkAck 2",
    ]);
    s.at("00:06", clock()).then(["B ReleaseConnection"]);
}

#[test]
fn a_handset_that_does_not_answer_the_authentication_is_asked_once_more() {
    let mut s = Scene::unknown(profile());
    let _ = s.at("00:00", locates());
    s.at("00:10", clock()).then(["B {AuthRequest}"]);
    s.at("00:20", clock()).then([
        "B {LocateReject reject=70}",
        "! location failed: timer expiry",
    ]);
}

#[test]
fn a_registration_that_fails_is_told_and_tried_again() {
    let mut s = located(profile());
    s.at("00:01", peer_answers_to("REGISTER", 403))
        .then(["! not registered (Some(403)): the registrar forbids this user to register"]);
    assert!(matches!(
        s.state.status().registration,
        Registration::Failed {
            status: Some(403),
            ..
        }
    ));
    let mut waited = 0;
    while s.wait(std::time::Duration::from_secs(1)) != ["P REGISTER"] {
        waited += 1;
    }
    assert!((60..=300).contains(&waited), "tried again after {waited} s");
    let again = peer_answers_to("REGISTER", 200)(&mut s);
    let lines: Vec<String> = again.into_iter().flat_map(|event| s.run(event)).collect();
    assert_eq!(lines, ["! registered sip:1001@example.com", "S Presence"]);
}

#[test]
fn a_challenge_is_answered_with_the_users_password() {
    let mut profile = profile();
    let user = profile.user.as_mut().expect("a user");
    user.auth_password = ipdect_handset::Secret("secret".into());
    let mut s = located(profile);
    s.at("00:01", peer_answers_to("REGISTER", 401))
        .then(["P REGISTER"]);
    assert!(s.request("REGISTER").header("Authorization").is_some());
    s.at("00:01", peer_answers_to("REGISTER", 200))
        .then(["! registered sip:1001@example.com", "S Presence"]);
}

#[test]
fn a_handset_switched_off_is_registered_no_longer() {
    let mut s = Scene::new();
    s.at("00:00", switches_off())
        .then(["B Bind", "S Presence", "P REGISTER", "B NwkAck 1"]);
    s.at("00:00", peer_answers_to("REGISTER", 200)).then([]);
    s.at("00:01", peer_calls())
        .then(["P 100 (INVITE)", "P 480 (INVITE)"]);
}

#[test]
fn a_handset_switched_off_in_a_call_ends_it() {
    let mut s = calling();
    let _ = s.at("00:01", peer_answers());
    s.at("00:05", switches_off()).then([
        "M CloseSession [Ending]",
        "= Available",
        "P BYE",
        "B NwkAck 2",
        "B CloseSpeech",
        "S RemoveRecord",
        "! ended: the handset was switched off",
        "S Presence",
        "P REGISTER",
    ]);
}

#[test]
fn octets_that_are_no_message_are_acknowledged_and_counted() {
    let mut s = Scene::new();
    s.at("00:00", mumbles(&[0x03]))
        .then(["B Bind", "! unreadable NWK message", "B NwkAck 1"]);
}

#[test]
fn a_drain_ends_call_and_registration() {
    let mut s = calling();
    let _ = s.at("00:01", peer_answers());
    s.at("00:05", Box::new(|_| vec![Event::Shutdown])).then([
        "M CloseSession [Ending]",
        "= Available",
        "P BYE",
        "B CloseSpeech",
        "B {Release reason=00}",
        "! ended: the server shuts down",
        "P REGISTER",
    ]);
}

#[test]
fn what_was_registered_over_a_connection_that_broke_is_registered_anew() {
    let mut s = located(profile());
    let flow = Flow {
        transport: Transport::Tcp,
        connection: 7,
        ..Scene::flow()
    };
    let Event::Sip { message, trace, .. } = s.response_to("REGISTER", 200, "OK", None) else {
        panic!("a message")
    };
    let _ = s.run(Event::Sip {
        message,
        flow,
        trace,
    });
    let other = Flow {
        connection: 8,
        ..flow
    };
    s.at("00:02", Box::new(move |_| vec![Event::FlowLost(other)]))
        .then([]);
    s.at("00:03", Box::new(move |_| vec![Event::FlowLost(flow)]))
        .then(["P REGISTER"]);
}

#[test]
fn a_portable_of_ours_is_told_its_idle_display_and_told_again_when_it_changed() {
    let mut profile = profile();
    profile.handset.model = Some(vec![0xFF, 0xFF, 1]);
    let mut s = Scene::unknown(profile.clone());
    let _ = s.at("00:00", locates());
    s.at("00:01", proves_itself())
        .then(["B {LocateAccept idle='Ann             1001'}", "B NwkAck 2"]);
    let _ = s.at("00:01", takes_identity());
    let _ = s.at("00:01", peer_answers_to("REGISTER", 200));
    assert_eq!(s.state.status().display, ["Ann", "1001"]);
    let _ = s.at("00:02", dials("4711#"));
    let _ = s.at("00:03", peer_says(404));
    assert_eq!(s.state.status().display, ["Unknown number"]);
    s.at("00:04", hangs_up()).then(is_hung_up([], 5));
    profile.user.as_mut().expect("a user").standby_text = "Ward 3".into();
    let _ = s.at(
        "00:05",
        Box::new(|_| vec![Event::Configured(Box::new(profile))]),
    );
    assert_eq!(s.state.status().display, ["Ward 3", "1001"]);
    let _ = s.at("00:06", dials("4711#"));
    let _ = s.at("00:07", peer_says(404));
    let lines = s.at("00:08", hangs_up()).lines();
    let told = "B {ReleaseCom reason=00 idle='Ward 3          1001'}";
    assert!(lines.iter().any(|line| line == told), "{lines:?}");
}
