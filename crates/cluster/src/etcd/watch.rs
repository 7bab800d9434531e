//! Watches that outlive connections, members and leaders.
//!
//! Each watch has a connection of its own: one that nobody reads for a while must not take the room of others' answers.
//! After any fault, or silence to a question, it begins anew at another member, one revision behind the last that was
//! told, so nothing is missed or told twice.

use super::convert::{change, end_of, first_of, revision, signed};
use super::fault::{self, Fault, Kind};
use super::rounds::Rounds;
use super::{Etcd, look};
use crate::error::StoreError;
use crate::store::{Change, Changes, Revision, Watch};
use etcd_client::{Client, Error, WatchOptions, WatchResponse, WatchStream};
use futures_util::stream;
use std::collections::VecDeque;
use std::future::Future;
use tokio::time::timeout;

/// Largest message that is taken, in octets. etcd cuts them at 2 MiB, or more with another `--max-request-bytes`.
const LARGEST: usize = 64 * 1024 * 1024;

pub(super) async fn begin(etcd: &Etcd, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
    let latest = etcd.latest().await?;
    let watcher = Watcher {
        etcd: etcd.clone(),
        prefix: prefix.to_owned(),
        next: if from == 0 { latest + 1 } else { from },
        seen: latest,
        live: None,
        rounds: etcd.pool.rounds(),
        away: false,
        ready: VecDeque::new(),
        ended: false,
    };
    Ok(Box::pin(stream::unfold(
        watcher,
        |mut watcher| async move { watcher.next().await.map(|item| (item, watcher)) },
    )))
}

/// One watch.
struct Watcher {
    etcd: Etcd,
    prefix: String,
    /// First revision that was not told yet.
    next: Revision,
    /// Latest revision that the store is known to have had.
    seen: Revision,
    live: Option<Live>,
    rounds: Rounds,
    /// It was logged that no member answers.
    away: bool,
    ready: VecDeque<Changes>,
    ended: bool,
}

/// A stream from one member.
struct Live {
    member: usize,
    stream: WatchStream,
    /// etcd's number of this watch; its answer to a question about progress carries another.
    id: Option<i64>,
    /// We asked whether it is still there.
    asked: bool,
    /// Changes whose revision may go on in the next message.
    parts: Vec<(Revision, Change)>,
    /// Keeps the connection.
    _client: Client,
}

