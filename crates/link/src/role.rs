//! Roles of nodes and names of nodes, as certificates and tokens write them.

use std::{fmt, str::FromStr, sync::Arc};

pub use ipdect_proto::link::v1::Role;

/// All roles with their names.
const NAMES: [(Role, &str); 5] = [
    (Role::Server, "server"),
    (Role::Media, "media"),
    (Role::Base, "base"),
    (Role::Admin, "admin"),
    (Role::Host, "host"),
];

/// Name of a role in certificates and tokens, such as `media`.
#[must_use]
pub fn role_name(role: Role) -> &'static str {
    NAMES
        .iter()
        .find(|(known, _)| *known == role)
        .map_or("unspecified", |(_, name)| name)
}

/// Role of a name, if there is such a role.
#[must_use]
pub fn role_named(name: &str) -> Option<Role> {
    NAMES
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(role, _)| *role)
}

/// Name of one node: `[a-z0-9-]{1,63}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Arc<str>);

/// Why a text is no node id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node id has 1 to 63 characters of a..z, 0..9 and -")]
pub struct NodeIdError;

impl NodeId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits =
            |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        if (1..=63).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(NodeIdError)
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_one_name() {
        for (role, name) in NAMES {
            assert_eq!(role_named(name), Some(role));
            assert_eq!(role_name(role), name);
        }
        assert_eq!(role_named("unspecified"), None);
        assert_eq!(role_named("Server"), None);
    }

    #[test]
    fn node_ids_are_short_and_plain() {
        for good in ["a", "base-3f9a", &"x".repeat(63)] {
            assert_eq!(good.parse::<NodeId>().unwrap().as_str(), good);
        }
        for bad in ["", "Base", "a_b", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert_eq!(bad.parse::<NodeId>(), Err(NodeIdError), "{bad}");
        }
    }
}
