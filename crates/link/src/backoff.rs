//! How long to wait before dialling again. Source: contracts 5.

use std::time::Duration;

use rand_core::RngCore;

/// First and longest wait after a server could not be reached.
const UNREACHABLE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// First and longest wait after a refusal.
const REFUSED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// Waits that double, with jitter, apart for unreachable and refused.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    unreachable: u32,
    refused: u32,
}

impl Backoff {
    /// Nothing went wrong yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The server could not be reached: 0.2 s, doubling to 5 s, less up to a quarter.
    pub fn unreachable(&mut self, rng: &mut dyn RngCore) -> Duration {
        self.unreachable = self.unreachable.saturating_add(1);
        wait(UNREACHABLE, self.unreachable - 1, rng)
    }

    /// The server refused: 5 s, doubling to 5 min, less up to a quarter; `at_least` is what the server asked for.
    pub fn refused(&mut self, at_least: Duration, rng: &mut dyn RngCore) -> Duration {
        self.refused = self.refused.saturating_add(1);
        let (_, longest) = REFUSED;
        wait(REFUSED, self.refused - 1, rng).max(at_least.min(longest))
    }

    /// The link opened.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

fn wait((first, longest): (Duration, Duration), doublings: u32, rng: &mut dyn RngCore) -> Duration {
    let whole = first.saturating_mul(1 << doublings.min(16)).min(longest);
    // Jitter keeps the devices of a whole site from knocking all at once.
    whole.mul_f64(1.0 - 0.25 * f64::from(rng.next_u32()) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit_and_start_over() {
        let mut rng = rand::rng();
        let mut backoff = Backoff::new();
        for whole in [200, 400, 800, 1600, 3200, 5000, 5000] {
            let wait = backoff.unreachable(&mut rng).as_millis();
            assert!((whole * 3 / 4..=whole).contains(&wait), "{wait} of {whole}");
        }
        for whole in [5, 10, 20, 40, 80, 160, 300, 300] {
            let wait = backoff.refused(Duration::ZERO, &mut rng).as_secs_f64();
            assert!(
                (f64::from(whole) * 0.75 - 0.001..=f64::from(whole) + 0.001).contains(&wait),
                "{wait} of {whole}"
            );
        }
        backoff.reset();
        assert!(backoff.unreachable(&mut rng) <= Duration::from_millis(200));
    }

    #[test]
    fn a_refused_device_waits_as_long_as_it_is_asked_within_reason() {
        let mut rng = rand::rng();
        let mut backoff = Backoff::new();
        assert_eq!(
            backoff.refused(Duration::from_secs(60), &mut rng),
            Duration::from_secs(60)
        );
        assert_eq!(
            backoff.refused(Duration::from_secs(9999), &mut rng),
            Duration::from_secs(300)
        );
    }
}
