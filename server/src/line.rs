//! The line to one device: its link while it stands, and the orders on it that wait for a result.

use std::fmt::Display;
use std::time::Instant;

use bytes::Bytes;
use ipdect_handset::Trace;
use ipdect_link::contract::Envelope;
use ipdect_link::live::{LinkEnd, LinkHandle, LinkSender};
use ipdect_link::orders::Outstanding;
use ipdect_proto::link::v1 as link;
use tracing::warn;

/// A line; `A` is what is to be known again when an order's result comes.
pub(crate) struct Line<E: Envelope, A> {
    down: Option<LinkSender<E>>,
    orders: Outstanding<A>,
}

impl<E: Envelope, A> Line<E, A> {
    /// A line whose link does not stand yet.
    pub(crate) fn new() -> Self {
        Self {
            down: None,
            orders: Outstanding::new(),
        }
    }

    /// A link stands. It counts its orders anew.
    pub(crate) fn connect(&mut self, down: LinkSender<E>) {
        self.down = Some(down);
        self.orders = Outstanding::new();
    }

    /// The link is dead: what was asked without result, oldest first. `None` if a newer link of the same unit has taken
    /// its place, which is none of the old one's business.
    pub(crate) fn disconnect(&mut self, link: &LinkHandle) -> Option<Vec<A>> {
        let newer = |down: &LinkSender<E>| !down.handle().is(link);
        if self.down.as_ref().is_some_and(newer) {
            return None;
        }
        self.down = None;
        Some(std::mem::take(&mut self.orders).abandon())
    }

    /// Whether the link stands.
    pub(crate) fn stands(&self) -> bool {
        self.down.is_some()
    }

    /// Ends the link of a device that may no longer have one.
    pub(crate) fn cut(&self) {
        if let Some(down) = &self.down {
            down.handle().end(LinkEnd::Closed);
        }
    }

    /// Ends the link if its oldest order waits too long for its result.
    pub(crate) fn end_if_overdue(&self, now: Instant, node: &dyn Display) {
        if let Some(down) = self.down.as_ref().filter(|_| self.orders.overdue(now)) {
            warn!(%node, "an order has had no result for 2 s; its link counts as dead");
            down.handle().end(LinkEnd::Silent);
        }
    }

    /// Sends an order; `false` if it does not go out, and no result will come.
    pub(crate) fn order(
        &mut self,
        now: Instant,
        asked: A,
        fence: link::Fence,
        trace: &Trace,
        make: impl FnOnce(link::Order) -> E::Body,
    ) -> bool {
        let Some(down) = &self.down else {
            return false;
        };
        let order_id = self.orders.issue(now, asked);
        let body = make(link::Order {
            order_id,
            fence: Some(fence),
        });
        let sent = down.send(trace_bytes(trace), body).is_ok();
        if !sent {
            self.orders.answered(order_id);
        }
        sent
    }

    /// Takes the result of an order; `None` for a number that does not wait.
    pub(crate) fn answered(&mut self, order_id: u64) -> Option<A> {
        self.orders.answered(order_id)
    }

    /// Sends what is no order, if the link stands.
    pub(crate) fn tell(&self, node: &dyn Display, body: E::Body) {
        if let Some(down) = &self.down
            && down.send(Bytes::new(), body).is_err()
        {
            warn!(%node, "a device does not keep up");
        }
    }
}

/// A trace as envelopes carry it.
fn trace_bytes(trace: &Trace) -> Bytes {
    trace
        .0
        .map_or_else(Bytes::new, |octets| Bytes::copy_from_slice(&octets))
}
