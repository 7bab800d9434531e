//! Dialogs: their state, and the record that outlives a server. Source: RFC 3261 section 12.

#[allow(clippy::module_inception)]
mod dialog;
mod record;
mod sequence;

pub use dialog::{Dialog, Order};
pub use record::{DialogRecord, EarlyRecord, Phase, SessionTimerRecord};
pub use sequence::Sequence;
