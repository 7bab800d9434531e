//! A program that a test starts: what it says goes to a file, it is ended by its pid.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::wait::until;

/// How long a program may take to end when asked.
const FAREWELL: Duration = Duration::from_secs(8);

/// A running program. Dropping it ends it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
    /// Octets of earlier pages.
    read: usize,
}

impl Program {
    /// Starts a command; standard output and error go to `FOLDER/NAME.log`, after what is in it already.
    ///
    /// # Errors
    /// Names the program if it cannot be started.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| log.display().to_string())?;
        let read = usize::try_from(output.metadata()?.len())?;
        let errors = output.try_clone()?;
        let child = command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.into(),
            child,
            log,
            read,
        })
    }

    /// Everything it has said.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Types a line into it.
    ///
    /// # Errors
    /// If it no longer reads.
    pub fn types(&mut self, line: &str) -> Result<()> {
        let input = self.child.stdin.as_mut().context("its input is closed")?;
        writeln!(input, "{line}").with_context(|| format!("{} reads no more", self.name))
    }

    /// What it said until now counts no more for [`Program::says`].
    pub fn turns_page(&mut self) {
        self.read = fs::read(&self.log).map_or(0, |octets| octets.len());
    }

    /// Waits until it has said a text on this page.
    ///
    /// # Errors
    /// With the end of what it said instead, if it ended or took too long.
    pub fn says(&mut self, text: &str, patience: Duration) -> Result<()> {
        let what = format!("{} says {text:?}", self.name);
        let waited = until(&what, patience, || {
            // Looked at first: what it said last counts, even if it ended since.
            let ended = self.child.try_wait()?;
            if self.page().contains(text) {
                return Ok(Some(()));
            }
            if let Some(status) = ended {
                bail!("{} ended ({status}) before it said {text:?}", self.name);
            }
            Ok(None)
        });
        waited.with_context(|| self.last_words())
    }

    /// What it has said on this page.
    #[must_use]
    pub fn page(&self) -> String {
        let octets = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(octets.get(self.read..).unwrap_or_default()).into_owned()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// If it does not in time.
    pub fn ends(&mut self, patience: Duration) -> Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        let waited = until(&what, patience, || Ok(self.child.try_wait()?));
        waited.with_context(|| self.last_words())
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid is positive and fits")
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// If it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid()), signal).with_context(|| self.name.clone())
    }

    /// Kills it, as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// If it is gone already.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.child.wait()?;
        Ok(())
    }

    /// The same with all processes that it has started: its command has to have a process group of its own.
    ///
    /// # Errors
    /// If there is no such group.
    pub fn kill_group(&mut self) -> Result<()> {
        killpg(Pid::from_raw(self.pid()), Signal::SIGKILL).with_context(|| self.name.clone())?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, and insists after some seconds. Its status, if it ended when asked.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Some(status);
        }
        // Gone meanwhile is as good.
        let _ = self.signal(Signal::SIGTERM);
        let what = format!("{} ends", self.name);
        let ended = until(&what, FAREWELL, || Ok(self.child.try_wait()?)).ok();
        if ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        ended
    }

    /// The end of what it said, for a failure's message.
    #[must_use]
    pub fn last_words(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        let end = lines[lines.len().saturating_sub(25)..].join("\n    ");
        format!("{} said last:\n    {end}", self.name)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.last_words());
        }
        self.stop();
    }
}

/// A program of this workspace, as built beside the test, or in the folder that `TEST_PROGRAMS` names.
///
/// # Errors
/// If it has not been built, with the command that does.
pub fn built(name: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os("TEST_PROGRAMS") {
        Some(folder) => PathBuf::from(folder),
        // target/PROFILE/deps/TEST -> target/PROFILE
        None => (std::env::current_exe()?.ancestors().nth(2))
            .context("the test has no folder")?
            .to_path_buf(),
    };
    let program = folder.join(name);
    if !program.is_file() {
        bail!(
            "{} is not built: cargo build --workspace --bins",
            program.display()
        );
    }
    Ok(program)
}
