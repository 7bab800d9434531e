//! The settings documents: their scopes, defaults, and what is wrong with one.

use ipdect_dect::identity::Park;
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::settings_document::Scope;
use ipdect_sip::message::Uri;

use super::mistake::{Mistakes, check_range};

/// Names of the scopes in store keys, in the order of the pages.
pub const SCOPES: [&str; 8] = [
    "sip", "proxies", "domain", "dect", "media", "links", "general", "lync",
];

/// Length in which an access code is kept on the air: 8 digits (EN 300 444 section 14.2).
const ACCESS_CODE_DIGITS: usize = 8;

/// The name of a document's scope.
#[must_use]
pub fn name(scope: &Scope) -> &'static str {
    match scope {
        Scope::Sip(_) => "sip",
        Scope::Proxies(_) => "proxies",
        Scope::Domain(_) => "domain",
        Scope::Dect(_) => "dect",
        Scope::Media(_) => "media",
        Scope::Links(_) => "links",
        Scope::General(_) => "general",
        Scope::Lync(_) => "lync",
    }
}

/// What a scope holds until somebody changes it: the documented defaults.
#[must_use]
pub fn default_of(scope: &str) -> Option<Scope> {
    Some(match scope {
        "sip" => Scope::Sip(admin::SipSettings {
            local_port: 5060,
            transport: admin::SipTransport::Udp.into(),
            dns_method: admin::DnsMethod::A.into(),
            registration_expire_s: 3600,
            max_forwards: 70,
            client_transaction_timeout_ms: 4000,
            type_of_service: 96,
            priority_8021p: 3,
            ring_limit_s: 180,
            session_interval_s: 1800,
            inter_digit_ms: 4000,
            presence_step_s: 300,
            ..Default::default()
        }),
        "proxies" => Scope::Proxies(admin::ProxySettings::default()),
        "domain" => Scope::Domain(admin::DomainSettings {
            port: 5060,
            name: "ipdect.internal".into(),
            expires_default_s: 3600,
            expires_min_s: 60,
            expires_max_s: 7200,
            ..Default::default()
        }),
        "dect" => Scope::Dect(admin::DectSettings {
            subscription_window_s: 120,
            handover_reserve: 1,
            ..Default::default()
        }),
        "media" => Scope::Media(admin::MediaSettings {
            codecs: vec!["PCMA".into(), "PCMU".into()],
            ptime_ms: 20,
            answer_single_codec: true,
            dscp: 46,
            tone_region: "DE".into(),
            dtmf_payload_type: 101,
            ..Default::default()
        }),
        "links" => Scope::Links(admin::LinkSettings {
            heartbeat_ms: 1000,
            orphan_grace_s: 900,
            token_hours: 24,
            ..Default::default()
        }),
        "general" => Scope::General(admin::GeneralSettings {
            syslog_transport: "udp".into(),
            time_zone: "UTC".into(),
            ..Default::default()
        }),
        "lync" => Scope::Lync(admin::LyncSettings {
            enabled: false,
            trusted_server: true,
        }),
        _ => return None,
    })
}

/// The part of a document that holds secrets, which the store keeps sealed beside it.
pub enum Secret<'a> {
    /// The system's access code.
    Dect(&'a mut admin::DectSettings),
    /// None.
    None,
}

/// The secrets of a document.
pub fn secrets(scope: &mut Scope) -> Secret<'_> {
    match scope {
        Scope::Dect(dect) => Secret::Dect(dect),
        _ => Secret::None,
    }
}

/// Lists everything that is wrong with a document.
pub fn check(scope: &Scope, mistakes: &mut Mistakes) {
    match scope {
        Scope::Sip(sip) => check_sip(sip, mistakes),
        Scope::Proxies(proxies) => check_proxies(proxies, mistakes),
        Scope::Domain(domain) => check_domain(domain, mistakes),
        Scope::Dect(dect) => check_dect(dect, mistakes),
        Scope::Media(media) => check_media(media, mistakes),
        Scope::Links(links) => {
            check_range(
                "heartbeat_ms",
                links.heartbeat_ms,
                100,
                10_000,
                "milliseconds",
                mistakes,
            );
            check_range(
                "orphan_grace_s",
                links.orphan_grace_s,
                30,
                86_400,
                "seconds",
                mistakes,
            );
            check_range("token_hours", links.token_hours, 1, 720, "hours", mistakes);
        }
        Scope::General(general) => check_general(general, mistakes),
        Scope::Lync(_) => {}
    }
}

