//! What a server knows of members, shards and era, from rows it has read. A hint: decisions are taken by transactions.

use crate::error::StoreError;
use crate::keys::Key;
use crate::placement::SHARDS;
use crate::store::{Change, Revision, Row};
use ipdect_proto::cluster::v1::{EraRow, MemberRow, ShardRow};
use prost::Message;
use std::collections::BTreeMap;
use std::fmt;

/// One start of a server's process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Start {
    /// The node.
    pub node: String,
    /// Its boot id.
    pub boot: u64,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:016x}", self.node, self.boot)
    }
}

/// The fencing token of a shard: compared by era, then by the revision of the latest claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Token {
    /// `/sys/era`.
    pub era: u64,
    /// Revision of the shard's row.
    pub revision: Revision,
}

/// A shard's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who claimed it.
    pub owner: Start,
    /// How often it was claimed.
    pub generation: u64,
    /// Revision of the row.
    pub revision: Revision,
}

/// A member's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// What it says of itself.
    pub row: MemberRow,
    /// Revision of its latest renewal.
    pub revision: Revision,
}

/// What a change was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// The era: all tokens.
    Era,
    /// A member came, renewed or went.
    Member(Start),
    /// A shard was claimed.
    Shard(u16),
    /// None of these.
    Nothing,
}

/// Members, shards and era.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    era: u64,
    members: BTreeMap<Start, Member>,
    shards: BTreeMap<u16, Claim>,
}

impl View {
    /// An empty view: era 0, nobody there.
    #[must_use]
    pub fn new() -> View {
        View::default()
    }

    /// The era; 0 before its row was seen.
    #[must_use]
    pub const fn era(&self) -> u64 {
        self.era
    }

    /// All members.
    #[must_use]
    pub const fn members(&self) -> &BTreeMap<Start, Member> {
        &self.members
    }

    /// A shard's claim; `None` if it was never claimed.
    #[must_use]
    pub fn claim(&self, shard: u16) -> Option<&Claim> {
        self.shards.get(&shard)
    }

    /// A shard's token; `None` if it was never claimed.
    #[must_use]
    pub fn token(&self, shard: u16) -> Option<Token> {
        self.claim(shard).map(|claim| Token {
            era: self.era,
            revision: claim.revision,
        })
    }

    /// Every claimed shard with owner and token, for `FenceFloor`.
    pub fn floors(&self) -> impl Iterator<Item = (u16, Token, &Start)> {
        let era = self.era;
        self.shards.iter().map(move |(shard, claim)| {
            (
                *shard,
                Token {
                    era,
                    revision: claim.revision,
                },
                &claim.owner,
            )
        })
    }

    /// Shards that a start has claimed.
    pub fn shards_of<'v>(&'v self, start: &'v Start) -> impl Iterator<Item = u16> + 'v {
        self.shards
            .iter()
            .filter(move |(_, claim)| claim.owner == *start)
            .map(|(shard, _)| *shard)
    }

    /// Takes in a row as read.
    ///
    /// # Errors
    /// [`StoreError::BadRow`] if a row of ours cannot be read.
    pub fn take(&mut self, row: &Row) -> Result<Touched, StoreError> {
        match Key::parse(&row.key) {
            Some(Key::Era) => {
                self.era = decode::<EraRow>(row)?.era;
                Ok(Touched::Era)
            }
            Some(Key::Member(start)) => {
                let member = Member {
                    row: decode(row)?,
                    revision: row.mod_revision,
                };
                self.members.insert(start.clone(), member);
                Ok(Touched::Member(start))
            }
            Some(Key::Shard(shard)) if shard < SHARDS => {
                let ShardRow {
                    node_id,
                    boot_id,
                    generation,
                    ..
                } = decode(row)?;
                let owner = Start {
                    node: node_id,
                    boot: boot_id,
                };
                self.shards.insert(
                    shard,
                    Claim {
                        owner,
                        generation,
                        revision: row.mod_revision,
                    },
                );
                Ok(Touched::Shard(shard))
            }
            _ => Ok(Touched::Nothing),
        }
    }

