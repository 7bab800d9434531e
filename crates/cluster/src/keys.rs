//! The keys of all rows, typed.
//!
//! Parts that people choose, such as account names, are percent-encoded, so that none can reach into another's place.
//! Numbers whose order matters are written with leading zeros.

use crate::view::Start;
use std::fmt;

/// Rows that begin with these belong together.
pub mod prefix {
    /// Member rows.
    pub const MEMBERS: &str = "/members/";
    /// Evictions, with accuser and evidence.
    pub const EVICTED: &str = "/evicted/";
    /// Shard claims.
    pub const SHARDS: &str = "/shards/";
    /// Base stations, media resources, admin APIs, hosts.
    pub const DEVICES: &str = "/devices/";
    /// Radio part numbers in use.
    pub const RPN: &str = "/rpn/";
    /// Enrolment tokens.
    pub const TOKENS: &str = "/tokens/";
    /// Users.
    pub const USERS: &str = "/users/";
    /// Addresses of record.
    pub const AOR: &str = "/aor/";
    /// Handsets.
    pub const HANDSETS: &str = "/handsets/";
    /// TPUIs in use.
    pub const TPUI: &str = "/tpui/";
    /// Settings documents.
    pub const SETTINGS: &str = "/settings/";
    /// Records of calls.
    pub const CALLS: &str = "/calls/";
    /// Presence rows.
    pub const PRESENCE: &str = "/presence/";
    /// Bindings of the embedded domain.
    pub const CONTACTS: &str = "/contacts/";
    /// People's accounts.
    pub const ACCOUNTS: &str = "/accounts/";
    /// The audit log.
    pub const AUDIT: &str = "/audit/";
    /// Steps of upgrades.
    pub const JOURNAL: &str = "/journal/";

    /// Earlier versions of a settings document, oldest first.
    #[must_use]
    pub fn history_of(scope: &str) -> String {
        format!("/history/{}/", super::encode(scope))
    }

    /// Records of the handsets of one shard.
    #[must_use]
    pub fn calls_of(shard: u16) -> String {
        format!("/calls/{shard}/")
    }

    /// Presence rows of the handsets of one shard.
    #[must_use]
    pub fn presence_of(shard: u16) -> String {
        format!("/presence/{shard}/")
    }

    /// Bindings of one address of record.
    #[must_use]
    pub fn contacts_of(aor: &str) -> String {
        format!("/contacts/{}/", super::encode(aor))
    }
}

/// The key of a row. `to_string` gives it as the store knows it, [`Key::parse`] reads it back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `/sys/store_id`.
    StoreId,
    /// `/sys/cluster`.
    Cluster,
    /// `/sys/era`.
    Era,
    /// `/sys/ca`.
    Ca,
    /// `/sys/ca_key`.
    CaKey,
    /// `/sys/compaction`: which revisions of etcd may be forgotten.
    Compaction,
    /// `/sys/move`: a move of all rows into or out of this store.
    Move,
    /// `/members/<node>/<start>`, the start as 16 hexadecimal digits.
    Member(Start),
    /// `/evicted/<node>/<start>`.
    Evicted(Start),
    /// `/shards/<n>`.
    Shard(u16),
    /// `/devices/<node>`.
    Device(String),
    /// `/rpn/<n>`.
    Rpn(u8),
    /// `/tokens/<hash>`.
    Token(String),
    /// `/users/<id>`.
    User(String),
    /// `/aor/<user@domain>`.
    Aor(String),
    /// `/handsets/<ipei>`.
    Handset(String),
    /// `/tpui/<hex>`, 5 digits.
    Tpui(u32),
    /// `/settings/<scope>`.
    Settings(String),
    /// `/history/<scope>/<revision>`, 20 digits.
    History(String, u64),
    /// `/calls/<shard>/<ipei>`.
    Call(u16, String),
    /// `/presence/<shard>/<ipei>`.
    Presence(u16, String),
    /// `/contacts/<aor>/<hash>`.
    Contact(String, String),
    /// `/accounts/<name>`.
    Account(String),
    /// `/audit/<time>`: milliseconds since 1970 in 15 digits, and a counter of 4 within one.
    Audit(u64, u16),
    /// `/journal/<upgrade>`.
    Journal(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::StoreId => f.write_str("/sys/store_id"),
            Key::Cluster => f.write_str("/sys/cluster"),
            Key::Era => f.write_str("/sys/era"),
            Key::Ca => f.write_str("/sys/ca"),
            Key::CaKey => f.write_str("/sys/ca_key"),
            Key::Compaction => f.write_str("/sys/compaction"),
            Key::Move => f.write_str("/sys/move"),
            Key::Member(Start { node, boot }) => write!(f, "/members/{}/{boot:016x}", encode(node)),
            Key::Evicted(Start { node, boot }) => {
                write!(f, "/evicted/{}/{boot:016x}", encode(node))
            }
            Key::Shard(shard) => write!(f, "/shards/{shard}"),
            Key::Device(node) => write!(f, "/devices/{}", encode(node)),
            Key::Rpn(rpn) => write!(f, "/rpn/{rpn}"),
            Key::Token(hash) => write!(f, "/tokens/{}", encode(hash)),
            Key::User(id) => write!(f, "/users/{}", encode(id)),
            Key::Aor(aor) => write!(f, "/aor/{}", encode(aor)),
            Key::Handset(ipei) => write!(f, "/handsets/{}", encode(ipei)),
            Key::Tpui(tpui) => write!(f, "/tpui/{tpui:05x}"),
            Key::Settings(scope) => write!(f, "/settings/{}", encode(scope)),
            Key::History(scope, revision) => write!(f, "/history/{}/{revision:020}", encode(scope)),
            Key::Call(shard, ipei) => write!(f, "/calls/{shard}/{}", encode(ipei)),
            Key::Presence(shard, ipei) => write!(f, "/presence/{shard}/{}", encode(ipei)),
            Key::Contact(aor, hash) => write!(f, "/contacts/{}/{}", encode(aor), encode(hash)),
            Key::Account(name) => write!(f, "/accounts/{}", encode(name)),
            Key::Audit(at_ms, count) => write!(f, "/audit/{at_ms:015}-{count:04}"),
            Key::Journal(upgrade) => write!(f, "/journal/{}", encode(upgrade)),
        }
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.to_string()
    }
}

