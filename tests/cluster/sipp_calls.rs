//! In calls with SIPp, which sends our own tone back: what the handset hears went both ways.
//!
//! SIPp records nothing: its ear is a listener beside it, at the port where speech for it arrives.

use std::time::Duration;

use anyhow::Result;
use ipdect_tests::kit::capture::Capture;
use ipdect_tests::kit::sound;

use crate::call::{Ears, MINUTE, TALK, ear, least_of, without_a_gap};
use crate::handset::Handset;
use crate::lab::{Lab, on_a_bench};
use crate::office::{HANDSET_HZ, Office};
use crate::peers::Peer as _;
use crate::peers::sipp::{self, Sipp};

/// SIPp's number, for which nobody registers.
const NUMBER: &str = "3001";

/// The handset calls SIPp, hangs up after a while, and both ears are measured.
fn handset_calls(lab: &Lab, office: &Office, mut handset: Handset, talk: Duration) -> Result<Ears> {
    let sipp = Sipp::callee(lab)?;
    let beside = Capture::start(lab.namespace(), sipp::CALLEE_RTP)?;
    office.kamailio.add(NUMBER, sipp::CALLEE)?;
    // No `#`: the number counts as complete when no digit has followed for 4 s.
    handset.presses(&format!("{NUMBER}("))?;
    handset.talks()?;
    std::thread::sleep(talk);
    handset.hangs_up()?;
    handset.is_over()?;
    sipp.plays_to_its_end()?;
    let ears = Ears {
        near: handset.heard()?,
        far: sound::measure(&beside.samples()?)?,
    };
    ear("the handset", &ears.near, least_of(talk), HANDSET_HZ)?;
    ear("SIPp", &ears.far, least_of(talk), HANDSET_HZ)?;
    Ok(ears)
}

#[test]
fn a_handset_calls_sipp() {
    on_a_bench(|lab| {
        let (office, handset) = Office::plain(lab)?;
        handset_calls(lab, &office, handset, TALK).map(drop)
    });
}

#[test]
fn a_call_of_a_minute_with_sipp_loses_no_packet_and_has_no_gap() {
    on_a_bench(|lab| {
        let (office, handset) = Office::plain(lab)?;
        let ears = handset_calls(lab, &office, handset, MINUTE)?;
        office.system.carried_a_minute(lab)?;
        // The handset's ear has SIPp's own pace in it: what came back late is no loss of ours.
        without_a_gap(&ears.far)
    });
}

#[test]
fn sipp_calls_a_handset() {
    on_a_bench(|lab| {
        let (_office, mut handset) = Office::plain(lab)?;
        let sipp = Sipp::caller(lab, "1001", TALK)?;
        handset.talks()?;
        sipp.plays_to_its_end()?;
        handset.is_over()?;
        ear("the handset", &handset.heard()?, least_of(TALK), HANDSET_HZ)
    });
}
