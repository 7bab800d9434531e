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
use tokio::sync::{mpsc, oneshot, watch};
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
    let linking = Linking {
        config,
        env,
        greeting,
        standing,
        rng,
    };
    tokio::spawn(run(linking, parts, lock, control, reasons));
    Ok(running)
}

/// Runs the cell and its links until drained, or until one of them fails. The lock goes last but for the word of it.
async fn run(
    linking: Linking,
    parts: Parts,
    lock: Lock,
    mut control: Control,
    mut reasons: watch::Receiver<Vec<String>>,
) {
    let stop = CancellationToken::new();
    let (drain, drain_asked) = watch::channel(None);
    let (links, uplink) = oneshot::channel();
    let mut link = tokio::spawn(linking.run(links, stop.clone()));
    let mut cell = tokio::spawn(serve(CellBody::new(parts), uplink, drain_asked));
    let ended = loop {
        tokio::select! {
            done = &mut cell => break cell_ended(done),
            done = &mut link => break Ended::Failed(done.unwrap_or_else(|error| error.to_string())),
            Ok(()) = reasons.changed() => control.set_not_ready(reasons.borrow_and_update().clone()),
            deadline = control.drain_asked() => {
                let deadline = Instant::from(deadline).checked_sub(BEFORE_DEADLINE);
                drain.send_replace(Some(deadline.unwrap_or_else(Instant::now)));
                tokio::select! {
                    done = &mut cell => break cell_ended(done),
                    () = control.stop_asked() => break Ended::Cleanly,
                }
            }
        }
    };
    stop.cancel();
    for task in [link.abort_handle(), cell.abort_handle()] {
        task.abort();
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
    drop(lock);
    control.ended(ended);
}

/// Serves portables once there are links. Without a server the air is silent: a portable finds nothing that could not
/// serve it.
async fn serve(
    body: CellBody,
    uplink: oneshot::Receiver<mpsc::Receiver<uplink::Event>>,
    mut drain_asked: watch::Receiver<Option<Instant>>,
) -> std::io::Result<()> {
    let uplink = tokio::select! {
        uplink = uplink => uplink,
        _ = drain_asked.wait_for(Option::is_some) => return Ok(()),
    };
    match uplink {
        Ok(uplink) => body.run(uplink, drain_asked).await,
        // The other task has failed and says why.
        Err(_) => std::future::pending().await,
    }
}

/// What it takes to get to servers.
struct Linking {
    config: Config,
    env: Environment,
    greeting: Arc<Greeting>,
    standing: Standing,
    rng: Rng,
}

impl Linking {
    /// Enrols if that is still to be done, then dials servers and keeps the certificate fresh, for ever. Answers why it
    /// cannot.
    async fn run(
        mut self,
        links: oneshot::Sender<mpsc::Receiver<uplink::Event>>,
        stop: CancellationToken,
    ) -> String {
        let credentials = match &self.standing {
            Standing::Enrolled(credentials) => credentials.clone(),
            Standing::Waiting(enrolling) => match enrol::go_on(enrolling, &mut *self.rng).await {
                Ok(credentials) => credentials,
                Err(why) => return why,
            },
        };
        tracing::info!(node = %credentials.identity.node_id, "base station enrolled");
        let credentials: Arc<ArcSwap<Credentials>> = Arc::new(ArcSwap::new(credentials));
        let servers: Vec<String> = self
            .config
            .servers
            .iter()
            .map(ToString::to_string)
            .collect();
        let events = uplink::start(servers.clone(), credentials.clone(), self.greeting, stop);
        // Nobody to take them means that the program is ending.
        let _ = links.send(events);
        enrol::keep_fresh(credentials, servers, enrol::folder(&self.config), self.env).await
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
