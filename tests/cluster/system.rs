//! Our side: `ipdect-server`, `ipdect-media` and `ipdect-base`, each with a configuration file of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::program::{Program, built};
use ipdect_tests::kit::wait::until;

use crate::lab::Lab;
use crate::peers::kamailio;

/// The server's link port.
pub(crate) const LINK: &str = "127.0.0.1:7460";
/// Longest wait for a program to be ready, and for whatever a program does by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The secret of a role's token, as the server is told in its file: one for each role, since the store knows a token by its secret.
fn secret(role: &str) -> String {
    format!("abcdefghijklmnopqrstuvwxyz{role}")
}

/// Users of the tests: number, IPEI as printed, access code. The password is `pw-` and the number.
pub(crate) const USERS: [(&str, &str, &str); 2] = [
    ("1001", "65535 0000001 3", "1001"),
    ("1002", "65535 0000002 4", "1002"),
];

/// One proxy of the page.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) uri: String,
    /// The lowest one is used first.
    pub(crate) priority: u16,
}

/// What the system is told beyond what all tests share.
#[derive(Clone)]
pub(crate) struct Settings {
    /// `udp`, `tcp` or `tls`.
    pub(crate) transport: &'static str,
    pub(crate) proxies: Vec<Proxy>,
    /// Further lines of `[initial.settings.sip]`.
    pub(crate) sip: &'static str,
    /// Lines of `[initial.settings.media]`.
    pub(crate) media: &'static str,
    /// Password of the users instead of the right one.
    pub(crate) password: Option<&'static str>,
    /// The server's own SIP domain, at port 5060, instead of proxies. The phone 2001 is one of its users.
    pub(crate) embedded: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self::over("udp")
    }
}

impl Settings {
    /// The Kamailio on the usual ports, over `udp`, `tcp` or `tls`.
    pub(crate) fn over(transport: &'static str) -> Self {
        let at = kamailio::Options::USUAL.address(transport);
        Self {
            transport,
            proxies: vec![Proxy {
                uri: format!("sip:{at};transport={transport}"),
                priority: 1,
            }],
            sip: "",
            media: "",
            password: None,
            embedded: false,
        }
    }
}

/// What our ends can miss: gaps in the sequence of either leg, overflows of receive queues, packets that did not go out.
const MISSED_AT_MEDIA: [&str; 3] = [
    "ipdect_rtp_lost_packets_total",
    "ipdect_rtp_overflow_packets_total",
    "ipdect_rtp_unsent_packets_total",
];

/// The same at the base station.
const MISSED_AT_BASE: [&str; 2] = [
    "ipdect_base_speech_missing_packets_total",
    "ipdect_base_speech_overflow_packets_total",
];

/// One running program of ours.
pub(crate) struct Node {
    pub(crate) program: Program,
    probe: u16,
}

/// The three programs.
pub(crate) struct System {
    pub(crate) base: Node,
    pub(crate) media: Node,
    pub(crate) server: Node,
}

impl System {
    /// Starts all three and waits until each is ready.
    pub(crate) fn start(lab: &Lab, settings: &Settings) -> Result<Self> {
        let mut server = server(lab, settings)?;
        server.is_ready(lab)?;
        let (mut media, mut base) = (media(lab, "media")?, base(lab, "base")?);
        media.is_ready(lab)?;
        base.is_ready(lab)?;
        Ok(Self {
            base,
            media,
            server,
        })
    }

    /// Whether the packets of a minute went through in both directions, and none was missed.
    pub(crate) fn carried_a_minute(&self, lab: &Lab) -> Result<()> {
        let received = self.media.metric(lab, "ipdect_rtp_packets_total", "in")?;
        ensure!(
            received > 5900.0,
            "{received} packets at the media resource"
        );
        for direction in ["in", "out"] {
            let name = "ipdect_base_speech_packets_total";
            let packets = self.base.metric(lab, name, direction)?;
            ensure!(
                packets > 2900.0,
                "{packets} packets {direction} at the base"
            );
        }
        for name in MISSED_AT_BASE {
            let missed = self.base.metric(lab, name, "")?;
            ensure!(missed == 0.0, "{name} {missed}");
        }
        for name in MISSED_AT_MEDIA {
            let missed = self.media.metric(lab, name, "")?;
            ensure!(missed == 0.0, "{name} {missed}");
        }
        Ok(())
    }
}

impl Node {
    fn start(
        lab: &Lab,
        program: &str,
        name: &str,
        probe: u16,
        configuration: &str,
    ) -> Result<Self> {
        let file = lab.folder(name)?.join("config.toml");
        std::fs::write(&file, configuration)?;
        let mut command = lab.namespace().command(built(program)?);
        command.arg("--config").arg(file);
        let program = Program::start(name, command, lab.logs())?;
        Ok(Self { program, probe })
    }

    /// Waits until it says that it is ready.
    pub(crate) fn is_ready(&mut self, lab: &Lab) -> Result<()> {
        until("it is ready", PATIENCE, || {
            ensure!(self.program.runs(), "it ended");
            let ready = self.asks(lab, "/readyz").is_ok_and(|a| a.0 == 200);
            Ok(ready.then_some(()))
        })
        .with_context(|| self.program.last_words())
    }

