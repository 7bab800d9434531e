//! Orders of owners: fenced, checked against the object's shard, carried out, answered.

use std::time::Instant;

use ipdect_dect::dlc::{Context, SendError};
use ipdect_dect::identity::Ipei;
use ipdect_dect::mac::air::RefuseReason;
use rand_core::RngCore;

use super::connection::{Connection, DownReason, Handover, LINGER, NotTaken, REPORT_EVERY};
use super::fence::Fence;
use super::message::{ConnectionId, Order, Outcome, Report, Task};
use super::state::{Action, Cell, LinkId};
use crate::radio;
use crate::speech::{OpenError, Path};

impl Cell {
    /// Carries an order out, or says why not.
    pub(super) fn obey(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        link: LinkId,
        order: &Order,
        out: &mut Vec<Action>,
    ) -> Outcome {
        let obeyed = self
            .admit(link, order.fence)
            .and_then(|()| self.carry_out(now, rng, link, order, out));
        obeyed.err().unwrap_or(Outcome::Done)
    }

    fn carry_out(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        link: LinkId,
        order: &Order,
        out: &mut Vec<Action>,
    ) -> Result<(), Outcome> {
        let fence = order.fence;
        match &order.task {
            Task::Page(page) => self.page(now, *page, out),
            Task::CancelPage { page_id } => {
                self.cancel_page(*page_id, out);
                Ok(())
            }
            Task::Bind { connection, ipei } => self.bind(*connection, *ipei, fence),
            Task::HandoverGrant {
                connection,
                ipei,
                context,
                ciphered,
            } => self.grant(now, *connection, (*ipei, fence), context, *ciphered, out),
            Task::HandoverDeny { connection, reason } => self.deny(now, *connection, reason, out),
            task => {
                let id = task
                    .connection()
                    .ok_or_else(|| Outcome::Invalid("order without connection".into()))?;
                self.owned(id, fence)?;
                self.for_connection(now, rng, link, id, task, out)
            }
        }
    }

    fn for_connection(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        link: LinkId,
        id: ConnectionId,
        task: &Task,
        out: &mut Vec<Action>,
    ) -> Result<(), Outcome> {
        let connection = self
            .connections
            .get_mut(&id)
            .ok_or(Outcome::UnknownTarget)?;
        match task {
            Task::NwkDown { seq, pdu, .. } => {
                connection
                    .send(now, *seq, pdu)
                    .map_err(|why| not_taken(why, *seq))?;
                self.feed_radio(id, out);
            }
            Task::NwkAck { seq, .. } => {
                let happened = connection.acknowledge(now, *seq);
                self.happened(id, happened, out);
            }
            Task::OpenSpeech { path, .. } => self.open_speech(now, rng, id, path, out)?,
            Task::CloseSpeech { .. } => {
                connection.report_at = None;
                if let Some(quality) = self.speech.close(now, id) {
                    self.tell(
                        Report::Quality {
                            connection: id,
                            quality,
                        },
                        out,
                    );
                }
            }
            Task::TakeContext { .. } => {
                let context = connection.take_context();
                out.push(Action::Tell {
                    link,
                    report: Report::LapcContext {
                        connection: id,
                        context,
                    },
                });
            }
            Task::Release { reason, .. } => {
                connection.releasing.get_or_insert((*reason, now + LINGER));
            }
            Task::SetCipherKey { .. } => {
                return Err(Outcome::Invalid("this radio cannot cipher".into()));
            }
            // To be owned is all that these two ask for; the rest is not for a connection that stands.
            Task::Adopt { .. } | Task::Bind { .. } => {}
            Task::Page(_)
            | Task::CancelPage { .. }
            | Task::HandoverGrant { .. }
            | Task::HandoverDeny { .. } => {}
        }
        Ok(())
    }

    /// Finds the connection of an order, checks that it is of the order's shard, and counts it as adopted.
    fn owned(&mut self, id: ConnectionId, fence: Fence) -> Result<(), Outcome> {
        let connection = self
            .connections
            .get_mut(&id)
            .ok_or(Outcome::UnknownTarget)?;
        let Some((_, last)) = &mut connection.owner else {
            return Err(Outcome::Invalid("connection is not bound".into()));
        };
        if last.shard != fence.shard {
            return Err(Outcome::WrongShard);
        }
        *last = fence;
        connection.claim_by = None;
        Ok(())
    }

