//! From the documents of the directory to what the mind of a handset needs.

use std::sync::Arc;
use std::time::Duration;

use ipdect_dect::identity::{Ipei, Park};
use ipdect_handset::{
    CallSettings, Codec, HandsetRow, Key128, MediaSettings, PresenceSettings, Profile, Secret,
    Settings, SipSettings, SipSrtp, System, User,
};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::settings_document::Scope;
use ipdect_proto::cluster::v1 as rows;
use ipdect_sip::message::Uri;
use ipdect_sip::transaction::{Timers, Transport};
use ipdect_sip::trunk::{Proxies, Proxy};
use ipdect_sip::user_agent::SentBy;

use crate::directory::Directory;
use crate::directory::plan::handset_key;

/// All scopes that calls need, as they are now.
#[derive(Clone, Debug, PartialEq)]
pub struct Documents {
    /// SIP page.
    pub sip: admin::SipSettings,
    /// Proxies 1 to 4.
    pub proxies: admin::ProxySettings,
    /// Embedded domain.
    pub domain: admin::DomainSettings,
    /// Radio.
    pub dect: admin::DectSettings,
    /// Media.
    pub media: admin::MediaSettings,
    /// Links.
    pub links: admin::LinkSettings,
}

impl Documents {
    /// Reads them.
    #[must_use]
    pub fn read(directory: &Directory) -> Self {
        macro_rules! scope {
            ($name:literal, $variant:ident) => {
                match directory.settings($name).0 {
                    Scope::$variant(document) => document,
                    _ => Default::default(),
                }
            };
        }
        Self {
            sip: scope!("sip", Sip),
            proxies: scope!("proxies", Proxies),
            domain: scope!("domain", Domain),
            dect: scope!("dect", Dect),
            media: scope!("media", Media),
            links: scope!("links", Links),
        }
    }

    /// The transport towards proxies.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match self.sip.transport() {
            admin::SipTransport::Tcp => Transport::Tcp,
            admin::SipTransport::Tls => Transport::Tls,
            admin::SipTransport::Udp | admin::SipTransport::Unspecified => Transport::Udp,
        }
    }

    /// The domain of users who have none of their own.
    #[must_use]
    pub fn default_domain(&self) -> String {
        match self.sip.default_domain.as_str() {
            "" if self.domain.enabled => self.domain.name.clone(),
            domain => domain.to_string(),
        }
    }

    /// The proxies to use: those of the page, else the embedded domain at its port, else the default domain itself.
    #[must_use]
    pub fn trunk(&self, domain_port: u16) -> Proxies {
        let written = self
            .proxies
            .proxies
            .iter()
            .filter(|p| !p.uri.is_empty())
            .filter_map(|p| {
                let uri = p.uri.parse().ok()?;
                let number = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
                Some(Proxy {
                    uri,
                    priority: number(p.priority),
                    weight: number(p.weight),
                })
            });
        let written: Vec<Proxy> = written.take(Proxies::MOST).collect();
        if let Ok(proxies) = Proxies::new(written) {
            return proxies;
        }
        let fallback = if self.domain.enabled {
            format!("sip:127.0.0.1:{domain_port};transport=udp")
        } else {
            format!("sip:{}", self.default_domain())
        };
        // A domain that was never named leads nowhere; the registration says so.
        let nowhere = || {
            Uri::sip(
                None,
                ipdect_sip::message::Host::Name("invalid".into()),
                None,
            )
        };
        Proxies::one(fallback.parse().unwrap_or_else(|_| nowhere()))
    }
}

/// What all handsets share, from the documents and the addresses bound.
#[must_use]
pub fn shared(
    documents: &Documents,
    sent_by: SentBy,
    domain_port: u16,
    subscription_open: bool,
) -> Settings {
    let sip = &documents.sip;
    let media = &documents.media;
    let seconds = |n: u32| Duration::from_secs(u64::from(n));
    Settings {
        system: System {
            pari: park(&documents.dect).ari(),
            location_area_level: 31,
            access_code: Secret(documents.dect.access_code.clone()),
            subscription_open: subscription_open || documents.dect.subscription_open,
        },
        sip: SipSettings {
            transport: documents.transport(),
            default_domain: documents.default_domain(),
            registration_expires: seconds(sip.registration_expire_s),
            max_forwards: u8::try_from(sip.max_forwards).unwrap_or(70),
            timers: Timers {
                client_timeout: Duration::from_millis(u64::from(sip.client_transaction_timeout_ms)),
                ..Timers::default()
            },
            send_all_to_registrar: sip.send_all_to_registrar,
            gruu: sip.gruu,
            use_sips: sip.use_sips_uri,
        },
        proxies: documents.trunk(domain_port),
        sent_by,
        media: MediaSettings {
            codecs: media.codecs.iter().filter_map(|name| codec(name)).collect(),
            telephone_event: u8::try_from(media.dtmf_payload_type).ok(),
            srtp: match (media.srtp_enabled, media.srtp_required) {
                (_, true) => SipSrtp::Required,
                (true, false) => SipSrtp::Enabled,
                (false, false) => SipSrtp::Off,
            },
            base_srtp: !media.base_srtp_off,
            answer_with_preferred_codec: media.answer_preferred_codec,
            answer_with_single_codec: media.answer_single_codec,
            ignore_sdp_version: media.ignore_sdp_version,
            srtp_lifetime: media.srtp_lifetime,
            srtp_mki: media.srtp_mki,
        },
        call: CallSettings {
            ring_limit: seconds(sip.ring_limit_s),
            digit_timeout: Duration::from_millis(u64::from(sip.inter_digit_ms)),
            ..CallSettings::default()
        },
        presence: PresenceSettings {
            available: seconds(sip.presence_step_s),
            inactive: seconds(sip.presence_step_s),
        },
    }
}

