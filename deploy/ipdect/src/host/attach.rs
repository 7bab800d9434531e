//! The host's link to the admin API: tells of each portable, takes orders to press keys. Source: contracts 13.

use std::path::Path;
use std::time::{Duration, Instant};

use ipdect_link::backoff::Backoff;
use ipdect_link::release::Release;
use ipdect_node::{Random, StartError};
use ipdect_portable::CallState;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::portable_report::Body;
use ipdect_proto::admin::v1::virtual_handsets_client::VirtualHandsetsClient;
use ipdect_proto::admin::v1::{
    PortableCallState, PortableHello, PortableLinkState, PortableOrder, PortableReport, PressResult,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::sound::Speech;
use super::{Host, Known, View, keys};

/// Name of the admin API in its certificate; source: contracts 4.
pub(crate) const ADMIN_NAME: &str = "admin.ipdect.internal";
/// Reports that wait to be sent.
const QUEUE: usize = 256;
/// Value of `<<SIGNAL>>` of the first ringing pattern; source: EN 300 175-5 section 7.6.8.
const FIRST_PATTERN: u32 = 0x40;
/// A link that stood for this long was a good one: the next is tried soon.
const STOOD: Duration = Duration::from_secs(10);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Where the admin API is, and who asks.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    endpoint: Endpoint,
    node_id: String,
}

impl Door {
    /// The admin API at `address` (`host:port`), with the certificate in a `pki` folder.
    ///
    /// # Errors
    /// [`StartError`] if the certificate cannot be read or used.
    pub(crate) fn new(address: &str, pki: &Path, node_id: &str) -> Result<Self, StartError> {
        let read = |name: &str| {
            let path = pki.join(name);
            std::fs::read(&path).map_err(|error| {
                StartError::file(path, error, "enrol anew with a token for role host")
            })
        };
        let tls = ClientTlsConfig::new()
            .domain_name(ADMIN_NAME)
            .ca_certificate(Certificate::from_pem(read("ca.pem")?))
            .identity(Identity::from_pem(read("node.pem")?, read("node.key")?));
        let endpoint = Endpoint::from_shared(format!("https://{address}"))
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(|error| StartError::Other {
                what: format!("the admin API at {address:?} cannot be dialled: {error}"),
                remedy: "write its address as host:port".into(),
            })?;
        Ok(Self {
            endpoint: endpoint
                .connect_timeout(CONNECT)
                .http2_keep_alive_interval(Duration::from_secs(2))
                .keep_alive_timeout(Duration::from_secs(1))
                .tcp_nodelay(true),
            node_id: node_id.to_owned(),
        })
    }
}

/// Keeps the portables attached, for ever.
pub(crate) async fn attach(host: Host, door: Door, random: Random) {
    let mut wait = Backoff::default();
    let mut rng = random.generator();
    loop {
        let begun = Instant::now();
        if let Err(status) = converse(&host, &door).await {
            let why = status.message();
            tracing::warn!(code = ?status.code(), why, "the admin API does not show the portables");
        }
        if begun.elapsed() > STOOD {
            wait.reset();
        }
        tokio::time::sleep(wait.unreachable(&mut *rng)).await;
    }
}

/// One link, until it ends.
async fn converse(host: &Host, door: &Door) -> Result<(), tonic::Status> {
    let unreachable =
        |error: tonic::transport::Error| tonic::Status::unavailable(error.to_string());
    let channel: Channel = door.endpoint.connect().await.map_err(unreachable)?;
    let (reports, queue) = mpsc::channel(QUEUE);
    let hello = PortableHello {
        node_id: door.node_id.clone(),
        release: Release::ours().to_string(),
        portables: host.known().iter().map(portable).collect(),
    };
    // Queued before the call is awaited: the other side may wait for it before it answers.
    let _ = reports.send(report(Body::Hello(hello))).await;
    let mut client = VirtualHandsetsClient::new(channel);
    let mut orders = client
        .attach(ReceiverStream::new(queue))
        .await?
        .into_inner();
    let mut watchers = tokio::task::JoinSet::new();
    for known in host.known() {
        watchers.spawn(tell(known.clone(), reports.clone()));
    }
    while let Some(order) = orders.message().await? {
        let result = PressResult {
            order_id: order.order_id,
            error: obey(host, order).await.err().unwrap_or_default(),
        };
        if reports.send(report(Body::Result(result))).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Tells each change of one portable, the latest if they come faster than they are taken.
async fn tell(mut known: Known, reports: mpsc::Sender<PortableReport>) {
    while known.view.changed().await.is_ok() {
        known.view.borrow_and_update();
        let body = Body::Portable(portable(&known));
        if reports.send(report(body)).await.is_err() {
            return;
        }
    }
}

async fn obey(host: &Host, order: PortableOrder) -> Result<(), String> {
    let press = order.press.ok_or("the order is empty")?;
    let ipei = press
        .ipei
        .parse()
        .map_err(|error| format!("ipei: {error}"))?;
    let index = host.find(ipei).ok_or("this portable does not run here")?;
    let keys = keys::parse(&press.keys).map_err(|error| error.to_string())?;
    let speech = match press.speech_source.as_str() {
        "" => None,
        source => Some(Speech::from_afar(source).map_err(|error| error.to_string())?),
    };
    host.press(index, keys, speech)
        .await
        .map_err(|error| error.to_string())
}

fn report(body: Body) -> PortableReport {
    PortableReport {
        trace: Default::default(),
        body: Some(body),
    }
}

fn portable(known: &Known) -> admin::Portable {
    let view = known.view.borrow();
    let status = &view.status;
    let (rpn, rssi_dbm) = status.base.unwrap_or_default();
    admin::Portable {
        ipei: known.ipei.digits(),
        number: known.number.clone(),
        display: status.display.clone(),
        ringer: status
            .ringing
            .map_or(0, |pattern| FIRST_PATTERN + u32::from(pattern)),
        call: call_state(&status.call).into(),
        link: link_state(&view).into(),
        ear_level_dbm0: view.ear_dbm0 as f32,
        rssi_dbm: i32::from(rssi_dbm),
        rpn: u32::from(rpn.0),
        frames: status.ear.frames,
        lost: status.ear.bad + status.ear.lost,
        ear_hz: view.ear_hz as f32,
        gone: false,
        speech_source: view.speech.clone(),
        concealed: status.ear.muted,
    }
}

fn call_state(call: &CallState) -> PortableCallState {
    match call {
        CallState::Idle => PortableCallState::Idle,
        CallState::Calling | CallState::Dialling => PortableCallState::Dialling,
        CallState::Proceeding | CallState::RingBack => PortableCallState::Calling,
        CallState::Ringing { .. } => PortableCallState::Ringing,
        CallState::Answering | CallState::Connected => PortableCallState::Connected,
        CallState::Releasing => PortableCallState::Released,
    }
}

fn link_state(view: &View) -> PortableLinkState {
    let status = &view.status;
    match (status.located, status.subscribed, view.subscribing) {
        (true, ..) => PortableLinkState::Ready,
        (_, true, _) => PortableLinkState::Locating,
        (_, _, true) => PortableLinkState::Subscribing,
        _ if status.base.is_some() => PortableLinkState::NotSubscribed,
        _ => PortableLinkState::NoSignal,
    }
}
