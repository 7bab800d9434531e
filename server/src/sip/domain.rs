//! The embedded domain's own listening point (B8): a task around the pure domain, with its own port and its bindings in the store.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use ipdect_cluster::keys::prefix;
use ipdect_cluster::{Key, Txn};
use ipdect_node::{Environment, StartError};
use ipdect_proto::cluster::v1 as rows;
use ipdect_sip::auth::digest::Password;
use ipdect_sip::domain::{self, Binding, Domain, Output, Subscriber};
use ipdect_sip::message::Uri;
use ipdect_sip::transaction::{Timers, TransactionKey, Transport};
use ipdect_sip::trunk::Proxies;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::resolve::{DnsMethod, Resolver};
use super::sender::{Routes, Sender};
use super::tls::TlsSides;
use super::transport::{Bound, Happened, Received, Sink, Transports};
use crate::config::Config;
use crate::directory::Directory;
use crate::profile::Documents;

/// Events that may wait for the domain.
const QUEUE: usize = 4096;

/// A running domain.
pub struct Opened {
    /// Where it listens.
    pub bound: Bound,
}

/// How others reach the domain.
pub struct Ways<'a> {
    /// Name or address in Via and Record-Route.
    pub host: &'a str,
    /// Certificates.
    pub tls: &'a TlsSides,
    /// What seals the routes that it hands out: the same at every start, or calls could not be ended after one.
    pub secret: Vec<u8>,
}

/// Opens the domain if the settings want one.
///
/// # Errors
/// [`StartError`] if its port cannot be bound.
pub async fn open(
    config: &Config,
    documents: &Documents,
    ways: Ways<'_>,
    directory: &Arc<Directory>,
    env: &Environment,
    stop: &CancellationToken,
) -> Result<Option<Opened>, StartError> {
    let Ways { host, tls, secret } = ways;
    if !documents.domain.enabled {
        return Ok(None);
    }
    let (queue, events) = mpsc::channel(QUEUE);
    let inbox = queue.clone();
    let sink: Sink = Arc::new(move |happened| {
        if inbox.try_send(Event::Happened(happened)).is_err() {
            metrics::counter!("ipdect_domain_overload_total").increment(1);
        }
    });
    let port = u16::try_from(documents.domain.port).unwrap_or(0);
    let at = SocketAddr::new(config.sip_bind, port);
    let tls_at = SocketAddr::new(config.sip_bind, if port == 0 { 0 } else { port + 1 });
    let key = "sip.bind (domain page, port)";
    let dscp = documents.sip.type_of_service;
    let (transports, bound) =
        Transports::open(key, at, Some(tls_at), dscp, tls.clone(), sink, stop.clone()).await?;
    // The domain reaches phones over their flows and by their contacts, never through proxies of its own.
    let nowhere = Uri::sip(
        None,
        ipdect_sip::message::Host::Name("invalid".into()),
        None,
    );
    let routes = Routes {
        proxies: Proxies::one(nowhere),
        dns: DnsMethod::ARecords,
        transport: Transport::Udp,
    };
    let sender = Sender::new(
        transports,
        Resolver::from_system(),
        routes,
        env.random.clone(),
    );
    let aliases = aliases(documents, config, host);
    let mut names = vec![String::new(), documents.domain.name.clone()];
    names.extend(aliases.iter().cloned());
    let mut pure = Domain::new(domain::Config {
        name: documents.domain.name.clone(),
        aliases,
        sent_by: bound.sent_by(host),
        secret,
        timers: Timers::default(),
        server: concat!("ipdect/", env!("CARGO_PKG_VERSION")).into(),
    });
    load(&mut pure, directory).await;
    let task = Task {
        domain: pure,
        directory: directory.clone(),
        sender,
        queue,
        env: env.clone(),
        stored: BTreeMap::new(),
        names,
    };
    tokio::spawn(task.run(events, stop.clone()));
    info!(name = %documents.domain.name, udp = %bound.udp, "the embedded SIP domain is open");
    Ok(Some(Opened { bound }))
}

/// Host name and every address the domain goes by.
fn aliases(documents: &Documents, config: &Config, host: &str) -> Vec<String> {
    let mut all = documents.domain.aliases.clone();
    all.extend([
        host.to_string(),
        config.sip_bind.to_string(),
        "127.0.0.1".into(),
        "localhost".into(),
        "[::1]".into(),
    ]);
    all
}

enum Event {
    Happened(Happened),
    Failed(TransactionKey),
}

struct Task {
    domain: Domain,
    directory: Arc<Directory>,
    sender: Sender,
    queue: mpsc::Sender<Event>,
    env: Environment,
    /// Keys of the rows that the store holds, by address of record.
    stored: BTreeMap<String, Vec<String>>,
    /// Domains whose users are ours: none written, our name, our aliases.
    names: Vec<String>,
}

impl Task {
    async fn run(mut self, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
        let mut random = self.env.random.generator();
        loop {
            let deadline = self.domain.next_deadline();
            let outputs = tokio::select! {
                () = stop.cancelled() => return,
                event = events.recv() => match event {
                    Some(event) => self.take(event, random.as_mut()),
                    None => return,
                },
                () = until(deadline) => self.domain.deadline(Instant::now(), SystemTime::now(), random.as_mut()),
            };
            for output in outputs {
                self.put(output).await;
            }
            metrics::gauge!("ipdect_domain_transactions").set(self.domain.transactions() as f64);
        }
    }

