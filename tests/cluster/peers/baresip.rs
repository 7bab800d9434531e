//! baresip as a SIP phone: answers by itself, calls when told on its control port.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ipdect_tests::kit::program::Program;
use ipdect_tests::kit::sound::{self, Heard};

use super::phone::LEVEL_DBM0;
use crate::lab::Lab;

/// Longest wait for a step.
const STEP: Duration = Duration::from_secs(20);

/// A running baresip.
pub(crate) struct Baresip {
    program: Program,
    recordings: PathBuf,
}

impl Baresip {
    /// Starts one as a user of the Kamailio on port 5060, and waits until it is registered. `encryption`: `srtp` takes it
    /// where it is offered, `srtp-mand` insists, nothing is plain.
    pub(crate) fn start(
        lab: &Lab,
        user: &str,
        tone_hz: f64,
        encryption: Option<&str>,
    ) -> Result<Self> {
        let folder = lab.folder("baresip")?;
        let recordings = lab.folder("baresip/rec")?;
        sound::write_tone(&folder.join("speech.wav"), tone_hz, LEVEL_DBM0, 75)?;
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
            program,
            recordings,
        })
    }

    pub(crate) fn dials(&mut self, lab: &Lab, uri: &str) -> Result<()> {
        Self::told(lab, &format!(r#"{{"command":"dial","params":"{uri}"}}"#))
    }

    pub(crate) fn hangs_up(&mut self, lab: &Lab) -> Result<()> {
        Self::told(lab, r#"{"command":"hangup"}"#)
    }

    fn told(lab: &Lab, command: &str) -> Result<()> {
        // A netstring.
        let message = format!("{}:{command},", command.len());
        lab.namespace().inside(|| {
            let mut stream = TcpStream::connect("127.0.0.1:4442")?;
            stream.write_all(message.as_bytes())?;
            // Closing at once would drop what is not read yet.
            let mut answer = [0; 1];
            stream.set_read_timeout(Some(STEP))?;
            std::io::Read::read(&mut stream, &mut answer).context("no answer")?;
            Ok(())
        })?
    }

    /// Waits until a call stands.
    pub(crate) fn talks(&mut self) -> Result<()> {
        self.program.says("Call established", STEP)
    }

    /// Waits until the call is over.
    pub(crate) fn is_over(&mut self) -> Result<()> {
        self.program.says("terminated", STEP)?;
        self.program.turns_page();
        Ok(())
    }

    /// Ends it and measures what it has recorded, call by call.
    pub(crate) fn heard(mut self) -> Result<Vec<Heard>> {
        self.program.stop();
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.recordings)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .collect();
        files.sort();
        let measured = files.iter().map(|file| sound::measure(&sound::read(file)?));
        let measured: Vec<Vec<Heard>> = measured.collect::<Result<_>>()?;
        Ok(measured.concat())
    }

    /// Everything it has said.
    pub(crate) fn said(&self) -> String {
        self.program.said()
    }
}
