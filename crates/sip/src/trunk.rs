//! The choice among proxies 1 to 4: priority, weight, failover and return.
//!
//! Source: guide 14207900, SIP page (Proxies); RFC 2782 for the meaning of priority and weight; RFC 3261 section 21.5.4 for 503.

use std::time::{Duration, Instant};

use rand_core::RngCore;

use crate::message::Uri;

/// How long a proxy is passed over after a failure that names no time itself.
const PASS_OVER: Duration = Duration::from_secs(30);
/// Longest Retry-After that is obeyed: a proxy must not be lost for a day by one answer.
const LONGEST_PASS_OVER: Duration = Duration::from_secs(600);

/// One proxy of the trunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// Where it is.
    pub uri: Uri,
    /// The lowest number is tried first.
    pub priority: u16,
    /// Share of the load among those of the same priority; 0 gets hardly any.
    pub weight: u16,
}

/// The number of proxies is not 1 to 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} proxies configured, 1 to 4 are possible")]
pub struct WrongNumberOfProxies(pub usize);

/// One to four proxies, in the order of the configuration page.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxies(Vec<Proxy>);

impl Proxies {
    /// Most proxies a trunk has.
    pub const MOST: usize = 4;

    /// Takes one to four proxies.
    ///
    /// # Errors
    /// [`WrongNumberOfProxies`] for none or more than four.
    pub fn new(proxies: Vec<Proxy>) -> Result<Proxies, WrongNumberOfProxies> {
        match proxies.len() {
            1..=Proxies::MOST => Ok(Proxies(proxies)),
            n => Err(WrongNumberOfProxies(n)),
        }
    }

    /// A trunk of one proxy.
    pub fn one(uri: Uri) -> Proxies {
        Proxies(vec![Proxy {
            uri,
            priority: 0,
            weight: 0,
        }])
    }

    /// The proxy of an index.
    pub fn get(&self, index: u8) -> Option<&Proxy> {
        self.0.get(usize::from(index))
    }

    /// All of them with their index.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Proxy)> {
        (0u8..).zip(&self.0)
    }
}

/// Why a proxy could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection, or it broke.
    Transport,
    /// No answer within the client transaction timeout.
    Timeout,
    /// 503, with its Retry-After.
    Unavailable(Option<Duration>),
}

/// What the server knows of a proxy from elsewhere: other users, keep-alives, connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkHealth {
    /// Index of the proxy.
    pub proxy: u8,
    /// Whether it answers.
    pub up: bool,
}

/// Set of proxies that one request has been sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tried(u8);

impl Tried {
    /// Adds a proxy.
    pub fn add(&mut self, index: u8) {
        self.0 |= 1 << (index % 8);
    }

    /// Tells whether the proxy was tried.
    pub fn has(self, index: u8) -> bool {
        self.0 & (1 << (index % 8)) != 0
    }
}

/// The state of the proxies as one user agent sees them.
#[derive(Debug, Clone, Default)]
pub struct Trunk {
    down_until: [Option<Instant>; Proxies::MOST],
    current: Option<u8>,
}

impl Trunk {
    /// The proxy in use: the last one that answered.
    pub fn current(&self) -> Option<u8> {
        self.current
    }

    /// Chooses a proxy for the next attempt of a request, if any is left.
    ///
    /// Healthy ones first, then by priority; among equals the one in use, else by weight. Proxies that are passed
    /// over are still tried when no other is left: a wrong verdict must not silence a handset.
    pub fn choose(
        &self,
        now: Instant,
        proxies: &Proxies,
        tried: Tried,
        rng: &mut dyn RngCore,
    ) -> Option<u8> {
        let left: Vec<_> = proxies.iter().filter(|(i, _)| !tried.has(*i)).collect();
        let rank = |(i, p): &(u8, &Proxy)| (!self.is_healthy(now, *i), p.priority);
        let best = left.iter().map(rank).min()?;
        let equals: Vec<_> = left.into_iter().filter(|e| rank(e) == best).collect();
        let in_use = equals.iter().find(|(i, _)| Some(*i) == self.current);
        in_use.map(|(i, _)| *i).or_else(|| by_weight(&equals, rng))
    }

    /// Tells whether nothing is known against a proxy.
    pub fn is_healthy(&self, now: Instant, index: u8) -> bool {
        self.down_until
            .get(usize::from(index))
            .is_none_or(|d| d.is_none_or(|until| now >= until))
    }

    /// Tells whether a healthy proxy of better priority than the one in use exists: time to return.
    pub fn should_return(&self, now: Instant, proxies: &Proxies) -> bool {
        let Some(in_use) = self.current.and_then(|i| proxies.get(i)) else {
            return false;
        };
        proxies
            .iter()
            .any(|(i, p)| p.priority < in_use.priority && self.is_healthy(now, i))
    }

    /// When a better proxy than the one in use is next worth a try.
    pub fn return_at(&self, proxies: &Proxies) -> Option<Instant> {
        let in_use = self.current.and_then(|i| proxies.get(i))?;
        let better = proxies.iter().filter(|(_, p)| p.priority < in_use.priority);
        better
            .filter_map(|(i, _)| self.down_until.get(usize::from(i)).copied().flatten())
            .min()
    }

    /// Notes that a proxy answered.
    pub fn answered(&mut self, index: u8) {
        if let Some(down) = self.down_until.get_mut(usize::from(index)) {
            *down = None;
            self.current = Some(index);
        }
    }

