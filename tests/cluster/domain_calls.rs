//! No PBX at all: a real SIP phone (pjsua2) and a handset are users of the server's own SIP domain and call each other.

use anyhow::Result;

use crate::call::Line;
use crate::handset::Handset;
use crate::lab::{Lab, on_a_bench};
use crate::office::{HANDSET_HZ, PHONE_HZ};
use crate::peers::phone::{Options, Phone};
use crate::system::{Settings, System, root};

/// A handset and the phone 2001, which says to be of this domain, call each other.
fn call_each_other(lab: &Lab, domain: &'static str) -> Result<()> {
    let settings = Settings {
        embedded: true,
        ..Default::default()
    };
    let _system = System::start(lab, &settings)?;
    let handset = Handset::start(lab, 0, HANDSET_HZ)?;
    let options = Options {
        domain,
        ..Options::new("2001", PHONE_HZ)
    };
    // It starts once the domain has challenged it and taken its password.
    let phone = Phone::start(lab, &options, &root(lab)?)?;
    let mut line = Line::between(handset, phone);
    line.carries_both_ways()?;
    line.ears().map(drop)
}

#[test]
fn a_handset_and_a_sip_phone_call_each_other_with_no_other_software() {
    on_a_bench(|lab| call_each_other(lab, "127.0.0.1"));
}

/// README, step 3: registered at 127.0.0.1:5060, with the domain's own name, which no DNS knows.
#[test]
fn a_sip_phone_of_ipdect_internal_registers_at_the_loopback_and_calls() {
    on_a_bench(|lab| call_each_other(lab, "ipdect.internal"));
}
