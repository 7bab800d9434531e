//! Starts a server: store, trust, claims, SIP, actors, links, in this order.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use ipdect_cluster::membership::{Membership, start_alone};
use ipdect_cluster::{Embedded, Key, Store, View};
use ipdect_dect::identity::{Ipei, SHARDS};
use ipdect_link::accept::{Attach, Door, Enrolments, Terms};
use ipdect_link::contract::{MediaLink, RadioLink};
use ipdect_link::negotiate::Offer;
use ipdect_link::pki::tls::server_config;
use ipdect_link::release::Release;
use ipdect_link::role::{NodeId, Role};
use ipdect_node::run_file::{Lock, RunFile, create_dir};
use ipdect_node::{Control, Ended, Environment, StartError};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::directory_server::DirectoryServer;
use ipdect_proto::cluster::v1::live_server::LiveServer;
use ipdect_proto::link::v1::enrolment_server::EnrolmentServer;
use ipdect_proto::media::v1::media_server::MediaServer;
use ipdect_proto::media::v1::server_to_media::Body as ToMedia;
use ipdect_proto::radio::v1::radio_server::RadioServer;
use ipdect_proto::radio::v1::server_to_base::Body as ToBase;
use ipdect_sip::user_agent::SentBy;
use parking_lot::Mutex;
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::core::Core;
use crate::directory::plan::Effect;
use crate::directory::{Applied, Directory, service};
use crate::enrol::{Admission, tidy_tokens};
use crate::fence::{Claim, Claims, Fences};
use crate::handset::registry::Handsets;
use crate::initial::Initial;
use crate::keep::{Keeper, presence_of};
use crate::links::{
    Gate, Present, configure_base, configure_media, serve_bases, serve_media, watch_orders,
};
use crate::live::{Live, utc_ms};
use crate::live_service::{self, Subscriptions};
use crate::profile::{Documents, shared};
use crate::sip::dispatch::Dispatch;
use crate::sip::domain;
use crate::sip::resolve::{DnsMethod, Resolver};
use crate::sip::sender::{Routes, Sender};
use crate::sip::tls::{TlsMaterial, TlsSides};
use crate::sip::transport::{Bound, Sink, Transports};
use crate::threads::Threads;
use crate::trust::{self, Sealer, Trust, store_error};

/// How long an enrolment token is good for unless it says otherwise.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long calls have for their release when the server goes.
const FAREWELL: Duration = Duration::from_millis(1500);

/// A running server.
#[derive(Clone)]
pub struct Running {
    node: ipdect_node::Running,
    admission: Arc<Admission>,
    subscriptions: Arc<dyn Subscriptions>,
}

impl Deref for Running {
    type Target = ipdect_node::Running;
    fn deref(&self) -> &ipdect_node::Running {
        &self.node
    }
}

impl Running {
    /// Makes an enrolment token for one unit of a role, good for 24 h.
    ///
    /// # Errors
    /// [`StartError::Store`] if the store does not take it.
    pub async fn issue_token(&self, role: Role) -> Result<String, StartError> {
        let token = self.admission.issue_token(role, 1, TOKEN_LIFE).await;
        token.map(|t| t.reveal()).map_err(|what| StartError::Store {
            what,
            remedy: "see what is said of it".into(),
        })
    }

    /// Opens the system for subscriptions, for whoever started the server; the admin API has a call of its own.
    ///
    /// # Errors
    /// [`StartError::Other`] with the server's reason.
    pub async fn open_subscription(&self, window: Duration) -> Result<(), StartError> {
        let seconds = u32::try_from(window.as_secs()).unwrap_or(u32::MAX);
        match self.subscriptions.set(true, seconds, "system").await {
            Ok(_) => Ok(()),
            Err(what) => Err(other(what, "open it through the admin API")),
        }
    }
}

/// What changes while the server runs: documents, and how they reach everybody.
struct Steward {
    core: Arc<Core>,
    gate: std::sync::OnceLock<Arc<Gate>>,
    sender: Sender,
    sent_by: SentBy,
    domain_port: u16,
    revision: AtomicU64,
    documents: Mutex<Documents>,
    subscription_until: Mutex<Option<SystemTime>>,
}

