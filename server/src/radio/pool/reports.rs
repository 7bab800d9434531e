//! What base stations say: results of orders, messages of handsets, connections that end, and what each holds.

use std::collections::HashMap;
use std::sync::Arc;

use ipdect_dect::identity::Ipei;
use ipdect_handset::{Event, Held, Link, NwkUp, Outcome, Trace};
use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::base_to_server::Body as Up;
use tracing::{debug, warn};

use super::{Base, Owners, Pool};
use crate::radio::convert;

impl Pool {
    /// Takes in a message of a base station.
    pub fn received(&self, base: &Arc<Base>, message: radio::BaseToServer) {
        let Some(owners) = self.owners() else { return };
        let trace = Trace(message.trace.as_ref().try_into().ok());
        match message.body {
            Some(Up::OrderResult(result)) => self.result(base, &result),
            // Whose it is, its first message tells.
            Some(Up::ConnectionUp(_)) => {}
            Some(Up::NwkUp(up)) => self.nwk_up(base, &owners, up, trace),
            Some(Up::ConnectionDown(down)) => self.down(base, &owners, &down),
            Some(Up::Inventory(inventory)) => self.inventory(base, &owners, inventory),
            Some(Up::CellReport(report)) => owners.cell(&base.id.0, &report),
            Some(Up::ConnectionReport(report)) => {
                metrics::counter!("ipdect_radio_frames_total").increment(u64::from(report.frames));
                metrics::counter!("ipdect_radio_bad_frames_total")
                    .increment(u64::from(report.bad_b));
            }
            // The base denies a handover by itself when nobody grants it in time.
            Some(Up::HandoverRequested(wanted)) => {
                debug!(base = %base.id, connection = wanted.connection_id, "handover between base stations is not available in this release");
            }
            Some(Up::HandoverDone(_) | Up::LapcContext(_) | Up::CipherState(_)) => {}
            Some(Up::Hello(_) | Up::Ping(_) | Up::Pong(_)) | None => {}
        }
    }

    fn result(&self, base: &Base, result: &link::OrderResult) {
        let asked = base.state.lock().line.answered(result.order_id);
        let Some(asked) = asked else { return };
        let outcome = convert::outcome(result.status);
        if outcome != Outcome::Done {
            debug!(base = %base.id, ?outcome, detail = %result.detail, "an order was refused");
            metrics::counter!("ipdect_radio_orders_refused_total").increment(1);
        }
        self.done(asked.ipei, asked.tag, outcome);
    }

    fn nwk_up(&self, base: &Arc<Base>, owners: &Arc<dyn Owners>, up: radio::NwkUp, trace: Trace) {
        let known = base
            .state
            .lock()
            .connections
            .get(&up.connection_id)
            .copied();
        let ipei = known.or_else(|| owners.whose(&up.pdu));
        let Some(ipei) = ipei else {
            warn!(base = %base.id, connection = up.connection_id, "the first message on a connection names no handset");
            metrics::counter!("ipdect_radio_unidentified_total").increment(1);
            return;
        };
        base.state
            .lock()
            .connections
            .entry(up.connection_id)
            .or_insert(ipei);
        owners.tell(ipei, Event::Nwk(nwk(base, &up, trace)));
    }

    fn down(&self, base: &Arc<Base>, owners: &Arc<dyn Owners>, down: &radio::ConnectionDown) {
        let known = base.state.lock().connections.remove(&down.connection_id);
        if let Some(ipei) = known {
            let link = Link {
                base: base.id.clone(),
                connection: down.connection_id,
            };
            let reason = convert::down(down.reason);
            owners.tell(ipei, Event::ConnectionDown { link, reason });
        }
    }

    /// What a base station holds: connections of handsets that are known again, and what was said meanwhile.
    fn inventory(&self, base: &Arc<Base>, owners: &Arc<dyn Owners>, inventory: radio::Inventory) {
        let mut by_handset: HashMap<Ipei, Vec<Held>> = HashMap::new();
        let before: Vec<Ipei> = base.state.lock().connections.values().copied().collect();
        // A query is about one handset, and its number is the handset's ([`Pool::ask`]).
        let about = |ipei: &Ipei| [0, ipei.bits()].contains(&inventory.query_id);
        for ipei in before.into_iter().filter(about) {
            by_handset.entry(ipei).or_default();
        }
        for held in &inventory.connections {
            let Some(ipei) = self.owner_of(base, owners, held) else {
                continue;
            };
            base.state
                .lock()
                .connections
                .insert(held.connection_id, ipei);
            if !about(&ipei) {
                continue;
            }
            by_handset
                .entry(ipei)
                .or_default()
                .push(held_of(base, held));
        }
        for ended in &inventory.ended {
            let down = radio::ConnectionDown {
                connection_id: ended.connection_id,
                reason: ended.reason,
                last_report: None,
            };
            self.down(base, owners, &down);
        }
        let mut all: Vec<(Ipei, Vec<Held>)> = by_handset.into_iter().collect();
        all.sort_by_key(|(ipei, _)| *ipei);
        for (ipei, connections) in all {
            owners.tell(
                ipei,
                Event::BaseBack {
                    base: base.id.clone(),
                    same_boot: true,
                    connections,
                },
            );
        }
    }

    fn owner_of(
        &self,
        base: &Arc<Base>,
        owners: &Arc<dyn Owners>,
        held: &radio::HeldConnection,
    ) -> Option<Ipei> {
        held.ipei
            .parse()
            .ok()
            .or_else(|| {
                let state = base.state.lock();
                state.connections.get(&held.connection_id).copied()
            })
            .or_else(|| held.unacked.first().and_then(|up| owners.whose(&up.pdu)))
    }
}

fn nwk(base: &Base, up: &radio::NwkUp, trace: Trace) -> NwkUp {
    NwkUp {
        link: Link {
            base: base.id.clone(),
            connection: up.connection_id,
        },
        rpn: base.rpn,
        speech: base.speech,
        seq: up.seq,
        pdu: up.pdu.clone(),
        trace,
    }
}

fn held_of(base: &Base, held: &radio::HeldConnection) -> Held {
    Held {
        connection: held.connection_id,
        address: base.speech,
        speech: held.path.is_some(),
        last_up_seq: held.last_up_seq,
        last_down_seq: held.last_down_seq,
        unacked: held
            .unacked
            .iter()
            .map(|up| nwk(base, up, Trace(None)))
            .collect(),
    }
}
