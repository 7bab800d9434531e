//! Calls with their ladders, events, the audit log.

use ipdect_proto::admin::v1 as admin;
use ipdect_proto::admin::v1::AccountRole;
use ipdect_proto::cluster::v1 as rows;
use ipdect_proto::cluster::v1::live_item::Item;
use ipdect_proto::cluster::v1::resource::Value;
use tonic::Status;

use super::Api;
use super::caller::Caller;

/// Rows unless asked otherwise.
const ROWS: u32 = 100;

fn limit(asked: u32) -> u32 {
    if asked == 0 { ROWS } else { asked.min(1000) }
}

impl Api {
    /// Calls, latest first.
    ///
    /// # Errors
    /// For viewers and up.
    pub async fn calls_list(
        &self,
        caller: &Caller,
        request: admin::ListCallsRequest,
    ) -> Result<Vec<admin::Call>, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let items = self
            .upstream()
            .live_list(rows::LiveKind::Call, &request.ipei, 0)
            .await?;
        let calls = items.into_iter().filter_map(|i| match i {
            Item::Call(call) => Some(call),
            _ => None,
        });
        Ok(calls
            .filter(|c| request.ended || c.ended_utc_ms == 0)
            .take(limit(request.limit) as usize)
            .collect())
    }

    /// One call and all that was said about it, in order of time.
    ///
    /// # Errors
    /// NOT_FOUND without one.
    pub async fn call_get(
        &self,
        caller: &Caller,
        call_ref: &str,
    ) -> Result<admin::CallLadder, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let calls = self
            .upstream()
            .live_list(rows::LiveKind::Call, call_ref, 1)
            .await?;
        let call = calls.into_iter().find_map(|i| match i {
            Item::Call(call) => Some(call),
            _ => None,
        });
        let call =
            call.ok_or_else(|| Status::not_found("there is no such call; the last 200 are kept"))?;
        let steps = self
            .upstream()
            .live_list(rows::LiveKind::Ladder, call_ref, 0)
            .await?;
        let mut steps: Vec<admin::LadderStep> = steps
            .into_iter()
            .filter_map(|i| match i {
                Item::Ladder(step) => Some(step),
                _ => None,
            })
            .collect();
        steps.sort_by_key(|s| s.at_utc_us);
        Ok(admin::CallLadder {
            call: Some(call),
            steps,
        })
    }

    /// Events, latest first.
    ///
    /// # Errors
    /// For viewers and up.
    pub async fn events_list(
        &self,
        caller: &Caller,
        request: admin::ListEventsRequest,
    ) -> Result<Vec<admin::Event>, Status> {
        caller.must_be(AccountRole::Viewer)?;
        let least = request.least();
        let items = self
            .upstream()
            .live_list(rows::LiveKind::Event, "", 0)
            .await?;
        let events = items.into_iter().filter_map(|i| match i {
            Item::Event(event) => Some(event),
            _ => None,
        });
        Ok(events
            .filter(|e| e.severity() >= least)
            .take(limit(request.limit) as usize)
            .collect())
    }

    /// The audit log, latest first.
    ///
    /// # Errors
    /// For administrators.
    pub async fn audit_list(
        &self,
        caller: &Caller,
        request: admin::ListAuditRequest,
    ) -> Result<Vec<admin::AuditEntry>, Status> {
        caller.must_be(AccountRole::Administrator)?;
        let rows = self.upstream().latest(rows::Kind::Audit, 1000).await?;
        let entries = rows.into_iter().filter_map(|r| match r.value {
            Some(Value::Audit(entry)) => Some(entry),
            _ => None,
        });
        let before = request.before_utc_ms;
        let entries = entries.filter(|e| before == 0 || e.at_utc_ms < before);
        Ok(entries.take(limit(request.limit) as usize).collect())
    }
}