    /// Notes that a proxy could not be used: it is passed over for a while.
    pub fn failed(&mut self, now: Instant, index: u8, why: Failure) {
        let pause = match why {
            Failure::Unavailable(Some(asked)) => asked.min(LONGEST_PASS_OVER),
            Failure::Transport | Failure::Timeout | Failure::Unavailable(None) => PASS_OVER,
        };
        if let Some(down) = self.down_until.get_mut(usize::from(index)) {
            *down = Some(now + pause);
        }
    }

    /// Takes in what is known of a proxy from elsewhere.
    pub fn health(&mut self, now: Instant, health: TrunkHealth) {
        let Some(down) = self.down_until.get_mut(usize::from(health.proxy)) else {
            return;
        };
        *down = if health.up {
            None
        } else {
            Some(down.unwrap_or(now).max(now + PASS_OVER))
        };
    }

    /// Forgets all, as after a change of the proxies.
    pub fn reset(&mut self) {
        *self = Trunk::default();
    }
}

/// Picks one by weight as in RFC 2782; a weight of 0 counts as a hundredth of 1.
fn by_weight(equals: &[(u8, &Proxy)], rng: &mut dyn RngCore) -> Option<u8> {
    let share = |p: &Proxy| u64::from(p.weight) * 100 + u64::from(p.weight == 0);
    let total: u64 = equals.iter().map(|(_, p)| share(p)).sum();
    let mut point = rng.next_u64() % total.max(1);
    for (index, proxy) in equals {
        if point < share(proxy) {
            return Some(*index);
        }
        point -= share(proxy);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{rng, t0};

    fn trunk(proxies: &[(u16, u16)]) -> Proxies {
        let each = proxies.iter().map(|(priority, weight)| Proxy {
            uri: "sip:example.com".parse().unwrap(),
            priority: *priority,
            weight: *weight,
        });
        Proxies::new(each.collect()).unwrap()
    }

    /// The order in which one request goes through the proxies.
    fn order(trunk: &Trunk, now: Instant, proxies: &Proxies, seed: u64) -> Vec<u8> {
        let (mut tried, mut order, mut rng) = (Tried::default(), vec![], rng(seed));
        while let Some(index) = trunk.choose(now, proxies, tried, &mut rng) {
            tried.add(index);
            order.push(index);
        }
        order
    }

    #[test]
    fn priority_comes_first_and_every_proxy_gets_its_turn() {
        let (now, proxies) = (t0(), trunk(&[(20, 1), (10, 1), (30, 1)]));
        assert_eq!(order(&Trunk::default(), now, &proxies, 1), [1, 0, 2]);
    }

    #[test]
    fn weight_shares_the_load_within_a_priority() {
        let (now, proxies) = (t0(), trunk(&[(10, 30), (10, 10), (10, 0)]));
        let mut firsts = [0_u32; 3];
        let (mut rng, trunk) = (rng(1), Trunk::default());
        for _ in 0..10_000 {
            let first = trunk
                .choose(now, &proxies, Tried::default(), &mut rng)
                .unwrap();
            firsts[usize::from(first)] += 1;
        }
        assert!((7300..7700).contains(&firsts[0]), "{firsts:?}");
        assert!((2300..2700).contains(&firsts[1]), "{firsts:?}");
    }

    #[test]
    fn a_failed_proxy_is_passed_over_until_its_time_is_over() {
        let (now, proxies) = (t0(), trunk(&[(10, 1), (20, 1)]));
        let mut trunk = Trunk::default();
        trunk.answered(0);
        trunk.failed(now, 0, Failure::Unavailable(Some(Duration::from_secs(100))));
        trunk.answered(1);
        let later = now + Duration::from_secs(99);
        assert_eq!(
            order(&trunk, later, &proxies, 1),
            [1, 0],
            "still tried when no other is left"
        );
        assert!(!trunk.should_return(later, &proxies));
        assert_eq!(
            trunk.return_at(&proxies),
            Some(now + Duration::from_secs(100))
        );
        let back = now + Duration::from_secs(100);
        assert!(trunk.should_return(back, &proxies));
        assert_eq!(order(&trunk, back, &proxies, 1), [0, 1]);
    }

    #[test]
    fn the_proxy_in_use_stays_in_use_among_equals() {
        let (now, proxies) = (t0(), trunk(&[(10, 1), (10, 99)]));
        let mut trunk = Trunk::default();
        trunk.answered(0);
        for seed in 0..50 {
            assert_eq!(order(&trunk, now, &proxies, seed), [0, 1]);
        }
    }

    #[test]
    fn what_others_know_counts_at_once() {
        let (now, proxies) = (t0(), trunk(&[(10, 1), (20, 1)]));
        let mut trunk = Trunk::default();
        trunk.health(
            now,
            TrunkHealth {
                proxy: 0,
                up: false,
            },
        );
        assert_eq!(order(&trunk, now, &proxies, 1), [1, 0]);
        trunk.health(now, TrunkHealth { proxy: 0, up: true });
        assert_eq!(order(&trunk, now, &proxies, 1), [0, 1]);
        trunk.health(
            now,
            TrunkHealth {
                proxy: 200,
                up: false,
            },
        );
    }

    #[test]
    fn a_trunk_has_one_to_four_proxies() {
        assert_eq!(Proxies::new(vec![]), Err(WrongNumberOfProxies(0)));
        let one = || Proxy {
            uri: "sip:example.com".parse().unwrap(),
            priority: 0,
            weight: 0,
        };
        assert_eq!(
            Proxies::new(vec![one(), one(), one(), one(), one()]),
            Err(WrongNumberOfProxies(5))
        );
    }
}
