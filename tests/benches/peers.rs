//! Peers in C: small programs, compiled against Debian's libraries when these are there, that time themselves in this run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bench::{Bench, Figure};

/// A library in C with its program in `peers/`.
pub(crate) struct Peer {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) source: &'static str,
    /// What to link.
    pub(crate) libraries: &'static [&'static str],
    /// The Debian package that has them.
    pub(crate) package: &'static str,
}

/// Adds a line with such a peer; one that says so if the peer is not there.
pub(crate) fn beside(bench: &mut Bench, what: &str, ours: Option<Figure>, peer: &Peer, word: &str) {
    if ours.is_none() || !Bench::is_measuring() {
        return;
    }
    let theirs = measured(peer, word).map(|ns| Figure {
        ns,
        allocations: None,
    });
    let theirs = theirs.map_err(|why| format!("{why}; apt-get install {}", peer.package));
    bench.beside_or_note(what, ours, peer.name, theirs);
}

/// Runs the program, which prints lines such as `encode 9120.5`, nanoseconds each time.
fn measured(peer: &Peer, word: &str) -> Result<f64, String> {
    let program = compiled(peer)?;
    let output = Command::new(&program)
        .output()
        .map_err(|e| format!("{}: {e}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(word)?.trim().parse().ok());
    line.filter(|_| output.status.success())
        .ok_or_else(|| format!("its program failed: {text}"))
}

fn compiled(peer: &Peer) -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("benches/peers")
        .join(peer.source);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(peer.source)
        .with_extension("bin");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&compiler)
        .args(["-O2", "-std=gnu11", "-Wall", "-o"])
        .arg(&program)
        .arg(source)
        .args(peer.libraries)
        .output()
        .map_err(|e| format!("{compiler}: {e}"))?;
    match output.status.success() {
        true => Ok(program),
        false => Err(String::from_utf8_lossy(&output.stderr)
            .lines()
            .find(|l| l.contains("error"))
            .unwrap_or("cc failed")
            .into()),
    }
}
