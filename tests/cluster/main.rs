//! What the separate programs do with real peers, and what they do when something goes wrong. Real time, real sockets, real tones.
//!
//! Each test lives in a network namespace of its own; run as root. What it needs beside the programs: `tests/run` installs it.
#![allow(clippy::unwrap_used)]

mod among_peers;
mod baresip_calls;
mod call;
mod domain_calls;
mod first_steps;
mod handset;
mod holding;
mod kamailio_calls;
mod lab;
mod linphone_calls;
mod lost_devices;
mod office;
mod old_copy;
mod operator;
mod peers;
mod proxies;
mod refusals;
mod sipp_calls;
mod store_faults;
mod system;
mod takeover;
mod users;
