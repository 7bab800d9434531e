//! Orders on a link: numbered and awaited by the server, repeated harmlessly at the device. Source: contracts 5.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use ipdect_proto::link::v1::{OrderResult, OrderStatus};
use sha2::{Digest, Sha256};

/// How long a server waits for the result of an order before it takes the link for dead.
pub const ORDER_TIMEOUT: Duration = Duration::from_secs(2);

/// Orders of one link that are not answered yet; `T` is what the sender wants to know again.
#[derive(Debug)]
pub struct Outstanding<T> {
    next: u64,
    waiting: BTreeMap<u64, (Instant, T)>,
}

impl<T> Default for Outstanding<T> {
    fn default() -> Self {
        Self {
            next: 1,
            waiting: BTreeMap::new(),
        }
    }
}

impl<T> Outstanding<T> {
    /// None yet; the first order is number 1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Numbers an order that is sent now.
    pub fn issue(&mut self, now: Instant, order: T) -> u64 {
        let order_id = self.next;
        self.next += 1;
        self.waiting.insert(order_id, (now + ORDER_TIMEOUT, order));
        order_id
    }

    /// Takes an answer; `None` for a number that does not wait.
    pub fn answered(&mut self, order_id: u64) -> Option<T> {
        self.waiting.remove(&order_id).map(|(_, order)| order)
    }

    /// When the link is to be taken for dead unless an answer comes.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        // Orders are numbered in order of time, so the first waits longest.
        self.waiting
            .first_key_value()
            .map(|(_, (deadline, _))| *deadline)
    }

    /// Whether an order has waited too long.
    #[must_use]
    pub fn overdue(&self, now: Instant) -> bool {
        self.next_deadline().is_some_and(|deadline| now >= deadline)
    }

    /// Orders without answer, oldest first, when the link is gone.
    #[must_use]
    pub fn abandon(self) -> Vec<T> {
        self.waiting.into_values().map(|(_, order)| order).collect()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// What a device finds when an order comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Not carried out before.
    New,
    /// Carried out before with the same content: the same answer, with the new number.
    Same(OrderResult),
    /// Carried out before with other content: CONFLICT.
    Conflict(OrderResult),
}

/// Orders that a device carried out, by the object that they made; `K` names kind and object.
///
/// Holds the latest `capacity` ones.
#[derive(Debug)]
pub struct Performed<K> {
    capacity: usize,
    done: BTreeMap<K, ([u8; 32], OrderStatus, String)>,
    order: VecDeque<K>,
}

impl<K: Ord + Clone> Performed<K> {
    /// Remembers nothing yet, `capacity` orders at most.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            done: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Tells whether an order for `object` was carried out already. `content` is its encoding without order number,
    /// fence and record: those may differ when it is repeated.
    #[must_use]
    pub fn check(&self, object: &K, order_id: u64, content: &[u8]) -> Repeat {
        let Some((digest, status, detail)) = self.done.get(object) else {
            return Repeat::New;
        };
        if *digest == digest_of(content) {
            return Repeat::Same(result(order_id, *status, detail));
        }
        Repeat::Conflict(result(
            order_id,
            OrderStatus::Conflict,
            "ordered before with other content",
        ))
    }

    /// Remembers that an order for `object` ended so.
    pub fn remember(&mut self, object: K, content: &[u8], status: OrderStatus, detail: &str) {
        if self
            .done
            .insert(
                object.clone(),
                (digest_of(content), status, detail.to_owned()),
            )
            .is_none()
        {
            self.order.push_back(object);
        }
        while self.done.len() > self.capacity {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.done.remove(&oldest);
        }
    }

    /// Forgets an object that is gone; its name may be used again.
    pub fn forget(&mut self, object: &K) {
        if self.done.remove(object).is_some() {
            self.order.retain(|known| known != object);
        }
    }
}

fn digest_of(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// An answer to an order.
#[must_use]
pub fn result(order_id: u64, status: OrderStatus, detail: &str) -> OrderResult {
    OrderResult {
        order_id,
        status: status.into(),
        detail: detail.to_owned(),
        seen: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_numbered_and_time_out_after_two_seconds() {
        let t0 = Instant::now();
        let mut orders = Outstanding::new();
        assert_eq!(orders.next_deadline(), None);
        assert_eq!(orders.issue(t0, "a"), 1);
        assert_eq!(orders.issue(t0 + Duration::from_secs(1), "b"), 2);
        assert!(!orders.overdue(t0 + Duration::from_millis(1999)));
        assert!(orders.overdue(t0 + Duration::from_secs(2)));
        assert_eq!(orders.answered(1), Some("a"));
        assert_eq!(orders.answered(1), None);
        assert_eq!(orders.answered(9), None);
        assert!(!orders.overdue(t0 + Duration::from_secs(2)));
        assert_eq!(orders.len(), 1);
        assert_eq!(orders.abandon(), ["b"]);
    }

    #[test]
    fn repeating_an_order_is_harmless() {
        let mut performed = Performed::new(8);
        assert_eq!(performed.check(&"leg 1", 1, b"x"), Repeat::New);
        performed.remember("leg 1", b"x", OrderStatus::Done, "");
        assert_eq!(
            performed.check(&"leg 1", 2, b"x"),
            Repeat::Same(result(2, OrderStatus::Done, ""))
        );
        let conflict = result(
            3,
            OrderStatus::Conflict,
            "ordered before with other content",
        );
        assert_eq!(
            performed.check(&"leg 1", 3, b"y"),
            Repeat::Conflict(conflict)
        );
        performed.forget(&"leg 1");
        assert_eq!(performed.check(&"leg 1", 4, b"y"), Repeat::New);
    }

    #[test]
    fn only_the_latest_are_remembered() {
        let mut performed = Performed::new(2);
        for object in [1, 2, 2, 3] {
            performed.remember(object, b"x", OrderStatus::Done, "");
        }
        let known = [1, 2, 3].map(|object| performed.check(&object, 1, b"x") != Repeat::New);
        assert_eq!(known, [false, true, true]);
    }
}
