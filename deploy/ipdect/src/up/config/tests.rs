use super::*;
use ipdect_proto::admin::v1::settings_document::Scope as Settings;

fn read(text: &str, reach: Reach) -> Result<Plan, ConfigErrors> {
    let document = Document::parse("ipdect.toml", text);
    Plan::read(document, Path::new("/tmp/data"), reach, "ipdect")
}

#[test]
fn an_empty_file_is_a_system_on_the_loopback() {
    let plan = read("", Reach::Loopback).unwrap();
    assert_eq!(plan.server.link_listen.to_string(), "127.0.0.1:7460");
    assert_eq!(plan.base.air_listen.to_string(), "127.0.0.1:7462");
    assert_eq!(plan.admin.grpc_listen.to_string(), "127.0.0.1:7461");
    assert_eq!(plan.probe_listen.port(), 7474);
    assert_eq!(plan.media.common.data_dir, Path::new("/tmp/data/media"));
    assert_eq!(plan.base.common.node_id.as_deref(), Some("base-1"));
    assert_eq!(plan.people.len(), 2);
}

#[test]
fn no_two_programs_have_the_same_directory_by_default() {
    let keys = Keys::new(Reach::Loopback);
    let all = keys.parts.iter().flat_map(|(_, keys)| keys);
    let folders: Vec<Default> = all
        .filter(|key| key.path == "node.data_dir")
        .map(|key| key.default)
        .collect();
    let wanted = [
        "\"/var/lib/ipdect/server\"",
        "\"/var/lib/ipdect/media\"",
        "\"/var/lib/ipdect/base\"",
        "\"/var/lib/ipdect/admin\"",
    ];
    assert_eq!(folders, wanted.map(Default::Written));
}

#[test]
fn a_check_asks_for_free_ports_everywhere() {
    let plan = read("", Reach::Free).unwrap();
    let ports = [
        plan.server.link_listen,
        plan.base.air_listen,
        plan.base.speech_listen,
        plan.admin.grpc_listen,
        plan.admin.web_listen,
        plan.admin.web_plain,
        plan.probe_listen,
    ];
    assert!(
        ports
            .iter()
            .all(|at| at.port() == 0 && at.ip().is_loopback()),
        "{ports:?}"
    );
    assert!(plan.media.ports.is_any() && plan.media.base_ports.is_any());
}

#[test]
fn the_air_stays_on_the_loopback_when_the_network_is_let_in() {
    let plan = read("", Reach::Lan).unwrap();
    assert!(plan.admin.web_listen.ip().is_unspecified());
    assert!(plan.server.sip_bind.is_unspecified());
    assert!(plan.base.air_listen.ip().is_loopback());
    assert!(plan.admin.web_plain.ip().is_loopback());
}

#[test]
fn all_mistakes_are_told_at_once_with_their_lines() {
    let text = "[server.link]\nlissen = '127.0.0.1:0'\n[base.radio.virtual]\nloss = 2.0\n[media.log]\nlevel = 'info'\n[handset]\ncount = 99\n[log]\nlevel = 'loud'\n";
    let error = read(text, Reach::Loopback).unwrap_err();
    let said = error.to_string();
    for part in [
        "ipdect.toml:2:1",
        "server.link.listen",
        "ipdect.toml:4:8",
        "ipdect.toml:6:9",
        "[log]",
        "ipdect.toml:8:9",
        "ipdect.toml:10:9",
    ] {
        assert!(said.contains(part), "{part:?} is missing in:\n{said}");
    }
    assert_eq!(error.exit_code(), 64);
}

#[test]
fn what_the_process_fills_in_is_not_taken_from_the_file() {
    let text =
        "[base.enrol]\nservers = ['192.0.2.1:7460']\n[admin.probe]\nlisten = '127.0.0.1:0'\n";
    let said = read(text, Reach::Loopback).unwrap_err().to_string();
    assert!(
        said.contains("ipdect.toml:2:11 base.enrol.servers"),
        "{said}"
    );
    assert!(
        said.contains("ipdect.toml:4:10 admin.probe.listen"),
        "{said}"
    );
}

#[test]
fn the_file_to_begin_with_is_a_good_one() {
    let keys = Keys::new(Reach::Loopback).for_file();
    let text = ipdect_node::config::default_file("ipdect.toml", &keys.sections());
    assert!(
        !text.contains("[base.enrol]") && !text.contains("[admin.log]"),
        "{text}"
    );
    // Every key that has a default, as if somebody had taken the sign before it away.
    let written: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with([' ', '[']) && !key.ends_with('=') => key,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let plan = read(&written, Reach::Loopback).unwrap();
    assert_eq!(plan.server.link_listen.to_string(), "127.0.0.1:7460");
}

#[test]
fn an_empty_store_gets_users_ports_and_the_domain_unless_the_file_says_otherwise() {
    let mut plan = read(
        "[server.initial.settings.sip]\nlocal_port = 5090\n",
        Reach::Loopback,
    )
    .unwrap();
    let people = plan.people.clone();
    plan.furnish(&people).unwrap();
    let initial = &plan.server.initial;
    let port = initial.settings.iter().find_map(|scope| match scope {
        Settings::Sip(sip) => Some(sip.local_port),
        _ => None,
    });
    assert_eq!(port, Some(5090));
    let domain = initial.settings.iter().find_map(|scope| match scope {
        Settings::Domain(domain) => Some((domain.enabled, domain.port)),
        _ => None,
    });
    assert_eq!(domain, Some((true, 5060)));
    let users: Vec<_> = initial
        .users
        .iter()
        .map(|u| (u.username.as_str(), u.ipei.as_str()))
        .collect();
    assert_eq!(
        users,
        [("1001", "65535 0000001 3"), ("1002", "65535 0000002 4")]
    );
}
