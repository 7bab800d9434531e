//! Whole calls: somebody calls, both talk, somebody hangs up, and both ears are measured.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ipdect_tests::kit::sound::Heard;

use crate::peers::{LEVEL_DBM0, Peer};

/// How long a call lasts where nothing else is said.
pub(crate) const TALK: Duration = Duration::from_secs(3);
/// A long one.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// What a recording may lack of a call: both ends of a stretch of sound are cut, and one side talks first.
const EDGES: Duration = Duration::from_secs(1);

/// What is heard at least of a call of this length.
pub(crate) const fn least_of(talk: Duration) -> Duration {
    talk.saturating_sub(EDGES)
}

/// One end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Ours, where one is ours.
    Near,
    /// The other one.
    Far,
}

/// One call: who calls, how long both talk, who hangs up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    by: Side,
    talk: Duration,
    ended_by: Side,
}

impl Call {
    /// A call of 3 s that the caller ends.
    pub(crate) const fn by(side: Side) -> Self {
        Self {
            by: side,
            talk: TALK,
            ended_by: side,
        }
    }

    /// The same, as long as this.
    pub(crate) const fn lasting(self, talk: Duration) -> Self {
        Self { talk, ..self }
    }

    /// The same, ended by this side.
    pub(crate) const fn ended_by(self, side: Side) -> Self {
        Self {
            ended_by: side,
            ..self
        }
    }
}

/// Two phones that call each other, and how long both have talked.
pub(crate) struct Line<N, F> {
    pub(crate) near: N,
    pub(crate) far: F,
    wanted: Duration,
}

impl<N: Peer, F: Peer> Line<N, F> {
    /// A line that has carried nothing yet.
    pub(crate) const fn between(near: N, far: F) -> Self {
        Self {
            near,
            far,
            wanted: Duration::ZERO,
        }
    }

    /// One whole call.
    pub(crate) fn carries(&mut self, call: Call) -> Result<()> {
        self.begins(call.by)?;
        self.talks(call.talk);
        self.ends(call.ended_by)
    }

    /// A call in each direction.
    pub(crate) fn carries_both_ways(&mut self) -> Result<()> {
        self.carries(Call::by(Side::Near))?;
        self.carries(Call::by(Side::Far))
    }

    /// A side calls the other one, until both are connected.
    pub(crate) fn begins(&mut self, by: Side) -> Result<()> {
        let (caller, callee) = self.in_order(by);
        caller.calls(callee.number())?;
        // The callee first: some answer only then.
        callee.talks().context("at the callee")?;
        caller.talks().context("at the caller")
    }

    /// Both talk for so long, and are to be heard for all of it.
    pub(crate) fn talks(&mut self, talk: Duration) {
        std::thread::sleep(talk);
        self.wanted += least_of(talk);
    }

    /// A side hangs up; the call ends at both.
    pub(crate) fn ends(&mut self, by: Side) -> Result<()> {
        let (first, second) = self.in_order(by);
        first.hangs_up()?;
        first.is_over().context("at who hung up")?;
        second.is_over().context("at the other end")
    }

    fn in_order(&mut self, first: Side) -> (&mut dyn Peer, &mut dyn Peer) {
        match first {
            Side::Near => (&mut self.near, &mut self.far),
            Side::Far => (&mut self.far, &mut self.near),
        }
    }

    /// Ends both phones and holds all that either heard to the tone of the other one, and to the time they talked.
    pub(crate) fn ears(self) -> Result<Ears> {
        let Self { near, far, wanted } = self;
        let (near_hz, far_hz) = (near.tone_hz(), far.tone_hz());
        let (near_at, far_at) = (near.number().to_owned(), far.number().to_owned());
        let ears = Ears {
            near: near.heard().with_context(|| format!("at {near_at}"))?,
            far: far.heard().with_context(|| format!("at {far_at}"))?,
        };
        ear(&near_at, &ears.near, wanted, far_hz)?;
        ear(&far_at, &ears.far, wanted, near_hz)?;
        Ok(ears)
    }
}

/// What both ends heard, stretch by stretch.
#[derive(Debug)]
pub(crate) struct Ears {
    pub(crate) near: Vec<Heard>,
    pub(crate) far: Vec<Heard>,
}

/// Holds every stretch of what was heard to the tone that was sent, and their sum to a time; prints the figures.
pub(crate) fn ear(at: &str, heard: &[Heard], least: Duration, hz: f64) -> Result<()> {
    for stretch in heard {
        eprintln!("at {at}: {stretch:?}");
        stretch
            .is(hz, LEVEL_DBM0)
            .with_context(|| format!("at {at}"))?;
    }
    let seconds: f64 = heard.iter().map(|h| h.seconds).sum();
    ensure!(
        seconds >= least.as_secs_f64(),
        "at {at}: {seconds} s heard, {least:?} wanted"
    );
    Ok(())
}

/// Holds what the far end of one call recorded to what a listener does not notice: no silence of more than 20 ms.
pub(crate) fn without_a_gap(heard: &[Heard]) -> Result<()> {
    ensure!(
        heard.len() == 1 && heard[0].longest_gap_ms <= 20.0,
        "gaps at the far end: {heard:?}"
    );
    Ok(())
}
