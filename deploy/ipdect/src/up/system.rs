//! The parts of a whole system: how they start, how they end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ipdect_link::enrol::{Enrolling, enrol};
use ipdect_link::pki::credentials::Credentials;
use ipdect_link::release::Release;
use ipdect_link::role::Role;
use ipdect_node::config::HostPort;
use ipdect_node::health::{Probes, Served, serve};
use ipdect_node::run_file::{Lock, RunFile};
use ipdect_node::{Ended, Environment, Metrics, Redacted, Running, StartError};
use tokio::task::JoinHandle;

use super::config::Plan;
use super::people;
use crate::host::attach::{Door, attach};
use crate::host::memory::Shelf;
use crate::host::{Host, Setup};
use crate::thread;

/// Longest wait for parts that have started to be ready.
const READY: Duration = Duration::from_secs(10);
/// Name of the portables' host among the nodes.
const HOST: &str = "host-1";

/// How long the parts took to be ready.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) ready: Duration,
    pub(crate) server: Duration,
    pub(crate) media: Duration,
    pub(crate) base: Duration,
    pub(crate) admin: Duration,
}

/// A whole system that runs.
pub(crate) struct System {
    pub(crate) plan: Plan,
    pub(crate) environment: Environment,
    pub(crate) server: ipdect_server::Running,
    pub(crate) media: Running,
    pub(crate) base: Running,
    pub(crate) admin: Running,
    pub(crate) probes: Served,
    pub(crate) times: Times,
    pub(crate) shelf: Shelf,
    /// The store was made at this start.
    pub(crate) is_new: bool,
    run_files: Vec<RunFile>,
    _lock: Lock,
}

/// All measurements of all parts.
pub(crate) fn metrics() -> Metrics {
    Metrics::new(&[
        ipdect_server::metrics::METRICS,
        ipdect_media_resource::metrics::METRICS,
        ipdect_base_station::metrics::METRICS,
        ipdect_admin_api::metrics::METRICS,
    ])
}

impl System {
    /// Starts all parts and waits until they are ready. With `people` an empty store gets the portables' users.
    ///
    /// # Errors
    /// [`StartError`] that names the part, the key and the remedy.
    pub(crate) async fn start(
        mut plan: Plan,
        people_too: bool,
        environment: Environment,
    ) -> Result<Self, StartError> {
        let begun = Instant::now();
        let lock = Lock::take(&plan.data)?;
        let shelf = Shelf::open(&plan.data.join("handsets"))?;
        let new_system = !plan.server.common.data_dir.join("store.redb").exists();
        people::recall(&mut plan.people, &shelf, new_system, &environment.random)?;
        let users = if people_too {
            plan.people.clone()
        } else {
            Vec::new()
        };
        plan.furnish(&users)?;

        let server = ipdect_server::start(plan.server.clone(), environment.clone())
            .await
            .map_err(|error| error.of_part("server"))?;
        ready("server", &server).await?;
        let mut times = Times {
            server: begun.elapsed(),
            ..Times::default()
        };
        introduce(&mut plan, &server).await?;
        let (media_config, base_config, admin_config) =
            (plan.media.clone(), plan.base.clone(), plan.admin.clone());
        // The base station's clock ticks every 10 ms; nothing else may hold it up.
        let (config, env) = (base_config, environment.clone());
        let base = thread::start("base", move || ipdect_base_station::start(config, env));
        let (media, base, admin) = tokio::try_join!(
            timed(
                "media",
                ipdect_media_resource::start(media_config, environment.clone())
            ),
            timed("base", base),
            timed(
                "admin",
                ipdect_admin_api::start(admin_config, environment.clone())
            ),
        )?;
        (times.media, times.base, times.admin) = (media.1, base.1, admin.1);
        let (media, base, admin) = (media.0, base.0, admin.0);
        let parts = vec![
            (*server).clone(),
            media.clone(),
            base.clone(),
            admin.clone(),
        ];
        let mut run_files = Vec::new();
        for part in &parts {
            run_files.push(RunFile::write(
                &plan.data,
                &Release::ours().to_string(),
                part,
            )?);
        }
        let probes = serve(
            plan.probe_listen,
            Probes::of(environment.metrics.clone(), parts),
        )
        .await?;
        times.ready = begun.elapsed();
        Ok(Self {
            plan,
            environment,
            server,
            media,
            base,
            admin,
            probes,
            times,
            shelf,
            is_new: new_system,
            run_files,
            _lock: lock,
        })
    }