    fn bind(&mut self, id: ConnectionId, ipei: Ipei, fence: Fence) -> Result<(), Outcome> {
        let connection = self
            .connections
            .get_mut(&id)
            .ok_or(Outcome::UnknownTarget)?;
        match connection.owner {
            Some((_, last)) if last.shard != fence.shard => return Err(Outcome::WrongShard),
            Some((owner, _)) if owner != ipei => {
                return Err(Outcome::Conflict(
                    "connection is bound to another handset".into(),
                ));
            }
            _ if matches!(connection.handover, Some(Handover::Asked { .. })) => {
                return Err(Outcome::Invalid("connection waits for a handover".into()));
            }
            _ => connection.owner = Some((ipei, fence)),
        }
        connection.claim_by = None;
        Ok(())
    }

    fn open_speech(
        &mut self,
        now: Instant,
        rng: &mut dyn RngCore,
        id: ConnectionId,
        path: &Path,
        out: &mut Vec<Action>,
    ) -> Result<(), Outcome> {
        if self.draining.is_some() && self.speech.path(id).is_none() {
            return Err(Outcome::Draining);
        }
        let connection = self
            .connections
            .get_mut(&id)
            .ok_or(Outcome::UnknownTarget)?;
        self.speech
            .open(now, rng, id, connection.bearer, path.clone())
            .map_err(|error| match error {
                OpenError::SsrcInUse(_) => Outcome::Conflict(error.to_string()),
                OpenError::Keys(_) => Outcome::Invalid(error.to_string()),
            })?;
        connection.report_at.get_or_insert(now + REPORT_EVERY);
        out.push(Action::MarkSpeech { dscp: path.dscp });
        Ok(())
    }

    fn grant(
        &mut self,
        now: Instant,
        id: ConnectionId,
        owner: (Ipei, Fence),
        context: &Context,
        ciphered: bool,
        out: &mut Vec<Action>,
    ) -> Result<(), Outcome> {
        let connection = self
            .connections
            .get_mut(&id)
            .ok_or(Outcome::UnknownTarget)?;
        if let Some((ipei, last)) = connection.owner {
            return granted_before((ipei, last), owner);
        }
        if !matches!(connection.handover, Some(Handover::Asked { .. })) {
            return Err(Outcome::Invalid(
                "connection does not wait for a handover".into(),
            ));
        }
        if ciphered {
            return Err(Outcome::Invalid("this radio cannot cipher".into()));
        }
        connection.owner = Some(owner);
        connection.handover = Some(Handover::Granted { at: now });
        connection.resume(now, context.clone());
        let (pmid, bearer) = (connection.pmid, connection.bearer);
        out.push(Action::Radio(radio::Order::Confirm { pmid, bearer }));
        self.feed_radio(id, out);
        Ok(())
    }

    fn deny(
        &mut self,
        now: Instant,
        id: ConnectionId,
        reason: &str,
        out: &mut Vec<Action>,
    ) -> Result<(), Outcome> {
        let connection = self.connections.get(&id).ok_or(Outcome::UnknownTarget)?;
        if !matches!(connection.handover, Some(Handover::Asked { .. })) {
            return Err(Outcome::Invalid(
                "connection does not wait for a handover".into(),
            ));
        }
        tracing::info!(pmid = %connection.pmid, reason, "handover denied");
        self.refuse_handover(now, id, out);
        Ok(())
    }

    /// The old bearer goes on.
    pub(super) fn refuse_handover(
        &mut self,
        now: Instant,
        id: ConnectionId,
        out: &mut Vec<Action>,
    ) {
        let Some(pmid) = self.connections.get(&id).map(|c: &Connection| c.pmid) else {
            return;
        };
        let reason = RefuseReason::UnknownConnection;
        out.push(Action::Radio(radio::Order::Refuse { pmid, reason }));
        self.end(now, id, DownReason::NotAdopted, out);
    }
}

/// A grant repeated in a later order.
fn granted_before(
    (ipei, last): (Ipei, Fence),
    (wanted, fence): (Ipei, Fence),
) -> Result<(), Outcome> {
    if last.shard != fence.shard {
        Err(Outcome::WrongShard)
    } else if ipei == wanted {
        Ok(())
    } else {
        Err(Outcome::Conflict(
            "connection is bound to another handset".into(),
        ))
    }
}

fn not_taken(why: NotTaken, seq: u64) -> Outcome {
    match why {
        NotTaken::Gap { wanted } => {
            Outcome::Invalid(format!("message {seq} where {wanted} was due"))
        }
        NotTaken::Contradiction => Outcome::Conflict(format!("message {seq} was another one")),
        NotTaken::Link(SendError::Length(_)) => {
            Outcome::Invalid("message is empty or too long".into())
        }
        NotTaken::Link(SendError::Full) => {
            Outcome::NoResource("too much waits for the portable".into())
        }
        NotTaken::Link(SendError::Ended) => {
            Outcome::Invalid("link has ended or was handed over".into())
        }
    }
}
