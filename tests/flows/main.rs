//! Does a call look as it should? Ladders in virtual time, one for each way a basic call can go.
//!
//! `B` base station, `B*` all of them, `M` media resource, `P` peer or proxy, `S` store, `!` what people are told, `=` what
//! contacts see. The milestone of the record that an order brings is in brackets.

mod commits;
mod faults;
mod incoming;
mod ladders;
mod mobility;
mod outgoing;
mod random_order;
mod takeover;
mod talking;
