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
    let Some((shard, random)) = text.split_once('-') else { return false };
    let base32 = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    shard.parse::<u16>().is_ok_and(|s| s < 1024) && !random.is_empty() && random.bytes().all(base32)
}
