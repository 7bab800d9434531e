//! All transactions of one user agent or proxy, found by their key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::key::MergeKey;
use super::{
    ClientAction, ClientEvent, ClientInvite, ClientNonInvite, Flow, Hop, ServerAction, ServerEvent,
    ServerInvite, ServerNonInvite, Side, Timers, TransactionKey,
};
use crate::message::{Message, Method};

/// What the transaction layer wants done, or tells its user.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Put this on the wire.
    Send {
        /// The transaction it belongs to.
        key: TransactionKey,
        /// Request or response.
        message: Message,
        /// Where it goes.
        to: Hop,
    },
    /// A response for the user of a client transaction.
    Response {
        /// The transaction.
        key: TransactionKey,
        /// The response.
        message: Message,
    },
    /// An ACK that arrived in the transaction of an INVITE we accepted.
    Ack {
        /// The transaction.
        key: TransactionKey,
        /// The ACK.
        message: Message,
    },
    /// No answer in time: stands for 408.
    TimedOut {
        /// The transaction.
        key: TransactionKey,
    },
    /// The peer cannot be reached: stands for 503.
    TransportFailed {
        /// The transaction.
        key: TransactionKey,
    },
    /// The transaction is over and forgotten; the last effect of its key.
    Terminated {
        /// The transaction.
        key: TransactionKey,
    },
}

#[derive(Debug)]
enum Machine {
    OurInvite(Box<ClientInvite>),
    OurRequest(Box<ClientNonInvite>),
    TheirInvite(Box<ServerInvite>),
    TheirRequest(Box<ServerNonInvite>),
}

#[derive(Debug)]
struct Entry {
    machine: Machine,
    hop: Hop,
    merge: Option<MergeKey>,
    /// Its place in the order of deadlines.
    due: Option<Instant>,
}

/// The table.
#[derive(Debug, Default)]
pub struct Table {
    timers: Timers,
    entries: BTreeMap<TransactionKey, Entry>,
    merges: BTreeMap<MergeKey, TransactionKey>,
    /// Deadlines in order, so that many transactions cost no more than few.
    due: BTreeSet<(Instant, TransactionKey)>,
}

impl Table {
    /// An empty table.
    pub fn new(timers: Timers) -> Table {
        Table {
            timers,
            ..Table::default()
        }
    }

    /// Uses other timers for transactions that start from now on.
    pub fn set_timers(&mut self, timers: Timers) {
        self.timers = timers;
    }

    /// Number of transactions that are not forgotten yet.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there is no transaction.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Tells whether a transaction exists.
    pub fn has(&self, key: &TransactionKey) -> bool {
        self.entries.contains_key(key)
    }

    /// The request of a client transaction that exists.
    pub fn request(&self, key: &TransactionKey) -> Option<&Message> {
        match &self.entries.get(key)?.machine {
            Machine::OurInvite(m) => Some(m.request()),
            Machine::OurRequest(m) => Some(m.request()),
            Machine::TheirInvite(_) | Machine::TheirRequest(_) => None,
        }
    }

    /// Where the messages of a transaction go.
    pub fn hop(&self, key: &TransactionKey) -> Option<&Hop> {
        self.entries.get(key).map(|e| &e.hop)
    }

    /// Tells whether an INVITE of ours got a 1xx and nothing else.
    pub fn is_proceeding(&self, key: &TransactionKey) -> bool {
        match self.entries.get(key).map(|e| &e.machine) {
            Some(Machine::OurInvite(m)) => m.is_proceeding(),
            _ => false,
        }
    }

    /// Tells whether a request of the peer has no final response yet.
    pub fn is_open(&self, key: &TransactionKey) -> bool {
        match self.entries.get(key).map(|e| &e.machine) {
            Some(Machine::TheirInvite(m)) => m.is_open(),
            Some(Machine::TheirRequest(m)) => m.is_open(),
            _ => false,
        }
    }

