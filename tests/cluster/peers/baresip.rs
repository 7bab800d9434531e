//! baresip as a SIP phone: answers by itself, calls when told on its control port.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ipdect_tests::kit::program::Program;
use ipdect_tests::kit::sound::{self, Heard};

use super::{LEVEL_DBM0, Peer, SPEECH_S};
use crate::lab::Lab;

/// Longest wait for a step.
const STEP: Duration = Duration::from_secs(20);

/// A running baresip.
pub(crate) struct Baresip<'l> {
    lab: &'l Lab,
    program: Program,
    number: &'static str,
    tone_hz: f64,
    recordings: PathBuf,
}

impl<'l> Baresip<'l> {
    /// Starts one as a user of the Kamailio on port 5060, and waits until it is registered. `encryption`: `srtp` takes it
    /// where it is offered, `srtp-mand` insists, nothing is plain.
    pub(crate) fn start(
        lab: &'l Lab,
        user: &'static str,
        tone_hz: f64,
        encryption: Option<&str>,
    ) -> Result<Self> {
        let folder = lab.folder("baresip")?;
        let recordings = lab.folder("baresip/rec")?;
        sound::write_tone(&folder.join("speech.wav"), tone_hz, LEVEL_DBM0, SPEECH_S)?;
        let configuration =
            include_str!("baresip.config").replace("@W@", &folder.to_string_lossy());
        std::fs::write(folder.join("config"), configuration)?;
        std::fs::write(folder.join("contacts"), "")?;
        let encryption = encryption.map_or_else(String::new, |e| format!(";mediaenc={e}"));
        let account = format!(
            "<sip:{user}@127.0.0.1:5060;transport=udp>;auth_user={user};auth_pass=pw-{user};regint=600;audio_codecs=PCMA;answermode=auto{encryption}\n"
        );
        std::fs::write(folder.join("accounts"), account)?;
        let mut command = lab.namespace().command("baresip");
        command.arg("-f").arg(&folder);
        let mut program = Program::start("baresip", command, lab.logs())?;
        program.says("200 OK", STEP)?;
        Ok(Self {
            lab,
            program,
            number: user,
            tone_hz,
            recordings,
        })
    }

    fn told(&self, command: &str) -> Result<()> {
        // A netstring.
        let message = format!("{}:{command},", command.len());
        self.lab.namespace().inside(|| {
            let mut stream = TcpStream::connect("127.0.0.1:4442")?;
            stream.write_all(message.as_bytes())?;
            // Closing at once would drop what is not read yet.
            let mut answer = [0; 1];
            stream.set_read_timeout(Some(STEP))?;
            stream.read(&mut answer).context("no answer")?;
            Ok(())
        })?
    }

    /// Everything it has said.
    pub(crate) fn said(&self) -> String {
        self.program.said()
    }
}

impl Peer for Baresip<'_> {
    fn number(&self) -> &str {
        self.number
    }

    fn tone_hz(&self) -> f64 {
        self.tone_hz
    }

    fn calls(&mut self, number: &str) -> Result<()> {
        self.told(&format!(
            r#"{{"command":"dial","params":"sip:{number}@127.0.0.1"}}"#
        ))
    }

    fn talks(&mut self) -> Result<()> {
        self.program.says("Call established", STEP)
    }

    fn hangs_up(&mut self) -> Result<()> {
        self.told(r#"{"command":"hangup"}"#)
    }

    fn is_over(&mut self) -> Result<()> {
        self.program.says("terminated", STEP)?;
        self.program.turns_page();
        Ok(())
    }

    fn heard(mut self) -> Result<Vec<Heard>> {
        self.program.stop();
        let found = sound::files(&self.recordings, |name| name.ends_with("-dec.wav"))?;
        sound::measure_each(&found).with_context(|| self.program.last_words())
    }
}
