//! The peers among themselves: so that a failure of the other tests is ours, not the bench's.

use std::time::Duration;

use anyhow::Result;

use crate::lab::{Lab, ear, on_a_bench};
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::phone::{LEVEL_DBM0, Options, Phone};

/// Sound that each side hears at least, of 3 s.
const LEAST: Duration = Duration::from_secs(2);

/// A call of two phones through the proxy: a tone each way, measured in what the other side recorded.
fn two_phones_talk(
    lab: &Lab,
    defines: &'static [&'static str],
    transport: &'static str,
    srtp: u8,
) -> Result<()> {
    let kamailio = Kamailio::start(
        lab,
        &kamailio::Options {
            defines,
            ..Default::default()
        },
    )?;
    let proxy = if transport == "tls" {
        "127.0.0.1:5061"
    } else {
        "127.0.0.1:5060"
    };
    let bob = Options {
        transport,
        proxy,
        srtp,
        ..Options::new("bob", 440.0)
    };
    let alice = Options {
        port: 5094,
        rtp: 12_200,
        user: "alice",
        tone_hz: 1000.0,
        ..bob.clone()
    };
    let mut bob = Phone::start(lab, &bob, &kamailio.root())?;
    let mut alice = Phone::start(lab, &alice, &kamailio.root())?;
    alice.dials("sip:bob@127.0.0.1")?;
    alice.talks()?;
    bob.talks()?;
    std::thread::sleep(Duration::from_secs(3));
    alice.hangs_up()?;
    bob.is_over()?;
    alice.is_over()?;
    ear("alice", &alice.heard()?, LEAST, 440.0, LEVEL_DBM0)?;
    ear("bob", &bob.heard()?, LEAST, 1000.0, LEVEL_DBM0)
}

#[test]
fn two_phones_talk_over_udp_when_invites_are_challenged() {
    on_a_bench(|lab| two_phones_talk(lab, &["WITH_INVITE_AUTH"], "udp", 0));
}

#[test]
fn two_phones_talk_over_tls_with_srtp() {
    on_a_bench(|lab| two_phones_talk(lab, &[], "tls", 2));
}
