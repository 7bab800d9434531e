//! Timers of a call beside those of call control itself, and its timers under one roof.

use std::time::Duration;

pub(crate) use ipdect_dect::nwk::cc::{CC_01, CC_02, CC_03};

/// Time in which a handset that lost its base station comes back by itself (DL.05 at the portable).
pub(crate) const DL_05: Duration = Duration::from_secs(10);
/// Time after that in which it is looked for (`contracts.md` section 10).
pub(crate) const LOOKED_FOR: Duration = Duration::from_secs(20);
/// Time for speech to be ready once the user answered: the portable waits CC.05, 10 s, for `{CC-CONNECT-ACK}`.
pub(crate) const ANSWERING: Duration = Duration::from_secs(9);
/// Silence on the SIP side that ends a call (`contracts.md` section 10).
pub(crate) const MEDIA_LOST_MS: u64 = 30_000;
/// Least time between two texts on a display: the C-channel carries 2 kbit/s (`contracts.md` section 6).
pub(crate) const DISPLAY_PAUSE: Duration = Duration::from_secs(1);