fn check_sip(sip: &admin::SipSettings, mistakes: &mut Mistakes) {
    // One below the highest port: TLS takes the next one.
    if sip.local_port != 0 {
        check_range(
            "local_port",
            sip.local_port,
            1024,
            65_534,
            "a port; TLS takes the next one",
            mistakes,
        );
    }
    check_range(
        "registration_expire_s",
        sip.registration_expire_s,
        60,
        86_400,
        "seconds",
        mistakes,
    );
    check_range("max_forwards", sip.max_forwards, 1, 255, "hops", mistakes);
    check_range(
        "client_transaction_timeout_ms",
        sip.client_transaction_timeout_ms,
        500,
        32_000,
        "milliseconds",
        mistakes,
    );
    check_range(
        "type_of_service",
        sip.type_of_service,
        0,
        255,
        "an octet",
        mistakes,
    );
    check_range(
        "priority_8021p",
        sip.priority_8021p,
        0,
        7,
        "a class",
        mistakes,
    );
    check_range(
        "ring_limit_s",
        sip.ring_limit_s,
        10,
        600,
        "seconds",
        mistakes,
    );
    check_range(
        "session_interval_s",
        sip.session_interval_s,
        90,
        86_400,
        "seconds (RFC 4028 section 4)",
        mistakes,
    );
    check_range(
        "inter_digit_ms",
        sip.inter_digit_ms,
        1000,
        20_000,
        "milliseconds",
        mistakes,
    );
    check_range(
        "presence_step_s",
        sip.presence_step_s,
        10,
        86_400,
        "seconds",
        mistakes,
    );
    if !sip.default_domain.is_empty() {
        check_host("default_domain", &sip.default_domain, mistakes);
    }
    if admin::SipTransport::try_from(sip.transport).is_err() {
        mistakes.add(
            "transport",
            sip.transport,
            "not a transport; use UDP, TCP or TLS",
        );
    }
    if admin::DnsMethod::try_from(sip.dns_method).is_err() {
        mistakes.add(
            "dns_method",
            sip.dns_method,
            "not a method; use A, SRV or NAPTR_SRV",
        );
    }
    if sip.register_separate_ports {
        mistakes.add(
            "register_separate_ports",
            true,
            "is not available in this release; leave it off",
        );
    }
}

fn check_proxies(proxies: &admin::ProxySettings, mistakes: &mut Mistakes) {
    if proxies.proxies.len() > 4 {
        mistakes.add(
            "proxies",
            proxies.proxies.len(),
            "at most four proxies are possible; remove some",
        );
    }
    for (number, proxy) in (1..).zip(&proxies.proxies) {
        if !proxy.uri.is_empty() {
            check_proxy_uri(&format!("proxies[{number}].uri"), &proxy.uri, mistakes);
        }
        check_range(
            &format!("proxies[{number}].priority"),
            proxy.priority,
            0,
            65_535,
            "a number, lower first",
            mistakes,
        );
        check_range(
            &format!("proxies[{number}].weight"),
            proxy.weight,
            0,
            65_535,
            "a share",
            mistakes,
        );
    }
}

fn check_proxy_uri(field: &str, text: &str, mistakes: &mut Mistakes) {
    match text.parse::<Uri>() {
        Ok(uri) if uri.is_sip() => {}
        Ok(_) => mistakes.add(
            field,
            text,
            "not a SIP address; write `sip:host`, `sip:host:port;transport=tcp` or `sips:host`",
        ),
        Err(error) => mistakes.add(
            field,
            text,
            format!("{error}; write `sip:host` or `sip:host:port;transport=tcp`"),
        ),
    }
}

fn check_domain(domain: &admin::DomainSettings, mistakes: &mut Mistakes) {
    if domain.port != 0 {
        check_range(
            "port",
            domain.port,
            1024,
            65_534,
            "a port; TLS takes the next one",
            mistakes,
        );
    }
    check_host("name", &domain.name, mistakes);
    for alias in &domain.aliases {
        check_host("aliases", alias, mistakes);
    }
    check_range(
        "expires_min_s",
        domain.expires_min_s,
        10,
        domain.expires_max_s,
        "seconds, not above expires_max_s",
        mistakes,
    );
    check_range(
        "expires_max_s",
        domain.expires_max_s,
        60,
        86_400,
        "seconds",
        mistakes,
    );
    check_range(
        "expires_default_s",
        domain.expires_default_s,
        domain.expires_min_s,
        domain.expires_max_s,
        "seconds, between expires_min_s and expires_max_s",
        mistakes,
    );
    for (number, route) in (1..).zip(&domain.routes) {
        check_host(&format!("routes[{number}].domain"), &route.domain, mistakes);
        check_proxy_uri(&format!("routes[{number}].uri"), &route.uri, mistakes);
    }
}

