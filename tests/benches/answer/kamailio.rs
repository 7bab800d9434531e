//! Kamailio as it is installed here, with one process for UDP.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::Program;
use ipdect_tests::kit::wait::until;
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{Answerer, Asker};
use crate::bench::cpu_time_of;

/// It is up in 0.2 s on an idle machine, in several seconds on a busy one.
const START: Duration = Duration::from_secs(20);
/// Transactions are forgotten a second after their answer, see its configuration.
const FORGETS: Duration = Duration::from_secs(20);

/// A running Kamailio.
pub(super) struct Kamailio {
    port: u16,
    /// Its processes but the one that answers questions about itself.
    processes: Vec<Pid>,
    control: Control,
    _program: Program,
    _folder: TempDir,
}

impl Kamailio {
    pub(super) fn start() -> Result<Kamailio> {
        let folder = tempfile::tempdir()?;
        // Nobody takes it meanwhile in a network of our own; elsewhere it may happen, and is told.
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let control = Control(folder.path().join("ctl"));
        let configuration = include_str!("../peers/kamailio.cfg")
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROL@", &control.0.to_string_lossy());
        let file = folder.path().join("kamailio.cfg");
        std::fs::write(&file, configuration)?;
        let mut command = Command::new("kamailio");
        command.arg("-f").arg(file).arg("-P");
        command.arg(folder.path().join("pid"));
        command.args(["-DD", "-E", "-m", "256", "-M", "16"]);
        let mut program = Program::start("kamailio", command, folder.path())
            .context("apt-get install kamailio")?;
        let processes = until("kamailio answers its control", START, || {
            ensure!(program.runs(), "{}", program.last_words());
            Ok(control.processes())
        })?;
        Ok(Kamailio {
            port,
            processes,
            control,
            _program: program,
            _folder: folder,
        })
    }

    fn spent(&self) -> Result<Duration> {
        self.processes.iter().map(|pid| cpu_time_of(*pid)).sum()
    }
}

impl Answerer for Kamailio {
    fn spends(&mut self, asker: &mut Asker, requests: u32) -> Result<Duration> {
        let begin = self.spent()?;
        asker.asks(self.port, requests)?;
        until("kamailio forgets its transactions", FORGETS, || {
            Ok((self.control.transactions()? == 0).then_some(()))
        })?;
        Ok(self.spent()? - begin)
    }
}

/// Its control socket.
struct Control(PathBuf);

impl Control {
    fn asked(&self, question: &str) -> Result<String> {
        let socket = format!("unix:{}", self.0.display());
        let done = Command::new("kamcmd")
            .args(["-s", &socket, question])
            .output()
            .context("kamcmd")?;
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Its processes, once it answers: a line with the pid, then one that says what it does.
    fn processes(&self) -> Option<Vec<Pid>> {
        let said = self.asked("core.ps").ok()?;
        let lines: Vec<&str> = said.lines().collect();
        let pairs = lines.chunks_exact(2);
        let others = pairs.filter(|pair| !pair[1].starts_with("ctl "));
        let pids: Option<Vec<Pid>> = others
            .map(|pair| Some(Pid::from_raw(pair[0].parse().ok()?)))
            .collect();
        pids.filter(|pids| !pids.is_empty())
    }

    /// How many transactions it has.
    fn transactions(&self) -> Result<u64> {
        let said = self.asked("tm.stats")?;
        let current = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("current: ")?.parse().ok());
        current.with_context(|| format!("tm.stats said: {said}"))
    }
}
