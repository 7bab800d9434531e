//! linphonec as a SIP phone, driven by what is typed into it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::Program;
use ipdect_tests::kit::sound::{self, Heard};
use ipdect_tests::kit::wait::until;

use super::{LEVEL_DBM0, Peer, SPEECH_S};
use crate::lab::Lab;

/// Longest wait for a step.
const STEP: Duration = Duration::from_secs(30);

/// A running linphonec. The bench needs a default route: it finds its address by it.
pub(crate) struct Linphone {
    program: Program,
    number: &'static str,
    tone_hz: f64,
    /// What its library says; the program itself says nothing without a terminal.
    log: PathBuf,
    /// Octets of the log that belong to former calls.
    read: usize,
    /// Whether the call at hand is one of its own; it answers others when told.
    calling: bool,
    recording: PathBuf,
}

impl Linphone {
    /// Starts one as a user of the Kamailio on port 5060, and waits until it is registered; `srtp`: it insists on it.
    pub(crate) fn start(lab: &Lab, user: &'static str, tone_hz: f64, srtp: bool) -> Result<Self> {
        let folder = lab.folder("linphone")?;
        // Without this folder the core silently never opens a socket.
        lab.folder("linphone/.local/share/linphone")?;
        lab.folder("linphone/.config/linphone")?;
        let (speech, recording) = (folder.join("speech.wav"), folder.join("heard.wav"));
        sound::write_tone(&speech, tone_hz, LEVEL_DBM0, SPEECH_S)?;
        let configuration = include_str!("linphonerc")
            .replace("@USER@", user)
            .replace("@ENCRYPTION@", if srtp { "srtp" } else { "none" })
            .replace("@MANDATORY@", if srtp { "1" } else { "0" });
        std::fs::write(folder.join("linphonerc"), configuration)?;
        let mut command = lab.namespace().command("linphonec");
        command.env("HOME", &folder).current_dir(&folder);
        command.arg("-c").arg(folder.join("linphonerc"));
        let log = folder.join("core.log");
        command.args(["-d", "6", "-l"]).arg(&log);
        let mut phone = Self {
            program: Program::start("linphone", command, lab.logs())?,
            number: user,
            tone_hz,
            log,
            read: 0,
            calling: false,
            recording,
        };
        phone.is("LinphoneRegistrationOk")?;
        phone.program.types("soundcard use files")?;
        phone.program.types(&format!("play {}", speech.display()))?;
        let record = format!("record {}", phone.recording.display());
        phone.program.types(&record)?;
        Ok(phone)
    }

    /// Waits until its log names a state.
    fn is(&mut self, state: &str) -> Result<()> {
        until(&format!("linphone is {state}"), STEP, || {
            ensure!(self.program.runs(), "it ended");
            let log = std::fs::read(&self.log).unwrap_or_default();
            let page = String::from_utf8_lossy(log.get(self.read..).unwrap_or_default());
            Ok(page.contains(state).then_some(()))
        })
        .with_context(|| self.program.last_words())
    }
}

impl Peer for Linphone {
    fn number(&self) -> &str {
        self.number
    }

    fn tone_hz(&self) -> f64 {
        self.tone_hz
    }

    fn calls(&mut self, number: &str) -> Result<()> {
        self.calling = true;
        self.program.types(&format!("call sip:{number}@127.0.0.1"))
    }

    fn talks(&mut self) -> Result<()> {
        if !self.calling {
            self.is("LinphoneCallIncomingReceived")?;
            self.program.types("answer")?;
        }
        self.is("LinphoneCallStreamsRunning")
    }

    fn hangs_up(&mut self) -> Result<()> {
        self.program.types("terminate")
    }

    fn is_over(&mut self) -> Result<()> {
        self.is("LinphoneCallReleased")?;
        self.calling = false;
        self.read = std::fs::read(&self.log).map_or(0, |octets| octets.len());
        Ok(())
    }

    fn heard(mut self) -> Result<Vec<Heard>> {
        self.program.types("quit")?;
        self.program.ends(STEP)?;
        sound::measure(&sound::read(&self.recording)?)
    }
}
