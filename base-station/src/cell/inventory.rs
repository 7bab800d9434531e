//! What the base holds, told after a link stands and whenever an owner asks.

use std::time::Instant;

use super::connection::{Connection, Handover};
use super::fence::Fence;
use super::message::{Ended, Held, Inventory, Report};
use super::state::{Action, Cell, LinkId};

/// Connections of one part.
const PART: usize = 64;

impl Cell {
    /// Tells everything, unasked.
    pub(super) fn tell_inventory(&mut self, now: Instant, link: LinkId, out: &mut Vec<Action>) {
        let connections = self
            .connections
            .values()
            .map(|c| self.held(now, c))
            .collect();
        let ended = self.ended.iter().map(|(_, ended)| *ended).collect();
        tell_parts(link, 0, connections, ended, out);
    }

    /// Answers with the shards asked about. A shard that the asker does not own any more is left out.
    pub(super) fn answer_query(
        &mut self,
        now: Instant,
        link: LinkId,
        query_id: u64,
        fences: &[Fence],
        out: &mut Vec<Action>,
    ) {
        let shards: Vec<u16> = fences
            .iter()
            .filter(|f| self.admit(link, **f).is_ok())
            .map(|f| f.shard)
            .collect();
        let asked = |fence: Option<Fence>| fence.is_some_and(|f| shards.contains(&f.shard));
        let connections = self.connections.values();
        let connections = connections
            .filter(|c| asked(c.owner.map(|(_, f)| f)))
            .map(|c| self.held(now, c))
            .collect();
        let ended = self
            .ended
            .iter()
            .map(|(_, e)| *e)
            .filter(|e| asked(e.fence))
            .collect();
        tell_parts(link, query_id, connections, ended, out);
        self.repeat_handovers(link, out);
    }

    /// A portable that waits for a handover is told to each new owner: only the server can tell whose it is.
    pub(super) fn repeat_handovers(&self, link: LinkId, out: &mut Vec<Action>) {
        for connection in self.connections.values() {
            if matches!(connection.handover, Some(Handover::Asked { .. })) {
                out.push(Action::Tell {
                    link,
                    report: handover_requested(connection),
                });
            }
        }
    }

    fn held(&self, now: Instant, connection: &Connection) -> Held {
        let path = self.speech.path(connection.id).cloned();
        Held {
            connection: connection.id,
            owner: connection.owner,
            phase: connection.phase(path.is_some()),
            bearer: connection.bearer,
            pmid: connection.pmid,
            path,
            last_up_seq: connection.last_up(),
            last_down_seq: connection.last_down(),
            unacked: connection.unacked().cloned().collect(),
            age_ms: now.saturating_duration_since(connection.since).as_millis() as u64,
        }
    }
}

/// The request of a portable that waits.
pub(super) fn handover_requested(connection: &Connection) -> Report {
    Report::HandoverRequested {
        connection: connection.id,
        pmid: connection.pmid,
        rssi_dbm: connection.rssi_dbm,
    }
}

/// At least one part, the last of which says so.
fn tell_parts(
    link: LinkId,
    query_id: u64,
    mut held: Vec<Held>,
    ended: Vec<Ended>,
    out: &mut Vec<Action>,
) {
    let mut ended = Some(ended);
    loop {
        let rest = held.split_off(held.len().min(PART));
        let part = Inventory {
            query_id,
            last: rest.is_empty(),
            connections: held,
            ended: ended.take().unwrap_or_default(),
        };
        out.push(Action::Tell {
            link,
            report: Report::Inventory(part),
        });
        if rest.is_empty() {
            return;
        }
        held = rest;
    }
}
