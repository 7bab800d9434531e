//! A media resource in the service of a real, if small, server: enrolment, links, orders, fencing, speech, inventory.
// In tests, as everywhere else in them.
#![allow(clippy::unwrap_used)]
// A message that is not the one waited for comes back whole.
#![allow(clippy::result_large_err)]

mod kit;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use ipdect_media::codec::{Law, SAMPLE_RATE_HZ};
use ipdect_media::meter;
use ipdect_media::rtp::{Header, Packet, rtcp};
use ipdect_media::srtp::{KeyMaterial, MAX_OVERHEAD, Mki, Sender, Suite};
use ipdect_media_resource::{config, metrics, start};
use ipdect_node::{Ended, Environment, Metrics, StartError};
use ipdect_proto::link::v1::{Fence, OrderStatus, PathSrtp, Query, SpeechPath, SrtpSuite};
use ipdect_proto::media::v1::media_to_server::Body as Up;
use ipdect_proto::media::v1::server_to_media::Body as Down;
use ipdect_proto::media::v1::*;
use kit::{House, Owner, peer};

const SESSION: &str = "0192f0c0-0000-7000-8000-000000000001";

fn record(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn open_session(owner: &mut Owner) -> OrderStatus {
    let result = owner.order(|order| {
        Down::OpenSession(OpenSession {
            order,
            session_id: SESSION.into(),
            call_ref: "call".into(),
            priority: Priority::Normal.into(),
            record: record("begun"),
        })
    });
    result.await.status()
}

fn base_leg(base: SocketAddr) -> OpenLeg {
    OpenLeg {
        session_id: SESSION.into(),
        leg_id: 1,
        kind: LegKind::Base.into(),
        path: Some(SpeechPath {
            remote: base.to_string(),
            ssrc_out: 2,
            ssrc_in: 1,
            payload_type: 96,
            srtp: Some(PathSrtp {
                suite: SrtpSuite::AesCm128HmacSha180.into(),
                key_out: Bytes::from(vec![1; 30]),
                key_in: Bytes::from(vec![2; 30]),
            }),
        }),
        ..OpenLeg::default()
    }
}

fn pcma() -> Vec<Codec> {
    vec![Codec {
        payload_type: 8,
        name: "PCMA".into(),
        clock_hz: 8000,
        ptime_ms: 20,
    }]
}

fn sip_leg() -> OpenLeg {
    OpenLeg {
        session_id: SESSION.into(),
        leg_id: 2,
        kind: LegKind::Sip.into(),
        codecs: pcma(),
        telephone_event_pt: 101,
        dscp: 46,
        ..OpenLeg::default()
    }
}

async fn open_leg(owner: &mut Owner, leg: OpenLeg) -> LegOpened {
    let leg_id = leg.leg_id;
    let result = owner
        .order(|order| Down::OpenLeg(OpenLeg { order, ..leg }))
        .await;
    assert_eq!(result.status(), OrderStatus::Done, "{result:?}");
    (owner.wait(|up| match up {
        Up::LegOpened(opened) if opened.leg_id == leg_id => Ok(opened),
        other => Err(other),
    }))
    .await
}

/// Opens a call between two sockets; answers where the base leg is taken.
async fn call(owner: &mut Owner, base: &UdpSocket, phone: &UdpSocket) -> SocketAddr {
    assert_eq!(open_session(owner).await, OrderStatus::Done);
    let opened = open_leg(owner, base_leg(base.local_addr().unwrap())).await;
    open_leg(owner, sip_leg()).await;
    let port = phone.local_addr().unwrap().port().into();
    let modified = owner.order(|order| {
        Down::ModifyLeg(ModifyLeg {
            order,
            session_id: SESSION.into(),
            leg_id: 2,
            remote: Some(MediaAddress {
                address: "127.0.0.1".into(),
                rtp_port: port,
                rtcp_port: port,
            }),
            codecs: pcma(),
            record: record("active"),
            ..ModifyLeg::default()
        })
    });
    assert_eq!(modified.await.status(), OrderStatus::Done);
    let connected = owner.order(|order| {
        Down::Connect(Connect {
            order,
            session_id: SESSION.into(),
            leg_a: 1,
            leg_b: 2,
            ..Connect::default()
        })
    });
    assert_eq!(connected.await.status(), OrderStatus::Done);
    format!("{}:{}", opened.address, opened.rtp_port)
        .parse()
        .unwrap()
}

/// Sends a tone as the base station would, and measures what the phone hears.
fn speak(base: &UdpSocket, to: SocketAddr, phone: &UdpSocket) -> meter::Tone {
    use ipdect_media::codec::{Format, StreamEncoder};
    let key = KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[2; 30]).unwrap();
    let mut sender = Sender::new(&key, Mki::default(), 0).unwrap();
    let mut encoder = StreamEncoder::new(Format::AAL2_G726_32);
    let mut oscillator = ipdect_media::tones::Oscillator::new(1000.0, -10.0);
    let mut heard = Vec::new();
    let mut buffer = [0; 2048];
    for sequence in 0..50u16 {
        let header = Header {
            marker: false,
            payload_type: 96,
            sequence,
            timestamp: u32::from(sequence) * 160,
            ssrc: 1,
        };
        let (mut samples, mut packet) = ([0; 160], [0; 12 + 80 + MAX_OVERHEAD]);
        oscillator.fill(&mut samples);
        header.write(None, &mut packet).unwrap();
        encoder.encode(&samples, &mut packet[12..92]);
        let length = sender.protect(&mut packet, 92).unwrap();
        base.send_to(&packet[..length], to).unwrap();
        loop {
            let (length, _) = phone.recv_from(&mut buffer).unwrap();
            if !rtcp::is_rtcp(&buffer[..length]) {
                let packet = Packet::parse(&buffer[..length]).unwrap();
                heard.extend(packet.payload.iter().map(|code| Law::A.expand(*code)));
                break;
            }
        }
    }
    assert_eq!(heard.len(), SAMPLE_RATE_HZ as usize);
    meter::tone(&heard).unwrap()
}

