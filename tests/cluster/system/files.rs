//! Configuration files of our programs, and what is in them.

use anyhow::Result;

use super::root;
use crate::lab::Lab;
use crate::peers::kamailio;

/// The server's link port.
pub(crate) const LINK: &str = "127.0.0.1:7460";
/// The admin API's gRPC port.
pub(crate) const ADMIN: &str = "127.0.0.1:7461";

pub(super) const SERVER_PROBE: u16 = 7470;
pub(super) const ADMIN_PROBE: u16 = 7473;

/// Ports of one base station.
#[derive(Clone, Copy)]
pub(crate) struct BaseAt {
    pub(crate) probe: u16,
    /// Where handsets reach it.
    pub(crate) air: u16,
    pub(crate) speech: u16,
}

pub(crate) const FIRST_BASE: BaseAt = BaseAt {
    probe: 7472,
    air: 7462,
    speech: 24_592,
};
pub(crate) const SECOND_BASE: BaseAt = BaseAt {
    probe: 7475,
    air: 7463,
    speech: 24_593,
};

/// Ports of one media resource.
#[derive(Clone, Copy)]
pub(super) struct MediaAt {
    pub(super) probe: u16,
    /// Towards SIP peers, and from base stations.
    rtp: (&'static str, &'static str),
}

pub(super) const FIRST_MEDIA: MediaAt = MediaAt {
    probe: 7471,
    rtp: ("16384-24575", "24576-24591"),
};
pub(super) const SECOND_MEDIA: MediaAt = MediaAt {
    probe: 7476,
    rtp: ("26000-26099", "26100-26103"),
};

/// Users of the tests: number, IPEI as printed, access code. The password is `pw-` and the number.
pub(crate) const USERS: [(&str, &str, &str); 2] = [
    ("1001", "65535 0000001 3", "1001"),
    ("1002", "65535 0000002 4", "1002"),
];

/// One proxy of the page.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) uri: String,
    /// The lowest one is used first.
    pub(crate) priority: u16,
}

/// What the system is told beyond what all tests share.
#[derive(Clone)]
pub(crate) struct Settings {
    /// `udp`, `tcp` or `tls`.
    pub(crate) transport: &'static str,
    pub(crate) proxies: Vec<Proxy>,
    /// Further lines of `[initial.settings.sip]`.
    pub(crate) sip: &'static str,
    /// Lines of `[initial.settings.media]`.
    pub(crate) media: &'static str,
    /// Password of the users instead of the right one.
    pub(crate) password: Option<&'static str>,
    /// The server's own SIP domain, at port 5060, instead of proxies. The phone 2001 is one of its users.
    pub(crate) embedded: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self::over("udp")
    }
}

impl Settings {
    /// The Kamailio on the usual ports, over `udp`, `tcp` or `tls`.
    pub(crate) fn over(transport: &'static str) -> Self {
        let at = kamailio::Options::USUAL.address(transport);
        Self {
            transport,
            proxies: vec![Proxy {
                uri: format!("sip:{at};transport={transport}"),
                priority: 1,
            }],
            sip: "",
            media: "",
            password: None,
            embedded: false,
        }
    }
}

/// The secret of a role's token, as the server is told in its file: one for each role, since the store knows a token by its secret.
fn secret(role: &str) -> String {
    format!("abcdefghijklmnopqrstuvwxyz{role}")
}

/// The token of a role.
pub(crate) fn token(role: &str) -> String {
    format!("{role}.{}", secret(role))
}

fn common(lab: &Lab, name: &str, probe: u16) -> Result<String> {
    let data = lab.folder(name)?;
    Ok(format!(
        "[node]\ndata_dir = '{}'\n[probe]\nlisten = '127.0.0.1:{probe}'\n[log]\nlevel = 'debug,h2=info,hyper=info,tower=info,tonic=info,rustls=info,hickory_resolver=info'\n",
        data.display()
    ))
}

pub(super) fn server(lab: &Lab, name: &str, settings: &Settings) -> Result<String> {
    let mut file = common(lab, name, SERVER_PROBE)?;
    file += "[sip]\nbind = '127.0.0.1'\n";
    file += &format!("[link]\nlisten = '{LINK}'\n");
    file += &format!(
        "[initial.settings.sip]\nlocal_port = 5080\ntransport = '{}'\n{}\n",
        settings.transport, settings.sip
    );
    file += &if settings.embedded {
        "[initial.settings.domain]\nenabled = true\nport = 5060\n".into()
    } else {
        proxies_page(&settings.proxies)
    };
    file += "[initial.settings.dect]\nsubscription_open = true\n";
    file += &format!("[initial.settings.media]\n{}\n", settings.media);
    let domain = if settings.embedded {
        file += &user_entry("2001", settings.password);
        ""
    } else {
        "domain = '127.0.0.1'\n"
    };
    for (number, ipei, code) in USERS {
        file += &user_entry(number, settings.password);
        file += &format!("ipei = '{ipei}'\naccess_code = '{code}'\n{domain}");
    }
    for role in ["media", "base"] {
        file += &format!(
            "[[initial.token]]\nrole = '{role}'\nsecret = '{}'\nuses = 5\n",
            secret(role)
        );
    }
    Ok(file)
}

fn proxies_page(proxies: &[Proxy]) -> String {
    let entry = |Proxy { uri, priority }: &Proxy| {
        format!("{{ uri = '{uri}', priority = {priority}, weight = 100 }}")
    };
    let entries: Vec<String> = proxies.iter().map(entry).collect();
    let entries = entries.join(", ");
    format!("[initial.settings.proxies]\nproxies = [{entries}]\n")
}

/// The lines of a user that every one has; further ones may follow.
fn user_entry(number: &str, password: Option<&str>) -> String {
    let password = password.map_or_else(|| format!("pw-{number}"), String::from);
    format!(
        "[[initial.user]]\nusername = '{number}'\nauth_user = '{number}'\nauth_password = '{password}'\n"
    )
}

fn enrol(lab: &Lab, token: &str) -> Result<String> {
    Ok(format!(
        "[enrol]\nservers = ['{LINK}']\ntoken = '{token}'\nca_file = '{}'\n",
        root(lab)?.display()
    ))
}

pub(super) fn media(lab: &Lab, name: &str, at: MediaAt) -> Result<String> {
    let mut file = common(lab, name, at.probe)?;
    file += &enrol(lab, &token("media"))?;
    let (peers, bases) = at.rtp;
    file += &format!("[rtp]\nbind = '127.0.0.1'\nports = '{peers}'\nbase_ports = '{bases}'\n");
    Ok(file)
}

pub(super) fn base(lab: &Lab, name: &str, token: &str, at: BaseAt) -> Result<String> {
    let mut file = common(lab, name, at.probe)?;
    file += &enrol(lab, token)?;
    file += &format!(
        "[speech]\nlisten = '127.0.0.1:{}'\n[radio.virtual]\nlisten = '127.0.0.1:{}'\n",
        at.speech, at.air
    );
    Ok(file)
}

/// The admin API's file: it enrols with the token that the server has written down.
pub(super) fn admin(lab: &Lab, name: &str) -> Result<String> {
    let token = std::fs::read_to_string(lab.folder("server")?.join("enrol/admin.token"))?;
    let mut file = common(lab, name, ADMIN_PROBE)?;
    file += &enrol(lab, token.trim())?;
    file += &format!("[grpc]\nlisten = '{ADMIN}'\n[web]\nlisten = '127.0.0.1:8443'\n");
    Ok(file)
}
