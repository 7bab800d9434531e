//! The whole program over loopback: it enrols, links, serves a portable on the virtual air, carries speech.
#![allow(clippy::unwrap_used)]

mod program {
    pub(crate) mod house;
    pub(crate) mod portable;
}

use std::net::SocketAddr;
use std::time::Duration;

use ipdect_base_station::{Config, config, metrics, start};
use ipdect_link::token::EnrolToken;
use ipdect_media::rtp::{Header, Packet};
use ipdect_media::srtp::{KeyMaterial, Mki, Receiver, Sender, Suite};
use ipdect_node::config::{Document, Section};
use ipdect_node::{Ended, Environment, Metrics, Running, StartError};
use ipdect_proto::link::v1::{PathSrtp, SpeechPath, SrtpSuite};
use ipdect_proto::radio::v1::base_to_server::Body as Up;
use ipdect_proto::radio::v1::server_to_base::Body as Down;
use ipdect_proto::radio::v1::{self as radio, DownReason};
use program::house::House;
use program::portable::Portable;
use tokio::net::UdpSocket;

fn configuration(server: &str, token: Option<&EnrolToken>, data: &std::path::Path) -> Config {
    let token = token
        .map(|t| format!("token = '{}'\n", t.reveal()))
        .unwrap_or_default();
    let text = format!(
        "[node]\ndata_dir = '{}'\n[enrol]\nservers = ['{server}']\n{token}[speech]\nlisten = '127.0.0.1:0'\n[radio.virtual]\nlisten = '127.0.0.1:0'\n",
        data.display()
    );
    let keys = config::keys();
    let reader = Document::parse("base.toml", &text).read(&[Section::root(&keys)]);
    let config = Config::read(&reader.root());
    reader.finish(config).unwrap()
}

fn environment() -> Environment {
    Environment::system(Metrics::new(&[metrics::METRICS]))
}

async fn started(house: &House, data: &std::path::Path) -> Running {
    start(
        configuration(&house.address, Some(&house.token()), data),
        environment(),
    )
    .await
    .unwrap()
}

fn air(running: &Running) -> SocketAddr {
    running.address("radio.virtual.listen").unwrap()
}

async fn connection(house: &mut House) -> u64 {
    let up = house
        .hears(|body| {
            if let Up::ConnectionUp(up) = body {
                Some(up)
            } else {
                None
            }
        })
        .await;
    up.connection_id
}

async fn nwk_up(house: &mut House) -> radio::NwkUp {
    house
        .hears(|body| {
            if let Up::NwkUp(up) = body {
                Some(up)
            } else {
                None
            }
        })
        .await
}

