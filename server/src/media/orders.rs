//! Orders of a mind as the media contract has them.

use bytes::Bytes;
use ipdect_handset::{Media, SessionId, Tag};
use ipdect_proto::link::v1 as link;
use ipdect_proto::media::v1 as media;
use ipdect_proto::media::v1::server_to_media::Body as Down;

use super::convert;
use super::pool::Marks;

/// The session an order is for, and the tag that waits for its result.
pub(super) fn target(order: &Media) -> (SessionId, Option<Tag>) {
    match order {
        Media::OpenSession { tag, session, .. }
        | Media::OpenLeg { tag, session, .. }
        | Media::ModifyLeg { tag, session, .. }
        | Media::SendDtmf { tag, session, .. }
        | Media::Note { tag, session, .. }
        | Media::CloseLeg { tag, session, .. }
        | Media::CloseSession { tag, session, .. } => (*session, Some(*tag)),
        Media::AddPath { tag, session, .. } => (*session, Some(*tag)),
        Media::DropPath { session, .. }
        | Media::Connect { session, .. }
        | Media::Disconnect { session, .. }
        | Media::PlayTone { session, .. }
        | Media::StopTone { session, .. } => (*session, None),
    }
}

/// The order on the wire; records leave the process sealed.
pub(super) fn body(
    order: Media,
    o: link::Order,
    marks: &Marks,
    seal: &dyn Fn(&[u8]) -> Bytes,
) -> Down {
    let order_field = Some(o);
    let sealed = |record: &Option<Bytes>| record.as_ref().map_or_else(Bytes::new, |r| seal(r));
    match order {
        Media::OpenSession {
            session,
            call,
            priority,
            record,
            ..
        } => Down::OpenSession(media::OpenSession {
            order: order_field,
            session_id: session.to_string(),
            call_ref: call.to_string(),
            priority: convert::priority(priority).into(),
            record: seal(&record),
        }),
        Media::OpenLeg {
            session,
            leg,
            kind,
            codecs,
            telephone_event,
            srtp,
            path,
            record,
            ..
        } => Down::OpenLeg(media::OpenLeg {
            order: order_field,
            session_id: session.to_string(),
            leg_id: leg.0,
            kind: convert::leg_kind(kind).into(),
            codecs: convert::codecs(&codecs),
            telephone_event_pt: telephone_event.map_or(0, u32::from),
            srtp: srtp.as_ref().map(convert::own_srtp),
            ice: media::IceMode::Off.into(),
            dscp: marks.dscp,
            record: sealed(&record),
            path_id: u32::from(path.is_some()),
            path: path.as_ref().map(crate::radio::convert::path),
        }),
        Media::ModifyLeg {
            session,
            leg,
            remote,
            codecs,
            telephone_event,
            srtp,
            direction,
            source,
            record,
            ..
        } => Down::ModifyLeg(media::ModifyLeg {
            order: order_field,
            session_id: session.to_string(),
            leg_id: leg.0,
            remote: remote.as_ref().map(convert::remote),
            codecs: convert::codecs(&codecs),
            srtp: srtp.as_ref().map(convert::peer_srtp),
            direction: convert::direction(direction).into(),
            source: convert::source(source).into(),
            record: sealed(&record),
            telephone_event_pt: telephone_event.map_or(0, u32::from),
        }),
        Media::AddPath {
            session,
            leg,
            id,
            path,
            ..
        } => Down::AddPath(media::AddPath {
            order: order_field,
            session_id: session.to_string(),
            leg_id: leg.0,
            path_id: id.0,
            path: Some(crate::radio::convert::path(&path)),
            record: Bytes::new(),
        }),
        Media::DropPath { session, leg, id } => Down::DropPath(media::DropPath {
            order: order_field,
            session_id: session.to_string(),
            leg_id: leg.0,
            path_id: id.0,
            record: Bytes::new(),
        }),
        Media::Connect {
            session,
            a,
            b,
            flow,
        } => Down::Connect(media::Connect {
            order: order_field,
            session_id: session.to_string(),
            leg_a: a.0,
            leg_b: b.0,
            direction: convert::flow(flow).into(),
            record: Bytes::new(),
        }),
        Media::Disconnect { session, a, b } => Down::Disconnect(media::Disconnect {
            order: order_field,
            session_id: session.to_string(),
            leg_a: a.0,
            leg_b: b.0,
            direction: media::JunctionDirection::Both.into(),
            record: Bytes::new(),
        }),
        Media::PlayTone { session, leg, tone } => {
            let mut play = convert::tone(o, session, leg, tone, &marks.region);
            play.order = order_field;
            Down::PlayTone(play)
        }
        Media::StopTone { session, leg } => Down::StopTone(media::StopTone {
            order: order_field,
            session_id: session.to_string(),
            leg_id: leg.0,
        }),
        Media::SendDtmf {
            session,
            leg,
            digits,
            link,
            seq,
            ..
        } => Down::SendDtmf(media::SendDtmf {
            order: order_field,
            session_id: session.to_string(),
            leg_id: leg.0,
            digits,
            duration_ms: 100,
            gap_ms: 100,
            connection_id: link.connection,
            seq,
        }),
        Media::Note {
            session, record, ..
        } => Down::Note(media::Note {
            order: order_field,
            session_id: session.to_string(),
            record: seal(&record),
        }),
        Media::CloseLeg {
            session,
            leg,
            record,
            ..
        } => Down::CloseLeg(media::CloseLeg {
            order: order_field,
            session_id: session.to_string(),
            leg_id: leg.0,
            record: sealed(&record),
        }),
        Media::CloseSession {
            session, record, ..
        } => Down::CloseSession(media::CloseSession {
            order: order_field,
            session_id: session.to_string(),
            record: seal(&record),
        }),
    }
}
