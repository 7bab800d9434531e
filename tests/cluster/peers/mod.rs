//! Independent programs to test against, each with the recipe that makes it work.

pub(crate) mod baresip;
pub(crate) mod kamailio;
pub(crate) mod linphone;
pub(crate) mod phone;
pub(crate) mod pki;
pub(crate) mod sipp;

use anyhow::Result;
use ipdect_tests::kit::sound::Heard;

/// Level at which everybody speaks.
pub(crate) const LEVEL_DBM0: f64 = -10.0;
/// Seconds of speech that a player has: longer than any call, since between two rounds it is silent for a packet.
pub(crate) const SPEECH_S: u32 = 75;

/// A phone that speaks a tone and records what it hears: a handset of ours, or somebody else's program.
pub(crate) trait Peer {
    /// The number by which others call it.
    fn number(&self) -> &str;

    /// Frequency that it speaks, at [`LEVEL_DBM0`].
    fn tone_hz(&self) -> f64;

    /// Calls a number.
    fn calls(&mut self, number: &str) -> Result<()>;

    /// Waits until a call stands and has media; answers it first, where it does not do so by itself.
    fn talks(&mut self) -> Result<()>;

    /// Ends its call.
    fn hangs_up(&mut self) -> Result<()>;

    /// Waits until its call is over, whoever ended it. What it says from then on belongs to the next call.
    fn is_over(&mut self) -> Result<()>;

    /// Ends it and measures what it has recorded, call by call.
    fn heard(self) -> Result<Vec<Heard>>
    where
        Self: Sized;
}
