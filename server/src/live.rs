//! What happens now: calls, handsets, devices, attempts to subscribe, events, and the ladders of calls.
//!
//! Kept in memory and told to watchers as it changes. A watcher that does not keep up is told all anew: it never misses the last state.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::cluster::v1::live_item::Item;
use ipdect_proto::cluster::v1::{LiveItem, LiveKind};
use parking_lot::Mutex;
use tokio::sync::broadcast;

/// Ended calls, with their ladders, that are kept.
const ENDED: usize = 200;
/// Steps of one ladder; what comes later is counted in the last step kept.
const STEPS: usize = 200;
/// Attempts to subscribe that are kept.
const ATTEMPTS: usize = 200;
/// Events that are kept.
const EVENTS: usize = 1000;
/// Changes a watcher may be behind.
const BEHIND: usize = 4096;

#[derive(Default)]
struct Tables {
    calls: BTreeMap<String, admin::Call>,
    ended: VecDeque<String>,
    handsets: BTreeMap<String, admin::Handset>,
    devices: BTreeMap<String, admin::Device>,
    attempts: VecDeque<admin::SubscriptionAttempt>,
    events: VecDeque<admin::Event>,
    ladders: HashMap<String, Vec<admin::LadderStep>>,
}

struct Inner {
    tables: Mutex<Tables>,
    changes: broadcast::Sender<LiveItem>,
    numbers: AtomicU64,
    node: String,
}

/// The live tables, cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

/// An event to be told; number, time and node are added.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Stable code, such as `link.refused`.
    pub code: &'static str,
    /// How bad.
    pub severity: admin::Severity,
    /// Whom it is about.
    pub subject: String,
    /// One sentence.
    pub text: String,
    /// What to do.
    pub remedy: String,
}

impl Live {
    /// Empty tables of the server `node`.
    #[must_use]
    pub fn new(node: &str) -> Self {
        let (changes, _) = broadcast::channel(BEHIND);
        Self(Arc::new(Inner {
            tables: Mutex::default(),
            changes,
            numbers: AtomicU64::new(1),
            node: node.into(),
        }))
    }

    /// A call began, changed, or (with `ended_utc_ms`) ended.
    pub fn call(&self, call: admin::Call) {
        {
            let mut tables = self.0.tables.lock();
            let key = call.call_ref.clone();
            if call.ended_utc_ms != 0 && !tables.ended.contains(&key) {
                tables.ended.push_back(key.clone());
                if tables.ended.len() > ENDED
                    && let Some(oldest) = tables.ended.pop_front()
                {
                    tables.calls.remove(&oldest);
                    tables.ladders.remove(&oldest);
                }
            }
            tables.calls.insert(key, call.clone());
        }
        self.tell(Item::Call(call));
    }

    /// Changes a call that is known.
    pub fn update_call(&self, call_ref: &str, change: impl FnOnce(&mut admin::Call)) {
        let changed = {
            let mut tables = self.0.tables.lock();
            let Some(call) = tables.calls.get_mut(call_ref) else {
                return;
            };
            change(call);
            call.clone()
        };
        self.call(changed);
    }

    /// The call that is known under this name.
    #[must_use]
    pub fn find_call(&self, call_ref: &str) -> Option<admin::Call> {
        self.0.tables.lock().calls.get(call_ref).cloned()
    }

    /// How many calls stand.
    #[must_use]
    pub fn calls_now(&self) -> usize {
        let tables = self.0.tables.lock();
        tables.calls.len() - tables.ended.len()
    }

    /// The state of a handset.
    pub fn handset(&self, handset: admin::Handset) {
        let changed = {
            let mut tables = self.0.tables.lock();
            tables
                .handsets
                .insert(handset.ipei.clone(), handset.clone())
                .as_ref()
                != Some(&handset)
        };
        if changed {
            self.tell(Item::Handset(handset));
        }
    }

    /// A handset is no longer known.
    pub fn forget_handset(&self, ipei: &str) {
        if let Some(handset) = self.0.tables.lock().handsets.remove(ipei) {
            let _ = self.0.changes.send(LiveItem {
                removed: true,
                item: Some(Item::Handset(handset)),
                synced: false,
            });
        }
    }

    /// The state of a device.
    pub fn device(&self, device: admin::Device) {
        self.0
            .tables
            .lock()
            .devices
            .insert(device.node_id.clone(), device.clone());
        self.tell(Item::Device(device));
    }

    /// Changes a device that is known.
    pub fn update_device(&self, node: &str, change: impl FnOnce(&mut admin::Device)) {
        let changed = {
            let mut tables = self.0.tables.lock();
            let Some(device) = tables.devices.get_mut(node) else {
                return;
            };
            change(device);
            device.clone()
        };
        self.tell(Item::Device(changed));
    }

    /// The device known under this name.
    #[must_use]
    pub fn find_device(&self, node: &str) -> Option<admin::Device> {
        self.0.tables.lock().devices.get(node).cloned()
    }

    /// A device is no longer known.
    pub fn forget_device(&self, node: &str) {
        if let Some(device) = self.0.tables.lock().devices.remove(node) {
            let _ = self.0.changes.send(LiveItem {
                removed: true,
                item: Some(Item::Device(device)),
                synced: false,
            });
        }
    }

    /// An attempt to subscribe; number and time are added.
    pub fn attempt(&self, mut attempt: admin::SubscriptionAttempt) {
        attempt.id = self.number();
        attempt.at_utc_ms = utc_ms();
        push(
            &mut self.0.tables.lock().attempts,
            attempt.clone(),
            ATTEMPTS,
        );
        self.tell(Item::Attempt(attempt));
    }

