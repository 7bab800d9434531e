//! Percent escapes (RFC 3261 section 19.1.2).

use crate::message::error::SyntaxError;

/// Refuses a percent sign without two hexadecimal digits.
pub(super) fn check_escapes(text: &str) -> Result<(), SyntaxError> {
    let octets = text.as_bytes();
    let bad = |at: usize| {
        !octets
            .get(at + 1..at + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    if memchr::memchr_iter(b'%', octets).any(bad) {
        return Err(SyntaxError("'%' without two hexadecimal digits"));
    }
    Ok(())
}

/// Resolves `%HH` once; lossy where the result is not UTF-8.
pub(super) fn unescape(text: &str) -> String {
    String::from_utf8_lossy(&unescape_octets(text)).into_owned()
}

fn unescape_octets(text: &str) -> Vec<u8> {
    let octets = text.as_bytes();
    let mut plain = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(octet) = octets.get(at) {
        let hex = |offset: usize| {
            octets
                .get(at + offset)
                .and_then(|digit| char::from(*digit).to_digit(16))
        };
        match (octet, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push(
                    u8::try_from(high * 16 + low).expect("two hexadecimal digits make an octet"),
                );
                at += 3;
            }
            _ => {
                plain.push(*octet);
                at += 1;
            }
        }
    }
    plain
}

/// Escapes everything but unreserved characters and those named.
pub(super) fn escape(text: &str, also: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet) || also.contains(&octet) {
            escaped.push(char::from(octet));
        } else {
            escaped.push_str(&format!("%{octet:02X}"));
        }
    }
    escaped
}

/// Escapes a user part (RFC 3261 section 25.1, user-unreserved).
pub(super) fn escape_user(user: &str) -> String {
    escape(user, b"&=+$,;?/")
}

/// The text with each escape either resolved (unreserved characters) or in capitals.
pub(super) fn normal(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escaped) = rest.split_at(at);
        all.push_str(before);
        let Some(code) = escaped.get(..3) else {
            rest = escaped;
            break;
        };
        match unescape_octets(code).as_slice() {
            [octet] if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(octet) => {
                all.push(char::from(*octet))
            }
            _ => all.push_str(&code.to_ascii_uppercase()),
        }
        rest = &escaped[3..];
    }
    all.push_str(rest);
    all
}
