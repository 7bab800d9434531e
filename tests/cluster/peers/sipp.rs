//! SIPp: a scripted caller and a scripted callee, both send back the speech that they receive.

use std::time::Duration;

use anyhow::{Result, ensure};
use ipdect_tests::kit::program::Program;

use crate::lab::Lab;

/// Where the callee is reached.
pub(crate) const CALLEE: &str = "sip:3001@127.0.0.1:5110";
/// Where it takes speech.
pub(crate) const CALLEE_RTP: u16 = 6000;

/// A running scenario of one call.
pub(crate) struct Sipp {
    program: Program,
}

impl Sipp {
    /// Waits for one call on port 5110 and answers it.
    pub(crate) fn callee(lab: &Lab) -> Result<Self> {
        let rtp = CALLEE_RTP.to_string();
        let call = ["-p", "5110", "-mp", &rtp];
        Self::start(lab, "sipp-uas", include_str!("uas.xml"), &call)
    }

    /// Calls a user through the proxy on port 5060, and hangs up after a while.
    pub(crate) fn caller(lab: &Lab, user: &str, talk: Duration) -> Result<Self> {
        let talk = talk.as_millis().to_string();
        let call = [
            "127.0.0.1:5060",
            "-s",
            user,
            "-d",
            &talk,
            "-p",
            "5111",
            "-mp",
            "6010",
        ];
        Self::start(lab, "sipp-uac", include_str!("uac.xml"), &call)
    }

    fn start(lab: &Lab, name: &str, scenario: &str, arguments: &[&str]) -> Result<Self> {
        let folder = lab.folder(name)?;
        let file = folder.join("scenario.xml");
        std::fs::write(&file, scenario)?;
        let mut command = lab.namespace().command("sipp");
        command.current_dir(&folder);
        command.arg("-sf").arg(file).args(arguments);
        command.args(["-i", "127.0.0.1", "-mi", "127.0.0.1", "-rtp_echo"]);
        command.args(["-m", "1", "-nostdin", "-trace_err", "-trace_msg"]);
        let program = Program::start(name, command, lab.logs())?;
        Ok(Self { program })
    }

    /// Waits until its call has gone as the scenario says.
    pub(crate) fn plays_to_its_end(mut self) -> Result<()> {
        let status = self.program.ends(Duration::from_secs(30))?;
        ensure!(
            status.success(),
            "the scenario ended with {status}\n{}",
            self.program.last_words()
        );
        Ok(())
    }
}
