//! What a start finds of the one before it: where handsets were, and records of the calls that it left.

use ipdect_cluster::keys::prefix;
use ipdect_cluster::{Key, Txn};
use ipdect_dect::identity::Ipei;
use ipdect_handset::{PresenceRow, Record};
use ipdect_node::StartError;
use ipdect_proto::cluster::v1 as proto;
use prost::Message as _;
use tracing::warn;

use crate::directory::{Directory, range};
use crate::fence::Fences;
use crate::keep::{presence_of, record_of};
use crate::trust::store_error;

/// All of it.
#[derive(Default)]
pub(super) struct Inherited {
    /// Where handsets were.
    pub(super) presence: Vec<(Ipei, PresenceRow)>,
    /// Calls, by their handsets.
    pub(super) calls: Vec<(Ipei, Record)>,
    /// Handsets whose calls cannot be gone on with, and why.
    pub(super) lost: Vec<(String, String)>,
}

/// Reads it. A record that nobody can go on from is removed.
pub(super) async fn read(directory: &Directory, fences: &Fences) -> Result<Inherited, StartError> {
    let store = directory.store().as_ref();
    let mut found = Inherited::default();
    let rows = range(store, prefix::PRESENCE).await;
    for row in rows.map_err(|e| store_error(&e))? {
        if let (Some(Key::Presence(_, digits)), Ok(value)) =
            (Key::parse(&row.key), proto::PresenceRow::decode(row.value))
            && let Ok(ipei) = digits.parse()
        {
            found.presence.push((ipei, presence_of(&value)));
        }
    }
    let records = range(store, prefix::CALLS).await;
    for row in records.map_err(|e| store_error(&e))? {
        let Some(Key::Call(shard, digits)) = Key::parse(&row.key) else {
            continue;
        };
        let ipei = digits.parse::<Ipei>().ok();
        let in_use = |ipei: &Ipei| directory.book().user_of(*ipei).is_some();
        let record = match ipei.filter(in_use) {
            Some(ipei) => record_of(directory, ipei, &row.value).map(|record| (ipei, record)),
            None => Err("its user was removed".into()),
        };
        match record {
            Ok(call) => found.calls.push(call),
            Err(why) => {
                warn!(ipei = %digits, shard, why, "a call of the former start cannot be taken over; its record is removed");
                let revision = ipei.map_or(0, |ipei| fences.of(ipei).revision);
                let txn = Txn::new()
                    .if_unchanged(Key::Shard(shard), revision)
                    .delete(row.key);
                store.txn(txn).await.map_err(|e| store_error(&e))?;
                found.lost.push((digits, why));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use ipdect_dect::identity::{SHARDS, shard};
    use ipdect_proto::cluster::v1::Kind;
    use ipdect_proto::cluster::v1::resource::Value;

    use super::*;
    use crate::directory::tests::{apply, empty, put, user};
    use crate::fence::{Claim, Claims};
    use crate::keep::envelope;
    use crate::snapshots::tests::record;

    /// Claims under which nothing was written yet: their rows do not exist.
    fn fences() -> Fences {
        let claim = Claim {
            revision: 0,
            generation: 1,
            node: "server-1".into(),
            boot: 1,
        };
        Fences::new(Claims {
            era: 1,
            shards: vec![claim; usize::from(SHARDS)],
        })
    }

    fn key(ipei: Ipei) -> String {
        Key::Call(shard(ipei), ipei.digits()).to_string()
    }

    #[tokio::test]
    async fn a_record_is_taken_up_or_removed_with_the_reason() {
        let directory = empty().await;
        let ipeis = ["65535 0000001", "65535 0000002", "65535 0000003"];
        for (number, ipei) in ["1001", "1002", "1003"].iter().zip(ipeis) {
            let value = Value::User(user(number, ipei));
            apply(&directory, vec![put(Kind::User, "", 0, value)]).await;
        }
        let [good, newer, stranger, gone] = [
            "65535 0000001",
            "65535 0000002",
            "65535 0000003",
            "65535 0000004",
        ]
        .map(|text| text.parse::<Ipei>().unwrap());
        let store = directory.store().clone();
        let sealed = |ipei, octets: &[u8]| envelope(&directory, ipei, octets);
        let octets = record(1, 4).encode();
        for (place, value) in [
            (good, sealed(good, &octets)),
            (newer, sealed(newer, br#"{"format":9,"lowest":9}"#)),
            (stranger, sealed(good, &octets)),
            (gone, sealed(gone, &octets)),
        ] {
            store.put(&key(place), value).await.unwrap();
        }

        let mut found = read(&directory, &fences()).await.unwrap();
        assert_eq!(found.calls, [(good, record(1, 4))]);
        found.lost.sort();
        let why = |ipei: Ipei, why: &str| (ipei.digits(), why.to_owned());
        assert_eq!(
            found.lost,
            [
                why(newer, "record needs a reader of format 9, this one knows 1"),
                why(stranger, &format!("it is the record of {}", good.digits())),
                why(gone, "its user was removed"),
            ]
        );
        for (ipei, stays) in [
            (good, true),
            (newer, false),
            (stranger, false),
            (gone, false),
        ] {
            let row = store.get(&key(ipei)).await.unwrap();
            assert_eq!(row.is_some(), stays, "{ipei}");
        }
    }
}
