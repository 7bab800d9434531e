//! What many ladders have in common, so that each says only what is special about it: how far a call has come, and what
//! always follows one upon the other.

use ipdect_handset::Profile;
use ipdect_tests::kit::handset::*;

/// What the peer of all outgoing calls gets.
pub(crate) const INVITE: &str = "P INVITE sip:4711@example.com";

/// What the user is told of the peer's call that he did not take.
pub(crate) const MISSED: &str = "! missed sip:1002@example.com 'Bob'";

/// 4711 was dialled at 00:00.
pub(crate) fn calling() -> Scene {
    let mut s = Scene::new();
    let _ = s.at("00:00", dials("4711#"));
    s
}

/// The same, and the peer rings since 00:01.
pub(crate) fn hearing_ring_back() -> Scene {
    let mut s = calling();
    let _ = s.at("00:01", peer_says(180));
    s
}

/// The same, and the peer answered at 00:02.
pub(crate) fn talking() -> Scene {
    let mut s = hearing_ring_back();
    let _ = s.at("00:02", peer_answers());
    s
}

/// The peer called at 00:00, and the handset answered its page at 00:01.
pub(crate) fn found() -> Scene {
    let mut s = Scene::new();
    let _ = s.at("00:00", peer_calls());
    let _ = s.at("00:01", answers_page());
    s
}

/// The same, and it rings since 00:02.
pub(crate) fn ringing() -> Scene {
    let mut s = found();
    let _ = s.at("00:02", rings());
    s
}

/// A handset that came into range at 00:00 and proved at 00:01 who it is; its REGISTER has no answer yet.
pub(crate) fn located(profile: Profile) -> Scene {
    let mut s = Scene::unknown(profile);
    let _ = s.at("00:00", locates());
    let _ = s.at("00:01", proves_itself());
    let _ = s.at("00:01", takes_identity());
    s
}

/// The handset's set-up is taken: a session, its leg to the base station, speech.
pub(crate) fn takes_set_up() -> Ladder {
    Ladder::from([
        "B Bind",
        "M OpenSession [SetupTaken]",
        "B NwkAck 1",
        "M OpenLeg base",
        "B OpenSpeech",
    ])
}

/// There are digits enough: the leg to the peer, and the record that must be safe before the INVITE goes out.
pub(crate) fn is_routed() -> Ladder {
    Ladder::from(["M OpenLeg sip", "B {CallProc}", "M Note [Calling]"])
}

/// All of it, from off hook with a number typed before to the INVITE.
pub(crate) fn goes_out() -> Ladder {
    takes_set_up() + is_routed() + [INVITE]
}

/// The peer rings: the user hears so.
pub(crate) fn hears_ring_back() -> Ladder {
    Ladder::from([
        "M Note [FirstTag]",
        "M PlayTone RingBack",
        "B {Alerting progress=8}",
    ])
}

/// The peer answers.
pub(crate) fn is_connected() -> Ladder {
    Ladder::from([
        "M ModifyLeg SendRecv [Active]",
        "= InACall",
        "P ACK",
        "M StopTone",
        "M Connect",
        "B {Connect}",
    ])
}

/// A call that came in gives way to one that the handset places meanwhile; `tail` is what its own message still needs.
pub(crate) fn gives_way<const N: usize>(tail: [&str; N]) -> Ladder {
    let own = [
        "S RemoveRecord",
        "! ended: the handset placed a call",
        "M OpenSession [SetupTaken]",
        "M OpenLeg base",
        "B OpenSpeech",
    ];
    Ladder::from(["M CloseSession [Ending]", "P 486 (INVITE)"]) + tail + own
}

/// The handset is asked to ring for Bob.
pub(crate) fn is_set_up_for_bob() -> Ladder {
    Ladder::from([
        "B Bind",
        "B* CancelPage",
        "B {Setup 'Bob' signal=40 number=1002 name='Bob'}",
        "B NwkAck 1",
    ])
}

/// It rings: the caller is told, and both legs are opened.
pub(crate) fn is_alerting() -> Ladder {
    Ladder::from([
        "M Note [Alerting]",
        "P 180 (INVITE)",
        "M OpenLeg base",
        "M OpenLeg sip",
        "B NwkAck 2",
        "B OpenSpeech",
    ])
}

/// The handset's user takes the call, with message number `seq` on its connection.
pub(crate) fn is_taken(seq: u64) -> Ladder {
    Ladder::from(["M Connect", "M Note [Active]", "= InACall"])
        + [format!("B NwkAck {seq}").as_str()]
        + ["P 200 (INVITE)", "B {ConnectAck}"]
}

/// The handset's user hangs up, with message number `seq` on its connection; `to_peer` is what the peer is told.
pub(crate) fn is_hung_up<const N: usize>(to_peer: [&str; N], seq: u64) -> Ladder {
    Ladder::from(["M CloseSession [Ending]", "= Available"])
        + to_peer
        + [format!("B NwkAck {seq}").as_str()]
        + [
            "B {ReleaseCom reason=00}",
            "B CloseSpeech",
            "S RemoveRecord",
            "! ended: hung up at the handset",
        ]
}

/// The peer hangs up.
pub(crate) fn is_hung_up_by_peer() -> Ladder {
    Ladder::from(["P 200 (BYE)"]) + is_released([], "00", "hung up by the peer")
}

/// A call ends in which the handset took part, and it is asked to release for `reason`; `to_peer` is what the peer is told.
pub(crate) fn is_released<const N: usize>(to_peer: [&str; N], reason: &str, told: &str) -> Ladder {
    Ladder::from(["M CloseSession [Ending]", "= Available"]) + to_peer + release(reason, told)
}

/// A call that rang in vain ends; the caller is answered with `status`.
pub(crate) fn is_given_up(status: u16, reason: &str, told: &str) -> Ladder {
    let refusal = format!("P {status} (INVITE)");
    Ladder::from(["M CloseSession [Ending]", &refusal]) + release(reason, told)
}

fn release(reason: &str, told: &str) -> Ladder {
    let release = format!("B {{Release reason={reason}}}");
    let told = format!("! ended: {told}");
    Ladder::from(["B CloseSpeech", &release, &told])
}

/// Nothing was heard of the handset for too long while it talked.
pub(crate) fn is_lost() -> Ladder {
    Ladder::from([
        "M CloseSession [Ending]",
        "= Available",
        "P BYE",
        "S RemoveRecord",
        "! ended: radio contact lost",
    ])
}

/// The handset confirmed a release, with message number `seq` on its connection.
pub(crate) fn is_confirmed(seq: u64) -> Ladder {
    Ladder::from(["S RemoveRecord"]) + [format!("B NwkAck {seq}").as_str()]
}
