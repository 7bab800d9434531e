//! What programs share, from outside: probes, sockets, logs, traces, files, the end.
#![allow(clippy::unwrap_used)]

mod collector;
mod end;
mod files;
mod probes;
mod telemetry;
