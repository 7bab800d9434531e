//! Identities of EN 300 175-6: who a portable is, which system it belongs to, which radio it hears.
//!
//! All types are plain values: ordered, hashable, printed in the form people read, and parsed once, at the door.

mod ipei;
mod ipui;
mod park;
mod rfpi;
mod shard;
mod tpui;

pub use ipei::{Ipei, IpeiError};
pub use ipui::{Ipui, IpuiError, OtherIpui};
pub use park::{Ari, AriClass, AriError, Park};
pub use rfpi::{Rfpi, Rpn};
pub use shard::{SHARDS, mix, shard};
pub use tpui::{Pmid, Tpui, TpuiError, TpuiKind};
