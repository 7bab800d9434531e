//! Registered at a real Kamailio, in calls with a real SIP phone (pjsua2): each direction, each transport, SRTP or not.

use anyhow::{Result, ensure};

use crate::call::{Call, Line, MINUTE, Side, without_a_gap};
use crate::handset::Handset;
use crate::lab::{Lab, on_a_bench};
use crate::office::{HANDSET_HZ, Office, PHONE_HZ};
use crate::peers::Peer as _;
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::phone::{Options, Phone};
use crate::system::{PATIENCE, Settings, System};

/// A handset that is registered at a Kamailio, and a phone there.
fn bench(
    lab: &Lab,
    options: &kamailio::Options,
    settings: &Settings,
    phone: &Options,
) -> Result<(Office, Line<Handset, Phone>)> {
    let (office, handset) = Office::open(lab, options, settings)?;
    let phone = Phone::start(lab, phone, &office.kamailio.root())?;
    Ok((office, Line::between(handset, phone)))
}

/// One call in each direction, over a transport, with SRTP on either side as told.
fn call_each_other(
    lab: &Lab,
    options: &kamailio::Options,
    settings: &Settings,
    phone: &Options,
) -> Result<()> {
    let (_office, mut line) = bench(lab, options, settings, phone)?;
    line.carries_both_ways()?;
    line.ears().map(drop)
}

fn over(transport: &'static str) -> (Settings, Options) {
    (
        Settings::over(transport),
        Options::over(transport, "2001", PHONE_HZ),
    )
}

#[test]
fn a_handset_and_a_phone_call_each_other_over_udp_with_challenged_invites() {
    on_a_bench(|lab| {
        let options = kamailio::Options {
            defines: &["WITH_INVITE_AUTH"],
            ..Default::default()
        };
        let (settings, phone) = over("udp");
        call_each_other(lab, &options, &settings, &phone)
    });
}

#[test]
fn a_handset_and_a_phone_call_each_other_over_tcp_where_srtp_is_offered_and_not_taken() {
    on_a_bench(|lab| {
        let options = kamailio::Options {
            defines: &["WITH_SHA256"],
            ..Default::default()
        };
        let (settings, phone) = over("tcp");
        let settings = Settings {
            media: "srtp_enabled = true",
            ..settings
        };
        call_each_other(lab, &options, &settings, &phone)
    });
}

#[test]
fn a_handset_and_a_phone_call_each_other_over_tls_where_both_require_srtp() {
    on_a_bench(|lab| {
        let (settings, phone) = over("tls");
        let settings = Settings {
            // Its certificate comes from a root of the test's own.
            sip: "tls_allow_insecure = true",
            media: "srtp_enabled = true\nsrtp_required = true",
            ..settings
        };
        let phone = Options { srtp: 2, ..phone };
        let (_office, mut line) = bench(lab, &Default::default(), &settings, &phone)?;
        line.carries_both_ways()?;
        // What the phone dumps when it hangs up.
        let suite = "Crypto-suite: AES_CM_128_HMAC_SHA1_80";
        ensure!(line.far.said().contains(suite), "no {suite}");
        line.ears().map(drop)
    });
}

#[test]
fn a_handset_and_a_phone_that_knows_only_mu_law_call_each_other() {
    on_a_bench(|lab| {
        let (settings, phone) = over("udp");
        let phone = Options {
            codec: "PCMU",
            ..phone
        };
        let (_office, mut line) = bench(lab, &Default::default(), &settings, &phone)?;
        line.carries_both_ways()?;
        let said = line.far.said();
        let spoken: Vec<&str> = said.matches("## media active PCMU").collect();
        ensure!(spoken.len() == 2, "{} calls in mu-law", spoken.len());
        line.ears().map(drop)
    });
}

#[test]
fn a_phone_without_srtp_is_refused_where_it_is_required() {
    on_a_bench(|lab| {
        let (settings, phone) = over("udp");
        let settings = Settings {
            media: "srtp_enabled = true\nsrtp_required = true",
            ..settings
        };
        let (_office, mut line) = bench(lab, &Default::default(), &settings, &phone)?;
        line.far.calls("1001")?;
        let over = line.far.is_told_the_end()?;
        ensure!(over.contains("488"), "{over}");
        Ok(())
    });
}

#[test]
fn keys_pressed_in_a_call_reach_the_phone() {
    on_a_bench(|lab| {
        let (settings, phone) = over("udp");
        let (_office, mut line) = bench(lab, &Default::default(), &settings, &phone)?;
        line.begins(Side::Near)?;
        line.near.presses("5#")?;
        line.far.says("## dtmf 5")?;
        line.far.says("## dtmf #")?;
        line.ends(Side::Far)
    });
}

#[test]
fn a_proxy_whose_certificate_nobody_vouches_for_is_not_trusted() {
    on_a_bench(|lab| {
        let kamailio = Kamailio::start(lab, &kamailio::Options::default())?;
        let mut system = System::start(lab, &Settings::over("tls"))?;
        let _handset = Handset::start(lab, 0, HANDSET_HZ)?;
        system.server.program.says("UnknownIssuer", PATIENCE)?;
        ensure!(!kamailio.bindings("1001")?.contains("Address:"));
        Ok(())
    });
}

#[test]
fn a_call_of_a_minute_loses_no_packet_and_has_no_gap() {
    on_a_bench(|lab| {
        let (settings, phone) = over("udp");
        let (office, mut line) = bench(lab, &Default::default(), &settings, &phone)?;
        line.carries(Call::by(Side::Near).lasting(MINUTE))?;
        office.system.carried_a_minute(lab)?;
        without_a_gap(&line.ears()?.far)
    });
}
