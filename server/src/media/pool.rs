//! The media resources linked to this server: which one takes a session, and the way of orders and events.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ipdect_dect::identity::Ipei;
use ipdect_handset::{Event, Media, MediaId, Outcome, Tag, Trace};
use ipdect_handset::{LegId, SessionId};
use ipdect_link::live::{LinkEnd, LinkHandle, LinkSender};
use ipdect_link::orders::Outstanding;
use ipdect_proto::link::v1 as link;
use ipdect_proto::media::v1 as media;
use ipdect_proto::media::v1::media_to_server::Body as Up;
use ipdect_proto::media::v1::server_to_media::Body as Down;
use parking_lot::{Mutex, RwLock};
use tracing::{debug, warn};

use super::convert;
use crate::fence::Fences;
use crate::radio::pool::trace_bytes;

/// What the pool needs of the rest of the server.
pub trait Owners: Send + Sync + 'static {
    /// Tells a handset something.
    fn tell(&self, ipei: Ipei, event: Event);
    /// Tells a handset the result of its own order.
    fn answer(&self, ipei: Ipei, event: Event);
    /// The load of a media resource.
    fn load(&self, node: &str, report: &media::LoadReport);
    /// Figures of a leg, for live views.
    fn figures(&self, session: SessionId, stats: &media::LegStats);
    /// A leg opened: for live views.
    fn placed(&self, session: SessionId, node: &str);
    /// A session is closed: no more figures of it.
    fn closed(&self, session: SessionId);
    /// A record as it may leave the process: sealed.
    fn seal(&self, ipei: Ipei, record: &[u8]) -> Bytes;
}

/// Who asked for an order, and for what.
struct Asked {
    ipei: Ipei,
    tag: Option<Tag>,
    kind: Kind,
}

/// What an order asked for: its result is told differently.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    OpenSession { session: SessionId },
    OpenLeg { session: SessionId, leg: LegId },
}

struct State {
    down: Option<LinkSender<media::ServerToMedia>>,
    orders: Outstanding<Asked>,
    sessions: HashMap<SessionId, Ipei>,
    opening: HashMap<(SessionId, LegId), (Ipei, Tag)>,
    capacity: u32,
    draining: bool,
}

/// One media resource, linked or lately so.
pub struct Resource {
    id: MediaId,
    boot: u64,
    state: Mutex<State>,
}

/// All media resources of this server.
pub struct Pool {
    resources: RwLock<HashMap<String, Arc<Resource>>>,
    homes: RwLock<HashMap<SessionId, Arc<Resource>>>,
    fences: Fences,
    owners: RwLock<Option<Arc<dyn Owners>>>,
    settings: RwLock<Marks>,
}

/// Settings of the media page that orders carry.
#[derive(Clone, Debug)]
pub struct Marks {
    /// DiffServ code point.
    pub dscp: u32,
    /// Country of tones.
    pub region: String,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(fences: Fences) -> Self {
        Self {
            resources: RwLock::default(),
            homes: RwLock::default(),
            fences,
            owners: RwLock::new(None),
            settings: RwLock::new(Marks {
                dscp: 46,
                region: "DE".into(),
            }),
        }
    }

    /// Sets whom events go to.
    pub fn set_owners(&self, owners: Arc<dyn Owners>) {
        *self.owners.write() = Some(owners);
    }

    /// Sets what orders carry from now on.
    pub fn set_marks(&self, marks: Marks) {
        *self.settings.write() = marks;
    }

    /// A media resource's link stands.
    pub fn attached(
        &self,
        node: &str,
        boot: u64,
        capacity: u32,
        down: LinkSender<media::ServerToMedia>,
    ) -> Arc<Resource> {
        let before = self.resources.read().get(node).cloned();
        let resource = match before {
            Some(same) if same.boot == boot => same,
            Some(dead) => {
                // Another start: all sessions of the former one are gone.
                self.lost(&dead);
                fresh(node, boot)
            }
            None => fresh(node, boot),
        };
        {
            let mut state = resource.state.lock();
            state.down = Some(down);
            state.capacity = capacity;
            state.orders = Outstanding::new();
        }
        self.resources.write().insert(node.into(), resource.clone());
        resource
    }