    /// Root certificate of the cluster.
    pub(crate) fn root_file(&self) -> PathBuf {
        self.plan.server.common.data_dir.join("pki").join("ca.pem")
    }

    /// An address of a part as one on this machine can reach it.
    ///
    /// # Panics
    /// If the part has no such address, which is a mistake of this program.
    pub(crate) fn reach(part: &Running, key: &str) -> SocketAddr {
        let bound = part.address(key);
        near(bound.unwrap_or_else(|| panic!("{} has no address {key}", part.name())))
    }

    /// Runs portables near this system's base station, or the one that the configuration names.
    ///
    /// # Errors
    /// [`StartError`].
    pub(crate) async fn host(&self, setups: Vec<Setup>) -> Result<Host, StartError> {
        let air = match &self.plan.air {
            Some(air) => resolve(air).await?,
            None => Self::reach(&self.base, "radio.virtual.listen"),
        };
        let random = &self.environment.random;
        Host::start(setups, &[air], Some(self.shelf.clone()), random).await
    }

    /// Where the base station stands, in metres.
    pub(crate) fn base_m(&self) -> [f64; 3] {
        let place = self.plan.base.place.position;
        [place.x_dm, place.y_dm, place.z_dm].map(|dm| f64::from(dm) / 10.0)
    }

    /// Attaches the portables to the admin API with a certificate of their own, so that pages show and use them.
    ///
    /// # Errors
    /// [`StartError`] if the host does not enrol.
    pub(crate) async fn attach(&self, host: &Host) -> Result<JoinHandle<()>, StartError> {
        let pki = self.plan.data.join("handsets").join("pki");
        forget_other_cluster(&pki, &self.root_file());
        if !enrolled(&pki)? {
            let token = self.server.issue_token(Role::Host).await?;
            let enrolling = Enrolling {
                servers: vec![Self::reach(&self.server, "link.listen").to_string()],
                token: token.parse().map_err(|error| unusable(&error))?,
                root: None,
                serial: HOST.into(),
                release: Release::ours(),
                wished_name: HOST.into(),
                folder: pki.clone(),
            };
            enrol(&enrolling).await.map_err(|error| unusable(&error))?;
        }
        let address = Self::reach(&self.admin, "grpc.listen").to_string();
        let door = Door::new(&address, &pki, HOST)?;
        Ok(tokio::spawn(attach(
            host.clone(),
            door,
            self.environment.random.clone(),
        )))
    }

    /// Waits until a part ends by itself; gives its name and how.
    pub(crate) async fn failed(&self) -> (&'static str, Ended) {
        tokio::select! {
            ended = self.server.wait() => ("server", ended),
            ended = self.media.wait() => ("media", ended),
            ended = self.base.wait() => ("base", ended),
            ended = self.admin.wait() => ("admin", ended),
        }
    }

    /// Ends all parts: the server says farewell first, the others when nobody needs them any more.
    pub(crate) async fn end(mut self, within: Duration) -> Vec<(&'static str, Ended)> {
        let deadline = Instant::now() + within;
        let rest = || deadline.saturating_duration_since(Instant::now());
        let admin = tokio::spawn({
            let (admin, within) = (self.admin.clone(), rest());
            async move { admin.drain(within).await }
        });
        let server = self.server.drain(rest()).await;
        let (media, base) = tokio::join!(self.media.drain(rest()), self.base.drain(rest()));
        let admin = admin
            .await
            .unwrap_or_else(|error| Ended::Failed(error.to_string()));
        self.run_files.clear();
        vec![
            ("server", server),
            ("media", media),
            ("base", base),
            ("admin", admin),
        ]
    }
}

/// Tells the devices where the server is, and gives those a token that have no certificate of this cluster.
async fn introduce(plan: &mut Plan, server: &ipdect_server::Running) -> Result<(), StartError> {
    let link = System::reach(server, "link.listen");
    let address = HostPort {
        host: link.ip().to_string(),
        port: link.port(),
    };
    let root = plan.server.common.data_dir.join("pki").join("ca.pem");
    for servers in [
        &mut plan.media.servers,
        &mut plan.base.servers,
        &mut plan.admin.servers,
    ] {
        *servers = vec![address.clone()];
    }
    if let Some(token) = token(server, Role::Media, &plan.media.common.data_dir, &root).await? {
        plan.media.token = Redacted(token);
    }
    if let Some(token) = token(server, Role::Base, &plan.base.common.data_dir, &root).await? {
        plan.base.token = Some(token.parse().map_err(|error| unusable(&error))?);
    }
    if let Some(token) = token(server, Role::Admin, &plan.admin.common.data_dir, &root).await? {
        plan.admin.token = Redacted(token);
    }
    Ok(())
}

