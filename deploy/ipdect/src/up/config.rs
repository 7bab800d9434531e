//! `ipdect.toml`: the keys of all parts in one file, with defaults that make a system of one machine.
//!
//! Sections `[server]` `[media]` `[base]` `[admin]` hold the parts' own keys. What the process has once (log, traces,
//! probes) stands at the root.

use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};

use ipdect_node::config::{
    Common, ConfigErrors, Default, Document, HostPort, Key, Scope, Section, probe_listen,
};
use ipdect_node::telemetry;
use ipdect_server::initial::Initial;

use super::people::{self, Person};

/// Keys of the process itself, beside the parts' ones.
const OWN: &[Key] = &[
    probe_listen("\"127.0.0.1:7474\""),
    Key::integer(
        "handset.count",
        0,
        16,
        "handsets",
        "Virtual handsets to run; their users are made with the store.",
    )
    .default("2"),
    Key::host_port(
        "handset.air",
        "Base station that they are near; without it the one of this system.",
    )
    .optional(),
];
/// Keys that a process has once: they count at the root, not in the parts' sections.
const ONCE: &[&str] = &[
    "log.level",
    "log.format",
    "trace.otlp_endpoint",
    "probe.listen",
];

/// Keys that `up` fills in by itself: its parts enrol at its own server.
const FILLED_IN: &[&str] = &["enrol.servers", "enrol.token", "enrol.ca_file"];

/// Defaults of a system on this machine alone.
const LOOPBACK: &[(&str, &str)] = &[
    ("server.link.listen", "\"127.0.0.1:7460\""),
    ("server.sip.bind", "\"127.0.0.1\""),
    ("media.rtp.bind", "\"127.0.0.1\""),
    ("base.speech.listen", "\"127.0.0.1:24592\""),
    ("admin.grpc.listen", "\"127.0.0.1:7461\""),
    ("admin.web.listen", "\"127.0.0.1:8443\""),
];
/// Defaults of a system that the network may use: all addresses. The air has no secret, so it stays where it is.
const LAN: &[(&str, &str)] = &[
    ("server.link.listen", "\"0.0.0.0:7460\""),
    ("server.sip.bind", "\"0.0.0.0\""),
    ("media.rtp.bind", "\"0.0.0.0\""),
    ("base.speech.listen", "\"127.0.0.1:24592\""),
    ("admin.grpc.listen", "\"0.0.0.0:7461\""),
    ("admin.web.listen", "\"0.0.0.0:8443\""),
];
/// Defaults of a system beside others: free ports.
const FREE: &[(&str, &str)] = &[
    ("server.link.listen", "\"127.0.0.1:0\""),
    ("server.sip.bind", "\"127.0.0.1\""),
    ("media.rtp.bind", "\"127.0.0.1\""),
    ("media.rtp.ports", "\"0\""),
    ("media.rtp.base_ports", "\"0\""),
    ("base.speech.listen", "\"127.0.0.1:0\""),
    ("base.radio.virtual.listen", "\"127.0.0.1:0\""),
    ("admin.grpc.listen", "\"127.0.0.1:0\""),
    ("admin.web.listen", "\"127.0.0.1:0\""),
    ("admin.web.plain", "\"127.0.0.1:0\""),
    ("probe.listen", "\"127.0.0.1:0\""),
];
/// Defaults of every such system. A part's servers are filled in when the server runs.
const ALWAYS: &[(&str, &str)] = &[
    ("log.level", "\"warn\""),
    ("base.enrol.servers", "[\"127.0.0.1:7460\"]"),
];

/// Who may reach the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine, well-known ports.
    Loopback,
    /// The network too.
    Lan,
    /// This machine, free ports.
    Free,
}

