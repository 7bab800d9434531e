//! What of a system the network can reach, told to whoever started it.

use std::net::IpAddr;

use super::config::{Plan, Reach};

/// What can be reached from other machines, and what must be done about it; nothing if nothing can.
pub(crate) fn warnings(plan: &Plan, is_new: bool) -> Vec<String> {
    let parts = [
        ("page", plan.admin.web_listen.ip()),
        ("gRPC", plan.admin.grpc_listen.ip()),
        ("links", plan.server.link_listen.ip()),
        ("SIP", plan.server.sip_bind),
        ("speech", plan.media.bind),
        ("speech of the base", plan.base.speech_listen.ip()),
        ("virtual air", plan.base.air_listen.ip()),
        ("plain page", plan.admin.web_plain.ip()),
        ("probes", plan.probe_listen.ip()),
    ];
    let (near, open): (Vec<_>, Vec<_>) = parts.iter().partition(|(_, ip)| ip.is_loopback());
    if open.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "The network can reach: {}. Only this machine: {}.",
        names(&open),
        names(&near)
    )];
    let managed = [plan.admin.web_listen, plan.admin.grpc_listen];
    if is_new && managed.iter().any(|at| !at.ip().is_loopback()) {
        lines.push("Until the first password is changed, whoever reaches the page can choose it: log in now.".into());
    }
    if !plan.base.air_listen.ip().is_loopback() {
        lines.push(format!(
            "The virtual air at {} has no secret: whoever reaches it is on the air. Keep it to a trusted network.",
            plan.base.air_listen
        ));
    }
    let unnamed = plan.server.sip_advertise.is_empty() || plan.media.advertise.is_none();
    if plan.reach == Reach::Lan && unnamed {
        lines.push(
            "This machine has no default route, so no address to tell others: write server.sip.advertise and media.rtp.advertise."
                .into(),
        );
    }
    lines
}

fn names(parts: &[&(&str, IpAddr)]) -> String {
    if parts.is_empty() {
        return "nothing".into();
    }
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_node::config::Document;
    use std::path::Path;

    fn plan(text: &str, reach: Reach) -> Plan {
        let document = Document::parse("ipdect.toml", text);
        Plan::read(document, Path::new("/tmp/data"), reach, "ipdect").unwrap()
    }

    #[test]
    fn a_system_on_the_loopback_needs_no_warning() {
        assert_eq!(warnings(&plan("", Reach::Loopback), true), [""; 0]);
    }

    #[test]
    fn what_the_network_can_reach_is_told_and_the_air_is_not_among_it() {
        let mut lan = plan("", Reach::Lan);
        lan.server.sip_advertise = "192.0.2.7".into();
        lan.media.advertise = Some([192, 0, 2, 7].into());
        let told = [
            "The network can reach: page, gRPC, links, SIP, speech. Only this machine: speech of the base, virtual air, plain page, probes.",
            "Until the first password is changed, whoever reaches the page can choose it: log in now.",
        ];
        assert_eq!(warnings(&lan, true), told);
        assert_eq!(warnings(&lan, false), told[..1]);
        lan.media.advertise = None;
        let last = warnings(&lan, false).pop().unwrap();
        assert!(last.contains("media.rtp.advertise"), "{last}");
    }

    #[test]
    fn an_air_that_was_opened_is_warned_of_wherever_the_rest_is() {
        let text = "[base.radio.virtual]\nlisten = '0.0.0.0:7462'\n";
        let told = warnings(&plan(text, Reach::Loopback), true);
        assert!(
            told[0].starts_with("The network can reach: virtual air."),
            "{told:?}"
        );
        assert!(told[1].contains("0.0.0.0:7462 has no secret"), "{told:?}");
        assert_eq!(told.len(), 2);
    }
}
