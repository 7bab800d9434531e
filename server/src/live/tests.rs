use super::*;

fn call(name: &str, ended: u64) -> admin::Call {
    admin::Call {
        call_ref: name.into(),
        ipei: "655350000001".into(),
        ended_utc_ms: ended,
        ..Default::default()
    }
}

#[test]
fn a_call_stands_until_it_ended_and_its_ladder_stays() {
    let live = Live::new("s1");
    live.call(call("a", 0));
    live.step(admin::LadderStep {
        call_ref: "a".into(),
        summary: "INVITE".into(),
        ..Default::default()
    });
    assert_eq!(live.calls_now(), 1);
    live.update_call("a", |c| c.ended_utc_ms = 5);
    assert_eq!(live.calls_now(), 0);
    assert_eq!(live.list(LiveKind::Ladder, "a", 0).len(), 1);
}

#[test]
fn only_so_many_ended_calls_are_kept() {
    let live = Live::new("s1");
    for n in 0..=ENDED {
        live.call(call(&format!("{n:04}"), 1));
    }
    assert_eq!(live.list(LiveKind::Call, "", 0).len(), ENDED);
    assert!(live.find_call("0000").is_none());
}

#[test]
fn two_handsets_in_one_conversation_know_each_other_and_others_stay_out() {
    let live = Live::new("s1");
    let named = |name: &str, id: &str, ended| admin::Call {
        sip_call_id: id.into(),
        ..call(name, ended)
    };
    let ends = |name: &str| {
        live.find_call(name)
            .map(|c| c.other_ends)
            .unwrap_or_default()
    };
    live.call(call("a", 0));
    live.call(named("a", "x@s1", 0));
    live.call(named("b", "x@s1", 0));
    live.call(named("other", "y@s1", 0));
    assert_eq!((ends("a"), ends("b")), (vec!["b".into()], vec!["a".into()]));
    assert_eq!(ends("other"), Vec::<String>::new());
    // What the mind shows later brings no ends, and does not lose them.
    live.call(named("a", "x@s1", 7));
    live.call(named("b", "x@s1", 7));
    assert_eq!(ends("a"), ["b"]);
    // Somebody tries again under the same Call-ID: another conversation.
    live.call(named("c", "x@s1", 0));
    assert_eq!(ends("c"), Vec::<String>::new());
}

#[tokio::test]
async fn a_watcher_hears_of_both_ends_when_they_are_joined() {
    let live = Live::new("s1");
    let named = |name: &str| admin::Call {
        sip_call_id: "x@s1".into(),
        ..call(name, 0)
    };
    live.call(named("a"));
    let mut watcher = live.subscribe();
    live.call(named("b"));
    let mut told = Vec::new();
    while let Ok(LiveItem {
        item: Some(Item::Call(call)),
        ..
    }) = watcher.try_recv()
    {
        told.push((call.call_ref, call.other_ends));
    }
    let wanted = [("b", "a"), ("a", "b")].map(|(one, other)| (one.into(), vec![other.into()]));
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn watchers_hear_a_change_once() {
    let live = Live::new("s1");
    let mut watcher = live.subscribe();
    let handset = admin::Handset {
        ipei: "655350000001".into(),
        ..Default::default()
    };
    live.handset(handset.clone());
    live.handset(handset);
    assert!(watcher.try_recv().is_ok());
    assert!(
        watcher.try_recv().is_err(),
        "the same state twice is no change"
    );
}
