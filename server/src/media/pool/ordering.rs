//! The way of an order: which media resource takes it, and what is noted for its result.

use std::sync::Arc;
use std::time::Instant;

use ipdect_dect::identity::Ipei;
use ipdect_handset::{Media, Outcome, SessionId, Tag, Trace};

use super::{Asked, Kind, Pool, Resource};
use crate::media::orders;

impl Pool {
    /// Carries an order of the handset `ipei` to its media resource.
    pub fn order(&self, now: Instant, ipei: Ipei, trace: &Trace, order: Media) {
        let (session, tag) = orders::target(&order);
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
            return self.done(ipei, tag, outcome);
        };
        let kind = prepare(&resource, ipei, &order, tag);
        let asked = Asked { ipei, tag, kind };
        if !self.send(&resource, now, asked, trace, order) {
            self.done(ipei, tag, Outcome::Unreachable);
        }
    }

    fn send(
        &self,
        resource: &Resource,
        now: Instant,
        asked: Asked,
        trace: &Trace,
        order: Media,
    ) -> bool {
        let Some(owners) = self.owners() else {
            return false;
        };
        let ipei = asked.ipei;
        let fence = self.fences.of(ipei);
        let marks = self.settings.read().clone();
        let seal = |record: &[u8]| owners.seal(ipei, record);
        let mut state = resource.state.lock();
        state.line.order(now, asked, fence, trace, |number| {
            orders::body(order, number, &marks, &seal)
        })
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
                let usable = state.line.stands();
                let room = i64::from(state.capacity)
                    - i64::try_from(state.sessions.len()).unwrap_or(i64::MAX);
                (usable && room > 0).then(|| (room, r.id.0.clone(), r.clone()))
            })
            .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
            .map(|(_, _, r)| r)?;
        self.homes.write().insert(session, chosen.clone());
        Some(chosen)
    }
}

/// Notes what the result of an order will need.
fn prepare(resource: &Resource, ipei: Ipei, order: &Media, tag: Option<Tag>) -> Kind {
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
