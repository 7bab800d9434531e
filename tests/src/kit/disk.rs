//! A small disk: a folder that is a file system of its own, so that a test can fill it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, unshare};

/// Runs a closure on a thread for which, and for whatever it starts, a folder is a disk in memory of so many KiB. Nobody
/// else sees the disk; it is gone when its last user is.
///
/// # Errors
/// If there can be no such disk: it takes the rights of root, and `mount` of the package mount.
///
/// # Panics
/// If the closure does.
pub fn on_a_small_disk<T: Send>(
    folder: &Path,
    kib: u32,
    act: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).context("a mount namespace")?;
            mount(&["--make-rprivate", "/"])?;
            let size = format!("size={kib}k");
            mount(&[
                "-t",
                "tmpfs",
                "-o",
                &size,
                "small",
                &folder.to_string_lossy(),
            ])?;
            act()
        });
        match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn mount(arguments: &[&str]) -> Result<()> {
    let done = Command::new("mount")
        .args(arguments)
        .output()
        .context("mount")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "mount {}: {}",
        arguments.join(" "),
        said.trim()
    );
    Ok(())
}
