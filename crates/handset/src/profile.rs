//! Everything about a handset that configuration says, as its mind needs it.
//!
//! The server makes a [`Profile`] from the store's documents (user, handset, settings) and hands it over at the
//! start and at each change, as [`crate::Event::Configured`]. Nothing here is written by the mind but [`HandsetRow`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ipdect_dect::identity::{Ari, Ipei};
use ipdect_dect::nwk::Ie;
use ipdect_dect::nwk::ie::{self, TerminalCapability};
use ipdect_sip::transaction::{Timers, Transport};
use ipdect_sip::trunk::Proxies;
use ipdect_sip::user_agent::SentBy;
use serde::{Deserialize, Serialize};

use crate::media::Codec;

/// Identifier of `<<TERMINAL-CAPABILITY>>`.
const TERMINAL_CAPABILITY: u8 = 0x63;

/// A text that prints as redacted.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "Secret(empty)"
        } else {
            "Secret(redacted)"
        })
    }
}

/// A 128-bit key that prints as redacted.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key128(pub [u8; 16]);

impl fmt::Debug for Key128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key128(redacted)")
    }
}

/// All that configuration says about one handset.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The user whom the handset serves. `None`: an IPEI that nobody entered; it may neither subscribe nor locate.
    pub user: Option<User>,
    /// What the store keeps of the handset's subscription.
    pub handset: HandsetRow,
    /// How often the handset's shard was claimed, this time included: a dialog's CSeq numbers start at 65,536 times the
    /// difference to the generation that it was made in (`takeover.md` 5, rule 4).
    pub generation: u32,
    /// What all handsets of a server share.
    pub settings: Arc<Settings>,
}

/// What all handsets of a server share: settings of the system and addresses of the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The radio system.
    pub system: System,
    /// The SIP page (G19).
    pub sip: SipSettings,
    /// Proxies 1 to 4 (G20).
    pub proxies: Proxies,
    /// Our own `host:port` for each transport, as Via and Contact show it.
    pub sent_by: SentBy,
    /// Media towards SIP peers and base stations (G21).
    pub media: MediaSettings,
    /// Limits of calls.
    pub call: CallSettings,
    /// The two presence timers (G14).
    pub presence: PresenceSettings,
}

/// A user as on the users page (G22).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// User name or extension: the user part of the address of record.
    pub number: String,
    /// Domain; empty means the default domain of the SIP page.
    pub domain: String,
    /// Name shown to the called party.
    pub display_name: String,
    /// Digest user name; empty means the number.
    pub auth_user: String,
    /// Digest password.
    pub auth_password: Secret,
    /// Text on the idle display.
    pub standby_text: String,
    /// Access code for subscription, digits; empty means the system's.
    pub access_code: Secret,
}

/// What the store keeps of one handset: its subscription and what it last said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandsetRow {
    /// Key of the handset in Contact addresses, such as `331-7k2m9q4x`.
    pub key: String,
    /// The handset: the 36 bits of its IPEI.
    pub ipei: u64,
    /// User authentication key; present means subscribed.
    pub uak: Option<Key128>,
    /// Temporary identity (20 bits) given at location.
    pub tpui: Option<u32>,
    /// `<<TERMINAL-CAPABILITY>>` as last received: the contents, without identifier and length.
    pub terminal_capability: Option<Vec<u8>>,
    /// `<<MODEL-IDENTIFIER>>` as last received, likewise.
    pub model: Option<Vec<u8>>,
}

impl HandsetRow {
    /// A handset that never subscribed.
    #[must_use]
    pub fn new(key: impl Into<String>, ipei: Ipei) -> HandsetRow {
        HandsetRow {
            key: key.into(),
            ipei: ipei.bits(),
            uak: None,
            tpui: None,
            terminal_capability: None,
            model: None,
        }
    }

    /// What the handset can do, as far as it told.
    #[must_use]
    pub fn capability(&self) -> Option<TerminalCapability> {
        let contents = self.terminal_capability.as_ref()?;
        let length = u8::try_from(contents.len()).ok()?;
        let octets = [&[TERMINAL_CAPABILITY, length], contents.as_slice()].concat();
        let (elements, _) = ie::decode_all(&octets).ok()?;
        elements.into_iter().find_map(|element| match element {
            Ie::TerminalCapability(capability) => Some(capability),
            _ => None,
        })
    }

    /// Keeps what the handset told of itself.
    pub fn note_capability(&mut self, capability: TerminalCapability) {
        let mut octets = Vec::new();
        ie::encode_all(&[Ie::TerminalCapability(capability)], &mut octets);
        self.terminal_capability = octets.get(2..).map(<[u8]>::to_vec);
    }
}

