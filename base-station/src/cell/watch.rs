//! What happens because time passes, and what is announced because something changed.

use std::time::{Duration, Instant};

use super::connection::{Connection, DownReason, Handover, REPORT_EVERY};
use super::message::{ConnectionId, Report};
use super::state::{Action, Cell};
use crate::radio::{Order, SystemInfo};

/// Distance of two reports of an unchanged cell.
const CELL_REPORT_EVERY: Duration = Duration::from_secs(10);

/// What is due for one connection.
enum Due {
    Lapc,
    Quality,
    DropSecond,
    RefuseHandover,
    End(DownReason),
}

impl Cell {
    /// When [`Cell::handle`] next wants [`Event::Deadline`](super::Event::Deadline), if ever.
    pub fn next_deadline(&self) -> Option<Instant> {
        let connections = self.connections.values().filter_map(|c| self.next_of(c));
        let orphans = self.orphans_end().filter(|_| !self.connections.is_empty());
        let others = [
            self.pages.next_deadline(),
            self.ended.front().map(|(until, _)| *until),
            self.report_at,
            orphans,
            self.draining.filter(|_| !self.drained),
        ];
        connections.chain(others.into_iter().flatten()).min()
    }

    fn next_of(&self, connection: &Connection) -> Option<Instant> {
        let deny_at = match connection.handover {
            Some(Handover::Asked { deny_at }) => Some(deny_at),
            _ => None,
        };
        let claim_by = connection
            .claim_by
            .filter(|_| self.may_end_unclaimed(connection));
        let all = [
            connection.next_deadline(),
            claim_by,
            connection.releasing.map(|(_, at)| at),
            connection.report_at,
            connection.second_until,
            deny_at,
        ];
        all.into_iter().flatten().min()
    }

    /// Does all that is due.
    pub(super) fn watch(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.pages.age(now);
        self.ended.retain(|(until, _)| *until > now);
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        for id in ids {
            // Each round does one thing, and what it did is not due again.
            while let Some(due) = self.connections.get(&id).and_then(|c| self.due(now, c)) {
                self.do_due(now, id, due, out);
            }
        }
        if self.draining.is_some() && self.connections.is_empty() && !self.drained {
            self.drained = true;
            out.push(Action::Drained);
        }
    }

    fn due(&self, now: Instant, connection: &Connection) -> Option<Due> {
        let passed = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        if let Some((reason, at)) = connection.releasing
            && (now >= at || connection.is_idle())
        {
            return Some(Due::End(reason));
        }
        if passed(self.draining) {
            return Some(Due::End(DownReason::Drained));
        }
        if passed(self.orphans_end()) {
            return Some(Due::End(DownReason::NotAdopted));
        }
        if let Some(Handover::Asked { deny_at }) = connection.handover
            && now >= deny_at
        {
            return Some(Due::RefuseHandover);
        }
        if passed(connection.claim_by) && self.may_end_unclaimed(connection) {
            return Some(Due::End(DownReason::NotAdopted));
        }
        if passed(connection.second_until) {
            return Some(Due::DropSecond);
        }
        if passed(connection.next_deadline()) {
            return Some(Due::Lapc);
        }
        passed(connection.report_at).then_some(Due::Quality)
    }

    fn do_due(&mut self, now: Instant, id: ConnectionId, due: Due, out: &mut Vec<Action>) {
        match due {
            Due::End(reason) => self.end(now, id, reason, out),
            Due::RefuseHandover => self.refuse_handover(now, id, out),
            Due::DropSecond => self.drop_second(id, out),
            Due::Lapc => {
                let happened = self
                    .connections
                    .get_mut(&id)
                    .map(|c| c.deadline(now))
                    .unwrap_or_default();
                self.happened(id, happened, out);
            }
            Due::Quality => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.report_at = Some(now + REPORT_EVERY);
                }
                if let Some(quality) = self.speech.take_quality(now, id) {
                    self.tell(
                        Report::Quality {
                            connection: id,
                            quality,
                        },
                        out,
                    );
                }
            }
        }
    }

    fn drop_second(&mut self, id: ConnectionId, out: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.second_until = None;
        if let Some(bearer) = connection.second.take() {
            self.bearers[usize::from(bearer) - 1] = None;
            let reason = ipdect_dect::mac::air::ReleaseReason::Abnormal;
            out.push(Action::Radio(Order::Release { bearer, reason }));
        }
    }

    /// Want of adoption ends nothing that carries speech, and nothing while nobody is there to adopt.
    fn may_end_unclaimed(&self, connection: &Connection) -> bool {
        self.speech.path(connection.id).is_none() && self.orphaned_since.is_none()
    }

    /// When what stands without any server ends.
    fn orphans_end(&self) -> Option<Instant> {
        self.orphaned_since
            .map(|since| since + self.settings.orphan_grace)
    }

    /// Says on the air and to the server what has changed.
    pub(super) fn announce(&mut self, now: Instant, out: &mut Vec<Action>) {
        let Some(configuration) = self.configuration else {
            return;
        };
        let state = self.state();
        let info = SystemInfo {
            rfpi: configuration.rfpi.octets(),
            capabilities: configuration.capabilities,
            busy: !self.is_ready() || state.bearers_free <= configuration.handover_reserve,
            synchronised: true,
            free_bearers: state.bearers_free,
        };
        if self.said != Some(info) {
            self.said = Some(info);
            // Before the rest: an answer to a portable needs an identity to come from.
            out.insert(0, Action::Radio(Order::Broadcast(info)));
        }
        if self.links.active().is_none() {
            self.report_at = None;
            return;
        }
        let changed = self
            .reported
            .is_none_or(|r| r.bearers_busy != state.bearers_busy);
        if changed || self.report_at.is_none_or(|at| now >= at) {
            self.reported = Some(state);
            self.report_at = Some(now + CELL_REPORT_EVERY);
            self.tell(Report::Cell(state), out);
        }
    }
}
