//! The store and who owns what in it: rows, revisions, claims, fencing tokens.
//!
//! [`Store`] is the interface; [`Memory`] (tests) and [`Embedded`] (a file) implement it and pass one conformance
//! suite.

pub mod conformance;
pub mod embedded;
pub mod error;
pub mod memory;
pub mod store;
pub mod txn;
mod watch_log;

pub use embedded::Embedded;
pub use error::StoreError;
pub use memory::Memory;
pub use store::{Change, Changes, Page, Revision, Row, Store, Watch};
pub use txn::{Commit, Guard, Op, Txn};