async fn inventory(owner: &mut Owner, query_id: u64) -> Inventory {
    (owner.wait(|up| match up {
        Up::Inventory(inventory) if inventory.query_id == query_id => Ok(inventory),
        other => Err(other),
    }))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_opened_heard_and_closed_and_its_record_stays() {
    let mut house = House::open().await;
    let data = tempfile::tempdir().unwrap();
    let running = house.media_resource(data.path()).await;
    let mut owner = house.linked().await;
    running.ready().await.unwrap();
    assert_eq!(inventory(&mut owner, 0).await.sessions, []);
    let (base, phone) = (peer(), peer());
    let to = call(&mut owner, &base, &phone).await;
    let tone = tokio::task::spawn_blocking(move || speak(&base, to, &phone))
        .await
        .unwrap();
    assert!((tone.frequency_hz - 1000.0).abs() < 1.0, "{tone:?}");
    assert!(
        (tone.level_dbm0 + 10.0).abs() < 0.5 && tone.snr_db > 25.0,
        "{tone:?}"
    );
    let first = (owner.wait(|up| match up {
        Up::FirstPacket(first) => Ok(first),
        other => Err(other),
    }))
    .await;
    assert_eq!((first.session_id.as_str(), first.leg_id), (SESSION, 1));

    let fences = vec![Fence {
        shard: 5,
        era: 1,
        revision: 10,
    }];
    owner.say(Down::Query(Query {
        query_id: 7,
        fences,
    }));
    let held = inventory(&mut owner, 7).await;
    assert!(held.last);
    let session = &held.sessions[0];
    assert_eq!(
        (session.record.clone(), session.closed),
        (record("active"), false)
    );
    assert_eq!((session.legs.len(), session.junctions.len()), (2, 1));
    assert_eq!(
        session.legs[0].paths[0].path,
        base_leg("127.0.0.1:1".parse().unwrap()).path.map(|mut p| {
            p.remote = session.legs[0].paths[0]
                .path
                .as_ref()
                .unwrap()
                .remote
                .clone();
            p
        })
    );

    let closed = owner.order(|order| {
        Down::CloseSession(CloseSession {
            order,
            session_id: SESSION.into(),
            record: record("over"),
        })
    });
    assert_eq!(closed.await.status(), OrderStatus::Done);
    let told = (owner.wait(|up| match up {
        Up::SessionClosed(closed) => Ok(closed),
        other => Err(other),
    }))
    .await;
    assert_eq!(told.reason, "ordered");
    let base_stats = told.final_stats.iter().find(|s| s.leg_id == 1).unwrap();
    assert_eq!(
        (base_stats.received, base_stats.lost, base_stats.r#final),
        (50, 0, true)
    );

    let fences = vec![Fence {
        shard: 5,
        era: 1,
        revision: 10,
    }];
    owner.say(Down::Query(Query {
        query_id: 8,
        fences,
    }));
    let after = inventory(&mut owner, 8).await;
    assert_eq!(
        (after.sessions[0].record.clone(), after.sessions[0].closed),
        (record("over"), true)
    );
    assert_eq!(after.sessions[0].final_stats.len(), 2);
    assert_eq!(running.drain(Duration::from_secs(5)).await, Ended::Cleanly);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_fenced_repeated_harmlessly_and_refused_in_words() {
    let mut house = House::open().await;
    let data = tempfile::tempdir().unwrap();
    let running = house.media_resource(data.path()).await;
    let mut owner = house.linked().await;
    owner.revision = 9;
    assert_eq!(open_session(&mut owner).await, OrderStatus::Fenced);
    owner.revision = 10;
    for _ in 0..2 {
        assert_eq!(open_session(&mut owner).await, OrderStatus::Done);
    }
    // A leg that could not be opened leaves nothing behind.
    let none = OpenLeg {
        codecs: vec![],
        ..sip_leg()
    };
    let result = owner
        .order(|order| Down::OpenLeg(OpenLeg { order, ..none }))
        .await;
    assert_eq!(result.status(), OrderStatus::Invalid);
    let first = open_leg(&mut owner, sip_leg()).await;
    assert_eq!(first.rtp_port % 2, 0);
    assert_eq!(first.rtcp_port, first.rtp_port + 1);
    // The same again has the same answer; other content is a conflict.
    assert_eq!(open_leg(&mut owner, sip_leg()).await, first);
    let other = OpenLeg {
        telephone_event_pt: 0,
        ..sip_leg()
    };
    let result = owner
        .order(|order| Down::OpenLeg(OpenLeg { order, ..other }))
        .await;
    assert_eq!(result.status(), OrderStatus::Conflict);
    let result = owner.order(|order| {
        Down::StopTone(StopTone {
            order,
            session_id: SESSION.into(),
            leg_id: 9,
        })
    });
    assert_eq!(result.await.status(), OrderStatus::UnknownTarget);
    let result = owner.order(|order| {
        Down::SendDtmf(SendDtmf {
            order,
            session_id: SESSION.into(),
            leg_id: 2,
            digits: "x".into(),
            ..SendDtmf::default()
        })
    });
    let result = result.await;
    assert_eq!(
        (result.status(), result.detail.as_str()),
        (OrderStatus::Invalid, "not a digit")
    );
    // A successor is known by its floors; the predecessor is refused from then on.
    owner.floors(12);
    let note = |order| {
        Down::Note(Note {
            order,
            session_id: SESSION.into(),
            record: record("late"),
        })
    };
    assert_eq!(owner.order(note).await.status(), OrderStatus::Fenced);
    owner.revision = 12;
    assert_eq!(owner.order(note).await.status(), OrderStatus::Done);
    assert_eq!(running.drain(Duration::ZERO).await, Ended::Cleanly);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_goes_on_without_a_server_and_is_found_again() {
    let mut house = House::open().await;
    let data = tempfile::tempdir().unwrap();
    let running = house.media_resource(data.path()).await;
    let mut owner = house.linked().await;
    let (base, phone) = (peer(), peer());
    let to = call(&mut owner, &base, &phone).await;
    drop(owner);
    let tone = tokio::task::spawn_blocking(move || speak(&base, to, &phone))
        .await
        .unwrap();
    assert!(tone.snr_db > 25.0, "{tone:?}");
    let mut again = house.linked().await;
    let held = inventory(&mut again, 0).await;
    assert_eq!(
        (held.sessions.len(), held.sessions[0].record.clone()),
        (1, record("active"))
    );
    let adopt = |order| {
        Down::Adopt(Adopt {
            order,
            session_id: SESSION.into(),
        })
    };
    assert_eq!(again.order(adopt).await.status(), OrderStatus::Done);
    assert_eq!(running.drain(Duration::ZERO).await, Ended::Cleanly);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_and_a_port_in_use_end_the_start_with_their_remedies() {
    let house = House::open().await;
    let data = tempfile::tempdir().unwrap();
    let environment = || Environment::system(Metrics::new(&[metrics::METRICS]));
    let other = House::open().await;
    let foreign = house.config(data.path(), &other.token());
    let error = tokio::time::timeout(Duration::from_secs(2), start(foreign, environment())).await;
    // Another cluster's pin: no server that answers is the right one, so the node goes on trying.
    assert!(error.is_err());
    let error = start(house.config(data.path(), ""), environment())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StartError::Enrol { usage: true, .. }),
        "{error}"
    );
    assert_eq!(error.exit_code(), 64);
    let taken = peer();
    let mut config: config::Config = house.config(data.path(), "");
    let port = taken.local_addr().unwrap().port();
    config.base_ports = ipdect_node::config::PortRange {
        first: port,
        last: port,
    };
    let error = start(config, environment()).await.unwrap_err();
    assert!(matches!(&error, StartError::PortInUse { .. }), "{error}");
}