/// The system's PARK; a document without one is that of a store which is just being made.
#[must_use]
pub fn park(dect: &admin::DectSettings) -> Park {
    let none = || {
        let ari = ipdect_dect::identity::Ari::class_b(1, 0).expect("EIC 1 is a class B identity");
        ari.park()
    };
    dect.park.parse().unwrap_or_else(|_| none())
}

fn codec(name: &str) -> Option<Codec> {
    let payload_type = match name {
        "PCMA" => 8,
        "PCMU" => 0,
        _ => return None,
    };
    Some(Codec {
        payload_type,
        name: name.into(),
        clock_hz: 8000,
        ptime_ms: 20,
    })
}

/// The whole of one handset.
#[must_use]
pub fn profile(
    directory: &Directory,
    ipei: Ipei,
    generation: u32,
    settings: Arc<Settings>,
) -> Profile {
    let (user, handset) = directory.of_handset(ipei);
    let user = user.and_then(|kept| {
        let id = kept.row.user.as_ref()?.id.clone();
        let (password, code) = directory.user_secrets(&id, &kept.row);
        user_of(&kept.row, password, code)
    });
    let handset = handset.map_or_else(
        // An IPEI that nobody entered: its key is never given to a peer.
        || {
            HandsetRow::new(
                format!("{}-unknown", ipdect_dect::identity::shard(ipei)),
                ipei,
            )
        },
        |kept| handset_of(directory, ipei, &kept.row),
    );
    Profile {
        user,
        handset,
        generation,
        settings,
    }
}

fn user_of(row: &rows::UserRow, password: String, code: String) -> Option<User> {
    let user = row.user.clone()?;
    Some(User {
        number: user.username,
        domain: user.domain,
        display_name: user.display_name,
        auth_user: user.auth_user,
        auth_password: Secret(password),
        standby_text: user.standby_text,
        access_code: Secret(code),
    })
}

fn handset_of(directory: &Directory, ipei: Ipei, row: &rows::HandsetRow) -> HandsetRow {
    let handset = row.handset.clone().unwrap_or_default();
    let some = |octets: &[u8]| (!octets.is_empty()).then(|| octets.to_vec());
    HandsetRow {
        key: handset.handset_key,
        ipei: ipei.bits(),
        uak: directory
            .open_key(&handset_key(ipei), &row.sealed_uak)
            .map(Key128),
        tpui: (handset.tpui != 0).then_some(handset.tpui),
        terminal_capability: some(&row.terminal_capability),
        model: hex::decode(&handset.model).ok().filter(|m| !m.is_empty()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A located-by-nobody handset of a user, for tests of what is around it.
    pub(crate) fn profile(ipei: Ipei) -> Profile {
        let sent_by = SentBy {
            udp: "192.0.2.1:5060".into(),
            tcp: "192.0.2.1:5060".into(),
            tls: "192.0.2.1:5061".into(),
        };
        Profile {
            user: Some(User {
                number: "1001".into(),
                ..User::default()
            }),
            handset: HandsetRow::new("716-aaaaaaaa", ipei),
            generation: 1,
            settings: Arc::new(shared(&documents(), sent_by, 5060, false)),
        }
    }

    fn documents() -> Documents {
        macro_rules! scope {
            ($name:literal, $variant:ident) => {
                match crate::directory::settings::default_of($name) {
                    Some(Scope::$variant(document)) => document,
                    _ => Default::default(),
                }
            };
        }
        Documents {
            sip: scope!("sip", Sip),
            proxies: scope!("proxies", Proxies),
            domain: scope!("domain", Domain),
            dect: scope!("dect", Dect),
            media: scope!("media", Media),
            links: scope!("links", Links),
        }
    }

    #[test]
    fn without_proxies_the_embedded_domain_is_the_proxy() {
        let mut documents = documents();
        documents.domain.enabled = true;
        let uri = documents.trunk(15060).get(0).map(|p| p.uri.to_string());
        assert_eq!(uri.as_deref(), Some("sip:127.0.0.1:15060;transport=udp"));
        assert_eq!(documents.default_domain(), "ipdect.internal");
        documents.sip.default_domain = "example.org".into();
        documents.proxies.proxies = vec![admin::Proxy {
            uri: "sip:pbx.example.org".into(),
            priority: 1,
            weight: 100,
        }];
        assert_eq!(
            documents
                .trunk(15060)
                .get(0)
                .map(|p| p.uri.to_string())
                .as_deref(),
            Some("sip:pbx.example.org")
        );
        assert_eq!(documents.default_domain(), "example.org");
    }

    #[test]
    fn srtp_settings_become_one_policy() {
        let sent_by = SentBy {
            udp: String::new(),
            tcp: String::new(),
            tls: String::new(),
        };
        let policy = |enabled, required| {
            let mut documents = documents();
            documents.media.srtp_enabled = enabled;
            documents.media.srtp_required = required;
            shared(&documents, sent_by.clone(), 0, false).media.srtp
        };
        assert_eq!(policy(false, false), SipSrtp::Off);
        assert_eq!(policy(true, false), SipSrtp::Enabled);
        assert_eq!(policy(true, true), SipSrtp::Required);
    }
}
