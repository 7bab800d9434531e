use super::*;

fn all(framer: &mut StreamFramer) -> Vec<Result<Framed, FramingError>> {
    std::iter::from_fn(|| framer.next()).collect()
}

/// [`INVITE`] without the octets behind its body.
fn wire() -> Vec<u8> {
    invite().bytes().to_vec()
}

#[test]
fn messages_and_keep_alives_come_out_in_order_at_every_split() {
    let stream = [
        &b"\r\n\r\n"[..],
        &wire(),
        b"\r\n",
        &wire(),
        b"\r\n\r\n",
        &wire(),
    ]
    .concat();
    let message = || Framed::Message(invite());
    let expected = [
        Framed::KeepAlivePing,
        message(),
        Framed::KeepAlivePong,
        message(),
        Framed::KeepAlivePing,
        message(),
    ];
    let expected: Vec<_> = expected.into_iter().map(Ok).collect();
    for at in 0..=stream.len() {
        let mut framer = StreamFramer::default();
        framer.push(&stream[..at]);
        let mut got = all(&mut framer);
        framer.push(&stream[at..]);
        got.extend(all(&mut framer));
        assert_eq!(got, expected, "split at {at}");
    }
}

#[test]
fn a_single_line_end_is_told_when_nothing_follows() {
    let mut framer = StreamFramer::default();
    framer.push(b"\r\n");
    assert_eq!(framer.next(), None);
    assert!(!framer.is_inside_message());
    assert_eq!(framer.flush_pong(), Some(Framed::KeepAlivePong));
    assert_eq!(framer.flush_pong(), None);
    framer.push(&wire()[..50]);
    assert_eq!(
        (
            framer.next(),
            framer.flush_pong(),
            framer.is_inside_message()
        ),
        (None, None, true)
    );
}

#[test]
fn a_stream_needs_one_good_length() {
    let text = String::from_utf8(wire()).unwrap();
    for length in [
        "",
        "Content-Length: x\r\n",
        "Content-Length: 4\r\nl: 5\r\n",
        "Content-Length: -1\r\n",
    ] {
        let mut framer = StreamFramer::default();
        framer.push(text.replace("Content-Length: 4\r\n", length).as_bytes());
        let Some(Err(FramingError::ContentLength { head })) = framer.next() else {
            panic!("{length}");
        };
        assert_eq!(
            head.call_id(),
            invite().call_id(),
            "the sender can be answered"
        );
        framer.push(&wire());
        assert_eq!(framer.next(), None, "nothing is read after an error");
    }
}

#[test]
fn a_blank_before_the_colon_does_not_hide_the_length() {
    let mut framer = StreamFramer::default();
    framer.push(
        String::from_utf8(wire())
            .unwrap()
            .replace("Content-Length:", "content-LENGTH \t:")
            .as_bytes(),
    );
    assert!(
        matches!(framer.next(), Some(Ok(Framed::Message(message))) if message.body() == b"v=0\n")
    );
}

#[test]
fn sizes_are_limited() {
    let mut framer = StreamFramer::new(1000);
    framer.push(
        String::from_utf8(wire())
            .unwrap()
            .replace("Length: 4", "Length: 4000")
            .as_bytes(),
    );
    assert!(matches!(
        framer.next(),
        Some(Err(FramingError::TooLarge {
            octets: 4000..,
            limit: 1000,
            ..
        }))
    ));
    let mut framer = StreamFramer::new(1000);
    framer.push(&[b'a'; 1001]);
    assert_eq!(
        framer.next(),
        Some(Err(ParseError::TooLarge {
            octets: 1001,
            limit: 1000
        }
        .into()))
    );
}