async fn bind(house: &mut House, connection_id: u64) {
    house
        .orders(|order| {
            Down::Bind(radio::Bind {
                order,
                connection_id,
                ipei: "050030070387".into(),
            })
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portable_is_served_from_key_press_to_release() {
    let (mut house, data) = (House::open().await, tempfile::tempdir().unwrap());
    let running = started(&house, data.path()).await;
    let hello = house.welcome().await;
    assert_eq!((hello.capacity, hello.floors.len(), hello.era), (12, 0, 0));
    assert_eq!(
        hello.speech_address,
        running.address("speech.listen").unwrap().to_string()
    );
    running.ready().await.unwrap();

    let portable = Portable::connect(air(&running), 0x01234).await;
    assert_eq!(
        (
            portable.beacon.capabilities[0],
            portable.beacon.synchronised
        ),
        (0x30, true)
    );
    let id = connection(&mut house).await;
    portable.says(b"{CC-SETUP}");
    let up = nwk_up(&mut house).await;
    assert_eq!(
        (up.connection_id, up.seq, &up.pdu[..]),
        (id, 1, &b"{CC-SETUP}"[..])
    );
    bind(&mut house, id).await;
    let long = vec![0x5A; 100];
    for (seq, pdu) in [(1, b"{CC-SETUP-ACK}".to_vec()), (2, long.clone())] {
        house
            .orders(|order| {
                Down::NwkDown(radio::NwkDown {
                    order,
                    connection_id: id,
                    seq,
                    pdu: pdu.into(),
                })
            })
            .await;
    }
    portable
        .until("both messages", |ear| {
            ear.messages == [b"{CC-SETUP-ACK}".to_vec(), long.clone()]
        })
        .await;
    house
        .orders(|order| {
            let reason = DownReason::Normal.into();
            Down::ReleaseConnection(radio::ReleaseConnection {
                order,
                connection_id: id,
                reason,
            })
        })
        .await;
    let down = house
        .hears(|body| {
            if let Up::ConnectionDown(down) = body {
                Some(down)
            } else {
                None
            }
        })
        .await;
    assert_eq!(
        (down.connection_id, down.reason()),
        (id, DownReason::Normal)
    );
    portable
        .until("release", |ear| ear.released.is_some())
        .await;
    assert_eq!(running.drain(Duration::from_secs(2)).await, Ended::Cleanly);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_goes_both_ways_under_srtp() {
    let (mut house, data) = (House::open().await, tempfile::tempdir().unwrap());
    let running = started(&house, data.path()).await;
    house.welcome().await;
    let portable = Portable::connect(air(&running), 0x01234).await;
    let id = connection(&mut house).await;
    bind(&mut house, id).await;
    let media = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let path = SpeechPath {
        remote: media.local_addr().unwrap().to_string(),
        ssrc_out: 0xA,
        ssrc_in: 0xB,
        payload_type: 96,
        srtp: Some(PathSrtp {
            suite: SrtpSuite::AesCm128HmacSha180.into(),
            key_out: vec![1; 30].into(),
            key_in: vec![2; 30].into(),
        }),
    };
    house
        .orders(|order| {
            Down::OpenSpeech(radio::OpenSpeech {
                order,
                connection_id: id,
                path: Some(path),
                dscp: 46,
            })
        })
        .await;
    portable.speaks();

    let key = |octet| KeyMaterial::new(Suite::AesCm128HmacSha1_80, &[octet; 30]).unwrap();
    let mut receiver = Receiver::new(&key(1), Mki::default()).unwrap();
    let mut sender = Sender::new(&key(2), Mki::default(), 0).unwrap();
    let to = running.address("speech.listen").unwrap();
    let mut sequences = Vec::new();
    let mut octets = [0; 512];
    while sequences.len() < 100 {
        let length = tokio::time::timeout(Duration::from_secs(20), media.recv(&mut octets))
            .await
            .unwrap()
            .unwrap();
        let length = receiver.unprotect(&mut octets[..length]).unwrap();
        let packet = Packet::parse(&octets[..length]).unwrap();
        let mark = packet.air.expect("the air's mark");
        if !mark.first_bad && !mark.second_bad {
            let (first, second) = packet.payload.split_at(40);
            assert_eq!(
                (first, second),
                (&[mark.frame as u8; 40][..], &[mark.frame as u8 + 1; 40][..])
            );
        }
        // Each packet is answered by one, so that the other way has the same pace.
        let number = packet
            .header
            .sequence
            .wrapping_sub(*sequences.first().unwrap_or(&packet.header.sequence));
        let header = Header {
            marker: false,
            payload_type: 96,
            sequence: number,
            timestamp: u32::from(number) * 160,
            ssrc: 0xB,
        };
        sequences.push(packet.header.sequence);
        let mut down = [0; 256];
        let start = header.write(None, &mut down).unwrap();
        down[start..start + 80].fill(number as u8 | 0x80);
        let length = sender.protect(&mut down, start + 80).unwrap();
        media.send_to(&down[..length], to).await.unwrap();
    }
    assert!(
        sequences
            .windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(1)),
        "no gap: {sequences:?}"
    );
    portable
        .until("speech of the media resource", |ear| {
            ear.b_fields
                .iter()
                .filter(|b| b[0] != 0xFF && b[0] & 0x80 != 0)
                .count()
                > 100
        })
        .await;
    let report = house
        .hears(|body| {
            if let Up::ConnectionReport(report) = body {
                Some(report)
            } else {
                None
            }
        })
        .await;
    assert!((300..700).contains(&report.frames), "{report:?}");
    // Drained with speech open: it lasts until the deadline, then the server learns why it ended.
    let drained = running.clone();
    let drain = tokio::spawn(async move { drained.drain(Duration::from_secs(2)).await });
    let down = house
        .hears(|body| {
            if let Up::ConnectionDown(down) = body {
                Some(down)
            } else {
                None
            }
        })
        .await;
    assert_eq!(
        (down.reason(), down.last_report.is_some()),
        (DownReason::Drained, true)
    );
    assert_eq!(drain.await.unwrap(), Ended::Cleanly);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_outlives_its_server_and_its_messages_wait() {
    let (mut house, data) = (House::open().await, tempfile::tempdir().unwrap());
    let running = started(&house, data.path()).await;
    house.welcome().await;
    let portable = Portable::connect(air(&running), 0x01234).await;
    let id = connection(&mut house).await;
    bind(&mut house, id).await;
    let mut house = house.close().await.open().await;
    portable.says(b"key pressed meanwhile");
    let hello = house.welcome().await;
    assert_eq!((hello.era, hello.floors.len()), (1, 1024));
    let inventory = house
        .hears(|body| {
            if let Up::Inventory(i) = body {
                Some(i)
            } else {
                None
            }
        })
        .await;
    assert_eq!(
        (inventory.query_id, inventory.connections[0].connection_id),
        (0, id)
    );
    // Said before the link stood, it is in the inventory; said later, it comes by itself.
    let told = match inventory.connections[0].unacked.first() {
        Some(up) => up.clone(),
        None => nwk_up(&mut house).await,
    };
    assert_eq!(
        (told.seq, &told.pdu[..]),
        (1, &b"key pressed meanwhile"[..])
    );
    house
        .orders(|order| {
            Down::Adopt(radio::Adopt {
                order,
                connection_id: id,
            })
        })
        .await;
    house
        .orders(|order| {
            Down::NwkAck(radio::NwkAck {
                order,
                connection_id: id,
                seq: 1,
            })
        })
        .await;
    let bursts = portable.ear.lock().bursts;
    portable
        .until("bursts go on", |ear| ear.bursts > bursts + 50)
        .await;
    running.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_is_said_before_anything_runs() {
    let (house, data) = (House::open().await, tempfile::tempdir().unwrap());
    let unknown = house.token();
    let used = house.token();
    let error = |token: Option<EnrolToken>| {
        let config = configuration(&house.address, token.as_ref(), data.path());
        async move { start(config, environment()).await.unwrap_err() }
    };
    // Only the latest token of this house is good.
    let wrong = error(Some(unknown)).await;
    assert!(
        matches!(wrong, StartError::Enrol { usage: false, .. }),
        "{wrong}"
    );
    assert!(wrong.to_string().contains("the token is wrong"), "{wrong}");
    let missing = error(None).await;
    assert_eq!(missing.exit_code(), 64, "{missing}");
    let running = start(
        configuration(&house.address, Some(&used), data.path()),
        environment(),
    )
    .await
    .unwrap();
    let locked = error(None).await;
    assert!(matches!(locked, StartError::Locked { .. }), "{locked}");
    let taken = Config {
        air_listen: air(&running),
        ..configuration(&house.address, None, tempfile::tempdir().unwrap().path())
    };
    let taken = start(taken, environment()).await.unwrap_err();
    assert!(
        matches!(&taken, StartError::PortInUse { key, .. } if key == "radio.virtual.listen"),
        "{taken}"
    );
    assert_eq!(running.drain(Duration::from_secs(1)).await, Ended::Cleanly);
    // The certificate is there now, so no token is needed any more.
    let again = start(
        configuration(&house.address, None, data.path()),
        environment(),
    )
    .await
    .unwrap();
    again.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_that_starts_before_its_server_enrols_when_that_is_there() {
    let (house, data) = (House::open().await, tempfile::tempdir().unwrap());
    let config = configuration(&house.address, Some(&house.token()), data.path());
    let closed = house.close().await;
    let running = start(config, environment()).await.unwrap();
    assert_eq!(running.not_ready(), ["no server yet"]);
    let mut house = closed.open().await;
    house.welcome().await;
    running.ready().await.unwrap();
    assert_eq!(running.drain(Duration::from_secs(1)).await, Ended::Cleanly);
}
