//! The sample messages and what this crate says of one.

use std::path::PathBuf;

use bytes::Bytes;
use ipdect_sip::message::{Framed, FramingError, Message, StreamFramer};

/// A folder of samples below `tests/conformance/vectors`.
pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/conformance/vectors")
        .join(name)
}

/// One sample.
pub(crate) fn sample(folder_name: &str, file: &str) -> Vec<u8> {
    let path = folder(folder_name).join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of all samples of a folder with an extension, sorted.
pub(crate) fn names(folder_name: &str, extension: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder(folder_name)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(extension))
        .collect();
    names.sort();
    names
}

pub(crate) fn parse(octets: &[u8]) -> Message {
    Message::parse(Bytes::copy_from_slice(octets)).unwrap()
}

/// `0` if the message may be acted on, else the status of the refusal.
pub(crate) fn verdict(message: &Message) -> u16 {
    match message.check().and_then(|()| message.check_method()) {
        Ok(()) => 0,
        Err(refusal) => refusal.status,
    }
}

/// What comes out of a stream first: a verdict, `None` while it waits for more.
pub(crate) fn stream_verdict(pieces: &[&[u8]]) -> Option<Result<u16, FramingError>> {
    let mut framer = StreamFramer::default();
    for piece in pieces {
        framer.push(piece);
        if let Some(framed) = framer.next() {
            return Some(framed.map(|framed| match framed {
                Framed::Message(message) => verdict(&message),
                other => panic!("{other:?}"),
            }));
        }
    }
    None
}

/// Asserts that a stream gives the verdict however it is cut in two, and octet by octet.
pub(crate) fn assert_stream(octets: &[u8], expected: u16) {
    for at in 0..=octets.len() {
        let got = stream_verdict(&[&octets[..at], &octets[at..]]);
        assert_eq!(got, Some(Ok(expected)), "split at {at}");
    }
    let single: Vec<&[u8]> = octets.chunks(1).collect();
    assert_eq!(stream_verdict(&single), Some(Ok(expected)));
}
