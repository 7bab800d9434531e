//! Do we agree with the standards' own samples?

// Helpers outside of test functions are test code too.
#![allow(clippy::unwrap_used)]

mod corpus;
mod mutation;
mod oracle;
mod torture;
mod torture_ipv6;
mod vectors;
