//! The book of sessions: who may order what, which sessions there are, what each of them keeps. Pure.
//!
//! Fencing is judged here, and each order that is obeyed is handed on under the same lock, so that orders reach a
//! session in the order in which their tokens were judged (`contracts.md` section 3).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ipdect_link::fence::{Floors, Start, Token, Verdict};
use ipdect_link::orders::result;
use ipdect_media::session::{LegId, LegStats};
use ipdect_proto::link::v1::{Fence, OrderResult, OrderStatus};

use crate::metrics::LegKind;
use crate::session::SessionKey;

/// How long record and final figures of a closed session stay.
pub const KEPT_CLOSED: Duration = Duration::from_secs(64);
/// Longest record in octets.
pub const MAX_RECORD: usize = 8 * 1024;

/// Head of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Number on its link.
    pub order_id: u64,
    /// Token in whose name it is given.
    pub fence: Fence,
    /// Session that it is about.
    pub session: String,
    /// Record that it brings.
    pub record: Option<Bytes>,
}

/// What is asked of the book itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A new session.
    Open {
        /// Its call.
        call_ref: String,
        /// Whether it may use the emergency reserve.
        emergency: bool,
    },
    /// Something of a session that stands.
    Within,
    /// Only a record, or that the session be taken for the owner's.
    Note,
    /// The end of a session.
    Close,
}

/// What follows from an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing but this answer.
    Answer(OrderResult),
    /// It is to be carried out by this worker.
    Run {
        /// The session.
        key: SessionKey,
        /// Its worker.
        worker: usize,
        /// It does not exist yet: begin it first.
        begin: bool,
    },
}

/// A session as the book knows it.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its name in this process.
    pub key: SessionKey,
    /// Its worker.
    pub worker: usize,
    /// Its call.
    pub call_ref: String,
    /// Shard that it belongs to.
    pub shard: u32,
    /// Last token obeyed for it.
    pub token: Token,
    /// Last record brought.
    pub record: Bytes,
    /// Trace of the call, as its latest order brought it.
    pub trace: Bytes,
    /// Its legs: kind, and the RTP port of a SIP leg.
    pub legs: BTreeMap<LegId, (LegKind, u16)>,
    emergency: bool,
    record_token: Token,
    opened: Instant,
    closed: Option<(Instant, Vec<(LegId, LegStats)>)>,
}

impl Held {
    /// Since it was opened.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.opened)
    }

    /// Final figures, once it is over.
    #[must_use]
    pub fn closed(&self) -> Option<&[(LegId, LegStats)]> {
        self.closed.as_ref().map(|(_, stats)| stats.as_slice())
    }
}

/// The book.
#[derive(Debug)]
pub struct Book {
    /// Tokens known.
    pub floors: Floors,
    sessions: BTreeMap<String, Held>,
    names: BTreeMap<SessionKey, String>,
    next_key: SessionKey,
    workers: usize,
    capacity: usize,
    draining: bool,
}

impl Book {
    /// An empty book for that many workers and sessions.
    #[must_use]
    pub fn new(workers: usize, capacity: usize) -> Book {
        Book {
            floors: Floors::new(),
            sessions: BTreeMap::new(),
            names: BTreeMap::new(),
            next_key: 1,
            workers: workers.max(1),
            capacity,
            draining: false,
        }
    }

    /// Takes no new session from now on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Judges an order given on the link of `from`.
    pub fn judge(&mut self, now: Instant, head: &Head, asked: &Asked, from: &Start) -> Step {
        let object = self.sessions.get(&head.session).map(|held| held.shard);
        let verdict = self.floors.judge(&head.fence, from, object);
        if let Some(answer) = verdict.answer(head.order_id, head.fence.shard) {
            debug_assert_ne!(verdict, Verdict::Obey);
            return Step::Answer(answer);
        }
        let too_long = head.record.as_ref().is_some_and(|r| r.len() > MAX_RECORD);
        if too_long {
            return answer(head, OrderStatus::Invalid, "record longer than 8 KiB");
        }
        match self.sessions.get_mut(&head.session) {
            None => self.unknown(now, head, asked),
            Some(held) => {
                held.token = Token::from(&head.fence);
                known(held, head, asked)
            }
        }
    }

