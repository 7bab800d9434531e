//! Links between the programs: releases and their compatibility, the handshake, fencing tokens, certificates,
//! enrolment, dialling and accepting.
//!
//! Pure modules decide ([`release`], [`compat`], [`negotiate`], [`fence`], [`orders`], [`token`], [`trace`],
//! [`identity`], [`backoff`]); the others move octets. Source: contracts 3 to 5.

pub mod backoff;
pub mod compat;
pub mod fence;
pub mod identity;
pub mod negotiate;
pub mod orders;
pub mod release;
pub mod role;
pub mod token;
pub mod trace;