/// Starts a server.
///
/// # Errors
/// [`StartError`] that names the key, the value and the remedy. Nothing is left bound then.
pub async fn start(config: Config, env: Environment) -> Result<Running, StartError> {
    let folder = config.common.data_dir.clone();
    create_dir(&folder)?;
    let lock = Lock::take(&folder)?;
    let store: Arc<dyn Store> = Arc::new(open_store(&folder)?);
    let node: NodeId = config
        .common
        .node_id
        .clone()
        .unwrap_or_else(|| "server-1".into())
        .parse()
        .map_err(|_| {
            other(
                "node.id is no node id".into(),
                "use 1 to 63 characters of a-z, 0-9 and -",
            )
        })?;
    let boot = env.random.number();
    let trust = trust::establish(
        store.as_ref(),
        &folder,
        &node,
        &env.random,
        env.clock.wall(),
    )
    .await?;

    let link = ipdect_node::bind_tcp("link.listen", config.link_listen).await?;
    let link_address = link
        .local_addr()
        .map_err(|e| ipdect_node::listen::refused("link.listen", config.link_listen, e))?;
    let advertised = advertised_link(&config, link_address);
    let (membership, view) = claim_all(store.as_ref(), &node, boot, &advertised, &config).await?;
    let fences = Fences::new(claims(&view));

    let sealing = Arc::new(Sealer::new(trust.key.clone(), env.random.clone()));
    let directory = Directory::open(store.clone(), sealing, env.random.clone())
        .await
        .map_err(|e| store_error(&e))?;
    let directory = Arc::new(directory);
    let live = Live::new(node.as_str());
    let admission = Arc::new(Admission {
        directory: directory.clone(),
        live: live.clone(),
        authority: trust.authority.clone(),
        cluster_id: trust.cluster_id.clone(),
        secret: trust.key.to_text().as_bytes().to_vec(),
        addresses: vec![advertised.clone()],
        random: env.random.clone(),
        first_token: Mutex::new(None),
        token_file: folder.join("enrol").join("admin.token"),
        own: trust.credentials.identity.clone(),
    });
    first_contents(&config.initial, &trust, &directory, &admission, &env).await?;
    if let Some(token) = admission.first_token.lock().clone() {
        create_dir(&folder.join("enrol"))?;
        trust::write_token(&admission.token_file, &token)?;
        info!(file = %admission.token_file.display(), "the admin API enrols with the token in this file");
    }

    let stop = CancellationToken::new();
    let threads = Threads::start("handsets")?;
    let handsets = Handsets::new(threads.arbiters());
    let documents = Documents::read(&directory);
    let tls = sip_tls(&trust, &documents)?;
    let dispatch = Arc::new(Dispatch::new(directory.clone(), handsets.clone()));
    let (transports, bound) = open_user_agents(&config, &documents, &tls, &dispatch, &stop).await?;
    let host = sip_host(&config);
    let domain = domain::open(&config, &documents, &host, &directory, &tls, &env, &stop).await?;
    let domain_port = domain.as_ref().map_or(0, |d| d.bound.udp.port());
    let sent_by = sent_by(&host, &bound);
    let presence = restore(&directory, &fences).await?;
    let settings = shared(&documents, sent_by.clone(), domain_port, false);
    let core = Core::new(
        node.as_str().into(),
        directory.clone(),
        live.clone(),
        handsets.clone(),
        fences.clone(),
        settings,
        presence,
    );

    let sender = Sender::new(
        transports,
        Resolver::from_system(),
        routes(&documents, domain_port),
        env.random.clone(),
    );
    dispatch.set_sender(sender.clone());
    let answers = handsets.clone();
    let keeper = Keeper::start(
        directory.clone(),
        fences.clone(),
        node.as_str().into(),
        Arc::new(move |i, e| answers.answer(i, e)),
    );
    core.connect(sender.clone(), keeper);

    let running = Arc::new(Steward {
        core: core.clone(),
        gate: std::sync::OnceLock::new(),
        sender,
        sent_by,
        domain_port,
        revision: AtomicU64::new(utc_ms()),
        documents: Mutex::new(documents.clone()),
        subscription_until: Mutex::new(None),
    });
    let terms = Terms {
        node_id: node.clone(),
        boot_id: boot,
        store_id: trust.store_id.clone(),
        heartbeat: Duration::from_millis(u64::from(documents.links.heartbeat_ms)),
        orphan_grace: Duration::from_secs(u64::from(documents.links.orphan_grace_s)),
        servers: vec![(node.clone(), advertised)],
    };
    let mut offer = Offer::of(trust.cluster_id.clone());
    offer.allow_not_stated = documents.links.compat_unknown_allow;
    let gate = Arc::new(Gate::new(admission.clone(), core.clone(), terms, offer));
    // Set once, here.
    let _ = running.gate.set(gate.clone());
    let tls_config = server_config(&trust.credentials).map_err(|e| {
        other(
            e.to_string(),
            "see the files in the folder pki of the data directory",
        )
    })?;
    let (radio, radio_links) = Attach::<RadioLink>::new(gate.clone(), &stop);
    let (media, media_links) = Attach::<MediaLink>::new(gate.clone(), &stop);
    let live_face = live_service::Service {
        live: live.clone(),
        subscriptions: running.clone(),
    };
    let door = Door::new(link, Arc::new(ArcSwap::from(tls_config)), gate.clone())
        .with(RadioServer::new(radio))
        .with(MediaServer::new(media))
        .with(EnrolmentServer::new(Enrolments::new(admission.clone())))
        .with(DirectoryServer::new(service::Service(directory.clone())))
        .with(LiveServer::new(live_face));

    list_devices(&core);
    for ipei in directory.book().handsets_in_use() {
        handsets.start(ipei);
        core.shown.row(ipei);
    }
    let present: Arc<dyn Present> = running.clone();
    tokio::spawn(serve_bases(core.clone(), present.clone(), radio_links));
    tokio::spawn(serve_media(core.clone(), present, media_links));
    tokio::spawn(watch_orders(core.clone(), stop.clone()));
    tokio::spawn(running.clone().follow_changes(stop.clone()));
    tokio::spawn(running.clone().keep_house(membership, store, stop.clone()));

    let mut addresses: Vec<(String, SocketAddr)> = vec![
        ("link.listen".into(), link_address),
        ("sip.udp".into(), bound.udp),
        ("sip.tcp".into(), bound.tcp),
    ];
    addresses.extend(bound.tls.map(|at| ("sip.tls".to_string(), at)));
    if let Some(domain) = &domain {
        addresses.push(("domain.udp".into(), domain.bound.udp));
        addresses.push(("domain.tcp".into(), domain.bound.tcp));
        addresses.extend(domain.bound.tls.map(|at| ("domain.tls".to_string(), at)));
    }
    let (node_running, control) = ipdect_node::Running::new("server", addresses);
    let run_file = RunFile::write(&folder, &Release::ours().to_string(), &node_running)?;
    control.set_ready();
    info!(%node, link = %link_address, sip = %bound.udp, "server started");
    let ending = Ending {
        core,
        gate,
        stop: stop.clone(),
        threads,
        _lock: lock,
        _run_file: run_file,
    };
    tokio::spawn(async move {
        let served = door.serve(stop).await;
        if let Err(error) = served {
            warn!(%error, "the link port closed");
        }
    });
    tokio::spawn(ending.wait(control));
    Ok(Running {
        node: node_running,
        admission,
        subscriptions: running,
    })
}