    fn unknown(&mut self, now: Instant, head: &Head, asked: &Asked) -> Step {
        let Asked::Open {
            call_ref,
            emergency,
        } = asked
        else {
            return answer(head, OrderStatus::UnknownTarget, "no such session");
        };
        if head.session.is_empty() {
            return answer(head, OrderStatus::Invalid, "no session id");
        }
        if self.draining {
            return answer(head, OrderStatus::Draining, "takes no new session");
        }
        if self.open() >= self.limit(*emergency) {
            return answer(head, OrderStatus::NoResource, "all sessions are in use");
        }
        let (key, worker) = (self.next_key, self.least_busy());
        self.next_key += 1;
        let token = Token::from(&head.fence);
        let held = Held {
            key,
            worker,
            call_ref: call_ref.clone(),
            shard: head.fence.shard,
            token,
            record: Bytes::new(),
            trace: Bytes::new(),
            legs: BTreeMap::new(),
            emergency: *emergency,
            record_token: Token::default(),
            opened: now,
            closed: None,
        };
        self.sessions.insert(head.session.clone(), held);
        self.names.insert(key, head.session.clone());
        Step::Run {
            key,
            worker,
            begin: true,
        }
    }

    /// Keeps the record of an order that was carried out; an older owner's does not replace a newer one's.
    pub fn keep_record(&mut self, head: &Head) {
        let Some(record) = &head.record else { return };
        let token = Token::from(&head.fence);
        if let Some(held) = self
            .sessions
            .get_mut(&head.session)
            .filter(|h| h.record_token <= token)
        {
            held.record = record.clone();
            held.record_token = token;
        }
    }

    /// Keeps the trace that an order came with; what a session tells belongs to it.
    pub fn keep_trace(&mut self, session: &str, trace: &Bytes) {
        if let Some(held) = self.sessions.get_mut(session).filter(|_| !trace.is_empty()) {
            held.trace = trace.clone();
        }
    }

    /// Notes a leg that was opened.
    pub fn leg_opened(&mut self, key: SessionKey, leg: LegId, kind: LegKind, port: u16) {
        if let Some(held) = self.by_key_mut(key) {
            held.legs.insert(leg, (kind, port));
        }
    }

    /// Notes a leg that was closed.
    pub fn leg_closed(&mut self, key: SessionKey, leg: LegId) {
        if let Some(held) = self.by_key_mut(key) {
            held.legs.remove(&leg);
        }
    }

    /// Notes the end of a session; its record and these figures stay for a while.
    pub fn closed(&mut self, now: Instant, key: SessionKey, stats: Vec<(LegId, LegStats)>) {
        if let Some(held) = self.by_key_mut(key).filter(|h| h.closed.is_none()) {
            held.closed = Some((now, stats));
        }
    }

    /// Forgets sessions that are over for long enough.
    pub fn tidy(&mut self, now: Instant) {
        let names = &mut self.names;
        self.sessions.retain(|_, held| {
            let kept = held
                .closed
                .as_ref()
                .is_none_or(|(at, _)| now < *at + KEPT_CLOSED);
            if !kept {
                names.remove(&held.key);
            }
            kept
        });
    }

    /// A session by its name in this process.
    #[must_use]
    pub fn by_key(&self, key: SessionKey) -> Option<(&str, &Held)> {
        let (name, held) = self.sessions.get_key_value(self.names.get(&key)?)?;
        Some((name, held))
    }

    /// A session by its id.
    #[must_use]
    pub fn session(&self, id: &str) -> Option<&Held> {
        self.sessions.get(id)
    }