    /// Takes in a change as watched.
    ///
    /// # Errors
    /// As [`View::take`].
    pub fn apply(&mut self, change: &Change) -> Result<Touched, StoreError> {
        let key = match change {
            Change::Put(row) => return self.take(row),
            Change::Delete { key } => key,
        };
        Ok(match Key::parse(key) {
            Some(Key::Member(start)) => {
                self.members.remove(&start);
                Touched::Member(start)
            }
            // Nobody deletes claims or the era; a hand that does must not make tokens fall.
            _ => Touched::Nothing,
        })
    }

    /// Notes an own claim before the watch tells it.
    pub(crate) fn claimed(&mut self, shard: u16, claim: Claim) {
        let known = self.shards.get(&shard).map_or(0, |known| known.revision);
        if claim.revision > known {
            self.shards.insert(shard, claim);
        }
    }

    pub(crate) fn set_era(&mut self, era: u64) {
        self.era = self.era.max(era);
    }
}

/// A row's value as its message.
///
/// # Errors
/// [`StoreError::BadRow`].
pub fn decode<M: Message + Default>(row: &Row) -> Result<M, StoreError> {
    M::decode(row.value.as_ref()).map_err(|error| StoreError::BadRow {
        key: row.key.clone(),
        what: format!("not readable ({error})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: Key, value: &impl Message, revision: Revision) -> Row {
        Row {
            key: key.to_string(),
            value: value.encode_to_vec().into(),
            create_revision: revision,
            mod_revision: revision,
        }
    }

    fn claim(node: &str, boot_id: u64, generation: u64) -> ShardRow {
        ShardRow {
            node_id: node.into(),
            boot_id,
            generation,
            why: "start".into(),
        }
    }

    #[test]
    fn tokens_are_compared_by_era_first() {
        let token = |era, revision| Token { era, revision };
        assert!(token(2, 1) > token(1, 900));
        assert!(token(2, 5) > token(2, 4));
    }

    #[test]
    fn a_view_follows_the_rows() {
        let mut view = View::new();
        assert_eq!(view.token(7), None);
        let start = Start {
            node: "server-1".into(),
            boot: 3,
        };
        assert_eq!(
            view.take(&row(
                Key::Era,
                &EraRow {
                    era: 4,
                    why: String::new()
                },
                1
            ))
            .unwrap(),
            Touched::Era
        );
        let member = row(Key::Member(start.clone()), &MemberRow::default(), 2);
        assert_eq!(view.take(&member).unwrap(), Touched::Member(start.clone()));
        let shard = row(Key::Shard(7), &claim("server-1", 3, 9), 5);
        assert_eq!(view.apply(&Change::Put(shard)).unwrap(), Touched::Shard(7));
        assert_eq!(
            view.token(7),
            Some(Token {
                era: 4,
                revision: 5
            })
        );
        assert_eq!(view.shards_of(&start).collect::<Vec<_>>(), [7]);
        assert_eq!(
            view.floors().collect::<Vec<_>>(),
            [(
                7,
                Token {
                    era: 4,
                    revision: 5
                },
                &start
            )]
        );
        let gone = Change::Delete {
            key: Key::Member(start.clone()).to_string(),
        };
        assert_eq!(view.apply(&gone).unwrap(), Touched::Member(start));
        assert!(view.members().is_empty());
    }

    #[test]
    fn a_deleted_claim_does_not_lower_a_token() {
        let mut view = View::new();
        view.take(&row(Key::Shard(7), &claim("a", 1, 1), 5))
            .unwrap();
        let gone = Change::Delete {
            key: "/shards/7".into(),
        };
        assert_eq!(view.apply(&gone).unwrap(), Touched::Nothing);
        assert_eq!(view.token(7).map(|token| token.revision), Some(5));
    }

    #[test]
    fn strange_rows_are_left_aside_and_broken_ones_named() {
        let mut view = View::new();
        assert_eq!(
            view.take(&row(Key::Shard(SHARDS), &claim("a", 1, 1), 5))
                .unwrap(),
            Touched::Nothing
        );
        let broken = Row {
            value: vec![0xFF].into(),
            ..row(Key::Era, &EraRow::default(), 1)
        };
        let error = view.take(&broken).unwrap_err();
        assert!(
            matches!(error, StoreError::BadRow { ref key, .. } if key == "/sys/era"),
            "{error}"
        );
    }
}
