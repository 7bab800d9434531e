//! `rsip` as a second opinion, on the subset it gets right: ASCII heads, long names, no folds, one value a header.

use ipdect_sip::message::{Builder, HeaderName, Message, Method, NameAddr, StatusCode, Uri, Via};
use proptest::prelude::*;
use rsip::headers::ToTypedHeader;
use rsip::message::HeadersExt;

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Invite),
        Just(Method::Bye),
        Just(Method::Register),
        Just(Method::Options),
        Just(Method::Subscribe),
    ]
}

fn uri() -> impl Strategy<Value = String> {
    (
        "[a-z0-9.]{1,12}",
        "[a-z][a-z0-9]{0,8}\\.example\\.com",
        proptest::option::of(1024_u16..),
    )
        .prop_map(|(user, host, port)| match port {
            Some(port) => format!("sip:{user}@{host}:{port}"),
            None => format!("sip:{user}@{host}"),
        })
}

prop_compose! {
    fn request()(
        method in method(),
        target in uri(),
        from in uri(),
        display in proptest::option::of("[A-Za-z]{1,10}"),
        tag in "[a-z0-9]{1,16}",
        branch in "[A-Za-z0-9]{1,20}",
        call_id in "[a-z0-9]{1,20}@[a-z]{1,8}",
        cseq in 0_u32..0x7fff_ffff,
        body in proptest::collection::vec(any::<u8>(), 0..50),
    ) -> Message {
        let to = NameAddr::new(target.parse().unwrap());
        let mut from = NameAddr::new(from.parse().unwrap()).with_tag(&tag);
        if let Some(display) = display {
            from = from.with_display(&display);
        }
        let host = ipdect_sip::message::Host::parse("192.0.2.1").unwrap();
        let via = Via::new("UDP", host, Some(5060), &format!("z9hG4bK{branch}"));
        Builder::request(method.clone(), &target.parse::<Uri>().unwrap())
            .header(HeaderName::Via, via)
            .header(HeaderName::MaxForwards, 70)
            .header(HeaderName::From, from)
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, call_id)
            .header(HeaderName::CSeq, format!("{cseq} {method}"))
            .body("application/octet-stream", body)
            .build()
    }
}

proptest! {
    #[test]
    fn both_parsers_read_the_same(message in request()) {
        prop_assert_eq!(message.check(), Ok(()));
        // Their reader takes text only, so a binary body is compared through the conversion below.
        let head = &message.bytes()[..message.bytes().len() - message.body().len()];
        let theirs = rsip::Request::try_from(head).unwrap();
        prop_assert_eq!(theirs.method.to_string(), message.method().unwrap().to_string());
        prop_assert_eq!(theirs.uri.to_string(), message.request_uri().unwrap().to_string());
        prop_assert_eq!(theirs.call_id_header().unwrap().to_string(), format!("Call-ID: {}", message.call_id().unwrap()));
        let cseq = theirs.cseq_header().unwrap().typed().unwrap();
        prop_assert_eq!(cseq.seq, message.cseq().unwrap().number);
        let from = theirs.from_header().unwrap().typed().unwrap();
        let ours = message.from().unwrap();
        prop_assert_eq!(from.uri.to_string(), ours.uri.to_string());
        prop_assert_eq!(from.tag().map(|tag| tag.to_string()), ours.tag().map(str::to_owned));
        let via = theirs.via_header().unwrap().typed().unwrap();
        let branch = via.branch().map(|branch| branch.value().to_owned());
        let ours = message.top_via().unwrap();
        prop_assert_eq!(branch.as_deref(), ours.branch());
    }

    #[test]
    fn the_conversion_keeps_headers_and_body(message in request()) {
        let converted = rsip::SipMessage::try_from(&message).unwrap();
        let rsip::SipMessage::Request(request) = converted else { panic!("a request stays one") };
        prop_assert_eq!(request.body.as_slice(), message.body());
        prop_assert_eq!(request.headers.iter().count(), message.all_headers().count());
        let head = format!("{} {} {}\r\n{}\r\n", request.method, request.uri, request.version, request.headers);
        let ours = &message.bytes()[..message.bytes().len() - message.body().len()];
        prop_assert_eq!(head.as_bytes(), ours);
    }

    #[test]
    fn every_status_code_means_the_same(code in 100_u16..700) {
        let status = StatusCode::new(code).unwrap();
        prop_assert_eq!(rsip::StatusCode::from(status).code(), code);
        prop_assert_eq!(StatusCode::try_from(rsip::StatusCode::from(code)).unwrap(), status);
    }

    #[test]
    fn any_text_in_a_header_stays_in_its_line(value in "\\PC*[\r\n\0]*\\PC*") {
        let uri: Uri = "sip:a@b".parse().unwrap();
        let message = Builder::request(Method::Options, &uri).header("X-Any", &value).header("X-Next", "1").build();
        prop_assert_eq!(message.all_headers().count(), 3);
        prop_assert_eq!(message.header("X-Next").unwrap().raw(), b"1");
    }
}