fn check_dect(dect: &admin::DectSettings, mistakes: &mut Mistakes) {
    if !dect.park.is_empty()
        && let Err(error) = dect.park.parse::<Park>()
    {
        mistakes.add(
            "park",
            &dect.park,
            format!("{error}; leave it empty to have one made"),
        );
    }
    check_access_code("access_code", &dect.access_code, mistakes);
    check_range(
        "subscription_window_s",
        dect.subscription_window_s,
        10,
        3600,
        "seconds",
        mistakes,
    );
    check_range(
        "handover_reserve",
        dect.handover_reserve,
        0,
        11,
        "bearers",
        mistakes,
    );
    if dect.cipher_calls {
        mistakes.add(
            "cipher_calls",
            true,
            "ciphering is not available in this release; leave it off",
        );
    }
    if dect.authenticate_calls {
        mistakes.add("authenticate_calls", true, "is not available in this release (handsets prove themselves when they locate); leave it off");
    }
}

/// An access code has up to eight digits; empty means none of its own.
pub(super) fn check_access_code(field: &str, code: &str, mistakes: &mut Mistakes) {
    if code.len() > ACCESS_CODE_DIGITS || !code.bytes().all(|c| c.is_ascii_digit()) {
        mistakes.add_secret(field, "an access code has 1 to 8 digits");
    }
}

fn check_media(media: &admin::MediaSettings, mistakes: &mut Mistakes) {
    if media.codecs.is_empty() {
        mistakes.add("codecs", "", "name at least one of PCMA, PCMU");
    }
    for codec in &media.codecs {
        if !["PCMA", "PCMU"].contains(&codec.as_str()) {
            mistakes.add(
                "codecs",
                codec,
                "not a codec of this release; use PCMA, PCMU",
            );
        }
    }
    if media.ptime_ms != 20 {
        mistakes.add(
            "ptime_ms",
            media.ptime_ms,
            "this release sends packets of 20 ms; write 20",
        );
    }
    if media.srtp_required && !media.srtp_enabled {
        mistakes.add(
            "srtp_required",
            true,
            "needs srtp_enabled; switch both on, or this one off",
        );
    }
    check_range("dscp", media.dscp, 0, 63, "a DiffServ code point", mistakes);
    check_range(
        "dtmf_payload_type",
        media.dtmf_payload_type,
        96,
        127,
        "a dynamic payload type",
        mistakes,
    );
    if media.tone_region.len() != 2 || !media.tone_region.bytes().all(|c| c.is_ascii_uppercase()) {
        mistakes.add(
            "tone_region",
            &media.tone_region,
            "a country has two capital letters, such as DE, GB, US",
        );
    }
    if media.ice {
        mistakes.add(
            "ice",
            true,
            "ICE is not available in this release; leave it off",
        );
    }
}

fn check_general(general: &admin::GeneralSettings, mistakes: &mut Mistakes) {
    if !general.host_name.is_empty() {
        check_host("host_name", &general.host_name, mistakes);
    }
    if !general.domain_name.is_empty() {
        check_host("domain_name", &general.domain_name, mistakes);
    }
    if !["udp", "tcp", "tls"].contains(&general.syslog_transport.as_str()) {
        mistakes.add(
            "syslog_transport",
            &general.syslog_transport,
            "use udp, tcp or tls",
        );
    }
    if !general.syslog_host.is_empty() {
        mistakes.add(
            "syslog_host",
            &general.syslog_host,
            "remote syslog is not available in this release; leave it empty",
        );
    }
    for server in &general.dns_servers {
        if server.parse::<std::net::IpAddr>().is_err() {
            mistakes.add("dns_servers", server, "not an IP address");
        }
    }
}

/// A host name by RFC 1123, or an IP address.
pub(super) fn check_host(field: &str, host: &str, mistakes: &mut Mistakes) {
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    };
    let is_name = host.len() <= 253 && host.trim_end_matches('.').split('.').all(label);
    if !is_name && host.parse::<std::net::IpAddr>().is_err() {
        mistakes.add(
            field,
            host,
            "not a host name or IP address; write it without scheme and port",
        );
    }
}

#[cfg(test)]
mod tests;
