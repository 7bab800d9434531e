//! Rows, guards and operations as etcd writes them.

use crate::error::StoreError;
use crate::store::{Change, Revision, Row};
use crate::txn::{Commit, Guard, Op, Txn};
use bytes::Bytes;
use etcd_client::proto::PbTxnOpResponse;
use etcd_client::{Compare, CompareOp, Event, EventType, GetOptions, KeyValue, TxnOp, TxnResponse};

/// etcd's revisions are signed; none of them is negative.
pub(super) fn revision(found: i64) -> Revision {
    Revision::try_from(found).unwrap_or(0)
}

/// A revision for etcd; one that it cannot have becomes one that it never reaches.
pub(super) fn signed(revision: Revision) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

/// The end of the range of all keys that begin with a prefix.
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // etcd's word for "to the last key".
    vec![0]
}

/// The first key of a range: the prefix, or what comes right behind `after`.
pub(super) fn first_of(prefix: &str, after: Option<&str>) -> Vec<u8> {
    match after {
        Some(after) if after >= prefix => [after.as_bytes(), &[0]].concat(),
        // etcd's word for "from the first key".
        _ if prefix.is_empty() => vec![0],
        _ => prefix.as_bytes().to_vec(),
    }
}

/// A row; `None` for keys that are no text: none of ours.
pub(super) fn row(found: KeyValue) -> Option<Row> {
    let (create_revision, mod_revision) = (found.create_revision(), found.mod_revision());
    let (key, value) = found.into_key_value();
    let key = String::from_utf8(key).ok()?;
    Some(Row {
        key,
        value: Bytes::from(value),
        create_revision: revision(create_revision),
        mod_revision: revision(mod_revision),
    })
}

/// A change and its revision; `None` as in [`row`].
pub(super) fn change(event: &Event) -> Option<(Revision, Change)> {
    let found = event.kv()?;
    let modified = revision(found.mod_revision());
    let change = match event.event_type() {
        EventType::Put => Change::Put(row(found.clone())?),
        EventType::Delete => Change::Delete {
            key: found.key_str().ok()?.to_owned(),
        },
    };
    Some((modified, change))
}

/// A transaction that, if it is refused, reads what its guards are about.
pub(super) fn request(txn: &Txn) -> etcd_client::Txn {
    let guards: Vec<Compare> = txn.guards.iter().map(compare).collect();
    let looks: Vec<TxnOp> = txn
        .guards
        .iter()
        .map(|guard| TxnOp::get(guard.key(), Some(GetOptions::new().with_keys_only())))
        .collect();
    let ops: Vec<TxnOp> = txn
        .ops
        .iter()
        .map(|op| match op {
            Op::Put(key, value) => TxnOp::put(key.as_str(), value.as_ref(), None),
            Op::Delete(key) => TxnOp::delete(key.as_str(), None),
        })
        .collect();
    etcd_client::Txn::new()
        .when(guards)
        .and_then(ops)
        .or_else(looks)
}

fn compare(guard: &Guard) -> Compare {
    match guard {
        Guard::Absent(key) => Compare::create_revision(key.as_str(), CompareOp::Equal, 0),
        Guard::Present(key) => Compare::create_revision(key.as_str(), CompareOp::Greater, 0),
        // An absent row has modification revision 0 in etcd; here nothing is unchanged since then.
        Guard::Unchanged(key, 0) => Compare::mod_revision(key.as_str(), CompareOp::Equal, i64::MAX),
        Guard::Unchanged(key, revision) => {
            Compare::mod_revision(key.as_str(), CompareOp::Equal, signed(*revision))
        }
    }
}

/// The answer to such a transaction.
pub(super) fn commit(txn: &Txn, answer: &TxnResponse) -> Result<Commit, StoreError> {
    let revision = answer
        .header()
        .map(|header| revision(header.revision()))
        .ok_or_else(|| StoreError::Unknown("etcd's answer has no header".to_owned()))?;
    if answer.succeeded() {
        return Ok(Commit::Done(revision));
    }
    let found = answer.0.responses.iter().map(|part| match &part.response {
        Some(PbTxnOpResponse::ResponseRange(range)) => range
            .kvs
            .first()
            .map(|row| self::revision(row.mod_revision)),
        _ => None,
    });
    let keys = txn
        .guards
        .iter()
        .zip(found)
        .filter(|(guard, found)| !guard.holds(*found))
        .map(|(guard, _)| guard.key().to_owned());
    Ok(Commit::Refused {
        revision,
        keys: keys.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_all_keys_of_its_prefix_and_no_other() {
        for (prefix, end) in [("/calls/", &b"/calls0"[..]), ("/", b"0"), ("", &[0])] {
            assert_eq!(end_of(prefix), end, "{prefix}");
        }
        assert_eq!(first_of("/calls/", None), b"/calls/");
        assert_eq!(first_of("/calls/", Some("/a")), b"/calls/");
        assert_eq!(first_of("/calls/", Some("/calls/1")), b"/calls/1\0");
        assert_eq!(first_of("", None), [0]);
    }

    #[test]
    fn revisions_that_etcd_cannot_have_are_never_reached() {
        assert_eq!(signed(7), 7);
        assert_eq!(signed(u64::MAX), i64::MAX);
        assert_eq!(revision(-1), 0);
    }
}
