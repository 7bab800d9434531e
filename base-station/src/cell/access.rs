//! What the radio tells: portables that come, move and go, and the segments between.

use std::time::{Duration, Instant};

use ipdect_dect::mac::air::{AccessKind, RefuseReason, ReleaseReason};
use ipdect_dect::mac::{BEARERS, FRAME, Pmid, T203_FRAMES};

use super::connection::{Connection, DownReason, HANDOVER_GRANT, Handover, LCE_05};
use super::inventory::handover_requested;
use super::message::{ConnectionId, Report};
use super::state::{Action, Cell};
use crate::radio::{BearerNumber, Event, Order};

impl Cell {
    pub(super) fn radio(&mut self, now: Instant, event: Event, out: &mut Vec<Action>) {
        match event {
            Event::Access {
                pmid,
                kind,
                rssi_dbm,
            } => self.access(now, pmid, kind, rssi_dbm, out),
            Event::BearerUp { bearer } => self.bearer_up(now, bearer, out),
            Event::Segment { bearer, segment } => {
                let Some(connection) = self.on_bearer(bearer) else {
                    return;
                };
                let (id, happened) = (connection.id, connection.segment(now, segment));
                self.happened(id, happened, out);
            }
            Event::SegmentTaken { bearer } => {
                let Some(connection) = self.on_bearer(bearer) else {
                    return;
                };
                // One that the old bearer carried twice is no news on the new one.
                if connection.bearer == bearer {
                    connection.segment_taken();
                    let id = connection.id;
                    self.feed_radio(id, out);
                }
            }
            Event::BearerLost { bearer } => {
                self.bearer_gone(now, bearer, DownReason::RadioLost, out)
            }
            Event::Released { bearer, reason } => {
                let why = match reason {
                    ReleaseReason::Abnormal => DownReason::RadioLost,
                    ReleaseReason::Normal | ReleaseReason::HandedOver => DownReason::Normal,
                };
                self.bearer_gone(now, bearer, why, out);
            }
            Event::CipherAsked { bearer } => {
                tracing::debug!(bearer, "ciphering asked for and not available")
            }
            // For speech, not for the mind.
            Event::FrameStarted(_) | Event::BField { .. } => {}
        }
    }

    fn access(
        &mut self,
        now: Instant,
        pmid: Pmid,
        kind: AccessKind,
        rssi_dbm: i8,
        out: &mut Vec<Action>,
    ) {
        let known = self
            .connections
            .values()
            .find(|c| c.pmid == pmid)
            .map(|c| c.id);
        let refuse = |reason| Action::Radio(Order::Refuse { pmid, reason });
        if self.draining.is_some() {
            out.push(refuse(RefuseReason::Draining));
            return;
        }
        match (kind, known) {
            (AccessKind::BearerHandover, Some(id)) => self.second_bearer(now, id, pmid, out),
            (AccessKind::BearerHandover, None) => out.push(refuse(RefuseReason::UnknownConnection)),
            (AccessKind::Access, Some(id)) if self.awaits_first_burst(id) => {
                self.confirm_again(id, pmid, out)
            }
            (AccessKind::ConnectionHandover, Some(id)) if self.awaits_grant(id) => {
                out.push(Action::Radio(Order::Wait { pmid }));
            }
            (AccessKind::ConnectionHandover, Some(id)) if self.awaits_first_burst(id) => {
                self.confirm_again(id, pmid, out);
            }
            (AccessKind::Access | AccessKind::ConnectionHandover, known) => {
                // A portable that asks anew has lost what it had here.
                if let Some(id) = known {
                    self.end(now, id, DownReason::RadioLost, out);
                }
                self.new_connection(now, pmid, kind, rssi_dbm, out);
            }
        }
    }

    fn awaits_first_burst(&self, id: ConnectionId) -> bool {
        self.connections
            .get(&id)
            .is_some_and(|c| !c.heard && !matches!(c.handover, Some(Handover::Asked { .. })))
    }

    fn awaits_grant(&self, id: ConnectionId) -> bool {
        self.connections
            .get(&id)
            .is_some_and(|c| matches!(c.handover, Some(Handover::Asked { .. })))
    }

    fn confirm_again(&self, id: ConnectionId, pmid: Pmid, out: &mut Vec<Action>) {
        if let Some(connection) = self.connections.get(&id) {
            out.push(Action::Radio(Order::Confirm {
                pmid,
                bearer: connection.bearer,
            }));
        }
    }

