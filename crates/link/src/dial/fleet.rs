//! Keeps the links of one device alive: dials, backs off, promotes, tells the program.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use ipdect_proto::link::v1::{Hello, LinkUse, Refusal};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{DialError, Opened, dial, plan::Plan};
use crate::{
    backoff::Backoff,
    contract::Contract,
    live::LinkEnd,
    pki::{credentials::Credentials, tls::client_config},
};

/// Events that may wait for the program.
const EVENTS: usize = 64;

/// Which links a device keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One active and one standby link: base stations.
    ActiveStandby,
    /// One link to every server: media resources.
    Every,
}

/// What happened to the links of a device.
#[derive(Debug)]
pub enum LinkEvent<C: Contract> {
    /// A link opened.
    Up {
        /// What it is for.
        link_use: LinkUse,
        /// The link.
        link: Opened<C>,
    },
    /// The standby link at this address is the active one from now on: send an unasked `Inventory` on it.
    Promoted {
        /// Address dialled.
        address: String,
    },
    /// A link ended.
    Down {
        /// Address dialled.
        address: String,
        /// Why.
        end: LinkEnd,
    },
    /// A server refused.
    Refused {
        /// Address dialled.
        address: String,
        /// Reason and remedy.
        refusal: Box<Refusal>,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// A server could not be reached, or failed.
    Unreachable {
        /// Address dialled.
        address: String,
        /// Why.
        error: String,
        /// When it is tried again.
        retry_in: Duration,
    },
}

/// What a device dials with.
#[derive(Clone)]
pub struct Dialling {
    /// Which links it keeps.
    pub policy: Policy,
    /// Configured servers, `host:port`, best first; others are learnt from `Welcome`.
    pub servers: Vec<String>,
    /// Its credentials; a renewal counts for the next link.
    pub credentials: Arc<ArcSwap<Credentials>>,
    /// Makes the `Hello` of a new link, with the floors known now. Role, node and cluster id come from the certificate.
    pub hello: Arc<dyn Fn(LinkUse) -> Hello + Send + Sync>,
}

impl fmt::Debug for Dialling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialling")
            .field("policy", &self.policy)
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

/// Keeps links alive until `stop`; all of them end with it. Events must be taken, or dialling waits.
pub fn keep<C: Contract>(
    dialling: Dialling,
    stop: CancellationToken,
) -> mpsc::Receiver<LinkEvent<C>> {
    let (events, receiver) = mpsc::channel(EVENTS);
    let plan = Plan::new(dialling.policy, &dialling.servers, Instant::now());
    let fleet = Fleet {
        dialling,
        plan,
        stop,
        events,
        waits: BTreeMap::new(),
        tasks: JoinSet::new(),
    };
    tokio::spawn(fleet.run());
    receiver
}

/// What a task of the fleet ends with.
enum Done<C: Contract> {
    Dialled(String, Result<Box<Opened<C>>, DialError>),
    Ended(String, LinkEnd),
}

struct Fleet<C: Contract> {
    dialling: Dialling,
    plan: Plan,
    stop: CancellationToken,
    events: mpsc::Sender<LinkEvent<C>>,
    waits: BTreeMap<String, Backoff>,
    tasks: JoinSet<Done<C>>,
}

impl<C: Contract> Fleet<C> {
    async fn run(mut self) {
        let stop = self.stop.clone();
        loop {
            let now = Instant::now();
            for (address, link_use) in self.plan.due(now) {
                self.dial(address, link_use);
            }
            let wake = self
                .plan
                .next_due()
                .unwrap_or(now + Duration::from_secs(3600));
            let done = tokio::select! {
                () = stop.cancelled() => return,
                () = self.events.closed() => return,
                () = tokio::time::sleep_until(wake.into()) => continue,
                Some(done) = self.tasks.join_next() => done,
            };
            let events = match done {
                Ok(Done::Dialled(address, Ok(link))) => self.opened(address, *link),
                Ok(Done::Dialled(address, Err(error))) => vec![self.failed(address, error)],
                Ok(Done::Ended(address, end)) => vec![self.ended(address, end)],
                Err(error) => {
                    warn!(%error, "a dialling task failed");
                    continue;
                }
            };
            for event in events {
                if self.events.send(event).await.is_err() {
                    return;
                }
            }
            if let Some(address) = self.plan.promote() {
                info!(%address, "standby link takes over");
                if self
                    .events
                    .send(LinkEvent::Promoted { address })
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    }

    fn dial(&mut self, address: String, link_use: LinkUse) {
        let (dialling, stop) = (self.dialling.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let result = dial_once::<C>(&address, link_use, &dialling, &stop).await;
            Done::Dialled(address, result.map(Box::new))
        });
    }

    fn opened(&mut self, address: String, link: Opened<C>) -> Vec<LinkEvent<C>> {
        let link_use = self.plan.link_use(&address).unwrap_or(LinkUse::Active);
        let welcome = &link.welcome;
        if !self
            .plan
            .opened(&address, &welcome.node_id, &welcome.servers, Instant::now())
        {
            debug!(%address, "a link to this server stands already");
            return vec![];
        }
        info!(%address, server = %welcome.node_id, generation = welcome.generation, ?link_use, "link opened");
        self.waits.remove(&address);
        let handle = link.sender.handle().clone();
        self.tasks
            .spawn(async move { Done::Ended(address, handle.ended().await) });
        vec![LinkEvent::Up { link_use, link }]
    }

    fn failed(&mut self, address: String, error: DialError) -> LinkEvent<C> {
        let wait = self.waits.entry(address.clone()).or_default();
        let retry_in = match &error {
            DialError::Refused(refusal) => wait.refused(
                Duration::from_secs(refusal.retry_after_s.into()),
                &mut rand::rng(),
            ),
            _ => wait.unreachable(&mut rand::rng()),
        };
        self.plan.failed(&address, Instant::now(), retry_in);
        match error {
            DialError::Refused(refusal) => {
                warn!(%address, reason = refusal.reason().as_str_name(), remedy = %refusal.remedy, "link refused");
                LinkEvent::Refused {
                    address,
                    refusal,
                    retry_in,
                }
            }
            error => {
                info!(%address, %error, "server not reached");
                LinkEvent::Unreachable {
                    address,
                    error: error.to_string(),
                    retry_in,
                }
            }
        }
    }

    fn ended(&mut self, address: String, end: LinkEnd) -> LinkEvent<C> {
        info!(%address, %end, "link over");
        let rest = self
            .waits
            .entry(address.clone())
            .or_default()
            .unreachable(&mut rand::rng());
        self.plan.down(&address, Instant::now(), rest);
        LinkEvent::Down { address, end }
    }
}

async fn dial_once<C: Contract>(
    address: &str,
    link_use: LinkUse,
    dialling: &Dialling,
    stop: &CancellationToken,
) -> Result<Opened<C>, DialError> {
    let credentials = dialling.credentials.load_full();
    let tls = client_config(&credentials).map_err(|error| DialError::Unreachable {
        address: address.to_owned(),
        why: error.to_string(),
    })?;
    let hello = Hello {
        role: credentials.identity.role.into(),
        node_id: credentials.identity.node_id.to_string(),
        cluster_id: credentials.identity.cluster_id.clone(),
        link_use: link_use.into(),
        ..(dialling.hello)(link_use)
    };
    dial(address, tls, hello, stop).await
}
