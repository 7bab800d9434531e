//! The base values from which all transaction timers follow.

use std::time::{Duration, Instant};

/// Base values of the transaction timers. Source: RFC 3261 section 17.1.1.1 and table 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round-trip time: 500 ms.
    pub t1: Duration,
    /// Longest wait between two repetitions of a non-INVITE request or of a response to INVITE: 4 s.
    pub t2: Duration,
    /// How long a message may live in the network: 5 s.
    pub t4: Duration,
    /// How long a client transaction waits for its first answer (Timers B and F).
    ///
    /// 4,000 ms by default as in guide 14207900, SIP page, so that failover to the next proxy is quick; RFC 3261 has 64 T1.
    pub client_timeout: Duration,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            client_timeout: Duration::from_millis(4000),
        }
    }
}

impl Timers {
    /// 64 T1: the life of a transaction, Timers H, J, L and M.
    pub fn t64(&self) -> Duration {
        self.t1 * 64
    }

    /// Timer D: how long repetitions of a refusal are still acknowledged; at least 32 s, 0 when reliable.
    pub fn d(&self, reliable: bool) -> Duration {
        if reliable {
            Duration::ZERO
        } else {
            self.t64().max(Duration::from_secs(32))
        }
    }

    /// Timers I and K: how long stray repetitions are absorbed; 0 when reliable.
    pub fn linger(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.t4 }
    }

    /// Timer J: how long repetitions of an answered non-INVITE request are absorbed; 0 when reliable.
    pub fn j(&self, reliable: bool) -> Duration {
        if reliable { Duration::ZERO } else { self.t64() }
    }
}

/// A repetition with growing pauses, as in Timers A, E and G.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resend {
    at: Instant,
    pause: Duration,
    cap: Option<Duration>,
}

impl Resend {
    /// Starts with one `first` pause that doubles each time, up to `cap` if there is one.
    pub fn new(now: Instant, first: Duration, cap: Option<Duration>) -> Resend {
        Resend {
            at: now + first,
            pause: first,
            cap,
        }
    }

    /// When the next repetition is due.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// Tells whether a repetition is due.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.at
    }

    /// Plans the repetition after the one that is sent now.
    pub fn advance(&mut self, now: Instant) {
        self.pause = self
            .cap
            .map_or(self.pause * 2, |cap| (self.pause * 2).min(cap));
        self.at = now + self.pause;
    }

    /// Makes every pause after the next repetition the longest one, as for Timer E once a 1xx came.
    pub fn slow_down(&mut self) {
        self.pause = self.cap.unwrap_or(self.pause);
    }
}