async fn token(
    server: &ipdect_server::Running,
    role: Role,
    data_dir: &Path,
    root: &Path,
) -> Result<Option<String>, StartError> {
    let pki = data_dir.join("pki");
    forget_other_cluster(&pki, root);
    if enrolled(&pki)? {
        return Ok(None);
    }
    server.issue_token(role).await.map(Some)
}

/// A certificate of another cluster, such as of a store that was removed, is worth nothing here.
fn forget_other_cluster(pki: &Path, root: &Path) {
    let known = std::fs::read(pki.join("ca.pem"));
    let ours = std::fs::read(root);
    if let (Ok(known), Ok(ours)) = (known, ours)
        && known != ours
    {
        tracing::warn!(folder = %pki.display(), "the certificate is of a former cluster; enrolling anew");
        // If it stays, enrolment tells.
        let _ = std::fs::remove_dir_all(pki);
    }
}

fn enrolled(pki: &Path) -> Result<bool, StartError> {
    Credentials::load(pki)
        .map(|known| known.is_some())
        .map_err(|error| StartError::Content {
            path: pki.to_owned(),
            what: error.to_string(),
            remedy: "remove this folder: the part then enrols anew".into(),
        })
}

/// Starts a part, waits until it is ready, and says how long that took.
async fn timed(
    part: &'static str,
    start: impl Future<Output = Result<Running, StartError>>,
) -> Result<(Running, Duration), StartError> {
    let begun = Instant::now();
    let running = start.await.map_err(|error| error.of_part(part))?;
    ready(part, &running).await?;
    Ok((running, begun.elapsed()))
}

async fn ready(part: &'static str, running: &Running) -> Result<(), StartError> {
    let not = |what: String| {
        StartError::Other {
            what,
            remedy: "see the log; IPDECT_LOG__LEVEL=info shows more".into(),
        }
        .of_part(part)
    };
    match tokio::time::timeout(READY, running.ready()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ended)) => Err(not(format!("ended before it was ready: {ended:?}"))),
        Err(_) => Err(not(format!(
            "not ready after {READY:?}: {}",
            running.not_ready().join(", ")
        ))),
    }
}

fn unusable(error: &dyn std::error::Error) -> StartError {
    StartError::Enrol {
        what: error.to_string(),
        remedy: "see the log of the server".into(),
        usage: false,
    }
}

/// The loopback for a socket that listens on all addresses.
fn near(bound: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// The first address of a host.
///
/// # Errors
/// [`StartError::Other`] if it has none.
pub(crate) async fn resolve(host: &HostPort) -> Result<SocketAddr, StartError> {
    let unknown = |why: String| StartError::Other {
        what: format!("{host}: {why}"),
        remedy: "name a base station by host or address, and port, such as 127.0.0.1:7462".into(),
    };
    let mut found = tokio::net::lookup_host(host.to_string())
        .await
        .map_err(|error| unknown(error.to_string()))?;
    found.next().ok_or_else(|| unknown("no address".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_reached_by_the_loopback() {
        assert_eq!(
            near("0.0.0.0:7460".parse().unwrap()).to_string(),
            "127.0.0.1:7460"
        );
        assert_eq!(near("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(
            near("192.0.2.1:2".parse().unwrap()).to_string(),
            "192.0.2.1:2"
        );
    }

    #[test]
    fn a_certificate_of_a_former_cluster_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let pki = folder.path().join("pki");
        std::fs::create_dir(&pki).unwrap();
        let root = folder.path().join("ca.pem");
        std::fs::write(&root, "new").unwrap();
        std::fs::write(pki.join("ca.pem"), "new").unwrap();
        forget_other_cluster(&pki, &root);
        assert!(pki.exists());
        std::fs::write(pki.join("ca.pem"), "old").unwrap();
        forget_other_cluster(&pki, &root);
        assert!(!pki.exists());
    }
}
