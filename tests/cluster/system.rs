//! Our side: the separate programs, each with a configuration file of its own.

mod files;
mod node;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use ipdect_tests::kit::wait::until;

use crate::lab::Lab;
pub(crate) use files::{
    ADMIN, BaseAt, FIRST_BASE, LINK, Proxy, SECOND_BASE, Settings, USERS, token,
};
pub(crate) use node::Node;

/// Longest wait for a program to be ready, and for whatever a program does by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What our ends can miss: gaps in the sequence of either leg, overflows of receive queues, packets that did not go out.
const MISSED_AT_MEDIA: [&str; 3] = [
    "ipdect_rtp_lost_packets_total",
    "ipdect_rtp_overflow_packets_total",
    "ipdect_rtp_unsent_packets_total",
];

/// The same at the base station, of the packets that the media resource sends it.
const MISSED_AT_BASE: [&str; 2] = [
    "ipdect_base_speech_missing_packets_total",
    "ipdect_base_speech_overflow_packets_total",
];

/// What is 0 when no call is up, at the base station, the media resource and the server.
const HELD: [&[&str]; 3] = [
    &["ipdect_base_bearers_busy", "ipdect_base_speech_streams"],
    &["ipdect_media_calls"],
    &[
        "ipdect_radio_connections",
        "ipdect_media_sessions",
        "ipdect_sip_dialogs",
    ],
];
/// Ports that a call takes.
const PORTS_FREE: &str = "ipdect_media_ports_free";

/// The three programs that it takes to call.
pub(crate) struct System {
    pub(crate) base: Node,
    pub(crate) media: Node,
    pub(crate) server: Node,
    /// Pairs of RTP ports before any call.
    ports_free: f64,
}

impl System {
    /// Starts all three and waits until each is ready.
    pub(crate) fn start(lab: &Lab, settings: &Settings) -> Result<Self> {
        let mut server = server(lab, settings)?;
        server.is_ready(lab)?;
        let (mut media, mut base) = (media(lab)?, base(lab)?);
        let ports_free = ports_free(lab, &mut media)?;
        base.is_ready(lab)?;
        Ok(Self {
            base,
            media,
            server,
            ports_free,
        })
    }

    /// Goes on with a media resource that was started just now. The former one.
    pub(crate) fn changes_media(&mut self, lab: &Lab, mut media: Node) -> Result<Node> {
        self.ports_free = ports_free(lab, &mut media)?;
        Ok(std::mem::replace(&mut self.media, media))
    }

    /// Whether the packets of a minute went through in both directions, and none was missed.
    pub(crate) fn carried_a_minute(&self, lab: &Lab) -> Result<()> {
        let received = self.media.metric(lab, "ipdect_rtp_packets_total", "in")?;
        ensure!(
            received > 5900.0,
            "{received} packets at the media resource"
        );
        for direction in ["in", "out"] {
            let name = "ipdect_base_speech_packets_total";
            let packets = self.base.metric(lab, name, direction)?;
            ensure!(
                packets > 2900.0,
                "{packets} packets {direction} at the base"
            );
        }
        let ends = [
            (&self.media, &MISSED_AT_MEDIA[..]),
            (&self.base, &MISSED_AT_BASE[..]),
        ];
        for (node, names) in ends {
            for name in names {
                let missed = node.metric(lab, name, "")?;
                ensure!(missed == 0.0, "{name} {missed}");
            }
        }
        Ok(())
    }

    /// Waits until no program holds anything of a call any more.
    pub(crate) fn is_at_rest(&self, lab: &Lab) -> Result<()> {
        let mut left = Vec::new();
        let waited = until("nothing is left of the calls", PATIENCE, || {
            left = self.left(lab)?;
            Ok(left.is_empty().then_some(()))
        });
        waited.map_err(|error| error.context(left.join(", ")))
    }

    /// What the programs hold.
    fn left(&self, lab: &Lab) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for (node, names) in [&self.base, &self.media, &self.server].iter().zip(HELD) {
            for name in names {
                let held = node.metric(lab, name, "")?;
                if held != 0.0 {
                    left.push(format!("{name} {held}"));
                }
            }
        }
        let free = self.media.metric(lab, PORTS_FREE, "")?;
        if free != self.ports_free {
            left.push(format!("{PORTS_FREE} {free} of {}", self.ports_free));
        }
        Ok(left)
    }
}

/// Waits until a media resource is ready. Pairs of its ports, none of which is in use.
fn ports_free(lab: &Lab, media: &mut Node) -> Result<f64> {
    media.is_ready(lab)?;
    until("it counts its ports", PATIENCE, || {
        let free = media.metric(lab, PORTS_FREE, "")?;
        Ok((free > 0.0).then_some(free))
    })
}

/// Starts a server.
pub(crate) fn server(lab: &Lab, settings: &Settings) -> Result<Node> {
    server_in(lab, "server", settings)
}

/// Starts a server in a folder of this name.
pub(crate) fn server_in(lab: &Lab, name: &str, settings: &Settings) -> Result<Node> {
    let file = files::server(lab, name, settings)?;
    Node::start(lab, "ipdect-server", name, files::SERVER_PROBE, &file)
}

/// Starts a media resource.
pub(crate) fn media(lab: &Lab) -> Result<Node> {
    media_at(lab, "media", files::FIRST_MEDIA)
}

/// Starts a media resource beside the first one.
pub(crate) fn second_media(lab: &Lab) -> Result<Node> {
    media_at(lab, "media-2", files::SECOND_MEDIA)
}

fn media_at(lab: &Lab, name: &str, at: files::MediaAt) -> Result<Node> {
    let file = files::media(lab, name, at)?;
    Node::start(lab, "ipdect-media", name, at.probe, &file)
}

/// Starts a base station.
pub(crate) fn base(lab: &Lab) -> Result<Node> {
    base_at(lab, "base", &token("base"), files::FIRST_BASE)
}

/// Starts a base station beside the first one.
pub(crate) fn second_base(lab: &Lab) -> Result<Node> {
    base_at(lab, "base-2", &token("base"), files::SECOND_BASE)
}

/// Starts a base station that has this token.
pub(crate) fn base_with_token(lab: &Lab, name: &str, token: &str) -> Result<Node> {
    base_at(lab, name, token, files::FIRST_BASE)
}

fn base_at(lab: &Lab, name: &str, token: &str, at: files::BaseAt) -> Result<Node> {
    let file = files::base(lab, name, token, at)?;
    Node::start(lab, "ipdect-base", name, at.probe, &file)
}

/// Starts the admin API of a server that is ready.
pub(crate) fn admin(lab: &Lab) -> Result<Node> {
    let file = files::admin(lab, "admin")?;
    Node::start(lab, "ipdect-admin", "admin", files::ADMIN_PROBE, &file)
}

/// The root that devices are given where the token has no pin.
pub(crate) fn root(lab: &Lab) -> Result<PathBuf> {
    Ok(lab.folder("server")?.join("pki/ca.pem"))
}
