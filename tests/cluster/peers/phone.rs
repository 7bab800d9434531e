//! pjsua2 as a SIP phone: `phone.rs` starts `pjua.py`, types into it and reads what it says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::Program;
use ipdect_tests::kit::sound::{self, Heard};

use super::{LEVEL_DBM0, Peer, SPEECH_S, kamailio};
use crate::lab::Lab;

/// Longest wait for a step of a call.
const STEP: Duration = Duration::from_secs(20);

/// How the names of its recordings begin: one each time that speech begins.
const RECORDING: &str = "heard-";

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
    pub(crate) proxy: String,
    /// Domain of its user, and of those it calls.
    pub(crate) domain: &'static str,
    /// 0 none, 1 optional, 2 mandatory.
    pub(crate) srtp: u8,
    /// The one codec that it knows.
    pub(crate) codec: &'static str,
    /// It answers calls by itself; else when it is to talk.
    pub(crate) answers: bool,
    /// Its SIP port.
    pub(crate) port: u16,
    /// Its first RTP port.
    pub(crate) rtp: u16,
}

impl Options {
    /// A phone over UDP.
    pub(crate) fn new(user: &'static str, tone_hz: f64) -> Self {
        Self::over("udp", user, tone_hz)
    }

    /// A phone over a transport, at the Kamailio on the usual ports.
    pub(crate) fn over(transport: &'static str, user: &'static str, tone_hz: f64) -> Self {
        Self {
            user,
            tone_hz,
            transport,
            proxy: kamailio::Options::USUAL.address(transport),
            domain: "127.0.0.1",
            srtp: 0,
            codec: "PCMA",
            answers: true,
            port: 5092,
            rtp: 12_100,
        }
    }
}

/// A running phone.
pub(crate) struct Phone {
    program: Program,
    options: Options,
    folder: PathBuf,
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
        let speech = folder.join("speech.wav");
        sound::write_tone(&speech, options.tone_hz, LEVEL_DBM0, SPEECH_S)?;
        let mut command = lab.namespace().command(python);
        command.arg("-u").arg(script).arg(options.user);
        for (key, value) in [
            ("--transport", options.transport.to_string()),
            ("--proxy", options.proxy.clone()),
            ("--domain", options.domain.to_string()),
            ("--codec", options.codec.to_string()),
            ("--srtp", options.srtp.to_string()),
            ("--listen", options.port.to_string()),
            ("--rtp", options.rtp.to_string()),
        ] {
            command.args([key, &value]);
        }
        if !options.answers {
            command.arg("--patient");
        }
        command.arg("--ca").arg(root);
        command
            .arg("--play")
            .arg(speech)
            .arg("--rec")
            .arg(folder.join(format!("{RECORDING}%d.wav")));
        let program = Program::start(options.user, command, lab.logs())?;
        let mut phone = Self {
            program,
            options: options.clone(),
            folder,
        };
        phone.program.says("## reg 200", STEP)?;
        Ok(phone)
    }

    /// Waits until the call has ended. Its last status and reason.
    pub(crate) fn is_told_the_end(&mut self) -> Result<String> {
        let mark = "## call DISCONN";
        self.program.says(mark, STEP)?;
        let page = self.program.page();
        self.program.turns_page();
        let line = page.lines().find(|l| l.starts_with(mark));
        Ok(line.context("said so")?.to_string())
    }

    /// Waits until a call comes in that it does not answer by itself.
    pub(crate) fn rings(&mut self) -> Result<()> {
        self.program.says("## from", STEP)?;
        self.program.turns_page();
        Ok(())
    }

    /// Holds its call, and waits until the other end has agreed.
    pub(crate) fn holds(&mut self) -> Result<()> {
        self.program.types("hold")?;
        self.program.says("## media on hold", STEP)
    }

    /// Takes its call back, and waits until speech goes both ways.
    pub(crate) fn resumes(&mut self) -> Result<()> {
        self.program.turns_page();
        self.program.types("resume")?;
        self.program.says("## media active", STEP)
    }

    /// What it has said until now counts no more for [`Phone::says`].
    pub(crate) fn turns_page(&mut self) {
        self.program.turns_page();
    }

    /// Waits until it has said a text about the call at hand.
    pub(crate) fn says(&mut self, text: &str) -> Result<()> {
        self.program.says(text, STEP)
    }

    /// Everything it has said.
    pub(crate) fn said(&self) -> String {
        self.program.said()
    }
}

impl Peer for Phone {
    fn number(&self) -> &str {
        self.options.user
    }

    fn tone_hz(&self) -> f64 {
        self.options.tone_hz
    }

    fn calls(&mut self, number: &str) -> Result<()> {
        let domain = self.options.domain;
        self.program.types(&format!("dial sip:{number}@{domain}"))
    }

    fn talks(&mut self) -> Result<()> {
        if !self.options.answers {
            self.program.types("answer")?;
        }
        self.program.says("## call CONFIRMED", STEP)?;
        self.program.says("## media active", STEP)
    }

    fn hangs_up(&mut self) -> Result<()> {
        self.program.types("hangup")
    }

    fn is_over(&mut self) -> Result<()> {
        self.is_told_the_end().map(drop)
    }

    fn heard(mut self) -> Result<Vec<Heard>> {
        self.program.types("quit")?;
        self.program.ends(STEP)?;
        let found = sound::files(&self.folder, |name| name.starts_with(RECORDING))?;
        sound::measure_each(&found).with_context(|| self.program.last_words())
    }
}
