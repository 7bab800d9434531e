//! What a device keeps and decides about tokens. Source: contracts 3, takeover 4.

use std::{cmp::Ordering, collections::BTreeMap};

use ipdect_proto::link::v1::{Fence, FenceFloor, OrderResult, OrderStatus};

/// Number of shards.
pub const SHARDS: u32 = 1024;

/// Fencing token: era, then store revision of the shard's latest claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Raised when a store is restored, imported or moved.
    pub era: u64,
    /// Store revision of the claim.
    pub revision: u64,
}

impl Token {
    /// The token in the form of the wire, for a shard.
    #[must_use]
    pub fn fence(self, shard: u32) -> Fence {
        Fence {
            shard,
            era: self.era,
            revision: self.revision,
        }
    }
}

impl From<&Fence> for Token {
    fn from(fence: &Fence) -> Self {
        Self {
            era: fence.era,
            revision: fence.revision,
        }
    }
}

/// One start of a server: its node id and boot id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The server.
    pub node_id: String,
    /// Its process.
    pub boot_id: u64,
}

/// Highest token known of a shard and the start that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Floor {
    token: Token,
    owner: Start,
}

/// What is to be done with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Carry it out.
    Obey,
    /// Its token is lower than one known.
    Fenced {
        /// The one known.
        seen: Token,
    },
    /// It is about an object of another shard.
    WrongShard,
    /// Floors of all shards are not known yet (rule 3): nothing about handsets is carried out.
    NoFloors,
    /// It names no shard that exists.
    Invalid,
}

impl Verdict {
    /// The answer to an order that must not be carried out; `None` if it is to be obeyed.
    #[must_use]
    pub fn answer(self, order_id: u64, shard: u32) -> Option<OrderResult> {
        let (status, detail, seen) = match self {
            Self::Obey => return None,
            Self::Fenced { seen } => (
                OrderStatus::Fenced,
                "a higher token is known",
                Some(seen.fence(shard)),
            ),
            Self::NoFloors => (
                OrderStatus::Fenced,
                "floors not known yet",
                Some(Token::default().fence(shard)),
            ),
            Self::WrongShard => (
                OrderStatus::WrongShard,
                "the object belongs to another shard",
                None,
            ),
            Self::Invalid => (OrderStatus::Invalid, "no such shard", None),
        };
        Some(OrderResult {
            order_id,
            status: status.into(),
            detail: detail.into(),
            seen,
        })
    }
}

/// What a `FenceFloor` brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// Shards whose floor rose.
    pub risen: Vec<u32>,
    /// Shards of which one token is claimed by two starts: an alarm. The start known first stays.
    pub disputed: Vec<u32>,
}

/// Floors of all shards, for the life of one process of a device (and one cluster).
#[derive(Clone, Debug, Default)]
pub struct Floors {
    floors: BTreeMap<u32, Floor>,
    era: u64,
}

impl Floors {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes floors told by a server, whoever owns the shards; lower ones are ignored.
    pub fn learn(&mut self, told: &FenceFloor) -> Learnt {
        let mut learnt = Learnt::default();
        for floor in &told.floors {
            let Some(fence) = &floor.fence else { continue };
            if fence.shard >= SHARDS {
                continue;
            }
            let owner = Start {
                node_id: floor.node_id.clone(),
                boot_id: floor.boot_id,
            };
            match self.compare(fence) {
                Ordering::Greater => {
                    self.raise(fence, owner);
                    learnt.risen.push(fence.shard);
                }
                Ordering::Equal
                    if self
                        .floors
                        .get(&fence.shard)
                        .is_some_and(|known| known.owner != owner) =>
                {
                    learnt.disputed.push(fence.shard);
                }
                _ => {}
            }
        }
        learnt
    }

