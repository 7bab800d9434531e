//! `[initial]`: a change set for an empty store, written in the server's bootstrap file.

use std::collections::BTreeSet;

use ipdect_node::config::{Entry, Mistake, Scope as Keys};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::settings_document::Scope;
use ipdect_proto::link::v1::Role;

use crate::directory::mistake::Mistakes;
use crate::directory::{settings, user};

/// Shortest secret of a token written by hand: 128 bits in base32.
const SECRET_MIN: usize = 26;

/// Entries whose values are nobody's business.
const SECRETS: &[&str] = &["secret", "access_code", "auth_password"];

/// What an empty store begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Initial {
    /// Settings documents that differ from the defaults.
    pub settings: Vec<Scope>,
    /// Users.
    pub users: Vec<admin::User>,
    /// Enrolment tokens.
    pub tokens: Vec<InitialToken>,
}

/// An enrolment token whose secret the operator chose.
#[derive(Clone, PartialEq, Eq)]
pub struct InitialToken {
    /// For which role.
    pub role: Role,
    /// The secret part.
    pub secret: String,
    /// How often it may be used.
    pub uses: u32,
    /// How long it is good for, hours.
    pub valid_hours: u32,
}

impl std::fmt::Debug for InitialToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InitialToken({:?}, {} uses)", self.role, self.uses)
    }
}

/// Reads `[initial.settings.<scope>]`, `[[initial.user]]`, `[[initial.token]]`.
pub(crate) fn read(keys: &Keys) -> Initial {
    let mut initial = Initial::default();
    if let Some(table) = keys.table("initial.settings") {
        initial.settings = table
            .table()
            .iter()
            .filter_map(|scope| read_scope(keys, scope))
            .collect();
    }
    initial.users = keys
        .tables("initial.user")
        .iter()
        .map(|entry| read_user(keys, entry))
        .collect();
    initial.tokens = keys
        .tables("initial.token")
        .iter()
        .map(|entry| read_token(keys, entry))
        .collect();
    report_shared_secrets(keys, &initial.tokens);
    initial
}

/// A store knows a token by its secret: of two with the same one, the first would be lost.
fn report_shared_secrets(keys: &Keys, tokens: &[InitialToken]) {
    let mut seen = BTreeSet::new();
    for (token, entry) in tokens.iter().zip(keys.tables("initial.token")) {
        if token.secret.is_empty() || seen.insert(token.secret.as_str()) {
            continue;
        }
        let place = entry.get("secret").unwrap_or(&entry);
        let what = "another token has the same secret".to_string();
        keys.report(wrong(
            place,
            what,
            "give every token a secret of its own".into(),
        ));
    }
}

fn read_scope(keys: &Keys, table: &Entry) -> Option<Scope> {
    let Some(mut scope) = settings::default_of(&table.name) else {
        let remedy = format!("the scopes are {}", settings::SCOPES.join(", "));
        keys.report(table.mistake("no such scope of settings", remedy));
        return None;
    };
    for entry in table.table() {
        match set_field(&mut scope, &entry.name, entry) {
            Ok(()) => {}
            Err((what, remedy)) => keys.report(wrong(entry, what, remedy)),
        }
    }
    let mut mistakes = Mistakes::default();
    settings::check(&scope, &mut mistakes);
    for mistake in mistakes.into_list(0) {
        let field = mistake.field.split(['[', '.']).next().unwrap_or_default();
        let place = table.get(field).unwrap_or(table);
        keys.report(wrong(
            place,
            mistake.field.clone() + " is wrong",
            mistake.remedy,
        ));
    }
    Some(scope)
}

type Wrong = (String, String);

fn set_field(scope: &mut Scope, name: &str, entry: &Entry) -> Result<(), Wrong> {
    match scope {
        Scope::Sip(s) => set_sip(s, name, entry),
        Scope::Proxies(p) => set_proxies(p, name, entry),
        Scope::Domain(d) => set_domain(d, name, entry),
        Scope::Dect(d) => set_dect(d, name, entry),
        Scope::Media(m) => set_media(m, name, entry),
        Scope::Links(l) => set_links(l, name, entry),
        Scope::General(g) => set_general(g, name, entry),
        Scope::Lync(l) => set_lync(l, name, entry),
    }
}

