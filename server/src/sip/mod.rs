//! SIP transports, resolution and dispatch; the stack itself is `ipdect_sip`.

pub mod dispatch;
pub mod domain;
pub mod resolve;
pub mod sender;
mod stream;
pub mod tls;
pub mod transport;
