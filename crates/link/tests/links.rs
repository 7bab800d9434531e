//! Enrolment and links over real loopback sockets.
#![allow(clippy::unwrap_used)]

mod kit;

use std::time::Duration;

use ipdect_link::{
    contract::{MediaLink, RadioLink},
    dial::{DialError, connect, dial, fleet::LinkEvent},
    enrol::{EnrolError, enrol, renew},
    live::LinkEnd,
    pki::{
        credentials::Credentials,
        tls::{Anchor, client_config, enrolling_config},
    },
    role::Role,
    token::EnrolToken,
};
use ipdect_proto::{
    link::v1::{LinkUse, RefusalReason},
    radio::v1::{CellReport, Configure, base_to_server, radio_client::RadioClient, server_to_base},
};
use kit::{House, hello};
use tokio_util::sync::CancellationToken;
use tonic::Code;

#[tokio::test]
async fn a_unit_enrols_with_a_good_token_and_only_once() {
    let house = House::open().await;
    let token = house.token(Role::Base, 1, Duration::from_secs(60));
    let folder = tempfile::tempdir().unwrap();
    let enrolling = house.enrolling(token.clone(), folder.path());
    let enrolled = enrol(&enrolling).await.unwrap();
    assert_eq!(enrolled.credentials.identity.node_id.as_str(), "unit-1");
    assert_eq!(enrolled.credentials.identity.role, Role::Base);
    assert_eq!(
        enrolled.server_addresses,
        std::slice::from_ref(&house.address)
    );
    assert_eq!(
        enrolled.secret_key, None,
        "a base station gets no sealing key"
    );
    let stored = Credentials::load(&folder.path().join("pki"))
        .unwrap()
        .unwrap();
    assert_eq!(stored.identity, enrolled.credentials.identity);

    let again = enrol(&enrolling).await.unwrap_err();
    assert_eq!(
        again.to_string(),
        "the server rejects the enrolment: the token was used before"
    );
    assert_eq!(house.rejections(), ["the token was used before"]);
}

#[tokio::test]
async fn an_admin_api_gets_the_sealing_key() {
    let house = House::open().await;
    let token = house.token(Role::Admin, 1, Duration::from_secs(60));
    let folder = tempfile::tempdir().unwrap();
    let enrolled = enrol(&house.enrolling(token, folder.path())).await.unwrap();
    assert_eq!(enrolled.secret_key.map(|key| key.0), Some(vec![42; 32]));
}

#[tokio::test]
async fn wrong_and_expired_tokens_are_told_apart() {
    let house = House::open().await;
    let folder = tempfile::tempdir().unwrap();
    let unknown = EnrolToken::make(Role::Base, Some(house.pin()), &mut rand::rng());
    let expired = house.token(Role::Base, 1, Duration::ZERO);
    for (token, why) in [
        (unknown, "the token is wrong"),
        (expired, "the token has expired"),
    ] {
        match enrol(&house.enrolling(token, folder.path())).await {
            Err(EnrolError::Rejected(text)) => assert_eq!(text, why),
            other => panic!("{other:?}"),
        }
    }
    assert!(!folder.path().join("pki").exists(), "nothing is written");
}

#[tokio::test]
async fn five_failures_a_minute_close_the_window() {
    let house = House::open().await;
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        let unknown = EnrolToken::make(Role::Base, Some(house.pin()), &mut rand::rng());
        assert!(
            enrol(&house.enrolling(unknown, folder.path()))
                .await
                .is_err()
        );
    }
    let good = house.token(Role::Base, 1, Duration::from_secs(60));
    let error = enrol(&house.enrolling(good, folder.path()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("too many failures"), "{error}");
}

#[tokio::test]
async fn a_server_with_another_root_is_not_believed() {
    let (house, other) = (House::open().await, House::open().await);
    let folder = tempfile::tempdir().unwrap();
    let token = house.token(Role::Base, 1, Duration::from_secs(60));
    let mut enrolling = house.enrolling(token, folder.path());
    enrolling.servers = vec![other.address.clone()];
    assert!(matches!(
        enrol(&enrolling).await,
        Err(EnrolError::Unreachable(_))
    ));
    assert!(other.rejections().is_empty(), "the token was not shown");
    // The next server of the list is the right one.
    enrolling.servers.push(house.address.clone());
    enrol(&enrolling).await.unwrap();
}

