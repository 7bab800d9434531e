//! A media resource: RTP between base stations and SIP peers, in the service of servers.
//!
//! [`start`] is its one door. Worker threads ([`session`]) carry speech; [`book`] knows who may order what; `service`
//! joins them to the links.
#![warn(missing_docs)]

pub mod book;
pub mod config;
pub mod convert;
pub mod metrics;
mod service;
pub mod session;
mod uplink;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
pub use config::Config;
use ipdect_link::contract::MediaLink;
use ipdect_link::dial::fleet::{self, LinkEvent};
use ipdect_link::pki::credentials::Credentials;
use ipdect_node::{Control, Ended, Environment, Running, StartError};
use service::Service;
use session::ports::Ports;
use session::{Surroundings, Told, Worker};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Messages of workers that may wait: some seconds of figures of a full machine.
const TOLD: usize = 8192;
/// Sessions where any free ports will do.
const PLENTY: usize = 4096;

/// Starts a media resource: binds its ports, enrols if it must, and dials its servers. It returns once the node has
/// its certificate, so not before a server was reached on the very first start.
///
/// # Errors
/// [`StartError`] with the remedy; nothing is left running then.
pub async fn start(config: Config, environment: Environment) -> Result<Running, StartError> {
    ipdect_node::run_file::create_dir(&config.common.data_dir)?;
    let (told, heard) = mpsc::channel(TOLD);
    let around = Surroundings {
        clock: environment.clock.clone(),
        random: environment.random.clone(),
        teller: told,
        advertise: advertised(&config).await?,
    };
    let workers = workers(&config, &around)?;
    let base_ports: Vec<SocketAddr> = workers.iter().map(Worker::base).collect();
    let serial = uplink::serial(&config.common.data_dir, &environment)?;
    let credentials = uplink::credentials(&config, &serial, &environment).await?;
    let ports = Ports::new(config.bind, config.ports);
    let capacity = if config.ports.is_any() {
        PLENTY
    } else {
        ports.free()
    };
    let hands = workers.iter().map(Worker::hands).collect();
    let service = Service::new(hands, ports, &base_ports, capacity, environment.clone());
    let addresses = base_ports
        .iter()
        .enumerate()
        .map(|(n, at)| (format!("rtp.base_ports.{n}"), *at));
    let (running, control) = Running::new("media", addresses);
    let stage = Stage {
        service: Arc::new(service),
        workers,
        control,
        stop: CancellationToken::new(),
    };
    stage.play(config, environment, credentials, serial, capacity, heard);
    Ok(running)
}

/// What the program consists of while it runs.
struct Stage {
    service: Arc<Service>,
    workers: Vec<Worker>,
    control: Control,
    stop: CancellationToken,
}

impl Stage {
    fn play(
        self,
        config: Config,
        environment: Environment,
        credentials: Arc<Credentials>,
        serial: String,
        capacity: usize,
        told: mpsc::Receiver<Told>,
    ) {
        let credentials = Arc::new(ArcSwap::new(credentials));
        let boot_id = environment.random.number();
        let dialling = uplink::dialling(
            &config,
            credentials.clone(),
            &self.service,
            serial,
            capacity,
            boot_id,
        );
        let links = fleet::keep::<MediaLink>(dialling, self.stop.clone());
        let stop = self.stop.clone();
        tokio::spawn(uplink::keep_fresh(config, credentials, environment, stop));
        tokio::spawn(self.run(links, told));
    }

    async fn run(
        mut self,
        mut links: mpsc::Receiver<LinkEvent<MediaLink>>,
        mut told: mpsc::Receiver<Told>,
    ) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut seconds, mut draining) = (0u64, false);
        loop {
            tokio::select! {
                Some(event) = links.recv() => self.linked(event),
                Some(told) = told.recv() => self.service.told(told),
                _ = second.tick() => {
                    seconds += 1;
                    self.service.each_second();
                    if seconds % 5 == 0 {
                        self.service.each_five_seconds();
                    }
                }
                () = wished(&mut self.control, draining) => {
                    if draining {
                        break;
                    }
                    draining = true;
                    info!("draining: takes no new session");
                    self.service.book.lock().drain();
                }
            }
            self.show_readiness();
            if draining && self.service.book.lock().open() == 0 {
                break;
            }
        }
        self.end().await;
    }

    fn linked(&self, event: LinkEvent<MediaLink>) {
        if let LinkEvent::Up { link, .. } = event {
            tokio::spawn(self.service.clone().serve(link));
        }
    }

    fn show_readiness(&self) {
        self.control.set_not_ready(self.service.hindrances());
    }

    async fn end(self) {
        self.service.close_all("drained");
        self.stop.cancel();
        let workers = self.workers;
        // Joining threads blocks for a moment.
        if tokio::task::spawn_blocking(move || drop(workers))
            .await
            .is_err()
        {
            warn!("a worker ended badly");
        }
        self.control.ended(Ended::Cleanly);
    }
}

/// Waits for the wish to drain, or to stop what still drains.
async fn wished(control: &mut Control, draining: bool) {
    if draining {
        control.stop_asked().await;
    } else {
        control.drain_asked().await;
    }
}

fn workers(config: &Config, around: &Surroundings) -> Result<Vec<Worker>, StartError> {
    let bound = (0..config.worker_count()).map(|n| Ok((n, base_socket(config, n)?)));
    // All ports first: a thread for a program that does not start would be a waste.
    let bound: Vec<(usize, UdpSocket)> = bound.collect::<Result<_, StartError>>()?;
    let start = |(n, socket)| {
        Worker::start(n, socket, around.clone()).map_err(|error| StartError::Other {
            what: format!("worker thread {n}: {error}"),
            remedy: "allow the process more threads and descriptors (ulimit -u, ulimit -n)".into(),
        })
    };
    bound.into_iter().map(start).collect()
}

fn base_socket(config: &Config, worker: usize) -> Result<UdpSocket, StartError> {
    let port = match config.base_ports.is_any() {
        true => 0,
        false => config.base_ports.first + u16::try_from(worker).unwrap_or(u16::MAX),
    };
    let address = SocketAddr::new(config.bind, port);
    let refused = |error| ipdect_node::listen::refused("rtp.base_ports", address, error);
    UdpSocket::bind(address).map_err(refused)
}

/// Address that peers are told; `None` if the sockets' own one will do.
async fn advertised(config: &Config) -> Result<Option<IpAddr>, StartError> {
    if config.advertise.is_some() || !config.bind.is_unspecified() {
        return Ok(config.advertise);
    }
    for server in uplink::servers(config) {
        // Connecting a datagram socket asks the routing table and sends nothing.
        let local = async {
            let socket = tokio::net::UdpSocket::bind(SocketAddr::new(config.bind, 0)).await?;
            socket.connect(&server).await?;
            socket.local_addr()
        };
        if let Ok(local) = local.await {
            return Ok(Some(local.ip().to_canonical()));
        }
    }
    Err(StartError::Other {
        what: "no route to any server, so no address to tell peers".into(),
        remedy: "set rtp.advertise".into(),
    })
}
