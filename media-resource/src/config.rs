//! `media.toml`: what must be known before the first server is reached (`contracts.md` section 12).

use std::net::IpAddr;
use std::path::PathBuf;

use ipdect_node::config::{Common, HostPort, Key, PortRange, Scope, data_dir, probe_listen};

/// The media resource's own keys, beside [`Common::KEYS`].
const OWN: &[Key] = &[
    probe_listen("\"127.0.0.1:7471\""),
    data_dir("\"/var/lib/ipdect/media\""),
    Key::host_ports("enrol.servers", "Servers to dial, best first; others are learnt from them.")
        .default("[\"127.0.0.1:7460\"]"),
    Key::secret("enrol.token", "One-time token for the first start; later ignored.").default("\"\""),
    Key::path("enrol.ca_file", "The cluster's root (PEM), where the token carries no pin.").optional(),
    Key::ip("rtp.bind", "Address of all RTP sockets.").default("\"0.0.0.0\""),
    Key::ip("rtp.advertise", "Address that peers are told; without it the one bound, or that of the route to the servers.")
        .optional(),
    Key::ports("rtp.ports", "UDP ports of SIP legs: RTP even, RTCP the next odd one; \"0\" for any.")
        .default("\"16384-24575\""),
    Key::ports("rtp.base_ports", "UDP ports of base legs, one a worker thread; \"0\" for any.")
        .default("\"24576-24591\""),
    Key::integer("rtp.workers", 0, 64, "threads", "Worker threads; 0 is one a core.").default("0"),
];

/// Every key of `media.toml`.
#[must_use]
pub fn keys() -> Vec<Key> {
    Common::KEYS.iter().chain(OWN).copied().collect()
}

/// Bootstrap configuration of a media resource.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every program has.
    pub common: Common,
    /// Servers to dial.
    pub servers: Vec<HostPort>,
    /// Token of the first start; empty for none. Never printed.
    pub token: ipdect_node::Redacted<String>,
    /// The cluster's root, where the token has no pin.
    pub ca_file: Option<PathBuf>,
    /// Address of all RTP sockets.
    pub bind: IpAddr,
    /// Address that peers are told.
    pub advertise: Option<IpAddr>,
    /// Ports of SIP legs.
    pub ports: PortRange,
    /// Ports of base legs.
    pub base_ports: PortRange,
    /// Worker threads; 0: one a core.
    pub workers: usize,
}

impl Config {
    /// Reads the keys; mistakes are collected in the scope's reader.
    #[must_use]
    pub fn read(scope: &Scope) -> Config {
        let workers: i64 = scope.get("rtp.workers");
        let config = Config {
            common: Common::read(scope),
            servers: scope.get("enrol.servers"),
            token: ipdect_node::Redacted(scope.get("enrol.token")),
            ca_file: scope.get("enrol.ca_file"),
            bind: scope.get("rtp.bind"),
            advertise: scope.get("rtp.advertise"),
            ports: scope.get("rtp.ports"),
            base_ports: scope.get("rtp.base_ports"),
            workers: usize::try_from(workers).unwrap_or(0),
        };
        config.check(scope);
        config
    }

    fn check(&self, scope: &Scope) {
        if self.servers.is_empty() {
            scope.mistake(
                "enrol.servers",
                "no server",
                "name one, such as [\"server.example:7460\"]",
            );
        }
        if !self.ports.is_any() && self.ports.count() < 2 {
            scope.mistake(
                "rtp.ports",
                "no pair of ports",
                "write a range, or \"0\" for any ports",
            );
        }
        let (a, b) = (self.ports, self.base_ports);
        if !a.is_any() && !b.is_any() && a.first <= b.last && b.first <= a.last {
            scope.mistake(
                "rtp.base_ports",
                "overlaps rtp.ports",
                "keep the two ranges apart",
            );
        }
    }

    /// Worker threads to start: as configured, but not more than there are ports for base legs.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let wanted = if self.workers == 0 {
            cores()
        } else {
            self.workers
        };
        let ports = if self.base_ports.is_any() {
            wanted
        } else {
            self.base_ports.count()
        };
        wanted.min(ports).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_node::config::{ConfigErrors, Document, Section};

    fn read(text: &str) -> Result<Config, ConfigErrors> {
        let keys = keys();
        let reader = Document::parse("media.toml", text).read(&[Section::root(&keys)]);
        let config = Config::read(&reader.root());
        reader.finish(config)
    }

    #[test]
    fn an_empty_file_has_the_ports_of_the_contract() {
        let config = read("").unwrap();
        assert_eq!((config.ports.first, config.ports.last), (16_384, 24_575));
        assert_eq!(
            (config.base_ports.first, config.base_ports.last),
            (24_576, 24_591)
        );
        assert!((1..=16).contains(&config.worker_count()));
        assert_eq!(config.servers[0].to_string(), "127.0.0.1:7460");
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines() {
        let text =
            "[rtp]\nports = '20000-30000'\nworker = 2\nbind = 'here'\n[enrol]\nservers = []\n";
        let said = read(text).unwrap_err().to_string();
        for part in [
            "rtp.base_ports",
            "media.toml:3:1",
            "rtp.workers",
            "media.toml:4:8",
            "enrol.servers",
        ] {
            assert!(said.contains(part), "{part:?} is missing in:\n{said}");
        }
    }
}