    /// Sessions of some shards, or all; those over less than 64 s ago included.
    pub fn held<'a>(
        &'a self,
        shards: Option<&'a [u32]>,
    ) -> impl Iterator<Item = (&'a String, &'a Held)> {
        let wanted = move |held: &Held| shards.is_none_or(|s| s.contains(&held.shard));
        self.sessions.iter().filter(move |(_, held)| wanted(held))
    }

    /// Sessions that stand.
    #[must_use]
    pub fn open(&self) -> usize {
        self.sessions
            .values()
            .filter(|h| h.closed.is_none())
            .count()
    }

    /// The start to which a session's owner belongs.
    #[must_use]
    pub fn owner(&self, key: SessionKey) -> Option<&Start> {
        self.floors.owner(self.by_key(key)?.1.shard)
    }

    fn by_key_mut(&mut self, key: SessionKey) -> Option<&mut Held> {
        self.sessions.get_mut(self.names.get(&key)?)
    }

    /// A fiftieth is kept for emergency calls.
    fn limit(&self, emergency: bool) -> usize {
        if emergency {
            self.capacity
        } else {
            self.capacity - self.capacity.div_ceil(50)
        }
    }

    fn least_busy(&self) -> usize {
        let mut load = vec![0; self.workers];
        for held in self.sessions.values().filter(|h| h.closed.is_none()) {
            load[held.worker] += 1;
        }
        (0..self.workers).min_by_key(|w| load[*w]).unwrap_or(0)
    }
}

fn known(held: &mut Held, head: &Head, asked: &Asked) -> Step {
    let run = Step::Run {
        key: held.key,
        worker: held.worker,
        begin: false,
    };
    match (asked, &held.closed) {
        (
            Asked::Open {
                call_ref,
                emergency,
            },
            None,
        ) if *call_ref == held.call_ref && *emergency == held.emergency => {
            answer(head, OrderStatus::Done, "")
        }
        (Asked::Open { .. }, _) => answer(
            head,
            OrderStatus::Conflict,
            "session id was used for another session",
        ),
        (Asked::Note, _) | (Asked::Close, Some(_)) => answer(head, OrderStatus::Done, ""),
        (Asked::Within, Some(_)) => answer(head, OrderStatus::UnknownTarget, "session is over"),
        (Asked::Within | Asked::Close, None) => run,
    }
}