    /// Starts a client transaction; its first effect sends the request. `None` if the request has no branch or CSeq.
    pub fn start_client(
        &mut self,
        now: Instant,
        request: Message,
        hop: Hop,
        reliable: bool,
    ) -> Option<(TransactionKey, Effect)> {
        let key = TransactionKey::client(&request)?;
        let machine = if key.method() == &Method::Invite {
            let machine = ClientInvite::new(now, request.clone(), reliable, self.timers);
            Machine::OurInvite(Box::new(machine))
        } else {
            let machine = ClientNonInvite::new(now, request.clone(), reliable, self.timers);
            Machine::OurRequest(Box::new(machine))
        };
        let send = Effect::Send {
            key: key.clone(),
            message: request,
            to: hop.clone(),
        };
        self.entries.insert(
            key.clone(),
            Entry {
                machine,
                hop,
                merge: None,
                due: None,
            },
        );
        self.schedule(&key);
        Some((key, send))
    }

    /// Starts a server transaction for a request that [`Table::receive_request`] did not know.
    pub fn start_server(&mut self, key: TransactionKey, request: &Message, from: Flow) {
        let reliable = from.transport.is_reliable();
        let machine = if key.method() == &Method::Invite {
            Machine::TheirInvite(Box::new(ServerInvite::new(reliable, self.timers)))
        } else {
            Machine::TheirRequest(Box::new(ServerNonInvite::new(reliable, self.timers)))
        };
        let merge = MergeKey::of(request);
        if let Some(merge) = &merge {
            self.merges
                .entry(merge.clone())
                .or_insert_with(|| key.clone());
        }
        let hop = Hop::Flow(super::build::way_back(request, from));
        self.entries.insert(
            key.clone(),
            Entry {
                machine,
                hop,
                merge,
                due: None,
            },
        );
        self.schedule(&key);
    }

    /// Tells whether a request is one that already runs on another way (RFC 3261 section 8.2.2.2): to be refused with 482.
    pub fn is_merged(&self, key: &TransactionKey, request: &Message) -> bool {
        let known = MergeKey::of(request).and_then(|merge| self.merges.get(&merge));
        known.is_some_and(|known| known != key)
    }

    /// Takes in a request, ACK included, for a transaction that exists; `None` if there is none.
    pub fn receive_request(
        &mut self,
        now: Instant,
        key: &TransactionKey,
        request: Message,
    ) -> Option<Vec<Effect>> {
        self.has(key)
            .then(|| self.server(now, key, ServerEvent::Received(request)))
    }

    /// Takes in a response; `None` if no transaction waits for it.
    pub fn receive_response(&mut self, now: Instant, response: Message) -> Option<Vec<Effect>> {
        let key = TransactionKey::client(&response)?;
        self.has(&key)
            .then(|| self.client(now, &key, ClientEvent::Received(response)))
    }

    /// Answers a request of the peer.
    pub fn respond(
        &mut self,
        now: Instant,
        key: &TransactionKey,
        response: Message,
    ) -> Vec<Effect> {
        self.server(now, key, ServerEvent::Respond(response))
    }

    /// Takes in that a message of a transaction could not be sent.
    pub fn transport_failed(&mut self, now: Instant, key: &TransactionKey) -> Vec<Effect> {
        self.client(now, key, ClientEvent::TransportFailed)
    }

    /// Forgets a transaction that nobody waits for any longer and no timer would end.
    pub fn abandon(&mut self, key: &TransactionKey) -> Vec<Effect> {
        self.forget(key.clone()).into_iter().collect()
    }

    /// Does what is due.
    pub fn deadline(&mut self, now: Instant) -> Vec<Effect> {
        let due = self.due.iter().take_while(|(at, _)| now >= *at);
        let keys: Vec<_> = due.map(|(_, key)| key.clone()).collect();
        let mut effects = vec![];
        for key in keys {
            effects.extend(match key.side() {
                Side::Client => self.client(now, &key, ClientEvent::Deadline),
                Side::Server => self.server(now, &key, ServerEvent::Deadline),
            });
        }
        effects
    }