    /// The link of a media resource is dead. Speech goes on without it; results are unknown.
    pub fn detached(&self, resource: &Arc<Resource>, link: &LinkHandle) {
        // A newer link of the same unit is none of the old one's business.
        if resource
            .state
            .lock()
            .down
            .as_ref()
            .is_some_and(|d| !d.handle().is(link))
        {
            return;
        }
        let (abandoned, opening) = {
            let mut state = resource.state.lock();
            state.down = None;
            (
                std::mem::replace(&mut state.orders, Outstanding::new()).abandon(),
                std::mem::take(&mut state.opening),
            )
        };
        let Some(owners) = self.owners() else { return };
        let tags = abandoned
            .into_iter()
            .filter_map(|a| a.tag.map(|t| (a.ipei, t)));
        for (ipei, tag) in tags.chain(opening.into_values()) {
            owners.answer(
                ipei,
                Event::Done {
                    tag,
                    outcome: Outcome::Unreachable,
                },
            );
        }
    }

    /// The media resource is gone for good, with its sessions.
    fn lost(&self, resource: &Arc<Resource>) {
        let mut owners_of: Vec<Ipei> = {
            let mut state = resource.state.lock();
            std::mem::take(&mut state.sessions).into_values().collect()
        };
        self.homes
            .write()
            .retain(|_, home| !Arc::ptr_eq(home, resource));
        owners_of.sort_unstable();
        owners_of.dedup();
        if let Some(owners) = self.owners() {
            for ipei in owners_of {
                owners.answer(
                    ipei,
                    Event::MediaLost {
                        resource: resource.id.clone(),
                    },
                );
            }
        }
    }

    /// Media resources with a link now.
    #[must_use]
    pub fn linked(&self) -> usize {
        self.resources
            .read()
            .values()
            .filter(|r| r.state.lock().down.is_some())
            .count()
    }

