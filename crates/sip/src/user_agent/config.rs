//! What one user agent is told about itself and its surroundings.

use std::fmt;
use std::time::Duration;

use crate::message::Uri;
use crate::transaction::{Timers, Transport};
use crate::trunk::Proxies;

/// Settings of the user agent of one address of record.
#[derive(Clone)]
pub struct Config {
    /// The address of record, such as `sip:1001@example.com`.
    pub aor: Uri,
    /// Name shown to the people called; empty for none.
    pub display_name: String,
    /// Where requests for this user agent are to go: any server of the pool, with the handset key as parameter `h`.
    pub contact: Uri,
    /// `urn:uuid:...` sent as `+sip.instance` of the Contact (RFC 5626 section 4.1), if wanted.
    pub instance: Option<String>,
    /// Name for digest authentication; empty means the user part of the address of record.
    pub auth_user: String,
    /// Password for digest authentication; empty means that challenges cannot be answered.
    pub auth_password: String,
    /// Request-URI of REGISTER: the domain alone, such as `sip:example.com`.
    pub registrar: Uri,
    /// Registration time asked for: 3600 s (guide 14207900, SIP page).
    pub expires: Duration,
    /// Max-Forwards of each request: 70.
    pub max_forwards: u8,
    /// Transaction timers, the client transaction timeout among them.
    pub timers: Timers,
    /// Uses `sips:` for the address of record, the Contact and everyone called.
    pub use_sips: bool,
    /// Asks for a GRUU (RFC 5627) and uses the one granted as Contact. Needs `instance`.
    pub gruu: bool,
    /// Sends requests inside dialogs to the proxy in use too when the dialog has no route set.
    pub all_to_proxy: bool,
    /// Transport of hops whose URI names none.
    pub transport: Transport,
    /// Our own `host:port` for the Via of requests over each transport: UDP, TCP, TLS.
    pub sent_by: SentBy,
    /// Proxies 1 to 4.
    pub proxies: Proxies,
    /// `User-Agent` and `Server` header field.
    pub user_agent: String,
    /// How often the shard of this handset was claimed: raises all CSeq (`takeover.md` section 5.4).
    pub generation: u64,
    /// The handset key: leads branches, tags and Call-IDs, so that any server finds the owner of a response.
    pub branch_prefix: String,
    /// Session timer asked for: 1800 s (RFC 4028). Zero asks for none.
    pub session_expires: Duration,
}

/// Our own `host:port` as peers of each transport reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentBy {
    /// For requests over UDP.
    pub udp: String,
    /// For requests over TCP.
    pub tcp: String,
    /// For requests over TLS.
    pub tls: String,
}

impl SentBy {
    /// The value for one transport.
    pub fn of(&self, transport: Transport) -> &str {
        match transport {
            Transport::Udp => &self.udp,
            Transport::Tcp => &self.tcp,
            Transport::Tls => &self.tls,
        }
    }
}

impl Config {
    /// Settings with the documented defaults for one address of record.
    ///
    /// `sent_by` is our `host:port` for UDP and TCP; for TLS, use the field.
    pub fn new(aor: Uri, contact: Uri, registrar: Uri, sent_by: &str, proxies: Proxies) -> Config {
        let sent_by = SentBy {
            udp: sent_by.into(),
            tcp: sent_by.into(),
            tls: sent_by.into(),
        };
        Config {
            aor,
            display_name: String::new(),
            contact,
            instance: None,
            auth_user: String::new(),
            auth_password: String::new(),
            registrar,
            expires: Duration::from_secs(3600),
            max_forwards: 70,
            timers: Timers::default(),
            use_sips: false,
            gruu: false,
            all_to_proxy: false,
            transport: Transport::Udp,
            sent_by,
            proxies,
            user_agent: "ipdect".into(),
            generation: 0,
            branch_prefix: String::new(),
            session_expires: Duration::from_secs(1800),
        }
    }
}

impl fmt::Debug for Config {
    /// Leaves out the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("aor", &self.aor)
            .field("contact", &self.contact)
            .field("proxies", &self.proxies)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
