use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::identity::{Ari, Tpui};
use crate::nwk::ie::{Algorithm, AuthType, KeyType, ModelIdentifier, TerminalCapability};
use crate::security::Key;
use crate::tests::t0;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

fn ipei() -> Ipei {
    "65535 0000001".parse().unwrap()
}

fn offer(code: &str) -> Offer {
    Offer {
        access_code: code.parse().unwrap(),
        park: Ari::class_b(0x1002, 0x345).unwrap().park(),
        level: 31,
    }
}

const MODEL: ModelIdentifier = ModelIdentifier {
    emc: 0xFFFF,
    model: 1,
};

fn terminal() -> TerminalCapability {
    TerminalCapability::gap(false, 4, 16)
}

/// What goes over the air comes out the same.
fn over_air(message: &Message) -> Message {
    Message::decode(&message.encode()).unwrap()
}

fn portable(code: &str) -> (PortableSubscription, Message) {
    PortableSubscription::start(t0(), ipei(), code.parse().unwrap(), terminal(), MODEL)
}

#[test]
fn a_handset_with_the_right_code_and_the_system_agree_on_a_key() {
    let mut rng = rng();
    let (mut pp, request) = portable("1234");
    let (fp, allocate) =
        FixedSubscription::start(t0(), &mut rng, over_air(&request), offer("1234")).unwrap();
    let [PortableSubscriptionAction::Send(proof)] =
        &pp.received(&mut rng, &over_air(&allocate))[..]
    else {
        panic!("portable proves that it knows the code")
    };
    assert!(proof.transaction.from_destination);
    // The same {KEY-ALLOCATE} again gets the same answer.
    assert_eq!(
        pp.received(&mut rng, &over_air(&allocate)),
        [PortableSubscriptionAction::Send(proof.clone())]
    );
    let actions = fp.received(&mut rng, &over_air(proof));
    let [
        SubscriptionAction::Send(reply),
        SubscriptionAction::Subscribed {
            ipei: who,
            uak,
            terminal: shown,
            model,
        },
        SubscriptionAction::Send(accept),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (*who, shown.as_ref(), *model),
        (ipei(), Some(&terminal()), Some(MODEL))
    );
    assert!(!reply.transaction.from_destination && accept.transaction.from_destination);
    assert_eq!(pp.received(&mut rng, &over_air(reply)), []);
    assert_eq!(
        pp.received(&mut rng, &over_air(accept)),
        [PortableSubscriptionAction::Subscribed(Subscribed {
            uak: *uak,
            park: offer("").park
        })]
    );
    assert_eq!(pp.next_deadline(), None);
}

