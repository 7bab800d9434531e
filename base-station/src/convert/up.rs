//! To servers: reports to wire messages.

use bytes::Bytes;
use ipdect_dect::dlc::Context;
use ipdect_dect::dlc::lapc::Part;
use ipdect_media::srtp::Suite;
use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::base_to_server::Body;

use crate::cell::connection::{DownReason, Phase};
use crate::cell::fence::Fence;
use crate::cell::message::{ConnectionId, Ended, Held, Inventory, NwkUp, Outcome, Report};
use crate::speech::{Path, PathKeys, Quality};

/// A report as a message. The RPN is our own: a virtual base is its own sync master.
pub fn body(report: Report, rpn: u8) -> Body {
    match report {
        Report::Result { order_id, outcome } => Body::OrderResult(result(order_id, outcome)),
        Report::Inventory(part) => Body::Inventory(inventory(part)),
        Report::ConnectionUp {
            connection,
            pmid,
            bearer,
            rssi_dbm,
        } => Body::ConnectionUp(radio::ConnectionUp {
            connection_id: connection.0,
            pmid: pmid.bits(),
            bearer: bearer.into(),
            rssi_dbm: rssi_dbm.into(),
        }),
        Report::NwkUp(up) => Body::NwkUp(nwk_up(up)),
        Report::ConnectionDown {
            connection,
            reason,
            last,
        } => Body::ConnectionDown(radio::ConnectionDown {
            connection_id: connection.0,
            reason: down_reason(reason).into(),
            last_report: last.map(|quality| connection_report(connection, &quality)),
        }),
        Report::HandoverRequested {
            connection,
            pmid,
            rssi_dbm,
        } => Body::HandoverRequested(radio::HandoverRequested {
            connection_id: connection.0,
            pmid: pmid.bits(),
            rssi_dbm: rssi_dbm.into(),
        }),
        Report::HandoverDone {
            connection,
            gap_frames,
        } => Body::HandoverDone(radio::HandoverDone {
            connection_id: connection.0,
            gap_frames,
        }),
        Report::LapcContext {
            connection,
            context,
        } => Body::LapcContext(lapc_context(connection, context)),
        Report::Quality {
            connection,
            quality,
        } => Body::ConnectionReport(connection_report(connection, &quality)),
        Report::Cell(state) => Body::CellReport(radio::CellReport {
            bearers_busy: state.bearers_busy.into(),
            bearers_free: state.bearers_free.into(),
            sync_state: radio::SyncState::Master.into(),
            sync_rpn: rpn.into(),
            hops: 0,
            neighbours: vec![],
            page_queue: state.page_queue,
        }),
    }
}

/// The answer to an order that does not parse.
pub fn rejected(order_id: u64, why: String) -> Body {
    Body::OrderResult(result(order_id, Outcome::Invalid(why)))
}

/// A token of a shard.
pub fn fence(fence: Fence) -> link::Fence {
    link::Fence {
        shard: fence.shard.into(),
        era: fence.token.era,
        revision: fence.token.revision,
    }
}

fn result(order_id: u64, outcome: Outcome) -> link::OrderResult {
    use link::OrderStatus as Status;
    let mut seen = None;
    let (status, detail) = match outcome {
        Outcome::Done => (Status::Done, String::new()),
        Outcome::Fenced { seen: floor } => {
            seen = floor.map(fence);
            let detail = if seen.is_some() {
                "a higher token is known"
            } else {
                "no floor of this shard is known yet"
            };
            (Status::Fenced, detail.to_owned())
        }
        Outcome::WrongShard => (
            Status::WrongShard,
            "the object belongs to another shard".to_owned(),
        ),
        Outcome::UnknownTarget => (
            Status::UnknownTarget,
            "there is no such connection".to_owned(),
        ),
        Outcome::NoResource(why) => (Status::NoResource, why),
        Outcome::Invalid(why) => (Status::Invalid, why),
        Outcome::Conflict(why) => (Status::Conflict, why),
        Outcome::Draining => (
            Status::Draining,
            "this base station is leaving service".to_owned(),
        ),
    };
    link::OrderResult {
        order_id,
        status: status.into(),
        detail,
        seen,
    }
}

fn inventory(part: Inventory) -> radio::Inventory {
    radio::Inventory {
        query_id: part.query_id,
        last: part.last,
        connections: part.connections.into_iter().map(held).collect(),
        ended: part.ended.into_iter().map(ended).collect(),
    }
}

