//! What `ipdect up` tells whoever started it: ten lines, and some more where the network can reach it.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipdect_link::release::Release;
use ipdect_node::Running;
use ipdect_portable::SubscriptionFailure;

use super::{System, network};
use crate::host::Host;

/// Tells what runs, where, and what to do next.
pub(crate) fn parts(system: &System, password: &str) {
    let lan = system.plan.advertise;
    let at = |part: &Running, key: &str| {
        part.address(key)
            .map_or("-".to_owned(), |at| told(at, lan).to_string())
    };
    let page = page(&system.admin, lan);
    let people = &system.plan.people;
    let numbers: Vec<&str> = people.iter().map(|person| person.number.as_str()).collect();
    let domain = at(&system.server, "domain.udp");
    let call = match numbers.as_slice() {
        [one, two, ..] => format!("press \"Call {two} from {one}\" on the page"),
        _ => "add a user on the page".to_owned(),
    };
    let login = match system.is_new {
        true => format!(
            "Open {page} and log in as admin with {password}; the first thing asked for is a new password."
        ),
        false => format!("Open {page} and log in as admin (with {password} until it is changed)."),
    };
    let mut lines = vec![
        format!(
            "ipdect {} ({}) is ready after {} ms; its files are in {}",
            env!("CARGO_PKG_VERSION"),
            Release::ours(),
            system.times.ready.as_millis(),
            system.plan.data.display()
        ),
        format!(
            "  server    up  links {}, SIP {}, domain {domain}",
            at(&system.server, "link.listen"),
            at(&system.server, "sip.udp")
        ),
        format!(
            "  media     up  speech of bases {}",
            at(&system.media, "rtp.base_ports.0")
        ),
        format!(
            "  base      up  virtual air {}",
            at(&system.base, "radio.virtual.listen")
        ),
        format!(
            "  admin     up  page {page}, gRPC {}, probes {}",
            at(&system.admin, "grpc.listen"),
            system.probes.address()
        ),
        format!("  handsets  {} on their way", list(&numbers)),
        login,
        format!(
            "Then: 1. {call}  2. ipdect status  3. register a SIP phone at {domain}. Ctrl-C ends."
        ),
    ];
    lines.extend(network::warnings(&system.plan, system.is_new));
    say(&lines);
}

/// Tells that the portables can be used.
pub(crate) fn portables(host: &Host, after: Duration) {
    let ready: Vec<&str> = host
        .known()
        .iter()
        .filter(|known| known.view.borrow().status.located)
        .map(|known| known.number.as_str())
        .collect();
    if !ready.is_empty() {
        say(&[format!(
            "  handsets  {} up after {} ms",
            list(&ready),
            after.as_millis()
        )]);
    }
}

/// Tells why a portable cannot be used, and what to do.
pub(crate) fn not_subscribed(number: &str, why: &SubscriptionFailure) {
    let remedy = "give the user the access code in the handset's file in the folder handsets, or remove the data folder";
    tracing::error!(number, %why, remedy, "the virtual handset has no subscription");
}

/// Tells that the end was asked for.
pub(crate) fn ending() {
    say(&[
        "Ending: calls are released, users de-registered; Ctrl-C again ends at once.".to_owned(),
    ]);
}

fn list(numbers: &[&str]) -> String {
    if numbers.is_empty() {
        "none".to_owned()
    } else {
        numbers.join(", ")
    }
}

/// The page: HTTPS where the network may see it, else plain HTTP on this machine.
fn page(admin: &Running, lan: Option<IpAddr>) -> String {
    let (key, scheme) = match lan {
        Some(_) => ("web.listen", "https"),
        None => ("web.plain", "http"),
    };
    let bound = admin.address(key);
    bound.map_or("nowhere".to_owned(), |at| {
        format!("{scheme}://{}/", told(at, lan))
    })
}

/// The address that others can use, for a socket that listens on all.
fn told(bound: SocketAddr, lan: Option<IpAddr>) -> SocketAddr {
    match lan {
        Some(address) if bound.ip().is_unspecified() => SocketAddr::new(address, bound.port()),
        _ => bound,
    }
}

fn say(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        // A closed pipe is the reader's choice.
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_the_network_let_in_its_address_is_told_and_the_page_is_encrypted() {
        let bound = |text: &str| text.parse::<SocketAddr>().unwrap();
        let addresses = [
            ("web.plain", bound("127.0.0.1:8080")),
            ("web.listen", bound("0.0.0.0:8443")),
        ];
        let (admin, _control) = Running::new("admin", addresses);
        assert_eq!(page(&admin, None), "http://127.0.0.1:8080/");
        let lan = Some(IpAddr::from([192, 0, 2, 7]));
        assert_eq!(page(&admin, lan), "https://192.0.2.7:8443/");
        assert_eq!(told(bound("127.0.0.1:1"), lan), bound("127.0.0.1:1"));
    }
}
