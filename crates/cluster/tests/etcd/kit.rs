//! Processes of etcd on addresses of their own, in folders of their own. Each ends with the test.

use futures_util::StreamExt;
use ipdect_cluster::etcd::{Config, Limits, Tls, User};
use ipdect_cluster::{Changes, Etcd, StoreError, Watch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::future::Future;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::pki::Pki;

/// Longest wait for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn user(name: &str, password: &str) -> Option<User> {
    Some(User {
        name: name.into(),
        password: Zeroizing::new(password.into()),
    })
}

/// A loopback address that no other process of this machine's tests has, so that all its ports are free.
pub(crate) fn address() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 128 | (high & 0x3F), middle, low)
}

/// A port that nobody has, and that this process has not given away yet. Others of this machine have other addresses,
/// but may listen on all of them.
fn port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let free = TcpListener::bind((address(), 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// A cluster of one or more members.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    pki: Option<Pki>,
    user: Option<User>,
}

struct Node {
    child: Child,
    arguments: Vec<String>,
    endpoint: String,
    folder: TempDir,
}

impl Cluster {
    /// One member, plain, with further arguments.
    pub(crate) fn single(more: &[&str]) -> Cluster {
        Cluster::new(1, None, more)
    }

    /// Three members that want certificates.
    pub(crate) fn three() -> Cluster {
        Cluster::new(3, Some(Pki::new()), &[])
    }

    /// Three members that want certificates and a user; ours may do all below `/`.
    pub(crate) async fn three_with_users() -> Cluster {
        let mut cluster = Cluster::three();
        cluster.store().await;
        for arguments in [
            "user add root:hush",
            "user grant-role root root",
            "user add ipdect:secret",
            "role add ipdect",
            "role grant-permission ipdect --prefix=true readwrite /",
            "user grant-role ipdect ipdect",
            "auth enable",
        ] {
            cluster.etcdctl(&arguments.split(' ').collect::<Vec<_>>());
        }
        cluster.user = user("ipdect", "secret");
        cluster
    }

    fn new(members: usize, pki: Option<Pki>, more: &[&str]) -> Cluster {
        let scheme = if pki.is_some() { "https" } else { "http" };
        let url = || format!("{scheme}://{}:{}", address(), port());
        let peers: Vec<String> = (0..members).map(|_| url()).collect();
        let named = peers.iter().enumerate();
        let cluster: Vec<String> = named.map(|(n, peer)| format!("e{n}={peer}")).collect();
        let nodes = peers.iter().enumerate().map(|(n, peer)| {
            let folder = tempfile::tempdir().unwrap();
            let endpoint = url();
            let mut arguments: Vec<String> = [
                ("--name", format!("e{n}").as_str()),
                ("--listen-client-urls", &endpoint),
                ("--advertise-client-urls", &endpoint),
                ("--listen-peer-urls", peer),
                ("--initial-advertise-peer-urls", peer),
                ("--initial-cluster", &cluster.join(",")),
                ("--logger", "zap"),
                ("--log-level", "error"),
            ]
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
            arguments.push("--pre-vote".into());
            arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
            if let Some(pki) = &pki {
                arguments.extend(pki.etcd_arguments());
            }
            Node {
                child: start(folder.path(), &arguments),
                arguments,
                endpoint,
                folder,
            }
        });
        Cluster {
            nodes: nodes.collect(),
            pki,
            user: None,
        }
    }

    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.nodes
            .iter()
            .map(|node| node.endpoint.clone())
            .collect()
    }

    /// How to reach all members, with what they want.
    pub(crate) fn config(&self) -> Config {
        Config {
            tls: self.pki.as_ref().map(Pki::client),
            user: self.user.clone(),
            ..Config::new(self.endpoints())
        }
    }

    pub(crate) fn with_tls(&self, tls: impl FnOnce(&Pki) -> Tls) -> Config {
        Config {
            tls: self.pki.as_ref().map(tls),
            ..self.config()
        }
    }

    /// A store, as soon as the cluster answers.
    pub(crate) async fn store(&self) -> Etcd {
        self.store_with(self.config()).await
    }

    pub(crate) async fn store_with(&self, config: Config) -> Etcd {
        // Members that have just been started need their time.
        let slow = Limits {
            call: PATIENCE,
            ..config.limits
        };
        let patient = Config {
            limits: slow,
            ..config.clone()
        };
        if let Err(error) = Etcd::connect(&patient).await {
            panic!("{error}; processes: {:?}", self.processes());
        }
        Etcd::new(&config).unwrap()
    }

    /// Which of its processes run, or how they ended.
    fn processes(&self) -> Vec<String> {
        let states = self.nodes.iter().map(|node| {
            let path = format!("/proc/{}/stat", node.child.id());
            std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string())
        });
        states.collect()
    }

    /// A client of the library that the store uses, for what only tests do.
    pub(crate) async fn raw(&self) -> etcd_client::Client {
        self.store().await;
        etcd_client::Client::connect(self.endpoints(), None)
            .await
            .unwrap()
    }

    /// The member that leads.
    pub(crate) async fn leader(&self) -> usize {
        let health = self.store().await.health().await;
        let leads = |member: &ipdect_cluster::etcd::MemberHealth| {
            member.state.as_ref().is_ok_and(|state| state.leads)
        };
        health.members.iter().position(leads).expect("a leader")
    }

    /// Kills a member (SIGKILL).
    pub(crate) fn kill(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.child.kill().unwrap();
        node.child.wait().unwrap();
    }

    /// Starts a killed member again, on its data.
    pub(crate) fn restart(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.child = start(node.folder.path(), &node.arguments);
    }

    /// Makes a member stand still (SIGSTOP).
    pub(crate) fn stop(&self, node: usize) {
        self.signal(node, Signal::SIGSTOP);
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn wake(&self, node: usize) {
        self.signal(node, Signal::SIGCONT);
    }

    fn signal(&self, node: usize, signal: Signal) {
        let pid = i32::try_from(self.nodes[node].child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Runs etcdctl, as an operator would.
    pub(crate) fn etcdctl(&self, arguments: &[&str]) -> String {
        let output = Command::new("etcdctl")
            .env("ETCDCTL_API", "3")
            .arg(format!("--endpoints={}", self.endpoints().join(",")))
            .args(self.pki.iter().flat_map(Pki::etcdctl_arguments))
            .args(arguments)
            .output()
            .expect("etcdctl is there (Debian package etcd-client)");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // A stopped process can be killed too.
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
    }
}

fn start(folder: &Path, arguments: &[String]) -> Child {
    Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "etcd"])
        .arg(format!("--data-dir={}", folder.join("data").display()))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("etcd is there (Debian package etcd-server)")
}

/// Waits for what must come.
pub(crate) async fn soon<T>(what: &str, come: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, come)
        .await
        .unwrap_or_else(|_| panic!("{what} never came"))
}

/// The next change of a watch that goes on.
pub(crate) async fn next(watch: &mut Watch) -> Changes {
    item(watch).await.unwrap()
}

/// The next change, or why there is none.
pub(crate) async fn item(watch: &mut Watch) -> Result<Changes, StoreError> {
    soon("a change", watch.next())
        .await
        .expect("the watch goes on")
}
