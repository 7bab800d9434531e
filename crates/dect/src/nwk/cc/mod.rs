//! Call control of a basic call, EN 300 175-5 section 9 and annexes A and B: one machine a side and call.
//!
//! The elements that a message carries beside what the machine puts in are up to the caller: display, signal, progress.

mod fixed;
mod portable;

pub use fixed::{FixedAction, FixedCall, FixedEvent, FixedState, Order};
pub use portable::{PortableAction, PortableCall, PortableEvent, PortableState};

use std::time::Duration;

use super::ie::ReleaseReason;
use super::{Cc, Ie, Kind, Message, Transaction};

/// Overlap sending at the fixed part. Source: EN 300 175-5 annex A.
pub const CC_01: Duration = Duration::from_secs(20);
/// Release. Source: EN 300 175-5 annex A.
pub const CC_02: Duration = Duration::from_secs(36);
/// Set-up. Source: EN 300 175-5 annex A.
pub const CC_03: Duration = Duration::from_secs(20);
/// Connect at the portable. Source: EN 300 175-5 annex A.
pub const CC_05: Duration = Duration::from_secs(10);

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The other side released it, or completed our release.
    Peer,
    /// We released it before it stood.
    Us,
    /// A timer ran out.
    Timer,
}

fn message(transaction: Transaction, kind: Cc, elements: Vec<Ie>) -> Message {
    Message::new(transaction, Kind::Cc(kind)).with_all(elements)
}

/// `{CC-RELEASE-COM}` to a call control message that belongs to no call: unknown transaction, or a type nobody knows.
pub fn release_unknown(transaction: Transaction, reason: ReleaseReason) -> Message {
    message(
        transaction.answered(),
        Cc::ReleaseCom,
        vec![Ie::ReleaseReason(reason)],
    )
}

fn reason_of(message: &Message) -> ReleaseReason {
    message
        .release_reason()
        .copied()
        .unwrap_or(ReleaseReason::NORMAL)
}

#[cfg(test)]
mod tests;
