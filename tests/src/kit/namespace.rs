//! A network namespace of a test's own: fixed ports are free in it, and nothing leaves the machine.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::until;

/// Names of ours begin so; then come the pid of the test and a count.
const PREFIX: &str = "ipdect-t";
/// An address that is neither loopback nor routed: user agents that skip 127.0.0.0/8 take it.
pub const BENCH_ADDRESS: &str = "198.18.0.1";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A named network namespace with loopback up and [`BENCH_ADDRESS`] on it. Ends with everything that runs in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, and clears away those of tests that were killed.
    ///
    /// # Errors
    /// Says what is missing: the rights of root, or `ip` of the package iproute2.
    pub fn new() -> Result<Self> {
        if std::fs::metadata("/proc/self")?.uid() != 0 {
            bail!("the tests with real peers make network namespaces: run them as root");
        }
        sweep()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}", std::process::id());
        ip(&["netns", "add", &name])?;
        let made = Self { name };
        made.ip(&["link", "set", "lo", "up"])?;
        made.ip(&["addr", "add", &format!("{BENCH_ADDRESS}/32"), "dev", "lo"])?;
        Ok(made)
    }

    /// Adds a default route that leads nowhere: some user agents find their address by it.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn add_default_route(&self) -> Result<()> {
        self.ip(&["link", "add", "v0", "type", "veth", "peer", "name", "v1"])?;
        self.ip(&["addr", "add", "198.18.1.1/24", "dev", "v0"])?;
        self.ip(&["link", "set", "v0", "up"])?;
        self.ip(&["link", "set", "v1", "up"])?;
        self.ip(&["route", "add", "default", "via", "198.18.1.2"])
    }

    /// A command that runs inside, and dies with the thread that spawns it.
    ///
    /// It goes ahead of other work of the machine, where that is allowed: speech cannot wait for a compiler.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name])
            .args(ahead())
            .args(["setpriv", "--pdeathsig", "KILL", "--"])
            .arg(program.as_ref());
        // Our programs read configuration from there; a test writes all of it.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("IPDECT_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a closure on a thread inside: sockets that it opens belong to the namespace.
    ///
    /// # Errors
    /// If the namespace cannot be entered.
    ///
    /// # Panics
    /// If the closure does.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        let door = File::open(Path::new("/var/run/netns").join(&self.name))
            .with_context(|| format!("namespace {}", self.name))?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(door, CloneFlags::CLONE_NEWNET).context("cannot enter the namespace")?;
                Ok(act())
            });
            match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    fn ip(&self, arguments: &[&str]) -> Result<()> {
        let mut all = vec!["-n", &self.name];
        all.extend(arguments);
        ip(&all).map(drop)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A leftover is cleared away by the next test.
        let _ = clear(&self.name);
    }
}

/// Puts a program ahead of the machine's other work: in real time where that is allowed, else as nice as may be.
fn ahead() -> &'static [&'static str] {
    const REAL_TIME: &[&str] = &["chrt", "--rr", "1"];
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    let allowed = ALLOWED.get_or_init(|| {
        let tried = Command::new("chrt").args(["--rr", "1", "true"]).output();
        tried.is_ok_and(|done| done.status.success())
    });
    if *allowed {
        REAL_TIME
    } else {
        &["nice", "-n", "-15"]
    }
}

fn ip(arguments: &[&str]) -> Result<String> {
    let done = Command::new("ip")
        .args(arguments)
        .output()
        .context("the command ip is missing: install iproute2")?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("ip {}: {}", arguments.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn pids(name: &str) -> Result<Vec<i32>> {
    let said = ip(&["netns", "pids", name])?;
    Ok(said.lines().filter_map(|l| l.trim().parse().ok()).collect())
}

/// Kills what runs inside, by pid, and removes the namespace.
fn clear(name: &str) -> Result<()> {
    until("its programs end", Duration::from_secs(5), || {
        let running = pids(name)?;
        for pid in &running {
            // Gone meanwhile is as good.
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        Ok(running.is_empty().then_some(()))
    })?;
    ip(&["netns", "del", name]).map(drop)
}

/// Clears away namespaces whose test process is gone.
fn sweep() -> Result<()> {
    for line in ip(&["netns", "list"])?.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next())
            .and_then(|pid| pid.parse::<i32>().ok());
        if let Some(owner) = owner
            && kill(Pid::from_raw(owner), None).is_err()
        {
            clear(name)?;
        }
    }
    Ok(())
}
