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
    /// Calls that are kept by the Call-ID of their SIP dialog.
    by_call_id: HashMap<String, Vec<String>>,
    handsets: BTreeMap<String, admin::Handset>,
    devices: BTreeMap<String, admin::Device>,
    attempts: VecDeque<admin::SubscriptionAttempt>,
    events: VecDeque<admin::Event>,
    ladders: HashMap<String, Vec<admin::LadderStep>>,
}

impl Tables {
    /// Keeps a call as it is now; answers what changed: the call, and other ends that learn of it.
    fn keep_call(&mut self, mut call: admin::Call) -> Vec<admin::Call> {
        let key = call.call_ref.clone();
        let before = self.calls.get(&key);
        call.other_ends = before.map_or_else(Vec::new, |c| c.other_ends.clone());
        let newly_named = !call.sip_call_id.is_empty()
            && before.is_none_or(|c| c.sip_call_id != call.sip_call_id);
        let mut changed = Vec::new();
        if newly_named {
            changed = self.join(&mut call);
        }
        if call.ended_utc_ms != 0 && !self.ended.contains(&key) {
            self.ended.push_back(key.clone());
            if self.ended.len() > ENDED
                && let Some(oldest) = self.ended.pop_front()
            {
                self.forget_call(&oldest);
            }
        }
        self.calls.insert(key, call.clone());
        changed.insert(0, call);
        changed
    }

    /// Joins a call with those that stand under its Call-ID: a proxy between two handsets here leaves it as it is.
    fn join(&mut self, call: &mut admin::Call) -> Vec<admin::Call> {
        let named = self.by_call_id.entry(call.sip_call_id.clone()).or_default();
        let mut joined = Vec::new();
        for other in named.iter() {
            let Some(other) = self.calls.get_mut(other).filter(|c| c.ended_utc_ms == 0) else {
                continue;
            };
            other.other_ends.push(call.call_ref.clone());
            call.other_ends.push(other.call_ref.clone());
            joined.push(other.clone());
        }
        named.push(call.call_ref.clone());
        joined
    }

    fn forget_call(&mut self, call_ref: &str) {
        self.ladders.remove(call_ref);
        let Some(call) = self.calls.remove(call_ref) else {
            return;
        };
        if let Some(named) = self.by_call_id.get_mut(&call.sip_call_id) {
            named.retain(|other| other != call_ref);
            if named.is_empty() {
                self.by_call_id.remove(&call.sip_call_id);
            }
        }
    }
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

    /// A call began, changed, or (with `ended_utc_ms`) ended. Its other ends are found here.
    pub fn call(&self, call: admin::Call) {
        let changed = self.0.tables.lock().keep_call(call);
        for call in changed {
            self.tell(Item::Call(call));
        }
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
mod tests;
