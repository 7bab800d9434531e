use super::*;

fn wrong(scope: &Scope) -> Vec<String> {
    let mut mistakes = Mistakes::default();
    check(scope, &mut mistakes);
    mistakes.into_list(0).into_iter().map(|m| m.field).collect()
}

#[test]
fn every_scope_has_defaults_that_are_right() {
    for scope in SCOPES {
        let document = default_of(scope).unwrap();
        assert_eq!(name(&document), scope);
        assert_eq!(wrong(&document), Vec::<String>::new(), "{scope}");
    }
    assert_eq!(default_of("sipp"), None);
}

#[test]
fn all_mistakes_of_a_document_are_told_at_once() {
    let Some(Scope::Sip(mut sip)) = default_of("sip") else {
        panic!("sip")
    };
    sip.local_port = 80;
    sip.max_forwards = 0;
    sip.default_domain = "sip:pbx".into();
    assert_eq!(
        wrong(&Scope::Sip(sip)),
        ["local_port", "max_forwards", "default_domain"]
    );
}

#[test]
fn srtp_cannot_be_required_without_being_enabled() {
    let Some(Scope::Media(mut media)) = default_of("media") else {
        panic!("media")
    };
    media.srtp_required = true;
    assert_eq!(wrong(&Scope::Media(media)), ["srtp_required"]);
}

#[test]
fn a_proxy_is_a_sip_address() {
    let proxy = |uri: &str| admin::Proxy {
        uri: uri.into(),
        priority: 1,
        weight: 100,
    };
    let good = admin::ProxySettings {
        proxies: vec![proxy("sip:192.0.2.1:5060;transport=tcp"), proxy("")],
    };
    assert_eq!(wrong(&Scope::Proxies(good)), Vec::<String>::new());
    let bad = admin::ProxySettings {
        proxies: vec![proxy("192.0.2.1"), proxy("tel:110")],
    };
    assert_eq!(
        wrong(&Scope::Proxies(bad)),
        ["proxies[1].uri", "proxies[2].uri"]
    );
}
