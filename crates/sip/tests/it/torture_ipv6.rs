//! RFC 5118, message by message; the expectations are those of the README beside the samples.

use ipdect_sip::message::Message;
use ipdect_sip::sdp;

use crate::vectors::{assert_stream, names, parse, sample, verdict};

fn accepted(file: &str) -> Message {
    let octets = sample("sip-torture-ipv6", file);
    let message = parse(&octets);
    assert_eq!(verdict(&message), 0, "{:?}", message.check());
    assert_stream(&octets, 0);
    message
}

#[test]
fn every_sample_has_a_test() {
    let source = include_str!("torture_ipv6.rs");
    assert!(
        names("sip-torture-ipv6", ".dat")
            .iter()
            .all(|name| source.contains(&format!("\"{name}\"")))
    );
}

#[test]
fn ipv6_good_addresses_in_brackets_are_read() {
    let m = accepted("ipv6-good.dat");
    assert_eq!(
        m.request_uri().unwrap().host().unwrap().to_string(),
        "[2001:db8::10]"
    );
    assert_eq!(m.top_via().unwrap().host.to_string(), "[2001:db8::9:1]");
}

#[test]
fn port_ambiguous_the_last_group_is_part_of_the_address() {
    let uri = accepted("port-ambiguous.dat").request_uri().unwrap();
    assert_eq!(
        (uri.host().unwrap().to_string().as_str(), uri.port()),
        ("[2001:db8::10:5070]", None)
    );
}

#[test]
fn via_received_may_stand_in_brackets() {
    let via = accepted("via-received-param-with-delim.dat")
        .top_via()
        .unwrap();
    assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
}

#[test]
fn ipv6_in_sdp_is_cut_at_content_length_and_read() {
    let m = accepted("ipv6-in-sdp.dat");
    assert_eq!(m.body().len(), 241);
    let session = sdp::parse(m.body()).unwrap();
    assert_eq!(session.medias[0].media, "audio");
    assert_eq!(
        session.connection.unwrap().connection_address,
        "2001:db8::20"
    );
}

#[test]
fn mult_ip_in_sdp_each_line_has_its_family() {
    let m = accepted("mult-ip-in-sdp.dat");
    assert_eq!(m.body().len(), 181);
    let session = sdp::parse(m.body()).unwrap();
    let addresses: Vec<&str> = session
        .medias
        .iter()
        .flat_map(|media| &media.connections)
        .map(|connection| connection.connection_address.as_str())
        .collect();
    assert_eq!(addresses, ["192.0.2.1", "2001:db8::1"]);
}

#[test]
fn three_colons_are_taken_for_two_and_never_written() {
    let m = accepted("ipv6-bug-abnf-3-colons.dat");
    let uri = m.request_uri().unwrap().to_string();
    assert_eq!(uri, "sip:user@[2001:db8::c000:201]");
    assert_eq!(m.to().unwrap().uri.to_string(), uri);
}
