//! The mind in virtual time: what the radio and servers tell, and what comes out, all of it and in order.

mod fencing;
mod handover;
mod invariants;
mod messages;
mod orphans;
mod scene;
mod speech;
