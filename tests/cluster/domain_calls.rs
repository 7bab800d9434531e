//! No PBX at all: a real SIP phone (pjsua2) and a handset are users of the server's own SIP domain and call each other.

use std::time::Duration;

use crate::handset::Handset;
use crate::lab::{ear, on_a_bench};
use crate::peers::phone::{LEVEL_DBM0, Options, Phone};
use crate::system::{Settings, System, root};

/// Frequencies at which the handset and the phone speak.
const HANDSET_HZ: f64 = 1000.0;
const PHONE_HZ: f64 = 440.0;
const TALK: Duration = Duration::from_secs(3);
/// Sound that each side hears at least in two calls of that.
const LEAST: Duration = Duration::from_secs(4);

#[test]
fn a_handset_and_a_sip_phone_call_each_other_with_no_other_software() {
    on_a_bench(|lab| {
        let settings = Settings {
            embedded: true,
            ..Default::default()
        };
        let _system = System::start(lab, &settings)?;
        let mut handset = Handset::start(lab, 0, HANDSET_HZ)?;
        // It says so once the domain has challenged it and taken its password.
        let mut phone = Phone::start(lab, &Options::new("2001", PHONE_HZ), &root(lab)?)?;

        handset.dials("2001")?;
        handset.talks()?;
        phone.talks()?;
        std::thread::sleep(TALK);
        handset.hangs_up()?;
        handset.is_over()?;
        phone.is_over()?;

        phone.dials("sip:1001@127.0.0.1")?;
        phone.talks()?;
        handset.talks()?;
        std::thread::sleep(TALK);
        phone.hangs_up()?;
        phone.is_over()?;
        handset.is_over()?;

        let (at_handset, at_phone) = (handset.heard()?, phone.heard()?);
        ear("the handset", &at_handset, LEAST, PHONE_HZ, LEVEL_DBM0)?;
        ear("the phone", &at_phone, LEAST, HANDSET_HZ, LEVEL_DBM0)
    });
}