    /// Without a server there is nobody to speak to; the reserve is for handovers.
    fn new_connection(
        &mut self,
        now: Instant,
        pmid: Pmid,
        kind: AccessKind,
        rssi_dbm: i8,
        out: &mut Vec<Action>,
    ) {
        let handover = kind == AccessKind::ConnectionHandover;
        let reserve = self.configuration.map_or(0, |c| c.handover_reserve);
        let room = self.state().bearers_free > if handover { 0 } else { reserve };
        let free = self
            .free_bearer()
            .filter(|_| room && self.links.active().is_some());
        let Some(bearer) = free else {
            out.push(Action::Radio(Order::Refuse {
                pmid,
                reason: RefuseReason::NoBearer,
            }));
            return;
        };
        let id = self.next_id();
        let mut connection = Connection::new(now, id, pmid, bearer, rssi_dbm);
        self.bearers[usize::from(bearer) - 1] = Some(id);
        if handover {
            connection.handover = Some(Handover::Asked {
                deny_at: now + HANDOVER_GRANT,
            });
            out.push(Action::Radio(Order::Wait { pmid }));
            self.tell(handover_requested(&connection), out);
        } else {
            connection.claim_by = Some(now + LCE_05);
            out.push(Action::Radio(Order::Confirm { pmid, bearer }));
            self.tell(
                Report::ConnectionUp {
                    connection: id,
                    pmid,
                    bearer,
                    rssi_dbm,
                },
                out,
            );
        }
        self.connections.insert(id, connection);
    }

    /// Bearer handover: both bearers carry the connection until the new one has spoken, T203 at most.
    fn second_bearer(&mut self, now: Instant, id: ConnectionId, pmid: Pmid, out: &mut Vec<Action>) {
        let second = self.connections.get(&id).and_then(|c| c.second);
        let Some(bearer) = second.or_else(|| self.free_bearer()) else {
            out.push(Action::Radio(Order::Refuse {
                pmid,
                reason: RefuseReason::NoBearer,
            }));
            return;
        };
        self.bearers[usize::from(bearer) - 1] = Some(id);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.second = Some(bearer);
            connection.second_until = Some(now + SECOND_BEARER);
        }
        out.push(Action::Radio(Order::Confirm { pmid, bearer }));
    }

    fn bearer_up(&mut self, now: Instant, bearer: BearerNumber, out: &mut Vec<Action>) {
        let Some(connection) = self.on_bearer(bearer) else {
            return;
        };
        let id = connection.id;
        if connection.second == Some(bearer) {
            self.move_to_second(id, bearer, out);
            return;
        }
        connection.heard = true;
        if let Some(Handover::Granted { at }) = connection.handover {
            connection.handover = None;
            let gap = now.saturating_duration_since(at).as_nanos() / FRAME.as_nanos();
            self.tell(
                Report::HandoverDone {
                    connection: id,
                    gap_frames: gap as u32,
                },
                out,
            );
        }
        self.feed_radio(id, out);
    }

    fn move_to_second(&mut self, id: ConnectionId, bearer: BearerNumber, out: &mut Vec<Action>) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let old = std::mem::replace(&mut connection.bearer, bearer);
        (connection.second, connection.second_until) = (None, None);
        connection.moved();
        self.speech.move_to(id, bearer);
        self.bearers[usize::from(old) - 1] = None;
        out.push(Action::Radio(Order::Release {
            bearer: old,
            reason: ReleaseReason::HandedOver,
        }));
        self.feed_radio(id, out);
    }

    /// Losing one of two bearers loses nothing.
    fn bearer_gone(
        &mut self,
        now: Instant,
        bearer: BearerNumber,
        reason: DownReason,
        out: &mut Vec<Action>,
    ) {
        let Some(connection) = self.on_bearer(bearer) else {
            return;
        };
        let id = connection.id;
        if connection.second == Some(bearer) {
            (connection.second, connection.second_until) = (None, None);
            self.bearers[usize::from(bearer) - 1] = None;
        } else if let Some(second) = connection.second {
            self.move_to_second(id, second, out);
        } else {
            self.bearers[usize::from(bearer) - 1] = None;
            self.end(now, id, reason, out);
        }
    }

    /// Frees the bearers of a connection that is gone; those that the radio freed by itself are free already.
    pub(super) fn release_bearers(
        &mut self,
        connection: &Connection,
        why: DownReason,
        out: &mut Vec<Action>,
    ) {
        let waits = matches!(connection.handover, Some(Handover::Asked { .. }));
        let reason = match why {
            DownReason::Normal => ReleaseReason::Normal,
            _ => ReleaseReason::Abnormal,
        };
        for bearer in 1..=BEARERS {
            if self.bearers[usize::from(bearer) - 1] == Some(connection.id) {
                self.bearers[usize::from(bearer) - 1] = None;
                if !waits {
                    out.push(Action::Radio(Order::Release { bearer, reason }));
                }
            }
        }
    }

    fn free_bearer(&self) -> Option<BearerNumber> {
        self.bearers
            .iter()
            .position(Option::is_none)
            .map(|index| index as u8 + 1)
    }

    fn next_id(&mut self) -> ConnectionId {
        self.counter = self.counter.wrapping_add(1);
        ConnectionId(self.settings.boot_id << 32 | u64::from(self.counter))
    }
}

/// Longest time for which a second bearer may stay without a burst. Source: EN 300 175-3 annex A, T203.
const SECOND_BEARER: Duration = FRAME.saturating_mul(T203_FRAMES);
