//! Faults of one member after the other, and when to rest between two rounds.

use super::fault::{Fault, Kind};
use crate::error::StoreError;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// First rest; doubled each time.
const SHORTEST: Duration = Duration::from_millis(50);
/// Longest rest.
const LONGEST: Duration = Duration::from_millis(800);

/// What failed where, since the last success.
#[derive(Debug)]
pub(super) struct Rounds {
    members: Vec<(String, Option<Fault>)>,
    /// Faults since the last rest.
    faults: usize,
    rest: Duration,
}

impl Rounds {
    pub(super) fn new<'e>(endpoints: impl Iterator<Item = &'e str>) -> Rounds {
        Rounds {
            members: endpoints
                .map(|endpoint| (endpoint.to_owned(), None))
                .collect(),
            faults: 0,
            rest: SHORTEST,
        }
    }

    /// Notes a member's latest fault.
    pub(super) fn failed(&mut self, index: usize, fault: Fault) {
        self.members[index].1 = Some(fault);
        self.faults += 1;
    }

    /// Whether each member has failed since the last rest.
    pub(super) fn is_over(&self) -> bool {
        self.faults >= self.members.len()
    }

    /// Rests if a round is over. Says so if nothing is to be hoped for: all members shut us out, or time is up.
    pub(super) async fn rest(&mut self, until: Instant) -> Result<(), StoreError> {
        if Instant::now() >= until {
            return Err(self.unavailable());
        }
        if !self.is_over() {
            return Ok(());
        }
        if let Some(error) = self.shut() {
            return Err(error);
        }
        if Instant::now() + self.rest >= until {
            sleep_until(until).await;
            return Err(self.unavailable());
        }
        self.pause().await;
        Ok(())
    }

    /// As [`Rounds::rest`], for those who never give up but when shut out.
    pub(super) async fn rest_patiently(&mut self) -> Result<(), StoreError> {
        if !self.is_over() {
            return Ok(());
        }
        if let Some(error) = self.shut() {
            return Err(error);
        }
        self.pause().await;
        Ok(())
    }

    /// With jitter: servers that lost the same member do not come back at the same time.
    async fn pause(&mut self) {
        sleep(self.rest.mul_f64(rand::random_range(0.5..1.0))).await;
        self.rest = (self.rest * 2).min(LONGEST);
        self.faults = 0;
    }

    /// The error of members that all shut us out.
    fn shut(&mut self) -> Option<StoreError> {
        let all = self.members.iter().all(|(_, fault)| {
            matches!(
                fault,
                Some(Fault {
                    kind: Kind::Shut(_),
                    ..
                })
            )
        });
        if !all {
            return None;
        }
        match self.members.first_mut()?.1.take()?.kind {
            Kind::Shut(error) => Some(error),
            _ => None,
        }
    }

    fn unavailable(&self) -> StoreError {
        let told: Vec<String> = self
            .members
            .iter()
            .filter_map(|(endpoint, fault)| Some((endpoint, fault.as_ref()?)))
            .map(|(endpoint, fault)| format!("{endpoint}: {}", fault.what))
            .collect();
        StoreError::Unavailable(format!(
            "no etcd member answers ({}); see to etcd, it goes on by itself then",
            told.join("; ")
        ))
    }

    /// What is wrong, for the log.
    pub(super) fn told(&self) -> String {
        self.unavailable().to_string()
    }
}