    /// When [`Table::deadline`] is next wanted, if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Runs an event through a client machine; nothing happens if the key is not one.
    fn client(&mut self, now: Instant, key: &TransactionKey, event: ClientEvent) -> Vec<Effect> {
        let Some(entry) = self.entries.get_mut(key) else {
            return vec![];
        };
        let actions = match &mut entry.machine {
            Machine::OurInvite(m) => m.handle(now, event),
            Machine::OurRequest(m) => m.handle(now, event),
            Machine::TheirInvite(_) | Machine::TheirRequest(_) => return vec![],
        };
        let (hop, mut effects) = (entry.hop.clone(), vec![]);
        self.schedule(key);
        for action in actions {
            let key = key.clone();
            match action {
                ClientAction::Send(message) => {
                    effects.push(Effect::Send {
                        key,
                        message,
                        to: hop.clone(),
                    });
                }
                ClientAction::Deliver(message) => effects.push(Effect::Response { key, message }),
                ClientAction::TimedOut => {
                    effects.extend(self.end(Effect::TimedOut { key: key.clone() }, key))
                }
                ClientAction::TransportFailed => {
                    effects.extend(self.end(Effect::TransportFailed { key: key.clone() }, key));
                }
                ClientAction::Terminated => effects.extend(self.forget(key)),
            }
        }
        effects
    }

    /// Runs an event through a server machine; nothing happens if the key is not one.
    fn server(&mut self, now: Instant, key: &TransactionKey, event: ServerEvent) -> Vec<Effect> {
        let Some(entry) = self.entries.get_mut(key) else {
            return vec![];
        };
        let actions = match &mut entry.machine {
            Machine::TheirInvite(m) => m.handle(now, event),
            Machine::TheirRequest(m) => m.handle(now, event),
            Machine::OurInvite(_) | Machine::OurRequest(_) => return vec![],
        };
        let (hop, mut effects) = (entry.hop.clone(), vec![]);
        self.schedule(key);
        for action in actions {
            let key = key.clone();
            match action {
                ServerAction::Send(message) => {
                    effects.push(Effect::Send {
                        key,
                        message,
                        to: hop.clone(),
                    });
                }
                ServerAction::Deliver(message) => effects.push(Effect::Ack { key, message }),
                ServerAction::NoAck | ServerAction::Terminated => effects.extend(self.forget(key)),
            }
        }
        effects
    }

    /// Puts a transaction where it now belongs in the order of deadlines.
    fn schedule(&mut self, key: &TransactionKey) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        let next = entry.machine.next_deadline();
        if next != entry.due {
            if let Some(at) = entry.due {
                self.due.remove(&(at, key.clone()));
            }
            entry.due = next;
            self.due.extend(next.map(|at| (at, key.clone())));
        }
    }

    fn end(&mut self, last: Effect, key: TransactionKey) -> Vec<Effect> {
        let mut effects = vec![last];
        effects.extend(self.forget(key));
        effects
    }

    fn forget(&mut self, key: TransactionKey) -> Option<Effect> {
        let entry = self.entries.remove(&key)?;
        if let Some(at) = entry.due {
            self.due.remove(&(at, key.clone()));
        }
        if let Some(merge) = entry
            .merge
            .filter(|merge| self.merges.get(merge) == Some(&key))
        {
            self.merges.remove(&merge);
        }
        // A map that was emptied keeps its last node: kilobytes that an idle handset need not hold.
        if self.entries.is_empty() {
            (self.entries, self.merges, self.due) = Default::default();
        }
        Some(Effect::Terminated { key })
    }
}

impl Machine {
    fn next_deadline(&self) -> Option<Instant> {
        match self {
            Machine::OurInvite(m) => m.next_deadline(),
            Machine::OurRequest(m) => m.next_deadline(),
            Machine::TheirInvite(m) => m.next_deadline(),
            Machine::TheirRequest(m) => m.next_deadline(),
        }
    }
}
