//! What workers tell, and what is told by the clock.

use std::time::Duration;

use bytes::Bytes;
use ipdect_media::session::{Distrust, Event, LegId};
use ipdect_node::drops;
use ipdect_proto::media::v1::media_to_server::Body as Up;
use ipdect_proto::media::v1::{self as wire};
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{Service, closed};
use crate::convert;
use crate::metrics::LegKind;
use crate::session::{Act, Command, Second, SessionKey, Told};

impl Service {
    /// Hands on what a worker told.
    pub(crate) fn told(&self, told: Told) {
        match told {
            Told::Event { session, event } => self.happened(session, event),
            Told::Ended { session, stats } => {
                let now = self.environment.clock.now();
                let id = self
                    .book
                    .lock()
                    .by_key(session)
                    .map(|(id, _)| id.to_owned());
                if let Some(id) = id {
                    info!(session = %id, "media session ended: nobody is there any more");
                    self.to_owner(session, closed(&id, &stats, "silent"));
                    self.count_one_way(&stats);
                    self.book.lock().closed(now, session, stats);
                }
            }
            Told::Second(second) => self.second_of(second),
        }
    }

    fn happened(&self, session: SessionKey, event: Event) {
        let (id, kind) = {
            let book = self.book.lock();
            let Some((id, held)) = book.by_key(session) else {
                return;
            };
            let kind = |leg: LegId| held.legs.get(&leg).map_or(LegKind::Sip, |l| l.0);
            let leg_kind = match &event {
                Event::Stats { leg, .. } => kind(*leg),
                _ => LegKind::Sip,
            };
            (id.to_owned(), leg_kind)
        };
        self.measure(kind, &event);
        if let Some(body) = body(id, event) {
            self.to_owner(session, body);
        }
    }

    fn measure(&self, kind: LegKind, event: &Event) {
        match event {
            Event::Stats { stats, .. } => self.handles.leg(kind, stats),
            Event::Security { kind, count, .. } => match kind {
                Distrust::AuthFailed => self.handles.auth_failures.increment(*count),
                Distrust::Replay => self.handles.replays.increment(*count),
                Distrust::UnexpectedSource => self.handles.unexpected.increment(*count),
            },
            _ => {}
        }
    }

    /// Tells the owner of a session; without a link to him he learns it from the inventory.
    fn to_owner(&self, session: SessionKey, body: Up) {
        let (owner, trace) = {
            let book = self.book.lock();
            let trace = book.by_key(session).map(|(_, held)| held.trace.clone());
            (book.owner(session).cloned(), trace.unwrap_or_default())
        };
        if let Up::FirstPacket(first) = &body {
            let leg = first.leg_id;
            let span = tracing::info_span!("media.first_packet", leg, after_ms = first.after_ms);
            ipdect_node::trace::set_parent(&span, &trace);
            span.in_scope(|| tracing::debug!("a leg hears its peer"));
        }
        let links = self.links.lock();
        if let Some(link) = links
            .iter()
            .find(|link| Some(&link.start) == owner.as_ref())
        {
            // A link that is over is about to be taken from the list.
            let _ = link.sender.send(trace, body);
        }
    }

    fn second_of(&self, second: Second) {
        let handles = &self.handles;
        handles.packets_in.increment(second.packets_in);
        handles.packets_out.increment(second.packets_out);
        handles.bytes_in.increment(second.octets_in);
        handles.bytes_out.increment(second.octets_out);
        handles.unknown.increment(second.unknown);
        handles.unsent.increment(second.dropped);
        if second.packets_in > 0 {
            handles.forward.record(second.forward_max);
        }
        let now = self.environment.clock.now();
        self.busy.lock().insert(second.worker, (now, second.busy));
    }

    /// Once a second: forgets what is over, and ends what has had no server for too long.
    pub(crate) fn each_second(&self) {
        let now = self.environment.clock.now();
        self.book.lock().tidy(now);
        let (since, grace) = *self.orphaned.lock();
        if since.is_some_and(|since| now.saturating_duration_since(since) >= grace) {
            self.close_all("orphaned");
        }
        self.handles.links.set(self.links() as f64);
        self.handles.calls.set(self.book.lock().open() as f64);
        self.handles.ports_free.set(self.ports.free() as f64);
    }