/// What the end of the server takes care of.
struct Ending {
    core: Arc<Core>,
    gate: Arc<Gate>,
    stop: CancellationToken,
    threads: Threads,
    _lock: Lock,
    _run_file: RunFile,
}

impl Ending {
    /// Waits to be asked, says farewell to peers, and ends.
    async fn wait(self, mut control: Control) {
        let deadline = control.drain_asked().await;
        self.gate.drain();
        // Calls are released and users de-registered: with one server there is nobody to go on.
        self.core
            .handsets
            .tell_all(|| ipdect_handset::Event::Shutdown);
        let farewell = tokio::time::Instant::now() + FAREWELL;
        tokio::time::sleep_until(farewell.min(deadline)).await;
        self.stop.cancel();
        self.threads.stop();
        control.ended(Ended::Cleanly);
    }
}

fn open_store(folder: &std::path::Path) -> Result<Embedded, StartError> {
    let path = folder.join("store.redb");
    Embedded::open(&path).map_err(|e| StartError::Store {
        what: e.to_string(),
        remedy: format!("the file is {}", path.display()),
    })
}

async fn claim_all(
    store: &dyn Store,
    node: &NodeId,
    boot: u64,
    link_address: &str,
    config: &Config,
) -> Result<(Membership, View), StartError> {
    let row = rows::MemberRow {
        node_id: node.as_str().into(),
        boot_id: boot,
        link_address: link_address.into(),
        release: Release::ours().to_string(),
        min_generation: ipdect_link::compat::MIN_GENERATION,
        max_generation: ipdect_link::compat::MAX_GENERATION,
        weight: 100,
        placement_version: 1,
        record_format: 1,
        renewals: 0,
        site: config.common.site.clone(),
        sip_addresses: Vec::new(),
        joined_utc_ms: utc_ms(),
    };
    start_alone(store, row, utc_ms())
        .await
        .map_err(|e| store_error(&e))
}