impl Key {
    /// Reads a key as the store knows it; `None` for one that is none of ours, or not in its one way of writing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Key> {
        let parts: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
        let key = match parts[..] {
            ["sys", name] => Key::of_system(name)?,
            ["members", node, boot] => Key::Member(start(node, boot)?),
            ["evicted", node, boot] => Key::Evicted(start(node, boot)?),
            ["shards", shard] => Key::Shard(shard.parse().ok()?),
            ["devices", node] => Key::Device(decode(node)?),
            ["rpn", rpn] => Key::Rpn(rpn.parse().ok()?),
            ["tokens", hash] => Key::Token(decode(hash)?),
            ["users", id] => Key::User(decode(id)?),
            ["aor", aor] => Key::Aor(decode(aor)?),
            ["handsets", ipei] => Key::Handset(decode(ipei)?),
            ["tpui", tpui] => Key::Tpui(u32::from_str_radix(tpui, 16).ok()?),
            ["settings", scope] => Key::Settings(decode(scope)?),
            ["history", scope, revision] => Key::History(decode(scope)?, revision.parse().ok()?),
            ["calls", shard, ipei] => Key::Call(shard.parse().ok()?, decode(ipei)?),
            ["presence", shard, ipei] => Key::Presence(shard.parse().ok()?, decode(ipei)?),
            ["contacts", aor, hash] => Key::Contact(decode(aor)?, decode(hash)?),
            ["accounts", name] => Key::Account(decode(name)?),
            ["audit", at] => {
                let (at_ms, count) = at.split_once('-')?;
                Key::Audit(at_ms.parse().ok()?, count.parse().ok()?)
            }
            ["journal", upgrade] => Key::Journal(decode(upgrade)?),
            _ => return None,
        };
        // A second way of writing the same key would be a second row.
        (key.to_string() == text).then_some(key)
    }

    fn of_system(name: &str) -> Option<Key> {
        Some(match name {
            "store_id" => Key::StoreId,
            "cluster" => Key::Cluster,
            "era" => Key::Era,
            "ca" => Key::Ca,
            "ca_key" => Key::CaKey,
            "compaction" => Key::Compaction,
            "move" => Key::Move,
            _ => return None,
        })
    }
}

fn start(node: &str, boot: &str) -> Option<Start> {
    Some(Start {
        node: decode(node)?,
        boot: u64::from_str_radix(boot, 16).ok()?,
    })
}

/// Percent-encodes all but letters, digits and `-._~@:+`.
fn encode(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for octet in part.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~@:+".contains(&octet) {
            text.push(char::from(octet));
        } else {
            text.push_str(&format!("%{octet:02X}"));
        }
    }
    text
}

/// Takes the encoding back; `None` if it is broken.
fn decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let (digits, behind) = behind.split_first_chunk::<2>()?;
            octets.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = behind;
        } else {
            octets.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_written_as_the_contract_says() {
        let start = Start {
            node: "server-1".into(),
            boot: 0xAB,
        };
        for (key, text) in [
            (Key::Era, "/sys/era"),
            (Key::CaKey, "/sys/ca_key"),
            (Key::Compaction, "/sys/compaction"),
            (Key::Move, "/sys/move"),
            (
                Key::Member(start.clone()),
                "/members/server-1/00000000000000ab",
            ),
            (Key::Evicted(start), "/evicted/server-1/00000000000000ab"),
            (Key::Shard(1023), "/shards/1023"),
            (Key::Rpn(7), "/rpn/7"),
            (
                Key::Aor("1001@ipdect.internal".into()),
                "/aor/1001@ipdect.internal",
            ),
            (Key::Tpui(0x0B1F), "/tpui/00b1f"),
            (
                Key::Call(331, "050030070387".into()),
                "/calls/331/050030070387",
            ),
            (
                Key::History("sip".into(), 17),
                "/history/sip/00000000000000000017",
            ),
            (Key::Account("a/b%".into()), "/accounts/a%2Fb%25"),
            (
                Key::Audit(1_800_000_000_000, 3),
                "/audit/001800000000000-0003",
            ),
        ] {
            assert_eq!(key.to_string(), text);
            assert_eq!(Key::parse(text), Some(key), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_of_ours_is_not_read() {
        for text in [
            "",
            "/",
            "sys/era",
            "/sys/none",
            "/sys/era/",
            "/shards/01",
            "/shards/65536",
            "/shards/+1",
            "/users",
            "/users/a/b",
            "/accounts/%4",
            "/accounts/%zz",
            "/accounts/%61",
            "/accounts/%FF",
            "/members/a/AB",
            "/tpui/1",
            "/audit/1-1",
        ] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_name_keeps_to_its_own_row(scope in ".*", aor in ".*", hash in ".*") {
            let key = Key::Contact(aor.clone(), hash);
            prop_assert!(key.to_string().starts_with(&prefix::contacts_of(&aor)));
            prop_assert_eq!(Key::parse(&key.to_string()), Some(key));
            let key = Key::History(scope, 5);
            prop_assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
    }
}
