//! Writes what handsets want kept, in the order they want it, without holding up any of them.
//!
//! One task writes; small writes that wait together share a transaction, because each costs a turn of the disk.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use ipdect_cluster::{Commit, Key, Txn};
use ipdect_dect::identity::{Ipei, shard};
use ipdect_handset::{Event, HandsetRow, Outcome, PresenceRow, Record, Store, Tag};
use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1 as rows;
use prost::Message as _;
use tokio::sync::mpsc;
use tracing::warn;

use crate::directory::Directory;
use crate::directory::plan::{Effect, handset_key, tpui_key};
use crate::fence::Fences;

/// Wishes that may wait. A handset writes a handful a call.
const QUEUE: usize = 4096;
/// Wishes that share a transaction at the most.
const TOGETHER: usize = 40;

/// Tells a handset the result of a write.
pub type Answer = Arc<dyn Fn(Ipei, Event) + Send + Sync>;

struct Wish {
    ipei: Ipei,
    store: Store,
}

/// The door to the writing task, cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    queue: mpsc::Sender<Wish>,
    answer: Answer,
}

struct Task {
    directory: Arc<Directory>,
    fences: Fences,
    answer: Answer,
    node: String,
}

impl Keeper {
    /// Starts the writing task.
    #[must_use]
    pub fn start(directory: Arc<Directory>, fences: Fences, node: String, answer: Answer) -> Self {
        let (queue, wishes) = mpsc::channel(QUEUE);
        let task = Task {
            directory,
            fences,
            answer: answer.clone(),
            node,
        };
        tokio::spawn(task.run(wishes));
        Self { queue, answer }
    }

    /// Takes a wish of the handset `ipei`.
    pub fn keep(&self, ipei: Ipei, store: Store) {
        let tag = tag_of(&store);
        if self.queue.try_send(Wish { ipei, store }).is_err() {
            warn!(%ipei, "the store does not keep up; a write is given up");
            metrics::counter!("ipdect_store_writes_dropped_total").increment(1);
            if let Some(tag) = tag {
                (self.answer)(
                    ipei,
                    Event::Done {
                        tag,
                        outcome: Outcome::Unreachable,
                    },
                );
            }
        }
    }
}

fn tag_of(store: &Store) -> Option<Tag> {
    match store {
        Store::Handset { tag, .. } | Store::ClaimTpui { tag, .. } => Some(*tag),
        Store::Record { tag, .. } => *tag,
        Store::RemoveRecord { .. } | Store::Presence(_) => None,
    }
}

impl Task {
    async fn run(self, mut wishes: mpsc::Receiver<Wish>) {
        let mut waiting = Vec::with_capacity(TOGETHER);
        while wishes.recv_many(&mut waiting, TOGETHER).await > 0 {
            self.write(std::mem::take(&mut waiting)).await;
        }
    }

    async fn write(&self, wishes: Vec<Wish>) {
        let mut together: Vec<(Wish, Vec<Part>)> = Vec::new();
        for wish in wishes {
            match &wish.store {
                Store::Handset { .. } | Store::ClaimTpui { .. } => {
                    self.write_parts(std::mem::take(&mut together)).await;
                    self.write_alone(wish).await;
                }
                _ => {
                    let parts = self.parts(&wish);
                    let known =
                        |key: &str| together.iter().flat_map(|(_, p)| p).any(|p| p.key == key);
                    // The same row twice: the later write must come later.
                    if parts.iter().any(|p| known(&p.key)) {
                        self.write_parts(std::mem::take(&mut together)).await;
                    }
                    together.push((wish, parts));
                }
            }
        }
        self.write_parts(together).await;
    }

