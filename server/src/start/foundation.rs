//! What everything else stands on: the folder, the store, trust, the link port, the claims, the directory.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ipdect_cluster::membership::{Membership, start_alone};
use ipdect_cluster::{Embedded, Store, View};
use ipdect_dect::identity::SHARDS;
use ipdect_link::release::Release;
use ipdect_link::role::NodeId;
use ipdect_node::run_file::{Lock, create_dir};
use ipdect_node::{Environment, StartError};
use ipdect_proto::cluster::v1 as rows;
use parking_lot::Mutex;
use tokio::net::TcpListener;

use super::{addresses, contents};
use crate::config::Config;
use crate::directory::Directory;
use crate::enrol::Admission;
use crate::fence::{Claim, Claims, Fences};
use crate::live::{Live, utc_ms};
use crate::trust::{self, Sealer, Trust, other, store_error};

/// A server without handsets: it knows who it is and what is configured, and owns its store and its shards.
pub(super) struct Foundation {
    /// Of the data directory.
    pub(super) lock: Lock,
    /// Configuration and claims.
    pub(super) store: Arc<dyn Store>,
    /// This server.
    pub(super) node: NodeId,
    /// This start.
    pub(super) boot: u64,
    /// The cluster's authority and the server's own certificate.
    pub(super) trust: Trust,
    /// The link port, bound; nobody is let in yet.
    pub(super) link: TcpListener,
    /// Where it is bound.
    pub(super) link_address: SocketAddr,
    /// What devices are told to dial.
    pub(super) advertised: String,
    /// The member row, to be renewed.
    pub(super) membership: Membership,
    /// Tokens of the shards claimed.
    pub(super) fences: Fences,
    /// Configuration in memory, with its first contents.
    pub(super) directory: Arc<Directory>,
    /// What happens now: nothing yet.
    pub(super) live: Live,
    /// Who may enrol.
    pub(super) admission: Arc<Admission>,
}

impl Foundation {
    /// Locks the folder, opens the store, takes over from the start before, and fills a new store.
    ///
    /// # Errors
    /// [`StartError`] of the first step that fails.
    pub(super) async fn lay(config: &Config, env: &Environment) -> Result<Self, StartError> {
        let folder = &config.common.data_dir;
        create_dir(folder)?;
        let lock = Lock::take(folder)?;
        let store: Arc<dyn Store> = Arc::new(open_store(folder)?);
        let node = node_id(config)?;
        let boot = env.random.number();
        let (random, now) = (&env.random, env.clock.wall());
        let trust = trust::establish(store.as_ref(), folder, &node, random, now).await?;

        let link = ipdect_node::bind_tcp("link.listen", config.link_listen).await?;
        let link_address = link
            .local_addr()
            .map_err(|e| ipdect_node::listen::refused("link.listen", config.link_listen, e))?;
        let advertised = addresses::link(config, link_address);
        let (membership, view) =
            claim_all(store.as_ref(), &node, boot, &advertised, config).await?;
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
        contents::fill(&config.initial, &trust, &directory, &admission, env).await?;
        Ok(Self {
            lock,
            store,
            node,
            boot,
            trust,
            link,
            link_address,
            advertised,
            membership,
            fences,
            directory,
            live,
            admission,
        })
    }
}

fn node_id(config: &Config) -> Result<NodeId, StartError> {
    let given = config.common.node_id.as_deref().unwrap_or("server-1");
    given.parse().map_err(|_| {
        other(
            "node.id is no node id".into(),
            "use 1 to 63 characters of a-z, 0-9 and -",
        )
    })
}

fn open_store(folder: &Path) -> Result<Embedded, StartError> {
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
