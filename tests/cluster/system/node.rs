//! One program of ours, its probes, its end and its next start.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::{Program, built};
use ipdect_tests::kit::wait::until;

use super::PATIENCE;
use crate::lab::Lab;

/// One running program of ours.
pub(crate) struct Node {
    pub(crate) program: Program,
    /// Which one it is.
    which: &'static str,
    name: String,
    file: PathBuf,
    probe: u16,
}

impl Node {
    pub(super) fn start(
        lab: &Lab,
        which: &'static str,
        name: &str,
        probe: u16,
        configuration: &str,
    ) -> Result<Self> {
        let file = lab.folder(name)?.join("config.toml");
        std::fs::write(&file, configuration)?;
        Ok(Self {
            program: run(lab, which, name, &file)?,
            which,
            name: name.into(),
            file,
            probe,
        })
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub(crate) fn is_killed(&mut self) -> Result<()> {
        self.program.kill()
    }

    /// Starts it once more with the same file and folder, and waits until it is ready. What it said before is on an older
    /// page.
    pub(crate) fn starts_again(&mut self, lab: &Lab) -> Result<()> {
        self.program = run(lab, self.which, &self.name, &self.file)?;
        self.is_ready(lab)
    }

    /// Waits until it says that it is ready.
    pub(crate) fn is_ready(&mut self, lab: &Lab) -> Result<()> {
        until("it is ready", PATIENCE, || {
            ensure!(self.program.runs(), "it ended");
            let ready = self.asks(lab, "/readyz").is_ok_and(|a| a.0 == 200);
            Ok(ready.then_some(()))
        })
        .with_context(|| self.program.last_words())
    }

    /// Status and body of a page of its probes.
    fn asks(&self, lab: &Lab, path: &str) -> Result<(u16, String)> {
        let probe = self.probe;
        lab.namespace().inside(|| get(probe, path))?
    }

    /// Sum of a metric over the label sets that contain a text.
    pub(crate) fn metric(&self, lab: &Lab, name: &str, label: &str) -> Result<f64> {
        let (status, page) = self.asks(lab, "/metrics")?;
        ensure!(status == 200, "/metrics answers {status}");
        let of_name = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|r| r.starts_with(['{', ' '])) && line.contains(label)
        };
        let values = page.lines().filter(of_name);
        Ok(values
            .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }

    /// Waits until a metric is at least so much.
    pub(crate) fn counts(&self, lab: &Lab, name: &str, label: &str, least: f64) -> Result<()> {
        until(&format!("{name}{{{label}}} >= {least}"), PATIENCE, || {
            Ok((self.metric(lab, name, label)? >= least).then_some(()))
        })
        .with_context(|| self.program.last_words())
    }
}

fn run(lab: &Lab, which: &str, name: &str, file: &Path) -> Result<Program> {
    let mut command = lab.namespace().command(built(which)?);
    command.arg("--config").arg(file);
    Program::start(name, command, lab.logs())
}

fn get(port: u16, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).context("no status")?;
    Ok((status.parse()?, body.to_string()))
}