#[test]
fn a_wrong_code_is_rejected_with_reason_10() {
    let mut rng = rng();
    let (mut pp, request) = portable("1235");
    let (fp, allocate) = FixedSubscription::start(t0(), &mut rng, request, offer("1234")).unwrap();
    let [PortableSubscriptionAction::Send(proof)] = &pp.received(&mut rng, &allocate)[..] else {
        panic!()
    };
    let failed = RejectReason::AUTHENTICATION_FAILED;
    let actions = fp.received(&mut rng, proof);
    let [
        SubscriptionAction::Send(auth_reject),
        SubscriptionAction::Send(reject),
        SubscriptionAction::Failed(reason),
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(*reason, failed);
    assert_eq!(reject.kind, Kind::Mm(Mm::AccessRightsReject));
    assert_eq!(pp.received(&mut rng, auth_reject), []);
    assert_eq!(
        pp.received(&mut rng, reject),
        [PortableSubscriptionAction::Rejected(failed)]
    );
}

#[test]
fn a_system_that_does_not_know_the_code_is_not_trusted() {
    let mut rng = rng();
    let (mut pp, request) = portable("1234");
    let (_, allocate) = FixedSubscription::start(t0(), &mut rng, request, offer("9999")).unwrap();
    let [PortableSubscriptionAction::Send(proof)] = &pp.received(&mut rng, &allocate)[..] else {
        panic!()
    };
    let forged = answer(proof, Mm::AuthReply)
        .with(Ie::Res(vec![0; 4]))
        .with(Ie::Rs(vec![0; 16]));
    assert_eq!(
        pp.received(&mut rng, &forged),
        [PortableSubscriptionAction::FixedPartNotAuthentic]
    );
}

#[test]
fn other_identities_and_algorithms_are_refused_at_once() {
    let mut rng = rng();
    let other = crate::identity::Ipui::decode(20, &[0x12, 0x61, 0x20]).unwrap();
    let request =
        begin(Mm::AccessRightsRequest).with(Ie::PortableIdentity(PortableIdentity::Ipui(other)));
    let refused = |request| {
        FixedSubscription::start(t0(), &mut self::rng(), request, offer("1")).unwrap_err()
    };
    let reject = refused(request.clone());
    assert_eq!(
        reject.reject_reason(),
        Some(&RejectReason::IPUI_NOT_ACCEPTED)
    );
    assert!(reject.transaction.from_destination);
    let dsaa = begin(Mm::AccessRightsRequest)
        .with(own_identity(ipei()))
        .with(Ie::AuthType(AuthType::new(
            Algorithm::DSAA,
            KeyType::AccessCode,
            8,
        )));
    assert_eq!(
        refused(dsaa).reject_reason(),
        Some(&RejectReason::AUTH_ALGORITHM_NOT_SUPPORTED)
    );
    assert_eq!(
        refused(begin(Mm::AccessRightsRequest)).reject_reason(),
        Some(&RejectReason::ELEMENT_ERROR)
    );
    let grant = Grant {
        uak: None,
        tpui: None,
        level: 31,
    };
    let locate = FixedLocation::start(t0(), &mut rng, request, grant).unwrap_err();
    assert_eq!(locate.kind, Kind::Mm(Mm::LocateReject));
}

#[test]
fn a_supervised_message_is_sent_twice_and_then_given_up() {
    let (mut rng, t) = (rng(), t0());
    let (_, request) = portable("1234");
    let (mut fp, allocate) = FixedSubscription::start(t, &mut rng, request, offer("1234")).unwrap();
    assert_eq!(fp.next_deadline(), t + MM_KEY_1);
    assert_eq!(fp.deadline(t + Duration::from_secs(9)), []);
    assert_eq!(
        fp.deadline(t + MM_KEY_1),
        [SubscriptionAction::Send(allocate)]
    );
    let actions = fp.deadline(t + 2 * MM_KEY_1);
    assert_eq!(
        actions[1],
        SubscriptionAction::Failed(RejectReason::TIMER_EXPIRY)
    );
    let (mut pp, request) =
        PortableSubscription::start(t, ipei(), "1".parse().unwrap(), terminal(), MODEL);
    assert_eq!(
        pp.deadline(t + MM_ACCESS_1),
        [PortableSubscriptionAction::Send(request)]
    );
    assert_eq!(
        pp.deadline(t + 2 * MM_ACCESS_1),
        [PortableSubscriptionAction::TimedOut]
    );
    assert_eq!(pp.deadline(t + 9 * MM_ACCESS_1), []);
}

fn located(uak: Key, known: Key) -> Vec<LocationAction> {
    let (mut rng, t) = (rng(), t0());
    let tpui = Tpui::assigned(0x01234).unwrap();
    let (mut pp, request) = PortableLocation::start(t, ipei(), uak, terminal(), MODEL);
    let grant = Grant {
        uak: Some(known),
        tpui: Some(tpui),
        level: 31,
    };
    let (mut fp, actions) = FixedLocation::start(t, &mut rng, over_air(&request), grant).unwrap();
    let mut log = Vec::new();
    let mut to_portable = actions;
    while !to_portable.is_empty() {
        let mut next = Vec::new();
        for action in to_portable {
            if let LocationAction::Send(message) = &action {
                for answer in pp.received(&mut rng, &over_air(message)) {
                    if let PortableLocationAction::Send(message) = answer {
                        next.extend(fp.received(t, &over_air(&message)));
                    }
                }
            }
            log.push(action);
        }
        to_portable = next;
    }
    assert_eq!((fp.next_deadline(), pp.next_deadline()), (None, None));
    log
}

#[test]
fn a_known_handset_is_authenticated_located_and_given_its_tpui() {
    let uak = Key::new([7; 16]);
    let log = located(uak, uak);
    assert!(matches!(
        &log[..],
        [
            LocationAction::Send(_),
            LocationAction::Authenticated(_),
            LocationAction::Send(_),
            LocationAction::Located {
                tpui: Some(_),
                terminal: Some(_),
                ..
            },
        ]
    ));
}

#[test]
fn a_handset_with_another_key_is_not_located() {
    let log = located(Key::new([7; 16]), Key::new([8; 16]));
    assert!(matches!(
        &log[..],
        [
            LocationAction::Send(_),
            LocationAction::Send(_),
            LocationAction::Failed(RejectReason::AUTHENTICATION_FAILED),
        ]
    ));
}

#[test]
fn without_tpui_a_handset_is_located_by_the_accept_alone() {
    let (mut rng, t) = (rng(), t0());
    let uak = Key::new([1; 16]);
    let (mut pp, request) = PortableLocation::start(t, ipei(), uak, terminal(), MODEL);
    let grant = Grant {
        uak: None,
        tpui: None,
        level: 31,
    };
    let (_, actions) = FixedLocation::start(t, &mut rng, request, grant).unwrap();
    let [
        LocationAction::Send(accept),
        LocationAction::Located { tpui: None, .. },
    ] = &actions[..]
    else {
        panic!("{actions:?}")
    };
    assert_eq!(accept.encode()[2..4], [0x05, 0x00]);
    assert_eq!(
        pp.received(&mut rng, &over_air(accept)),
        [PortableLocationAction::Located(None)]
    );
}

#[test]
fn both_sides_derive_the_same_cipher_key() {
    let mut rng = rng();
    let uak = Key::new([3; 16]);
    let (fp, request) = FixedAuthentication::start(t0(), &mut rng, &uak);
    let (reply, dck) = answer_authentication(&mut rng, &uak, &over_air(&request)).unwrap();
    assert_eq!(
        fp.received(&over_air(&reply)),
        [AuthenticationAction::Authenticated(dck)]
    );
    let dsaa = answer(&request, Mm::AuthRequest).with(Ie::AuthType(AuthType::new(
        Algorithm::DSAA,
        KeyType::Uak,
        8,
    )));
    let Refused(reject) = answer_authentication(&mut rng, &uak, &dsaa).unwrap_err();
    assert_eq!(
        fp.received(&reject),
        [AuthenticationAction::Failed(
            RejectReason::AUTH_ALGORITHM_NOT_SUPPORTED
        )]
    );
}

#[test]
fn detach_carries_the_identity() {
    let message = detach(ipei());
    assert_eq!(message.encode()[..5], [0x05, 0x56, 0x05, 0x07, 0x80]);
}
