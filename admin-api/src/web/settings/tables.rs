//! The fields of each scope: name, default and what it does.

use ipdect_proto::admin::v1::{
    DectSettings, DomainRoute, DomainSettings, GeneralSettings, LinkSettings, MediaSettings,
    ProxySettings, SipSettings,
};

use super::{Field, Kind, list, number};

/// A line of text.
macro_rules! text {
    ($field:ident, $label:literal, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Text,
            default: $default,
            help: $help,
            read: |d| d.$field.clone(),
            write: |d, text| {
                d.$field = text.into();
                Ok(())
            },
        }
    };
}

/// Several words in one line.
macro_rules! words {
    ($field:ident, $label:literal, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Text,
            default: $default,
            help: $help,
            read: |d| d.$field.join(", "),
            write: |d, text| {
                d.$field = list(text);
                Ok(())
            },
        }
    };
}

/// A whole number.
macro_rules! whole {
    ($field:ident, $label:literal, $least:literal..=$most:literal, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Number($least, $most),
            default: $default,
            help: $help,
            read: |d| d.$field.to_string(),
            write: |d, text| {
                d.$field = number(text, $least, $most)?;
                Ok(())
            },
        }
    };
}

/// On or off.
macro_rules! switch {
    ($field:ident, $label:literal, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Switch,
            default: $default,
            help: $help,
            read: |d| if d.$field { "on".into() } else { String::new() },
            write: |d, text| {
                d.$field = !text.is_empty();
                Ok(())
            },
        }
    };
}

/// One of an enumeration; its zero means the first of the list.
macro_rules! choice {
    ($field:ident, $label:literal, $first:literal, $options:expr, $default:literal, $help:literal) => {
        Field {
            name: stringify!($field),
            label: $label,
            kind: || Kind::Choice($options.to_vec()),
            default: $default,
            help: $help,
            read: |d| d.$field.max($first).to_string(),
            write: |d, text| {
                let known = $options.iter().any(|(value, _)| *value == text);
                let value = text.parse().ok().filter(|_| known);
                d.$field = value.ok_or_else(|| "choose one of the list".to_string())?;
                Ok(())
            },
        }
    };
}

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

const TRANSPORTS: &[(&str, &str)] = &[("1", "UDP"), ("2", "TCP"), ("3", "TLS")];
const METHODS: &[(&str, &str)] = &[
    ("1", "A records"),
    ("2", "SRV, then A"),
    ("3", "NAPTR, then SRV, then A"),
];
const LEVELS: &[(&str, &str)] = &[
    ("0", "off"),
    ("1", "errors"),
    ("2", "warnings too"),
    ("3", "information too"),
];

/// SIP page (G19).
pub(super) const SIP: &[Field<SipSettings>] = &[
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
pub(super) const PROXIES: &[Field<ProxySettings>] = {
    let [a, b, c] = FIRST;
    let [d, e, f] = SECOND;
    let [g, h, i] = THIRD;
    let [j, k, l] = FOURTH;
    &[a, b, c, d, e, f, g, h, i, j, k, l]
};

/// The embedded domain (B8).
pub(super) const DOMAIN: &[Field<DomainSettings>] = &[
    switch!(
        enabled,
        "Embedded SIP domain",
        "off",
        "Registers handsets and ordinary SIP phones, and connects them; on in `ipdect up`."
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

/// Radio and subscriptions.
pub(super) const DECT: &[Field<DectSettings>] = &[
    text!(
        park,
        "PARK",
        "made at random",
        "The system's identity on the air, as typed on handsets; changing it loses all subscriptions."
    ),
    Field {
        name: "access_code",
        label: "System access code",
        kind: || Kind::Text,
        default: "none",
        help: "1 to 8 digits for users without one of their own; empty leaves the present one.",
        read: |d| d.access_code.clone(),
        write: |d, text| {
            // Only administrators are told it: for others empty must not mean none.
            if !text.is_empty() {
                d.access_code = text.into();
            }
            Ok(())
        },
    },
    switch!(
        subscription_open,
        "Subscription always open",
        "off",
        "Handsets may subscribe at any time; better open it for a while on the Subscription page."
    ),
    whole!(
        subscription_window_s,
        "Subscription window (seconds)",
        10..=3600,
        "120",
        "How long the button on the Subscription page opens it."
    ),
    whole!(
        handover_reserve,
        "Bearers kept for handover",
        0..=11,
        "1",
        "Of each base station; new calls are refused sooner, moving ones are not."
    ),
    switch!(
        authenticate_calls,
        "Authenticate each call",
        "off",
        "Handsets prove their key at each call, not only when they locate."
    ),
    switch!(
        cipher_calls,
        "Encrypt the air",
        "off",
        "Speech and signalling between handset and base station are encrypted (DSC)."
    ),
    switch!(
        local_tones,
        "Tones by the handset",
        "off",
        "Handsets that say they can make dial and busy tones themselves; else the media resource does."
    ),
];

/// SDP and SRTP (G21).
pub(super) const MEDIA: &[Field<MediaSettings>] = &[
    words!(
        codecs,
        "Codecs",
        "PCMA, PCMU",
        "Offered to SIP peers, best first, with commas between."
    ),
    whole!(
        ptime_ms,
        "Packet length (ms)",
        10..=60,
        "20",
        "Speech in one RTP packet."
    ),
    switch!(
        answer_preferred_codec,
        "SDP answer with preferred codec",
        "off",
        "Answers with our own best codec instead of the offerer's."
    ),
    switch!(
        answer_single_codec,
        "SDP answer with a single codec",
        "on",
        "Answers with one codec, so that the peer cannot change in mid-call."
    ),
    switch!(
        ignore_sdp_version,
        "Ignore SDP version",
        "off",
        "Reads a new SDP though its version number did not rise, as Lync sends."
    ),
    switch!(
        srtp_enabled,
        "Enable media encryption (SRTP)",
        "off",
        "Offers SRTP and takes it; a peer that cannot gets plain RTP."
    ),
    switch!(
        srtp_required,
        "Require media encryption (SRTP)",
        "off",
        "Calls without SRTP are refused."
    ),
    switch!(
        srtp_lifetime,
        "Include lifetime in SDES offers",
        "off",
        "Writes the life of the key into the crypto line."
    ),
    switch!(
        srtp_mki,
        "Include MKI in SDES offers",
        "off",
        "Writes a key number into the crypto line and each packet."
    ),
    switch!(
        base_srtp_off,
        "Plain RTP to base stations",
        "off",
        "Switches off encryption between base stations and media resources; for measuring only."
    ),
    whole!(
        dscp,
        "DSCP of speech",
        0..=63,
        "46",
        "Mark in the IP header of speech packets; 46 is expedited forwarding."
    ),
    text!(
        tone_region,
        "Country of the tones",
        "DE",
        "Two capital letters: whose dial, ringing and busy tones are played."
    ),
    switch!(
        ice,
        "ICE",
        "off",
        "Finds a way through NAT to SIP peers that can do it too."
    ),
    whole!(
        dtmf_payload_type,
        "Payload type of telephone events",
        96..=127,
        "101",
        "RTP payload type in our offers for keys pressed in a call (RFC 4733)."
    ),
    switch!(
        latch,
        "Send to where packets come from",
        "off",
        "Once after SDP, follows the peer's real address, for peers behind NAT."
    ),
];

/// Links of devices.
pub(super) const LINKS: &[Field<LinkSettings>] = &[
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
pub(super) const GENERAL: &[Field<GeneralSettings>] = &[
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
