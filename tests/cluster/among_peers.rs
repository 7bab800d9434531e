//! The peers among themselves: so that a failure of the other tests is ours, not the bench's.

use anyhow::Result;

use crate::call::{Call, Line, Side};
use crate::lab::{Lab, on_a_bench};
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::phone::{Options, Phone};

/// A call of two phones through the proxy: a tone each way, measured in what the other side recorded.
fn two_phones_talk(
    lab: &Lab,
    defines: &'static [&'static str],
    transport: &'static str,
    srtp: u8,
) -> Result<()> {
    let options = kamailio::Options {
        defines,
        ..Default::default()
    };
    let kamailio = Kamailio::start(lab, &options)?;
    let bob = Options {
        srtp,
        ..Options::over(transport, "bob", 440.0)
    };
    let alice = Options {
        port: 5094,
        rtp: 12_200,
        user: "alice",
        tone_hz: 1000.0,
        ..bob.clone()
    };
    let bob = Phone::start(lab, &bob, &kamailio.root())?;
    let alice = Phone::start(lab, &alice, &kamailio.root())?;
    let mut line = Line::between(alice, bob);
    line.carries(Call::by(Side::Near))?;
    line.ears().map(drop)
}

#[test]
fn two_phones_talk_over_udp_when_invites_are_challenged() {
    on_a_bench(|lab| two_phones_talk(lab, &["WITH_INVITE_AUTH"], "udp", 0));
}

#[test]
fn two_phones_talk_over_tls_with_srtp() {
    on_a_bench(|lab| two_phones_talk(lab, &[], "tls", 2));
}