    /// Status and body of a page of its probes.
    fn asks(&self, lab: &Lab, path: &str) -> Result<(u16, String)> {
        let probe = self.probe;
        lab.namespace().inside(|| get(probe, path))?
    }

    /// Sum of a metric over the label sets that contain a text.
    pub(crate) fn metric(&self, lab: &Lab, name: &str, label: &str) -> Result<f64> {
        let (status, page) = self.asks(lab, "/metrics")?;
        ensure!(status == 200, "/metrics answers {status}");
        let of_name = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|r| r.starts_with(['{', ' '])) && line.contains(label)
        };
        let values = page.lines().filter(of_name);
        Ok(values
            .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }

    /// Waits until a metric is at least so much.
    pub(crate) fn counts(&self, lab: &Lab, name: &str, label: &str, least: f64) -> Result<()> {
        until(&format!("{name}{{{label}}} >= {least}"), PATIENCE, || {
            Ok((self.metric(lab, name, label)? >= least).then_some(()))
        })
        .with_context(|| self.program.last_words())
    }
}

fn get(port: u16, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).context("no status")?;
    Ok((status.parse()?, body.to_string()))
}

fn common(lab: &Lab, name: &str, probe: u16) -> Result<String> {
    let data = lab.folder(name)?;
    Ok(format!(
        "[node]\ndata_dir = '{}'\n[probe]\nlisten = '127.0.0.1:{probe}'\n[log]\nlevel = 'debug,h2=info,hyper=info,tower=info,tonic=info,rustls=info,hickory_resolver=info'\n",
        data.display()
    ))
}

/// Starts a server.
pub(crate) fn server(lab: &Lab, settings: &Settings) -> Result<Node> {
    Node::start(
        lab,
        "ipdect-server",
        "server",
        7470,
        &server_file(lab, settings)?,
    )
}

fn server_file(lab: &Lab, settings: &Settings) -> Result<String> {
    let mut file = common(lab, "server", 7470)?;
    file += "[sip]\nbind = '127.0.0.1'\n";
    file += &format!("[link]\nlisten = '{LINK}'\n");
    file += &format!(
        "[initial.settings.sip]\nlocal_port = 5080\ntransport = '{}'\n{}\n",
        settings.transport, settings.sip
    );
    file += &if settings.embedded {
        "[initial.settings.domain]\nenabled = true\nport = 5060\n".into()
    } else {
        proxies_page(&settings.proxies)
    };
    file += "[initial.settings.dect]\nsubscription_open = true\n";
    file += &format!("[initial.settings.media]\n{}\n", settings.media);
    let domain = if settings.embedded {
        file += &user_entry("2001", settings.password);
        ""
    } else {
        "domain = '127.0.0.1'\n"
    };
    for (number, ipei, code) in USERS {
        file += &user_entry(number, settings.password);
        file += &format!("ipei = '{ipei}'\naccess_code = '{code}'\n{domain}");
    }
    for role in ["media", "base"] {
        file += &format!(
            "[[initial.token]]\nrole = '{role}'\nsecret = '{}'\nuses = 5\n",
            secret(role)
        );
    }
    Ok(file)
}

fn proxies_page(proxies: &[Proxy]) -> String {
    let entry = |Proxy { uri, priority }: &Proxy| {
        format!("{{ uri = '{uri}', priority = {priority}, weight = 100 }}")
    };
    let entries: Vec<String> = proxies.iter().map(entry).collect();
    let entries = entries.join(", ");
    format!("[initial.settings.proxies]\nproxies = [{entries}]\n")
}

/// The lines of a user that every one has; further ones may follow.
fn user_entry(number: &str, password: Option<&str>) -> String {
    let password = password.map_or_else(|| format!("pw-{number}"), String::from);
    format!(
        "[[initial.user]]\nusername = '{number}'\nauth_user = '{number}'\nauth_password = '{password}'\n"
    )
}

/// The root that devices are given where the token has no pin.
pub(crate) fn root(lab: &Lab) -> Result<PathBuf> {
    Ok(lab.folder("server")?.join("pki/ca.pem"))
}

fn enrol(lab: &Lab, token: &str) -> Result<String> {
    Ok(format!(
        "[enrol]\nservers = ['{LINK}']\ntoken = '{token}'\nca_file = '{}'\n",
        root(lab)?.display()
    ))
}

/// The token of a role.
pub(crate) fn token(role: &str) -> String {
    format!("{role}.{}", secret(role))
}

/// Starts a media resource.
pub(crate) fn media(lab: &Lab, name: &str) -> Result<Node> {
    let mut file = common(lab, name, 7471)?;
    file += &enrol(lab, &token("media"))?;
    file += "[rtp]\nbind = '127.0.0.1'\n";
    Node::start(lab, "ipdect-media", name, 7471, &file)
}

/// Starts a base station.
pub(crate) fn base(lab: &Lab, name: &str) -> Result<Node> {
    base_with_token(lab, name, &token("base"))
}

/// Starts a base station that has this token.
pub(crate) fn base_with_token(lab: &Lab, name: &str, token: &str) -> Result<Node> {
    let mut file = common(lab, name, 7472)?;
    file += &enrol(lab, token)?;
    file += "[speech]\nlisten = '127.0.0.1:24592'\n[radio.virtual]\nlisten = '127.0.0.1:7462'\n";
    Node::start(lab, "ipdect-base", name, 7472, &file)
}
