//! What a program library is given instead of reaching for globals: time, chance, metrics.

use crate::metrics::Metrics;
use rand_core::{CryptoRng, OsRng, RngCore, SeedableRng, TryRngCore};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

/// Tells the time. A test may let it stand still or run ahead.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Time for timers; never runs backwards.
    fn now(&self) -> Instant;

    /// Wall clock, for time stamps and certificates.
    fn wall(&self) -> SystemTime;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A source of random generators: one call, one independent generator.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<rand::rngs::StdRng>>),
}

impl Random {
    /// Generators seeded by the operating system.
    #[must_use]
    pub const fn system() -> Random {
        Random(Source::System)
    }

    /// Generators that follow from a seed, in the order in which they are asked for: for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Random {
        Random(Source::Seeded(Arc::new(Mutex::new(
            rand::rngs::StdRng::seed_from_u64(seed),
        ))))
    }

    /// A new generator (ChaCha, fit for keys).
    ///
    /// # Panics
    /// If the operating system has no random numbers, without which nothing can be kept secret.
    #[must_use]
    pub fn generator(&self) -> Box<dyn CryptoRng + Send> {
        let mut seed = [0; 32];
        match &self.0 {
            Source::System => OsRng
                .try_fill_bytes(&mut seed)
                .expect("the kernel has random numbers once it has booted"),
            Source::Seeded(parent) => parent
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill_bytes(&mut seed),
        }
        Box::new(rand::rngs::StdRng::from_seed(seed))
    }

    /// 64 random bits, such as a boot id.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.generator().next_u64()
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Random::system",
            Source::Seeded(_) => "Random::seeded",
        })
    }
}

/// Clock, randomness and metrics of one program; cheap to clone.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Random,
    /// Where measurements go.
    pub metrics: Metrics,
}

impl Environment {
    /// The machine's clocks and randomness, with these metrics.
    #[must_use]
    pub fn system(metrics: Metrics) -> Environment {
        Environment {
            clock: Arc::new(SystemClock),
            random: Random::system(),
            metrics,
        }
    }
}
