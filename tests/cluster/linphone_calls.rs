//! In a call with linphone, which insists on SRTP and offers four suites.

use anyhow::Result;

use crate::call::{Call, Line, MINUTE, Side, without_a_gap};
use crate::handset::Handset;
use crate::lab::{Lab, on_a_bench};
use crate::office::{Office, PHONE_HZ};
use crate::peers::linphone::Linphone;
use crate::system::Settings;

fn office(lab: &Lab, media: &'static str) -> Result<(Office, Line<Handset, Linphone>)> {
    lab.namespace().add_default_route()?;
    let settings = Settings {
        media,
        ..Default::default()
    };
    let (office, handset) = Office::open(lab, &Default::default(), &settings)?;
    let peer = Linphone::start(lab, "2003", PHONE_HZ, true)?;
    Ok((office, Line::between(handset, peer)))
}

#[test]
fn linphone_calls_a_handset_with_srtp() {
    on_a_bench(|lab| {
        let (_office, mut line) = office(lab, "srtp_enabled = true")?;
        line.carries(Call::by(Side::Far))?;
        line.ears().map(drop)
    });
}

#[test]
fn a_handset_calls_linphone_for_a_minute_where_both_require_srtp() {
    on_a_bench(|lab| {
        let (office, mut line) = office(lab, "srtp_enabled = true\nsrtp_required = true")?;
        line.carries(Call::by(Side::Near).lasting(MINUTE))?;
        office.system.carried_a_minute(lab)?;
        without_a_gap(&line.ears()?.far)
    });
}
