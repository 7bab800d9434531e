//! The server's side of links to devices: who may link, what each is told first, and what becomes of what it says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipdect_dect::nwk::FixedPartCapabilities;
use ipdect_link::accept::{Accepted, Gatekeeper, Terms};
use ipdect_link::contract::{Contract, MediaLink, RadioLink};
use ipdect_link::identity::PeerIdentity;
use ipdect_link::live::LinkEnd;
use ipdect_link::negotiate::Offer;
use ipdect_link::role::{NodeId, Role, role_name};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::link::v1::{Hello, LinkUse, Refusal};
use ipdect_proto::media::v1 as media;
use ipdect_proto::media::v1::server_to_media::Body as ToMedia;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::base_to_server::Body as FromBase;
use ipdect_proto::radio::v1::server_to_base::Body as ToBase;
use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::core::Core;
use crate::enrol::Admission;
use crate::live::{Told, utc_ms};
use crate::profile::{Documents, park};

/// How often orders without result are looked for.
const OVERDUE_CHECK: Duration = Duration::from_millis(500);

/// Decides who may link, and remembers refusals for the operator.
pub struct Gate {
    admission: Arc<Admission>,
    core: Arc<Core>,
    terms: RwLock<Terms>,
    offer: RwLock<Offer>,
}

impl Gate {
    /// A gate with these terms.
    #[must_use]
    pub fn new(admission: Arc<Admission>, core: Arc<Core>, terms: Terms, offer: Offer) -> Self {
        Self {
            admission,
            core,
            terms: RwLock::new(terms),
            offer: RwLock::new(offer),
        }
    }

    /// Takes new settings of the links page.
    pub fn configure(&self, links: &admin::LinkSettings) {
        let mut terms = self.terms.write();
        terms.heartbeat = Duration::from_millis(u64::from(links.heartbeat_ms));
        terms.orphan_grace = Duration::from_secs(u64::from(links.orphan_grace_s));
        self.offer.write().allow_not_stated = links.compat_unknown_allow;
    }

    /// An admin API has no link of its own: it is up while it asks.
    fn heard(&self, node: &str) {
        let up = self
            .core
            .live
            .find_device(node)
            .and_then(|d| d.status)
            .is_some_and(|s| s.state() == admin::DeviceState::Up);
        if !up {
            self.core.live.update_device(node, |device| {
                let status = device.status.get_or_insert_default();
                status.state = admin::DeviceState::Up.into();
                status.seen_utc_ms = utc_ms();
            });
        }
    }

    /// Lets nobody in any more.
    pub fn drain(&self) {
        self.offer.write().draining = true;
    }
}

impl Gatekeeper for Gate {
    fn knows(&self, identity: &PeerIdentity) -> bool {
        let known = self.admission.knows(identity);
        if known && identity.role == Role::Admin {
            self.heard(identity.node_id.as_str());
        }
        known
    }

    fn offer(&self) -> Offer {
        self.offer.read().clone()
    }

    fn terms(&self) -> Terms {
        self.terms.read().clone()
    }

    fn refused(
        &self,
        identity: &PeerIdentity,
        address: SocketAddr,
        hello: &Hello,
        refusal: &Refusal,
    ) {
        let node = identity.node_id.as_str();
        let role = role_name(identity.role);
        let reason = refusal
            .reason()
            .as_str_name()
            .trim_start_matches("REFUSAL_REASON_");
        let mut device = self
            .core
            .live
            .find_device(node)
            .unwrap_or_else(|| admin::Device {
                node_id: node.into(),
                role: identity.role.into(),
                ..Default::default()
            });
        // A unit that is linked under this name stays as it is; the refused one is told as an event only.
        let linked = device
            .status
            .as_ref()
            .is_some_and(|s| s.state() == admin::DeviceState::Up);
        if !linked {
            device.release.clone_from(&hello.release);
            device.status = Some(admin::DeviceStatus {
                state: admin::DeviceState::Refused.into(),
                address: address.to_string(),
                refusal: Some(refusal.clone()),
                refused_utc_ms: utc_ms(),
                ..Default::default()
            });
            self.core.live.device(device);
        }
        self.core.live.event(Told {
            code: "link.refused",
            severity: admin::Severity::Warning,
            subject: node.into(),
            text: format!(
                "{role} {node} ({}) at {} was refused: {reason}.",
                hello.release,
                address.ip()
            ),
            remedy: refusal.remedy.clone(),
        });
        warn!(node, %address, reason, rule = %refusal.rule, "a link was refused");
    }
}

