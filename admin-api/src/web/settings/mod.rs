//! Settings documents as forms: one table of fields a scope.

mod tables;

use ipdect_proto::admin::v1::SettingsScope;
use ipdect_proto::admin::v1::settings_document::Scope;

use super::fields::{Fields, Input, Kind};

/// A page of settings.
pub(crate) struct About {
    /// Last part of its address.
    pub(crate) path: &'static str,
    /// The document.
    pub(crate) scope: SettingsScope,
    /// Its title, as the configuration guide has it.
    pub(crate) title: &'static str,
    /// What it is about.
    pub(crate) intro: &'static str,
}

const PAGES: &[About] = &[
    About {
        path: "general",
        scope: SettingsScope::General,
        title: "General",
        intro: "Names, time, remote syslog and DNS of the system.",
    },
    About {
        path: "sip",
        scope: SettingsScope::Sip,
        title: "SIP",
        intro: "How the handsets' user agents speak SIP. Open calls keep what they were made with.",
    },
    About {
        path: "proxies",
        scope: SettingsScope::Proxies,
        title: "Proxies",
        intro: "Where the handsets register: the lowest priority first, shared by weight, the next one when it fails.",
    },
    About {
        path: "domain",
        scope: SettingsScope::Domain,
        title: "SIP domain",
        intro: "The embedded registrar and proxy: with it, the system is a telephone system by itself.",
    },
    About {
        path: "dect",
        scope: SettingsScope::Dect,
        title: "Wireless",
        intro: "Radio and subscriptions.",
    },
    About {
        path: "media",
        scope: SettingsScope::Media,
        title: "SDP and SRTP",
        intro: "Codecs, packets and encryption of speech. New calls use it.",
    },
    About {
        path: "links",
        scope: SettingsScope::Links,
        title: "Links",
        intro: "Links between servers, media resources and base stations.",
    },
];

/// The page at an address.
pub(crate) fn about(path: &str) -> Option<&'static About> {
    PAGES.iter().find(|p| p.path == path)
}

/// One field of a document of type `D`.
struct Field<D: 'static> {
    name: &'static str,
    label: &'static str,
    kind: fn() -> Kind,
    default: &'static str,
    help: &'static str,
    read: fn(&D) -> String,
    write: fn(&mut D, &str) -> Result<(), String>,
}

fn shown<D>(table: &[Field<D>], document: &D) -> Vec<Input> {
    let input = |f: &Field<D>| {
        Input::new(f.name, f.label, (f.kind)(), f.default, f.help).holding((f.read)(document))
    };
    table.iter().map(input).collect()
}

fn filled<D>(table: &[Field<D>], document: &mut D, fields: &Fields) -> Vec<(&'static str, String)> {
    let mut mistakes = Vec::new();
    for field in table {
        if let Err(said) = (field.write)(document, fields.get(field.name)) {
            mistakes.push((field.name, said));
        }
    }
    mistakes
}

/// The fields of a document with their values.
pub(crate) fn inputs(scope: &Scope) -> Vec<Input> {
    let (page, mut inputs) = match scope {
        Scope::Sip(d) => ("sip", shown(tables::SIP, d)),
        Scope::Proxies(d) => ("proxies", shown(tables::PROXIES, d)),
        Scope::Domain(d) => ("domain", shown(tables::DOMAIN, d)),
        Scope::Dect(d) => ("dect", shown(tables::DECT, d)),
        Scope::Media(d) => ("media", shown(tables::MEDIA, d)),
        Scope::Links(d) => ("links", shown(tables::LINKS, d)),
        Scope::General(d) => ("general", shown(tables::GENERAL, d)),
        Scope::Lync(_) => ("lync", Vec::new()),
    };
    for input in &mut inputs {
        input.help.push_str(tables::takes_effect(page, &input.name));
    }
    inputs
}

/// Writes a form into a document; answers field and remedy of each text that does not fit.
pub(crate) fn fill(scope: &mut Scope, fields: &Fields) -> Vec<(&'static str, String)> {
    match scope {
        Scope::Sip(d) => filled(tables::SIP, d, fields),
        Scope::Proxies(d) => {
            d.proxies.resize_with(4, Default::default);
            let mistakes = filled(tables::PROXIES, d, fields);
            // Empty ones behind the last used one say nothing.
            while d.proxies.last().is_some_and(|p| p.uri.is_empty()) {
                d.proxies.pop();
            }
            mistakes
        }
        Scope::Domain(d) => filled(tables::DOMAIN, d, fields),
        Scope::Dect(d) => filled(tables::DECT, d, fields),
        Scope::Media(d) => filled(tables::MEDIA, d, fields),
        Scope::Links(d) => filled(tables::LINKS, d, fields),
        Scope::General(d) => filled(tables::GENERAL, d, fields),
        Scope::Lync(_) => Vec::new(),
    }
}

