//! What happens now, kept up to date by one stream from the servers, whoever looks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1::live_item::Item;
use ipdect_proto::cluster::v1::{LiveItem, LiveKind};
use parking_lot::RwLock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::words::now_ms;
use crate::api::upstream::Upstream;
use crate::conversation::{Conversation, conversations};

/// Attempts to subscribe that are kept.
const ATTEMPTS: usize = 100;
/// Pause before a broken stream is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// What is watched.
const KINDS: &[LiveKind] = &[
    LiveKind::Call,
    LiveKind::Handset,
    LiveKind::Device,
    LiveKind::Attempt,
];

/// The tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// By call ref, ended ones too as long as the server keeps them.
    pub(crate) calls: BTreeMap<String, admin::Call>,
    /// By IPEI.
    pub(crate) handsets: BTreeMap<String, admin::Handset>,
    /// By node id.
    pub(crate) devices: BTreeMap<String, admin::Device>,
    /// Oldest first.
    pub(crate) attempts: VecDeque<admin::SubscriptionAttempt>,
    /// All that is has been told.
    pub(crate) synced: bool,
    /// Since when no server tells anything, milliseconds since 1970; 0: one does.
    pub(crate) lost_utc_ms: u64,
    /// Why.
    pub(crate) lost_because: String,
}

impl Tables {
    /// Takes in one item.
    pub(crate) fn apply(&mut self, told: LiveItem) {
        self.synced |= told.synced;
        match told.item {
            Some(Item::Call(call)) => {
                keep(&mut self.calls, call.call_ref.clone(), call, told.removed)
            }
            Some(Item::Handset(h)) => keep(&mut self.handsets, h.ipei.clone(), h, told.removed),
            Some(Item::Device(d)) => keep(&mut self.devices, d.node_id.clone(), d, told.removed),
            Some(Item::Attempt(attempt)) if !told.removed => {
                self.attempts
                    .retain(|a| (a.id, a.at_utc_ms) != (attempt.id, attempt.at_utc_ms));
                self.attempts.push_back(attempt);
                if self.attempts.len() > ATTEMPTS {
                    self.attempts.pop_front();
                }
            }
            _ => {}
        }
    }

    /// Conversations that stand, latest first.
    pub(crate) fn conversations(&self) -> Vec<Conversation<'_>> {
        conversations(self.calls.values().rev().filter(|c| c.ended_utc_ms == 0))
    }
}

fn keep<T>(table: &mut BTreeMap<String, T>, key: String, value: T, removed: bool) {
    if removed {
        table.remove(&key);
    } else {
        table.insert(key, value);
    }
}

/// The tables, shared by all pages. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Board(Arc<Inner>);

struct Inner {
    tables: RwLock<Tables>,
    changed: watch::Sender<u64>,
}

impl Board {
    /// Empty tables.
    pub(crate) fn new() -> Self {
        let (changed, _) = watch::channel(0);
        Self(Arc::new(Inner {
            tables: RwLock::default(),
            changed,
        }))
    }

    /// Looks at the tables.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Tables) -> T) -> T {
        at(&self.0.tables.read())
    }

    /// Hears of each change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Follows the servers until `stop`; a broken stream is opened again, and tells all anew.
    pub(crate) async fn follow(self, upstream: Upstream, stop: CancellationToken) {
        let follow = async {
            loop {
                let ended = self.follow_once(&upstream).await;
                self.lose(ended);
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = follow => {}
        }
    }

    async fn follow_once(&self, upstream: &Upstream) -> Status {
        let mut stream = match upstream.live_watch(KINDS, "").await {
            Ok(stream) => stream,
            Err(status) => return status,
        };
        // Old tables stay in sight until the new ones are whole.
        let mut fresh = Some(Tables::default());
        loop {
            match stream.message().await {
                Ok(Some(item)) => self.take(&mut fresh, item),
                Ok(None) => return Status::unavailable("the server ended the stream"),
                Err(status) => return status,
            }
        }
    }

    fn take(&self, fresh: &mut Option<Tables>, item: LiveItem) {
        if let Some(tables) = fresh.as_mut() {
            tables.apply(item);
            if !tables.synced {
                return;
            }
            *self.0.tables.write() = fresh.take().unwrap_or_default();
        } else {
            self.0.tables.write().apply(item);
        }
        self.tell();
    }

    fn lose(&self, why: Status) {
        {
            let mut tables = self.0.tables.write();
            if tables.lost_utc_ms == 0 {
                tables.lost_utc_ms = now_ms();
            }
            tables.lost_because = why.message().into();
        }
        self.tell();
    }

    fn tell(&self) {
        self.0.changed.send_modify(|n| *n = n.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> LiveItem {
        let device = admin::Device {
            node_id: name.into(),
            ..Default::default()
        };
        LiveItem {
            removed: false,
            item: Some(Item::Device(device)),
            synced: false,
        }
    }

    fn synced() -> LiveItem {
        LiveItem {
            removed: false,
            item: None,
            synced: true,
        }
    }

    fn names(board: &Board) -> Vec<String> {
        board.look(|t| t.devices.keys().cloned().collect())
    }

    #[test]
    fn after_a_broken_stream_the_old_tables_stay_until_the_new_ones_are_whole() {
        let board = Board::new();
        let mut fresh = Some(Tables::default());
        [device("a"), device("b"), synced()]
            .into_iter()
            .for_each(|i| board.take(&mut fresh, i));
        assert_eq!(names(&board), ["a", "b"]);
        board.lose(Status::unavailable("gone"));
        assert!(board.look(|t| t.lost_utc_ms > 0 && t.lost_because == "gone"));
        let mut fresh = Some(Tables::default());
        board.take(&mut fresh, device("b"));
        assert_eq!(names(&board), ["a", "b"]);
        board.take(&mut fresh, synced());
        assert_eq!(names(&board), ["b"]);
        assert_eq!(board.look(|t| t.lost_utc_ms), 0);
        board.take(
            &mut fresh,
            LiveItem {
                removed: true,
                ..device("b")
            },
        );
        assert_eq!(names(&board), Vec::<String>::new());
    }

    #[test]
    fn a_call_between_two_of_our_handsets_counts_once() {
        let call = |call_ref: &str, other: &[&str], ended_utc_ms| admin::Call {
            call_ref: call_ref.into(),
            other_ends: other.iter().map(ToString::to_string).collect(),
            ended_utc_ms,
            ..Default::default()
        };
        let mut tables = Tables::default();
        for c in [
            call("a", &["b"], 0),
            call("b", &["a"], 0),
            call("c", &[], 0),
            call("d", &[], 1),
        ] {
            tables.calls.insert(c.call_ref.clone(), c);
        }
        assert_eq!(tables.conversations().len(), 2);
    }

    #[test]
    fn an_attempt_told_twice_is_kept_once() {
        let attempt = admin::SubscriptionAttempt {
            id: 7,
            at_utc_ms: 1,
            ..Default::default()
        };
        let item = LiveItem {
            removed: false,
            item: Some(Item::Attempt(attempt)),
            synced: false,
        };
        let mut tables = Tables::default();
        tables.apply(item.clone());
        tables.apply(item);
        assert_eq!(tables.attempts.len(), 1);
    }
}
