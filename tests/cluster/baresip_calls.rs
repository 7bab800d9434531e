//! In calls with baresip, where SRTP is required.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::handset::Handset;
use crate::lab::{Lab, ear, on_a_bench, without_a_gap};
use crate::peers::baresip::Baresip;
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::phone::LEVEL_DBM0;
use crate::system::{PATIENCE, Settings, System};

const TALK: Duration = Duration::from_secs(3);
/// Sound that each side hears at least in a call of that.
const LEAST: Duration = Duration::from_secs(2);

fn call_each_other(lab: &Lab, media: &'static str, encryption: Option<&str>) -> Result<()> {
    let kamailio = Kamailio::start(lab, &kamailio::Options::default())?;
    let settings = Settings {
        media,
        ..Default::default()
    };
    let _system = System::start(lab, &settings)?;
    let mut handset = Handset::start(lab, 0, 1000.0)?;
    kamailio.has("1001", PATIENCE)?;
    let mut peer = Baresip::start(lab, "2002", 440.0, encryption)?;

    handset.dials("2002")?;
    handset.talks()?;
    peer.talks()?;
    std::thread::sleep(TALK);
    handset.hangs_up()?;
    handset.is_over()?;
    peer.is_over()?;

    peer.dials(lab, "sip:1001@127.0.0.1")?;
    peer.talks()?;
    handset.talks()?;
    std::thread::sleep(TALK);
    peer.hangs_up(lab)?;
    handset.is_over()?;

    ensure!(
        encryption.is_none() || peer.said().contains("AES_CM_128_HMAC_SHA1_80"),
        "no SRTP: {}",
        peer.said()
    );
    ear(
        "the handset",
        &handset.heard()?,
        2 * LEAST,
        440.0,
        LEVEL_DBM0,
    )?;
    ear("baresip", &peer.heard()?, 2 * LEAST, 1000.0, LEVEL_DBM0)
}

#[test]
fn a_handset_and_baresip_call_each_other() {
    on_a_bench(|lab| call_each_other(lab, "", None));
}

#[test]
fn a_handset_and_baresip_call_each_other_where_both_require_srtp() {
    on_a_bench(|lab| {
        let media = "srtp_enabled = true\nsrtp_required = true";
        call_each_other(lab, media, Some("srtp-mand"))
    });
}

#[test]
fn a_call_of_a_minute_with_baresip_loses_no_packet_and_has_no_gap() {
    on_a_bench(|lab| {
        let minute = Duration::from_secs(60);
        let kamailio = Kamailio::start(lab, &kamailio::Options::default())?;
        let system = System::start(lab, &Settings::default())?;
        let mut handset = Handset::start(lab, 0, 1000.0)?;
        kamailio.has("1001", PATIENCE)?;
        let mut peer = Baresip::start(lab, "2002", 440.0, None)?;
        peer.dials(lab, "sip:1001@127.0.0.1")?;
        peer.talks()?;
        handset.talks()?;
        std::thread::sleep(minute);
        peer.hangs_up(lab)?;
        handset.is_over()?;
        system.carried_a_minute(lab)?;
        let (near, far) = (handset.heard()?, peer.heard()?);
        let least = minute.saturating_sub(LEAST);
        ear("the handset", &near, least, 440.0, LEVEL_DBM0)?;
        ear("baresip", &far, least, 1000.0, LEVEL_DBM0)?;
        without_a_gap(&far)
    });
}
