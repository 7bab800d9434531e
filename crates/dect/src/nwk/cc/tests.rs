use std::time::Instant;

use super::*;
use crate::identity::{Ari, Ipui};
use crate::nwk::ie::{BasicService, FixedIdentity, PortableIdentity, ProgressIndicator, Signal};
use crate::tests::t0;

fn ipui() -> Ipui {
    Ipui::N("65535 0000001".parse().unwrap())
}

fn identities() -> Vec<Ie> {
    let park = Ari::class_b(0x1002, 0x345).unwrap().park();
    vec![
        Ie::PortableIdentity(PortableIdentity::Ipui(ipui())),
        Ie::FixedIdentity(FixedIdentity::Park(park)),
        Ie::BasicService(BasicService::NORMAL_SPEECH),
    ]
}

/// Both sides of one call and the messages between them.
struct Scene {
    t: Instant,
    fp: FixedCall,
    pp: PortableCall,
    /// What either side did beside sending, in order.
    log: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        Self {
            t: t0(),
            fp: FixedCall::new(0),
            pp: PortableCall::default(),
            log: vec![],
        }
    }

    fn fixed(&mut self, event: FixedEvent) {
        for action in self.fp.handle(self.t, event) {
            match action {
                FixedAction::Send(message) => {
                    let message = Message::decode(&message.encode()).unwrap();
                    self.log.push(format!("<{:?}", message.kind));
                    self.portable(PortableEvent::Received(message));
                }
                FixedAction::Ended { by, reason } => {
                    self.log.push(format!("F ended {by:?}, {reason}"));
                }
                other => self.log.push(format!("F {other:?}")),
            }
        }
    }

    fn portable(&mut self, event: PortableEvent) {
        for action in self.pp.handle(self.t, event) {
            match action {
                PortableAction::Send(message) => {
                    let message = Message::decode(&message.encode()).unwrap();
                    self.log.push(format!(">{:?}", message.kind));
                    self.fixed(FixedEvent::Received(message));
                }
                PortableAction::State(_) => {}
                PortableAction::Ended { by, reason } => {
                    self.log.push(format!("P ended {by:?}, {reason}"));
                }
                other => self.log.push(format!("P {other:?}")),
            }
        }
    }

    fn order(&mut self, order: Order) {
        self.fixed(FixedEvent::Order(order));
    }

    fn said(&mut self, lines: &[&str]) {
        assert_eq!(std::mem::take(&mut self.log), lines);
    }

    fn wait(&mut self, time: Duration) {
        self.t += time;
        self.fixed(FixedEvent::Deadline);
        self.portable(PortableEvent::Deadline);
    }
}

fn in_band() -> Vec<Ie> {
    vec![Ie::ProgressIndicator(ProgressIndicator::IN_BAND)]
}

#[test]
fn a_dialled_call_goes_through_its_states() {
    let mut s = Scene::new();
    s.portable(PortableEvent::Call(identities()));
    s.said(&[
        ">Cc(Setup)",
        &format!(
            "F CallWanted {{ ipui: N({:?}), service: {:?}, keys: [], complete: false }}",
            ipui().ipei().unwrap(),
            BasicService::NORMAL_SPEECH
        ),
    ]);
    s.order(Order::SetupAck(in_band()));
    s.said(&["<Cc(SetupAck)", "P Listen"]);
    s.portable(PortableEvent::Keys(b"47".to_vec()));
    s.said(&[">Cc(Info)", "F Keys { keys: [52, 55], complete: false }"]);
    s.order(Order::CallProc(vec![]));
    s.order(Order::Alerting(in_band()));
    s.said(&["<Cc(CallProc)", "<Cc(Alerting)", "P Listen"]);
    s.order(Order::Connect(vec![]));
    s.said(&["<Cc(Connect)", "P Connected"]);
    assert_eq!(
        (s.fp.state(), s.pp.state()),
        (FixedState::Active, PortableState::Active)
    );
    s.portable(PortableEvent::HangUp);
    s.said(&[
        ">Cc(Release)",
        "F ended Peer, normal",
        "<Cc(ReleaseCom)",
        "P ended Peer, normal",
    ]);
    assert_eq!((s.fp.next_deadline(), s.pp.next_deadline()), (None, None));
}

#[test]
fn an_incoming_call_rings_is_answered_and_released_by_the_network() {
    let mut s = Scene::new();
    let mut elements = identities();
    elements.push(Ie::Signal(Signal::alerting(0)));
    s.order(Order::Setup(elements));
    s.said(&["<Cc(Setup)", ">Cc(Alerting)", "F Alerting", "P Ringing"]);
    assert!(!s.fp.transaction().from_destination);
    s.portable(PortableEvent::Answer);
    s.said(&[">Cc(Connect)", "F Answered"]);
    assert_eq!(s.pp.state(), PortableState::ConnectPending);
    s.order(Order::ConnectAck(vec![]));
    s.said(&["<Cc(ConnectAck)", "P Connected"]);
    s.order(Order::Release(ReleaseReason::NORMAL, vec![]));
    s.said(&[
        "<Cc(Release)",
        ">Cc(ReleaseCom)",
        "F ended Peer, normal",
        "P ended Peer, normal",
    ]);
}

