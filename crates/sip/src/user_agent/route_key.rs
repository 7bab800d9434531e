//! Whose a message is, told from the message alone.

use crate::message::{MAGIC_COOKIE, Message, Uri};

/// Who is to get a message.
#[derive(Debug, Clone, PartialEq)]
pub enum RouteKey {
    /// The handset of this key, such as `331-7k2m9q4x`.
    Handset(String),
    /// Whoever has this address of record.
    Aor(Uri),
}

/// Finds out whose a message is; `None` if it cannot belong to any handset here.
///
/// Requests: parameter `h` of the Request-URI, then our tag in To, else the Request-URI is an address of record.
/// Responses: the prefix of the topmost branch. The key is not proven to exist.
pub fn route_key(message: &Message) -> Option<RouteKey> {
    if message.is_response() {
        let via = message.top_via().ok()?;
        let made_here = via.branch()?.strip_prefix(MAGIC_COOKIE)?;
        return handset_of(made_here).map(RouteKey::Handset);
    }
    let uri = message.request_uri().ok()?;
    if let Some(key) = uri.param("h").filter(|k| is_handset_key(k)) {
        return Some(RouteKey::Handset(key.into()));
    }
    let to = message.to().ok();
    let by_tag = to.as_ref().and_then(|to| handset_of(to.tag()?));
    by_tag.map(RouteKey::Handset).or(Some(RouteKey::Aor(uri)))
}

/// The handset key that leads one of our branches or tags: `331-7k2m9q4x.` and then chance.
fn handset_of(made_here: &str) -> Option<String> {
    let (key, _) = made_here.split_once('.')?;
    is_handset_key(key).then(|| key.into())
}

/// Tells whether a text has the form of a handset key: shard, hyphen, base32. Source: `contracts.md` section 2.
fn is_handset_key(text: &str) -> bool {
    let Some((shard, random)) = text.split_once('-') else {
        return false;
    };
    let base32 = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    shard.parse::<u16>().is_ok_and(|s| s < 1024) && !random.is_empty() && random.bytes().all(base32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(line: &str, to: &str, branch: &str) -> Option<RouteKey> {
        let text = format!(
            "{line}\r\nVia: SIP/2.0/UDP a;branch={branch}\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:1001@e>{to}\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        route_key(&Message::parse(text.into()).unwrap())
    }

    fn handset(key: &str) -> Option<RouteKey> {
        Some(RouteKey::Handset(key.into()))
    }

    #[test]
    fn a_request_is_for_the_handset_in_its_uri_else_in_our_tag_else_for_an_address() {
        let contact = "INVITE sip:1001@192.0.2.5:5060;h=331-7k2m9q4x SIP/2.0";
        assert_eq!(key(contact, "", "z9hG4bKx"), handset("331-7k2m9q4x"));
        let aor = "INVITE sip:1001@example.com SIP/2.0";
        assert_eq!(
            key(aor, ";tag=331-7k2m9q4x.0011", "z9hG4bKx"),
            handset("331-7k2m9q4x")
        );
        let by_address = Some(RouteKey::Aor("sip:1001@example.com".parse().unwrap()));
        assert_eq!(key(aor, ";tag=4711.0011", "z9hG4bKx"), by_address);
        assert_eq!(
            key(
                "INVITE sip:1001@example.com;h=<bad> SIP/2.0",
                "",
                "z9hG4bKx"
            ),
            None
        );
        let foreign = "INVITE sip:1001@example.com;h=9999-a SIP/2.0";
        assert!(matches!(
            key(foreign, "", "z9hG4bKx"),
            Some(RouteKey::Aor(_))
        ));
    }

    #[test]
    fn a_response_is_for_the_handset_in_its_branch() {
        let ok = "SIP/2.0 200 OK";
        assert_eq!(
            key(ok, "", "z9hG4bK331-7k2m9q4x.00aa"),
            handset("331-7k2m9q4x")
        );
        assert_eq!(key(ok, "", "z9hG4bK00aa"), None);
        assert_eq!(key(ok, "", "331-7k2m9q4x.00aa"), None);
    }
}
