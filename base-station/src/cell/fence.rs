//! Fencing tokens and the floors that a device keeps of them.
//!
//! Of each shard the highest token known is kept, with the one start that it belongs to; lower ones are refused,
//! equal and higher ones obeyed. Before any floor of a shard is known its orders are refused: after its own boot a
//! device cannot tell an old owner from a new one.

use ipdect_dect::identity::SHARDS;

/// What an owner proves itself by: compared by era, then by store revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Raised when a store is restored, imported or moved.
    pub era: u64,
    /// Store revision of the shard's latest claim.
    pub revision: u64,
}

/// A token of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fence {
    /// 0..=1023.
    pub shard: u16,
    /// The token.
    pub token: Token,
}

/// One start of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The server.
    pub node_id: String,
    /// 64 bits, new in each process.
    pub boot_id: u64,
}

/// The floor of one shard as told by a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Latest claim.
    pub fence: Fence,
    /// Whose it is.
    pub start: Start,
}

/// Highest token known of each shard.
#[derive(Debug, Clone)]
pub struct Floors {
    known: Vec<Option<(Token, Start)>>,
    rises: u64,
}

/// An order was given in the name of a token that is not the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenced {
    /// The floor, if any is known.
    pub seen: Option<Fence>,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            known: vec![None; usize::from(SHARDS)],
            rises: 0,
        }
    }
}

impl Floors {
    /// Takes in what a server told; answers how many floors rose.
    pub fn learn(&mut self, floors: Vec<Floor>) -> usize {
        floors
            .into_iter()
            .filter(|floor| self.raise(floor.fence, &floor.start))
            .count()
    }

    /// Lets an order pass, or refuses it. A higher token than known is remembered as its giver's.
    ///
    /// # Errors
    /// [`Fenced`] if a higher token is known, if none is known yet, or if there is no such shard.
    pub fn admit(&mut self, fence: Fence, giver: &Start) -> Result<(), Fenced> {
        match self.floor(fence.shard) {
            Some(floor) if fence.token >= floor => {
                self.raise(fence, giver);
                Ok(())
            }
            floor => Err(Fenced {
                seen: floor.map(|token| Fence {
                    shard: fence.shard,
                    token,
                }),
            }),
        }
    }

    /// Highest token known of a shard.
    pub fn floor(&self, shard: u16) -> Option<Token> {
        self.known
            .get(usize::from(shard))?
            .as_ref()
            .map(|(token, _)| *token)
    }

    /// How often a floor rose: tells whether [`Floors::all`] is worth asking again.
    pub fn rises(&self) -> u64 {
        self.rises
    }

    /// All floors known, for a `Hello`.
    pub fn all(&self) -> Vec<Fence> {
        let floor = |(shard, known): (usize, &Option<(Token, Start)>)| {
            known.as_ref().map(|(token, _)| Fence {
                shard: shard as u16,
                token: *token,
            })
        };
        self.known.iter().enumerate().filter_map(floor).collect()
    }

    /// Highest era known, 0 for none.
    pub fn era(&self) -> u64 {
        self.known
            .iter()
            .flatten()
            .map(|(token, _)| token.era)
            .max()
            .unwrap_or(0)
    }

    fn raise(&mut self, fence: Fence, start: &Start) -> bool {
        let Some(known) = self.known.get_mut(usize::from(fence.shard)) else {
            return false;
        };
        let higher = known.as_ref().is_none_or(|(token, _)| fence.token > *token);
        if higher {
            *known = Some((fence.token, start.clone()));
            self.rises += 1;
        }
        higher
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(shard: u16, era: u64, revision: u64) -> Fence {
        Fence {
            shard,
            token: Token { era, revision },
        }
    }

    fn start(node_id: &str) -> Start {
        Start {
            node_id: node_id.into(),
            boot_id: 7,
        }
    }

    fn told(floors: &mut Floors, fence: Fence) -> usize {
        floors.learn(vec![Floor {
            fence,
            start: start("server-1"),
        }])
    }

    #[test]
    fn nothing_is_obeyed_before_a_floor_is_known() {
        let mut floors = Floors::default();
        assert_eq!(
            floors.admit(fence(5, 1, 10), &start("a")),
            Err(Fenced { seen: None })
        );
        told(&mut floors, fence(5, 1, 10));
        assert_eq!(floors.admit(fence(5, 1, 10), &start("a")), Ok(()));
        // Another shard is another matter.
        assert_eq!(
            floors.admit(fence(6, 1, 10), &start("a")),
            Err(Fenced { seen: None })
        );
    }

    #[test]
    fn lower_tokens_are_refused_and_higher_ones_remembered() {
        let mut floors = Floors::default();
        told(&mut floors, fence(5, 1, 10));
        assert_eq!(floors.admit(fence(5, 1, 12), &start("b")), Ok(()));
        assert_eq!(
            floors.admit(fence(5, 1, 11), &start("a")),
            Err(Fenced {
                seen: Some(fence(5, 1, 12))
            })
        );
        assert_eq!(floors.admit(fence(5, 1, 12), &start("b")), Ok(()));
    }

    #[test]
    fn a_higher_era_wins_whatever_its_revision() {
        let mut floors = Floors::default();
        told(&mut floors, fence(5, 1, 1_000_000));
        assert_eq!(floors.admit(fence(5, 2, 3), &start("b")), Ok(()));
        assert_eq!(
            floors.admit(fence(5, 1, 2_000_000), &start("a")),
            Err(Fenced {
                seen: Some(fence(5, 2, 3))
            })
        );
        assert_eq!(floors.era(), 2);
    }

    #[test]
    fn floors_told_late_do_not_fall() {
        let mut floors = Floors::default();
        assert_eq!(told(&mut floors, fence(1023, 1, 10)), 1);
        assert_eq!(told(&mut floors, fence(1023, 1, 9)), 0);
        assert_eq!(floors.all(), [fence(1023, 1, 10)]);
    }

    #[test]
    fn a_shard_that_does_not_exist_is_refused() {
        let mut floors = Floors::default();
        assert_eq!(told(&mut floors, fence(1024, 1, 10)), 0);
        assert_eq!(
            floors.admit(fence(1024, 1, 10), &start("a")),
            Err(Fenced { seen: None })
        );
    }
}
