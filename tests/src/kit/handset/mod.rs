//! One handset's mind in an invented world: virtual time, a base station, a media resource and a SIP peer that do as told.
//!
//! A test reads like the ladder it stands for: [`Scene::at`] says when and what happens, [`Then::then`] all that comes of it, in
//! order. Orders are obeyed at once unless the test says otherwise ([`Scene::media_answers`], [`Scene::holds`]).

mod ladder;
mod peer;
mod said;
mod scene;
mod words;

pub use ladder::Ladder;
pub use scene::{Happening, Scene, Then};
pub use words::*;

use std::sync::Arc;
use std::time::Instant;

use ipdect_dect::identity::{Ari, Ipei};
use ipdect_handset::{
    CallSettings, HandsetRow, Key128, MediaSettings, PresenceSettings, Profile, Secret, Settings,
    SipSettings, System, User,
};
use ipdect_sip::trunk::Proxies;
use ipdect_sip::user_agent::SentBy;

/// The handset of all scenes.
pub const IPEI: &str = "65535 0000001";
/// Its user authentication key.
pub const UAK: [u8; 16] = [7; 16];
/// Access code of its user.
pub const CODE: &str = "1234";

/// The first instant: the one place of the kit that asks the clock.
#[allow(clippy::disallowed_methods)]
pub(crate) fn t0() -> Instant {
    Instant::now()
}

/// The IPEI of [`IPEI`].
pub fn ipei() -> Ipei {
    IPEI.parse().expect("a valid IPEI")
}

/// Settings of all scenes: example.com behind one proxy, everything else as documented.
pub fn settings() -> Settings {
    let sent_by = "192.0.2.5:5080".to_string();
    Settings {
        system: System {
            pari: Ari::class_b(0x1000, 0x21).expect("a valid ARI"),
            location_area_level: 31,
            access_code: Secret("9876".into()),
            subscription_open: true,
        },
        sip: SipSettings {
            default_domain: "example.com".into(),
            gruu: false,
            ..SipSettings::default()
        },
        proxies: Proxies::one("sip:proxy.example.com".parse().expect("a valid URI")),
        sent_by: SentBy {
            udp: sent_by.clone(),
            tcp: sent_by.clone(),
            tls: sent_by,
        },
        media: MediaSettings::default(),
        call: CallSettings::default(),
        presence: PresenceSettings::default(),
    }
}

/// A subscribed handset of user 1001.
pub fn profile() -> Profile {
    let mut handset = HandsetRow::new("716-7k2m9q4x", ipei());
    handset.uak = Some(Key128(UAK));
    handset.tpui = Some(0x01234);
    Profile {
        user: Some(User {
            number: "1001".into(),
            display_name: "Ann".into(),
            access_code: Secret(CODE.into()),
            ..User::default()
        }),
        handset,
        generation: 1,
        settings: Arc::new(settings()),
    }
}
