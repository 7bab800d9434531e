//! Orders of a mind as the radio contract has them.

use ipdect_dect::identity::Ipei;
use ipdect_handset::{Link, Radio, Tag};
use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::server_to_base::Body as Down;

use super::convert;

/// The connection an order is for, and the tag that waits for its result.
pub(super) fn target(order: &Radio) -> (&Link, Option<Tag>) {
    match order {
        Radio::Bind { link }
        | Radio::AckNwk { link, .. }
        | Radio::CloseSpeech { link }
        | Radio::Adopt { link }
        | Radio::ReleaseConnection { link, .. } => (link, None),
        Radio::SendNwk { tag, link, .. } | Radio::OpenSpeech { tag, link, .. } => {
            (link, Some(*tag))
        }
        Radio::Page { .. } | Radio::CancelPage { .. } => {
            unreachable!("pages go to every base station")
        }
    }
}

/// The order on the wire.
pub(super) fn body(order: Radio, o: link::Order, ipei: Ipei, dscp: u32) -> Down {
    let order_field = Some(o);
    match order {
        Radio::Bind { link } => Down::Bind(radio::Bind {
            order: order_field,
            connection_id: link.connection,
            ipei: convert::ipei(ipei),
        }),
        Radio::SendNwk { link, seq, pdu, .. } => Down::NwkDown(radio::NwkDown {
            order: order_field,
            connection_id: link.connection,
            seq,
            pdu,
        }),
        Radio::AckNwk { link, seq } => Down::NwkAck(radio::NwkAck {
            order: order_field,
            connection_id: link.connection,
            seq,
        }),
        Radio::OpenSpeech { link, path, .. } => Down::OpenSpeech(radio::OpenSpeech {
            order: order_field,
            connection_id: link.connection,
            path: Some(convert::path(&path)),
            dscp,
        }),
        Radio::CloseSpeech { link } => Down::CloseSpeech(radio::CloseSpeech {
            order: order_field,
            connection_id: link.connection,
        }),
        Radio::Adopt { link } => Down::Adopt(radio::Adopt {
            order: order_field,
            connection_id: link.connection,
        }),
        Radio::ReleaseConnection { link, reason } => {
            Down::ReleaseConnection(radio::ReleaseConnection {
                order: order_field,
                connection_id: link.connection,
                reason: convert::cause(reason).into(),
            })
        }
        Radio::Page { .. } | Radio::CancelPage { .. } => {
            unreachable!("pages go to every base station")
        }
    }
}
