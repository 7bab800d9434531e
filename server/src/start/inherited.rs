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
            }
        }
    }
    Ok(found)
}