fn held(held: Held) -> radio::HeldConnection {
    radio::HeldConnection {
        connection_id: held.connection.0,
        ipei: held
            .owner
            .map(|(ipei, _)| ipei.digits())
            .unwrap_or_default(),
        fence: held.owner.map(|(_, token)| fence(token)),
        phase: phase(held.phase).into(),
        bearer: held.bearer.into(),
        pmid: held.pmid.bits(),
        path: held.path.map(speech_path),
        ciphered: false,
        key_number: 0,
        last_up_seq: held.last_up_seq,
        last_down_seq: held.last_down_seq,
        unacked: held.unacked.into_iter().map(nwk_up).collect(),
        age_ms: held.age_ms,
    }
}

fn ended(ended: Ended) -> radio::EndedConnection {
    radio::EndedConnection {
        connection_id: ended.connection.0,
        fence: ended.fence.map(fence),
        reason: down_reason(ended.reason).into(),
    }
}

fn nwk_up(up: NwkUp) -> radio::NwkUp {
    radio::NwkUp {
        connection_id: up.connection.0,
        seq: up.seq,
        pdu: up.pdu.into(),
    }
}

fn lapc_context(connection: ConnectionId, context: Context) -> radio::LapcContext {
    let part = |part: &Part| Bytes::from(part.to_octets());
    radio::LapcContext {
        connection_id: connection.0,
        v_s: context.v_s.into(),
        v_r: context.v_r.into(),
        v_a: context.v_a.into(),
        unacked: context.unacked.as_ref().map(part).unwrap_or_default(),
        reassembly: context.reassembly.into(),
        queued: context.queued.iter().map(part).collect(),
    }
}

fn connection_report(connection: ConnectionId, quality: &Quality) -> radio::ConnectionReport {
    radio::ConnectionReport {
        connection_id: connection.0,
        frames: quality.frames,
        bad_a: quality.bad_a,
        bad_b: quality.bad_b,
        rssi_dbm_mean: quality.rssi_dbm_mean.into(),
        rssi_dbm_min: quality.rssi_dbm_min.into(),
        playout_late: quality.playout_late,
        window_ms: u32::try_from(quality.window.as_millis()).unwrap_or(u32::MAX),
    }
}

fn speech_path(path: Path) -> link::SpeechPath {
    link::SpeechPath {
        remote: path.remote.to_string(),
        ssrc_out: path.ssrc_out,
        ssrc_in: path.ssrc_in,
        payload_type: path.payload_type.into(),
        srtp: path.keys.as_ref().map(srtp),
    }
}

fn srtp(keys: &PathKeys) -> link::PathSrtp {
    let suite = match keys.out.suite() {
        Suite::AesCm128HmacSha1_80 => link::SrtpSuite::AesCm128HmacSha180,
        Suite::AesCm128HmacSha1_32 => link::SrtpSuite::AesCm128HmacSha132,
        Suite::AesCm256HmacSha1_80 => link::SrtpSuite::Aes256CmHmacSha180,
        Suite::AeadAes128Gcm => link::SrtpSuite::AeadAes128Gcm,
        Suite::AeadAes256Gcm => link::SrtpSuite::AeadAes256Gcm,
    };
    let octets = |key: &ipdect_media::srtp::KeyMaterial| Bytes::copy_from_slice(key.key_and_salt());
    link::PathSrtp {
        suite: suite.into(),
        key_out: octets(&keys.out),
        key_in: octets(&keys.inward),
    }
}

fn phase(phase: Phase) -> radio::ConnectionPhase {
    match phase {
        Phase::Unbound => radio::ConnectionPhase::Unbound,
        Phase::Bound => radio::ConnectionPhase::Bound,
        Phase::Speech => radio::ConnectionPhase::Speech,
        Phase::HandoverWait => radio::ConnectionPhase::HandoverWait,
        Phase::Frozen => radio::ConnectionPhase::Frozen,
    }
}

fn down_reason(reason: DownReason) -> radio::DownReason {
    match reason {
        DownReason::Normal => radio::DownReason::Normal,
        DownReason::RadioLost => radio::DownReason::RadioLost,
        DownReason::DlcFailed => radio::DownReason::DlcFailed,
        DownReason::Drained => radio::DownReason::Drained,
        DownReason::NotAdopted => radio::DownReason::NotAdopted,
    }
}
