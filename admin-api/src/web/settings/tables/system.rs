//! Fields of the pages SIP domain, Links and General.

use ipdect_proto::admin::v1::{DomainRoute, DomainSettings, GeneralSettings, LinkSettings};

use crate::web::fields::Kind;
use crate::web::settings::{Field, list, number};

const LEVELS: &[(&str, &str)] = &[
    ("0", "off"),
    ("1", "errors"),
    ("2", "warnings too"),
    ("3", "information too"),
];

/// The embedded domain (B8).
pub(in crate::web::settings) const DOMAIN: &[Field<DomainSettings>] = &[
    switch!(
        enabled,
        "Embedded SIP domain",
        "off",
        "Registers handsets and ordinary SIP phones, and connects them; on in ipdect up."
    ),
    whole!(
        port,
        "Port",
        0..=65534,
        "5060",
        "UDP and TCP port, not the local port of the SIP page; TLS takes the next one, 0 any free one."
    ),
    text!(
        name,
        "Name",
        "ipdect.internal",
        "Domain of the addresses that it serves."
    ),
    words!(
        aliases,
        "Further names",
        "empty",
        "Other domains that it serves, with commas between; its host names and addresses count anyway."
    ),
    whole!(
        expires_default_s,
        "Usual life of a registration (seconds)",
        60..=86400,
        "3600",
        "For phones that ask for none."
    ),
    whole!(
        expires_min_s,
        "Shortest life (seconds)",
        10..=86400,
        "60",
        "Phones that ask for less are told this one (423)."
    ),
    whole!(
        expires_max_s,
        "Longest life (seconds)",
        60..=86400,
        "7200",
        "Phones that ask for more get this one."
    ),
    Field {
        name: "routes",
        label: "Routes to other domains",
        kind: || Kind::Lines,
        default: "none: calls to other domains get 403",
        help: "One a line: the domain, a blank, and the SIP URI of the next hop, such as example.com sip:192.0.2.9.",
        read: |d| {
            d.routes
                .iter()
                .map(|r| format!("{} {}", r.domain, r.uri))
                .collect::<Vec<_>>()
                .join("\n")
        },
        write: |d, text| {
            d.routes = text
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty())
                .map(route)
                .collect::<Result<_, _>>()?;
            Ok(())
        },
    },
];

fn route(line: &str) -> Result<DomainRoute, String> {
    let (domain, uri) = line.split_once(char::is_whitespace).ok_or_else(|| {
        format!("\u{2018}{line}\u{2019} has no next hop; write the domain, a blank, and a SIP URI")
    })?;
    Ok(DomainRoute {
        domain: domain.into(),
        uri: uri.trim().into(),
    })
}

/// Links of devices.
pub(in crate::web::settings) const LINKS: &[Field<LinkSettings>] = &[
    switch!(
        compat_unknown_allow,
        "Let releases in of which nothing is stated",
        "off",
        "A device whose firmware pair the compatibility rules do not name may link; at your own risk."
    ),
    whole!(
        heartbeat_ms,
        "Heartbeat (ms)",
        100..=10000,
        "1000",
        "Three unanswered ones end a link."
    ),
    whole!(
        orphan_grace_s,
        "Speech without any server (seconds)",
        30..=86400,
        "900",
        "How long devices keep calls up while no server can be reached."
    ),
    whole!(
        token_hours,
        "Life of enrolment tokens (hours)",
        1..=720,
        "24",
        "For new tokens for which nothing else is asked."
    ),
];

/// General page.
pub(in crate::web::settings) const GENERAL: &[Field<GeneralSettings>] = &[
    text!(
        system_name,
        "System name",
        "empty",
        "Tells this system from others; shown to administrators."
    ),
    text!(
        host_name,
        "DNS host name",
        "empty",
        "Host name of the server, used in SIP contacts (G15)."
    ),
    text!(
        domain_name,
        "DNS domain name",
        "empty",
        "Domain of the server, behind the host name."
    ),
    words!(
        dns_servers,
        "DNS servers",
        "empty: the system's",
        "IP addresses with commas between, asked instead of the system's."
    ),
    text!(
        time_zone,
        "Time zone",
        "UTC",
        "IANA name such as Europe/Berlin, for times that handsets show."
    ),
    text!(
        syslog_host,
        "Remote syslog host",
        "empty: off",
        "Host and port that get the log as RFC 5424."
    ),
    choice!(
        syslog_level,
        "Remote syslog level",
        0,
        LEVELS,
        "off",
        "What is sent there; errors or warnings at least are good practice."
    ),
    text!(
        syslog_transport,
        "Remote syslog transport",
        "udp",
        "One of udp, tcp, tls: how the log is sent."
    ),
];
