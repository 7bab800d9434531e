//! Do we agree with the standards' own samples?

mod corpus;
mod mutation;
mod oracle;
mod torture;
mod torture_ipv6;
mod vectors;
