//! A virtual handset: `ipdect handset` near our base station, keys typed into it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::{Program, built};
use ipdect_tests::kit::sound::{self, Heard};
use ipdect_tests::kit::wait::until;

use crate::lab::Lab;
use crate::peers::phone::LEVEL_DBM0;
use crate::system::USERS;

/// Longest wait for a step of a call.
const STEP: Duration = Duration::from_secs(20);

/// One running handset.
pub(crate) struct Handset {
    program: Program,
    recording: PathBuf,
}

impl Handset {
    /// Starts the handset of a user (by its place in [`USERS`]), which subscribes, and waits until it is located.
    pub(crate) fn start(lab: &Lab, user: usize, tone_hz: f64) -> Result<Self> {
        let mut started = Self::switched_on(lab, user, tone_hz)?;
        started.program.says("located", STEP)?;
        Ok(started)
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn switched_on(lab: &Lab, user: usize, tone_hz: f64) -> Result<Self> {
        let (number, ipei, code) = USERS[user];
        let name = format!("handset-{number}");
        let recording = lab.folder(&name)?.join("heard.wav");
        let mut command = lab.namespace().command(built("ipdect")?);
        command.args(["handset", "--air", "127.0.0.1:7462", "--ipei", ipei]);
        command.args(["--code", code, "--answer", "auto"]);
        command.args(["--speak", &format!("tone:{tone_hz}@{LEVEL_DBM0}")]);
        command.arg("--hear");
        command.arg(format!("wav:{}", recording.display()));
        Ok(Self {
            program: Program::start(&name, command, lab.logs())?,
            recording,
        })
    }

    /// Types a number and takes the handset off hook.
    pub(crate) fn dials(&mut self, number: &str) -> Result<()> {
        self.program.turns_page();
        self.program.types(&format!("{number}("))
    }

    /// Waits until a call stands.
    pub(crate) fn talks(&mut self) -> Result<()> {
        self.program.says("connected,", STEP)
    }

    pub(crate) fn hangs_up(&mut self) -> Result<()> {
        self.program.turns_page();
        self.program.types(")")
    }

    /// Presses keys during a call.
    pub(crate) fn presses(&mut self, keys: &str) -> Result<()> {
        self.program.types(keys)
    }

    /// Waits until the call is over: what the handset said last is that it is idle. It may have said so before it was asked.
    pub(crate) fn is_over(&mut self) -> Result<()> {
        until("the handset is idle", STEP, || {
            ensure!(self.program.runs(), "it ended");
            let page = self.program.page();
            let idle = page.lines().last().is_some_and(|l| l.contains("located"));
            Ok(idle.then_some(()))
        })
        .with_context(|| self.program.last_words())?;
        self.program.turns_page();
        Ok(())
    }

    /// Switches it off and measures what it has recorded, call by call.
    pub(crate) fn heard(mut self) -> Result<Vec<Heard>> {
        self.program.stop();
        let samples = sound::read(&self.recording)?;
        sound::measure(&samples).with_context(|| self.program.last_words())
    }
}