    fn parts(&self, wish: &Wish) -> Vec<Part> {
        let number = shard(wish.ipei);
        let call = Key::Call(number, wish.ipei.digits()).to_string();
        let presence = Key::Presence(number, wish.ipei.digits()).to_string();
        match &wish.store {
            Store::Record { record, .. } => {
                let envelope = envelope(&self.directory, wish.ipei, record);
                vec![Part {
                    key: call,
                    value: Some(envelope),
                }]
            }
            Store::RemoveRecord { presence: row } => vec![
                Part {
                    key: call,
                    value: None,
                },
                Part {
                    key: presence,
                    value: Some(presence_row(row, &self.node).encode_to_vec().into()),
                },
            ],
            Store::Presence(row) => {
                vec![Part {
                    key: presence,
                    value: Some(presence_row(row, &self.node).encode_to_vec().into()),
                }]
            }
            Store::Handset { .. } | Store::ClaimTpui { .. } => Vec::new(),
        }
    }

    async fn write_parts(&self, wishes: Vec<(Wish, Vec<Part>)>) {
        if wishes.is_empty() {
            return;
        }
        let mut txn = Txn::new();
        let mut guarded = Vec::new();
        for (wish, parts) in &wishes {
            let number = shard(wish.ipei);
            if !guarded.contains(&number) {
                txn = txn.if_unchanged(Key::Shard(number), self.fences.of(wish.ipei).revision);
                guarded.push(number);
            }
            for part in parts {
                txn = match &part.value {
                    Some(value) => txn.put(part.key.clone(), value.clone()),
                    None => txn.delete(part.key.clone()),
                };
            }
        }
        let outcome = match self.directory.store().txn(txn).await {
            Ok(Commit::Done(_)) => Outcome::Done,
            Ok(Commit::Refused { .. }) => Outcome::Fenced,
            Err(error) => {
                warn!(%error, "records are not written");
                metrics::counter!("ipdect_store_errors_total").increment(1);
                Outcome::Unreachable
            }
        };
        for (wish, _) in wishes {
            if let Some(tag) = tag_of(&wish.store) {
                (self.answer)(wish.ipei, Event::Done { tag, outcome });
            }
        }
    }

    async fn write_alone(&self, wish: Wish) {
        let (tag, outcome) = match wish.store {
            Store::Handset { tag, row } => (tag, self.write_handset(wish.ipei, &row).await),
            Store::ClaimTpui { tag, tpui } => (tag, self.claim_tpui(wish.ipei, tpui).await),
            _ => return,
        };
        (self.answer)(wish.ipei, Event::Done { tag, outcome });
    }

    async fn write_handset(&self, ipei: Ipei, row: &HandsetRow) -> Outcome {
        let key = handset_key(ipei);
        let before = self.directory.book().handset(ipei).cloned();
        let Some(before) = before else {
            return Outcome::UnknownTarget;
        };
        let mut stored = before.row.clone();
        let old_tpui = stored.handset.as_ref().map_or(0, |h| h.tpui);
        stored.sealed_uak = row
            .uak
            .as_ref()
            .map_or_else(Bytes::new, |uak| self.directory.seal(&key, &uak.0));
        stored.terminal_capability = row.terminal_capability.clone().unwrap_or_default().into();
        if let Some(handset) = &mut stored.handset {
            if !handset.subscribed && row.uak.is_some() {
                handset.subscribed_utc_ms = crate::live::utc_ms();
            }
            handset.subscribed = row.uak.is_some();
            handset.tpui = row.tpui.unwrap_or(0);
            handset.model = row.model.as_ref().map(hex::encode).unwrap_or_default();
        }
        let new_tpui = row.tpui.unwrap_or(0);
        let mut txn = Txn::new()
            .if_unchanged(key.clone(), before.revision)
            .put(key, stored.encode_to_vec());
        if old_tpui != 0 && old_tpui != new_tpui {
            txn = txn.delete(tpui_key(old_tpui));
        }
        self.commit(txn, vec![Effect::Handset(ipei, stored)]).await
    }

