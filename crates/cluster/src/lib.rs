//! The store and who owns what in it: rows, revisions, claims, fencing tokens.
//!
//! [`Store`] is the interface; [`Memory`] (tests), [`Embedded`] (a file) and [`Etcd`] implement it and pass one
//! conformance suite. Above it, [`view`], [`placement`] and [`member`] are pure; [`membership`] joins them to a store.

pub mod certain;
pub mod conformance;
pub mod embedded;
pub mod error;
pub mod etcd;
pub mod follow;
pub mod keys;
pub mod member;
pub mod membership;
pub mod memory;
pub mod migrate;
pub mod placement;
pub mod seal;
pub mod store;
pub mod txn;
pub mod view;
mod watch_log;

pub use embedded::Embedded;
pub use error::StoreError;
pub use etcd::Etcd;
pub use follow::{Follower, Seen};
pub use keys::Key;
pub use memory::Memory;
pub use migrate::migrate;
pub use store::{Change, Changes, Page, Revision, Row, Store, Watch};
pub use txn::{Commit, Guard, Op, Txn};
pub use view::{Token, View};
