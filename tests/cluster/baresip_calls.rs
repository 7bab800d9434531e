//! In calls with baresip, where SRTP is required.

use anyhow::{Result, ensure};

use crate::call::{Call, Line, MINUTE, Side, without_a_gap};
use crate::lab::{Lab, on_a_bench};
use crate::office::{Office, PHONE_HZ};
use crate::peers::baresip::Baresip;
use crate::system::Settings;

fn call_each_other(lab: &Lab, media: &'static str, encryption: Option<&str>) -> Result<()> {
    let settings = Settings {
        media,
        ..Default::default()
    };
    let (_office, handset) = Office::open(lab, &Default::default(), &settings)?;
    let peer = Baresip::start(lab, "2002", PHONE_HZ, encryption)?;
    let mut line = Line::between(handset, peer);
    line.carries_both_ways()?;
    ensure!(
        encryption.is_none() || line.far.said().contains("AES_CM_128_HMAC_SHA1_80"),
        "no SRTP: {}",
        line.far.said()
    );
    line.ears().map(drop)
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
        let (office, handset) = Office::plain(lab)?;
        let peer = Baresip::start(lab, "2002", PHONE_HZ, None)?;
        let mut line = Line::between(handset, peer);
        line.carries(Call::by(Side::Far).lasting(MINUTE))?;
        office.system.carried_a_minute(lab)?;
        without_a_gap(&line.ears()?.far)
    });
}