fn claims(view: &View) -> Claims {
    let shards = (0..SHARDS).map(|n| match view.claim(n) {
        Some(claim) => Claim {
            revision: claim.revision,
            generation: u32::try_from(claim.generation).unwrap_or(u32::MAX),
            node: claim.owner.node.clone(),
            boot: claim.owner.boot,
        },
        None => Claim {
            revision: 0,
            generation: 0,
            node: String::new(),
            boot: 0,
        },
    });
    Claims {
        era: view.era(),
        shards: shards.collect(),
    }
}

/// An empty store gets `[initial]`, a PARK, and the administrator's token; a full one is told that it is ignored.
async fn first_contents(
    initial: &Initial,
    trust: &Trust,
    directory: &Arc<Directory>,
    admission: &Arc<Admission>,
    env: &Environment,
) -> Result<(), StartError> {
    if !trust.is_new {
        if *initial != Initial::default() {
            info!(
                "[initial] is ignored: the store has contents already; change settings through the admin API"
            );
        }
        return admin_token(directory, admission, env).await;
    }
    let mut changes: Vec<rows::Change> = initial
        .settings
        .iter()
        .cloned()
        .map(settings_change)
        .collect();
    if !initial
        .settings
        .iter()
        .any(|s| matches!(s, admin::settings_document::Scope::Dect(_)))
    {
        let defaults = crate::directory::settings::default_of("dect").expect("dect is a scope");
        changes.push(settings_change(defaults));
    }
    for change in &mut changes {
        give_park(change, env);
    }
    changes.extend(initial.users.iter().cloned().map(user_change));
    for batch in changes.chunks(20) {
        let request = rows::ApplyRequest {
            actor: "system".into(),
            reason: "first start".into(),
            dry_run: false,
            changes: batch.to_vec(),
            address: String::new(),
        };
        match directory
            .apply(request, utc_ms())
            .await
            .map_err(|e| store_error(&e))?
        {
            Applied::Done { .. } => {}
            Applied::Refused(mistakes) => {
                let said = mistakes
                    .iter()
                    .map(|m| format!("{} = {:?}: {}", m.field, m.value, m.remedy));
                let what = format!("[initial]: {}", said.collect::<Vec<_>>().join("; "));
                return Err(other(
                    what,
                    "mend the file, remove the data directory's store.redb, and start again",
                ));
            }
        }
    }
    for token in &initial.tokens {
        let made =
            ipdect_link::token::EnrolToken::with_secret(token.role, &token.secret, admission.pin());
        let made = made.map_err(|e| {
            other(
                format!("[[initial.token]]: {e}"),
                "write letters and digits only",
            )
        })?;
        let valid = Duration::from_secs(u64::from(token.valid_hours) * 3600);
        admission
            .keep_token(&made, token.role, token.uses, valid)
            .await
            .map_err(|what| StartError::Store {
                what,
                remedy: "see what is said of it".into(),
            })?;
    }
    admin_token(directory, admission, env).await
}

fn settings_change(scope: admin::settings_document::Scope) -> rows::Change {
    let key = crate::directory::settings::name(&scope).to_string();
    let document = admin::SettingsDocument {
        revision: 0,
        scope: Some(scope),
    };
    put(
        rows::Kind::Settings,
        key,
        rows::resource::Value::Settings(document),
    )
}

fn user_change(user: admin::User) -> rows::Change {
    put(
        rows::Kind::User,
        String::new(),
        rows::resource::Value::User(user),
    )
}