/// Why a stream ends.
enum End {
    /// This stream; the watch goes on with another.
    Stream(Fault),
    /// The watch.
    Watch(StoreError),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        End::Stream(fault)
    }
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<Changes, StoreError>> {
        loop {
            if let Some(changes) = self.ready.pop_front() {
                return Some(Ok(changes));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.step().await {
                self.ended = true;
                self.live = None;
                return Some(Err(error));
            }
        }
    }

    /// Opens a stream, or takes what comes from it.
    async fn step(&mut self) -> Result<(), StoreError> {
        let member = self
            .live
            .as_ref()
            .map_or_else(|| self.etcd.pool.preferred(), |live| live.member);
        let done = if self.live.is_some() {
            self.hear().await
        } else {
            self.open(member).await
        };
        match done {
            Ok(()) => Ok(()),
            Err(End::Watch(error)) => Err(error),
            Err(End::Stream(fault)) => self.lost(member, fault).await,
        }
    }

    async fn open(&mut self, member: usize) -> Result<(), End> {
        let limits = self.etcd.limits;
        let client = self.etcd.pool.dial(member, limits.connect).await?;
        let mut watches = client.watch_client().max_decoding_message_size(LARGEST);
        let answer = self
            .in_time(member, "a look at the revision", look(client.clone()))
            .await?;
        let latest = answer
            .header()
            .map_or(0, |header| revision(header.revision()));
        if latest < self.seen {
            // Restored from a backup: what we saw never happened.
            return Err(End::Watch(StoreError::Compacted { oldest: latest + 1 }));
        }
        self.seen = latest;
        // From one revision earlier than needed: etcd up to 3.5.17 forgets deletions in the very revision that it
        // compacts to, so that one counts as gone. Nor later than now: some releases do not answer then.
        let start = (self.next - 1).min(latest).max(1);
        let options = WatchOptions::new()
            .with_range(end_of(&self.prefix))
            .with_start_revision(signed(start))
            .with_progress_notify()
            .with_fragment();
        let first = first_of(&self.prefix, None);
        let stream = self
            .in_time(member, "a watch", watches.watch(first, Some(options)))
            .await?;
        self.live = Some(Live {
            member,
            stream,
            id: None,
            asked: false,
            parts: Vec::new(),
            _client: client,
        });
        Ok(())
    }

    async fn in_time<T>(
        &self,
        member: usize,
        what: &str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fault> {
        match timeout(self.etcd.limits.attempt, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(fault::read(self.etcd.pool.endpoint(member), &error)),
            Err(_) => Err(Fault::silent(what)),
        }
    }

    /// Waits for the next message. After some silence asks for one: a member that was stopped keeps its connections.
    async fn hear(&mut self) -> Result<(), End> {
        let limits = self.etcd.limits;
        let Some(live) = &mut self.live else {
            return Ok(());
        };
        let patience = if live.asked {
            limits.attempt
        } else {
            limits.quiet
        };
        let endpoint = self.etcd.pool.endpoint(live.member);
        match timeout(patience, live.stream.message()).await {
            Ok(Ok(Some(message))) => self.take(message),
            Ok(Ok(None)) => Err(Fault::new(Kind::Elsewhere, "it ended the watch").into()),
            Ok(Err(error)) => Err(fault::read(endpoint, &error).into()),
            Err(_) if live.asked => Err(Fault::silent("a watch").into()),
            Err(_) => {
                live.asked = true;
                match timeout(limits.attempt, live.stream.request_progress()).await {
                    Ok(Ok(())) => Ok(()),
                    _ => Err(Fault::silent("a watch").into()),
                }
            }
        }
    }

    fn take(&mut self, message: WatchResponse) -> Result<(), End> {
        let Some(live) = &mut self.live else {
            return Ok(());
        };
        live.asked = false;
        if message.canceled() {
            return Err(self.cancelled(&message));
        }
        if message.created() {
            live.id = Some(message.watch_id());
            return Ok(());
        }
        if self.away {
            self.away = false;
            tracing::info!(
                prefix = self.prefix,
                "etcd answers again, the watch goes on"
            );
        }
        self.rounds = self.etcd.pool.rounds();
        if message.events().is_empty() {
            // Of the two kinds of progress only the one under our own number keeps its place among the events.
            if live.id == Some(message.watch_id()) && live.parts.is_empty() {
                let told = message
                    .header()
                    .map_or(0, |header| revision(header.revision()));
                self.next = self.next.max(told + 1);
                self.seen = self.seen.max(told);
            }
            return Ok(());
        }
        live.parts
            .extend(message.events().iter().filter_map(change));
        self.gather(message.0.fragment);
        Ok(())
    }

    /// Makes whole revisions of what came; the last one is not whole if the message was cut.
    fn gather(&mut self, cut: bool) {
        let Some(live) = &mut self.live else {
            return;
        };
        let last = live.parts.last().map_or(0, |(revision, _)| *revision);
        let whole = live
            .parts
            .partition_point(|(revision, _)| !cut || *revision < last);
        for (revision, change) in live.parts.drain(..whole) {
            if revision < self.next {
                continue;
            }
            match self.ready.back_mut() {
                Some(changes) if changes.revision == revision => changes.changes.push(change),
                _ => self.ready.push_back(Changes {
                    revision,
                    changes: vec![change],
                }),
            }
        }
        if let Some(changes) = self.ready.back() {
            self.next = changes.revision + 1;
            self.seen = self.seen.max(changes.revision);
        }
    }

    fn cancelled(&self, message: &WatchResponse) -> End {
        if message.compact_revision() > 0 {
            return End::Watch(StoreError::Compacted {
                oldest: revision(message.compact_revision()) + 1,
            });
        }
        let reason = message.cancel_reason();
        let member = self.live.as_ref().map_or(0, |live| live.member);
        fault::of_cancelled_watch(self.etcd.pool.endpoint(member), reason).into()
    }

    /// Goes on at another member, after a rest if all have failed.
    async fn lost(&mut self, member: usize, fault: Fault) -> Result<(), StoreError> {
        let endpoint = self.etcd.pool.endpoint(member);
        tracing::debug!(
            endpoint,
            what = fault.what,
            prefix = self.prefix,
            "watching at another etcd member"
        );
        self.live = None;
        self.etcd.pool.leave(member);
        self.rounds.failed(member, fault);
        if self.rounds.is_over() && !self.away {
            self.away = true;
            tracing::warn!(
                prefix = self.prefix,
                error = self.rounds.told(),
                "watch interrupted"
            );
        }
        self.rounds.rest_patiently().await
    }
}
