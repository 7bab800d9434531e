//! The way of an order: to the base station of its connection, or to all of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use ipdect_dect::identity::Ipei;
use ipdect_handset::{BaseId, Outcome, Radio, Trace};
use ipdect_proto::link::v1 as link;
use ipdect_proto::radio::v1 as radio;
use ipdect_proto::radio::v1::server_to_base::Body as Down;

use super::{Asked, Base, Pool};
use crate::radio::{convert, orders};

impl Pool {
    /// Carries an order of the handset `ipei` to its base station.
    pub fn order(&self, now: Instant, ipei: Ipei, trace: &Trace, order: Radio) {
        match order {
            Radio::Page {
                tag,
                page,
                identity,
                header,
                except,
            } => {
                let told = self.page(now, ipei, trace, &except, |order| {
                    Down::Page(convert::page(order, page, identity, header))
                });
                let outcome = if told == 0 {
                    Outcome::Unreachable
                } else {
                    Outcome::Done
                };
                self.done(ipei, Some(tag), outcome);
            }
            Radio::CancelPage { page } => {
                self.page(now, ipei, trace, &[], |order| {
                    Down::CancelPage(radio::CancelPage {
                        order: Some(order),
                        page_id: page,
                    })
                });
            }
            other => self.order_one(now, ipei, trace, other),
        }
    }

    fn order_one(&self, now: Instant, ipei: Ipei, trace: &Trace, order: Radio) {
        let (link, tag) = orders::target(&order);
        let base = self.bases.read().get(&link.base.0).cloned();
        let Some(base) = base else {
            return self.done(ipei, tag, Outcome::Unreachable);
        };
        let dscp = self.dscp.load(Ordering::Relaxed);
        let asked = Asked { ipei, tag };
        let sent = self.send(&base, now, asked, trace, |number| {
            orders::body(order, number, ipei, dscp)
        });
        if !sent {
            self.done(ipei, tag, Outcome::Unreachable);
        }
    }

    fn page(
        &self,
        now: Instant,
        ipei: Ipei,
        trace: &Trace,
        except: &[BaseId],
        make: impl Fn(link::Order) -> Down,
    ) -> usize {
        let bases: Vec<Arc<Base>> = self
            .bases
            .read()
            .values()
            .filter(|b| !except.contains(&b.id))
            .cloned()
            .collect();
        bases
            .iter()
            .filter(|base| self.send(base, now, Asked { ipei, tag: None }, trace, &make))
            .count()
    }

    fn send(
        &self,
        base: &Base,
        now: Instant,
        asked: Asked,
        trace: &Trace,
        make: impl FnOnce(link::Order) -> Down,
    ) -> bool {
        let fence = self.fences.of(asked.ipei);
        let mut state = base.state.lock();
        state.line.order(now, asked, fence, trace, make)
    }
}
