//! Fields of the SIP page and of proxies 1 to 4.

use ipdect_proto::admin::v1::{ProxySettings, SipSettings};

use crate::web::fields::Kind;
use crate::web::settings::{Field, number};

const TRANSPORTS: &[(&str, &str)] = &[("1", "UDP"), ("2", "TCP"), ("3", "TLS")];
const METHODS: &[(&str, &str)] = &[
    ("1", "A records"),
    ("2", "SRV, then A"),
    ("3", "NAPTR, then SRV, then A"),
];

/// SIP page (G19).
pub(in crate::web::settings) const SIP: &[Field<SipSettings>] = &[
    whole!(
        local_port,
        "Local port",
        0..=65534,
        "5060",
        "UDP and TCP port of all handsets; TLS takes the next one, 0 any free one."
    ),
    choice!(
        transport,
        "Transport",
        1,
        TRANSPORTS,
        "UDP",
        "How the proxies are reached, unless a proxy's URI says it."
    ),
    choice!(
        dns_method,
        "DNS method",
        1,
        METHODS,
        "A records",
        "How a proxy's name is looked up (RFC 3263)."
    ),
    text!(
        default_domain,
        "Default domain",
        "empty",
        "SIP domain of users without one of their own; not the domain of the directory service."
    ),
    switch!(
        register_separate_ports,
        "Register each endpoint on a separate port",
        "off",
        "Each user registers from a port of its own, for proxies that tell users by their port."
    ),
    switch!(
        send_all_to_registrar,
        "Send all messages to the current registrar",
        "off",
        "Requests outside a dialog go where the user is registered, not where DNS points."
    ),
    whole!(
        registration_expire_s,
        "Registration expire (seconds)",
        60..=86400,
        "3600",
        "Life of a registration that is asked for; it is refreshed before it ends."
    ),
    whole!(
        max_forwards,
        "Max forwards",
        1..=255,
        "70",
        "Hops that a request may take before it is given up."
    ),
    whole!(
        client_transaction_timeout_ms,
        "Client transaction timeout (ms)",
        500..=32000,
        "4000",
        "A proxy that does not answer for so long counts as dead, and the next one is tried."
    ),
    whole!(
        type_of_service,
        "SIP type of service (TOS/Diffserv)",
        0..=255,
        "96",
        "Octet in the IP header of our signalling; 96 is class selector 3."
    ),
    whole!(
        priority_8021p,
        "SIP 802.1p class of service",
        0..=7,
        "3",
        "Priority on the Ethernet, where the interface has VLAN tags."
    ),
    switch!(
        gruu,
        "GRUU",
        "off",
        "Asks for an address of this very handset (RFC 5627), needed by Lync."
    ),
    switch!(
        use_sips_uri,
        "Use SIPS URI",
        "off",
        "Writes sips: instead of sip:, which asks for TLS on every hop."
    ),
    switch!(
        tls_allow_insecure,
        "TLS allow insecure",
        "off",
        "Takes any certificate of a proxy; whoever is on the way can listen and change."
    ),
    whole!(
        ring_limit_s,
        "Longest ringing (seconds)",
        10..=600,
        "180",
        "A call that nobody answers ends after so long."
    ),
    whole!(
        session_interval_s,
        "Session timer (seconds)",
        90..=86400,
        "1800",
        "A call whose other side vanished is noticed within this time (RFC 4028)."
    ),
    whole!(
        inter_digit_ms,
        "Pause after a digit (ms)",
        1000..=20000,
        "4000",
        "A number counts as complete when nothing is dialled for so long; # ends it at once."
    ),
    whole!(
        presence_step_s,
        "Presence step (seconds)",
        10..=86400,
        "300",
        "Available for so long after use, then inactive for as long, then away."
    ),
];

/// The three fields of one proxy.
macro_rules! proxy {
    ($at:literal, $uri:literal, $priority:literal, $weight:literal, $word:literal) => {
        [
            Field {
                name: $uri,
                label: concat!("Proxy ", $word, ": URI"),
                kind: || Kind::Text,
                default: "empty: not used",
                help: "Such as sip:pbx.example.com or sip:192.0.2.1:5060;transport=tcp; without port, DNS is asked as the SIP page says.",
                read: |d: &ProxySettings| d.proxies.get($at).map(|p| p.uri.clone()).unwrap_or_default(),
                write: |d, text| {
                    d.proxies[$at].uri = text.into();
                    Ok(())
                },
            },
            Field {
                name: $priority,
                label: concat!("Proxy ", $word, ": priority"),
                kind: || Kind::Number(0, 65_535),
                default: $word,
                help: "The lowest number is tried first; the next one when all of it failed.",
                read: |d| d.proxies.get($at).map_or_else(|| $word.to_string(), |p| p.priority.to_string()),
                write: |d, text| {
                    d.proxies[$at].priority = number(text, 0, 65_535)?;
                    Ok(())
                },
            },
            Field {
                name: $weight,
                label: concat!("Proxy ", $word, ": weight"),
                kind: || Kind::Number(0, 65_535),
                default: "100",
                help: "Share of the handsets among proxies of the same priority.",
                read: |d| d.proxies.get($at).map_or_else(|| "100".to_string(), |p| p.weight.to_string()),
                write: |d, text| {
                    d.proxies[$at].weight = number(text, 0, 65_535)?;
                    Ok(())
                },
            },
        ]
    };
}

const FIRST: [Field<ProxySettings>; 3] = proxy!(
    0,
    "proxies[1].uri",
    "proxies[1].priority",
    "proxies[1].weight",
    "1"
);
const SECOND: [Field<ProxySettings>; 3] = proxy!(
    1,
    "proxies[2].uri",
    "proxies[2].priority",
    "proxies[2].weight",
    "2"
);
const THIRD: [Field<ProxySettings>; 3] = proxy!(
    2,
    "proxies[3].uri",
    "proxies[3].priority",
    "proxies[3].weight",
    "3"
);
const FOURTH: [Field<ProxySettings>; 3] = proxy!(
    3,
    "proxies[4].uri",
    "proxies[4].priority",
    "proxies[4].weight",
    "4"
);

/// Proxies 1 to 4 (G20).
pub(in crate::web::settings) const PROXIES: &[Field<ProxySettings>] = {
    let [a, b, c] = FIRST;
    let [d, e, f] = SECOND;
    let [g, h, i] = THIRD;
    let [j, k, l] = FOURTH;
    &[a, b, c, d, e, f, g, h, i, j, k, l]
};