/// Sets fields of one message from entries of the same name, and tells unknown names.
macro_rules! fields {
    ($target:ident, $name:ident, $entry:ident; $($read:ident: $($field:ident),+;)+) => {{
        const KNOWN: &[&str] = &[$($(stringify!($field)),+),+];
        match $name {
            $($(stringify!($field) => $target.$field = $read($entry)?,)+)+
            _ => return Err(unknown($name, KNOWN)),
        }
        Ok(())
    }};
}

fn set_sip(s: &mut admin::SipSettings, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(s, name, entry;
        number: local_port, registration_expire_s, max_forwards, client_transaction_timeout_ms, type_of_service,
            priority_8021p, ring_limit_s, session_interval_s, inter_digit_ms, presence_step_s;
        transport: transport;
        dns_method: dns_method;
        text: default_domain;
        truth: register_separate_ports, send_all_to_registrar, gruu, use_sips_uri, tls_allow_insecure;
    )
}

fn set_proxies(p: &mut admin::ProxySettings, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(p, name, entry; proxies: proxies;)
}

fn set_domain(d: &mut admin::DomainSettings, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(d, name, entry;
        truth: enabled;
        number: port, expires_default_s, expires_min_s, expires_max_s;
        text: name;
        texts: aliases;
    )
}

fn set_dect(d: &mut admin::DectSettings, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(d, name, entry;
        text: park, access_code;
        truth: subscription_open, authenticate_calls, cipher_calls, local_tones;
        number: subscription_window_s, handover_reserve;
    )
}

fn set_media(m: &mut admin::MediaSettings, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(m, name, entry;
        texts: codecs;
        number: ptime_ms, dscp, dtmf_payload_type;
        truth: answer_preferred_codec, answer_single_codec, ignore_sdp_version, srtp_enabled, srtp_required, srtp_lifetime,
            srtp_mki, base_srtp_off, ice, latch;
        text: tone_region;
    )
}

fn set_links(l: &mut admin::LinkSettings, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(l, name, entry;
        truth: compat_unknown_allow;
        number: heartbeat_ms, orphan_grace_s, token_hours;
    )
}

fn set_general(g: &mut admin::GeneralSettings, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(g, name, entry;
        text: host_name, domain_name, syslog_host, syslog_transport, system_name, time_zone;
        texts: dns_servers;
    )
}

fn set_lync(l: &mut admin::LyncSettings, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(l, name, entry; truth: enabled, trusted_server;)
}

/// A mistake in an entry; the values of secrets are not repeated.
fn wrong(entry: &Entry, what: String, remedy: String) -> Mistake {
    let mistake = entry.mistake(what, remedy);
    if SECRETS.contains(&entry.name.as_str()) {
        Mistake {
            value: None,
            ..mistake
        }
    } else {
        mistake
    }
}

fn unknown(name: &str, known: &[&str]) -> Wrong {
    let remedy = match ipdect_node::config::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the settings are {}", known.join(", ")),
    };
    ("no such setting".into(), remedy)
}

fn number(entry: &Entry) -> Result<u32, Wrong> {
    entry
        .as_i64()
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| {
            (
                "not a whole number of 0 or more".into(),
                "write one, without quotes".into(),
            )
        })
}

fn truth(entry: &Entry) -> Result<bool, Wrong> {
    entry.as_bool().ok_or_else(|| {
        (
            "neither true nor false".into(),
            "write true or false, without quotes".into(),
        )
    })
}

fn text(entry: &Entry) -> Result<String, Wrong> {
    entry
        .as_str()
        .map(String::from)
        .ok_or_else(|| ("not a text".into(), "put it in quotes".into()))
}

fn texts(entry: &Entry) -> Result<Vec<String>, Wrong> {
    let wrong = || {
        (
            "not a list of texts".to_string(),
            "write [\"one\", \"two\"]".to_string(),
        )
    };
    if entry.as_str().is_some() {
        return Err(wrong());
    }
    entry
        .list()
        .iter()
        .map(|e| e.as_str().map(String::from).ok_or_else(wrong))
        .collect()
}

