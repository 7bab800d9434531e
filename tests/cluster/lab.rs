//! The bench of one test: a network namespace, a folder, and nobody else at the same time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use ipdect_tests::kit::namespace::Namespace;
use tempfile::TempDir;

/// One bench at a time, for whoever runs the tests as threads of one process: two cores are quickly full.
static ONE: Mutex<()> = Mutex::new(());

/// Runs a test on a bench of its own. If it fails, everything that was said stays in a folder whose name is told.
///
/// # Panics
/// If the test fails, with its reason.
pub(crate) fn on_a_bench(test: impl FnOnce(&Lab) -> Result<()>) {
    let mut lab = Lab::new().expect("a bench");
    if let Err(why) = test(&lab) {
        lab.folder.disable_cleanup(true);
        panic!(
            "{why:?}\neverything said is kept in {}",
            lab.folder.path().display()
        );
    }
}

/// The bench of one test.
pub(crate) struct Lab {
    namespace: Namespace,
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Lab {
    fn new() -> Result<Self> {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self {
            namespace: Namespace::new()?,
            folder: tempfile::Builder::new()
                .prefix("ipdect-lab-")
                .tempdir_in(place())?,
            _alone: alone,
        })
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Where everything that runs here writes what it says.
    pub(crate) fn logs(&self) -> &Path {
        self.folder.path()
    }

    /// A folder of this name, made if need be.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Memory, where there is some: a program that waits for a disk that a compiler keeps busy leaves gaps in speech.
fn place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}
