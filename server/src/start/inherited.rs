//! What a start finds of the one before it: where idle handsets were, and records of calls that ended with it.

use std::collections::HashMap;

use ipdect_cluster::keys::prefix;
use ipdect_cluster::{Key, Txn};
use ipdect_dect::identity::Ipei;
use ipdect_handset::PresenceRow;
use ipdect_node::StartError;
use ipdect_proto::cluster::v1 as proto;
use prost::Message as _;
use tracing::warn;

use crate::directory::{Directory, range};
use crate::fence::Fences;
use crate::keep::presence_of;
use crate::trust::store_error;

/// What the store knows of idle handsets; records of calls that ended with the former start are removed.
pub(super) async fn restore(
    directory: &Directory,
    fences: &Fences,
) -> Result<HashMap<Ipei, PresenceRow>, StartError> {
    let store = directory.store().as_ref();
    let mut presence = HashMap::new();
    let rows = range(store, prefix::PRESENCE).await;
    for row in rows.map_err(|e| store_error(&e))? {
        if let (Some(Key::Presence(_, digits)), Ok(value)) =
            (Key::parse(&row.key), proto::PresenceRow::decode(row.value))
            && let Ok(ipei) = digits.parse()
        {
            presence.insert(ipei, presence_of(&value));
        }
    }
    let records = range(store, prefix::CALLS).await;
    for row in records.map_err(|e| store_error(&e))? {
        let Some(Key::Call(shard, digits)) = Key::parse(&row.key) else {
            continue;
        };
        warn!(ipei = %digits, shard, "a call of the former start is not taken over in this release; its record is removed");
        let revision = digits.parse().map_or(0, |ipei| fences.of(ipei).revision);
        let txn = Txn::new()
            .if_unchanged(Key::Shard(shard), revision)
            .delete(row.key);
        store.txn(txn).await.map_err(|e| store_error(&e))?;
    }
    Ok(presence)
}