fn transport(entry: &Entry) -> Result<i32, Wrong> {
    match text(entry)?.to_ascii_lowercase().as_str() {
        "udp" => Ok(admin::SipTransport::Udp.into()),
        "tcp" => Ok(admin::SipTransport::Tcp.into()),
        "tls" => Ok(admin::SipTransport::Tls.into()),
        _ => Err((
            "not a transport".into(),
            "write \"udp\", \"tcp\" or \"tls\"".into(),
        )),
    }
}

fn dns_method(entry: &Entry) -> Result<i32, Wrong> {
    match text(entry)?.to_ascii_lowercase().as_str() {
        "a" => Ok(admin::DnsMethod::A.into()),
        "srv" => Ok(admin::DnsMethod::Srv.into()),
        "naptr" | "naptr_srv" => Ok(admin::DnsMethod::NaptrSrv.into()),
        _ => Err((
            "not a DNS method".into(),
            "write \"a\", \"srv\" or \"naptr\"".into(),
        )),
    }
}

fn proxies(entry: &Entry) -> Result<Vec<admin::Proxy>, Wrong> {
    let wrong = || {
        (
            "not a list of proxies".to_string(),
            "write [{ uri = \"sip:host\", priority = 1, weight = 100 }]".to_string(),
        )
    };
    entry
        .list()
        .iter()
        .map(|e| {
            let uri = e.get("uri").and_then(Entry::as_str).ok_or_else(wrong)?;
            let count = |name, default| e.get(name).map_or(Ok(default), number);
            Ok(admin::Proxy {
                uri: uri.into(),
                priority: count("priority", 1)?,
                weight: count("weight", 100)?,
            })
        })
        .collect()
}

fn read_user(keys: &Keys, table: &Entry) -> admin::User {
    let mut found = admin::User::default();
    for entry in table.table() {
        if let Err((what, remedy)) = set_user(&mut found, &entry.name, entry) {
            keys.report(wrong(entry, what, remedy));
        }
    }
    let mut mistakes = Mistakes::default();
    user::check(&found, &mut mistakes);
    for mistake in mistakes.into_list(0) {
        let place = table.get(&mistake.field).unwrap_or(table);
        keys.report(wrong(
            place,
            mistake.field.clone() + " is wrong",
            mistake.remedy,
        ));
    }
    found
}

fn set_user(u: &mut admin::User, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(u, name, entry;
        text: username, ipei, access_code, standby_text, domain, display_name, auth_user, auth_password;
        truth: call_forward_disabled;
    )
}

fn read_token(keys: &Keys, table: &Entry) -> InitialToken {
    let mut token = InitialToken {
        role: Role::Unspecified,
        secret: String::new(),
        uses: 1,
        valid_hours: 24,
    };
    for entry in table.table() {
        if let Err((what, remedy)) = set_token(&mut token, &entry.name, entry) {
            keys.report(wrong(entry, what, remedy));
        }
    }
    if token.role == Role::Unspecified && table.get("role").is_none() {
        keys.report(table.mistake(
            "the role is missing",
            "add role = \"base\", \"media\", \"admin\" or \"host\"",
        ));
    }
    if token.secret.len() < SECRET_MIN {
        let place = table.get("secret").unwrap_or(table);
        let what = "the secret is missing or too short".to_string();
        keys.report(wrong(
            place,
            what,
            format!("write {SECRET_MIN} or more random letters and digits"),
        ));
    }
    token
}

fn set_token(t: &mut InitialToken, name: &str, entry: &Entry) -> Result<(), Wrong> {
    fields!(t, name, entry;
        role: role;
        text: secret;
        number: uses, valid_hours;
    )
}

fn role(entry: &Entry) -> Result<Role, Wrong> {
    match text(entry)?.as_str() {
        "base" => Ok(Role::Base),
        "media" => Ok(Role::Media),
        "admin" => Ok(Role::Admin),
        "host" => Ok(Role::Host),
        _ => Err((
            "not a role that enrols by a written token".into(),
            "write \"base\", \"media\", \"admin\" or \"host\"".into(),
        )),
    }
}
