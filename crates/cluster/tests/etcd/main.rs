//! The store in a real etcd (Debian package `etcd-server`): the suite of all stores, and what etcd alone can do to us.
#![allow(clippy::unwrap_used)]

mod access;
mod conformance;
mod kit;
mod maintenance;
mod members;
mod pki;
mod relocation;