fn put(kind: rows::Kind, key: String, value: rows::resource::Value) -> rows::Change {
    rows::Change {
        kind: kind.into(),
        key: key.clone(),
        expected_revision: 0,
        act: Some(rows::change::Act::Put(rows::Resource {
            key,
            revision: 0,
            value: Some(value),
        })),
    }
}

/// A new system gets a PARK of its own, so that two systems in one house do not take each other's handsets.
fn give_park(change: &mut rows::Change, env: &Environment) {
    let Some(rows::change::Act::Put(resource)) = &mut change.act else {
        return;
    };
    let Some(rows::resource::Value::Settings(document)) = &mut resource.value else {
        return;
    };
    let Some(admin::settings_document::Scope::Dect(dect)) = &mut document.scope else {
        return;
    };
    if dect.park.is_empty() {
        let number = env.random.number();
        let eic = 0x1000 | (number & 0x0fff) as u16;
        let system = ((number >> 16) & 0x0fff) as u16;
        let ari = ipdect_dect::identity::Ari::class_b(eic, system)
            .expect("12 bits of system number fit class B");
        dect.park = ari.park().to_string();
    }
}

/// Until an admin API has enrolled, its token lies in a file for the administrator.
async fn admin_token(
    directory: &Arc<Directory>,
    admission: &Arc<Admission>,
    env: &Environment,
) -> Result<(), StartError> {
    let enrolled = directory.book().devices().any(|(_, k)| {
        k.row
            .device
            .as_ref()
            .is_some_and(|d| d.role() == Role::Admin)
    });
    tidy_tokens(directory, env.clock.wall()).await;
    if enrolled {
        return Ok(());
    }
    let token = admission.issue_token(Role::Admin, 1, TOKEN_LIFE).await;
    let token = token.map_err(|what| StartError::Store {
        what,
        remedy: "see what is said of it".into(),
    })?;
    *admission.first_token.lock() = Some(token.reveal());
    Ok(())
}

fn advertised_link(config: &Config, bound: SocketAddr) -> String {
    match &config.link_advertise {
        Some(given) if given.port != 0 => given.to_string(),
        Some(given) => ipdect_node::config::HostPort {
            host: given.host.clone(),
            port: bound.port(),
        }
        .to_string(),
        None => SocketAddr::new(concrete(bound.ip()), bound.port()).to_string(),
    }
}

/// An address that others can send to, for a socket that listens on all.
fn concrete(ip: IpAddr) -> IpAddr {
    if ip.is_unspecified() {
        default_route_address().unwrap_or(IpAddr::from([127, 0, 0, 1]))
    } else {
        ip
    }
}

/// The address of the default route: what the system would send from. No packet is sent to find it out.
fn default_route_address() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket
        .local_addr()
        .ok()
        .map(|a| a.ip())
        .filter(|ip| !ip.is_unspecified())
}

fn sip_host(config: &Config) -> String {
    if config.sip_advertise.is_empty() {
        concrete(config.sip_bind).to_string()
    } else {
        config.sip_advertise.clone()
    }
}

fn sent_by(host: &str, bound: &Bound) -> SentBy {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_string()
    };
    SentBy {
        udp: format!("{host}:{}", bound.udp.port()),
        tcp: format!("{host}:{}", bound.tcp.port()),
        tls: format!("{host}:{}", bound.tls.map_or(5061, |t| t.port())),
    }
}

fn sip_tls(trust: &Trust, documents: &Documents) -> Result<TlsSides, StartError> {
    let material = TlsMaterial {
        chain: trust.credentials.chain.clone(),
        key: trust.credentials.key(),
        roots: vec![trust.authority.certificate().clone()],
        allow_insecure: documents.sip.tls_allow_insecure,
    };
    if documents.sip.tls_allow_insecure {
        warn!("TLS allow insecure is on: certificates of SIP peers are not verified");
    }
    TlsSides::new(material).map_err(|e| {
        other(
            e.to_string(),
            "see the files in the folder pki of the data directory",
        )
    })
}

