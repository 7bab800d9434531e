use super::*;

fn options() -> Builder {
    Builder::request(Method::Options, &"sip:bob@example.com?X=y".parse().unwrap())
}

#[test]
fn a_request_is_written_in_order_with_its_length() {
    let message = options()
        .header(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .header_opt("X-None", None::<u32>)
        .headers(HeaderName::Route, ["<sip:a;lr>", "<sip:b;lr>"])
        .header("v", "SIP/2.0/UDP 192.0.2.2")
        .body("text/plain", "hello")
        .build();
    let wire = "OPTIONS sip:bob@example.com SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
Route: <sip:a;lr>\r\n\
Route: <sip:b;lr>\r\n\
Via: SIP/2.0/UDP 192.0.2.2\r\n\
Content-Type: text/plain\r\n\
Content-Length: 5\r\n\r\nhello";
    assert_eq!(message.to_string(), wire);
}

#[test]
fn no_value_and_no_name_can_add_a_header() {
    let message = options()
        .header("X-A", "1\r\nX-Evil: 2")
        .header("X-Evil: 1\r\nX-B", "3")
        .header("Content-Length", 99)
        .header("l", 99)
        .build();
    let names: Vec<&str> = message
        .all_headers()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["X-A", "Content-Length"]);
    let reason = Builder::response_to(&invite(), StatusCode::OK, Some("a\r\nX: b")).build();
    assert_eq!(reason.reason(), "a  X: b");
}

#[test]
fn a_response_copies_what_finds_its_way_back() {
    let request = invite();
    let response = Builder::response_with_tag(&request, StatusCode::BUSY_HERE, None, "us").build();
    assert_eq!(response.check(), Ok(()));
    assert_eq!(
        (
            response.status().unwrap().code(),
            response.reason().as_ref()
        ),
        (486, "Busy Here")
    );
    assert_eq!(response.vias().unwrap(), request.vias().unwrap());
    assert_eq!(response.from().unwrap(), request.from().unwrap());
    assert_eq!(response.to().unwrap().tag(), Some("us"));
    assert_eq!(response.cseq().unwrap(), request.cseq().unwrap());
    assert_eq!(
        Builder::response_to(&request, StatusCode::OK, None)
            .build()
            .to()
            .unwrap()
            .tag(),
        None
    );
}

#[test]
fn a_tag_that_is_there_stays() {
    let request = Edit::new(&invite())
        .set(HeaderName::To, "<sip:b@c>;tag=old")
        .build();
    let response = Builder::response_with_tag(&request, StatusCode::OK, None, "new").build();
    assert_eq!(response.to().unwrap().tag(), Some("old"));
}

#[test]
fn a_proxy_changes_only_what_it_must() {
    let request = invite();
    let forwarded = Edit::new(&request)
        .request_uri(&"sip:bob@192.0.2.9:5062".parse().unwrap())
        .push_top(HeaderName::Via, "SIP/2.0/UDP proxy;branch=z9hG4bKp")
        .push_top(HeaderName::RecordRoute, "<sip:proxy;lr>")
        .decrement_max_forwards()
        .build();
    let text = forwarded.to_string();
    assert!(text.starts_with("INVITE sip:bob@192.0.2.9:5062 SIP/2.0\r\n"));
    assert_eq!(forwarded.max_forwards(), Ok(Some(69)));
    assert_eq!(forwarded.top_via().unwrap().branch(), Some("z9hG4bKp"));
    assert_eq!(forwarded.vias().unwrap()[1..], request.vias().unwrap());
    for kept in [
        "X-Odd : caf\u{e9}\r\n",
        "Subject: lunch\r\n \ttomorrow\r\n",
        "i: 3848276298220188511@atlanta",
    ] {
        assert!(text.contains(kept), "{kept}");
    }
    assert_eq!(forwarded.body(), request.body());
}

#[test]
fn elements_are_popped_one_by_one() {
    let mut message = invite();
    let mut left = Vec::new();
    while message.top_via().is_ok() {
        message = Edit::new(&message).pop_top(HeaderName::Via).build();
        left.push(message.vias().unwrap().len());
    }
    assert_eq!(left, [2, 1, 0]);
    let message = Edit::new(&invite())
        .replace_top(HeaderName::Via, "SIP/2.0/UDP x")
        .build();
    let hosts: Vec<String> = message
        .vias()
        .unwrap()
        .iter()
        .map(|via| via.host.to_string())
        .collect();
    assert_eq!(hosts, ["x", "[2001:db8::1]", "192.0.2.1"]);
}

#[test]
fn headers_are_set_added_and_removed_under_any_of_their_names() {
    let message = Edit::new(&invite())
        .remove("s")
        .remove("X-ODD")
        .set("t", "<sip:x@y>")
        .push("X-New", 1)
        .body("text/plain", "abc")
        .build();
    assert!(message.header(HeaderName::Subject).is_none() && message.header("x-odd").is_none());
    assert_eq!(message.to().unwrap().uri.to_string(), "sip:x@y");
    assert_eq!(message.header("x-new").unwrap().raw(), b"1");
    assert_eq!(
        (message.body(), message.content_length()),
        (&b"abc"[..], Ok(Some(3)))
    );
}