/// Everything that is known before the first part starts.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) data: PathBuf,
    pub(crate) reach: Reach,
    /// Address that the network is told, with [`Reach::Lan`].
    pub(crate) advertise: Option<IpAddr>,
    pub(crate) server: ipdect_server::Config,
    pub(crate) media: ipdect_media_resource::Config,
    pub(crate) base: ipdect_base_station::Config,
    pub(crate) admin: ipdect_admin_api::Config,
    pub(crate) probe_listen: std::net::SocketAddr,
    pub(crate) air: Option<HostPort>,
    pub(crate) telemetry: telemetry::Settings,
    /// Portables to run, and whose they are.
    pub(crate) people: Vec<Person>,
}

/// The keys of the process and of each part.
pub(crate) struct Keys {
    own: Vec<Key>,
    parts: [(&'static str, Vec<Key>); 4],
}

impl Keys {
    pub(crate) fn new(reach: Reach) -> Self {
        let once = Common::KEYS.iter().filter(|key| ONCE.contains(&key.path));
        let mut keys = Self {
            own: once.chain(OWN).copied().collect(),
            parts: [
                ("server", ipdect_server::config::keys()),
                ("media", ipdect_media_resource::config::keys()),
                ("base", ipdect_base_station::config::keys()),
                ("admin", ipdect_admin_api::config::keys()),
            ],
        };
        let table = match reach {
            Reach::Loopback => LOOPBACK,
            Reach::Lan => LAN,
            Reach::Free => FREE,
        };
        for &(path, default) in ALWAYS.iter().chain(table) {
            keys.set_default(path, default);
        }
        keys
    }

    fn set_default(&mut self, path: &'static str, default: &'static str) {
        let part = self.parts.iter_mut().find_map(|(name, keys)| {
            let path = path.strip_prefix(*name)?.strip_prefix('.')?;
            keys.iter_mut().find(|key| key.path == path)
        });
        let own = || path;
        match part {
            Some(key) => key.default = Default::Written(default),
            None => {
                if let Some(key) = self.own.iter_mut().find(|key| key.path == own()) {
                    key.default = Default::Written(default);
                }
            }
        }
    }

    /// The keys without those that must not be written in a part's section, for a file to begin with.
    pub(crate) fn for_file(mut self) -> Self {
        for (_, keys) in &mut self.parts {
            keys.retain(|key| !ONCE.contains(&key.path) && !FILLED_IN.contains(&key.path));
            for key in keys.iter_mut().filter(|key| key.path == "node.data_dir") {
                // By default a folder of the data folder.
                key.default = Default::Absent;
            }
        }
        self
    }

    /// The sections of `ipdect.toml`.
    pub(crate) fn sections(&self) -> Vec<Section<'_>> {
        let parts = self
            .parts
            .iter()
            .map(|(name, keys)| Section::under(name, keys));
        std::iter::once(Section::root(&self.own))
            .chain(parts)
            .collect()
    }
}

impl Plan {
    /// Reads `ipdect.toml` for a system in the folder `data`.
    ///
    /// # Errors
    /// All mistakes at once.
    pub(crate) fn read(
        document: Document,
        data: &Path,
        reach: Reach,
        program: &'static str,
    ) -> Result<Self, ConfigErrors> {
        let keys = Keys::new(reach);
        let reader = document.read(&keys.sections());
        let own = reader.root();
        let [server, media, base, admin] = ["server", "media", "base", "admin"].map(|part| {
            let scope = reader.under(part);
            misplaced(&scope, part != "server");
            scope
        });
        let count: usize = own.get("handset.count");
        let mut plan = Self {
            data: data.to_owned(),
            reach,
            advertise: (reach == Reach::Lan).then(default_route).flatten(),
            server: ipdect_server::Config::read(&server),
            media: ipdect_media_resource::Config::read(&media),
            base: ipdect_base_station::Config::read(&base),
            admin: ipdect_admin_api::Config::read(&admin),
            probe_listen: own.get("probe.listen"),
            air: own.get("handset.air"),
            telemetry: telemetry_of(&own, program),
            people: people::first(count),
        };
        plan.settle(&server, &media, &base, &admin);
        reader.finish(plan)
    }