async fn open_user_agents(
    config: &Config,
    documents: &Documents,
    tls: &TlsSides,
    dispatch: &Arc<Dispatch>,
    stop: &CancellationToken,
) -> Result<(Transports, Bound), StartError> {
    let port = u16::try_from(documents.sip.local_port).unwrap_or(0);
    let at = SocketAddr::new(config.sip_bind, port);
    let tls_at = SocketAddr::new(config.sip_bind, if port == 0 { 0 } else { port + 1 });
    let dispatch = dispatch.clone();
    let sink: Sink = Arc::new(move |happened| dispatch.happened(happened));
    Transports::open(
        "sip.bind (SIP page, local_port)",
        at,
        Some(tls_at),
        documents.sip.type_of_service,
        tls.clone(),
        sink,
        stop.clone(),
    )
    .await
}

fn routes(documents: &Documents, domain_port: u16) -> Routes {
    Routes {
        proxies: documents.trunk(domain_port),
        dns: match documents.sip.dns_method() {
            admin::DnsMethod::Srv => DnsMethod::Srv,
            admin::DnsMethod::NaptrSrv => DnsMethod::NaptrSrv,
            admin::DnsMethod::A | admin::DnsMethod::Unspecified => DnsMethod::ARecords,
        },
        transport: documents.transport(),
    }
}

/// What the store knows of idle handsets; records of calls that ended with the former start are removed.
async fn restore(
    directory: &Directory,
    fences: &Fences,
) -> Result<HashMap<Ipei, ipdect_handset::PresenceRow>, StartError> {
    let store = directory.store();
    let mut presence = HashMap::new();
    for row in crate::directory::range(store.as_ref(), ipdect_cluster::keys::prefix::PRESENCE)
        .await
        .map_err(|e| store_error(&e))?
    {
        if let (Some(Key::Presence(_, digits)), Ok(value)) =
            (Key::parse(&row.key), rows::PresenceRow::decode(row.value))
            && let Ok(ipei) = digits.parse()
        {
            presence.insert(ipei, presence_of(&value));
        }
    }
    let records =
        crate::directory::range(store.as_ref(), ipdect_cluster::keys::prefix::CALLS).await;
    for row in records.map_err(|e| store_error(&e))? {
        let Some(Key::Call(shard, digits)) = Key::parse(&row.key) else {
            continue;
        };
        warn!(ipei = %digits, shard, "a call of the former start is not taken over in this release; its record is removed");
        let revision = digits.parse().map_or(0, |ipei| fences.of(ipei).revision);
        let txn = ipdect_cluster::Txn::new()
            .if_unchanged(Key::Shard(shard), revision)
            .delete(row.key);
        store.txn(txn).await.map_err(|e| store_error(&e))?;
    }
    Ok(presence)
}

/// Devices that have enrolled are listed from the start, as down until they link.
fn list_devices(core: &Core) {
    let devices: Vec<admin::Device> = core
        .directory
        .book()
        .devices()
        .filter_map(|(_, kept)| {
            let mut device = kept.row.device.clone()?;
            device.rpn = kept.row.rpn;
            device.revision = kept.revision;
            device.status = Some(admin::DeviceStatus {
                state: admin::DeviceState::Enrolled.into(),
                ..Default::default()
            });
            Some(device)
        })
        .collect();
    for device in devices {
        core.live.device(device);
    }
    core.live.device(admin::Device {
        node_id: core.node.clone(),
        role: Role::Server.into(),
        release: Release::ours().to_string(),
        status: Some(admin::DeviceStatus {
            state: admin::DeviceState::Up.into(),
            seen_utc_ms: utc_ms(),
            ..Default::default()
        }),
        ..Default::default()
    });
}

fn other(what: String, remedy: &str) -> StartError {
    StartError::Other {
        what,
        remedy: remedy.into(),
    }
}

impl Present for Steward {
    fn present(&self) -> (Documents, u64, bool) {
        (
            self.documents.lock().clone(),
            self.revision.load(Ordering::Relaxed),
            self.subscription_open(),
        )
    }
}

impl Steward {
    fn subscription_open(&self) -> bool {
        self.subscription_until
            .lock()
            .is_some_and(|until| until > SystemTime::now())
    }

