//! What media resources say: results of orders, digits, silence, figures, the end of sessions.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipdect_dect::identity::Ipei;
use ipdect_handset::{Event, LegId, Outcome, SessionId};
use ipdect_proto::link::v1 as link;
use ipdect_proto::media::v1 as media;
use ipdect_proto::media::v1::media_to_server::Body as Up;
use tracing::{debug, warn};

use super::{Kind, Owners, Pool, Resource};
use crate::media::convert;
use crate::radio;

impl Pool {
    /// Takes in a message of a media resource.
    pub fn received(&self, resource: &Arc<Resource>, message: media::MediaToServer) {
        let Some(owners) = self.owners() else { return };
        match message.body {
            Some(Up::OrderResult(result)) => self.result(resource, &owners, &result),
            Some(Up::LegOpened(opened)) => self.leg_opened(resource, &owners, &opened),
            Some(Up::DtmfReceived(dtmf)) => {
                if let (Some((session, ipei)), Some(digit)) = (
                    self.owner(resource, &dtmf.session_id),
                    dtmf.digit.chars().next(),
                ) {
                    let leg = LegId(dtmf.leg_id);
                    owners.tell(
                        ipei,
                        Event::DtmfReceived {
                            session,
                            leg,
                            digit,
                        },
                    );
                }
            }
            Some(Up::MediaSilent(silent)) => {
                if let Some((session, ipei)) = self.owner(resource, &silent.session_id) {
                    let leg = LegId(silent.leg_id);
                    owners.tell(
                        ipei,
                        Event::MediaSilent {
                            session,
                            leg,
                            silent_ms: silent.silent_ms,
                        },
                    );
                }
            }
            Some(Up::LegStats(figures)) => {
                if let Some((session, ipei)) = self.owner(resource, &figures.session_id) {
                    owners.figures(session, &figures);
                    let (leg, stats) = convert::stats(&figures);
                    owners.tell(
                        ipei,
                        Event::LegStats {
                            session,
                            leg,
                            stats,
                        },
                    );
                }
            }
            Some(Up::SessionClosed(closed)) => self.closed(resource, &owners, &closed),
            Some(Up::LoadReport(report)) => owners.load(&resource.id.0, &report),
            Some(Up::Inventory(inventory)) => self.inventory(resource, &owners, &inventory),
            Some(Up::SecurityEvent(event)) => {
                warn!(media = %resource.id, session = event.session_id, leg = event.leg_id, kind = event.kind, count = event.count, "speech packets were refused");
                metrics::counter!("ipdect_media_security_events_total").increment(event.count);
            }
            Some(Up::FirstPacket(first)) => {
                debug!(media = %resource.id, session = first.session_id, leg = first.leg_id, after_ms = first.after_ms, "first packet");
            }
            Some(Up::KeyExpiring(key)) => {
                warn!(media = %resource.id, session = key.session_id, left = key.packets_left, "an SRTP key is nearly spent");
            }
            Some(Up::Hello(_) | Up::Ping(_) | Up::Pong(_)) | None => {}
        }
    }

    fn result(
        &self,
        resource: &Arc<Resource>,
        owners: &Arc<dyn Owners>,
        result: &link::OrderResult,
    ) {
        let asked = resource.state.lock().line.answered(result.order_id);
        let Some(asked) = asked else { return };
        let outcome = radio::convert::outcome(result.status);
        if outcome != Outcome::Done {
            debug!(media = %resource.id, ?outcome, detail = %result.detail, "an order was refused");
            metrics::counter!("ipdect_media_orders_refused_total").increment(1);
        }
        match asked.kind {
            Kind::OpenSession { session } if outcome == Outcome::Done => {
                resource.state.lock().sessions.insert(session, asked.ipei);
                owners.placed(session, &resource.id.0);
                if let Some(tag) = asked.tag {
                    let event = Event::SessionOpened {
                        tag,
                        session,
                        resource: resource.id.clone(),
                        boot: resource.boot,
                    };
                    owners.answer(asked.ipei, event);
                }
            }
            Kind::OpenSession { session } => {
                self.homes.write().remove(&session);
                self.done(asked.ipei, asked.tag, outcome);
            }
            // Told by `LegOpened`, which brings the address.
            Kind::OpenLeg { .. } if outcome == Outcome::Done => {}
            Kind::OpenLeg { session, leg } => {
                resource.state.lock().opening.remove(&(session, leg));
                self.done(asked.ipei, asked.tag, outcome);
            }
            Kind::Plain => self.done(asked.ipei, asked.tag, outcome),
        }
    }

