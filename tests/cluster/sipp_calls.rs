//! In calls with SIPp, which sends our own tone back: what the handset hears went both ways.

use std::time::Duration;

use anyhow::Result;

use crate::handset::Handset;
use crate::lab::{Lab, ear, on_a_bench};
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::phone::LEVEL_DBM0;
use crate::peers::sipp::Sipp;
use crate::system::{PATIENCE, Settings, System};

const TALK: Duration = Duration::from_secs(3);
/// Sound that the handset hears at least.
const LEAST: Duration = Duration::from_secs(2);

fn registered(lab: &Lab) -> Result<(Kamailio, System, Handset)> {
    let kamailio = Kamailio::start(lab, &kamailio::Options::default())?;
    let system = System::start(lab, &Settings::default())?;
    let handset = Handset::start(lab, 0, 700.0)?;
    kamailio.has("1001", PATIENCE)?;
    Ok((kamailio, system, handset))
}

#[test]
fn a_handset_calls_sipp() {
    on_a_bench(|lab| {
        let (kamailio, _system, mut handset) = registered(lab)?;
        let sipp = Sipp::callee(lab)?;
        kamailio.add("3001", "sip:3001@127.0.0.1:5110")?;
        handset.dials("3001")?;
        handset.talks()?;
        std::thread::sleep(TALK);
        handset.hangs_up()?;
        handset.is_over()?;
        sipp.is_content()?;
        ear("the handset", &handset.heard()?, LEAST, 700.0, LEVEL_DBM0)
    });
}

#[test]
fn sipp_calls_a_handset() {
    on_a_bench(|lab| {
        let (_kamailio, _system, mut handset) = registered(lab)?;
        let sipp = Sipp::caller(lab, "1001", TALK)?;
        handset.talks()?;
        sipp.is_content()?;
        handset.is_over()?;
        ear("the handset", &handset.heard()?, LEAST, 700.0, LEVEL_DBM0)
    });
}
