//! `server.toml`: what must be known before the store opens (`contracts.md` section 12).

use std::net::{IpAddr, SocketAddr};

use ipdect_node::config::{Common, HostPort, Key, Scope, data_dir, probe_listen};

use crate::initial::{self, Initial};

/// The server's own keys, beside [`Common::KEYS`].
const OWN: &[Key] = &[
    probe_listen("\"127.0.0.1:7470\""),
    data_dir("\"/var/lib/ipdect/server\""),
    Key::address("link.listen", "Where base stations, media resources, the admin API and other servers dial in (gRPC, TLS 1.3).")
        .default("\"0.0.0.0:7460\""),
    Key::host_port("link.advertise", "Address that devices are told to dial; without it the one bound.").optional(),
    Key::ip("sip.bind", "Address of the SIP user agents; the port is a setting (SIP page, local port).").default("\"0.0.0.0\""),
    Key::text("sip.advertise", "Address or name that Contact and Via show; without it the one bound, or that of the default route.")
        .default("\"\""),
    Key::choice("store.kind", &["embedded", "etcd"], "Where configuration is kept; etcd comes with the cluster release.")
        .default("\"embedded\""),
    Key::host_ports("store.endpoints", "Endpoints of etcd.").default("[]"),
    Key::table("initial.settings", "Settings for an empty store, by scope; later ignored."),
    Key::tables("initial.user", "Users for an empty store; later ignored."),
    Key::tables("initial.token", "Enrolment tokens for an empty store; later ignored."),
];

/// Every key of `server.toml`.
#[must_use]
pub fn keys() -> Vec<Key> {
    Common::KEYS.iter().chain(OWN).copied().collect()
}

/// Bootstrap configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every program has.
    pub common: Common,
    /// Where devices dial in.
    pub link_listen: SocketAddr,
    /// What devices are told to dial.
    pub link_advertise: Option<HostPort>,
    /// Address of the SIP side.
    pub sip_bind: IpAddr,
    /// What Contact and Via show; empty: found out.
    pub sip_advertise: String,
    /// Change set for an empty store.
    pub initial: Initial,
}

impl Config {
    /// Reads the keys; mistakes are collected in the scope's reader.
    #[must_use]
    pub fn read(scope: &Scope) -> Self {
        let kind: String = scope.get("store.kind");
        if kind == "etcd" {
            scope.mistake(
                "store.kind",
                "this release has no etcd store",
                "write \"embedded\"",
            );
        }
        Self {
            common: Common::read(scope),
            link_listen: scope.get("link.listen"),
            link_advertise: scope.get("link.advertise"),
            sip_bind: scope.get("sip.bind"),
            sip_advertise: scope.get("sip.advertise"),
            initial: initial::read(scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_node::config::{ConfigErrors, Document, Section};

    fn read(text: &str) -> Result<Config, ConfigErrors> {
        let keys = keys();
        let reader = Document::parse("server.toml", text).read(&[Section::root(&keys)]);
        let config = Config::read(&reader.root());
        reader.finish(config)
    }

    #[test]
    fn an_empty_file_is_a_working_configuration() {
        let config = read("").unwrap();
        assert_eq!(config.link_listen.to_string(), "0.0.0.0:7460");
        assert_eq!(config.initial, Initial::default());
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines() {
        let text = "[link]\nlissen = '127.0.0.1:0'\n[store]\nkind = 'etcd'\n[[initial.user]]\nusername = '1001'\nipei = '05003 0070387 1'\n";
        let said = read(text).unwrap_err().to_string();
        for part in [
            "server.toml:2:1",
            "link.listen",
            "server.toml:4:8",
            "server.toml:7:8",
            "initial.user",
        ] {
            assert!(said.contains(part), "{part:?} is missing in:\n{said}");
        }
    }

    #[test]
    fn initial_settings_start_from_the_defaults() {
        let text = "[initial.settings.sip]\nlocal_port = 5080\n[initial.settings.media]\nsrtp_enabled = true\n[[initial.token]]\nrole = 'base'\nsecret = 'abcdefghijklmnopqrstuvwxyz'\nuses = 5\n";
        let config = read(text).unwrap();
        assert_eq!(config.initial.settings.len(), 2);
        assert_eq!(config.initial.tokens[0].uses, 5);
    }

    #[test]
    fn two_tokens_with_one_secret_are_a_mistake_that_does_not_show_it() {
        let entry = |role| {
            format!("[[initial.token]]\nrole = '{role}'\nsecret = 'abcdefghijklmnopqrstuvwxyz'\n")
        };
        let said = read(&(entry("base") + &entry("media")))
            .unwrap_err()
            .to_string();
        assert!(said.contains("another token has the same secret"), "{said}");
        assert!(
            said.contains("give every token a secret of its own"),
            "{said}"
        );
        assert!(!said.contains("abcdef"), "{said}");
    }
}
