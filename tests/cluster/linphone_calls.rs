//! In a call with linphone, which insists on SRTP and offers four suites.

use std::time::Duration;

use crate::handset::Handset;
use crate::lab::{ear, on_a_bench, without_a_gap};
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::linphone::Linphone;
use crate::peers::phone::LEVEL_DBM0;
use crate::system::{PATIENCE, Settings, System};

const TALK: Duration = Duration::from_secs(3);
/// Sound that each side hears at least in a call of that.
const LEAST: Duration = Duration::from_secs(2);

#[test]
fn linphone_calls_a_handset_with_srtp() {
    on_a_bench(|lab| {
        lab.namespace().add_default_route()?;
        let kamailio = Kamailio::start(lab, &kamailio::Options::default())?;
        let settings = Settings {
            media: "srtp_enabled = true",
            ..Default::default()
        };
        let _system = System::start(lab, &settings)?;
        let mut handset = Handset::start(lab, 0, 1000.0)?;
        kamailio.has("1001", PATIENCE)?;
        let mut peer = Linphone::start(lab, "2003", 440.0, true)?;
        peer.dials("sip:1001@127.0.0.1")?;
        peer.talks()?;
        handset.talks()?;
        std::thread::sleep(TALK);
        peer.hangs_up()?;
        peer.is_over()?;
        handset.is_over()?;
        ear("the handset", &handset.heard()?, LEAST, 440.0, LEVEL_DBM0)?;
        ear("linphone", &peer.heard()?, LEAST, 1000.0, LEVEL_DBM0)
    });
}

#[test]
fn a_handset_calls_linphone_for_a_minute_where_both_require_srtp() {
    on_a_bench(|lab| {
        lab.namespace().add_default_route()?;
        let minute = Duration::from_secs(60);
        let kamailio = Kamailio::start(lab, &kamailio::Options::default())?;
        let settings = Settings {
            media: "srtp_enabled = true\nsrtp_required = true",
            ..Default::default()
        };
        let system = System::start(lab, &settings)?;
        let mut handset = Handset::start(lab, 0, 1000.0)?;
        kamailio.has("1001", PATIENCE)?;
        let mut peer = Linphone::start(lab, "2003", 440.0, true)?;
        handset.dials("2003")?;
        peer.rings()?;
        peer.answers()?;
        peer.talks()?;
        handset.talks()?;
        std::thread::sleep(minute);
        handset.hangs_up()?;
        handset.is_over()?;
        peer.is_over()?;
        system.carried_a_minute(lab)?;
        let (near, far) = (handset.heard()?, peer.heard()?);
        let least = minute.saturating_sub(LEAST);
        ear("the handset", &near, least, 440.0, LEVEL_DBM0)?;
        ear("linphone", &far, least, 1000.0, LEVEL_DBM0)?;
        without_a_gap(&far)
    });
}
