//! Spans of connections: one trace from the key press on, or from the server's order.

use std::collections::BTreeMap;

use bytes::Bytes;
use ipdect_node::trace;
use ipdect_proto::radio::v1::server_to_base::Body;
use tracing::{Span, info_span};

use crate::cell::message::{ConnectionId, Report};

/// Spans that are open.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    accesses: BTreeMap<ConnectionId, Span>,
    speech: BTreeMap<ConnectionId, Span>,
}

impl Traces {
    /// The trace that a report belongs to; opens and ends the span of its connection.
    pub(crate) fn of(&mut self, report: &Report) -> Bytes {
        match report {
            Report::ConnectionUp {
                connection,
                bearer,
                rssi_dbm,
                ..
            } => {
                let span = info_span!(parent: None, "dect.access", bearer, rssi_dbm);
                self.open(*connection, span)
            }
            Report::HandoverRequested {
                connection,
                rssi_dbm,
                ..
            } => {
                let span = info_span!(parent: None, "dect.handover", rssi_dbm);
                self.open(*connection, span)
            }
            Report::NwkUp(up) => self.known(up.connection),
            Report::HandoverDone { connection, .. } | Report::Quality { connection, .. } => {
                self.known(*connection)
            }
            Report::ConnectionDown { connection, .. } => {
                let trace = self.known(*connection);
                self.accesses.remove(connection);
                self.speech.remove(connection);
                trace
            }
            _ => Bytes::new(),
        }
    }

    /// Looks at an order before it is carried out: its trace is the call's.
    pub(crate) fn ordered(&mut self, context: &Bytes, body: &Body) {
        if context.is_empty() {
            return;
        }
        match body {
            Body::Page(page) => {
                let span =
                    info_span!(parent: None, "base.page", life_multiframes = page.life_multiframes);
                trace::set_parent(&span, context);
                span.in_scope(|| tracing::debug!("paging"));
            }
            Body::OpenSpeech(open) => {
                let span = info_span!(parent: None, "base.speech");
                trace::set_parent(&span, context);
                self.speech.insert(ConnectionId(open.connection_id), span);
            }
            Body::CloseSpeech(close) => {
                self.speech.remove(&ConnectionId(close.connection_id));
            }
            _ => {}
        }
    }

    /// Forgets connections that ended while nobody was told.
    pub(crate) fn keep(&mut self, stands: impl Fn(ConnectionId) -> bool) {
        self.accesses.retain(|id, _| stands(*id));
        self.speech.retain(|id, _| stands(*id));
    }

    fn open(&mut self, connection: ConnectionId, span: Span) -> Bytes {
        let trace = octets(&span);
        self.accesses.entry(connection).or_insert(span);
        trace
    }

    fn known(&self, connection: ConnectionId) -> Bytes {
        self.accesses
            .get(&connection)
            .map(octets)
            .unwrap_or_default()
    }
}

fn octets(span: &Span) -> Bytes {
    trace::of_span(span).into()
}