    /// Sessions that stand.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.homes.read().len()
    }

    /// Sends something that is no order to every linked media resource.
    pub fn tell_all(&self, body: &Down) {
        for resource in self.resources.read().values() {
            tell(resource, body.clone());
        }
    }

    /// Ends the link of a device that may no longer have one.
    pub fn cut(&self, node: &str) {
        if let Some(down) = self
            .resources
            .read()
            .get(node)
            .and_then(|r| r.state.lock().down.clone())
        {
            down.handle().end(LinkEnd::Closed);
        }
    }

    /// Ends the links whose oldest order waits too long for its result.
    pub fn end_overdue(&self, now: Instant) {
        for one in self.resources.read().values() {
            let state = one.state.lock();
            if let Some(down) = state.down.as_ref().filter(|_| state.orders.overdue(now)) {
                warn!(node = %one.id, "an order has had no result for 2 s; its link counts as dead");
                down.handle().end(LinkEnd::Silent);
            }
        }
    }

    /// Carries an order of the handset `ipei` to its media resource.
    pub fn order(&self, now: Instant, ipei: Ipei, trace: &Trace, order: Media) {
        let (session, tag) = target(&order);
        let home = if let Media::OpenSession { .. } = &order {
            self.choose(session)
        } else {
            self.home(session)
        };
        let Some(resource) = home else {
            let outcome = if matches!(order, Media::OpenSession { .. }) {
                Outcome::NoResource
            } else {
                Outcome::UnknownTarget
            };
            if let Some(tag) = tag {
                self.done(ipei, tag, outcome);
            }
            return;
        };
        let kind = self.prepare(&resource, ipei, &order, tag);
        if !self.send_order(&resource, now, ipei, trace, order, tag, kind)
            && let Some(tag) = tag
        {
            self.done(ipei, tag, Outcome::Unreachable);
        }
    }

    /// Notes what the result of an order will need.
    fn prepare(
        &self,
        resource: &Arc<Resource>,
        ipei: Ipei,
        order: &Media,
        tag: Option<Tag>,
    ) -> Kind {
        match order {
            Media::OpenSession { session, .. } => Kind::OpenSession { session: *session },
            Media::OpenLeg { session, leg, .. } => {
                if let Some(tag) = tag {
                    resource
                        .state
                        .lock()
                        .opening
                        .insert((*session, *leg), (ipei, tag));
                }
                Kind::OpenLeg {
                    session: *session,
                    leg: *leg,
                }
            }
            _ => Kind::Plain,
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn send_order(
        &self,
        resource: &Arc<Resource>,
        now: Instant,
        ipei: Ipei,
        trace: &Trace,
        order: Media,
        tag: Option<Tag>,
        kind: Kind,
    ) -> bool {
        let Some(owners) = self.owners() else {
            return false;
        };
        let marks = self.settings.read().clone();
        let seal = |record: &[u8]| owners.seal(ipei, record);
        let mut state = resource.state.lock();
        let Some(down) = state.down.clone() else {
            return false;
        };
        let order_id = state.orders.issue(now, Asked { ipei, tag, kind });
        let fenced = link::Order {
            order_id,
            fence: Some(self.fences.of(ipei)),
        };
        if down
            .send(trace_bytes(trace), body(order, fenced, &marks, &seal))
            .is_err()
        {
            state.orders.answered(order_id);
            return false;
        }
        true
    }

    fn home(&self, session: SessionId) -> Option<Arc<Resource>> {
        self.homes.read().get(&session).cloned()
    }

    /// The media resource with most room left, and the session's home from now on.
    fn choose(&self, session: SessionId) -> Option<Arc<Resource>> {
        if let Some(home) = self.home(session) {
            return Some(home);
        }
        let chosen = self
            .resources
            .read()
            .values()
            .filter_map(|r| {
                let state = r.state.lock();
                let usable = state.down.is_some() && !state.draining;
                let room = i64::from(state.capacity)
                    - i64::try_from(state.sessions.len()).unwrap_or(i64::MAX);
                (usable && room > 0).then(|| (room, r.id.0.clone(), r.clone()))
            })
            .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
            .map(|(_, _, r)| r)?;
        self.homes.write().insert(session, chosen.clone());
        Some(chosen)
    }

    fn done(&self, ipei: Ipei, tag: Tag, outcome: Outcome) {
        if let Some(owners) = self.owners() {
            owners.answer(ipei, Event::Done { tag, outcome });
        }
    }

    fn owners(&self) -> Option<Arc<dyn Owners>> {
        self.owners.read().clone()
    }

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
            Some(Up::Inventory(inventory)) => self.inventory(resource, &inventory),
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
        let asked = resource.state.lock().orders.answered(result.order_id);
        let Some(asked) = asked else { return };
        let outcome = convert_outcome(result.status);
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
                self.answer(owners, asked.ipei, asked.tag, outcome);
            }
            // Told by `LegOpened`, which brings the address.
            Kind::OpenLeg { .. } if outcome == Outcome::Done => {}
            Kind::OpenLeg { session, leg } => {
                resource.state.lock().opening.remove(&(session, leg));
                self.answer(owners, asked.ipei, asked.tag, outcome);
            }
            Kind::Plain => self.answer(owners, asked.ipei, asked.tag, outcome),
        }
    }

    #[allow(clippy::unused_self)]
    fn answer(&self, owners: &Arc<dyn Owners>, ipei: Ipei, tag: Option<Tag>, outcome: Outcome) {
        if let Some(tag) = tag {
            owners.answer(ipei, Event::Done { tag, outcome });
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

    /// A session held for a handset of ours is at home there again.
    fn inventory(&self, resource: &Arc<Resource>, inventory: &media::Inventory) {
        for held in inventory.sessions.iter().filter(|s| !s.closed) {
            let Some(session) = convert::session(&held.session_id) else {
                continue;
            };
            let known = resource.state.lock().sessions.contains_key(&session);
            if known {
                self.homes.write().insert(session, resource.clone());
            } else {
                // Its owner died with its record; adoption is the cluster's business, and the session ends by itself when both legs are silent.
                warn!(media = %resource.id, session = held.session_id, "a session of nobody");
            }
        }
    }

    fn owner(&self, resource: &Arc<Resource>, session: &str) -> Option<(SessionId, Ipei)> {
        let session = convert::session(session)?;
        let ipei = resource.state.lock().sessions.get(&session).copied()?;
        Some((session, ipei))
    }
}

fn convert_outcome(status: i32) -> Outcome {
    crate::radio::convert::outcome(status)
}

fn fresh(node: &str, boot: u64) -> Arc<Resource> {
    let state = State {
        down: None,
        orders: Outstanding::new(),
        sessions: HashMap::new(),
        opening: HashMap::new(),
        capacity: 0,
        draining: false,
    };
    Arc::new(Resource {
        id: MediaId(node.into()),
        boot,
        state: Mutex::new(state),
    })
}

fn tell(resource: &Arc<Resource>, body: Down) {
    let down = resource.state.lock().down.clone();
    if let Some(down) = down
        && down.send(Bytes::new(), body).is_err()
    {
        warn!(media = %resource.id, "a media resource does not keep up");
    }
}

/// The session an order is for, and the tag that waits for its result.
fn target(order: &Media) -> (SessionId, Option<Tag>) {
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

fn body(order: Media, o: link::Order, marks: &Marks, seal: &dyn Fn(&[u8]) -> Bytes) -> Down {
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
