//! The peer rsipstack: a program in a workspace of its own, built and run on demand.
//!
//! As a dependency here it would widen the features of tokio and tokio-util for all of the workspace, which would then
//! be built twice over. So it is measured when `BENCH_RSIPSTACK` is set.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use nix::unistd::Pid;

use crate::answer::{Answerer, Asker};
use crate::bench::{Figure, cpu_time_of};

/// Its name in the table.
pub(crate) const NAME: &str = "rsipstack 0.7";

/// Its parser on a message: split, and split with six typed fields.
pub(crate) fn parses(octets: &Bytes) -> Result<[Figure; 2]> {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("invite.sip");
    std::fs::write(&file, octets)?;
    let output = Command::new(built()?).arg("parse").arg(file).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "its program failed: {text}");
    let figure = |word: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(word));
        let ns = line.and_then(|ns| ns.trim().parse().ok());
        ns.map(|ns| Figure {
            ns,
            allocations: None,
        })
    };
    let split = figure("split").context("no figure")?;
    Ok([split, figure("typed").context("no figure")?])
}

/// An endpoint of it that answers OPTIONS.
pub(crate) struct Endpoint {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Endpoint {
    pub(crate) fn start() -> Result<Endpoint> {
        let mut child = Command::new(built()?)
            .arg("answer")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let mut endpoint = Endpoint {
            child,
            input: input.context("it has one")?,
            output: BufReader::new(output.context("it has one")?),
            port: 0,
        };
        endpoint.port = endpoint.line()?.parse().context("its port")?;
        Ok(endpoint)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn spent(&self) -> Result<Duration> {
        cpu_time_of(Pid::from_raw(i32::try_from(self.child.id())?))
    }
}

impl Answerer for Endpoint {
    fn spends(&mut self, asker: &mut Asker, requests: u32) -> Result<Duration> {
        let begin = self.spent()?;
        asker.asks(self.port, requests)?;
        writeln!(self.input, "forget")?;
        ensure!(self.line()? == "forgotten", "it ended");
        Ok(self.spent()? - begin)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its program, built once in a run, if it is wanted at all.
pub(crate) fn built() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|why| format!("{why:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

fn build() -> Result<PathBuf> {
    if std::env::var_os("BENCH_RSIPSTACK").is_none() {
        bail!("set BENCH_RSIPSTACK=1 to build and measure it");
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/peers/rsipstack");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rsipstack");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    ensure!(status.success(), "it does not build");
    Ok(target.join("release/ipdect-bench-rsipstack"))
}