    /// Every five seconds: tells the load, and which receive queues overflowed.
    pub(crate) fn each_five_seconds(&self) {
        let busy = self.busy.lock();
        let cpu_ratio = busy.values().map(|(_, part)| part).sum::<f64>() / busy.len().max(1) as f64;
        drop(busy);
        self.handles.cpu.set(cpu_ratio);
        let report = wire::LoadReport {
            sessions: u32::try_from(self.book.lock().open()).unwrap_or(u32::MAX),
            ports_free: u32::try_from(self.ports.free()).unwrap_or(u32::MAX),
            cpu_ratio,
        };
        for link in self.links.lock().iter() {
            link.sender.handle().set_load(cpu_ratio as f32);
            let _ = link.sender.send(Bytes::new(), Up::LoadReport(report));
        }
        self.count_drops();
    }

    fn count_drops(&self) {
        let now = drops::read();
        let grown = drops::grown(
            &std::mem::replace(&mut self.drops.lock(), now.clone()),
            &now,
        );
        if grown.is_empty() {
            return;
        }
        let book = self.book.lock();
        for (_, held) in book.held(None).filter(|(_, h)| h.closed().is_none()) {
            for (leg, (_, port)) in held.legs.iter().filter(|(_, (_, port))| *port > 0) {
                if let Some(packets) = grown.get(port).copied() {
                    let act = Act::Overflowed { leg: *leg, packets };
                    let (reply, _) = oneshot::channel();
                    if let Some(hands) = self.hands.get(held.worker) {
                        hands.send(Command::Act {
                            session: held.key,
                            act,
                            reply,
                        });
                    }
                    self.handles.overflows.increment(packets);
                }
            }
        }
        for port in self.base_ports.iter().filter_map(|port| grown.get(port)) {
            self.handles.overflows.increment(*port);
            warn!(packets = *port, "receive queue of the base legs overflowed");
        }
    }

    /// Ends every session; those who may still ask find their records for 64 s.
    pub(crate) fn close_all(&self, reason: &'static str) {
        let open: Vec<_> = {
            let book = self.book.lock();
            let open = book.held(None).filter(|(_, h)| h.closed().is_none());
            open.map(|(id, held)| (id.clone(), held.key, held.worker))
                .collect()
        };
        let now = self.environment.clock.now();
        for (id, session, worker) in open {
            let (reply, _) = oneshot::channel();
            if let Some(hands) = self.hands.get(worker) {
                hands.send(Command::Act {
                    session,
                    act: Act::Close,
                    reply,
                });
            }
            warn!(session = %id, reason, "media session ended");
            self.to_owner(session, closed(&id, &[], reason));
            self.book.lock().closed(now, session, vec![]);
        }
    }
}

fn body(session_id: String, event: Event) -> Option<Up> {
    let ms = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX);
    Some(match event {
        Event::FirstPacket { leg, after } => Up::FirstPacket(wire::FirstPacket {
            session_id,
            leg_id: leg,
            after_ms: ms(after),
        }),
        Event::Dtmf {
            leg,
            digit,
            duration,
        } => Up::DtmfReceived(wire::DtmfReceived {
            session_id,
            leg_id: leg,
            digit: digit.key().to_string(),
            duration_ms: ms(duration),
        }),
        Event::Silent { leg, lasting } => Up::MediaSilent(wire::MediaSilent {
            session_id,
            leg_id: leg,
            silent_ms: ms(lasting).into(),
        }),
        Event::Stats { leg, stats } => {
            Up::LegStats(convert::stats(&session_id, leg, &stats, false))
        }
        Event::Security { leg, kind, count } => {
            let kind = match kind {
                Distrust::AuthFailed => wire::SecurityKind::AuthFailed,
                Distrust::Replay => wire::SecurityKind::Replay,
                Distrust::UnexpectedSource => wire::SecurityKind::UnexpectedSource,
            };
            let kind = kind.into();
            Up::SecurityEvent(wire::SecurityEvent {
                session_id,
                leg_id: leg,
                kind,
                count,
            })
        }
        Event::KeyExpiring { leg, packets_left } => Up::KeyExpiring(wire::KeyExpiring {
            session_id,
            leg_id: leg,
            packets_left,
        }),
        Event::Abandoned => return None,
    })
}
