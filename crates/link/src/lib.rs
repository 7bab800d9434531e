//! Links between the programs: releases and their compatibility, the handshake, fencing tokens, certificates,
//! enrolment, dialling and accepting.
//!
//! Pure modules decide ([`release`], [`compat`], [`negotiate`](mod@negotiate), [`fence`], [`orders`], [`token`],
//! [`trace`], [`identity`], [`backoff`]); the others move octets. Source: contracts 3 to 5.

pub mod accept;
pub mod backoff;
pub mod compat;
pub mod contract;
pub mod dial;
pub mod enrol;
pub mod fence;
pub mod identity;
pub mod live;
pub mod negotiate;
pub mod orders;
pub mod pki;
pub mod release;
pub mod role;
pub mod token;
pub mod trace;