/// Reads a whole number.
fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let read = text
        .parse::<u32>()
        .ok()
        .filter(|n| (least..=most).contains(n));
    read.ok_or_else(|| {
        format!("\u{2018}{text}\u{2019} does not fit; write a whole number from {least} to {most}")
    })
}

/// Reads a list with commas, blanks or lines between.
fn list(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n', '\r', '\t', ';'])
        .filter(|p| !p.is_empty())
        .map(str::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_proto::admin::v1 as admin;

    fn sent(inputs: &[Input]) -> Fields {
        Fields::new(
            inputs
                .iter()
                .map(|i| (i.name.clone(), i.value.clone()))
                .collect(),
        )
    }

    fn documents() -> Vec<Scope> {
        vec![
            Scope::Sip(admin::SipSettings {
                local_port: 5080,
                transport: 2,
                dns_method: 1,
                max_forwards: 70,
                registration_expire_s: 3600,
                client_transaction_timeout_ms: 4000,
                ring_limit_s: 180,
                session_interval_s: 1800,
                inter_digit_ms: 4000,
                presence_step_s: 300,
                gruu: true,
                ..Default::default()
            }),
            Scope::Proxies(admin::ProxySettings {
                proxies: vec![admin::Proxy {
                    uri: "sip:127.0.0.1:5060;transport=udp".into(),
                    priority: 1,
                    weight: 100,
                }],
            }),
            Scope::Domain(admin::DomainSettings {
                enabled: true,
                port: 5060,
                name: "ipdect.internal".into(),
                aliases: vec!["a.example".into(), "b.example".into()],
                routes: vec![admin::DomainRoute {
                    domain: "x.example".into(),
                    uri: "sip:10.0.0.1".into(),
                }],
                expires_default_s: 3600,
                expires_min_s: 60,
                expires_max_s: 7200,
            }),
            Scope::Dect(admin::DectSettings {
                park: "31100123456".into(),
                access_code: "4711".into(),
                subscription_window_s: 120,
                handover_reserve: 1,
                access_code_set: true,
                ..Default::default()
            }),
            Scope::Media(admin::MediaSettings {
                codecs: vec!["PCMA".into(), "PCMU".into()],
                ptime_ms: 20,
                dscp: 46,
                tone_region: "DE".into(),
                dtmf_payload_type: 101,
                srtp_enabled: true,
                ..Default::default()
            }),
            Scope::Links(admin::LinkSettings {
                heartbeat_ms: 1000,
                orphan_grace_s: 900,
                token_hours: 24,
                compat_unknown_allow: true,
            }),
            Scope::General(admin::GeneralSettings {
                host_name: "dect".into(),
                syslog_level: 1,
                syslog_transport: "udp".into(),
                dns_servers: vec!["192.0.2.1".into()],
                time_zone: "UTC".into(),
                ..Default::default()
            }),
        ]
    }

    #[test]
    fn a_form_sent_back_unchanged_gives_the_same_document() {
        for document in documents() {
            let mut again = document.clone();
            assert_eq!(
                fill(&mut again, &sent(&inputs(&document))),
                [],
                "{document:?}"
            );
            assert_eq!(again, document);
        }
    }

    #[test]
    fn every_field_says_its_default_and_what_it_does() {
        for document in documents() {
            for input in inputs(&document) {
                assert!(
                    !input.label.is_empty() && !input.default.is_empty(),
                    "{}",
                    input.name
                );
                assert!(
                    input.help.ends_with('.') && input.help.len() > 20,
                    "{}: {}",
                    input.name,
                    input.help
                );
            }
        }
    }

    #[test]
    fn a_field_that_does_not_act_at_once_says_so() {
        let all: Vec<Input> = documents().iter().flat_map(inputs).collect();
        let help = |name: &str| {
            all.iter()
                .find(|i| i.name == name)
                .map(|i| i.help.clone())
                .unwrap_or_default()
        };
        assert!(help("local_port").ends_with("next start of the server."));
        assert!(help("ice").contains("Not available"));
        assert!(help("latch").contains("without effect"));
        assert!(!help("max_forwards").contains("effect"));
        for (page, names, _) in tables::EXCEPTIONS {
            let known: Vec<String> = documents()
                .iter()
                .flat_map(inputs)
                .map(|i| i.name)
                .collect();
            assert!(
                names.iter().all(|n| known.contains(&n.to_string())),
                "{page}"
            );
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_told_with_the_range() {
        let mut sip = Scope::Sip(admin::SipSettings::default());
        let fields = Fields::new(vec![("max_forwards".into(), "seventy".into())]);
        let mistakes = fill(&mut sip, &fields);
        let said = mistakes
            .iter()
            .find(|(n, _)| *n == "max_forwards")
            .map(|(_, s)| s.as_str());
        assert_eq!(
            said,
            Some("\u{2018}seventy\u{2019} does not fit; write a whole number from 1 to 255")
        );
    }

    #[test]
    fn all_pages_have_an_address_and_a_document() {
        assert_eq!(PAGES.len(), documents().len());
        assert!(about("sip").is_some() && about("../sip").is_none());
    }
}
