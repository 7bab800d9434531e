//! A portable on a real socket: tunes in, sets up a bearer, answers each burst, speaks LAPC.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipdect_dect::dlc::{Lapc, Output, Side};
use ipdect_dect::mac::air::{
    AccessKind, Beacon, Body, Burst, Datagram, Header, Position, ReleaseReason,
};
use ipdect_dect::mac::segments::CChannel;
use ipdect_dect::mac::{ALL_PORTABLES, BField, FrameNumber, Pmid};
use parking_lot::Mutex;
use tokio::net::UdpSocket;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the portable has heard and is to say.
#[derive(Default)]
pub(crate) struct Ear {
    pub(crate) messages: Vec<Vec<u8>>,
    pub(crate) b_fields: Vec<BField>,
    pub(crate) released: Option<ReleaseReason>,
    pub(crate) bursts: u32,
    to_say: Vec<Vec<u8>>,
    speaks: bool,
}

pub(crate) struct Portable {
    pub(crate) ear: Arc<Mutex<Ear>>,
    pub(crate) beacon: Beacon,
}

impl Portable {
    /// Finds the base, sets up a connection, and lives on in a task.
    pub(crate) async fn connect(base: SocketAddr, pmid: u32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(base).await.unwrap();
        let pmid = Pmid::from_bits(pmid).unwrap();
        let find = async {
            let (heard, beacon) = tune(&socket).await;
            let header = Header { pmid, ..heard };
            let bearer = access(&socket, header).await;
            (Header { bearer, ..header }, beacon)
        };
        let (header, beacon) = tokio::time::timeout(PATIENCE, find)
            .await
            .expect("a bearer in time");
        let ear = Arc::new(Mutex::new(Ear::default()));
        tokio::spawn(live(socket, header, ear.clone()));
        Self { ear, beacon }
    }

    pub(crate) fn says(&self, message: &[u8]) {
        self.ear.lock().to_say.push(message.to_vec());
    }

    /// From now on each burst carries speech: the low octet of its frame number, 40 times.
    pub(crate) fn speaks(&self) {
        self.ear.lock().speaks = true;
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Ear) -> bool) {
        let started = Instant::now();
        while !holds(&self.ear.lock()) {
            assert!(started.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn receive(socket: &UdpSocket) -> Datagram {
    let mut octets = [0; 512];
    let length = socket.recv(&mut octets).await.unwrap();
    Datagram::parse(&octets[..length]).expect("a base sends what parses")
}

fn place() -> Header {
    Header {
        frame: FrameNumber::default(),
        position: Position::from_metres([5.0, 0.0, 1.0]),
        power_dbm: 24,
        bearer: 0,
        rfpi: [0; 5],
        pmid: ALL_PORTABLES,
    }
}

async fn tune(socket: &UdpSocket) -> (Header, Beacon) {
    loop {
        let tune = Datagram {
            header: place(),
            body: Body::Tune { seconds: 60 },
        };
        socket.send(&tune.to_vec()).await.unwrap();
        let Ok(datagram) = tokio::time::timeout(Duration::from_millis(300), receive(socket)).await
        else {
            continue;
        };
        if let Body::Beacon(beacon) = datagram.body
            && !beacon.busy
        {
            return (
                Header {
                    rfpi: datagram.header.rfpi,
                    ..place()
                },
                beacon,
            );
        }
    }
}

async fn access(socket: &UdpSocket, header: Header) -> u8 {
    loop {
        let access = Datagram {
            header,
            body: Body::Access {
                kind: AccessKind::Access,
                attempt: 1,
            },
        };
        socket.send(&access.to_vec()).await.unwrap();
        let datagram = receive(socket).await;
        if datagram.body == Body::Confirm {
            return datagram.header.bearer;
        }
    }
}

async fn live(socket: UdpSocket, header: Header, ear: Arc<Mutex<Ear>>) {
    let mut channel = CChannel::new();
    let mut lapc = Lapc::new(Side::Portable, header.pmid.lsig());
    loop {
        let datagram = receive(&socket).await;
        let frame = datagram.header.frame;
        match datagram.body {
            Body::Burst(burst) => {
                let answer = {
                    let mut ear = ear.lock();
                    hear(&mut ear, &mut channel, &mut lapc, frame, &burst);
                    speak(&mut ear, &mut channel, frame)
                };
                let datagram = Datagram {
                    header: Header { frame, ..header },
                    body: Body::Burst(answer),
                };
                socket.send(&datagram.to_vec()).await.unwrap();
            }
            Body::Release(reason) => ear.lock().released = Some(reason),
            _ => {}
        }
    }
}

fn hear(ear: &mut Ear, channel: &mut CChannel, lapc: &mut Lapc, frame: FrameNumber, burst: &Burst) {
    ear.bursts += 1;
    ear.b_fields.extend(burst.b_field);
    let now = Instant::now();
    let heard = channel.heard(frame, burst);
    let mut outputs: Vec<Output> = heard
        .segment
        .map(|s| lapc.segment(now, s))
        .unwrap_or_default();
    for message in ear.to_say.drain(..) {
        outputs.extend(lapc.send(now, &message).unwrap());
    }
    for output in outputs {
        match output {
            Output::Transmit(octets) => channel.push_frame(&octets),
            Output::Deliver(message) => ear.messages.push(message),
            _ => {}
        }
    }
}

fn speak(ear: &mut Ear, channel: &mut CChannel, frame: FrameNumber) -> Burst {
    Burst {
        ct: channel.outgoing(frame),
        expected: channel.expected(),
        b_field: ear.speaks.then_some([frame.value() as u8; 40]),
        ciphered: false,
        heard_dbm: Some(-40),
    }
}