    fn take(
        &mut self,
        event: Event,
        random: &mut (dyn rand_core::CryptoRng + Send),
    ) -> Vec<Output> {
        let (now, wall) = (Instant::now(), SystemTime::now());
        match event {
            Event::Happened(Happened::Message(Received { message, flow })) => {
                let directory = self.directory.clone();
                let names = &self.names;
                let users = move |name: &str| subscriber(&directory, names, name);
                self.domain
                    .receive(now, wall, random, message, flow, &users)
            }
            Event::Happened(Happened::ConnectionLost { flow }) => self.domain.flow_lost(flow),
            Event::Happened(Happened::Garbage { transport, reason }) => {
                metrics::counter!("ipdect_sip_parse_errors_total", "transport" => transport.via_name(), "reason" => reason)
                    .increment(1);
                Vec::new()
            }
            Event::Failed(key) => self.domain.transport_failed(now, wall, random, &key),
        }
    }

    async fn put(&mut self, output: Output) {
        match output {
            Output::Send {
                message,
                to,
                transaction,
            } => {
                let queue = self.queue.clone();
                self.sender.send(&message, &to, move || {
                    if let Some(key) = transaction
                        && queue.try_send(Event::Failed(key)).is_err()
                    {
                        debug!("the domain is too busy to hear of a failed send; its timers will");
                    }
                });
            }
            Output::BindingsChanged(aor) => self.store(&aor).await,
        }
    }

    /// Writes the bindings of an address of record as they are now.
    async fn store(&mut self, aor: &str) {
        let wall_ms = crate::live::utc_ms();
        let now: Vec<(String, rows::ContactRow)> = self
            .domain
            .location()
            .of(aor, wall_ms)
            .map(|b| row(aor, b))
            .collect();
        let mut txn = Txn::new();
        let before = self.stored.remove(aor).unwrap_or_default();
        for gone in before
            .iter()
            .filter(|k| !now.iter().any(|(key, _)| key == *k))
        {
            txn = txn.delete(gone.clone());
        }
        for (key, row) in &now {
            txn = txn.put(key.clone(), row.encode_to_vec());
        }
        self.stored
            .insert(aor.into(), now.into_iter().map(|(key, _)| key).collect());
        if let Err(error) = self.directory.store().txn(txn).await {
            warn!(%error, "a registration is not stored; it holds until the next start");
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// A user of this domain, with what he registers with.
fn subscriber(directory: &Directory, names: &[String], name: &str) -> Option<Subscriber> {
    let (id, row) = {
        let book = directory.book();
        let id = names
            .iter()
            .find_map(|domain| book.user_named(name, domain))?
            .to_string();
        let row = book.user(&id)?.row.clone();
        (id, row)
    };
    let user = row.user.as_ref()?;
    let auth_user = if user.auth_user.is_empty() {
        user.username.clone()
    } else {
        user.auth_user.clone()
    };
    let (password, _) = directory.user_secrets(&id, &row);
    Some(Subscriber {
        auth_user,
        password: Password::new(&password),
    })
}

fn row(aor: &str, binding: &Binding) -> (String, rows::ContactRow) {
    let contact = binding.contact.to_string();
    let hash = hex::encode(&Sha256::digest(contact.as_bytes())[..8]);
    let row = rows::ContactRow {
        aor: aor.into(),
        contact,
        expires_utc_ms: binding.expires_at_ms,
        call_id: binding.call_id.clone(),
        cseq: binding.cseq,
        received: binding.flow.map(|f| f.to_string()).unwrap_or_default(),
        q_thousandth: 1000,
        instance_id: binding.instance.clone().unwrap_or_default(),
        user_agent: binding.user_agent.clone(),
        ..Default::default()
    };
    (Key::Contact(aor.into(), hash).to_string(), row)
}

/// Takes up the bindings of the former start. Those over a connection died with it.
async fn load(domain: &mut Domain, directory: &Directory) {
    let stored = match crate::directory::range(directory.store().as_ref(), prefix::CONTACTS).await {
        Ok(rows) => rows,
        Err(error) => return warn!(%error, "registrations of the former start are not read"),
    };
    let wall_ms = crate::live::utc_ms();
    let mut by_aor: BTreeMap<String, Vec<Binding>> = BTreeMap::new();
    for row in stored {
        let Ok(row) = rows::ContactRow::decode(row.value) else {
            continue;
        };
        let Ok(contact) = row.contact.parse() else {
            continue;
        };
        let flow = row.received.parse::<ipdect_sip::transaction::Flow>().ok();
        if row.expires_utc_ms <= wall_ms || flow.is_some_and(|f| f.transport.is_reliable()) {
            continue;
        }
        by_aor.entry(row.aor).or_default().push(Binding {
            contact,
            flow,
            call_id: row.call_id,
            cseq: row.cseq,
            expires_at_ms: row.expires_utc_ms,
            instance: (!row.instance_id.is_empty()).then_some(row.instance_id),
            user_agent: row.user_agent,
        });
    }
    for (aor, bindings) in by_aor {
        domain.load(Instant::now(), &aor, bindings);
    }
}
