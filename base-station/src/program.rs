//! Start, drain and end of the program.

use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ipdect_link::pki::credentials::Credentials;
use ipdect_node::config::HostPort;
use ipdect_node::run_file::Lock;
use ipdect_node::{Control, Ended, Environment, Running, StartError, bind_udp};
use parking_lot::Mutex;
use rand_core::RngCore;
use tokio::net::UdpSocket;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::body::{CellBody, Parts, Rng};
use crate::config::Config;
use crate::enrol::{self, Standing};
use crate::radio::virtual_air::VirtualAir;
use crate::uplink::{self, Greeting};

/// Name of this program among those of the system.
pub const NAME: &str = "base";
/// Before a drain's deadline the last connections are released this early, so that the portables hear of it.
const BEFORE_DEADLINE: Duration = Duration::from_millis(250);

/// Starts a base station: locks its data directory, binds its sockets, enrols if need be, dials servers.
///
/// It is ready when a server has configured it. Addresses: `speech.listen`, `radio.virtual.listen`.
///
/// # Errors
/// [`StartError`]: directory in use, port in use, or enrolment that can never work. A server that cannot be reached
/// is no error: it is dialled for ever.
pub async fn start(config: Config, env: Environment) -> Result<Running, StartError> {
    let lock = Lock::take(&config.common.data_dir)?;
    let air = bind_udp("radio.virtual.listen", config.air_listen).await?;
    let speech = bind_udp("speech.listen", config.speech_listen).await?;
    let addresses = [
        ("radio.virtual.listen", local(&air)?),
        ("speech.listen", local(&speech)?),
    ];
    let mut rng = generator(&env);
    let serial = enrol::serial(&config, &mut *rng)?;
    let standing = enrol::begin(&config, &serial).await?;
    let greeting = Arc::new(Greeting {
        serial,
        boot_id: rng.next_u64(),
        speech_address: advertised(&config, local(&speech)?),
        floors: Mutex::default(),
    });
    let (running, control) = Running::new(NAME, addresses);
    let unlinked = vec!["no server yet".to_owned()];
    control.set_not_ready(unlinked.clone());
    let (readiness, reasons) = watch::channel(unlinked);
    let radio = VirtualAir::new(air, config.place, generator(&env));
    let parts = Parts {
        env: env.clone(),
        radio,
        speech,
        greeting: greeting.clone(),
        rng: generator(&env),
        readiness,
    };
    let program = Program {
        config,
        env,
        greeting,
        standing,
        rng,
        _lock: lock,
    };
    tokio::spawn(program.run(parts, control, reasons));
    Ok(running)
}

/// What the task of the program holds.
struct Program {
    config: Config,
    env: Environment,
    greeting: Arc<Greeting>,
    standing: Standing,
    rng: Rng,
    _lock: Lock,
}

impl Program {
    async fn run(
        self,
        parts: Parts,
        mut control: Control,
        mut reasons: watch::Receiver<Vec<String>>,
    ) {
        let stop = CancellationToken::new();
        let (drain, drain_asked) = watch::channel(None);
        let (links, uplink) = oneshot::channel();
        let mut link = tokio::spawn(self.link(links, stop.clone()));
        let body = CellBody::new(parts);
        let mut cell = tokio::spawn(async move {
            // Without a server the air is silent: a portable finds nothing that could not serve it.
            match uplink.await {
                Ok(uplink) => body.run(uplink, drain_asked).await,
                Err(_) => Ok(()),
            }
        });
        let mut linked = false;
        let ended = loop {
            tokio::select! {
                done = &mut cell => break cell_ended(done),
                done = &mut link, if !linked => match done {
                    Ok(Ok(())) => linked = true,
                    Ok(Err(why)) => break Ended::Failed(why),
                    Err(error) => break Ended::Failed(error.to_string()),
                },
                Ok(()) = reasons.changed() => control.set_not_ready(reasons.borrow_and_update().clone()),
                deadline = control.drain_asked() => {
                    if !linked {
                        break Ended::Cleanly;
                    }
                    let deadline = Instant::from(deadline).checked_sub(BEFORE_DEADLINE);
                    drain.send_replace(Some(deadline.unwrap_or_else(Instant::now)));
                    tokio::select! {
                        done = &mut cell => break cell_ended(done),
                        () = control.stop_asked() => break Ended::Cleanly,
                    }
                }
            }
        };
        link.abort();
        cell.abort();
        stop.cancel();
        control.ended(ended);
    }

    /// Enrols if that is still to be done, then dials servers and keeps the certificate fresh.
    async fn link(
        mut self,
        links: oneshot::Sender<tokio::sync::mpsc::Receiver<uplink::Event>>,
        stop: CancellationToken,
    ) -> Result<(), String> {
        let credentials = match &self.standing {
            Standing::Enrolled(credentials) => credentials.clone(),
            Standing::Waiting(enrolling) => enrol::go_on(enrolling, &mut *self.rng).await?,
        };
        tracing::info!(node = %credentials.identity.node_id, "base station enrolled");
        let credentials: Arc<ArcSwap<Credentials>> = Arc::new(ArcSwap::new(credentials));
        let servers: Vec<String> = self
            .config
            .servers
            .iter()
            .map(ToString::to_string)
            .collect();
        let events = uplink::start(
            servers.clone(),
            credentials.clone(),
            self.greeting.clone(),
            stop.clone(),
        );
        // Nobody to take them means that the program is ending.
        let _ = links.send(events);
        let folder = enrol::folder(&self.config);
        let fresh = enrol::keep_fresh(credentials, servers, folder, self.env.clone());
        tokio::spawn(async move {
            // The lock on the data directory is held as long as files in it may be written.
            let _program = self;
            tokio::select! {
                () = fresh => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(())
    }
}

fn cell_ended(done: Result<std::io::Result<()>, tokio::task::JoinError>) -> Ended {
    match done {
        Ok(Ok(())) => Ended::Cleanly,
        Ok(Err(error)) => Ended::Failed(format!("radio or speech socket: {error}")),
        Err(error) => Ended::Failed(format!("cell: {error}")),
    }
}

fn generator(env: &Environment) -> Rng {
    env.random.generator()
}

fn local(socket: &UdpSocket) -> Result<SocketAddr, StartError> {
    socket.local_addr().map_err(|error| StartError::Other {
        what: format!("a bound socket has no address: {error}"),
        remedy: "start again".into(),
    })
}

/// What media resources are told to send to.
fn advertised(config: &Config, bound: SocketAddr) -> SocketAddr {
    let address = match config.speech_advertise {
        Some(address) => address,
        None if bound.ip().is_unspecified() => facing(&config.servers).unwrap_or(bound.ip()),
        None => bound.ip(),
    };
    SocketAddr::new(address, bound.port())
}

/// The address of this machine that faces a server. Connecting a UDP socket asks the routing table, and sends nothing.
fn facing(servers: &[HostPort]) -> Option<IpAddr> {
    let faces = |server: &HostPort| {
        let any = if server.host.contains(':') {
            "[::]:0"
        } else {
            "0.0.0.0:0"
        };
        let socket = StdUdpSocket::bind(any).ok()?;
        socket.connect(server.to_string()).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    servers.iter().find_map(faces)
}