    /// Judges an order by its fence and remembers a higher token as that of `from`, the start at the other end of the
    /// link. `object` is the shard of the connection or session that the order names, if that exists.
    pub fn judge(&mut self, fence: &Fence, from: &Start, object: Option<u32>) -> Verdict {
        if fence.shard >= SHARDS {
            return Verdict::Invalid;
        }
        if !self.complete() {
            return Verdict::NoFloors;
        }
        let seen = self.floor(fence.shard);
        if Token::from(fence) < seen {
            return Verdict::Fenced { seen };
        }
        if Token::from(fence) > seen {
            self.raise(fence, from.clone());
        }
        if object.is_some_and(|shard| shard != fence.shard) {
            Verdict::WrongShard
        } else {
            Verdict::Obey
        }
    }

    /// Whether floors of all shards are known, so that orders about handsets may be taken.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.floors.len() == SHARDS as usize
    }

    /// Highest token known of a shard; the lowest possible one if none.
    #[must_use]
    pub fn floor(&self, shard: u32) -> Token {
        self.floors
            .get(&shard)
            .map_or_else(Token::default, |floor| floor.token)
    }

    /// The start that the floor of a shard belongs to.
    #[must_use]
    pub fn owner(&self, shard: u32) -> Option<&Start> {
        self.floors.get(&shard).map(|floor| &floor.owner)
    }

    /// Highest era known, for `Hello`; 0 none.
    #[must_use]
    pub fn era(&self) -> u64 {
        self.era
    }

    /// All floors, for `Hello`.
    #[must_use]
    pub fn fences(&self) -> Vec<Fence> {
        self.floors
            .iter()
            .map(|(shard, floor)| floor.token.fence(*shard))
            .collect()
    }

    fn compare(&self, fence: &Fence) -> Ordering {
        match self.floors.get(&fence.shard) {
            Some(floor) => Token::from(fence).cmp(&floor.token),
            None => Ordering::Greater,
        }
    }

    fn raise(&mut self, fence: &Fence, owner: Start) {
        self.era = self.era.max(fence.era);
        self.floors.insert(
            fence.shard,
            Floor {
                token: fence.into(),
                owner,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_proto::link::v1::Floor as ToldFloor;

    fn start(boot_id: u64) -> Start {
        Start {
            node_id: "server-1".into(),
            boot_id,
        }
    }

    fn told(shard: u32, era: u64, revision: u64, boot_id: u64) -> ToldFloor {
        ToldFloor {
            fence: Some(Fence {
                shard,
                era,
                revision,
            }),
            node_id: "server-1".into(),
            boot_id,
        }
    }

    fn all(era: u64, revision: u64, boot_id: u64) -> FenceFloor {
        FenceFloor {
            floors: (0..SHARDS)
                .map(|shard| told(shard, era, revision, boot_id))
                .collect(),
        }
    }

    fn fence(shard: u32, era: u64, revision: u64) -> Fence {
        Fence {
            shard,
            era,
            revision,
        }
    }

    #[test]
    fn nothing_is_obeyed_before_all_floors_are_known() {
        let mut floors = Floors::new();
        let mut most = all(1, 10, 1);
        let last = most.floors.pop().unwrap();
        floors.learn(&most);
        assert_eq!(
            floors.judge(&fence(3, 1, 10), &start(1), None),
            Verdict::NoFloors
        );
        floors.learn(&FenceFloor { floors: vec![last] });
        assert_eq!(
            floors.judge(&fence(3, 1, 10), &start(1), None),
            Verdict::Obey
        );
    }

    #[test]
    fn a_lower_token_is_fenced_an_equal_or_higher_one_obeyed_and_remembered() {
        let mut floors = Floors::new();
        floors.learn(&all(1, 10, 1));
        let seen = Token {
            era: 1,
            revision: 10,
        };
        assert_eq!(
            floors.judge(&fence(5, 1, 9), &start(1), None),
            Verdict::Fenced { seen }
        );
        assert_eq!(
            floors.judge(&fence(5, 1, 10), &start(1), None),
            Verdict::Obey
        );
        assert_eq!(
            floors.judge(&fence(5, 1, 12), &start(2), None),
            Verdict::Obey
        );
        assert_eq!(floors.owner(5), Some(&start(2)));
        let seen = Token {
            era: 1,
            revision: 12,
        };
        assert_eq!(
            floors.judge(&fence(5, 1, 11), &start(1), None),
            Verdict::Fenced { seen }
        );
        // Each shard for itself.
        assert_eq!(
            floors.judge(&fence(6, 1, 10), &start(1), None),
            Verdict::Obey
        );
    }

    #[test]
    fn a_higher_era_is_obeyed_at_once_whatever_its_revision() {
        let mut floors = Floors::new();
        floors.learn(&all(1, 5000, 1));
        assert_eq!(
            floors.judge(&fence(7, 2, 3), &start(9), None),
            Verdict::Obey
        );
        assert_eq!(floors.era(), 2);
        let seen = Token {
            era: 2,
            revision: 3,
        };
        assert_eq!(
            floors.judge(&fence(7, 1, 6000), &start(1), None),
            Verdict::Fenced { seen }
        );
    }

    #[test]
    fn an_order_about_another_shards_object_is_told_so() {
        let mut floors = Floors::new();
        floors.learn(&all(1, 10, 1));
        assert_eq!(
            floors.judge(&fence(5, 1, 10), &start(1), Some(6)),
            Verdict::WrongShard
        );
        assert_eq!(
            floors.judge(&fence(5, 1, 10), &start(1), Some(5)),
            Verdict::Obey
        );
        // Being fenced comes first: the sender must re-read its row, whatever the object.
        let seen = Token {
            era: 1,
            revision: 10,
        };
        assert_eq!(
            floors.judge(&fence(5, 1, 9), &start(1), Some(6)),
            Verdict::Fenced { seen }
        );
    }

    #[test]
    fn floors_never_fall_and_disputes_are_reported() {
        let mut floors = Floors::new();
        assert_eq!(floors.learn(&all(1, 10, 1)).risen.len(), 1024);
        let mixed = FenceFloor {
            floors: vec![
                told(1, 1, 9, 1),
                told(2, 1, 11, 2),
                told(3, 1, 10, 2),
                told(5000, 9, 9, 9),
            ],
        };
        assert_eq!(
            floors.learn(&mixed),
            Learnt {
                risen: vec![2],
                disputed: vec![3]
            }
        );
        assert_eq!(
            floors.floor(1),
            Token {
                era: 1,
                revision: 10
            }
        );
        assert_eq!(floors.owner(3), Some(&start(1)));
        assert_eq!(
            floors.learn(&FenceFloor {
                floors: vec![ToldFloor::default()]
            }),
            Learnt::default()
        );
    }

    #[test]
    fn a_hello_reports_what_is_known() {
        let mut floors = Floors::new();
        assert_eq!((floors.era(), floors.fences()), (0, vec![]));
        floors.learn(&FenceFloor {
            floors: vec![told(4, 3, 8, 1)],
        });
        assert_eq!((floors.era(), floors.fences()), (3, vec![fence(4, 3, 8)]));
    }

    #[test]
    fn answers_carry_the_status_and_the_token_seen() {
        let seen = Token {
            era: 1,
            revision: 10,
        };
        let answer = Verdict::Fenced { seen }.answer(77, 5).unwrap();
        assert_eq!(
            (answer.order_id, answer.status(), answer.seen),
            (77, OrderStatus::Fenced, Some(fence(5, 1, 10)))
        );
        assert_eq!(
            Verdict::WrongShard.answer(1, 5).unwrap().status(),
            OrderStatus::WrongShard
        );
        assert_eq!(
            Verdict::Invalid.answer(1, 5000).unwrap().status(),
            OrderStatus::Invalid
        );
        assert_eq!(Verdict::Obey.answer(1, 5), None);
    }
}