    /// A temporary identity is whose row it is.
    async fn claim_tpui(&self, ipei: Ipei, tpui: u32) -> Outcome {
        let key = tpui_key(tpui);
        let row = rows::TpuiRow {
            ipei: ipei.digits(),
        };
        match self.directory.store().get(&key).await {
            Ok(Some(found)) => {
                let ours = rows::TpuiRow::decode(found.value).is_ok_and(|r| r == row);
                if ours {
                    Outcome::Done
                } else {
                    Outcome::Conflict
                }
            }
            Ok(None) => match self
                .commit(
                    Txn::new()
                        .if_absent(key.clone())
                        .put(key, row.encode_to_vec()),
                    Vec::new(),
                )
                .await
            {
                Outcome::Fenced => Outcome::Conflict,
                other => other,
            },
            Err(_) => Outcome::Unreachable,
        }
    }

    async fn commit(&self, txn: Txn, effects: Vec<Effect>) -> Outcome {
        match self.directory.write(txn, effects).await {
            Ok(Some(_)) => Outcome::Done,
            Ok(None) => Outcome::Fenced,
            Err(error) => {
                warn!(%error, "a handset's row is not written");
                metrics::counter!("ipdect_store_errors_total").increment(1);
                Outcome::Unreachable
            }
        }
    }
}

struct Part {
    key: String,
    value: Option<Bytes>,
}

/// A handset's record as it may leave the process: sealed, with what a reader must know before it opens it.
#[must_use]
pub fn envelope(directory: &Directory, ipei: Ipei, record: &[u8]) -> Bytes {
    let key = Key::Call(shard(ipei), ipei.digits()).to_string();
    let envelope = rows::RecordEnvelope {
        format: 1,
        lowest_reader: 1,
        written_utc_ms: crate::live::utc_ms(),
        sealed_body: directory.seal(&key, record),
        ipei: ipei.digits(),
        ..Default::default()
    };
    envelope.encode_to_vec().into()
}

/// Reads what [`envelope`] made.
///
/// # Errors
/// Why it cannot be gone on from.
pub fn record_of(directory: &Directory, ipei: Ipei, sealed: &[u8]) -> Result<Record, String> {
    let envelope = rows::RecordEnvelope::decode(sealed).map_err(|e| e.to_string())?;
    if envelope.ipei != ipei.digits() {
        return Err(format!("it is the record of {}", envelope.ipei));
    }
    let key = Key::Call(shard(ipei), ipei.digits()).to_string();
    let record = directory
        .open_sealed(&key, &envelope.sealed_body)
        .ok_or("it was sealed under another key")?;
    Record::decode(&record).map_err(|e| e.to_string())
}

fn presence_row(row: &PresenceRow, node: &str) -> rows::PresenceRow {
    let last_use = row.last_used.map_or(0, crate::live::ms);
    let (base, rpn) = row
        .location
        .clone()
        .map_or((String::new(), 0), |(base, rpn)| (base.0, u32::from(rpn)));
    rows::PresenceRow {
        located: row.location.is_some(),
        base_node_id: base,
        rpn,
        registered_by: if row.contact.is_some() {
            node.into()
        } else {
            String::new()
        },
        contact: row.contact.clone().unwrap_or_default(),
        last_use_utc_ms: last_use,
        message_waiting: false,
        located_utc_ms: 0,
    }
}

/// A presence row as a new owner's first event brings it.
#[must_use]
pub fn presence_of(row: &rows::PresenceRow) -> PresenceRow {
    let at = |ms: u64| SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(ms);
    PresenceRow {
        location: row.located.then(|| {
            (
                ipdect_handset::BaseId(row.base_node_id.clone()),
                u8::try_from(row.rpn).unwrap_or(0),
            )
        }),
        contact: (!row.contact.is_empty()).then(|| row.contact.clone()),
        last_used: (row.last_use_utc_ms != 0).then(|| at(row.last_use_utc_ms)),
    }
}

/// What the admin API shows of a handset's row.
#[must_use]
pub fn shown(row: &rows::HandsetRow, username: String) -> admin::Handset {
    let mut handset = row.handset.clone().unwrap_or_default();
    handset.username = username;
    handset
}