#[tokio::test]
async fn a_token_without_pin_needs_the_root() {
    let house = House::open().await;
    let folder = tempfile::tempdir().unwrap();
    let mut token = house.token(Role::Media, 1, Duration::from_secs(60));
    token.pin = None;
    let mut enrolling = house.enrolling(token, folder.path());
    assert!(matches!(enrol(&enrolling).await, Err(EnrolError::NoAnchor)));
    enrolling.root = Some(house.authority.certificate().clone());
    enrol(&enrolling).await.unwrap();
}

#[tokio::test]
async fn without_a_certificate_only_enrolment_is_open() {
    let house = House::open().await;
    let (tls, _) = enrolling_config(Anchor::Pin(house.pin())).unwrap();
    let channel = connect(&house.address, tls).await.unwrap();
    let status = RadioClient::new(channel)
        .attach(tokio_stream::empty())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_role_may_not_use_another_ones_link() {
    let house = House::open().await;
    let media = house.credentials(Role::Media, "media-1");
    let tls = client_config(&media).unwrap();
    let stop = CancellationToken::new();
    match dial::<RadioLink>(&house.address, tls, hello(&media, 1), &stop).await {
        Err(DialError::Status { status, .. }) => assert_eq!(status.code(), Code::PermissionDenied),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_open_link_carries_messages_and_traces_both_ways() {
    let mut house = House::open().await;
    let base = house.credentials(Role::Base, "base-1");
    let stop = CancellationToken::new();
    let mut link = dial::<RadioLink>(
        &house.address,
        client_config(&base).unwrap(),
        hello(&base, 1),
        &stop,
    )
    .await
    .unwrap();
    assert_eq!(
        (link.welcome.generation, link.welcome.release.as_str()),
        (3, "PCS16_")
    );
    assert_eq!(link.welcome.orphan_grace_ms, 900_000);

    let mut accepted = house.radio.recv().await.unwrap();
    assert_eq!(accepted.identity, base.identity);
    let report = CellReport {
        bearers_free: 12,
        ..CellReport::default()
    };
    link.sender
        .send(
            vec![7; 25].into(),
            base_to_server::Body::CellReport(report.clone()),
        )
        .unwrap();
    let heard = accepted.receiver.recv().await.unwrap();
    assert_eq!(
        (heard.trace.len(), heard.body),
        (25, Some(base_to_server::Body::CellReport(report)))
    );

    let configure = Configure {
        revision: 4,
        rpn: 3,
        ..Configure::default()
    };
    accepted
        .sender
        .send(
            bytes::Bytes::new(),
            server_to_base::Body::Configure(configure.clone()),
        )
        .unwrap();
    let heard = link.receiver.recv().await.unwrap();
    assert_eq!(heard.body, Some(server_to_base::Body::Configure(configure)));

    link.sender.handle().end(LinkEnd::Closed);
    assert!(matches!(
        accepted.sender.handle().ended().await,
        LinkEnd::PeerClosed(_)
    ));
    assert!(
        accepted
            .sender
            .send(
                bytes::Bytes::new(),
                server_to_base::Body::Configure(Configure::default())
            )
            .is_err()
    );
}

#[tokio::test]
async fn heartbeats_measure_the_round_trip_and_carry_load() {
    let mut house = House::open().await;
    let base = house.credentials(Role::Base, "base-1");
    let stop = CancellationToken::new();
    let link = dial::<RadioLink>(
        &house.address,
        client_config(&base).unwrap(),
        hello(&base, 1),
        &stop,
    )
    .await
    .unwrap();
    let accepted = house.radio.recv().await.unwrap();
    link.sender.handle().set_load(0.5);
    kit::until(|| accepted.sender.handle().peer_load() == 0.5).await;
    kit::until(|| !accepted.sender.handle().round_trip().is_zero()).await;
    kit::until(|| !link.sender.handle().round_trip().is_zero()).await;
}

/// Dials as a base station of the given release and tells why it was refused.
async fn refused(
    house: &House,
    credentials: &Credentials,
    change: impl Fn(&mut ipdect_proto::link::v1::Hello),
) -> ipdect_proto::link::v1::Refusal {
    let mut said = hello(credentials, 1);
    change(&mut said);
    let stop = CancellationToken::new();
    match dial::<RadioLink>(
        &house.address,
        client_config(credentials).unwrap(),
        said,
        &stop,
    )
    .await
    {
        Err(DialError::Refused(refusal)) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_old_release_is_refused_with_reason_and_remedy_and_shown() {
    let house = House::open().await;
    let base = house.credentials(Role::Base, "base-1");
    let refusal = refused(&house, &base, |said| said.release = "PCS07B_".into()).await;
    assert_eq!(refusal.reason(), RefusalReason::ReleaseTooOld);
    assert_eq!(
        (refusal.rule.as_str(), refusal.required_release.as_str()),
        ("R2", "PCS08_")
    );
    assert_eq!(refusal.remedy, "install PCS08_ or newer on this unit");
    assert_eq!(house.refusals(), [("base-1".to_owned(), refusal)]);
}

#[tokio::test]
async fn another_clusters_unit_is_refused() {
    let house = House::open().await;
    // By its Hello, with a certificate of this cluster.
    let base = house.credentials(Role::Base, "base-1");
    let refusal = refused(&house, &base, |said| said.cluster_id = "other".into()).await;
    assert_eq!(refusal.reason(), RefusalReason::WrongCluster);
    // By its certificate: TLS does not even open.
    let other = House::open().await;
    let stranger = other.credentials(Role::Base, "base-1");
    let stop = CancellationToken::new();
    let tls = client_config(&stranger).unwrap();
    let error = dial::<RadioLink>(&house.address, tls, hello(&stranger, 1), &stop)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_that_no_longer_counts_is_refused() {
    let house = House::open().await;
    let base = house.credentials(Role::Base, "base-1");
    house.forget(&base);
    let refusal = refused(&house, &base, |_| {}).await;
    assert_eq!(refusal.reason(), RefusalReason::NotEnrolled);
    let channel = connect(&house.address, client_config(&base).unwrap())
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = renew(channel, &base, folder.path()).await.unwrap_err();
    assert!(error.to_string().contains("no longer counts"), "{error}");
}

#[tokio::test]
async fn a_renewed_certificate_links() {
    let mut house = House::open().await;
    let base = house.credentials(Role::Base, "base-1");
    let folder = tempfile::tempdir().unwrap();
    let channel = connect(&house.address, client_config(&base).unwrap())
        .await
        .unwrap();
    let fresh = renew(channel, &base, folder.path()).await.unwrap();
    assert_ne!(
        fresh.identity.certificate_serial,
        base.identity.certificate_serial
    );
    let stop = CancellationToken::new();
    let _link = dial::<RadioLink>(
        &house.address,
        client_config(&fresh).unwrap(),
        hello(&fresh, 1),
        &stop,
    )
    .await
    .unwrap();
    assert_eq!(house.radio.recv().await.unwrap().identity, fresh.identity);
}

#[tokio::test]
async fn a_second_unit_of_the_same_name_is_refused_while_the_first_answers() {
    let mut house = House::open().await;
    let base = house.credentials(Role::Base, "base-1");
    let stop = CancellationToken::new();
    let tls = client_config(&base).unwrap();
    let first = dial::<RadioLink>(&house.address, tls.clone(), hello(&base, 1), &stop)
        .await
        .unwrap();
    let accepted = house.radio.recv().await.unwrap();
    let refusal = refused(&house, &base, |said| said.boot_id = 2).await;
    assert_eq!(refusal.reason(), RefusalReason::DuplicateNode);
    // The same process dialling again replaces its own link, and a new process takes the place of one that is gone.
    let again = dial::<RadioLink>(&house.address, tls.clone(), hello(&base, 1), &stop)
        .await
        .unwrap();
    assert_eq!(accepted.sender.handle().ended().await, LinkEnd::Replaced);
    assert!(matches!(
        first.sender.handle().ended().await,
        LinkEnd::PeerClosed(_)
    ));
    let accepted = house.radio.recv().await.unwrap();
    again.sender.handle().end(LinkEnd::Closed);
    accepted.sender.handle().ended().await;
    dial::<RadioLink>(&house.address, tls, hello(&base, 2), &stop)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_disconnected() {
    let mut house = House::open().await;
    let base = house.credentials(Role::Base, "base-1");
    let stop = CancellationToken::new();
    let link = dial::<RadioLink>(
        &house.address,
        client_config(&base).unwrap(),
        hello(&base, 1),
        &stop,
    )
    .await
    .unwrap();
    let accepted = house.radio.recv().await.unwrap();
    let body = || {
        server_to_base::Body::Configure(Configure {
            park: vec![0; 60_000].into(),
            ..Configure::default()
        })
    };
    kit::until(|| (0..50).any(|_| accepted.sender.send(bytes::Bytes::new(), body()).is_err()))
        .await;
    let reason = accepted.sender.handle().reason();
    assert_eq!(reason, Some(LinkEnd::Stalled));
    // The device reads nothing while its queue is full: it sees the end of the stream, or first its own fault.
    let end = link.sender.handle().ended().await;
    assert!(
        matches!(end, LinkEnd::PeerClosed(_) | LinkEnd::Overrun),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_device_links_again_after_its_server_restarted() {
    let mut house = House::open().await;
    let media = house.credentials(Role::Media, "media-1");
    let (mut events, _stop) = house.keep::<MediaLink>(&media);
    let first = house.media.recv().await.unwrap();
    assert!(matches!(
        events.recv().await,
        Some(LinkEvent::Up {
            link_use: LinkUse::Active,
            ..
        })
    ));
    let floors_at_first = first.hello.floors.len();

    house.restart().await;
    let mut seen = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(20), events.recv())
            .await
            .unwrap()
            .unwrap()
        {
            LinkEvent::Up { link, .. } => {
                assert_eq!(link.welcome.boot_id, 2);
                break;
            }
            LinkEvent::Down { .. } => seen.push("down"),
            LinkEvent::Unreachable { .. } => seen.push("unreachable"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen.first(), Some(&"down"));
    let second = house.media.recv().await.unwrap();
    assert_eq!(
        (
            second.hello.boot_id,
            floors_at_first,
            second.hello.floors.len()
        ),
        (first.hello.boot_id, 0, 1)
    );
}

#[tokio::test]
async fn a_refused_device_is_told_and_waits() {
    let house = House::open().await;
    let media = house.credentials(Role::Media, "media-1");
    house.forget(&media);
    let (mut events, _stop) = house.keep::<MediaLink>(&media);
    match events.recv().await.unwrap() {
        LinkEvent::Refused {
            refusal, retry_in, ..
        } => {
            assert_eq!(refusal.reason(), RefusalReason::NotEnrolled);
            assert!(retry_in >= Duration::from_secs(5), "{retry_in:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_base_with_two_servers_goes_on_with_the_other_one() {
    let first = House::open().await;
    let mut second = first.sibling().await;
    let mut first = first;
    let base = first.credentials(Role::Base, "base-1");
    let servers = [&first.address, &second.address].map(String::clone);
    let (mut events, _stop) = kit::keep::<RadioLink>(
        &base,
        &servers,
        ipdect_link::dial::fleet::Policy::ActiveStandby,
    );
    let (active, standby) = (
        first.radio.recv().await.unwrap(),
        second.radio.recv().await.unwrap(),
    );
    assert_eq!(active.hello.link_use(), LinkUse::Active);
    assert_eq!(standby.hello.link_use(), LinkUse::Standby);
    let mut links = Vec::new();
    while links.len() < 2 {
        match events.recv().await.unwrap() {
            LinkEvent::Up { link, .. } => links.push(link),
            other => panic!("{other:?}"),
        }
    }
    first.close().await;
    assert!(
        matches!(events.recv().await, Some(LinkEvent::Down { address, .. }) if address == servers[0])
    );
    assert!(
        matches!(events.recv().await, Some(LinkEvent::Promoted { address }) if address == servers[1])
    );
    assert_eq!(standby.sender.handle().reason(), None);
}
