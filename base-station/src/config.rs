//! `base.toml`: what must be known before the first link. Source: contracts, section 12.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipdect_dect::mac::air::Position;
use ipdect_dect::mac::propagation::Propagation;
use ipdect_link::token::EnrolToken;
use ipdect_node::config::{Common, HostPort, Key, Scope, data_dir, probe_listen};

use crate::radio::station::Place;

/// The base station's own keys, beside [`Common::KEYS`].
const OWN: &[Key] = &[
    probe_listen("\"127.0.0.1:7472\""),
    data_dir("\"/var/lib/ipdect/base\""),
    Key::host_ports("enrol.servers", "Link ports of the servers, best first; others are learnt from them."),
    Key::secret("enrol.token", "One-time token that lets this base station into the cluster; not needed once it has enrolled.")
        .optional(),
    Key::path("enrol.ca_file", "The cluster's root certificate (PEM), where the token carries no pin.").optional(),
    Key::address("speech.listen", "Where speech of all bearers is received (RTP and RTCP).").default("\"0.0.0.0:24592\""),
    Key::ip("speech.advertise", "Address that media resources are told to send speech to; without it the one bound, or the one that faces the server.")
        .optional(),
    Key::choice("radio.kind", &["virtual"], "Kind of radio: the virtual air is a protocol over UDP.").default("\"virtual\""),
    Key::address("radio.virtual.listen", "Where virtual handsets reach this base station; the air has no secret of its own, so keep it to trusted networks.")
        .default("\"127.0.0.1:7462\""),
    Key::floats("radio.virtual.position_m", 3, "m", "Where this base station stands: x, y and height.").default("[0.0, 0.0, 2.5]"),
    Key::integer("radio.virtual.tx_power_dbm", -40, 30, "dBm", "Transmit power.").default("24"),
    Key::float("radio.virtual.exponent", 1.5, 6.0, "", "Path-loss exponent: 2.0 in the open, 3.0 in offices, 3.5 in factories.")
        .default("3.0"),
    Key::float("radio.virtual.loss", 0.0, 1.0, "", "Part of bursts lost whatever the level.").default("0.0"),
];

/// Every key of `base.toml`.
#[must_use]
pub fn keys() -> Vec<Key> {
    Common::KEYS.iter().chain(OWN).copied().collect()
}

/// Bootstrap configuration of a base station.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every program has.
    pub common: Common,
    /// Servers to dial, best first.
    pub servers: Vec<HostPort>,
    /// Token for the first start.
    pub token: Option<EnrolToken>,
    /// The cluster's root, where the token has no pin.
    pub ca_file: Option<PathBuf>,
    /// Where speech is received.
    pub speech_listen: SocketAddr,
    /// What media resources are told to send to.
    pub speech_advertise: Option<IpAddr>,
    /// Where the virtual air is.
    pub air_listen: SocketAddr,
    /// Where the base stands in it.
    pub place: Place,
}

impl Config {
    /// Reads the keys; mistakes are collected in the scope's reader.
    #[must_use]
    pub fn read(scope: &Scope) -> Self {
        Self {
            common: Common::read(scope),
            servers: servers(scope),
            token: token(scope),
            ca_file: scope.get("enrol.ca_file"),
            speech_listen: scope.get("speech.listen"),
            speech_advertise: scope.get("speech.advertise"),
            air_listen: scope.get("radio.virtual.listen"),
            place: place(scope),
        }
    }
}

fn servers(scope: &Scope) -> Vec<HostPort> {
    let servers: Vec<HostPort> = scope.get("enrol.servers");
    if servers.is_empty() && scope.is_set("enrol.servers") {
        scope.mistake(
            "enrol.servers",
            "no server",
            "write at least one, such as [\"server.example:7460\"]",
        );
    }
    servers
}

fn token(scope: &Scope) -> Option<EnrolToken> {
    let text: Option<String> = scope.get("enrol.token");
    match text.filter(|t| !t.is_empty())?.parse::<EnrolToken>() {
        Ok(token) if token.role == ipdect_link::role::Role::Base => Some(token),
        Ok(_) => {
            scope.mistake(
                "enrol.token",
                "a token for another role",
                "make one with: ipdect token create --role base",
            );
            None
        }
        Err(error) => {
            scope.mistake(
                "enrol.token",
                error.to_string(),
                "copy the whole token: base.<secret>.<pin>",
            );
            None
        }
    }
}

fn place(scope: &Scope) -> Place {
    let position: Vec<f64> = scope.get("radio.virtual.position_m");
    let position = <[f64; 3]>::try_from(position).unwrap_or_default();
    Place {
        position: Position::from_metres(position),
        power_dbm: scope.get("radio.virtual.tx_power_dbm"),
        propagation: Propagation {
            exponent: scope.get("radio.virtual.exponent"),
            loss: scope.get("radio.virtual.loss"),
        },
    }
}

#[cfg(test)]
mod tests {
    use ipdect_node::config::{ConfigErrors, Document, Section};

    use super::*;

    fn read(text: &str) -> Result<Config, ConfigErrors> {
        let keys = keys();
        let reader = Document::parse("base.toml", text).read(&[Section::root(&keys)]);
        let config = Config::read(&reader.root());
        reader.finish(config)
    }

    #[test]
    fn a_server_is_all_that_must_be_known() {
        let config = read("[enrol]\nservers = ['127.0.0.1:7460']\n").unwrap();
        assert_eq!(config.servers[0].to_string(), "127.0.0.1:7460");
        assert_eq!(config.air_listen.to_string(), "127.0.0.1:7462");
        assert_eq!(config.common.probe_listen.port(), 7472);
        assert_eq!(
            (config.place.power_dbm, config.place.position.z_dm),
            (24, 25)
        );
        assert!(config.token.is_none());
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines() {
        let text = "[enrol]\nservers = []\ntoken = 'media.abcdefghijklmnopqrstuvwxyz'\n[radio.virtual]\nposition_m = [1.0]\nloss = 2.0\nlisten = '7462'\n[speech]\nlissen = '0.0.0.0:0'\n";
        let said = read(text).unwrap_err().to_string();
        for part in [
            "base.toml:2:",
            "base.toml:3:",
            "base.toml:5:",
            "base.toml:6:",
            "base.toml:7:",
            "speech.listen",
        ] {
            assert!(said.contains(part), "{part:?} is missing in:\n{said}");
        }
        assert!(
            !said.contains("abcdefghij"),
            "a token is never repeated:\n{said}"
        );
    }
}
