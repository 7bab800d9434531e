//! Kamailio: registrar with digest, and record-routing proxy, over UDP, TCP and TLS.

use std::net::UdpSocket;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ipdect_tests::kit::program::Program;
use ipdect_tests::kit::wait::until;

use super::pki;
use crate::lab::Lab;

/// It is up in 0.2 s on an idle machine, in several seconds on a busy one.
const START: Duration = Duration::from_secs(20);

/// What one Kamailio is to be.
pub(crate) struct Options {
    /// Name of its folder and log.
    pub(crate) name: &'static str,
    /// UDP and TCP port.
    pub(crate) port: u16,
    /// TLS port.
    pub(crate) tls_port: u16,
    /// `WITH_INVITE_AUTH`: INVITE is challenged too. `WITH_SHA256`: with SHA-256. `WITH_503`: INVITE is answered 503.
    pub(crate) defines: &'static [&'static str],
    /// Longest registration, seconds.
    pub(crate) expires_s: u16,
}

impl Options {
    /// The usual ports.
    pub(crate) const USUAL: Self = Self {
        name: "kamailio",
        port: 5060,
        tls_port: 5061,
        defines: &[],
        expires_s: 3600,
    };

    /// Host and port at which it is reached over `udp`, `tcp` or `tls`.
    pub(crate) fn address(&self, transport: &str) -> String {
        let port = if transport == "tls" {
            self.tls_port
        } else {
            self.port
        };
        format!("127.0.0.1:{port}")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::USUAL
    }
}

/// A running Kamailio.
pub(crate) struct Kamailio {
    program: Program,
    folder: PathBuf,
    port: u16,
}

impl Kamailio {
    /// Starts one and waits until it answers.
    pub(crate) fn start(lab: &Lab, options: &Options) -> Result<Self> {
        let folder = lab.folder(options.name)?;
        pki::write(&folder)?;
        let fill = |text: &str| {
            text.replace("@W@", &folder.to_string_lossy())
                .replace("@SIP@", &options.port.to_string())
                .replace("@EXPIRES@", &options.expires_s.to_string())
                .replace("@TLS@", &options.tls_port.to_string())
        };
        std::fs::write(
            folder.join("kamailio.cfg"),
            fill(include_str!("kamailio.cfg")),
        )?;
        std::fs::write(folder.join("tls.cfg"), fill(include_str!("tls.cfg")))?;
        let mut command = lab.namespace().command("kamailio");
        command.arg("-f").arg(folder.join("kamailio.cfg"));
        command.args(["-DD", "-E", "-m", "64", "-M", "16", "-P"]);
        command.arg(folder.join("pid"));
        for define in options.defines {
            command.args(["-A", define]);
        }
        // All its processes, for whoever kills it.
        command.process_group(0);
        let program = Program::start(options.name, command, lab.logs())?;
        let mut started = Self {
            program,
            folder,
            port: options.port,
        };
        started.answers(lab)?;
        Ok(started)
    }

    /// Waits until it answers OPTIONS.
    fn answers(&mut self, lab: &Lab) -> Result<()> {
        let port = self.port;
        until("kamailio answers OPTIONS", START, || {
            anyhow::ensure!(self.program.runs(), "{}", self.program.last_words());
            Ok(lab.namespace().inside(|| probe(port))??.then_some(()))
        })
    }

    /// The root that its TLS certificate comes from.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What it knows of a user: its contacts, as `kamcmd` prints them.
    pub(crate) fn bindings(&self, user: &str) -> Result<String> {
        self.asked(&["ul.lookup", "location", &format!("s:{user}")])
    }

    /// Makes a user known who does not register.
    pub(crate) fn add(&self, user: &str, contact: &str) -> Result<()> {
        // `s:` because kamcmd takes digits for a number.
        let user_text = format!("s:{user}");
        let call = [
            "ul.add", "location", &user_text, contact, "600", "1.0", ".", "0", "0", "1023",
        ];
        self.asked(&call)?;
        self.has(user, Duration::from_secs(5)).map(drop)
    }

    fn asked(&self, call: &[&str]) -> Result<String> {
        let socket = format!("unix:{}", self.folder.join("ctl").display());
        let done = std::process::Command::new("kamcmd")
            .args(["-s", &socket])
            .args(call)
            .output()
            .context("kamcmd")?;
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Waits until a user is registered. Its contacts.
    pub(crate) fn has(&self, user: &str, patience: Duration) -> Result<String> {
        until(
            &format!("{user} is registered at kamailio"),
            patience,
            || {
                let said = self.bindings(user)?;
                Ok(said.contains("Address:").then_some(said))
            },
        )
    }

    /// Kills all its processes at once, as a power cut would.
    pub(crate) fn dies(mut self) -> Result<()> {
        self.program.kill_group()
    }
}

/// Asks OPTIONS once, from a socket of the calling thread's namespace.
fn probe(port: u16) -> Result<bool> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    let ours = socket.local_addr()?;
    let request = format!(
        "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {ours};branch=z9hG4bKprobe{}\r\nFrom: <sip:probe@{ours}>;tag=1\r\nTo: <sip:127.0.0.1:{port}>\r\nCall-ID: {}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 10\r\nContent-Length: 0\r\n\r\n",
        ours.port(),
        ours.port()
    );
    socket.send_to(request.as_bytes(), ("127.0.0.1", port))?;
    let mut answer = [0; 2048];
    // Nobody there yet: the port is refused, or silent.
    let length = socket.recv(&mut answer).unwrap_or(0);
    Ok(answer[..length].starts_with(b"SIP/2.0 200"))
}
