//! Registered at a real Kamailio, in calls with a real SIP phone (pjsua2): each direction, each transport, SRTP or not.

use std::time::Duration;

use anyhow::{Result, ensure};
use ipdect_tests::kit::sound::Heard;

use crate::handset::Handset;
use crate::lab::{Lab, ear, on_a_bench, without_a_gap};
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::phone::{LEVEL_DBM0, Options, Phone};
use crate::system::{PATIENCE, Settings, System};

/// Frequencies at which the handset and the phone speak.
const HANDSET_HZ: f64 = 1000.0;
const PHONE_HZ: f64 = 440.0;

/// A handset that is registered at a Kamailio, and a phone there.
struct Bench {
    handset: Handset,
    phone: Phone,
    system: System,
    _kamailio: Kamailio,
}

impl Bench {
    fn new(
        lab: &Lab,
        options: &kamailio::Options,
        settings: &Settings,
        phone: &Options,
    ) -> Result<Self> {
        let kamailio = Kamailio::start(lab, options)?;
        let system = System::start(lab, settings)?;
        let handset = Handset::start(lab, 0, HANDSET_HZ)?;
        kamailio.has("1001", PATIENCE)?;
        let phone = Phone::start(lab, phone, &kamailio.root())?;
        Ok(Self {
            handset,
            phone,
            system,
            _kamailio: kamailio,
        })
    }

    /// The phone's number is the digits of its user.
    fn handset_calls(&mut self, talk: Duration) -> Result<()> {
        self.handset.dials("2001")?;
        self.handset.talks()?;
        self.phone.talks()?;
        std::thread::sleep(talk);
        self.handset.hangs_up()?;
        self.handset.is_over()?;
        self.phone.is_over()?;
        Ok(())
    }

    fn phone_calls(&mut self, talk: Duration) -> Result<()> {
        self.phone.dials("sip:1001@127.0.0.1")?;
        self.phone.talks()?;
        self.handset.talks()?;
        std::thread::sleep(talk);
        self.phone.hangs_up()?;
        self.phone.is_over()?;
        self.handset.is_over()
    }

    /// Measures both ends of calls that lasted so long together.
    fn ears(self, least: Duration) -> Result<Vec<Heard>> {
        let (handset, phone) = (self.handset.heard()?, self.phone.heard()?);
        ear("the handset", &handset, least, PHONE_HZ, LEVEL_DBM0)?;
        ear("the phone", &phone, least, HANDSET_HZ, LEVEL_DBM0)?;
        Ok(phone)
    }
}

const TALK: Duration = Duration::from_secs(3);
/// Sound that each side hears at least in a call of that.
const LEAST: Duration = Duration::from_secs(2);

/// One call in each direction, over a transport, with SRTP on either side as told.
fn call_each_other(
    lab: &Lab,
    options: &kamailio::Options,
    settings: &Settings,
    phone: &Options,
) -> Result<()> {
    let mut bench = Bench::new(lab, options, settings, phone)?;
    bench.handset_calls(TALK)?;
    bench.phone_calls(TALK)?;
    bench.ears(2 * LEAST).map(drop)
}

fn over(transport: &'static str) -> (Settings, Options) {
    let port = if transport == "tls" { 5061 } else { 5060 };
    let settings = Settings {
        transport,
        proxies: vec![format!("sip:127.0.0.1:{port};transport={transport}")],
        ..Default::default()
    };
    let phone = Options {
        transport,
        proxy: if transport == "tls" {
            "127.0.0.1:5061"
        } else {
            "127.0.0.1:5060"
        },
        ..Options::new("2001", PHONE_HZ)
    };
    (settings, phone)
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
        let mut bench = Bench::new(lab, &Default::default(), &settings, &phone)?;
        bench.handset_calls(TALK)?;
        bench.phone_calls(TALK)?;
        // What the phone dumps when it hangs up.
        let suite = "Crypto-suite: AES_CM_128_HMAC_SHA1_80";
        ensure!(bench.phone.said().contains(suite), "no {suite}");
        bench.ears(2 * LEAST).map(drop)
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
        let mut bench = Bench::new(lab, &Default::default(), &settings, &phone)?;
        bench.phone.dials("sip:1001@127.0.0.1")?;
        let over = bench.phone.is_over()?;
        ensure!(over.contains("488"), "{over}");
        Ok(())
    });
}

#[test]
fn keys_pressed_in_a_call_reach_the_phone() {
    on_a_bench(|lab| {
        let (settings, phone) = over("udp");
        let mut bench = Bench::new(lab, &Default::default(), &settings, &phone)?;
        bench.handset.dials("2001")?;
        bench.handset.talks()?;
        bench.phone.talks()?;
        bench.handset.presses("5#")?;
        bench.phone.says("## dtmf 5")?;
        bench.phone.says("## dtmf #")?;
        bench.phone.hangs_up()?;
        bench.phone.is_over()?;
        bench.handset.is_over()
    });
}

#[test]
fn a_proxy_whose_certificate_nobody_vouches_for_is_not_trusted() {
    on_a_bench(|lab| {
        let kamailio = Kamailio::start(lab, &kamailio::Options::default())?;
        let (settings, _) = over("tls");
        let mut system = System::start(lab, &settings)?;
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
        let minute = Duration::from_secs(60);
        let mut bench = Bench::new(lab, &Default::default(), &settings, &phone)?;
        bench.handset_calls(minute)?;
        bench.system.carried_a_minute(lab)?;
        let far = bench.ears(minute - Duration::from_secs(2))?;
        without_a_gap(&far)
    });
}
