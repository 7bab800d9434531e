//! pjsua2 as a SIP phone: `phone.rs` starts `pjua.py`, types into it and reads what it says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::Program;
use ipdect_tests::kit::sound::{self, Heard};

use crate::lab::Lab;

/// Longest wait for a step of a call.
const STEP: Duration = Duration::from_secs(20);

/// What a phone is to be.
#[derive(Clone)]
pub(crate) struct Options {
    /// Its user; the password is `pw-` and this.
    pub(crate) user: &'static str,
    /// Frequency that it speaks.
    pub(crate) tone_hz: f64,
    /// `udp`, `tcp` or `tls`.
    pub(crate) transport: &'static str,
    /// Host and port of its proxy.
    pub(crate) proxy: &'static str,
    /// 0 none, 1 optional, 2 mandatory.
    pub(crate) srtp: u8,
    /// Its SIP port.
    pub(crate) port: u16,
    /// Its first RTP port.
    pub(crate) rtp: u16,
}

impl Options {
    pub(crate) fn new(user: &'static str, tone_hz: f64) -> Self {
        Self {
            user,
            tone_hz,
            transport: "udp",
            proxy: "127.0.0.1:5060",
            srtp: 0,
            port: 5092,
            rtp: 12_100,
        }
    }
}

/// Level at which every peer speaks.
pub(crate) const LEVEL_DBM0: f64 = -10.0;

/// A running phone.
pub(crate) struct Phone {
    program: Program,
    recording: PathBuf,
}

impl Phone {
    /// Starts a phone and waits until it is registered.
    pub(crate) fn start(lab: &Lab, options: &Options, root: &Path) -> Result<Self> {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
        ensure!(
            python.is_file(),
            "{} is missing: python3 -m venv .venv; .venv/bin/pip install -r tests/requirements.txt",
            python.display()
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/peers/pjua.py");
        let folder = lab.folder(options.user)?;
        let (speech, recording) = (folder.join("speech.wav"), folder.join("heard.wav"));
        // Longer than any call: between two rounds the player is silent for a packet.
        sound::write_tone(&speech, options.tone_hz, LEVEL_DBM0, 75)?;
        let mut command = lab.namespace().command(python);
        command.arg("-u").arg(script).arg(options.user);
        for (key, value) in [
            ("--transport", options.transport.to_string()),
            ("--proxy", options.proxy.to_string()),
            ("--srtp", options.srtp.to_string()),
            ("--listen", options.port.to_string()),
            ("--rtp", options.rtp.to_string()),
        ] {
            command.args([key, &value]);
        }
        command.arg("--ca").arg(root);
        command
            .arg("--play")
            .arg(speech)
            .arg("--rec")
            .arg(&recording);
        let program = Program::start(options.user, command, lab.logs())?;
        let mut phone = Self { program, recording };
        phone.program.says("## reg 200", STEP)?;
        Ok(phone)
    }

    pub(crate) fn dials(&mut self, uri: &str) -> Result<()> {
        self.program.types(&format!("dial {uri}"))
    }

    /// Waits until a call stands and has media.
    pub(crate) fn talks(&mut self) -> Result<()> {
        self.program.says("## call CONFIRMED", STEP)?;
        self.program.says("## media active", STEP)
    }

    /// Waits until the call has ended. Its last status and reason.
    pub(crate) fn is_over(&mut self) -> Result<String> {
        let mark = "## call DISCONN";
        self.program.says(mark, STEP)?;
        let page = self.program.page();
        self.program.turns_page();
        let line = page.lines().find(|l| l.starts_with(mark));
        Ok(line.context("said so")?.to_string())
    }

    pub(crate) fn hangs_up(&mut self) -> Result<()> {
        self.program.types("hangup")
    }

    pub(crate) fn says(&mut self, text: &str) -> Result<()> {
        self.program.says(text, STEP)
    }

    pub(crate) fn said(&self) -> String {
        self.program.said()
    }

    /// Ends the phone and measures what it has recorded, call by call.
    pub(crate) fn heard(mut self) -> Result<Vec<Heard>> {
        self.program.types("quit")?;
        self.program.ends(STEP)?;
        let samples = sound::read(&self.recording)?;
        sound::measure(&samples).with_context(|| self.program.last_words())
    }
}