/// What base stations are told of the system.
#[must_use]
pub fn configure_base(
    documents: &Documents,
    revision: u64,
    rpn: u32,
    subscription_open: bool,
) -> radio::Configure {
    let park = park(&documents.dect);
    let open = subscription_open || documents.dect.subscription_open;
    let mut capabilities = [0; 8];
    capabilities[3..].copy_from_slice(&FixedPartCapabilities::ours(open).0);
    let ari = park.ari();
    // Left-aligned in five octets.
    let bits = ari.bits() << (40 - u32::from(ari.length()));
    radio::Configure {
        revision,
        park: Bytes::copy_from_slice(&bits.to_be_bytes()[3..]),
        rpn,
        capabilities: u64::from_be_bytes(capabilities),
        handover_reserve: documents.dect.handover_reserve,
        // The base with the lowest number leads; there is no radio to synchronise yet.
        sync_role: if rpn == 0 {
            radio::SyncRole::Master
        } else {
            radio::SyncRole::Slave
        }
        .into(),
        trace_sampling: 1.0,
        park_length_bits: u32::from(park.pli()),
    }
}

/// What media resources are told of the system.
#[must_use]
pub fn configure_media(documents: &Documents, revision: u64) -> media::Configure {
    media::Configure {
        revision,
        tone_region: documents.media.tone_region.clone(),
        silence_after_ms: 10_000,
        trace_sampling: 1.0,
    }
}

/// What links need to know of the configuration at the moment.
pub trait Present: Send + Sync + 'static {
    /// The documents, their revision as devices see it, and whether subscription is open.
    fn present(&self) -> (Documents, u64, bool);
}

/// Serves the links of base stations as they come.
pub async fn serve_bases(
    core: Arc<Core>,
    present: Arc<dyn Present>,
    mut links: mpsc::Receiver<Accepted<RadioLink>>,
) {
    while let Some(link) = links.recv().await {
        tokio::spawn(serve_base(core.clone(), present.clone(), link));
    }
}

async fn serve_base(core: Arc<Core>, present: Arc<dyn Present>, mut link: Accepted<RadioLink>) {
    let node = link.identity.node_id.clone();
    let rpn = core
        .directory
        .book()
        .device(node.as_str())
        .map_or(0, |k| k.row.rpn);
    let active = link.hello.link_use() != LinkUse::Standby;
    up(&core, &node, &link, active);
    let (documents, revision, open) = present.present();
    let greeting = [
        ToBase::FenceFloor(core.fences.floors()),
        ToBase::Configure(configure_base(&documents, revision, rpn, open)),
    ];
    for body in greeting {
        // A link that is over already ends the loop below.
        let _ = link.sender.send(Bytes::new(), body);
    }
    let mut base = None;
    if active {
        base = attach_base(&core, &link, rpn);
    }
    while let Some(message) = link.receiver.recv().await {
        if base.is_none() && matches!(message.body, Some(FromBase::Inventory(_))) {
            // An unasked inventory on a standby link says: you are active now.
            base = attach_base(&core, &link, rpn);
            up(&core, &node, &link, true);
        }
        if let Some(base) = &base {
            core.radio.received(base, message);
        }
    }
    let end = link.receiver.handle().ended().await;
    if let Some(base) = &base {
        core.radio.detached(base, link.sender.handle());
    }
    down(&core, &node, &end);
}

