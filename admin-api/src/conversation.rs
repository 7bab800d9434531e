//! Conversations: a call between two handsets of the system is told by both of them, and is one for people.

use std::collections::BTreeSet;

use ipdect_proto::admin::v1::Call;

/// One conversation, as told by the handsets in it.
#[derive(Clone, Debug)]
pub struct Conversation<'a> {
    /// The end that placed the call, if it is here, else the one that answered.
    pub first: &'a Call,
    /// The others, who answered before who did not.
    pub others: Vec<&'a Call>,
}

impl<'a> Conversation<'a> {
    /// A call whose other side is somewhere else.
    #[must_use]
    pub fn of(call: &'a Call) -> Self {
        Self {
            first: call,
            others: Vec::new(),
        }
    }

    /// All ends, in order.
    pub fn ends(&self) -> impl Iterator<Item = &'a Call> + Clone {
        std::iter::once(self.first).chain(self.others.clone())
    }

    /// Whether an end has not ended.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.ends().any(|end| end.ended_utc_ms == 0)
    }
}

/// Joins calls that are ends of one conversation, in the order in which the first of each comes.
#[must_use]
pub fn conversations<'a>(calls: impl IntoIterator<Item = &'a Call>) -> Vec<Conversation<'a>> {
    let calls: Vec<&Call> = calls.into_iter().collect();
    let mut taken = BTreeSet::new();
    let mut all = Vec::new();
    for call in &calls {
        if taken.contains(call.call_ref.as_str()) {
            continue;
        }
        let is_other = |other: &&Call| call.other_ends.contains(&other.call_ref);
        let mut ends: Vec<&Call> = calls.iter().copied().filter(is_other).collect();
        ends.push(call);
        ends.sort_by_key(|end| {
            (
                !end.outgoing,
                end.answered_utc_ms == 0,
                end.call_ref.clone(),
            )
        });
        taken.extend(ends.iter().map(|end| end.call_ref.as_str()));
        let first = ends.remove(0);
        all.push(Conversation {
            first,
            others: ends,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_one_conversation_and_the_caller_comes_first() {
        let call = |call_ref: &str, outgoing, other: &[&str]| Call {
            call_ref: call_ref.into(),
            outgoing,
            other_ends: other.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let calls = [
            call("called", false, &["caller", "gone"]),
            call("alone", true, &[]),
            call("caller", true, &["called", "gone"]),
        ];
        let found: Vec<Vec<&str>> = conversations(&calls)
            .iter()
            .map(|one| one.ends().map(|end| end.call_ref.as_str()).collect())
            .collect();
        assert_eq!(found, [vec!["caller", "called"], vec!["alone"]]);
    }
}
