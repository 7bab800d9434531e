//! Two proxies, one killed: registration and calls go over to the second, and return to the first.

use std::time::Duration;

use crate::handset::Handset;
use crate::lab::{ear, on_a_bench};
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::phone::{LEVEL_DBM0, Options, Phone};
use crate::system::{PATIENCE, Settings, System};

/// The first proxy is passed over for 30 s, and a registration of 20 s is refreshed before its end.
const RETURN: Duration = Duration::from_secs(75);

/// Sound that each side hears at least, of 2 s.
const LEAST: Duration = Duration::from_secs(1);

#[test]
fn a_handset_goes_over_to_the_second_proxy_and_returns() {
    on_a_bench(|lab| {
        let first = kamailio::Options {
            expires_s: 20,
            ..Default::default()
        };
        let second = kamailio::Options {
            name: "kamailio-2",
            port: 5070,
            tls_port: 5071,
            expires_s: 20,
            ..Default::default()
        };
        let killed = Kamailio::start(lab, &first)?;
        let other = Kamailio::start(lab, &second)?;
        let settings = Settings {
            proxies: vec![
                "sip:127.0.0.1:5060;transport=udp".into(),
                "sip:127.0.0.1:5070;transport=udp".into(),
            ],
            ..Default::default()
        };
        let _system = System::start(lab, &settings)?;
        let mut handset = Handset::start(lab, 0, 1000.0)?;
        killed.has("1001", PATIENCE)?;
        let options = Options {
            proxy: "127.0.0.1:5070",
            ..Options::new("2001", 440.0)
        };
        let mut phone = Phone::start(lab, &options, &other.root())?;

        killed.stop();
        other.has("1001", PATIENCE)?;
        handset.dials("2001")?;
        handset.talks()?;
        phone.talks()?;
        std::thread::sleep(Duration::from_secs(2));
        phone.hangs_up()?;
        phone.is_over()?;
        handset.is_over()?;

        let back = Kamailio::start(lab, &first)?;
        back.has("1001", RETURN)?;
        ear("the handset", &handset.heard()?, LEAST, 440.0, LEVEL_DBM0)?;
        ear("the phone", &phone.heard()?, LEAST, 1000.0, LEVEL_DBM0)
    });
}