    fn leg_opened(
        &self,
        resource: &Arc<Resource>,
        owners: &Arc<dyn Owners>,
        opened: &media::LegOpened,
    ) {
        let Some(session) = convert::session(&opened.session_id) else {
            return;
        };
        let leg = LegId(opened.leg_id);
        let Some((ipei, tag)) = resource.state.lock().opening.remove(&(session, leg)) else {
            return;
        };
        let ports = (
            u16::try_from(opened.rtp_port),
            u16::try_from(opened.rtcp_port),
        );
        let event = match (opened.address.parse::<IpAddr>(), ports) {
            (Ok(ip), (Ok(rtp), Ok(rtcp_port))) => Event::LegOpened {
                tag,
                session,
                leg,
                rtp: SocketAddr::new(ip, rtp),
                rtcp_port,
            },
            _ => Event::Done {
                tag,
                outcome: Outcome::Invalid,
            },
        };
        owners.answer(ipei, event);
    }

    fn closed(
        &self,
        resource: &Arc<Resource>,
        owners: &Arc<dyn Owners>,
        closed: &media::SessionClosed,
    ) {
        let Some((session, ipei)) = self.owner(resource, &closed.session_id) else {
            return;
        };
        resource.state.lock().sessions.remove(&session);
        self.homes.write().remove(&session);
        for figures in &closed.final_stats {
            owners.figures(session, figures);
        }
        owners.closed(session);
        let stats = closed.final_stats.iter().map(convert::stats).collect();
        owners.answer(ipei, Event::SessionClosed { session, stats });
    }

    /// What a media resource holds: sessions of handsets of ours are at home there again, and those of which it says
    /// nothing are gone.
    fn inventory(
        &self,
        resource: &Arc<Resource>,
        owners: &Arc<dyn Owners>,
        inventory: &media::Inventory,
    ) {
        for held in &inventory.sessions {
            let Some(session) = convert::session(&held.session_id) else {
                continue;
            };
            if let Some(ipei) = self.astray.lock().remove(&session) {
                let mut state = resource.state.lock();
                state.sessions.insert(session, ipei);
                state.untold.insert(session);
            }
            let Some(&ipei) = resource.state.lock().sessions.get(&session) else {
                if !held.closed {
                    // It ends by itself when both its legs are silent.
                    warn!(media = %resource.id, session = held.session_id, "a session of nobody");
                }
                continue;
            };
            owners.holds(ipei, &resource.id, &held.record);
            if !held.closed {
                resource.state.lock().untold.remove(&session);
                self.homes.write().insert(session, resource.clone());
                owners.placed(session, &resource.id.0);
            }
        }
        if !inventory.last {
            return;
        }
        let gone = std::mem::take(&mut resource.state.lock().untold);
        for session in gone {
            let Some(ipei) = resource.state.lock().sessions.remove(&session) else {
                continue;
            };
            self.homes.write().remove(&session);
            owners.closed(session);
            let stats = Vec::new();
            owners.answer(ipei, Event::SessionClosed { session, stats });
        }
        owners.counted(&resource.id);
    }

    fn owner(&self, resource: &Arc<Resource>, session: &str) -> Option<(SessionId, Ipei)> {
        let session = convert::session(session)?;
        let ipei = resource.state.lock().sessions.get(&session).copied()?;
        Some((session, ipei))
    }
}