    /// Fills in what depends on the data folder and on each other.
    fn settle(&mut self, server: &Scope, media: &Scope, base: &Scope, admin: &Scope) {
        let parts = [
            ("server", server, &mut self.server.common),
            ("media", media, &mut self.media.common),
            ("base", base, &mut self.base.common),
            ("admin", admin, &mut self.admin.common),
        ];
        for (name, scope, common) in parts {
            if !scope.is_set("node.data_dir") {
                common.data_dir = self.data.join(name);
            }
            common.node_id.get_or_insert_with(|| format!("{name}-1"));
        }
        let Some(address) = self.advertise else {
            return;
        };
        if self.server.sip_advertise.is_empty() {
            self.server.sip_advertise = address.to_string();
        }
        self.media.advertise.get_or_insert(address);
    }

    /// Gives an empty store its settings and the portables' users; what the file says stays.
    ///
    /// # Errors
    /// Never in practice: what is written here is valid.
    pub(crate) fn furnish(&mut self, people: &[Person]) -> Result<(), ConfigErrors> {
        let ours = initial(self.reach, people)?;
        let theirs = &mut self.server.initial;
        let kind = std::mem::discriminant;
        for scope in ours.settings {
            if !theirs.settings.iter().any(|own| kind(own) == kind(&scope)) {
                theirs.settings.push(scope);
            }
        }
        if theirs.users.is_empty() {
            theirs.users = ours.users;
        }
        Ok(())
    }
}

/// Log, traces and probes belong to the process; enrolment is its own business.
fn misplaced(scope: &Scope, enrols: bool) {
    for path in ONCE.iter().filter(|path| scope.is_set(path)) {
        let table = path.split('.').next().unwrap_or_default();
        let remedy = format!("write it at the root of the file: [{table}]");
        scope.mistake(path, "all parts share one process", remedy);
    }
    let filled_in = FILLED_IN.iter().filter(|_| enrols);
    for path in filled_in.filter(|path| scope.is_set(path)) {
        let what = "the part enrols at the server beside it";
        scope.mistake(
            path,
            what,
            "remove it, or run the part as a program of its own",
        );
    }
}

fn telemetry_of(own: &Scope, program: &'static str) -> telemetry::Settings {
    let level: String = own.get("log.level");
    if let Err(what) = telemetry::check_level(&level) {
        own.mistake(
            "log.level",
            what,
            "write a level such as \"info\", or \"info,ipdect_sip=debug\"",
        );
    }
    let json = own.get::<String>("log.format") == "json";
    telemetry::Settings {
        program,
        node_id: String::new(),
        level,
        format: if json {
            ipdect_node::config::LogFormat::Json
        } else {
            ipdect_node::config::LogFormat::Text
        },
        otlp_endpoint: own.get("trace.otlp_endpoint"),
    }
}

/// What an empty store begins with.
fn initial(reach: Reach, people: &[Person]) -> Result<Initial, ConfigErrors> {
    use std::fmt::Write;
    let (agents, domain) = match reach {
        Reach::Free => (0, 0),
        Reach::Loopback | Reach::Lan => (5080, 5060),
    };
    let mut text = format!(
        "[initial.settings.sip]\nlocal_port = {agents}\n\
         [initial.settings.domain]\nenabled = true\nport = {domain}\n\
         [initial.settings.media]\nsrtp_enabled = true\n"
    );
    for person in people {
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "[[initial.user]]\nusername = '{0}'\nipei = '{1}'\naccess_code = '{2}'\ndisplay_name = 'Handset {0}'\n",
            person.number, person.ipei, person.access_code,
        );
    }
    let keys = ipdect_server::config::keys();
    let reader = Document::parse("ipdect up", &text).read(&[Section::root(&keys)]);
    let config = ipdect_server::Config::read(&reader.root());
    Ok(reader.finish(config)?.initial)
}

/// The address of the default route: what this machine would send from. No packet is sent to find it out.
fn default_route() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests;
