//! Commit, then speak: actions wait here, in order, until what they depend on is committed.
//!
//! Source: `takeover.md` section 5. An action pushed with [`Outbox::commit`] is an order that brings the record to a fenced
//! receiver; all that is pushed after it stays inside until its result is in. So whatever a turn says to a peer after its
//! commit leaves only then, and so does whatever later turns have to say.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::action::{Action, Store};
use crate::event::{Outcome, Tag};

/// Longest wait for the result of a commit; the body answers within 2 s. A guard, not a protocol timer.
const COMMIT_GUARD: Duration = Duration::from_secs(5);

/// Actions on their way out.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Item>,
    gate: Option<Gate>,
}

#[derive(Debug)]
struct Item {
    action: Action,
    commit: Option<Commit>,
}

/// A commit that is not decided yet.
#[derive(Debug, Clone)]
struct Commit {
    tag: Tag,
    /// What to commit in the store when the media resource does not take it; `None`: nothing, its refusal is an answer.
    record: Option<Bytes>,
    /// The store itself was asked already.
    in_store: bool,
}

#[derive(Debug)]
struct Gate {
    commit: Commit,
    give_up_at: Instant,
}

/// What came of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not the result that the outbox waits for.
    NotOurs,
    /// Committed, here or there: what waited goes out.
    Open,
    /// The receiver knows a newer owner: nothing may be said any more.
    Fenced,
}

impl Outbox {
    /// Adds an action.
    pub(crate) fn push(&mut self, action: Action) {
        self.waiting.push_back(Item {
            action,
            commit: None,
        });
    }

    /// Adds an order that commits `record`; what comes after it waits for the result of `tag`.
    pub(crate) fn commit(&mut self, action: Action, tag: Tag, record: Bytes) {
        self.gate(action, tag, Some(record));
    }

    /// Adds an order whose refusal is an answer too; what comes after it waits for the result of `tag`.
    pub(crate) fn ask(&mut self, action: Action, tag: Tag) {
        self.gate(action, tag, None);
    }

    fn gate(&mut self, action: Action, tag: Tag, record: Option<Bytes>) {
        let commit = Commit {
            tag,
            record,
            in_store: false,
        };
        self.waiting.push_back(Item {
            action,
            commit: Some(commit),
        });
    }

    /// Takes what may go out now.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<Action> {
        let mut out = Vec::new();
        while self.gate.is_none() {
            let Some(Item { action, commit }) = self.waiting.pop_front() else {
                break;
            };
            out.push(action);
            self.gate = commit.map(|commit| Gate {
                commit,
                give_up_at: now + COMMIT_GUARD,
            });
        }
        out
    }

    /// Takes in a result. A media resource that does not take the commit is replaced by the store, a store that is away by
    /// nothing: calls go on (`takeover.md` 5, rule 1 and column "store away").
    pub(crate) fn result(
        &mut self,
        tag: Tag,
        outcome: Outcome,
        mut fresh: impl FnMut() -> Tag,
    ) -> Verdict {
        let Some(gate) = self.gate.take_if(|gate| gate.commit.tag == tag) else {
            return Verdict::NotOurs;
        };
        match outcome {
            Outcome::Fenced | Outcome::WrongShard => {
                self.waiting.clear();
                Verdict::Fenced
            }
            Outcome::Done => Verdict::Open,
            _ => {
                if let Some(record) = gate.commit.record.filter(|_| !gate.commit.in_store) {
                    let commit = Commit {
                        tag: fresh(),
                        record: Some(record.clone()),
                        in_store: true,
                    };
                    let action = Action::Store(Store::Record {
                        tag: Some(commit.tag),
                        record,
                    });
                    self.waiting.push_front(Item {
                        action,
                        commit: Some(commit),
                    });
                }
                Verdict::Open
            }
        }
    }

    /// The commit whose result is overdue at `now`, if any.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Tag> {
        self.gate
            .as_ref()
            .filter(|gate| now >= gate.give_up_at)
            .map(|gate| gate.commit.tag)
    }

    /// When [`Outbox::overdue`] has something to say.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.gate.as_ref().map(|gate| gate.give_up_at)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.gate.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Media;
    use crate::media::{LegId, SessionId};
    use crate::tests::t0;

    const SESSION: SessionId = SessionId(1);

    fn note(tag: u64) -> Action {
        Action::Media(Media::Note {
            tag: Tag(tag),
            session: SESSION,
            record: record(),
        })
    }

    fn record() -> Bytes {
        Bytes::from_static(b"record")
    }

    fn word() -> Action {
        Action::Media(Media::StopTone {
            session: SESSION,
            leg: LegId::BASE,
        })
    }

    fn gated() -> Outbox {
        let mut outbox = Outbox::default();
        outbox.commit(note(1), Tag(1), record());
        outbox.push(word());
        outbox
    }

    #[test]
    fn what_follows_a_commit_waits_for_its_result() {
        let mut outbox = gated();
        assert_eq!(outbox.take(t0()), [note(1)]);
        assert_eq!(outbox.take(t0()), []);
        assert_eq!(
            outbox.result(Tag(7), Outcome::Done, || Tag(9)),
            Verdict::NotOurs
        );
        assert_eq!(
            outbox.result(Tag(1), Outcome::Done, || Tag(9)),
            Verdict::Open
        );
        assert_eq!(outbox.take(t0()), [word()]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_silent_media_resource_is_replaced_by_the_store_and_a_silent_store_by_nothing() {
        let mut outbox = gated();
        outbox.take(t0());
        outbox.result(Tag(1), Outcome::Unreachable, || Tag(9));
        let in_store = Action::Store(Store::Record {
            tag: Some(Tag(9)),
            record: record(),
        });
        assert_eq!(outbox.take(t0()), [in_store]);
        outbox.result(Tag(9), Outcome::Unreachable, || Tag(10));
        assert_eq!(outbox.take(t0()), [word()]);
    }

    #[test]
    fn a_fenced_commit_says_nothing_more() {
        let mut outbox = gated();
        outbox.take(t0());
        assert_eq!(
            outbox.result(Tag(1), Outcome::Fenced, || Tag(9)),
            Verdict::Fenced
        );
        assert_eq!(outbox.take(t0()), []);
    }
}