fn answer(head: &Head, status: OrderStatus, detail: &str) -> Step {
    Step::Answer(result(head.order_id, status, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipdect_proto::link::v1::{FenceFloor, Floor};

    fn start(boot_id: u64) -> Start {
        Start {
            node_id: "server-1".into(),
            boot_id,
        }
    }

    fn fence(revision: u64) -> Fence {
        Fence {
            shard: 5,
            era: 1,
            revision,
        }
    }

    fn book(capacity: usize) -> Book {
        let mut book = Book::new(2, capacity);
        let floors = (0..1024)
            .map(|shard| Floor {
                fence: Some(Fence {
                    shard,
                    era: 1,
                    revision: 10,
                }),
                node_id: "server-1".into(),
                boot_id: 1,
            })
            .collect();
        book.floors.learn(&FenceFloor { floors });
        book
    }

    fn head(session: &str, revision: u64, record: &'static str) -> Head {
        let record = (!record.is_empty()).then(|| Bytes::from_static(record.as_bytes()));
        Head {
            order_id: 7,
            fence: fence(revision),
            session: session.into(),
            record,
        }
    }

    fn opening(call: &str) -> Asked {
        Asked::Open {
            call_ref: call.into(),
            emergency: false,
        }
    }

    fn status(step: Step) -> OrderStatus {
        match step {
            Step::Answer(result) => result.status(),
            Step::Run { .. } => panic!("{step:?}"),
        }
    }

    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn nothing_is_obeyed_before_floors_are_known_or_below_them() {
        let mut empty = Book::new(1, 10);
        let step = empty.judge(now(), &head("a", 10, ""), &opening("c"), &start(1));
        assert_eq!(status(step), OrderStatus::Fenced);
        let mut book = book(10);
        let step = book.judge(now(), &head("a", 9, ""), &opening("c"), &start(1));
        assert_eq!(status(step), OrderStatus::Fenced);
        assert_eq!(book.open(), 0);
    }

    #[test]
    fn a_session_of_another_shard_is_told_so() {
        let mut book = book(10);
        book.judge(now(), &head("a", 10, ""), &opening("c"), &start(1));
        let other = Head {
            fence: Fence {
                shard: 6,
                ..fence(10)
            },
            ..head("a", 10, "")
        };
        let step = book.judge(now(), &other, &Asked::Within, &start(1));
        assert_eq!(status(step), OrderStatus::WrongShard);
    }

    #[test]
    fn opening_twice_is_harmless_and_another_call_is_a_conflict() {
        let mut book = book(10);
        let step = book.judge(now(), &head("a", 10, ""), &opening("c"), &start(1));
        assert_eq!(
            step,
            Step::Run {
                key: 1,
                worker: 0,
                begin: true
            }
        );
        let again = book.judge(now(), &head("a", 10, ""), &opening("c"), &start(1));
        assert_eq!(status(again), OrderStatus::Done);
        let other = book.judge(now(), &head("a", 10, ""), &opening("d"), &start(1));
        assert_eq!(status(other), OrderStatus::Conflict);
        let within = book.judge(now(), &head("a", 10, ""), &Asked::Within, &start(1));
        assert_eq!(
            within,
            Step::Run {
                key: 1,
                worker: 0,
                begin: false
            }
        );
        let unknown = book.judge(now(), &head("b", 10, ""), &Asked::Within, &start(1));
        assert_eq!(status(unknown), OrderStatus::UnknownTarget);
    }

    #[test]
    fn sessions_are_spread_and_the_last_are_for_emergencies() {
        let mut book = book(3);
        let mut open = |name: &str, emergency| {
            let asked = Asked::Open {
                call_ref: "c".into(),
                emergency,
            };
            book.judge(now(), &head(name, 10, ""), &asked, &start(1))
        };
        assert_eq!(
            open("a", false),
            Step::Run {
                key: 1,
                worker: 0,
                begin: true
            }
        );
        assert_eq!(
            open("b", false),
            Step::Run {
                key: 2,
                worker: 1,
                begin: true
            }
        );
        assert_eq!(status(open("c", false)), OrderStatus::NoResource);
        assert!(matches!(open("d", true), Step::Run { .. }));
        assert_eq!(status(open("e", true)), OrderStatus::NoResource);
        book.drain();
        let step = book.judge(now(), &head("f", 10, ""), &opening("c"), &start(1));
        assert_eq!(status(step), OrderStatus::Draining);
    }

    #[test]
    fn the_newest_owners_record_stays_and_outlives_the_session_for_64_s() {
        let mut book = book(10);
        let began = now();
        book.judge(began, &head("a", 10, ""), &opening("c"), &start(1));
        book.keep_record(&head("a", 10, "one"));
        book.keep_record(&head("a", 12, "two"));
        // An order judged before the takeover, whose end came after it.
        book.keep_record(&head("a", 10, "late"));
        assert_eq!(book.session("a").unwrap().record, "two");
        book.closed(began, 1, vec![(1, LegStats::default())]);
        assert_eq!(book.open(), 0);
        let close = book.judge(began, &head("a", 12, "end"), &Asked::Close, &start(1));
        assert_eq!(status(close), OrderStatus::Done);
        let within = book.judge(began, &head("a", 12, ""), &Asked::Within, &start(1));
        assert_eq!(status(within), OrderStatus::UnknownTarget);
        let again = book.judge(began, &head("a", 12, ""), &opening("c"), &start(1));
        assert_eq!(status(again), OrderStatus::Conflict);
        book.tidy(began + Duration::from_secs(63));
        assert_eq!(book.held(Some(&[5])).count(), 1);
        assert_eq!(book.held(Some(&[6])).count(), 0);
        book.tidy(began + Duration::from_secs(64));
        assert_eq!(book.held(None).count(), 0);
        assert!(book.by_key(1).is_none());
    }

    #[test]
    fn a_successor_is_obeyed_and_owns_what_is_told() {
        let mut book = book(10);
        book.judge(now(), &head("a", 10, ""), &opening("c"), &start(1));
        let step = book.judge(now(), &head("a", 11, ""), &Asked::Note, &start(2));
        assert_eq!(status(step), OrderStatus::Done);
        assert_eq!(book.owner(1), Some(&start(2)));
        let old = book.judge(now(), &head("a", 10, ""), &Asked::Close, &start(1));
        assert_eq!(status(old), OrderStatus::Fenced);
        assert_eq!(book.session("a").unwrap().token.revision, 11);
    }

    #[test]
    fn records_over_8_kib_are_refused() {
        let mut book = book(10);
        let record = Some(Bytes::from(vec![0; MAX_RECORD + 1]));
        let long = Head {
            record,
            ..head("a", 10, "")
        };
        let step = book.judge(now(), &long, &opening("c"), &start(1));
        assert_eq!(status(step), OrderStatus::Invalid);
    }
}
