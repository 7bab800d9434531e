//! The data directory's marks of a running program: `lock` and `run/<program>.json`.

use crate::error::StartError;
use crate::running::Running;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The exclusive right to a data directory, held while this lives; the kernel takes it back when the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// Makes the directory if need be, and takes its `lock`.
    ///
    /// # Errors
    /// [`StartError::Locked`] with the holder's process id, or [`StartError::File`].
    pub fn take(data_dir: &Path) -> Result<Lock, StartError> {
        create_dir(data_dir)?;
        let path = data_dir.join("lock");
        let remedy = "make the data directory writable for this user";
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| StartError::file(&path, error, remedy))?;
        let mut holder = String::new();
        // A holder that cannot be read is "unknown"; the lock itself decides.
        let _ = file.read_to_string(&mut holder);
        let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(
            |(_, errno)| match errno {
                nix::errno::Errno::EWOULDBLOCK => StartError::Locked {
                    path: path.clone(),
                    holder: name_of(&holder),
                },
                errno => StartError::file(&path, errno.into(), remedy),
            },
        )?;
        write_pid(&mut file).map_err(|error| StartError::file(&path, error, remedy))?;
        Ok(Lock { _file: file })
    }
}

fn name_of(holder: &str) -> String {
    holder
        .trim()
        .parse::<u32>()
        .map_or_else(|_| "unknown".to_owned(), |pid| pid.to_string())
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Makes a directory and its parents, readable for its owner only.
///
/// # Errors
/// [`StartError::File`].
pub fn create_dir(path: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| {
            StartError::file(
                path,
                error,
                "set node.data_dir to a directory that this user can write",
            )
        })
}

/// `run/<program>.json`: process id, release and bound addresses; removed when this is dropped.
#[derive(Debug)]
pub struct RunFile {
    path: PathBuf,
}

impl RunFile {
    /// Writes it at once, whole or not at all. To be called when the program is ready.
    ///
    /// # Errors
    /// [`StartError::File`].
    pub fn write(data_dir: &Path, release: &str, running: &Running) -> Result<RunFile, StartError> {
        let dir = data_dir.join("run");
        create_dir(&dir)?;
        let path = dir.join(format!("{}.json", running.name()));
        let content = serde_json::json!({
            "program": running.name(),
            "pid": std::process::id(),
            "release": release,
            "addresses": running.addresses(),
        });
        write_whole(&path, format!("{content}\n").as_bytes(), 0o644).map_err(|error| {
            StartError::file(
                &path,
                error,
                "make room, or make the data directory writable",
            )
        })?;
        Ok(RunFile { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // It may be gone already, with the whole directory.
        let _ = fs::remove_file(&self.path);
    }
}

/// Writes a file whole or not at all: beside it first, synced, then renamed. `mode` as in `chmod`.
///
/// # Errors
/// What the system says; the old file is then still there.
pub fn write_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
    let done = written.and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        // What is left of it helps nobody; the first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    done
}
