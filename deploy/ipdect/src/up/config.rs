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
mod tests {
    use super::*;
    use ipdect_proto::admin::v1::settings_document::Scope as Settings;

    fn read(text: &str, reach: Reach) -> Result<Plan, ConfigErrors> {
        let document = Document::parse("ipdect.toml", text);
        Plan::read(document, Path::new("/tmp/data"), reach, "ipdect")
    }

    #[test]
    fn an_empty_file_is_a_system_on_the_loopback() {
        let plan = read("", Reach::Loopback).unwrap();
        assert_eq!(plan.server.link_listen.to_string(), "127.0.0.1:7460");
        assert_eq!(plan.base.air_listen.to_string(), "127.0.0.1:7462");
        assert_eq!(plan.admin.grpc_listen.to_string(), "127.0.0.1:7461");
        assert_eq!(plan.probe_listen.port(), 7474);
        assert_eq!(plan.media.common.data_dir, Path::new("/tmp/data/media"));
        assert_eq!(plan.base.common.node_id.as_deref(), Some("base-1"));
        assert_eq!(plan.people.len(), 2);
    }

    #[test]
    fn a_check_asks_for_free_ports_everywhere() {
        let plan = read("", Reach::Free).unwrap();
        let ports = [
            plan.server.link_listen,
            plan.base.air_listen,
            plan.base.speech_listen,
            plan.admin.grpc_listen,
            plan.admin.web_listen,
            plan.admin.web_plain,
            plan.probe_listen,
        ];
        assert!(
            ports
                .iter()
                .all(|at| at.port() == 0 && at.ip().is_loopback()),
            "{ports:?}"
        );
        assert!(plan.media.ports.is_any() && plan.media.base_ports.is_any());
    }

    #[test]
    fn the_air_stays_on_the_loopback_when_the_network_is_let_in() {
        let plan = read("", Reach::Lan).unwrap();
        assert!(plan.admin.web_listen.ip().is_unspecified());
        assert!(plan.server.sip_bind.is_unspecified());
        assert!(plan.base.air_listen.ip().is_loopback());
        assert!(plan.admin.web_plain.ip().is_loopback());
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines() {
        let text = "[server.link]\nlissen = '127.0.0.1:0'\n[base.radio.virtual]\nloss = 2.0\n[media.log]\nlevel = 'info'\n[handset]\ncount = 99\n[log]\nlevel = 'loud'\n";
        let error = read(text, Reach::Loopback).unwrap_err();
        let said = error.to_string();
        for part in [
            "ipdect.toml:2:1",
            "server.link.listen",
            "ipdect.toml:4:8",
            "ipdect.toml:6:9",
            "[log]",
            "ipdect.toml:8:9",
            "ipdect.toml:10:9",
        ] {
            assert!(said.contains(part), "{part:?} is missing in:\n{said}");
        }
        assert_eq!(error.exit_code(), 64);
    }

    #[test]
    fn what_the_process_fills_in_is_not_taken_from_the_file() {
        let text =
            "[base.enrol]\nservers = ['192.0.2.1:7460']\n[admin.probe]\nlisten = '127.0.0.1:0'\n";
        let said = read(text, Reach::Loopback).unwrap_err().to_string();
        assert!(
            said.contains("ipdect.toml:2:11 base.enrol.servers"),
            "{said}"
        );
        assert!(
            said.contains("ipdect.toml:4:10 admin.probe.listen"),
            "{said}"
        );
    }

    #[test]
    fn the_file_to_begin_with_is_a_good_one() {
        let keys = Keys::new(Reach::Loopback).for_file();
        let text = ipdect_node::config::default_file("ipdect.toml", &keys.sections());
        assert!(
            !text.contains("[base.enrol]") && !text.contains("[admin.log]"),
            "{text}"
        );
        // Every key that has a default, as if somebody had taken the sign before it away.
        let written: String = text
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if !key.starts_with([' ', '[']) && !key.ends_with('=') => key,
                _ => line,
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let plan = read(&written, Reach::Loopback).unwrap();
        assert_eq!(plan.server.link_listen.to_string(), "127.0.0.1:7460");
    }

    #[test]
    fn an_empty_store_gets_users_ports_and_the_domain_unless_the_file_says_otherwise() {
        let mut plan = read(
            "[server.initial.settings.sip]\nlocal_port = 5090\n",
            Reach::Loopback,
        )
        .unwrap();
        let people = plan.people.clone();
        plan.furnish(&people).unwrap();
        let initial = &plan.server.initial;
        let port = initial.settings.iter().find_map(|scope| match scope {
            Settings::Sip(sip) => Some(sip.local_port),
            _ => None,
        });
        assert_eq!(port, Some(5090));
        let domain = initial.settings.iter().find_map(|scope| match scope {
            Settings::Domain(domain) => Some((domain.enabled, domain.port)),
            _ => None,
        });
        assert_eq!(domain, Some((true, 5060)));
        let users: Vec<_> = initial
            .users
            .iter()
            .map(|u| (u.username.as_str(), u.ipei.as_str()))
            .collect();
        assert_eq!(
            users,
            [("1001", "65535 0000001 3"), ("1002", "65535 0000002 4")]
        );
    }
}
