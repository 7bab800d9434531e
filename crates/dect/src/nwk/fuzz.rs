//! Fuzz entry of the message codec.

use super::{Message, Page};

/// Feeds octets to the decoders; what decodes must encode to something that decodes to the same.
///
/// # Panics
/// If that does not hold, which is what a fuzzer looks for.
pub fn fuzz_nwk(octets: &[u8]) {
    if let Ok(message) = Message::decode(octets) {
        let (again, notes) =
            Message::decode_noting(&message.encode()).expect("own encoding decodes");
        assert!(!notes.out_of_order, "encoder writes in order: {message:?}");
        assert_eq!(message.sorted(), again);
    }
    if let Ok(page) = Page::decode(octets) {
        assert_eq!(Page::decode(&page.encode()), Ok(page));
    }
}
