//! Route tokens and loop marks: what the proxy writes into messages so that it need not remember.
//!
//! Source: RFC 3261 section 16.6, RFC 5626 section 5.2 (flow tokens), RFC 5393 section 4.2 (loops).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::message::{HeaderName, Message};
use crate::transaction::Flow;

/// Octets of the seal in a token: short enough for a header, long enough not to be guessed.
const SEAL: usize = 10;

/// The two flows of a dialog, sealed, as user part of Record-Route.
pub(super) fn seal(secret: &[u8], caller: Flow, callee: Option<Flow>) -> String {
    let text = format!(
        "{caller}*{}",
        callee.map(|flow| flow.to_string()).unwrap_or_default()
    );
    let mut octets = mac(secret, text.as_bytes()).to_vec();
    octets.extend_from_slice(text.as_bytes());
    URL_SAFE_NO_PAD.encode(octets)
}

/// Reads a token of ours; `None` if it was made by somebody else.
pub(super) fn unseal(secret: &[u8], token: &str) -> Option<(Flow, Option<Flow>)> {
    let octets = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (sealed, text) = octets.split_at_checked(SEAL)?;
    if !bool::from(mac(secret, text).ct_eq(sealed)) {
        return None;
    }
    let (caller, callee) = std::str::from_utf8(text).ok()?.split_once('*')?;
    Some((caller.parse().ok()?, callee.parse().ok()))
}

fn mac(secret: &[u8], text: &[u8]) -> [u8; SEAL] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(text);
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    std::array::from_fn(|i| whole[i])
}

/// A number made of all that decides where a request goes: a request that comes back with the same one loops.
pub(super) fn loop_mark(request: &Message) -> String {
    let mut text = request.request_uri_text().unwrap_or_default().into_owned();
    let fields = [
        HeaderName::Route,
        HeaderName::CallId,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CSeq,
    ];
    for name in fields.into_iter().chain([HeaderName::ProxyRequire]) {
        for value in request.headers(name) {
            text.push('\n');
            text.push_str(&value.text());
        }
    }
    let step = |h: u64, o: u8| (h ^ u64::from(o)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_only_with_the_secret_that_sealed_it() {
        let a: Flow = "udp_192.0.2.1:5060_192.0.2.9:5060_0".parse().unwrap();
        let b: Flow = "tls_[2001:db8::1]:40000_[2001:db8::9]:5061_77"
            .parse()
            .unwrap();
        let token = seal(b"secret", a, Some(b));
        assert_eq!(unseal(b"secret", &token), Some((a, Some(b))));
        assert_eq!(
            unseal(b"secret", &seal(b"secret", a, None)),
            Some((a, None))
        );
        assert_eq!(unseal(b"other", &token), None);
        assert_eq!(unseal(b"secret", "x"), None);
    }
}
