//! Starts a server: store, trust, claims, SIP, actors, links, in this order.

mod addresses;
mod contents;
mod devices;
mod foundation;
mod inherited;
mod running;
mod sip;
mod steward;

pub use running::Running;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipdect_link::accept::{Attach, Door, Enrolments, Terms};
use ipdect_link::contract::{MediaLink, RadioLink};
use ipdect_link::negotiate::Offer;
use ipdect_link::pki::tls::server_config;
use ipdect_link::release::Release;
use ipdect_node::run_file::RunFile;
use ipdect_node::{Environment, StartError};
use ipdect_proto::cluster::v1::directory_server::DirectoryServer;
use ipdect_proto::cluster::v1::live_server::LiveServer;
use ipdect_proto::link::v1::enrolment_server::EnrolmentServer;
use ipdect_proto::media::v1::media_server::MediaServer;
use ipdect_proto::radio::v1::radio_server::RadioServer;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::core::Core;
use crate::directory::service;
use crate::handset::registry::Handsets;
use crate::keep::Keeper;
use crate::links::{Gate, Present, serve_bases, serve_media, watch_orders};
use crate::live_service;
use crate::profile::{Documents, shared};
use crate::threads::Threads;
use crate::trust::{Trust, other};
use foundation::Foundation;
use running::Ending;
use sip::SipSide;
use steward::Steward;

/// How long an enrolment token is good for unless it says otherwise.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// What to do about a certificate or key that cannot be used.
const SEE_PKI: &str = "see the files in the folder pki of the data directory";

/// Starts a server.
///
/// # Errors
/// [`StartError`] that names the key, the value and the remedy. Nothing is left bound then.
pub async fn start(config: Config, env: Environment) -> Result<Running, StartError> {
    let ground = Foundation::lay(&config, &env).await?;
    let stop = CancellationToken::new();
    // A step that fails below ends what was begun above it.
    let unless_started = stop.clone().drop_guard();
    let threads = Threads::start("handsets")?;
    let handsets = Handsets::new(threads.arbiters());
    let sip = SipSide::open(&config, &ground, &handsets, &env, &stop).await?;
    let core = join(&ground, &handsets, &sip);
    let sender = sip.sender(&env);
    core.connect(sender.clone(), keeper(&ground, &handsets));
    let steward = Arc::new(Steward::new(core.clone(), &sip, sender));
    let gate = gate(&ground, &core, &sip.documents);
    steward.leads(gate.clone());

    let tls = Arc::new(ArcSwap::from(link_tls(&ground.trust)?));
    let (radio, radio_links) = Attach::<RadioLink>::new(gate.clone(), &stop);
    let (media, media_links) = Attach::<MediaLink>::new(gate.clone(), &stop);
    let live = live_service::Service {
        live: core.live.clone(),
        subscriptions: steward.clone(),
        followers: live_service::Followers::default(),
    };
    let door = Door::new(ground.link, tls, gate.clone())
        .with(RadioServer::new(radio))
        .with(MediaServer::new(media))
        .with(EnrolmentServer::new(Enrolments::new(
            ground.admission.clone(),
        )))
        .with(DirectoryServer::new(service::Service(
            core.directory.clone(),
        )))
        .with(LiveServer::new(live));

    devices::list(&core);
    let inherited = inherited::read(&core.directory, &core.fences).await?;
    core.inherit(inherited.presence, inherited.calls, inherited.lost);
    core.start_all();
    let present: Arc<dyn Present> = steward.clone();
    tokio::spawn(serve_bases(core.clone(), present.clone(), radio_links));
    tokio::spawn(serve_media(core.clone(), present, media_links));
    tokio::spawn(watch_orders(core.clone(), stop.clone()));
    tokio::spawn(steward.clone().follow_changes(stop.clone()));
    let house = steward.clone();
    tokio::spawn(house.keep_house(ground.membership, ground.store, stop.clone()));

    let mut addresses: Vec<(String, SocketAddr)> =
        vec![("link.listen".into(), ground.link_address)];
    addresses.extend(sip.addresses());
    let (node, control) = ipdect_node::Running::new("server", addresses);
    let run_file = RunFile::write(&config.common.data_dir, &Release::ours().to_string(), &node)?;
    control.set_ready();
    info!(node = %ground.node, link = %ground.link_address, sip = %sip.bound.udp, "server started");
    let ending = Ending {
        core,
        gate,
        stop: stop.clone(),
        threads,
        _lock: ground.lock,
        _run_file: run_file,
    };
    tokio::spawn(async move {
        let served = door.serve(stop).await;
        if let Err(error) = served {
            warn!(%error, "the link port closed");
        }
    });
    tokio::spawn(ending.wait(control));
    unless_started.disarm();
    Ok(Running {
        node,
        admission: ground.admission,
        subscriptions: steward,
    })
}

/// The shared parts.
fn join(ground: &Foundation, handsets: &Handsets, sip: &SipSide) -> Arc<Core> {
    let settings = shared(
        &sip.documents,
        sip.sent_by.clone(),
        sip.domain_port(),
        false,
    );
    Core::new(
        ground.node.as_str().into(),
        ground.directory.clone(),
        ground.live.clone(),
        handsets.clone(),
        ground.fences.clone(),
        settings,
    )
}

/// The task that writes for the handsets.
fn keeper(ground: &Foundation, handsets: &Handsets) -> Keeper {
    let answers = handsets.clone();
    Keeper::start(
        ground.directory.clone(),
        ground.fences.clone(),
        ground.node.as_str().into(),
        Arc::new(move |ipei, event| answers.answer(ipei, event)),
    )
}

/// Who may link, and on which terms.
fn gate(ground: &Foundation, core: &Arc<Core>, documents: &Documents) -> Arc<Gate> {
    let terms = Terms {
        node_id: ground.node.clone(),
        boot_id: ground.boot,
        store_id: ground.trust.store_id.clone(),
        heartbeat: Duration::from_millis(u64::from(documents.links.heartbeat_ms)),
        orphan_grace: Duration::from_secs(u64::from(documents.links.orphan_grace_s)),
        servers: vec![(ground.node.clone(), ground.advertised.clone())],
    };
    let mut offer = Offer::of(ground.trust.cluster_id.clone());
    offer.allow_not_stated = documents.links.compat_unknown_allow;
    let admission = ground.admission.clone();
    Arc::new(Gate::new(admission, core.clone(), terms, offer))
}

/// TLS of the link port, with the server's own certificate.
fn link_tls(trust: &Trust) -> Result<Arc<rustls::ServerConfig>, StartError> {
    server_config(&trust.credentials).map_err(|e| other(e.to_string(), SEE_PKI))
}

#[cfg(test)]
mod tests;
