//! Wrong passwords: five a minute for an account and an address, then a pause.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Failures within [`WINDOW`] before a pause.
const FAILURES: usize = 5;
/// The minute.
const WINDOW: Duration = Duration::from_secs(60);
/// Pairs that are remembered; the oldest go first.
const REMEMBERED: usize = 10_000;

/// Counts failures.
#[derive(Default)]
pub struct Limits(Mutex<HashMap<(String, IpAddr), Vec<Instant>>>);

impl Limits {
    /// Nothing failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long this pair must wait, if it must.
    #[must_use]
    pub fn wait(&self, account: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let mut all = self.0.lock();
        let list = all.get_mut(&(account.to_string(), address))?;
        list.retain(|at| now.duration_since(*at) < WINDOW);
        (list.len() >= FAILURES).then(|| WINDOW - now.duration_since(list[0]))
    }

    /// One more failure.
    pub fn failed(&self, account: &str, address: IpAddr, now: Instant) {
        let mut all = self.0.lock();
        if all.len() >= REMEMBERED {
            all.retain(|_, list| {
                list.last()
                    .is_some_and(|at| now.duration_since(*at) < WINDOW)
            });
        }
        all.entry((account.to_string(), address))
            .or_default()
            .push(now);
    }

    /// A success ends the count.
    pub fn succeeded(&self, account: &str, address: IpAddr) {
        self.0.lock().remove(&(account.to_string(), address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_try_in_a_minute_waits_and_other_addresses_do_not() {
        let limits = Limits::new();
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let start = Instant::now();
        for n in 0..5 {
            assert_eq!(limits.wait("admin", here, start), None, "try {n}");
            limits.failed("admin", here, start);
        }
        assert_eq!(
            limits.wait("admin", here, start + Duration::from_secs(10)),
            Some(Duration::from_secs(50))
        );
        assert_eq!(limits.wait("admin", there, start), None);
        assert_eq!(
            limits.wait("admin", here, start + Duration::from_secs(61)),
            None
        );
    }
}
