//! Two proxies, the first of which is killed or refuses: registration and calls go over to the second, and return.

use std::time::Duration;

use anyhow::Result;

use crate::call::{Call, Line, Side};
use crate::handset::Handset;
use crate::lab::{Lab, on_a_bench};
use crate::office::{HANDSET_HZ, PHONE_HZ};
use crate::peers::kamailio::{self, Kamailio};
use crate::peers::phone::{Options, Phone};
use crate::system::{PATIENCE, Proxy, Settings, System};

/// The first proxy is passed over for 30 s, and a registration of 10 s is refreshed before its end.
const RETURN: Duration = Duration::from_secs(75);
const TALK: Duration = Duration::from_secs(2);

/// The proxy on the usual ports.
const FIRST: kamailio::Options = kamailio::Options {
    expires_s: 10,
    ..kamailio::Options::USUAL
};
const SECOND: kamailio::Options = kamailio::Options {
    name: "kamailio-2",
    port: 5070,
    tls_port: 5071,
    expires_s: 10,
    ..kamailio::Options::USUAL
};

/// Two proxies, our programs, a handset at the first and a phone at the second.
struct Pair {
    first: Kamailio,
    second: Kamailio,
    _system: System,
}

/// The second has the lower priority, though it is named first.
fn settings(transport: &'static str) -> Settings {
    let proxy = |at: &kamailio::Options, priority| Proxy {
        uri: format!("sip:{};transport={transport}", at.address(transport)),
        priority,
    };
    Settings {
        proxies: vec![proxy(&SECOND, 2), proxy(&FIRST, 1)],
        // Their certificates come from roots of the test's own.
        sip: "tls_allow_insecure = true",
        ..Settings::over(transport)
    }
}

impl Pair {
    fn start(
        lab: &Lab,
        transport: &'static str,
        first: &kamailio::Options,
    ) -> Result<(Self, Line<Handset, Phone>)> {
        let first = Kamailio::start(lab, first)?;
        let second = Kamailio::start(lab, &SECOND)?;
        let system = System::start(lab, &settings(transport))?;
        let handset = Handset::start(lab, 0, HANDSET_HZ)?;
        first.has("1001", PATIENCE)?;
        let options = Options {
            proxy: SECOND.address(transport),
            ..Options::over(transport, "2001", PHONE_HZ)
        };
        let phone = Phone::start(lab, &options, &second.root())?;
        let pair = Self {
            first,
            second,
            _system: system,
        };
        Ok((pair, Line::between(handset, phone)))
    }
}

fn goes_over_and_returns(lab: &Lab, transport: &'static str) -> Result<()> {
    let (pair, mut line) = Pair::start(lab, transport, &FIRST)?;
    pair.first.dies()?;
    pair.second.has("1001", PATIENCE)?;
    line.carries(Call::by(Side::Far).ended_by(Side::Near).lasting(TALK))?;
    line.carries(Call::by(Side::Near).ended_by(Side::Far).lasting(TALK))?;

    let back = Kamailio::start(lab, &FIRST)?;
    back.has("1001", RETURN)?;
    line.ears().map(drop)
}

#[test]
fn a_handset_goes_over_to_the_second_proxy_and_returns_over_udp() {
    on_a_bench(|lab| goes_over_and_returns(lab, "udp"));
}

#[test]
fn a_handset_goes_over_to_the_second_proxy_and_returns_over_tcp() {
    on_a_bench(|lab| goes_over_and_returns(lab, "tcp"));
}

#[test]
fn a_handset_goes_over_to_the_second_proxy_and_returns_over_tls() {
    on_a_bench(|lab| goes_over_and_returns(lab, "tls"));
}

#[test]
fn a_call_that_the_first_proxy_answers_with_503_goes_over_to_the_second() {
    on_a_bench(|lab| {
        let busy = kamailio::Options {
            defines: &["WITH_503"],
            ..FIRST
        };
        let (_pair, mut line) = Pair::start(lab, "udp", &busy)?;
        line.carries(Call::by(Side::Near).lasting(TALK))?;
        line.ears().map(drop)
    });
}
