//! A virtual handset: `ipdect handset` near our base station, keys typed into it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::{Program, built};
use ipdect_tests::kit::sound::{self, Heard};
use ipdect_tests::kit::wait::until;

use crate::lab::Lab;
use crate::peers::{LEVEL_DBM0, Peer};
use crate::system::{BaseAt, FIRST_BASE, SECOND_BASE, USERS};

/// Longest wait for a step of a call.
const STEP: Duration = Duration::from_secs(20);

/// Longest wait for a call that lost its base station: 30 s, and the time in which the loss is noticed.
const RESUMED: Duration = Duration::from_secs(40);

/// Options of one that answers its calls.
const BY_ITSELF: [&str; 2] = ["--answer", "auto"];

/// One running handset.
pub(crate) struct Handset {
    program: Program,
    number: &'static str,
    tone_hz: f64,
    recording: PathBuf,
}

impl Handset {
    /// Starts the handset of a user (by its place in [`USERS`]), which subscribes, and waits until it is located.
    pub(crate) fn start(lab: &Lab, user: usize, tone_hz: f64) -> Result<Self> {
        Self::located(lab, user, tone_hz, &[FIRST_BASE], &BY_ITSELF)
    }

    /// The same, near both base stations.
    pub(crate) fn near_both_bases(lab: &Lab, user: usize, tone_hz: f64) -> Result<Self> {
        Self::located(lab, user, tone_hz, &[FIRST_BASE, SECOND_BASE], &BY_ITSELF)
    }

    /// One that answers only when its key is pressed.
    pub(crate) fn that_rings(lab: &Lab, user: usize, tone_hz: f64) -> Result<Self> {
        Self::located(lab, user, tone_hz, &[FIRST_BASE], &[])
    }

    /// Starts it near these base stations, with further options, and waits until it is located.
    fn located(
        lab: &Lab,
        user: usize,
        tone_hz: f64,
        bases: &[BaseAt],
        options: &[&str],
    ) -> Result<Self> {
        let (number, ipei, code) = USERS[user];
        let name = format!("handset-{number}");
        let recording = lab.folder(&name)?.join("heard.wav");
        let mut command = lab.namespace().command(built("ipdect")?);
        command.args(["handset", "--ipei", ipei]);
        for base in bases {
            command.arg("--air").arg(format!("127.0.0.1:{}", base.air));
        }
        command.args(["--code", code]).args(options);
        command.args(["--speak", &format!("tone:{tone_hz}@{LEVEL_DBM0}")]);
        command.arg("--hear");
        command.arg(format!("wav:{}", recording.display()));
        let mut started = Self {
            program: Program::start(&name, command, lab.logs())?,
            number,
            tone_hz,
            recording,
        };
        started.program.says("located", STEP)?;
        Ok(started)
    }

    /// Presses keys during a call.
    pub(crate) fn presses(&mut self, keys: &str) -> Result<()> {
        self.program.types(keys)
    }

    /// Waits until its call is rung again somewhere and stands again, by itself.
    pub(crate) fn resumes(&mut self) -> Result<()> {
        self.program.says("call resumes", RESUMED)?;
        self.program.says("connected,", STEP)
    }

    /// Waits until it shows a text.
    pub(crate) fn shows(&mut self, text: &str) -> Result<()> {
        self.last_line(&format!("it shows {text:?}"), |line| line.contains(text))
    }

    /// Waits until it shows a text no longer.
    pub(crate) fn shows_no_longer(&mut self, text: &str) -> Result<()> {
        self.last_line(&format!("it shows {text:?} no longer"), |line| {
            !line.contains(text)
        })
    }

    /// Waits until what it said last is as wanted.
    fn last_line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        until(what, STEP, || {
            ensure!(self.program.runs(), "it ended");
            let page = self.program.page();
            Ok(page.lines().last().is_some_and(&wanted).then_some(()))
        })
        .with_context(|| self.program.last_words())
    }
}

impl Peer for Handset {
    fn number(&self) -> &str {
        self.number
    }

    fn tone_hz(&self) -> f64 {
        self.tone_hz
    }

    /// Types the number and takes the handset off hook.
    fn calls(&mut self, number: &str) -> Result<()> {
        self.program.turns_page();
        // `#` ends the number: nobody has to wait for further digits.
        self.program.types(&format!("{number}#("))
    }

    fn talks(&mut self) -> Result<()> {
        self.program.says("connected,", STEP)
    }

    fn hangs_up(&mut self) -> Result<()> {
        self.program.turns_page();
        self.program.types(")")
    }

    /// What it said last is that it is idle; it may have said so before it was asked.
    fn is_over(&mut self) -> Result<()> {
        self.last_line("the handset is idle", |line| line.contains("located"))?;
        self.program.turns_page();
        Ok(())
    }

    fn heard(mut self) -> Result<Vec<Heard>> {
        let ended = self.program.stop();
        ensure!(
            ended.is_some_and(|status| status.success()),
            "it did not end when asked: {ended:?}"
        );
        let samples = sound::read(&self.recording)?;
        sound::measure(&samples).with_context(|| self.program.last_words())
    }
}