#[test]
fn releases_that_cross_complete_each_other() {
    let t = t0();
    let (mut fp, mut pp) = (FixedCall::new(0), PortableCall::default());
    let setup = |actions: Vec<FixedAction>| match &actions[0] {
        FixedAction::Send(message) => message.clone(),
        other => panic!("{other:?}"),
    };
    let message = setup(fp.handle(t, FixedEvent::Order(Order::Setup(identities()))));
    pp.handle(t, PortableEvent::Received(message));
    let from_fp = setup(fp.handle(
        t,
        FixedEvent::Order(Order::Release(ReleaseReason::USER_BUSY, vec![])),
    ));
    let PortableAction::Send(from_pp) = pp.handle(t, PortableEvent::HangUp)[0].clone() else {
        panic!()
    };
    let reason = ReleaseReason::USER_REJECTION;
    assert_eq!(
        fp.handle(t, FixedEvent::Received(from_pp)),
        [FixedAction::Ended {
            by: End::Peer,
            reason
        }]
    );
    let reason = ReleaseReason::USER_BUSY;
    assert_eq!(
        pp.handle(t, PortableEvent::Received(from_fp))[1..],
        [PortableAction::Ended {
            by: End::Peer,
            reason
        }]
    );
}

#[test]
fn each_wait_has_its_timer() {
    // A portable that never answers {CC-SETUP}: CC.03, then CC.02.
    let (t, mut fp) = (t0(), FixedCall::new(3));
    fp.handle(t, FixedEvent::Order(Order::Setup(identities())));
    assert_eq!(fp.handle(t + CC_03 / 2, FixedEvent::Deadline), []);
    let [FixedAction::Send(release)] = &fp.handle(t + CC_03, FixedEvent::Deadline)[..] else {
        panic!()
    };
    assert_eq!(release.encode()[..2], [0x33, 0x4D]);
    assert_eq!(fp.next_deadline(), Some(t + CC_03 + CC_02));
    let actions = fp.handle(t + CC_03 + CC_02, FixedEvent::Deadline);
    let reason = ReleaseReason::TIMER_EXPIRY;
    assert_eq!(
        actions[1],
        FixedAction::Ended {
            by: End::Timer,
            reason
        }
    );
    // A portable that stops dialling: CC.01, counted from the last digit.
    let mut s = Scene::new();
    s.portable(PortableEvent::Call(identities()));
    s.order(Order::SetupAck(vec![]));
    s.wait(CC_01 / 2);
    s.portable(PortableEvent::Keys(b"4".to_vec()));
    s.log.clear();
    s.wait(CC_01 / 2);
    s.said(&[]);
    s.wait(CC_01 / 2);
    s.said(&[
        "<Cc(Release)",
        ">Cc(ReleaseCom)",
        "F ended Peer, normal",
        "P ended Peer, timer expiry",
    ]);
    // A network that never confirms an answer: CC.05.
    let mut s = Scene::new();
    s.order(Order::Setup(identities()));
    s.portable(PortableEvent::Answer);
    s.log.clear();
    s.wait(CC_05);
    s.said(&[
        ">Cc(Release)",
        "F ended Peer, timer expiry",
        "<Cc(ReleaseCom)",
        "P ended Peer, normal",
    ]);
}

#[test]
fn a_set_up_that_cannot_be_is_refused_with_release_com() {
    let (t, mut fp) = (t0(), FixedCall::new(0));
    let setup = Message::new(Transaction::originated(1), Kind::Cc(Cc::Setup));
    let actions = fp.handle(t, FixedEvent::Received(setup.clone()));
    let [
        FixedAction::Send(reject),
        FixedAction::Ended {
            by: End::Us,
            reason,
        },
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(reject.encode(), [0x93, 0x5A, 0xE2, 0x03]);
    assert_eq!(*reason, ReleaseReason::MANDATORY_ELEMENT_MISSING);
    assert_eq!(fp.state(), FixedState::Null);
    let message_call = setup
        .with(identities().remove(0))
        .with(Ie::BasicService(BasicService::MESSAGE));
    let actions = fp.handle(t, FixedEvent::Received(message_call));
    assert!(matches!(
        actions[1],
        FixedAction::Ended {
            reason: ReleaseReason::SERVICE_NOT_IMPLEMENTED,
            ..
        }
    ));
    let mut s = Scene::new();
    s.order(Order::Setup(vec![]));
    s.said(&[
        "<Cc(Setup)",
        ">Cc(ReleaseCom)",
        "F ended Peer, mandatory information element missing",
    ]);
}

#[test]
fn a_restored_call_goes_on() {
    let mut s = Scene::new();
    s.portable(PortableEvent::Call(identities()));
    s.order(Order::Connect(vec![]));
    s.log.clear();
    s.fp = FixedCall::restored(s.fp.transaction(), s.fp.state());
    s.portable(PortableEvent::Keys(vec![0x15, b'4']));
    s.said(&[">Cc(Info)", "F Keys { keys: [21, 52], complete: false }"]);
    let foreign = Message::new(Transaction::originated(5), Kind::Cc(Cc::Info));
    assert!(!s.fp.owns(&foreign));
    assert_eq!(
        release_unknown(foreign.transaction, ReleaseReason::UNKNOWN_TRANSACTION).encode(),
        [0xD3, 0x5A, 0xE2, 0x02]
    );
}

#[test]
fn a_lost_link_ends_the_call_at_the_portable() {
    let mut s = Scene::new();
    s.portable(PortableEvent::Call(identities()));
    let actions = s.pp.link_lost();
    assert!(matches!(
        actions[1],
        PortableAction::Ended { by: End::Timer, .. }
    ));
    assert_eq!(s.pp.link_lost(), []);
}