    /// Applies changes of the directory as they are committed.
    async fn follow_changes(self: Arc<Self>, stop: CancellationToken) {
        let mut changes = self.core.directory.subscribe();
        loop {
            let effects = tokio::select! {
                () = stop.cancelled() => return,
                e = changes.recv() => e,
            };
            match effects {
                Ok(effects) => effects.iter().for_each(|e| self.changed(e)),
                // More changes than fit at once: everything is applied anew.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                    self.apply_settings();
                    for ipei in self.core.directory.book().handsets_in_use() {
                        self.core.configure(ipei);
                    }
                }
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn changed(&self, effect: &Effect) {
        match effect {
            Effect::Settings(..) => self.apply_settings(),
            Effect::User(id, _) => {
                let ipei = self.core.directory.book().handset_of(id);
                if let Some(ipei) = ipei {
                    self.core.configure(ipei);
                    self.core.shown.row(ipei);
                }
            }
            Effect::Handset(ipei, _) => {
                self.core.configure(*ipei);
                self.core.shown.row(*ipei);
            }
            Effect::NoHandset(ipei) => {
                self.core.handsets.leave(*ipei);
                self.core.live.forget_handset(&ipei.digits());
            }
            Effect::NoDevice(node) => {
                self.core.radio.cut(node);
                self.core.media.cut(node);
                self.core.live.forget_device(node);
            }
            Effect::Device(node, row) => {
                if row.device.as_ref().is_some_and(|d| d.disabled) {
                    self.core.radio.cut(node);
                    self.core.media.cut(node);
                }
            }
            Effect::NoUser(_)
            | Effect::Token(..)
            | Effect::NoToken(_)
            | Effect::Account(..)
            | Effect::NoAccount(_)
            | Effect::Audit(..) => {}
        }
    }

    /// New documents reach handsets, proxies, devices and links at once.
    fn apply_settings(&self) {
        let documents = Documents::read(&self.core.directory);
        *self.documents.lock() = documents.clone();
        self.sender.set_routes(routes(&documents, self.domain_port));
        self.core.radio.set_dscp(documents.media.dscp);
        self.core.media.set_marks(crate::media::pool::Marks {
            dscp: documents.media.dscp,
            region: documents.media.tone_region.clone(),
        });
        if let Some(gate) = self.gate.get() {
            gate.configure(&documents.links);
        }
        self.core.set_settings(shared(
            &documents,
            self.sent_by.clone(),
            self.domain_port,
            self.subscription_open(),
        ));
        self.configure_devices(&documents);
    }

    fn configure_devices(&self, documents: &Documents) {
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        let open = self.subscription_open();
        self.core.radio.tell_each(|rpn| {
            ToBase::Configure(configure_base(documents, revision, u32::from(rpn), open))
        });
        self.core
            .media
            .tell_all(&ToMedia::Configure(configure_media(documents, revision)));
    }

    fn tell_subscription(&self) {
        let documents = self.documents.lock().clone();
        self.core.set_settings(shared(
            &documents,
            self.sent_by.clone(),
            self.domain_port,
            self.subscription_open(),
        ));
        self.configure_devices(&documents);
    }

    /// Once a second: the member row, the subscription window, strangers; figures for metrics.
    async fn keep_house(
        self: Arc<Self>,
        mut membership: Membership,
        store: Arc<dyn Store>,
        stop: CancellationToken,
    ) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            match membership.renew(store.as_ref()).await {
                Ok(true) => {}
                Ok(false) => {
                    warn!("another start has taken over this store; this one no longer acts");
                    self.core
                        .handsets
                        .tell_all(|| ipdect_handset::Event::Shutdown);
                    stop.cancel();
                    return;
                }
                Err(error) => warn!(%error, "the member row could not be renewed"),
            }
            let closes = self
                .subscription_until
                .lock()
                .is_some_and(|until| until <= SystemTime::now());
            if closes {
                *self.subscription_until.lock() = None;
                self.tell_subscription();
                info!("subscription is closed");
            }
            self.core.tidy();
            crate::metrics::gauge(&self.core);
        }
    }
}

#[tonic::async_trait]
impl Subscriptions for Steward {
    async fn set(&self, open: bool, seconds: u32, actor: &str) -> Result<u64, String> {
        let window = self.documents.lock().dect.subscription_window_s;
        let seconds = if seconds == 0 { window } else { seconds };
        let until = open.then(|| SystemTime::now() + Duration::from_secs(u64::from(seconds)));
        *self.subscription_until.lock() = until;
        self.tell_subscription();
        info!(actor, open, seconds, "subscription window set");
        Ok(until.map_or(0, crate::live::ms))
    }
}
