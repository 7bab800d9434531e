//! The stores from outside: one suite for all, what a disk or a kill can do to the file, and who owns what.
#![allow(clippy::unwrap_used)]

mod conformance;
mod damage;
mod disk;
mod follow;
mod full_disk;
mod kill;
mod membership;
mod migrate;
mod power_loss;
mod stand_in;
