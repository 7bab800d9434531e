//! `admin.toml`: what must be known before a server can be asked (`contracts.md` section 12).

use std::net::SocketAddr;
use std::path::PathBuf;

use ipdect_node::Redacted;
use ipdect_node::config::{Common, HostPort, Key, Scope, data_dir, probe_listen};

/// The admin API's own keys, beside [`Common::KEYS`].
const OWN: &[Key] = &[
    probe_listen("\"127.0.0.1:7473\""),
    data_dir("\"/var/lib/ipdect/admin\""),
    Key::host_ports(
        "enrol.servers",
        "Servers to enrol at and to ask, host:port of their link ports.",
    )
    .default("[\"127.0.0.1:7460\"]"),
    Key::secret(
        "enrol.token",
        "Token for the first start; the server writes one to enrol/admin.token.",
    )
    .default("\"\""),
    Key::path(
        "enrol.ca_file",
        "The cluster's root certificate, for a token without pin.",
    )
    .optional(),
    Key::address("web.listen", "Web GUI over HTTPS.").default("\"0.0.0.0:8443\""),
    Key::address(
        "web.plain",
        "Web GUI over plain HTTP; a loopback address only.",
    )
    .default("\"127.0.0.1:8080\""),
    Key::address("grpc.listen", "Admin API over gRPC with TLS.").default("\"0.0.0.0:7461\""),
    Key::secret(
        "bootstrap_password",
        "Password of the first account, admin; must be changed at first login.",
    )
    .default("\"ip6000\""),
];

/// Every key of `admin.toml`.
#[must_use]
pub fn keys() -> Vec<Key> {
    Common::KEYS.iter().chain(OWN).copied().collect()
}

/// Bootstrap configuration of the admin API.
#[derive(Clone, Debug)]
pub struct Config {
    /// What every program has.
    pub common: Common,
    /// Servers.
    pub servers: Vec<HostPort>,
    /// Enrolment token; empty once enrolled.
    pub token: Redacted<String>,
    /// Root certificate, if the token has no pin.
    pub ca_file: Option<PathBuf>,
    /// HTTPS.
    pub web_listen: SocketAddr,
    /// Plain HTTP, loopback.
    pub web_plain: SocketAddr,
    /// gRPC.
    pub grpc_listen: SocketAddr,
    /// First password of `admin`.
    pub bootstrap_password: Redacted<String>,
}

impl Config {
    /// Reads the keys; mistakes are collected in the scope's reader.
    #[must_use]
    pub fn read(scope: &Scope) -> Self {
        let web_plain: SocketAddr = scope.get("web.plain");
        if !web_plain.ip().is_loopback() {
            scope.mistake(
                "web.plain",
                "plain HTTP would show passwords to the network",
                "use a loopback address such as 127.0.0.1:8080, and web.listen for others",
            );
        }
        let servers: Vec<HostPort> = scope.get("enrol.servers");
        if servers.is_empty() {
            scope.mistake(
                "enrol.servers",
                "no server is named",
                "write [\"host:7460\"]",
            );
        }
        Self {
            common: Common::read(scope),
            servers,
            token: Redacted(scope.get("enrol.token")),
            ca_file: scope.get("enrol.ca_file"),
            web_listen: scope.get("web.listen"),
            web_plain,
            grpc_listen: scope.get("grpc.listen"),
            bootstrap_password: Redacted(scope.get("bootstrap_password")),
        }
    }
}