    /// An event.
    pub fn event(&self, told: Told) {
        let event = admin::Event {
            id: self.number(),
            at_utc_ms: utc_ms(),
            severity: told.severity.into(),
            code: told.code.into(),
            text: told.text,
            node_id: self.0.node.clone(),
            subject: told.subject,
            fields: HashMap::new(),
            remedy: told.remedy,
        };
        push(&mut self.0.tables.lock().events, event.clone(), EVENTS);
        self.tell(Item::Event(event));
    }

    /// One step of a call's ladder.
    pub fn step(&self, step: admin::LadderStep) {
        {
            let mut tables = self.0.tables.lock();
            let ladder = tables.ladders.entry(step.call_ref.clone()).or_default();
            if ladder.len() >= STEPS {
                return;
            }
            ladder.push(step.clone());
        }
        self.tell(Item::Ladder(step));
    }

    /// What is known of a kind; calls, attempts and events latest first.
    #[must_use]
    pub fn list(&self, kind: LiveKind, key: &str, limit: usize) -> Vec<Item> {
        let tables = self.0.tables.lock();
        let limit = if limit == 0 { usize::MAX } else { limit };
        match kind {
            LiveKind::Call => {
                let wanted = tables
                    .calls
                    .values()
                    .rev()
                    .filter(|c| key.is_empty() || c.call_ref == key || c.ipei == key);
                wanted.take(limit).cloned().map(Item::Call).collect()
            }
            LiveKind::Handset => {
                let wanted = tables
                    .handsets
                    .values()
                    .filter(|h| key.is_empty() || h.ipei == key);
                wanted.take(limit).cloned().map(Item::Handset).collect()
            }
            LiveKind::Device => {
                let wanted = tables
                    .devices
                    .values()
                    .filter(|d| key.is_empty() || d.node_id == key);
                wanted.take(limit).cloned().map(Item::Device).collect()
            }
            LiveKind::Attempt => {
                let wanted = tables
                    .attempts
                    .iter()
                    .rev()
                    .filter(|a| key.is_empty() || a.ipei == key);
                wanted.take(limit).cloned().map(Item::Attempt).collect()
            }
            LiveKind::Event => {
                let wanted = tables
                    .events
                    .iter()
                    .rev()
                    .filter(|e| key.is_empty() || e.subject == key);
                wanted.take(limit).cloned().map(Item::Event).collect()
            }
            LiveKind::Ladder => {
                let steps = tables.ladders.get(key).cloned().unwrap_or_default();
                steps.into_iter().take(limit).map(Item::Ladder).collect()
            }
            LiveKind::Unspecified => Vec::new(),
        }
    }

    /// Hears of every change from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<LiveItem> {
        self.0.changes.subscribe()
    }

    fn tell(&self, item: Item) {
        // Nobody listens: that is no error.
        let _ = self.0.changes.send(LiveItem {
            removed: false,
            item: Some(item),
            synced: false,
        });
    }

    fn number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

/// The kind of an item.
#[must_use]
pub fn kind_of(item: &Item) -> LiveKind {
    match item {
        Item::Call(_) => LiveKind::Call,
        Item::Handset(_) => LiveKind::Handset,
        Item::Device(_) => LiveKind::Device,
        Item::Attempt(_) => LiveKind::Attempt,
        Item::Event(_) => LiveKind::Event,
        Item::Ladder(_) => LiveKind::Ladder,
    }
}

/// Whether an item answers to a key, as in [`Live::list`].
#[must_use]
pub fn matches(item: &Item, key: &str) -> bool {
    key.is_empty()
        || match item {
            Item::Call(c) => c.call_ref == key || c.ipei == key,
            Item::Handset(h) => h.ipei == key,
            Item::Device(d) => d.node_id == key,
            Item::Attempt(a) => a.ipei == key,
            Item::Event(e) => e.subject == key,
            Item::Ladder(l) => l.call_ref == key,
        }
}

/// Milliseconds since 1970, for people.
#[must_use]
pub fn utc_ms() -> u64 {
    ms(std::time::SystemTime::now())
}

/// A time in milliseconds since 1970.
#[must_use]
pub fn ms(at: std::time::SystemTime) -> u64 {
    at.duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

fn push<T>(list: &mut VecDeque<T>, item: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, ended: u64) -> admin::Call {
        admin::Call {
            call_ref: name.into(),
            ipei: "655350000001".into(),
            ended_utc_ms: ended,
            ..Default::default()
        }
    }

    #[test]
    fn a_call_stands_until_it_ended_and_its_ladder_stays() {
        let live = Live::new("s1");
        live.call(call("a", 0));
        live.step(admin::LadderStep {
            call_ref: "a".into(),
            summary: "INVITE".into(),
            ..Default::default()
        });
        assert_eq!(live.calls_now(), 1);
        live.update_call("a", |c| c.ended_utc_ms = 5);
        assert_eq!(live.calls_now(), 0);
        assert_eq!(live.list(LiveKind::Ladder, "a", 0).len(), 1);
    }

    #[test]
    fn only_so_many_ended_calls_are_kept() {
        let live = Live::new("s1");
        for n in 0..=ENDED {
            live.call(call(&format!("{n:04}"), 1));
        }
        assert_eq!(live.list(LiveKind::Call, "", 0).len(), ENDED);
        assert!(live.find_call("0000").is_none());
    }

    #[tokio::test]
    async fn watchers_hear_a_change_once() {
        let live = Live::new("s1");
        let mut watcher = live.subscribe();
        let handset = admin::Handset {
            ipei: "655350000001".into(),
            ..Default::default()
        };
        live.handset(handset.clone());
        live.handset(handset);
        assert!(watcher.try_recv().is_ok());
        assert!(
            watcher.try_recv().is_err(),
            "the same state twice is no change"
        );
    }
}
