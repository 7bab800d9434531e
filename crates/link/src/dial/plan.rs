//! Which servers to dial next, and for what: pure.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ipdect_proto::link::v1::{LinkUse, ServerAddress};

use super::fleet::Policy;

/// What is done about one address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Nothing; may be dialled from this moment on.
    Idle { not_before: Instant },
    /// Being dialled.
    Dialling(LinkUse),
    /// A link to this server stands.
    Up { node_id: String, link_use: LinkUse },
    /// Leads to a server to which a link stands by another address.
    Alias { node_id: String },
}

/// One known address.
#[derive(Clone, Debug)]
struct Server {
    state: State,
    /// Named by configuration; the others only live as long as the cluster names them.
    configured: bool,
    order: usize,
}

/// All known servers.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    policy: Policy,
    servers: BTreeMap<String, Server>,
}

impl Plan {
    pub(super) fn new(policy: Policy, configured: &[String], now: Instant) -> Self {
        let servers = configured.iter().enumerate().map(|(order, address)| {
            (
                address.clone(),
                Server {
                    state: State::Idle { not_before: now },
                    configured: true,
                    order,
                },
            )
        });
        Self {
            policy,
            servers: servers.collect(),
        }
    }

    /// Addresses to dial now; they count as being dialled from here on.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(String, LinkUse)> {
        let mut due = Vec::new();
        while let Some(link_use) = self.wanted() {
            let Some((address, server)) = self
                .servers
                .iter_mut()
                .filter(|(_, server)| matches!(server.state, State::Idle { not_before } if not_before <= now))
                .min_by_key(|(_, server)| server.order)
            else {
                break;
            };
            server.state = State::Dialling(link_use);
            due.push((address.clone(), link_use));
        }
        due
    }

    /// When `due` may next have something, if ever.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.wanted()?;
        let idle = self
            .servers
            .values()
            .filter_map(|server| match server.state {
                State::Idle { not_before } => Some(not_before),
                _ => None,
            });
        idle.min()
    }

    /// A link opened. `false`: there is one to the same server already, so this one is to be closed.
    pub(super) fn opened(
        &mut self,
        address: &str,
        node_id: &str,
        cluster: &[ServerAddress],
        now: Instant,
    ) -> bool {
        let link_use = match self.servers.get(address).map(|server| &server.state) {
            Some(State::Dialling(link_use)) => *link_use,
            _ => return false,
        };
        let double = self.is_up(node_id);
        let node_id = node_id.to_owned();
        let state = if double {
            State::Alias { node_id }
        } else {
            State::Up { node_id, link_use }
        };
        self.set(address, state);
        self.learn(cluster, now);
        !double
    }

    /// A dialled address gave no link; it rests for a while.
    pub(super) fn failed(&mut self, address: &str, now: Instant, rest: Duration) {
        self.set(
            address,
            State::Idle {
                not_before: now + rest,
            },
        );
    }

    /// A link ended; its address and all aliases may be dialled after a rest.
    pub(super) fn down(&mut self, address: &str, now: Instant, rest: Duration) {
        let Some(State::Up { node_id, .. }) =
            self.servers.get(address).map(|server| server.state.clone())
        else {
            return;
        };
        let idle = State::Idle {
            not_before: now + rest,
        };
        self.set(address, idle.clone());
        for server in self.servers.values_mut() {
            if matches!(&server.state, State::Alias { node_id: of } if *of == node_id) {
                server.state = idle.clone();
            }
        }
    }

    /// Makes the standby link the active one if there is none and none is being dialled (its `Hello` says so already);
    /// its address.
    pub(super) fn promote(&mut self) -> Option<String> {
        if self.policy != Policy::ActiveStandby || self.has(LinkUse::Active) {
            return None;
        }
        self.servers
            .iter_mut()
            .find_map(|(address, server)| match &mut server.state {
                State::Up { link_use, .. } if *link_use == LinkUse::Standby => {
                    *link_use = LinkUse::Active;
                    Some(address.clone())
                }
                _ => None,
            })
    }

    /// What the link at an address is for now, if there is one.
    pub(super) fn link_use(&self, address: &str) -> Option<LinkUse> {
        match self.servers.get(address).map(|server| &server.state) {
            Some(State::Up { link_use, .. } | State::Dialling(link_use)) => Some(*link_use),
            _ => None,
        }
    }

    /// What one more link would be for.
    fn wanted(&self) -> Option<LinkUse> {
        match self.policy {
            Policy::Every => Some(LinkUse::Active),
            Policy::ActiveStandby => [LinkUse::Active, LinkUse::Standby]
                .into_iter()
                .find(|link_use| !self.has(*link_use)),
        }
    }

    fn has(&self, wanted: LinkUse) -> bool {
        self.has_up(wanted)
            || self
                .servers
                .values()
                .any(|server| server.state == State::Dialling(wanted))
    }

    fn has_up(&self, wanted: LinkUse) -> bool {
        let up = |server: &Server| matches!(&server.state, State::Up { link_use, .. } if *link_use == wanted);
        self.servers.values().any(up)
    }

    fn is_up(&self, wanted: &str) -> bool {
        let up = |server: &Server| matches!(&server.state, State::Up { node_id, .. } if node_id == wanted);
        self.servers.values().any(up)
    }

    fn set(&mut self, address: &str, state: State) {
        if let Some(server) = self.servers.get_mut(address) {
            server.state = state;
        }
    }

    /// Takes over the cluster's own list: new addresses come in, those that it no longer names go.
    fn learn(&mut self, cluster: &[ServerAddress], now: Instant) {
        let named = |address: &str| cluster.iter().any(|server| server.address == address);
        self.servers.retain(|address, server| {
            server.configured
                || named(address)
                || !matches!(server.state, State::Idle { .. } | State::Alias { .. })
        });
        for server in cluster.iter().filter(|server| !server.address.is_empty()) {
            let up = self.is_up(&server.node_id);
            let order = self.servers.len();
            let known = self
                .servers
                .entry(server.address.clone())
                .or_insert(Server {
                    state: State::Idle { not_before: now },
                    configured: false,
                    order,
                });
            if up && matches!(known.state, State::Idle { .. }) {
                known.state = State::Alias {
                    node_id: server.node_id.clone(),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(1);

    fn plan(policy: Policy, configured: &[&str]) -> (Plan, Instant) {
        let now = Instant::now();
        let configured: Vec<String> = configured.iter().map(ToString::to_string).collect();
        (Plan::new(policy, &configured, now), now)
    }

    fn server(node_id: &str, address: &str) -> ServerAddress {
        ServerAddress {
            node_id: node_id.into(),
            address: address.into(),
        }
    }

    fn uses(due: &[(String, LinkUse)]) -> Vec<(&str, LinkUse)> {
        due.iter()
            .map(|(address, link_use)| (address.as_str(), *link_use))
            .collect()
    }

    #[test]
    fn a_base_dials_one_active_and_one_standby_in_the_order_given() {
        let (mut plan, now) = plan(Policy::ActiveStandby, &["z:1", "a:1", "b:1"]);
        assert_eq!(
            uses(&plan.due(now)),
            [("z:1", LinkUse::Active), ("a:1", LinkUse::Standby)]
        );
        assert_eq!((plan.due(now), plan.next_due()), (vec![], None));
    }

    #[test]
    fn with_the_active_link_gone_the_standby_takes_over() {
        let (mut plan, now) = plan(Policy::ActiveStandby, &["a:1", "b:1"]);
        plan.due(now);
        assert!(plan.opened("a:1", "a", &[], now) && plan.opened("b:1", "b", &[], now));
        assert_eq!(plan.promote(), None);
        plan.down("a:1", now, REST);
        assert_eq!(plan.promote(), Some("b:1".into()));
        assert_eq!(plan.link_use("b:1"), Some(LinkUse::Active));
        assert_eq!((plan.due(now), plan.next_due()), (vec![], Some(now + REST)));
        assert_eq!(uses(&plan.due(now + REST)), [("a:1", LinkUse::Standby)]);
    }

    #[test]
    fn a_standby_waits_for_the_active_one_and_is_promoted_when_that_fails() {
        let (mut plan, now) = plan(Policy::ActiveStandby, &["a:1", "b:1"]);
        plan.due(now);
        assert!(plan.opened("b:1", "b", &[], now));
        assert_eq!(
            plan.promote(),
            None,
            "a:1 may still say yes to a Hello that says active"
        );
        plan.failed("a:1", now, REST);
        assert_eq!(plan.promote(), Some("b:1".into()));
        assert_eq!(uses(&plan.due(now + REST)), [("a:1", LinkUse::Standby)]);
        assert!(plan.opened("a:1", "a", &[], now));
        assert_eq!(
            (plan.link_use("a:1"), plan.promote()),
            (Some(LinkUse::Standby), None)
        );
    }

    #[test]
    fn a_media_resource_dials_every_server_that_the_cluster_names() {
        let (mut plan, now) = plan(Policy::Every, &["seed:1"]);
        assert_eq!(uses(&plan.due(now)), [("seed:1", LinkUse::Active)]);
        let cluster = [server("a", "10.0.0.1:1"), server("b", "10.0.0.2:1")];
        assert!(plan.opened("seed:1", "a", &cluster, now));
        // The seed is server a itself: its other address is not dialled while the link stands.
        assert_eq!(uses(&plan.due(now)), [("10.0.0.2:1", LinkUse::Active)]);
        assert!(plan.opened("10.0.0.2:1", "b", &cluster, now));
        plan.down("seed:1", now, REST);
        let again = plan.due(now + REST);
        assert_eq!(
            uses(&again),
            [("seed:1", LinkUse::Active), ("10.0.0.1:1", LinkUse::Active)]
        );
        assert!(plan.opened("10.0.0.1:1", "a", &cluster, now));
        assert!(
            !plan.opened("seed:1", "a", &cluster, now),
            "a second link to the same server"
        );
    }

    #[test]
    fn servers_that_the_cluster_no_longer_names_are_forgotten() {
        let (mut plan, now) = plan(Policy::Every, &["a:1"]);
        plan.due(now);
        plan.opened("a:1", "a", &[server("a", "a:1"), server("b", "b:1")], now);
        assert_eq!(uses(&plan.due(now)), [("b:1", LinkUse::Active)]);
        plan.failed("b:1", now, REST);
        plan.down("a:1", now, Duration::ZERO);
        plan.due(now);
        plan.opened("a:1", "a", &[server("a", "a:1")], now);
        assert_eq!((plan.due(now + REST), plan.next_due()), (vec![], None));
    }

    #[test]
    fn a_failed_address_rests_and_another_is_tried() {
        let (mut plan, now) = plan(Policy::ActiveStandby, &["a:1", "b:1", "c:1"]);
        plan.due(now);
        plan.failed("a:1", now, REST);
        assert_eq!(uses(&plan.due(now)), [("c:1", LinkUse::Active)]);
        plan.failed("c:1", now, REST);
        assert_eq!((plan.due(now), plan.next_due()), (vec![], Some(now + REST)));
    }
}