fn attach_base(
    core: &Core,
    link: &Accepted<RadioLink>,
    rpn: u32,
) -> Option<Arc<crate::radio::pool::Base>> {
    let Ok(speech) = link.hello.speech_address.parse() else {
        warn!(node = %link.identity.node_id, address = %link.hello.speech_address, "a base station names no speech address");
        link.sender
            .handle()
            .end(LinkEnd::Protocol("Hello without speech address"));
        return None;
    };
    let rpn = u8::try_from(rpn).unwrap_or(u8::MAX);
    Some(core.radio.attached(
        link.identity.node_id.as_str(),
        link.hello.boot_id,
        rpn,
        speech,
        link.sender.clone(),
    ))
}

/// Serves the links of media resources as they come.
pub async fn serve_media(
    core: Arc<Core>,
    present: Arc<dyn Present>,
    mut links: mpsc::Receiver<Accepted<MediaLink>>,
) {
    while let Some(link) = links.recv().await {
        tokio::spawn(serve_resource(core.clone(), present.clone(), link));
    }
}

async fn serve_resource(core: Arc<Core>, present: Arc<dyn Present>, mut link: Accepted<MediaLink>) {
    let node = link.identity.node_id.clone();
    up(&core, &node, &link, true);
    let (documents, revision, _) = present.present();
    // A link that is over already ends the loop below.
    let _ = link
        .sender
        .send(Bytes::new(), ToMedia::FenceFloor(core.fences.floors()));
    let _ = link.sender.send(
        Bytes::new(),
        ToMedia::Configure(configure_media(&documents, revision)),
    );
    let resource = core.media.attached(
        node.as_str(),
        link.hello.boot_id,
        link.hello.capacity,
        link.sender.clone(),
    );
    while let Some(message) = link.receiver.recv().await {
        core.media.received(&resource, message);
    }
    let end = link.receiver.handle().ended().await;
    core.media.detached(&resource, link.sender.handle());
    down(&core, &node, &end);
}

fn up<C: Contract>(core: &Core, node: &NodeId, link: &Accepted<C>, active: bool) {
    info!(%node, release = %link.release, generation = link.generation, "linked");
    let stored = core
        .directory
        .book()
        .device(node.as_str())
        .map(|k| (k.row.clone(), k.revision));
    let mut device = stored
        .as_ref()
        .and_then(|(row, _)| row.device.clone())
        .unwrap_or_default();
    device.node_id = node.as_str().into();
    device.role = link.identity.role.into();
    device.release = link.release.to_string();
    device.rpn = stored.as_ref().map_or(0, |(row, _)| row.rpn);
    device.revision = stored.map_or(0, |(_, revision)| revision);
    let warning = if link.not_stated {
        "The maker does not state that this release works with the server's."
    } else {
        ""
    };
    device.status = Some(admin::DeviceStatus {
        state: admin::DeviceState::Up.into(),
        address: link.address.to_string(),
        boot_id: link.hello.boot_id,
        capacity: link.hello.capacity,
        seen_utc_ms: utc_ms(),
        links: vec![admin::DeviceLink {
            server_node_id: core.node.clone(),
            active,
            generation: link.generation,
            since_utc_ms: utc_ms(),
            round_trip_us: 0,
        }],
        warning: warning.into(),
        ..Default::default()
    });
    core.live.device(device);
    metrics::counter!("ipdect_link_opened_total", "role" => role_name(link.identity.role))
        .increment(1);
}

fn down(core: &Core, node: &NodeId, end: &LinkEnd) {
    info!(%node, %end, "link ended");
    if *end == LinkEnd::Replaced {
        return;
    }
    core.live.update_device(node.as_str(), |device| {
        let status = device.status.get_or_insert_default();
        status.state = admin::DeviceState::Down.into();
        status.links.clear();
        status.busy = 0;
    });
    core.live.event(Told {
        code: "link.down",
        severity: admin::Severity::Warning,
        subject: node.as_str().into(),
        text: format!("The link to {node} ended: {end}."),
        remedy: "Look whether the unit runs and can reach this server.".into(),
    });
}

/// A link that leaves an order without result for 2 s counts as dead; a media resource that stays away is given up.
pub async fn watch_orders(core: Arc<Core>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(OVERDUE_CHECK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = Instant::now();
        core.radio.end_overdue(now);
        core.media.end_overdue(now);
        core.media.give_up_absent(now);
    }
}