/// The radio system as all its base stations show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Primary access rights identity, class B or as configured.
    pub pari: Ari,
    /// Location area level: how many bits of PARI and RPN tell areas apart. 31 with one area.
    pub location_area_level: u8,
    /// Access code for users who have none of their own.
    pub access_code: Secret,
    /// Whether subscription is open now.
    pub subscription_open: bool,
}

/// The SIP page, as far as a user agent needs it (G19). Transport, DNS method, type of service belong to the server.
#[derive(Clone, Debug, PartialEq)]
pub struct SipSettings {
    /// Transport towards the proxies.
    pub transport: Transport,
    /// Domain of users who have none of their own.
    pub default_domain: String,
    /// Asked lifetime of a registration, 60 s to 24 h.
    pub registration_expires: Duration,
    /// `Max-Forwards` of requests.
    pub max_forwards: u8,
    /// Transaction timers; the client transaction timeout is among them.
    pub timers: Timers,
    /// Send requests to the registrar in use, whatever their address.
    pub send_all_to_registrar: bool,
    /// Ask for a GRUU (RFC 5627).
    pub gruu: bool,
    /// Use `sips:` addresses.
    pub use_sips: bool,
}

impl Default for SipSettings {
    fn default() -> SipSettings {
        SipSettings {
            transport: Transport::Udp,
            default_domain: String::new(),
            registration_expires: Duration::from_secs(3600),
            max_forwards: 70,
            timers: Timers::default(),
            send_all_to_registrar: true,
            gruu: true,
            use_sips: false,
        }
    }
}

/// How speech towards SIP peers is protected (G21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SipSrtp {
    /// Never.
    Off,
    /// Offered beside plain RTP, taken when offered.
    #[default]
    Enabled,
    /// Calls without are refused.
    Required,
}

/// Media page (G21).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaSettings {
    /// Codecs towards SIP peers, most preferred first, telephone-event not among them.
    pub codecs: Vec<Codec>,
    /// Payload type of telephone-event in our offers; `None` switches it off.
    pub telephone_event: Option<u8>,
    /// SRTP towards SIP peers.
    pub srtp: SipSrtp,
    /// SRTP between base stations and media resources.
    pub base_srtp: bool,
    /// Answer with our preferred codec first, not the peer's.
    pub answer_with_preferred_codec: bool,
    /// Answer with one codec only.
    pub answer_with_single_codec: bool,
    /// Take a peer's SDP whose version did not change as a new one.
    pub ignore_sdp_version: bool,
    /// Offer a key lifetime.
    pub srtp_lifetime: bool,
    /// Offer a master key identifier.
    pub srtp_mki: bool,
}

impl Default for MediaSettings {
    fn default() -> MediaSettings {
        let codec = |payload_type, name: &str| Codec {
            payload_type,
            name: name.into(),
            clock_hz: 8000,
            ptime_ms: 20,
        };
        MediaSettings {
            codecs: vec![codec(8, "PCMA"), codec(0, "PCMU")],
            telephone_event: Some(101),
            srtp: SipSrtp::Enabled,
            base_srtp: true,
            answer_with_preferred_codec: true,
            answer_with_single_codec: false,
            ignore_sdp_version: false,
            srtp_lifetime: false,
            srtp_mki: false,
        }
    }
}

/// Limits of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSettings {
    /// Longest time that a call rings, either way: `call.ring_limit_s`.
    pub ring_limit: Duration,
    /// Silence after a digit that ends dialling.
    pub digit_timeout: Duration,
    /// Longest time of a busy or congestion tone after a refusal.
    pub refusal_tone: Duration,
    /// What may be dialled without waiting for more digits.
    pub dial_plan: Vec<DialRule>,
}

impl Default for CallSettings {
    fn default() -> CallSettings {
        CallSettings {
            ring_limit: Duration::from_secs(180),
            digit_timeout: Duration::from_secs(4),
            refusal_tone: Duration::from_secs(20),
            dial_plan: Vec::new(),
        }
    }
}

/// Numbers that are complete without a time-out: `prefix` followed by `more` further digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialRule {
    /// First digits.
    pub prefix: String,
    /// How many follow.
    pub more: usize,
}

impl DialRule {
    /// Whether `digits` are a complete number by this rule.
    #[must_use]
    pub fn completes(&self, digits: &str) -> bool {
        digits.len() == self.prefix.len() + self.more && digits.starts_with(&self.prefix)
    }
}

/// Presence timers (G14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceSettings {
    /// Time after use in which contacts see *Available*.
    pub available: Duration,
    /// Time after that in which they see *Inactive*.
    pub inactive: Duration,
}

impl Default for PresenceSettings {
    fn default() -> PresenceSettings {
        PresenceSettings {
            available: Duration::from_secs(300),
            inactive: Duration::from_secs(300),
        }
    }
}
